"""RT059: several registries each store on a disk, or in memory, of their own."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import at
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT059",
    slug="storage-not-shared",
    title="{count} registries store {where}, which they must share",
    cause=(
        "The parts of one upload may reach different registries. They store {where}; unless that is"
        " one and the same place for all, a registry does not find what another one took, and layers"
        " are unknown."
    ),
    fix=(
        (
            "Store in S3, GCS, Azure or the like, or on one network file system that all of them mount"
            " (a volume with access mode ReadWriteMany), or run one registry only."
        ),
    ),
    references=("https://distribution.github.io/distribution/about/deploying/",),
    owner=Owner.REGISTRY,
    severity=Severity.WARNING,
    leads_to=("upload-session-unknown", "blob-unknown-on-pull", "upload-state-lost"),
    fires="""
==> values.yaml <==
replicaCount: 2
image: {repository: registry}
storage: filesystem
configData: {version: 0.1}
""",
    silent="""
==> values.yaml <==
replicaCount: 1
image: {repository: registry}
storage: filesystem
configData: {version: 0.1}
""",
)
def storage_not_shared(setup: SetUp) -> Verdict:
    several = [each for each in setup.registries if each.count > 1]
    found = []
    for side in several:
        where = _PLACES.get(side.driver or "")
        if where and side.replicas:
            storage = side.settings.there("storage")
            found.append(
                Wrong(
                    spots=(Spot(side.replicas, "how many"), *at(storage, "where they store")),
                    fields={"count": plain(side.count), "where": plain(where)},
                    confidence=Confidence.LIKELY,
                )
            )
    return tuple(found) or (PASSES if several else DOES_NOT_APPLY)


_PLACES = {"filesystem": "on a file system", "inmemory": "in memory"}
