"""RT053: layers go to S3 in parts of a size that S3, or the line to it, does not take."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT053",
    slug="s3-chunk-size",
    title="storage.s3.chunksize is {chunksize}, {fault}",
    cause=(
        "A layer goes to S3 in parts of chunksize bytes. S3 takes parts from 5 MiB (5242880) to 5"
        " GiB, and the setting is a number of bytes without a unit; outside of that the registry does"
        " not start. Very large parts break off on slow lines, with unexpected EOF."
    ),
    fix=(
        (
            "Set storage.s3.chunksize to 26214400 or 52428800 (25 or 50 MiB), or remove it (10 MiB), and"
            " restart the registry."
        ),
    ),
    references=("https://distribution.github.io/distribution/storage-drivers/s3/",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("s3-chunk-unexpected-eof",),
    fires="""
==> config.yml <==
version: 0.1
storage: {s3: {region: eu-west-1, bucket: registry, chunksize: 1048576}}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {s3: {region: eu-west-1, bucket: registry, chunksize: 26214400}}
""",
    also_fires=(
        """
==> config.yml <==
version: 0.1
storage: {s3: {region: eu-west-1, bucket: registry, chunksize: 25M}}
""",
        """
==> config.yml <==
version: 0.1
storage: {s3: {region: eu-west-1, bucket: registry, chunksize: 1073741824}}
""",
    ),
)
def s3_chunk_size(setup: SetUp) -> Verdict:
    sizes = [
        each
        for side in setup.registries
        if side.driver == "s3" and (each := side.storage("chunksize"))
    ]
    found = []
    for each in sizes:
        fault = _fault(each.number)
        if fault:
            large = each.number is not None and _LARGE < each.number <= _MOST
            found.append(
                Wrong(
                    spots=(Spot(each, "bytes of one part"),),
                    fields={"chunksize": plain(each.text), "fault": plain(fault)},
                    confidence=Confidence.POSSIBLE if large else Confidence.CERTAIN,
                    severity=Severity.WARNING if large else None,
                )
            )
    return tuple(found) or (PASSES if sizes else DOES_NOT_APPLY)


#: Bytes: S3's bounds of a part, and what gives trouble.
_LEAST, _LARGE, _MOST = 5 * 2**20, 200 * 2**20, 5 * 2**30


def _fault(number: int | None) -> str | None:
    if number is None:
        return "which is no number of bytes"
    if number < _LEAST:
        return "less than S3 takes"
    if number > _MOST:
        return "more than S3 takes"
    return "more than many lines carry in one piece" if number > _LARGE else None
