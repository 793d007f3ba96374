"""RT724: the image exists, but not for the machine that pulls it."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
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
from regtrace.follow.dead_end import lacks_platform
from regtrace.follow.story import Operation, OperationKind
from regtrace.wire.client import Family
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.platform import in_words, offered
from regtrace.wire.term import Term, TermKind, host, plain

#: Pulls by these read on after an index, or find nothing in it. (skopeo inspects, too.)
_READ_ON = frozenset({Family.CONTAINERD, Family.CONTAINERS_IMAGE})

#: What nearly every machine is; an index that has both is hardly what such a pull stops at.
_COMMON = frozenset({"linux/amd64", "linux/arm64"})


@rule(
    number="RT724",
    slug="platform-not-in-index",
    title="{repository} at {registry} {verdict}",
    cause=(
        "The tag leads to an index of {count}, and {finding} The client stopped there: docker says"
        " no matching manifest in the manifest list entries, podman no image found in image index"
        " for architecture."
    ),
    fix=(
        (
            "Publish the image for this platform too: docker buildx build --platform"
            " linux/amd64,linux/arm64 --push."
        ),
        (
            "Or pull another platform on purpose, if the machine can run it (emulation by qemu or"
            " Rosetta): docker pull --platform linux/amd64 IMAGE."
        ),
        "Or take a tag that has it: older or newer tags may differ.",
    ),
    check=("docker buildx imagetools inspect {registry}/{repository}:TAG",),
    references=(
        "https://docs.docker.com/build/building/multi-platform/",
        "https://github.com/opencontainers/image-spec/blob/main/image-index.md",
        "https://github.com/moby/moby/issues/39201",
    ),
    owner=Owner.USER,
    needs=frozenset({Kind.MANIFEST_GET}),
    fires="""
client docker/20.10.24
image M1 = cfg L1
index I1 = M1:linux/arm64 M1:unknown/unknown
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 I1            -> 200
""",
    silent="""
client docker/20.10.24
image M1 = cfg L1
index I1 = M1:linux/amd64 M1:unknown/unknown
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 I1            -> 200    # it has the rest of it already
""",
    also_fires=(
        """
client docker-containerd/29.1.0
image M1 = cfg L1
index I1 = M1:windows/amd64
HEAD manifest 1 I1           -> 401
token pull team/app          -> 200
HEAD manifest 1 I1           -> 200
GET manifest @I1             -> 200
""",
        """
client podman/5.29.2
image M1 = cfg L1
index I1 = M1:linux/amd64
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 I1            -> 200
""",
    ),
    also_silent=(
        """
client docker/20.10.24
image M1 = cfg L1
image M2 = cfg L2
index I1 = M1:linux/arm/v7 M2:linux/arm64/v8
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 I1            -> 200
GET manifest @M2             -> 200    # asked for by --platform
GET blob cfg                 -> 200
GET blob L2                  -> 200
""",
        """
client docker/20.10.24
image M1 = cfg L1
index I1 = M1:linux/386
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 I1            -> 200    # amd64 runs it
""",
        """
client skopeo/1.14.2
image M1 = cfg L1
index I1 = M1:linux/arm64
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 I1            -> 200    # only looked at
""",
    ),
)
def platform_not_in_index(operation: Operation, facts: Facts) -> Verdict:
    indexes = [leg for leg in facts.legs if leg.kind is Kind.MANIFEST_GET and _is_index(leg)]
    if operation.kind is not OperationKind.PULL or not indexes:
        return DOES_NOT_APPLY
    last = indexes[-1]
    if any(leg.started > last.started for t in operation.transfers for leg in t.legs):
        return PASSES
    known = lacks_platform(last, last.client)
    if not known and not _may_lack_platform(last):
        return PASSES
    mine = in_words(last.client.os, last.client.arch) if last.client else in_words(None, None)
    entries = last.manifest.manifests if last.manifest else ()
    images = len(offered(entries))
    return Fails(
        legs=(last,),
        evidence=(
            Evidence(last, "response.body", "the platforms that there are"),
            Evidence(last, "request.header.User-Agent", "the machine that pulls"),
        ),
        confidence=Confidence.CERTAIN if known else Confidence.POSSIBLE,
        transfer=facts.transfer_of(last),
        fields={
            "registry": host(last.url.authority),
            "repository": Term(TermKind.REPOSITORY, last.repository or ""),
            "verdict": plain(f"has no image for {mine}" if known else _PERHAPS),
            "count": plain("one platform" if images == 1 else f"{images} platforms"),
            "finding": plain(_KNOWN if known else _GUESSED),
        },
        severity=None if known else Severity.NOTE,
    )


_PERHAPS = "may have no image for the machine that pulls"
_KNOWN = "none fits the machine that pulls."
_GUESSED = "the client, which does not say what machine it pulls for, asked for none of them."


def _is_index(leg: Leg) -> bool:
    return leg.succeeded and leg.manifest is not None and leg.manifest.kind == "index"


def _may_lack_platform(leg: Leg) -> bool:
    """Of a client that names no platform: it stopped at an index without a common one."""
    there = offered(leg.manifest.manifests) if leg.manifest else ()
    named = {"/".join(platform.split("/")[:2]) for platform in there}
    client = leg.client
    reads_on = client is not None and client.family in _READ_ON and client.product != "skopeo"
    return reads_on and bool(named) and not named >= _COMMON
