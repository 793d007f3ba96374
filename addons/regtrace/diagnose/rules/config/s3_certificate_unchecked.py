"""RT056: the registry does not check the certificate of its storage."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT056",
    slug="s3-certificate-unchecked",
    title="The registry does not check its storage's certificate",
    cause=(
        "storage.s3.skipverify is true, so anybody on the way can pose as the storage. Clients that"
        " are redirected there check it all the same, and fail if it is of an unknown authority."
    ),
    fix=(
        (
            "Install the storage's authority where the registry runs (/etc/ssl/certs, or the variable"
            " SSL_CERT_FILE), remove skipverify, and restart the registry."
        ),
    ),
    references=("https://distribution.github.io/distribution/storage-drivers/s3/",),
    owner=Owner.REGISTRY,
    severity=Severity.WARNING,
    leads_to=("storage-host-blocked-or-inspected", "upstream-certificate-rejected-by-mitm"),
    fires="""
==> config.yml <==
version: 0.1
storage:
  s3: {region: us-east-1, regionendpoint: "https://s3.example.com", skipverify: true, bucket: registry}
""",
    silent="""
==> config.yml <==
version: 0.1
storage:
  s3: {region: us-east-1, regionendpoint: "https://s3.example.com", skipverify: false, bucket: registry}
""",
)
def s3_certificate_unchecked(setup: SetUp) -> Verdict:
    on_s3 = [each for each in setup.registries if each.driver == "s3"]
    found = []
    for side in on_s3:
        said, endpoint = side.storage("skipverify"), side.storage("regionendpoint")
        in_clear = endpoint is not None and endpoint.text.startswith("http://")
        if said and said.flag and not in_clear:
            found.append(Wrong(spots=(Spot(said, "any certificate will do"),)))
    return tuple(found) or (PASSES if on_s3 else DOES_NOT_APPLY)
