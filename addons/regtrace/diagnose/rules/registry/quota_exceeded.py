"""RT717: the registry has no room left for this account, project or plan."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.facts.limits import Quota, read_quota
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
from regtrace.wire.leg import UPLOAD_KINDS, Kind, Leg
from regtrace.wire.term import host, plain

_KINDS = (*UPLOAD_KINDS, Kind.MANIFEST_PUT)


@rule(
    number="RT717",
    slug="quota-exceeded",
    title="The quota at {registry} is used up",
    cause=(
        "{registry} refused the push because it would go over a quota of the project, account or"
        " plan. {numbers} Most registries count only when a layer is complete, so the layer was"
        " sent in full before it was refused."
    ),
    fix=(
        (
            "Delete tags and images that nobody needs, then run the registry's garbage collection:"
            " until it has run, deleted images still count."
        ),
        (
            "Or raise the quota: Harbor: Administration, Project Quotas; Quay: organisation"
            " settings, Quota; hosted registries: a larger plan."
        ),
    ),
    references=(
        "https://goharbor.io/docs/main/administration/configure-project-quotas/",
        "https://github.com/goharbor/harbor/issues/17390",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(_KINDS),
    explains=frozenset({"manifest-invalid"}),
    fires="""
client docker/20.10.24
registry https://harbor.test
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 403 DENIED "adding 29.0 MiB of storage resource, which when updated to current usage of 131.4 MiB will exceed the configured upper limit of 150.0 MiB."
""",
    silent="""
client docker/20.10.24
registry https://harbor.test
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 403 DENIED "requested access to the resource is denied"
""",
    also_fires=(
        """
client skopeo/1.14.2
registry https://quay.io
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 403 DENIED "Quota has been exceeded on namespace"
""",
        """
client buildkit/0.23
registry https://registry.digitalocean.com
HEAD blob L1                 -> 404
POST uploads                 -> 403 DENIED "registry contains 1 repositories, limit is 1"
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 429 TOOMANYREQUESTS "rate quota exceeded"    # too fast, not too much
""",
    ),
)
def quota_exceeded(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_KINDS)
    if not refused:
        return DOES_NOT_APPLY
    quotas = {leg.id: quota for leg in refused if (quota := read_quota(leg)) is not None}
    legs = [leg for leg in refused if leg.id in quotas]
    if not legs:
        return PASSES
    first: Leg = legs[0]
    return Fails(
        legs=tuple(legs),
        evidence=shown_by(first, "the push would go over the quota"),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "numbers": plain(_in_numbers(quotas[first.id])),
        },
        count=tries(facts, legs),
    )


def _in_numbers(quota: Quota) -> str:
    if quota.limit is None:
        return "The answer does not say how much is allowed."
    used = f"; {quota.used} are in use" if quota.used else ""
    added = f", and this push adds {quota.added}" if quota.added else ""
    return f"The limit is {quota.limit}{used}{added}."
