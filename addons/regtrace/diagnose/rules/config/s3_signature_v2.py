"""RT054: the registry signs with the old signature, which Amazon no longer takes."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT054",
    slug="s3-signature-v2",
    title="The registry is told to sign with S3's old signature (v4auth: false)",
    cause=("{effect} Only some old stores of other makes still need version 2."),
    fix=("Remove storage.s3.v4auth, or set it to true, and restart the registry.",),
    references=(
        "https://distribution.github.io/distribution/storage-drivers/s3/",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html",
    ),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("s3-sigv2-rejected",),
    fires="""
==> config.yml <==
version: 0.1
storage: {s3: {region: eu-west-1, bucket: registry, v4auth: false}}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {s3: {region: eu-west-1, bucket: registry, v4auth: true}}
""",
)
def s3_signature_v2(setup: SetUp) -> Verdict:
    on_s3 = [each for each in setup.registries if each.driver == "s3"]
    found = []
    for side in on_s3:
        said, endpoint = side.storage("v4auth"), side.storage("regionendpoint")
        if said is None or said.flag is not False:
            continue
        amazon = endpoint is None or "amazonaws.com" in endpoint.text
        effect = (
            "Amazon's S3 refuses version 2, and the registry does not start with it."
            if amazon
            else "Most stores refuse version 2 with 400 InvalidRequest or 403."
        )
        found.append(
            Wrong(
                spots=(Spot(said, "signature version 2"),),
                fields={"effect": plain(effect)},
                confidence=Confidence.CERTAIN if amazon else Confidence.POSSIBLE,
                severity=None if amazon else Severity.WARNING,
            )
        )
    return tuple(found) or (PASSES if on_s3 else DOES_NOT_APPLY)
