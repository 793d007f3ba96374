"""RT204: the realm names the registry's own host, without the port that it is published on."""

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
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.url import DEFAULT_PORTS, Url


@rule(
    number="RT204",
    slug="realm-wrong-port",
    title="The realm of {registry} leaves out its port: clients go to port {port} for a token",
    cause=(
        "The client reached the registry at {registry}, but is told to fetch its token from"
        " {realm}, the same host on port {port}, where no token server answers. The address that"
        " the realm is made of has lost the published port."
    ),
    fix=(
        (
            "Put the published port into the realm: auth.token.realm in the registry's config.yml"
            " (Harbor: external_url: https://HOST:PORT; GitLab: external_url with the port)."
        ),
        (
            "If the realm is made from the request, let the proxy in front pass the whole Host"
            " header on; nginx: proxy_set_header Host $http_host; ($host leaves the port out)."
        ),
    ),
    check=("curl -si {ping} | grep -i ^www-authenticate",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#token",
        "https://github.com/nicholasamorim/ansible-role-harbor/issues/10",
        "https://github.com/mkuchin/docker-registry-web/issues/107",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.TOKEN, Kind.CONNECT}),
    explains=frozenset(
        {"realm-unreachable", "tcp-refused-or-timeout", "token-endpoint-not-a-token-server"}
    ),
    fires="""
client docker/20.10.24
registry https://registry.test:8443
realm https://registry.test/service/token
GET /v2/                     -> 401
CONNECT registry.test:443    -> ! [Errno 111] Connect call failed ('192.0.2.7', 443)
""",
    silent="""
client docker/20.10.24
registry https://registry.test:8443
realm https://registry.test:8443/service/token
GET /v2/                     -> 401
CONNECT registry.test:8443   -> ! [Errno 111] Connect call failed ('192.0.2.7', 8443)
""",
    also_fires=(
        """
client docker/20.10.24
registry https://registry.test:8443
realm https://registry.test/service/token
GET /v2/                     -> 401
token push,pull team/app     -> 404 nginx
""",
    ),
    also_silent=(
        """
client docker/20.10.24
registry https://registry.test:5050
realm https://registry.test/jwt/auth
GET /v2/                     -> 401
token push,pull team/app     -> 401    # GitLab's own arrangement: the password is wrong
""",
    ),
)
def realm_wrong_port(operation: Operation, facts: Facts) -> Verdict:
    portless = [(url, leg) for url, leg in facts.realms.items() if _lost_its_port(url, leg.url)]
    if not portless:
        return DOES_NOT_APPLY
    for realm, challenged in portless:
        failed = [leg for leg in facts.token_legs(realm) if _is_no_token_server(leg, facts)]
        if failed:
            where = "error" if failed[0].broken else "response.status"
            return Fails(
                legs=tuple(failed),
                evidence=(
                    Evidence(challenged, "request.url", "where the registry is"),
                    Evidence(challenged, "response.header.WWW-Authenticate", "the realm's port"),
                    Evidence(failed[0], where, "no token server answers there"),
                ),
                confidence=Confidence.LIKELY,
                fields={
                    "registry": host(challenged.url.authority),
                    "realm": Term(TermKind.URL, f"{realm.origin}{realm.path}"),
                    "ping": Term(TermKind.URL, f"{challenged.url.origin}/v2/"),
                    "port": plain(realm.port),
                },
                count=len(failed),
            )
    return PASSES


def _lost_its_port(realm: Url, registry: Url) -> bool:
    same = realm.host == registry.host and realm.scheme == registry.scheme
    return same and realm.port == DEFAULT_PORTS[realm.scheme] != registry.port


def _is_no_token_server(leg: Leg, facts: Facts) -> bool:
    page = leg.error is not None and leg.error.dialect in {"html", "text", "empty"}
    answer = leg.brought_no_token or (leg.status in {404, 405} and page)
    return facts.is_fatal(leg) and ((leg.broken and not leg.failed_at_proxy) or answer)
