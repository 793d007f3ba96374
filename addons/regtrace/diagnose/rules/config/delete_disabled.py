"""RT048: garbage is collected, but nobody may delete anything."""

from __future__ import annotations

from regtrace.diagnose.config.check import Verdict, Wrong, check
from regtrace.diagnose.config.lookups import at
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT048",
    slug="delete-disabled",
    title="The registry refuses deletions, so cleaning up frees nothing",
    cause=(
        "storage.delete.enabled is {said}, and {cleaner}. A request to delete a tag or a manifest is"
        " answered with 405 UNSUPPORTED, and what nobody deleted is no garbage."
    ),
    fix=(
        (
            "Set storage.delete.enabled to true (gitlab.rb: registry['storage_delete_enabled'];"
            " chart docker-registry: persistence.deleteEnabled), and restart the registry."
        ),
    ),
    references=("https://distribution.github.io/distribution/about/garbage-collection/",),
    owner=Owner.REGISTRY,
    severity=Severity.WARNING,
    fires="""
==> values.yaml <==
replicaCount: 1
image: {repository: registry}
configData: {version: 0.1}
garbageCollect: {enabled: true, deleteUntagged: false}
""",
    silent="""
==> values.yaml <==
replicaCount: 1
image: {repository: registry}
configData: {version: 0.1}
persistence: {deleteEnabled: true}
garbageCollect: {enabled: true, deleteUntagged: false}
""",
    also_fires=(
        """
==> gitlab.rb <==
registry_external_url 'https://registry.example.com'
registry['storage_delete_enabled'] = false
""",
    ),
)
def delete_disabled(setup: SetUp) -> Verdict:
    if not setup.registries:
        return DOES_NOT_APPLY
    found = []
    for side in setup.registries:
        said = side.settings.get("storage.delete.enabled")
        collected = side.settings.get("gc.enabled")
        cleans = collected if collected and collected.flag else None
        refused = said is not None and said.flag is False
        if side.product == "gitlab" and refused:
            cleaner = "GitLab's cleanup policies and its interface delete tags through the registry"
        elif cleans and (said is None or refused):
            cleaner = "garbage is collected"
        else:
            continue
        found.append(
            Wrong(
                spots=at(said, "deletions are refused") + at(cleans, "what is to clean up"),
                fields={"said": plain("false" if said else "not set"), "cleaner": plain(cleaner)},
            )
        )
    return tuple(found) or PASSES
