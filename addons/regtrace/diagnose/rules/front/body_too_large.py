"""RT601: something in front of the registry limits the size of a request body."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import where_it_names_itself
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
from regtrace.follow.life import Fate
from regtrace.follow.story import Operation
from regtrace.wire.leg import UPLOAD_KINDS, Kind, Leg
from regtrace.wire.term import host, plain

_CARRY_BODIES = UPLOAD_KINDS | {Kind.MANIFEST_PUT}


@rule(
    number="RT601",
    slug="body-too-large",
    title="{front} refuses uploads of this size (413)",
    cause=(
        "{front} stands before the registry {registry} and has a limit for the size of one request."
        " An image layer goes in one request, so every layer above the limit is refused, however"
        " often it is tried. The registry never saw the layer."
    ),
    fix=(
        (
            "nginx: set client_max_body_size 0; in the server or location of the registry, in every"
            " nginx on the way, and reload it."
        ),
        (
            "Kubernetes ingress-nginx: set the annotation"
            ' nginx.ingress.kubernetes.io/proxy-body-size: "0". Traefik: raise'
            " maxRequestBodyBytes of the buffering middleware, or remove it."
        ),
        (
            "Cloudflare: bodies over the plan's limit (100 MB on the small plans) are refused; take"
            " the registry's DNS record out of the proxy (grey cloud)."
        ),
    ),
    check=("nginx -T | grep client_max_body_size",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size",
        "https://distribution.github.io/distribution/recipes/nginx/",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({*UPLOAD_KINDS, Kind.MANIFEST_PUT}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 413 nginx
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
PUT manifest 1 [cfg L1]      -> 413 MANIFEST_INVALID    # the registry's own limit
""",
)
def body_too_large(operation: Operation, facts: Facts) -> Verdict:
    carriers = [(t, c) for t, c in facts.chains if c.first.kind in _CARRY_BODIES]
    if not carriers:
        return DOES_NOT_APPLY
    refused = [
        (t, c.last) for t, c in carriers if c.last.status == 413 and not _registry_says(c.last)
    ]
    refused = [(t, leg) for t, leg in refused if t is None or t.fate is Fate.FAILED]
    if not refused:
        return PASSES
    transfer, first = refused[0]
    answerer = first.answerer.product if first.answerer else None
    evidence = [Evidence(first, "response.status", "refused for the size of its body")]
    if answerer:
        evidence.append(Evidence(first, where_it_names_itself(first), "who refused it"))
    evidence.append(Evidence(first, "request.body.size", "bytes that the client had sent by then"))
    return Fails(
        legs=tuple(leg for _, leg in refused),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN,
        transfer=transfer,
        fields={
            "front": plain(answerer or "A proxy in front of the registry"),
            "registry": host(first.url.authority),
        },
        count=len(refused),
        owner=Owner.INTERCEPTION if answerer == "mitmproxy" else None,
    )


def _registry_says(leg: Leg) -> bool:
    """The registry's own limit, on a manifest's size, comes with a code of the specification."""
    return leg.error is not None and leg.error.dialect == "oci"
