"""RT609: a proxy answers in the registry's place, because it got no answer itself."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_registrys_own, is_somebody_elses
from regtrace.diagnose.facts.fronts import body_size, ended_by, front, front_owner, seconds
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
from regtrace.wire.term import host, plain
from regtrace.wire.testimony import Told

#: Cloudflare has numbers of its own for what others call 502 and 504.
_BROKEN = frozenset({502, 520, 521, 523, 525, 526, 530})
_LATE = frozenset({504, 522, 524})
_STATUSES = _BROKEN | _LATE | {503}
_KINDS = frozenset(Kind) - {Kind.STORAGE, Kind.CONNECT}


@rule(
    number="RT609",
    slug="gateway-error-page",
    title="{front} answers {status} in place of {server}, after {seconds} s",
    cause=(
        "The answer is not the registry's own. {front} stands before {server} and says that"
        " {meaning}. docker prints: received unexpected HTTP status, and tries again."
    ),
    fix=(
        (
            "Look in the proxy's error log at this second (nginx: /var/log/nginx/error.log), then"
            " whether the server behind it runs: docker ps, kubectl get endpoints; a registry that"
            " was killed for its memory comes back by itself."
        ),
        (
            "502 at once: check the address and port in the proxy's configuration. If proxy_pass"
            " names localhost, write 127.0.0.1: localhost can mean [::1], where a registry that"
            " listens on IPv4 alone refuses (nginx's log then says connect() failed, upstream"
            " http://[::1]:5000). Or let the registry listen on both: http.addr: :5000."
        ),
        "503: the proxy has no healthy server; check its health check, and that it asks /v2/ or /.",
        (
            "504, or 502 after a round number of seconds: set proxy_read_timeout 900s;"
            " proxy_send_timeout 900s; proxy_request_buffering off; and proxy_buffering off; in"
            " nginx, and raise the idle time-out of load balancers. The commit of a large layer on"
            " S3 takes minutes: raise storage.s3.multipartcopychunksize too."
        ),
    ),
    check=("curl -si https://{server}/v2/ | head -n 5",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout",
        "https://distribution.github.io/distribution/recipes/nginx/",
        "https://docs.gitlab.com/administration/packages/container_registry_troubleshooting/",
    ),
    owner=Owner.FRONT_PROXY,
    needs=_KINDS,
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 502 nginx
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN
""",
    also_fires=(
        # docker does not look at its ping's status, and is refused later for want of a token.
        """
client docker/20.10.24
GET /v2/                     -> 502 nginx
""",
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1 took=60s           -> 504 nginx
  < Docker-Distribution-Api-Version: registry/2.0
""",
        """
client containerd/1.7.2
HEAD manifest 1 [cfg L1]     -> 503
  < Server: envoy
  < -Docker-Distribution-Api-Version
  <<
GET manifest 1 [cfg L1]      -> 503
  < Server: envoy
  < -Docker-Distribution-Api-Version
  << no healthy upstream
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 5MB took=100s       -> 524
  < Server: cloudflare
  < -Docker-Distribution-Api-Version
  << <html><title>registry.example.com | 524: A timeout occurred</title><a href="/cdn-cgi/x"></html>
""",
    ),
    also_silent=(
        # Once, and then well.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 502 nginx
+5s POST uploads             -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
        # The registry itself is not well.
        """
client docker/20.10.24
GET /v2/                     -> 503 UNAVAILABLE "service unavailable"
""",
        # The storage is busy.
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 503 SlowDown
""",
    ),
)
def gateway_error_page(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.status in _STATUSES for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = ended_by(facts, _is_gateways)
    if not legs:
        return PASSES
    first = legs[0]
    evidence = [Evidence(first, "response.status", "not the registry's own answer")]
    if body_size(first):
        evidence.append(Evidence(first, "request.body.size", "bytes that were sent by then"))
    return Fails(
        legs=legs,
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "front": front(first),
            "status": plain(first.status),
            "server": host(first.url.authority),
            "seconds": plain(f"{seconds(first):.1f}"),
            "meaning": plain(_meaning(first, facts.told(first))),
        },
        count=len(legs),
        owner=front_owner(first),
    )


def _is_gateways(leg: Leg) -> bool:
    """502 and 504 are never a registry's own words for its state, unless in its own envelope; a
    503 may be."""
    if leg.kind not in _KINDS or leg.status not in _STATUSES or leg.error is None:
        return False
    bare = leg.error.dialect in {"empty", "unrecorded"}
    if leg.status == 503:
        return is_somebody_elses(leg) or (bare and not is_registrys_own(leg))
    return bare or leg.error.dialect in {"html", "text"}


#: What the proxy's own log says of its upstream.
_LOGGED = {
    Told.UPSTREAM_REFUSED: "nothing listens where it passes requests on to (so its own log)",
    Told.UPSTREAM_UNKNOWN: "it finds no server behind it (so its own log)",
    Told.UPSTREAM_TLS: "TLS to the server behind it failed (so its own log)",
    Told.UPSTREAM_LATE: "the server behind it did not answer in time (so its own log)",
    Told.UPSTREAM_BROKE: "the server behind it closed the connection (so its own log)",
}


def _meaning(leg: Leg, told: frozenset[Told]) -> str:
    logged = next((words for meaning, words in _LOGGED.items() if meaning in told), None)
    if logged is not None:
        return logged
    if leg.status in _LATE:
        return "the server behind it did not answer in time"
    if leg.status in _BROKEN:
        return "it could not reach the server behind it, or lost the connection to it"
    return "it has no server behind it that is ready"
