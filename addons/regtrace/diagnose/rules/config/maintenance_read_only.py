"""RT045: the registry is in maintenance and takes no pushes."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.traffic import unless_pushed
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT045",
    slug="maintenance-read-only",
    title="The registry takes no pushes: maintenance is on",
    cause=(
        "storage.maintenance.readonly is enabled, as is wanted while garbage is collected. Every push"
        " and every deletion is answered with 405."
    ),
    fix=(
        (
            "Set storage.maintenance.readonly.enabled to false when the maintenance is over, and restart"
            " the registry."
        ),
    ),
    references=("https://distribution.github.io/distribution/about/configuration/#maintenance",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("registry-read-only",),
    fires="""
==> config.yml <==
version: 0.1
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  maintenance: {readonly: {enabled: true}}
""",
    silent="""
==> config.yml <==
version: 0.1
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  maintenance: {readonly: {enabled: false}}
""",
    against=unless_pushed,
)
def maintenance_read_only(setup: SetUp) -> Verdict:
    said = [
        each
        for side in setup.registries
        if (each := side.settings.get("storage.maintenance.readonly.enabled"))
    ]
    found = tuple(Wrong(spots=(Spot(each, "no pushes"),)) for each in said if each.flag)
    return found or (PASSES if said else DOES_NOT_APPLY)
