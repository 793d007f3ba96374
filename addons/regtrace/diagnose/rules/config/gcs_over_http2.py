"""RT058: GitLab's registry may lose large uploads to Google's storage over HTTP/2."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT058",
    slug="gcs-over-http2",
    title="Large uploads to Google Cloud Storage may break off over HTTP/2",
    cause=(
        "The registry speaks HTTP/2 to Google Cloud Storage. With some versions of its driver large"
        " layers break off there, and clients see 502 or 503."
    ),
    fix=(
        (
            "If large pushes fail with 502: set the variable GODEBUG=http2client=0 for the registry"
            " (gitlab.rb: registry['env'] = { 'GODEBUG' => 'http2client=0' }), and restart it."
        ),
    ),
    references=(
        "https://docs.gitlab.com/administration/packages/container_registry_troubleshooting/",
        "https://github.com/distribution/distribution/issues/2570",
    ),
    owner=Owner.REGISTRY,
    severity=Severity.NOTE,
    leads_to=("gcs-backend-http2-502",),
    fires="""
==> gitlab.rb <==
registry_external_url 'https://registry.example.com'
registry['storage'] = { 'gcs' => { 'bucket' => 'registry' } }
""",
    silent="""
==> gitlab.rb <==
registry_external_url 'https://registry.example.com'
registry['storage'] = { 'gcs' => { 'bucket' => 'registry' } }
registry['env'] = { 'GODEBUG' => 'http2client=0' }
""",
)
def gcs_over_http2(setup: SetUp) -> Verdict:
    # GitLab documents it of its registry; distribution 3 has another driver.
    on_gcs = [s for s in setup.registries if s.driver == "gcs" and s.product == "gitlab"]
    found = []
    for side in on_gcs:
        debug = side.settings.said.get("env.GODEBUG")
        bucket = side.storage("bucket")
        if bucket and (debug is None or not (debug.computed or "http2client=0" in debug.text)):
            spots = (Spot(bucket, "stored at Google"),)
            found.append(Wrong(spots=spots, confidence=Confidence.POSSIBLE))
    return tuple(found) or (PASSES if on_gcs else DOES_NOT_APPLY)
