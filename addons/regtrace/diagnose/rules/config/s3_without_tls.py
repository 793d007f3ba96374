"""RT044: the registry speaks plain http to Amazon's S3, and sends clients there over http."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT044",
    slug="s3-without-tls",
    title="The registry speaks plain http to Amazon's S3",
    cause=(
        "storage.s3.secure is false. Layers go to Amazon in the clear, and the URLs that clients are"
        " redirected to begin with http://. podman and others go past a proxy that is set for https"
        " only, and policies of buckets that ask for TLS (aws:SecureTransport) refuse them."
    ),
    fix=("Remove storage.s3.secure, or set it to true, and restart the registry.",),
    references=("https://distribution.github.io/distribution/storage-drivers/s3/",),
    owner=Owner.REGISTRY,
    severity=Severity.WARNING,
    leads_to=("s3-access-denied", "storage-endpoint-unreachable"),
    fires="""
==> config.yml <==
version: 0.1
storage: {s3: {region: eu-west-1, bucket: registry, secure: false}}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {s3: {region: eu-west-1, bucket: registry, secure: true}}
""",
    also_silent=(
        # A store of one's own may well be without TLS.
        """
==> config.yml <==
version: 0.1
storage: {s3: {region: a, bucket: b, regionendpoint: "http://s3.example.com", secure: false}}
""",
    ),
)
def s3_without_tls(setup: SetUp) -> Verdict:
    on_s3 = [each for each in setup.registries if each.driver == "s3"]
    found = []
    for side in on_s3:
        said, endpoint = side.storage("secure"), side.storage("regionendpoint")
        amazon = endpoint is None or "amazonaws.com" in endpoint.text
        if said and said.flag is False and amazon:
            found.append(Wrong(spots=(Spot(said, "no TLS to the storage"),)))
    return tuple(found) or (PASSES if on_s3 else DOES_NOT_APPLY)
