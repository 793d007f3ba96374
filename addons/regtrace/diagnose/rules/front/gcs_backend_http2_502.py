"""RT610: large uploads to a registry on Google Cloud Storage end in 502."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_registrys_own
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
from regtrace.wire.registry import Registry
from regtrace.wire.storage import Vendor
from regtrace.wire.term import host

#: Bytes that distribution's gcs driver sends to the storage at once (chunksize); what is smaller
#: goes there when the upload is committed.
_CHUNK = 5 * 1024 * 1024
#: Google's own registries store there too, and have nothing to configure.
_HOSTED = frozenset({Registry.GCR, Registry.GAR})


@rule(
    number="RT610",
    slug="gcs-backend-http2-502",
    title="Large uploads to {registry}, which stores on Google Cloud Storage, end in 502",
    cause=(
        "The registry writes to Google Cloud Storage, small requests pass, and a large upload ends"
        " in 502. That is how it looks when the HTTP/2 connections of the registry to the storage"
        " break off under load; the proxy before the registry then has no answer to pass on."
    ),
    fix=(
        (
            "Start the registry with GODEBUG=http2client=0 in its environment (GitLab: registry['env']"
            " in gitlab.rb), so that it speaks HTTP/1.1 to the storage."
        ),
        "Look in the registry's log at this moment for storage.googleapis.com and http2.",
        "If it says nothing of them, follow what is said of the 502 itself.",
    ),
    references=(
        "https://gitlab.com/gitlab-org/container-registry/-/issues/1425",
        "https://docs.gitlab.com/administration/packages/container_registry_troubleshooting/",
        "https://github.com/distribution/distribution/issues/2570",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT}),
    explains=frozenset({"gateway-error-page"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L0                 -> 307 gcs
HEAD gcs L0                  -> 200
POST uploads                 -> 202
PATCH u1 80MB took=9s        -> 502 nginx
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L0                 -> 307 s3
HEAD s3 L0                   -> 200
POST uploads                 -> 202
PATCH u1 80MB took=9s        -> 502 nginx
""",
    also_fires=(
        """
client skopeo/1.14
blob L1 80MB
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L0                 -> 307 gcs
HEAD gcs L0                  -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 502 nginx
""",
    ),
    also_silent=(
        # Too small to be on its way to the storage.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L0                 -> 307 gcs
HEAD gcs L0                  -> 200
POST uploads                 -> 202
PATCH u1 80kB                -> 502 nginx
""",
    ),
)
def gcs_backend_http2_502(operation: Operation, facts: Facts) -> Verdict:
    hosted = any(leg.product and leg.product.registry in _HOSTED for leg in facts.legs)
    storage = stores(facts).get(Vendor.GCS)
    if storage is None or hosted:
        return DOES_NOT_APPLY
    legs = ended_by(facts, lambda leg: _is_broken(leg) and _is_large(leg, facts))
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=legs,
        evidence=(
            Evidence(first, "response.status", "the upload ended without the registry's answer"),
            Evidence(storage, "response.header.Location", "the registry stores on Google's"),
        ),
        confidence=Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={"registry": host(first.url.authority)},
        count=len(legs),
    )


def _is_broken(leg: Leg) -> bool:
    carries = leg.kind in {Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT}
    return carries and leg.status == 502 and not is_registrys_own(leg)


def _is_large(leg: Leg, facts: Facts) -> bool:
    """With what this transfer had sent before."""
    transfer = facts.transfer_of(leg)
    return transfer is not None and transfer.bytes_sent >= _CHUNK
