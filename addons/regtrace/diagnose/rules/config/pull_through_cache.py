"""RT046: the registry is a cache of another one, to which nobody can push."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.traffic import unless_pushed
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import host


@check(
    number="RT046",
    slug="pull-through-cache",
    title="The registry is a cache of {remote}; nobody can push to it",
    cause=(
        "With proxy.remoteurl the registry fetches what it lacks from {remote}, and refuses every push"
        " with 405 UNSUPPORTED."
    ),
    fix=(
        (
            "If people push here, run a second registry without proxy.remoteurl for them; one that does"
            " both does not exist."
        ),
    ),
    references=("https://distribution.github.io/distribution/recipes/mirror/",),
    owner=Owner.REGISTRY,
    severity=Severity.NOTE,
    leads_to=("push-to-cache-registry",),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
proxy: {remoteurl: "https://registry-1.docker.io"}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
""",
    against=unless_pushed,
)
def pull_through_cache(setup: SetUp) -> Verdict:
    if not setup.registries:
        return DOES_NOT_APPLY
    return (
        tuple(
            Wrong(
                spots=(Spot(each, "whose images it keeps"),),
                fields={"remote": host(each.url.authority if each.url else each.text)},
            )
            for side in setup.registries
            if (each := side.settings.get("proxy.remoteurl"))
        )
        or PASSES
    )
