"""RT427: the storage wants all parts of an upload to be of one size."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.storage_errors import Reason, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind


@rule(
    number="RT427",
    slug="r2-multipart-part-size",
    title="The storage refuses the layer: its parts are of different sizes (InvalidPart)",
    cause=(
        "The registry writes a layer to its storage in parts. Cloudflare R2 wants all of them but"
        " the last to have the same length, and the registry's S3 driver made them of different"
        " ones, as it does when a layer arrives in several pieces."
    ),
    fix=(
        (
            "Raise storage.s3.chunksize in the registry's config.yml to 104857600 (100 MB), so that"
            " few layers need a second part, and restart the registry."
        ),
        "Update the registry: newer drivers cut parts of one size.",
        "If larger layers still fail, use another storage: R2 copies no object above 5 GiB.",
    ),
    references=(
        "https://developers.cloudflare.com/r2/objects/multipart-objects/",
        "https://github.com/goharbor/harbor/issues/22063",
        "https://distribution.github.io/distribution/storage-drivers/s3/",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    explains=frozenset({"storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"s3aws: InvalidPart: All non-trailing parts must have the same length."}]}
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 500
""",
)
def r2_multipart_part_size(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    uneven = [each for each in facts.storage_refusals if each.reason is Reason.UNEVEN_PARTS]
    if not uneven:
        return PASSES
    return fails_by(uneven, "the storage's own words", {})
