"""RT043: the registry logs everything."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT043",
    slug="log-level-debug",
    title="The registry logs at level {level}",
    cause=(
        "That is good while a fault is looked for. Left on, it fills the disk and writes names of"
        " users and of repositories into the log."
    ),
    fix=("Set log.level to info when you are done, and restart the registry.",),
    references=("https://distribution.github.io/distribution/about/configuration/#log",),
    owner=Owner.REGISTRY,
    severity=Severity.NOTE,
    fires="""
==> config.yml <==
version: 0.1
log: {level: debug}
storage: {filesystem: {rootdirectory: /var/lib/registry}}
""",
    silent="""
==> config.yml <==
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: /var/lib/registry}}
""",
)
def log_level_debug(setup: SetUp) -> Verdict:
    said = [
        each for side in setup.registries if (each := side.settings.get("log.level", "loglevel"))
    ]
    found = tuple(
        Wrong(
            spots=(Spot(each, "more than one needs"),), fields={"level": plain(each.text.lower())}
        )
        for each in said
        if each.text.lower() in {"debug", "trace"}
    )
    return found or (PASSES if said else DOES_NOT_APPLY)
