"""RT307: one instance of the registry does not accept what another one signed."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.uploads import Doubt
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
from regtrace.wire.term import host
from regtrace.wire.testimony import Told


@rule(
    number="RT307",
    slug="upload-secret-mismatch",
    title="The instances of {registry} do not share one http.secret",
    cause=(
        "The client brought back the upload's _state exactly as {registry} had given it, and was"
        " refused: blob upload invalid. Several instances answer under this name, each signing"
        " uploads with a secret of its own, so a request that meets another instance than the one"
        " before fails. An instance without http.secret makes up a new one at each start. Now and"
        " then a push may pass."
    ),
    fix=(
        (
            "Set the same http.secret in config.yml (or REGISTRY_HTTP_SECRET in the environment) of"
            " every instance, and restart them all."
        ),
        (
            "Until then, run one instance, or send each client to the same one (Kubernetes:"
            " sessionAffinity: ClientIP in the Service)."
        ),
    ),
    check=(
        "kubectl get deploy -A -o yaml | grep -A2 REGISTRY_HTTP_SECRET",
        "docker logs REGISTRY 2>&1 | grep 'No HTTP secret provided'",
    ),
    references=(
        "https://distribution.github.io/distribution/about/deploying/#load-balancing-considerations",
        "https://distribution.github.io/distribution/about/configuration/#http",
        "https://github.com/distribution/distribution/issues/2519",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404 BLOB_UPLOAD_INVALID "blob upload invalid"
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404 BLOB_UPLOAD_UNKNOWN "blob upload unknown to registry"
""",
    also_fires=(
        # As distribution 2.x writes its "invalid secret".
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 404
  << {"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"blob upload invalid","detail":{}}]}
""",
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404
  << {"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"","detail":"invalid secret"}]}
""",
    ),
    also_silent=(
        # A retry met the right instance.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404 BLOB_UPLOAD_INVALID
+5s POST uploads             -> 202
PATCH u2 L1                  -> 202
PUT u2 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
        # No state of distribution: another registry, other reasons.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: /v2/team/app/blobs/uploads/u1
PATCH u1 L1                  -> 400 BLOB_UPLOAD_INVALID
""",
    ),
)
def upload_secret_mismatch(operation: Operation, facts: Facts) -> Verdict:
    if not any(step.keeps_state for step in facts.steps):
        return DOES_NOT_APPLY
    doubts = {Doubt.SECRET, Doubt.UNSAID}
    refused = [step for step in facts.steps if step.keeps_state and step.doubt in doubts]
    if not any(facts.is_fatal(step.end) for step in refused):
        return PASSES
    first = refused[0]
    assert first.after is not None
    # distribution 2.x says the same of a commit whose length is wrong.
    proven = first.doubt is Doubt.SECRET and first.end.kind is Kind.UPLOAD_CHUNK
    proven = proven or Told.OTHER_SECRET in facts.told(first.end)
    made_up = facts.told_generally(Told.SECRET_MADE_UP)
    return Fails(
        legs=tuple(step.end for step in refused),
        evidence=(
            Evidence(first.before, "response.header.Location", "the _state that was given"),
            Evidence(first.after.first, "request.url", "the same came back"),
            Evidence(first.end, "response.body", "and was not accepted"),
            *([Evidence(first.end, made_up.source, _MADE_UP, made_up)] if made_up else []),
        ),
        confidence=Confidence.CERTAIN if proven else Confidence.LIKELY,
        transfer=first.transfer,
        fields={"registry": host(first.before.url.authority)},
        count=len(refused),
    )


_MADE_UP = "the registry said so when it started: each of its instances has a secret of its own"
