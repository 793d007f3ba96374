"""RT032: the reverse proxy limits how large a layer may be."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import size, wrongs
from regtrace.diagnose.config.traffic import Ruling, Traffic, refuted
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import Front, Setting, SetUp
from regtrace.wire.term import plain


def _against(wrong: Wrong, traffic: Traffic) -> Ruling | None:
    said = wrong.spots[0].setting
    limit = size(said) if said.name.startswith(("client_max", "nginx.ingress")) else 2**20
    for leg in traffic.to_registry():
        sent = leg.exchange.request.body.size
        if limit and sent and sent > limit and leg.succeeded:
            return refuted("a larger body went through in this capture", leg)
    return None


@check(
    number="RT032",
    slug="front-body-limit",
    title="The reverse proxy refuses layers larger than {limit}",
    cause=(
        "client_max_body_size is {limit} {where}. An image layer goes in one request; every larger"
        " layer is answered with 413 before the registry sees it."
    ),
    fix=(
        (
            "nginx: set client_max_body_size 0; in the registry's server, and reload it. ingress-nginx:"
            ' set the annotation nginx.ingress.kubernetes.io/proxy-body-size: "0".'
        ),
    ),
    check=("nginx -T | grep client_max_body_size",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size",
        "https://distribution.github.io/distribution/recipes/nginx/",
    ),
    owner=Owner.FRONT_PROXY,
    severity=Severity.ERROR,
    leads_to=("body-too-large",),
    fires="""
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    silent="""
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    also_fires=(
        """
==> values.yaml <==
replicaCount: 1
image: {repository: registry}
configData: {version: 0.1}
ingress: {enabled: true, className: nginx, hosts: [registry.example.com]}
""",
    ),
    also_silent=(
        # Large enough for what one pushes.
        """
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 20g;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    ),
    against=_against,
)
def front_body_limit(setup: SetUp) -> Verdict:
    if not setup.fronts:
        return DOES_NOT_APPLY
    found = []
    for front in setup.fronts:
        said = front.settings.get("client_max_body_size")
        where = said or front.passes_to or (front.location if front.kind == "ingress" else None)
        limit = size(said) if said else _DEFAULT
        if where is None or limit is None or limit == 0 or limit >= _AMPLE:
            continue
        found.append(
            Wrong(
                spots=(Spot(where, "nginx lets no larger body through"),),
                fields={
                    "limit": plain(said.text if said else "1m"),
                    "where": plain("here" if said else "where nothing else is said"),
                },
                confidence=_sure(front, said),
                severity=None if limit < _SMALL else Severity.WARNING,
            )
        )
    return wrongs(found) or PASSES


def _sure(front: Front, said: Setting | None) -> Confidence:
    """An ingress, and what stands around a server, may have another default."""
    seen = said is not None or (front.whole and front.kind != "ingress")
    return Confidence.CERTAIN if seen else Confidence.LIKELY


#: Bytes: nginx's own default, what many layers exceed, what hardly any does.
_DEFAULT, _SMALL, _AMPLE = 2**20, 500 * 2**20, 5 * 2**30
