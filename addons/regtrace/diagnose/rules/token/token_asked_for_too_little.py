"""RT233: the client asked for fewer rights than its request needs, and never for more."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.tokens import Grant, action_of
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
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host, plain


@rule(
    number="RT233",
    slug="token-asked-for-too-little",
    title="The client never asked for the right to {action} {repository}",
    cause=(
        "The request needed {needed}; the client had asked the token server {server} for {asked},"
        " and got that. {registry} refused with insufficient_scope and named the scope that it"
        " wants, but the client did not fetch a token for it. What this account may do is not"
        " known: nobody asked."
    ),
    fix=(
        (
            "Use a newer version of this client, or another one: docker, podman, skopeo, crane and"
            " oras ask for what a push needs."
        ),
        (
            "In a script or a library of your own, ask the token server for {wanted} before this"
            " request, or fetch a token again with the scope that WWW-Authenticate names in the"
            " 401, and repeat the request with it."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/spec/auth/scope/",
        "https://www.rfc-editor.org/rfc/rfc6750#section-3.1",
    ),
    owner=Owner.CLIENT,
    needs=frozenset(Kind),
    explains=frozenset({"account-not-permitted", "auth-loop", "mount-refused-and-fatal"}),
    fires="""
client python-requests/2.34.2
HEAD blob L1                 -> 401
token pull team/app          -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 401 insufficient_scope
POST uploads                 -> 401 insufficient_scope
""",
    silent="""
client python-requests/2.34.2
HEAD blob L1                 -> 401
token pull team/app          -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 401 insufficient_scope
token push,pull team/app grant=pull -> 200    # asked for, and not granted
POST uploads                 -> 401 insufficient_scope
""",
    also_fires=(
        """
client curl/8.5.0
token                        -> 200    # a login: no scope at all
PUT manifest 1 [cfg L1]      -> 401 insufficient_scope
""",
    ),
    also_silent=(
        """
client containerd/2.1.4
HEAD manifest 1              -> 401
token pull team/app opaque   -> 200
HEAD manifest 1              -> 404
POST uploads                 -> 401 insufficient_scope
token push,pull team/app opaque -> 403
POST uploads                 -> 401 insufficient_scope    # asked for, and refused
""",
        """
client docker/24.0.7
token pull team/app          -> 200
POST uploads                 -> 401    # of these, a refusal may mean anything
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
""",
    ),
)
def token_asked_for_too_little(operation: Operation, facts: Facts) -> Verdict:
    refusals = [r for r in facts.fatal_refusals if r.grant and r.error == "insufficient_scope"]
    if not refusals:
        return DOES_NOT_APPLY
    small = [(refusal, refusal.grant) for refusal in refusals if refusal.unasked and refusal.grant]
    if not small:
        return PASSES
    first, grant = small[0]
    missing = first.unasked[0]
    return Fails(
        legs=tuple(refusal.leg for refusal, _ in small),
        evidence=(
            Evidence(grant.leg, "request.url", "what the client asked for"),
            first.shows("what it got"),
            Evidence(
                first.leg,
                "response.header.WWW-Authenticate",
                "the registry refused for want of rights, and says which",
            ),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first.leg),
        fields={
            "action": plain(action_of(missing)),
            "repository": Term(TermKind.REPOSITORY, missing.name),
            "needed": Term(TermKind.SCOPE, str(missing)),
            "wanted": Term(TermKind.SCOPE, " ".join(map(str, first.needs))),
            "asked": _asked(grant),
            "server": host(grant.leg.url.authority),
            "registry": host(facts.registry_host),
        },
        count=len(small),
    )


def _asked(grant: Grant) -> Term:
    if not grant.asked:
        return plain("no scope at all")
    return Term(TermKind.SCOPE, " ".join(map(str, grant.asked)))
