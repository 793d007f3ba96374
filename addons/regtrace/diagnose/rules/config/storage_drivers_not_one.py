"""RT050: the registry is told to store in no place, or in several."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.traffic import unless_good
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import DRIVERS, SetUp
from regtrace.wire.term import plain


@check(
    number="RT050",
    slug="storage-drivers-not-one",
    title="The registry's configuration names {count} storages; it takes exactly one",
    cause=(
        "Under storage there must be one driver beside cache, delete, maintenance and redirect. Here"
        " {named}. The registry does not start with it."
    ),
    fix=("Leave one driver under storage, and check its indentation.",),
    references=("https://distribution.github.io/distribution/about/configuration/#storage",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("tcp-refused-or-timeout", "gateway-error-page"),
    fires="""
==> config.yml <==
version: 0.1
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  s3: {region: eu-west-1, bucket: registry}
""",
    silent="""
==> config.yml <==
version: 0.1
storage:
  cache: {blobdescriptor: inmemory}
  s3: {region: eu-west-1, bucket: registry}
""",
    against=unless_good("the registry answered in this capture, so it runs with another file"),
)
def storage_drivers_not_one(setup: SetUp) -> Verdict:
    whole = [each for each in setup.registries if not each.partial]
    found = []
    for side in whole:
        storage = side.settings.there("storage")
        other = set(side.settings.below("storage")) - _BESIDE - set(DRIVERS)
        if storage is None or len(side.drivers) == 1 or other:
            continue
        names = " and ".join(side.drivers)
        found.append(
            Wrong(
                spots=(Spot(storage, "here storage begins"),),
                fields={
                    "count": plain(len(side.drivers) or "no"),
                    "named": plain(f"are {names}" if names else "is none"),
                },
            )
        )
    return tuple(found) or (PASSES if whole else DOES_NOT_APPLY)


#: What stands under storage and is no driver.
_BESIDE = frozenset({"cache", "delete", "maintenance", "redirect", "tag"})
