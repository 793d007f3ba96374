"""RT613: the registry breaks off large layers on their way to S3 with "unexpected EOF"."""

from __future__ import annotations

from collections.abc import Set

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import said
from regtrace.diagnose.facts.fronts import ended_by, stores
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
from regtrace.wire.term import host
from regtrace.wire.testimony import Told

_CARRIES = frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT})
_S3 = frozenset({Vendor.S3, Vendor.CEPH, Vendor.MINIO, Vendor.R2, Vendor.CLOUDFRONT})


@rule(
    number="RT613",
    slug="s3-chunk-unexpected-eof",
    title="{registry} breaks off a large layer with unexpected EOF",
    cause=(
        "The registry answered 500 with the detail unexpected EOF while it passed the layer on to"
        " its S3 storage. It sends a layer there in parts; when a part is too large for the line or"
        " for the storage, the connection ends in the middle of it."
    ),
    fix=(
        (
            "Set storage.s3.chunksize to 26214400 or 52428800 (25 or 50 MB) in the registry's"
            " config.yml, and restart it."
        ),
        (
            "If that does not help, look at the way to the registry: a proxy that cuts the request's"
            " body makes it say the same (nginx: proxy_request_buffering off;)."
        ),
    ),
    check=("docker logs REGISTRY 2>&1 | grep -i 'unexpected EOF'",),
    references=(
        "https://distribution.github.io/distribution/storage-drivers/s3/",
        "https://docs.gitlab.com/administration/packages/container_registry_troubleshooting/",
        "https://github.com/distribution/distribution/issues/886",
    ),
    owner=Owner.REGISTRY,
    needs=_CARRIES,
    explains=frozenset({"storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L0                 -> 307 s3
HEAD s3 L0                   -> 200
POST uploads                 -> 202
PATCH u1 600MB               -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"unexpected EOF"}]}
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L0                 -> 307 gcs
HEAD gcs L0                  -> 200
POST uploads                 -> 202
PATCH u1 600MB               -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"unexpected EOF"}]}
""",
    also_fires=(
        # What the registry stores on is not known.
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 600MB               -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"s3aws: unexpected EOF"}]}
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 600MB               -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"unexpected EOF"}]}
+5s POST uploads             -> 202
PATCH u2 L1                  -> 202
PUT u2 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def s3_chunk_unexpected_eof(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _CARRIES for leg in facts.legs):
        return DOES_NOT_APPLY
    logged = {leg.id for leg in facts.legs if Told.UNEXPECTED_EOF in facts.told(leg)}
    legs = ended_by(facts, lambda leg: _is_broken_off(leg, logged))
    known = frozenset(stores(facts))
    if not legs or (known and not known & _S3):
        return PASSES
    first = legs[0]
    words = [said(first), *(line.said for line in facts.testimony(first))]
    on_s3 = bool(known) or any("s3aws" in text for text in words)
    return Fails(
        legs=legs,
        evidence=(
            Evidence(first, "response.body", "the registry's reason"),
            Evidence(first, "request.body.size", "bytes that were sent by then"),
        ),
        confidence=Confidence.LIKELY if on_s3 else Confidence.POSSIBLE,
        transfer=facts.transfer_of(first),
        fields={"registry": host(first.url.authority)},
        count=len(legs),
    )


def _is_broken_off(leg: Leg, logged: Set[str]) -> bool:
    by_registry = leg.error is not None and leg.error.dialect == "oci"
    failed = leg.kind in _CARRIES and leg.status == 500 and by_registry
    return failed and ("unexpected eof" in said(leg) or leg.id in logged)
