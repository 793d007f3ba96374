"""RT715: the repository's name or the tag breaks the grammar."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes
from regtrace.diagnose.facts.names import NameFault, name_fault, tag_fault
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import BLOB_KINDS, MANIFEST_KINDS, Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain

_KINDS = BLOB_KINDS | MANIFEST_KINDS | {Kind.TAGS, Kind.REFERRERS}

#: What is wrong, as it stands behind "It".
_TOLD = {
    NameFault.UPPER_CASE: "has upper-case letters; names are in lower case only",
    NameFault.BEGINS: "has a part that begins with a dot, a dash or an underscore",
    NameFault.ENDS: "has a part that ends with a dot, a dash or an underscore",
    NameFault.SEPARATORS: (
        "has several separators in a row; a single dot, one or two underscores, or dashes are"
        " allowed between letters"
    ),
    NameFault.DASHES: "has two dashes in a row, which stricter registries (ECR) refuse",
    NameFault.EMPTY_PART: "has an empty part: two slashes in a row, or one at its end",
    NameFault.TOO_LONG: "is too long: names have 255 characters at most, and tags 128",
    NameFault.TOO_FEW_PARTS: "has one part only; this registry may want a project or account too",
    NameFault.CHARACTERS: (
        "has characters that are not allowed; there are a-z, 0-9, dot, dash, underscore and slash"
    ),
}


@rule(
    number="RT715",
    slug="name-invalid",
    title="{name} is no valid {what} for {registry}",
    cause=(
        "{registry} refuses the {what}. It {fault}. Many tools take the name from a branch, a"
        " project or a user, where other rules hold."
    ),
    fix=(
        (
            "Use a name of lower-case letters and digits, with single dots, dashes or underscores"
            " between them, and slashes between the parts; a tag may have upper case too."
        ),
        (
            "In CI, turn the source into one: echo \"$NAME\" | tr '[:upper:]' '[:lower:]', or"
            " GitLab's CI_COMMIT_REF_SLUG in place of CI_COMMIT_REF_NAME."
        ),
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests",
        "https://docs.gitlab.com/administration/packages/container_registry_troubleshooting/",
    ),
    owner=Owner.USER,
    needs=_KINDS,
    explains=frozenset({"repository-unknown", "manifest-unknown", "manifest-invalid"}),
    fires="""
client kaniko/1.23.0
repository Team/App
GET /v2/                     -> 401
token push,pull Team/App     -> 200
POST uploads                 -> 400 NAME_INVALID
""",
    silent="""
client kaniko/1.23.0
repository Team/App
GET /v2/                     -> 401
token push,pull Team/App     -> 200
POST uploads                 -> 403 DENIED    # this registry does not mind the name
""",
    also_fires=(
        """
client jib/3.4.0
repository _team/app
GET /v2/                     -> 401
token push,pull _team/app    -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 404 NAME_UNKNOWN    # distribution has no such route
  < Content-Type: text/plain; charset=utf-8
  << 404 page not found
""",
        """
client -
repository team/app-
registry https://registry.test open
PUT manifest 1 [cfg L1]      -> 404 NAME_UNKNOWN
  < Content-Type: text/plain; charset=utf-8
  << 404 page not found
""",
        """
client docker/20.10.24
repository team/my--app
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com
GET /v2/                     -> 401
token push,pull team/my--app -> 200
POST uploads                 -> 400 NAME_INVALID
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest -feature [cfg L1] -> 400 TAG_INVALID
""",
    ),
    also_silent=(
        """
client crane/0.19.1
repository team/my--app_x.y
GET /v2/                     -> 401
token push,pull team/my--app_x.y -> 200
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest V1.2-RC_1 [cfg L1] -> 201    # tags may have upper case
""",
    ),
)
def name_invalid(operation: Operation, facts: Facts) -> Verdict:
    refused = [
        fatal.leg
        for fatal in facts.fatal
        if fatal.leg.kind in _KINDS and fatal.leg.status in {400, 404, 405}
    ]
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _fault(leg) is not None]
    if not legs:
        return PASSES
    first = legs[0]
    is_tag, fault = _fault(first) or (False, NameFault.CHARACTERS)
    name = (first.tag if is_tag else first.repository) or ""
    said_so = bool(codes(first) & {"NAME_INVALID", "TAG_INVALID"})
    kind = TermKind.REFERENCE if is_tag else TermKind.REPOSITORY
    return Fails(
        legs=tuple(legs),
        evidence=(
            Evidence(first, "request.url", "the name that was asked for"),
            Evidence(first, "response.status", "the registry has nothing under such a name"),
        ),
        confidence=Confidence.CERTAIN if said_so else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "name": Term(kind, name),
            "what": plain("tag" if is_tag else "repository name"),
            "fault": plain(_TOLD[fault]),
        },
        count=len(legs),
    )


def _fault(leg: Leg) -> tuple[bool, NameFault] | None:
    """Whether it is the tag's, and which one. A name that obeys the grammar is at fault only when
    the registry says so."""
    named = codes(leg)
    tag, name = tag_fault(leg.tag or ""), name_fault(leg.repository or "")
    if leg.tag and tag is not None and leg.kind in MANIFEST_KINDS and leg.status != 405:
        return True, tag
    if leg.endpoint is not None and not leg.endpoint.name_valid:
        return False, name or NameFault.CHARACTERS
    if "NAME_INVALID" in named:
        return False, name or NameFault.CHARACTERS
    return None
