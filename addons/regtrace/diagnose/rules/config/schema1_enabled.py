"""RT047: the registry still accepts manifests of the oldest schema."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT047",
    slug="schema1-enabled",
    title="The registry still accepts manifests of schema 1",
    cause=(
        "compatibility.schema1 is enabled. Such images can't be pulled any more by containerd 2 and"
        " Docker 28, and distribution 3 does not know the setting."
    ),
    fix=(
        (
            "Push the images that are still in schema 1 anew with a current client, then remove"
            " compatibility.schema1 and restart the registry."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/about/deprecated/",
        "https://docs.docker.com/engine/deprecated/",
    ),
    owner=Owner.REGISTRY,
    severity=Severity.NOTE,
    leads_to=("schema1-served",),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
compatibility: {schema1: {enabled: true}}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
compatibility: {schema1: {enabled: false}}
""",
)
def schema1_enabled(setup: SetUp) -> Verdict:
    said = [
        each
        # Harbor switches it on itself.
        for side in setup.registries
        if side.product != "harbor" and (each := side.settings.get("compatibility.schema1.enabled"))
    ]
    found = tuple(Wrong(spots=(Spot(each, "on"),)) for each in said if each.flag)
    return found or (PASSES if said else DOES_NOT_APPLY)
