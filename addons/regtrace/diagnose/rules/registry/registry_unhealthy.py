"""RT705: the registry answers that it is not well: its own health check fails."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, is_registrys_own
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import BLOB_KINDS, MANIFEST_KINDS, Kind, Leg
from regtrace.wire.term import host

_KINDS = (Kind.PING, *BLOB_KINDS, *MANIFEST_KINDS)


@rule(
    number="RT705",
    slug="registry-unhealthy",
    title="The registry {registry} says that it is not healthy (503)",
    cause=(
        "{registry} runs, but answers every request with 503 UNAVAILABLE: its own health check"
        " fails. Most often it can't list its storage (wrong credentials, a bucket that is missing"
        " or forbidden) or can't reach Redis or a service that it was told to check."
    ),
    fix=(
        (
            "Read the registry's log, and its debug address (http.debug.addr in config.yml):"
            " /debug/health names the check that fails."
        ),
        "Mend what it names: the storage's credentials and bucket, Redis, the checked addresses.",
        (
            "If the check itself is wrong, for instance on an empty or restricted bucket, set"
            " health.storagedriver.enabled: false in config.yml and restart."
        ),
    ),
    check=("curl -s http://DEBUG_ADDRESS/debug/health",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#health",
        "https://github.com/distribution/distribution/issues/1285",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(_KINDS),
    fires="""
client docker/20.10.24
GET /v2/                     -> 503 UNAVAILABLE "service unavailable"
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 503 nginx    # a proxy before it says so
""",
    also_fires=(
        """
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
GET manifest 1 [cfg L1]      -> 503 UNAVAILABLE
  << {"errors":[{"code":"UNAVAILABLE","message":"service unavailable","detail":"health check failed: please see /debug/health"}]}
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 503 UNAVAILABLE
+1s GET /v2/                 -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200
""",
    ),
)
def registry_unhealthy(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_KINDS)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _is_unavailable(leg)]
    if not legs:
        return PASSES
    return Fails(
        legs=tuple(legs),
        evidence=shown_by(legs[0], "the registry refused whatever was asked"),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(legs[0]),
        fields={"registry": host(legs[0].url.authority)},
        count=tries(facts, legs),
    )


def _is_unavailable(leg: Leg) -> bool:
    return leg.status == 503 and "UNAVAILABLE" in codes(leg) and is_registrys_own(leg)
