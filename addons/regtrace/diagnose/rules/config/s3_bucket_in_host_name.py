"""RT055: the bucket's name is put before a host or an address that has no names below it."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import at, host_and_port, is_clusters_own
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.hosts import is_address
from regtrace.wire.settings import SetUp
from regtrace.wire.term import host


@check(
    number="RT055",
    slug="s3-bucket-in-host-name",
    title="The registry looks for the bucket at BUCKET.{endpoint}",
    cause=(
        "Without path style the bucket's name stands before the endpoint's, as in BUCKET.{endpoint}."
        " Nobody resolves that. distribution 2 uses path style for every regionendpoint,"
        " distribution 3 and GitLab's registry only when told to."
    ),
    fix=(
        (
            "Set storage.s3.forcepathstyle: true (GitLab's registry: pathstyle: true), and restart the"
            " registry."
        ),
    ),
    references=("https://distribution.github.io/distribution/storage-drivers/s3/",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("storage-no-such-bucket", "storage-endpoint-unreachable", "dns-failure"),
    fires="""
==> config.yml <==
version: 0.1
storage:
  s3: {region: us-east-1, regionendpoint: "http://10.1.2.3:9000", forcepathstyle: false, bucket: registry}
""",
    silent="""
==> config.yml <==
version: 0.1
storage:
  s3: {region: us-east-1, regionendpoint: "http://10.1.2.3:9000", forcepathstyle: true, bucket: registry}
""",
)
def s3_bucket_in_host_name(setup: SetUp) -> Verdict:
    ends = [
        (side, each)
        for side in setup.registries
        if side.driver == "s3" and (each := side.storage("regionendpoint"))
    ]
    found = []
    for side, endpoint in ends:
        name = endpoint.url.host if endpoint.url else host_and_port(endpoint.text)[0]
        said = side.storage("forcepathstyle") or side.storage("pathstyle")
        nameless = is_address(name) or is_clusters_own(name)
        if nameless and (said is None or said.flag is False):
            found.append(
                Wrong(
                    spots=(Spot(endpoint, "no names below it"), *at(said, "no path style")),
                    fields={"endpoint": host(endpoint.url.authority if endpoint.url else name)},
                    confidence=Confidence.LIKELY if said else Confidence.POSSIBLE,
                    severity=None if said else Severity.NOTE,
                )
            )
    return tuple(found) or (PASSES if ends else DOES_NOT_APPLY)
