"""RT201: the registry sends clients to a token server that they can't reach."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.transport import Failure, in_words

#: How the token server was not reached → who knows why.
_UNREACHED = {
    Failure.DNS: Owner.REGISTRY,
    Failure.REFUSED: Owner.TOKEN_SERVER,
    Failure.UNREACHABLE: Owner.NETWORK,
    Failure.TIMEOUT: Owner.NETWORK,
}


@rule(
    number="RT201",
    slug="realm-unreachable",
    title="The token server {server} can't be reached",
    cause=(
        "The registry {registry} tells clients to fetch a token from {realm}, but {reason}. Without"
        " a token nothing can be pushed or pulled; docker says Retrying or Bad Gateway. {history}"
    ),
    fix=(
        (
            "Set the realm to an address that clients reach: auth.token.realm in the registry's"
            " config.yml (GitLab: external_url and registry_external_url; Harbor: external_url)."
        ),
        (
            "If the address is right, start the token server on {server} and open the firewall from"
            " the clients to it."
        ),
    ),
    check=("curl -v {realm}",),
    references=(
        "https://distribution.github.io/distribution/spec/auth/token/",
        "https://distribution.github.io/distribution/about/configuration/#token",
    ),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset({Kind.CONNECT, Kind.TOKEN}),
    explains=frozenset({"dns-failure", "tcp-refused-or-timeout"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
CONNECT auth.test:443        -> ! [Errno 111] Connect call failed ('192.0.2.7', 443)
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
CONNECT auth.test:443        -> ! [Errno 111] Connect call failed ('192.0.2.7', 443)
+5s token push,pull team/app -> 200    # it was only restarting
""",
    also_fires=(
        # It went away while the push was at work.
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app lives=60 -> 200
POST uploads                 -> 202
PATCH u1 L1 took=150s        -> 202
PUT u1 L1                    -> 401 invalid_token
token push,pull team/app     -> ! [Errno 111] Connect call failed ('192.0.2.7', 443)
""",
    ),
)
def realm_unreachable(operation: Operation, facts: Facts) -> Verdict:
    if not facts.realms:
        return DOES_NOT_APPLY
    if operation.ending is Ending.OK:
        return PASSES  # the token came from elsewhere
    for realm, challenged in facts.realms.items():
        if realm.authority == challenged.url.authority:
            continue  # the registry's own host: if it can't be reached, that is not the token's
        asked = facts.token_legs(realm)
        failed = [leg for leg in asked if leg.failure in _UNREACHED]
        answered = [leg for leg in asked if leg.kind is Kind.TOKEN and leg.status is not None]
        if not failed or (answered and not facts.is_fatal(failed[-1])):
            continue
        reason = failed[-1].failure or Failure.OTHER
        return Fails(
            legs=tuple(failed),
            evidence=(
                Evidence(challenged, "response.header.WWW-Authenticate", "names the token server"),
                Evidence(failed[0], "error", "what happened there"),
            ),
            confidence=Confidence.CERTAIN,
            fields={
                "realm": Term(TermKind.URL, f"{realm.origin}{realm.path}"),
                "server": host(realm.authority),
                "registry": host(challenged.url.authority),
                "reason": plain(in_words(reason)),
                "history": plain(_ANSWERED if answered else _NEVER),
            },
            count=len(failed),
            owner=_UNREACHED[reason],
        )
    return PASSES


_NEVER = "The realm is often an internal name or port that only the registry's own network knows."
_ANSWERED = "Earlier in this operation it had answered: the address is right."
