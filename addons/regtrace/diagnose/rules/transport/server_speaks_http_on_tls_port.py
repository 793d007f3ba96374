"""RT106: https was spoken to a port that answers in plain HTTP."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import host
from regtrace.wire.transport import Failure


@rule(
    number="RT106",
    slug="server-speaks-http-on-tls-port",
    title="{server} does not speak TLS on this port",
    cause=(
        "{server} was asked over https, and what came back was not TLS; mostly the server speaks"
        " plain HTTP there. docker says: http: server gave HTTP response to HTTPS client; some"
        " clients only Bad Gateway."
    ),
    fix=(
        "Enable TLS on {server}: http.tls in the registry's config.yml, or a proxy in front of it.",
        (
            "Or tell each client that this registry is plain HTTP. docker: insecure-registries in"
            " daemon.json, then restart dockerd. buildkit: http = true for it in buildkitd.toml."
            " containerd: server = http://{server} in its hosts.toml. podman: insecure = true in"
            " registries.conf."
        ),
        (
            "If the port is wrong, push to the port that speaks TLS. If mitmdump runs with --mode"
            " reverse:https://{server}, write reverse:http:// instead."
        ),
    ),
    check=("curl -v http://{server}/v2/",),
    references=(
        "https://distribution.github.io/distribution/about/insecure/",
        "https://github.com/distribution/distribution/issues/1874",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
CONNECT registry.test:5000   -> ! server-tls: The remote server does not speak TLS.
""",
    silent="""
client docker/20.10.24
registry http://registry.test:5000 open
CONNECT registry.test:5000   -> ! server-tls: The remote server does not speak TLS.
GET /v2/                     -> 200    # the client may go on without TLS
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    also_silent=(
        """
client docker/20.10.24
registry http://registry.test:5000 open
CONNECT registry.test:5000   -> ! server-tls: The remote server does not speak TLS.
GET /v2/                     -> 200    # it did, and failed by something else
GET manifest 9               -> 404
""",
    ),
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
CONNECT auth.test:443        -> ! server-tls: The remote server does not speak TLS.
""",
    ),
)
def server_speaks_http_on_tls_port(operation: Operation, facts: Facts) -> Verdict:
    found = [b for b in facts.breakages if b.failure is Failure.NOT_TLS]
    if not found:
        return DOES_NOT_APPLY
    first = found[0]
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "what the server's first bytes were not"),),
        confidence=Confidence.CERTAIN,
        fields={"server": host(first.leg.url.authority)},
        count=len(found),
        owner=first.owner,
    )
