"""RT601: something in front of the registry limits the size of a request body."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import where_it_names_itself
from regtrace.diagnose.facts.fronts import ended_by, front, front_owner
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
from regtrace.wire.leg import UPLOAD_KINDS, Kind, Leg
from regtrace.wire.term import host

_CARRY_BODIES = UPLOAD_KINDS | {Kind.MANIFEST_PUT}


@rule(
    number="RT601",
    slug="body-too-large",
    title="{front} refuses uploads of this size (413)",
    cause=(
        "{front} has a limit for the size of one request to {registry}. An image layer goes in one"
        " request, so every layer above the limit is refused, however often it is tried. The"
        " registry never saw the layer."
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
    needs=_CARRY_BODIES,
    explains=frozenset({"upload-reset-midway"}),
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
    also_fires=(
        # nginx with the header that distribution's recipe lets it add to every answer.
        """
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1            -> 413 nginx sent=200kB
  < Docker-Distribution-Api-Version: registry/2.0
""",
        # A load balancer that says nothing.
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 413
  < -Docker-Distribution-Api-Version
  <<
""",
    ),
    also_silent=(
        # The limit was raised meanwhile.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 413 nginx
+5s POST uploads             -> 202
PATCH u2 L1                  -> 202
PUT u2 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def body_too_large(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _CARRY_BODIES for leg in facts.legs):
        return DOES_NOT_APPLY
    refused = ended_by(facts, _is_refused)
    if not refused:
        return PASSES
    first = refused[0]
    evidence = [Evidence(first, "response.status", "refused for the size of its body")]
    if first.answerer:
        evidence.append(Evidence(first, where_it_names_itself(first), "who refused it"))
    evidence.append(Evidence(first, "request.body.size", "bytes that the client had sent by then"))
    return Fails(
        legs=refused,
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"front": front(first), "registry": host(first.url.authority)},
        count=len(refused),
        owner=front_owner(first),
    )


def _is_refused(leg: Leg) -> bool:
    """The registry's own limits come in JSON: that on a manifest's size with a code of the
    specification, others with a code of the product."""
    dialect = leg.error.dialect if leg.error else None
    by_registry = dialect == "oci" or (dialect == "json" and leg.answerer is None)
    return leg.kind in _CARRY_BODIES and leg.status == 413 and not by_registry
