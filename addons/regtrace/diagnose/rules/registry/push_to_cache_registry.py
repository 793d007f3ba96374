"""RT702: a push to a registry, or to a part of one, that only passes on what another one has."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, is_registrys_own, received, said
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
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host

_OPENS = (Kind.UPLOAD_START, Kind.MOUNT)
_STORES = (*_OPENS, Kind.MANIFEST_PUT)

#: Harbor's middleware/repoproxy; Nexus' and others' words for the same.
_WORDS = (
    "proxy project",
    "proxy repository",
    "proxy cache",
    "pull-through cache",
    "pull through cache",
    "deploying to groups",
)


@rule(
    number="RT702",
    slug="push-to-cache-registry",
    title="{repository} at {registry} is a cache and takes no pushes",
    cause=(
        "{registry} refuses every upload to {repository}: it is a pull-through cache (a mirror, a"
        " proxy project or a remote repository) of another registry. What it holds comes from there"
        " only."
    ),
    fix=(
        (
            "Push to the registry that it is a cache of, or to a project or repository that stores"
            " (Harbor: one that is no proxy cache; Nexus: hosted; Artifactory: local)."
        ),
        (
            "If this registry should store, take the section proxy: out of distribution's"
            " config.yml; one registry can't be both."
        ),
    ),
    check=("curl -si -X POST -H 'Authorization: Bearer TOKEN' {uploads}",),
    references=(
        "https://distribution.github.io/distribution/recipes/mirror/",
        "https://goharbor.io/docs/main/administration/configure-proxy-cache/",
    ),
    owner=Owner.USER,
    needs=frozenset(_STORES),
    explains=frozenset({"manifest-type-rejected"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 405 UNSUPPORTED "The operation is unsupported."
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 405 DENIED "This namespace is disabled."
""",
    also_fires=(
        """
client containerd/2.1.0
registry https://harbor.test
repository hub/library/app
HEAD blob L1                 -> 404
POST uploads                 -> 403 DENIED "can not push artifact to a proxy project: hub"
""",
        """
client skopeo/1.14.2
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 405 UNSUPPORTED "The operation is unsupported."
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 405 UNSUPPORTED "Invalid JSON syntax"    # it stored the blobs
""",
        """
image M1 = cfg L1
index I1 = M1:linux/amd64
client buildkit/0.23
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest @M1             -> 201    # takes images, and no indexes
PUT manifest 1 I1            -> 405 UNSUPPORTED "The operation is unsupported."
""",
    ),
)
def push_to_cache_registry(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_STORES)
    if not refused:
        return DOES_NOT_APPLY
    stores = any(leg.kind in _STORES and leg.succeeded for leg in facts.legs)
    legs = [leg for leg in refused if _says_so(leg) or (not stores and _is_unsupported(leg))]
    if not legs:
        return PASSES
    first = legs[0]
    own_words = "Docker-Distribution-Api-Version" in received(first) and _is_distributions(first)
    sure = any(map(_says_so, legs)) or (own_words and first.kind in _OPENS)
    repository = first.repository or ""
    uploads = f"{first.url.origin}/v2/{repository}/blobs/uploads/"
    return Fails(
        legs=tuple(legs),
        evidence=shown_by(first, "no upload may be opened here"),
        confidence=Confidence.CERTAIN if sure else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "repository": Term(TermKind.REPOSITORY, repository),
            "uploads": Term(TermKind.URL, uploads),
        },
        count=tries(facts, legs),
    )


def _says_so(leg: Leg) -> bool:
    return any(words in said(leg) for words in _WORDS)


def _is_unsupported(leg: Leg) -> bool:
    """What distribution's cache answers (registry/proxy/proxyblobstore.go); Azure locks a single
    repository with the same code and other words."""
    plain = _is_distributions(leg) or leg.kind in _OPENS
    unsupported = leg.status == 405 and "UNSUPPORTED" in codes(leg) and is_registrys_own(leg)
    return unsupported and plain and "disallowed" not in said(leg)


def _is_distributions(leg: Leg) -> bool:
    return "the operation is unsupported" in said(leg)
