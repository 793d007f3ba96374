"""RT041: several registries behind one address do not share http.secret."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import at, lacks_registry
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import Setting, SetUp
from regtrace.wire.term import plain


@check(
    number="RT041",
    slug="http-secret-not-shared",
    title="{count} registries share the uploads, but not http.secret",
    cause=(
        "The state of an upload goes to the client and comes back signed with http.secret. Where it"
        " is not set, each registry makes one of its own at its start; a part of a layer that reaches"
        " another registry than the one that began the upload is refused."
    ),
    fix=(
        (
            "Set http.secret to the same long random text in every registry (variable"
            " REGISTRY_HTTP_SECRET; chart docker-registry: secrets.haSharedSecret), and restart them."
        ),
    ),
    references=("https://distribution.github.io/distribution/about/configuration/#http",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("upload-secret-mismatch",),
    fires="""
==> compose.yaml <==
services:
  registry:
    image: registry:2
    environment: {REGISTRY_STORAGE: s3, REGISTRY_STORAGE_S3_REGION: eu-west-1}
    deploy: {replicas: 3}
""",
    silent="""
==> compose.yaml <==
services:
  registry:
    image: registry:2
    environment:
      REGISTRY_STORAGE: s3
      REGISTRY_STORAGE_S3_REGION: eu-west-1
      REGISTRY_HTTP_SECRET: made-up-secret-of-an-example
    deploy: {replicas: 3}
""",
    also_fires=(
        """
==> config.yml <==
version: 0.1
storage: {s3: {region: eu-west-1, bucket: registry}}
==> nginx.conf <==
upstream registries { server 10.0.0.1:5000; server 10.0.0.2:5000; }
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://registries;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    ),
)
def http_secret_not_shared(setup: SetUp) -> Verdict:
    servers = max((len(front.upstreams) for front in setup.fronts), default=0)
    shared = [each for each in setup.registries if not each.generated_secret]
    if servers > 1 and not setup.registries:
        return lacks_registry("whether the registries behind the reverse proxy share one")
    found = []
    for each in shared:
        count = max(each.count, servers)
        if count > 1 and not each.settings.there("http.secret"):
            spot = each.replicas or _balanced(setup)
            spots = at(spot, "more than one registry, and no http.secret")
            sure = Confidence.LIKELY if each.partial else Confidence.CERTAIN
            fields = {"count": plain(count)}
            found.append(Wrong(spots=spots, fields=fields, confidence=sure))
    secrets = [secret for each in shared if (secret := each.settings.get("http.secret"))]
    if servers > 1 and len({secret.text for secret in secrets}) > 1:
        spots = tuple(Spot(secret, "another secret than the others'") for secret in secrets)
        found.append(Wrong(spots=spots, fields={"count": plain(len(secrets))}))
    return tuple(found) or (PASSES if shared else DOES_NOT_APPLY)


def _balanced(setup: SetUp) -> Setting | None:
    fronts = [front for front in setup.fronts if len(front.upstreams) > 1]
    return fronts[0].upstreams[1] if fronts else None
