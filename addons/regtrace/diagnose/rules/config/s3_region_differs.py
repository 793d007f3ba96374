"""RT051: the region of the bucket is missing, or another than that of the endpoint."""

from __future__ import annotations

import re

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import host_and_port
from regtrace.diagnose.config.traffic import Ruling, Traffic, refuted
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import Setting, SetUp
from regtrace.wire.term import host, plain


def _against(wrong: Wrong, traffic: Traffic) -> Ruling | None:
    region = wrong.spots[0].setting
    for leg in traffic.to_storage():
        signed = leg.presigned.region if leg.presigned else None
        if signed is None or not region.name.endswith("region"):
            continue
        if signed != region.text:
            return refuted(
                "URLs are signed for another region: it does not run with this file", leg
            )
        if leg.succeeded:
            return refuted("the storage accepts URLs that are signed for this region", leg)
    return None


@check(
    number="RT051",
    slug="s3-region-differs",
    title="The S3 region {region} and the endpoint {endpoint} do not fit",
    cause=(
        "The registry signs its requests and the URLs that it gives to clients for the region {region}."
        " {endpoint} is not in it, or no region is named at all, so S3 refuses them with 400 or 301,"
        " or the registry does not start."
    ),
    fix=(
        (
            "Set storage.s3.region to the region of the bucket, and take regionendpoint away for Amazon's"
            " own S3, or let it name the same region; restart the registry."
        ),
    ),
    check=("aws s3api get-bucket-location --bucket BUCKET",),
    references=("https://distribution.github.io/distribution/storage-drivers/s3/",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("s3-wrong-region", "s3-permanent-redirect", "s3-signature-mismatch"),
    fires="""
==> config.yml <==
version: 0.1
storage:
  s3:
    region: us-east-1
    regionendpoint: https://s3.eu-west-1.amazonaws.com
    bucket: registry
""",
    silent="""
==> config.yml <==
version: 0.1
storage:
  s3:
    region: eu-west-1
    regionendpoint: https://s3.eu-west-1.amazonaws.com
    bucket: registry
""",
    also_fires=(
        """
==> config.yml <==
version: 0.1
storage: {s3: {bucket: registry}}
""",
    ),
    also_silent=(
        # A store of another make takes any region.
        """
==> config.yml <==
version: 0.1
storage:
  s3:
    region: us-east-1
    regionendpoint: https://minio.example.com
    bucket: registry
""",
    ),
    against=_against,
)
def s3_region_differs(setup: SetUp) -> Verdict:
    found = []
    on_s3 = [each for each in setup.registries if each.driver == "s3"]
    for side in on_s3:
        region, endpoint = side.storage("region"), side.storage("regionendpoint")
        bucket = side.storage("bucket")
        if region is None and endpoint is None and bucket and not side.settings.unreadable(_REGION):
            found.append(
                Wrong(
                    spots=(Spot(bucket, "the bucket, and no region beside it"),),
                    fields={"region": plain("(none)"), "endpoint": plain("Amazon's S3")},
                    confidence=Confidence.LIKELY,
                )
            )
        own = _region_of(endpoint)
        if region and endpoint and own and own != region.text:
            found.append(
                Wrong(
                    spots=(Spot(region, "what is signed for"), Spot(endpoint, f"is in {own}")),
                    fields={
                        "region": plain(region.text),
                        "endpoint": host(_host(endpoint)),
                    },
                )
            )
    return tuple(found) or (PASSES if on_s3 else DOES_NOT_APPLY)


_REGION = "storage.s3.region"
_AMAZON = re.compile(
    r"(?:[a-z0-9.-]+\.)?s3(?:\.dualstack)?[.-]((?:[a-z]{2}-)+[a-z]+-[0-9])\.amazonaws\.com(?:\.cn)?"
)


def _host(endpoint: Setting) -> str:
    return endpoint.url.host if endpoint.url else host_and_port(endpoint.text)[0]


def _region_of(endpoint: Setting | None) -> str | None:
    """The region in the name of an endpoint of Amazon's."""
    match = _AMAZON.fullmatch(_host(endpoint)) if endpoint else None
    return match[1] if match else None
