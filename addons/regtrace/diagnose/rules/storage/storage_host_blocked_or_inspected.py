"""RT426: something on the client's way out does not let it go on to the storage."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.fronts import front_owner
from regtrace.diagnose.facts.hops import sent_to
from regtrace.diagnose.facts.storage_errors import is_anothers_page
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
from regtrace.wire.storage import Vendor
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.transport import Failure


@rule(
    number="RT426",
    slug="storage-host-blocked-or-inspected",
    title="The way to the storage {storage} is blocked by {who}",
    cause=(
        "The registry {registry} is reachable, but it sends the client on to {storage} for the"
        " bytes, and there {who} answers in the storage's place: {what}. Filters often allow the"
        " registry's name and forget the host of its storage."
    ),
    fix=(
        (
            "Ask who runs the proxy or filter to allow {storage}, without inspection: the storage's"
            " host belongs to the registry like its own."
        ),
        (
            "If it must be inspected, trust the inspecting authority where dockerd runs:"
            " /usr/local/share/ca-certificates, update-ca-certificates, restart dockerd."
        ),
        (
            "If it stands before a storage of your own, look into its log: it refuses, or can't"
            " reach the storage behind it."
        ),
    ),
    check=("curl -v {origin}",),
    references=(
        "https://docs.docker.com/engine/daemon/proxy/",
        "https://github.com/moby/moby/issues/36820",
        "https://github.com/docker/for-linux/issues/376",
    ),
    owner=Owner.NETWORK,
    needs=frozenset({Kind.STORAGE, Kind.CONNECT}),
    explains=frozenset({"blob-digest-mismatch", "gateway-error-page", "proxy-refuses-connect"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403 nginx
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403
""",
    also_fires=(
        # A filter's page in the blob's place.
        """
client podman/4.9
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1 body=L9            -> 200
  < -Server
  < -x-amz-request-id
  < Content-Type: text/html
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
CONNECT registry-bucket.s3.eu-central-1.amazonaws.com:443 -> ! Upstream proxy p:8080 refused HTTP CONNECT request: 403 Forbidden
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio
GET minio L1                 -> 502 nginx
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 cloudfront
GET cloudfront L1            -> 403
  < Content-Type: text/html
  < -X-Amz-Cf-Id
  < -Via
  << <html><title>Access blocked</title><h1>This category is not allowed</h1></html>
""",
    ),
)
def storage_host_blocked_or_inspected(operation: Operation, facts: Facts) -> Verdict:
    redirects = sent_to(facts.legs)
    if not redirects:
        return DOES_NOT_APPLY
    blocked = [
        leg
        for leg in facts.legs
        if leg.url.authority in redirects
        and (_is_page(leg) or _is_refused_tunnel(leg))
        and facts.is_fatal(leg)
    ]
    if not blocked:
        return PASSES
    first = blocked[0]
    redirect = redirects[first.url.authority]
    product = first.answerer.product if first.answerer else None
    who = product or ("the proxy on the way out" if first.broken else "a filter on the way")
    what = "it refuses the tunnel" if first.broken else f"a web page, with status {first.status}"
    where = "error" if first.broken else "response.header.Content-Type"
    return Fails(
        legs=tuple(blocked),
        evidence=(
            Evidence(redirect, "response.header.Location", "the registry sent the client here"),
            Evidence(first, where, "no storage answers like this"),
        ),
        confidence=Confidence.LIKELY,
        transfer=facts.transfer_of(redirect),
        fields={
            "who": plain(who),
            "what": plain(what),
            "registry": host(redirect.url.authority),
            "storage": host(first.url.authority),
            "origin": Term(TermKind.URL, first.url.origin),
        },
        count=len(blocked),
        owner=front_owner(first) if product else None,
    )


def _is_page(leg: Leg) -> bool:
    """A page where a storage answers in XML, or with the blob; the edges of these CDNs have pages of
    their own."""
    edge = leg.vendor in {Vendor.CLOUDFLARE, Vendor.AKAMAI, Vendor.FASTLY}
    instead = (leg.status or 0) >= 400 or leg.intact is False
    return leg.kind is Kind.STORAGE and instead and is_anothers_page(leg) and not edge


def _is_refused_tunnel(leg: Leg) -> bool:
    refused = leg.failure is Failure.UPSTREAM_PROXY and not leg.failed_at_proxy
    return leg.kind in {Kind.CONNECT, Kind.STORAGE} and refused
