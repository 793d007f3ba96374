"""RT725: a list of tags or repositories that is refused, or has entries that lead nowhere."""

from __future__ import annotations

from enum import Enum

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes
from regtrace.diagnose.facts.last_words import shown_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Severity,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.lists import read_tags
from regtrace.wire.term import host, plain


class _Oddity(Enum):
    EMPTY_TAG = "empty-tag"
    DEAD_TAG = "dead-tag"
    PAGE = "page"
    NO_RIGHT = "no-right"


#: What is odd, why, and what to do.
_TOLD = {
    _Oddity.EMPTY_TAG: (
        "has a tag without a name",
        (
            "A bucket that was copied (DataSync, rclone) can have an object for a directory, and the"
            " registry takes it for a tag whose name is empty. Tools that read every tag stumble over"
            " it."
        ),
        (
            "Remove the stray object, not recursively, whose key ends in _manifests/tags/ or in the"
            " repository's own path and a slash: aws s3 rm without --recursive."
        ),
    ),
    _Oddity.DEAD_TAG: (
        "has a tag whose manifest is gone",
        (
            "The list names a tag, and its manifest is answered with 404: the manifest was deleted or"
            " collected as garbage, and the tag's link was left."
        ),
        "Push the tag again, or delete it in the registry.",
    ),
    _Oddity.PAGE: (
        "does not come in pages of that size",
        "The request asks for more entries at once (n=) than the registry gives.",
        (
            "Ask for fewer (n=1000 at most in distribution) and follow the Link header for the rest, or"
            " raise catalog.maxentries and tags.maxtags in config.yml."
        ),
    ),
    _Oddity.NO_RIGHT: (
        "is not open to this account",
        (
            "The list of all repositories needs a right of its own, registry:catalog:*, which token"
            " servers give to administrators only."
        ),
        "Log in as an administrator, or list repositories by the product's own API instead.",
    ),
}


@rule(
    number="RT725",
    slug="tags-list-oddities",
    title="A list at {registry} {what}",
    cause="{why}",
    fix=("{remedy}",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#content-discovery",
        "https://docs.gitlab.com/administration/packages/container_registry_troubleshooting/",
        "https://github.com/distribution/distribution/issues/1293",
    ),
    owner=Owner.REGISTRY,
    severity=Severity.NOTE,
    needs=frozenset({Kind.TAGS, Kind.CATALOG}),
    fires="""
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET tags                     -> 200
  << {"name": "team/app", "tags": ["", "1", "2"]}
""",
    silent="""
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET tags                     -> 200
  << {"name": "team/app", "tags": null}
""",
    also_fires=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET /v2/team/app/tags/list?n=100000 -> 400 PAGINATION_NUMBER_INVALID
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token                        -> 200
GET /v2/_catalog             -> 401 insufficient_scope
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 401
GET /v2/_catalog             -> 401    # it has not said yet who it is
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET tags                     -> 200
  << ?
""",
    ),
)
def tags_list_oddities(operation: Operation, facts: Facts) -> Verdict:
    lists = operation.legs_of_kind(Kind.TAGS, Kind.CATALOG)
    if not lists:
        return DOES_NOT_APPLY
    odd = [(leg, oddity) for leg in lists if (oddity := _oddity(leg, facts)) is not None]
    if not odd:
        return PASSES
    first, oddity = odd[0]
    what, why, remedy = _TOLD[oddity]
    legs = tuple(leg for leg, other in odd if other is oddity)
    evidence = (
        shown_by(first, "the list was refused")
        if first.refused
        else (Evidence(first, "response.body", "the list itself"),)
    )
    if oddity is _Oddity.DEAD_TAG:
        dead = _manifest_of(_tags(first), facts)
        gone = (
            Evidence(dead, "response.status", "a tag of the list leads nowhere") if dead else None
        )
        evidence = (*evidence, *filter(None, [gone]))
    return Fails(
        legs=legs,
        evidence=evidence,
        confidence=Confidence.CERTAIN,
        fields={
            "registry": host(first.url.authority),
            "what": plain(what),
            "why": plain(why),
            "remedy": plain(remedy),
        },
        count=len(legs),
        owner=Owner.USER if oddity in {_Oddity.PAGE, _Oddity.NO_RIGHT} else None,
    )


def _oddity(leg: Leg, facts: Facts) -> _Oddity | None:
    if leg.refused and facts.succeeded_later(leg):
        return None
    if "PAGINATION_NUMBER_INVALID" in codes(leg):
        return _Oddity.PAGE
    if leg.kind is Kind.CATALOG:
        refused = leg.status in {401, 403} and bool(leg.credentials)
        return _Oddity.NO_RIGHT if refused else None
    if "" in _tags(leg):
        return _Oddity.EMPTY_TAG
    return _Oddity.DEAD_TAG if _manifest_of(_tags(leg), facts) else None


def _tags(leg: Leg) -> tuple[str, ...]:
    response = leg.exchange.response
    return (read_tags(response) or ()) if response and leg.succeeded else ()


def _manifest_of(tags: tuple[str, ...], facts: Facts) -> Leg | None:
    """The manifest of a listed tag that is not there."""
    listed = frozenset(tags)
    return next(
        (
            leg
            for leg in facts.legs
            if leg.kind in {Kind.MANIFEST_GET, Kind.MANIFEST_HEAD}
            and leg.status == 404
            and leg.tag in listed
            and not facts.succeeded_later(leg)
        ),
        None,
    )
