"""RT504: Docker-Content-Digest names another manifest than the one that came."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received, sent
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
from regtrace.wire.endpoint import is_digest
from regtrace.wire.integrity import is_received_intact
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host

_READS = (Kind.MANIFEST_GET, Kind.MANIFEST_HEAD)
_NAME = "Docker-Content-Digest"

#: Seconds between a HEAD and a GET in which nobody else pushes the same tag.
_AT_ONCE = 1.0


@rule(
    number="RT504",
    slug="content-digest-header-wrong",
    title="{registry} names a wrong digest for a manifest (Docker-Content-Digest)",
    cause=(
        "The header Docker-Content-Digest of {registry} does not belong to the manifest: it differs"
        " from the body's own digest, from the digest in the URL, or between a HEAD and a GET of one"
        " tag. A client that asks for the manifest by it next gets nothing or another one. Caches"
        " that mix the answers to different Accept headers, or to HEAD and GET, do that."
    ),
    fix=(
        (
            "Let the cache before the registry keep answers apart by method and by Accept (nginx:"
            " proxy_cache_key with $request_method$http_accept), or not keep manifests by tag."
        ),
        "Switch off what rewrites manifests on the way; then purge the cache and pull again.",
    ),
    check=(
        (
            "curl -sI -H 'Accept: application/vnd.oci.image.index.v1+json' https://{registry}/v2/"
            "REPOSITORY/manifests/TAG"
        ),
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests",
        "https://github.com/goharbor/harbor/issues/16075",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(_READS),
    fires="""
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
  < Docker-Content-Digest: sha256:0000000000000000000000000000000000000000000000000000000000000000
""",
    silent="""
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
""",
    also_fires=(
        """
client containerd/2.1.0
image M1 = cfg L1
image M2 = cfg L2
HEAD manifest 1 M1           -> 401
token pull team/app          -> 200
HEAD manifest 1 M1           -> 200
GET manifest 1 M2            -> 200
GET blob L2                  -> 200
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200    # schema 1: its digest leaves the signature out
  < Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws
  << {"schemaVersion": 1, "name": "team/app", "tag": "1", "fsLayers": [], "signatures": []}
GET blob L1                  -> 200
""",
        """
client crane/0.19.1
image M1 = cfg L1
image M2 = cfg L2
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD manifest 1 M1           -> 200
HEAD blob L2                 -> 200
PUT manifest 1 M2            -> 201    # it was pushed anew
HEAD manifest 1 M2           -> 200
""",
        """
client containerd/2.1.0
image M1 = cfg L1
image M2 = cfg L2
HEAD manifest 1 M1           -> 200
  > Accept: application/vnd.oci.image.index.v1+json
GET manifest 1 M2            -> 200    # another type was asked for
  > Accept: application/vnd.docker.distribution.manifest.v2+json
GET blob L2                  -> 200
""",
    ),
)
def content_digest_header_wrong(operation: Operation, facts: Facts) -> Verdict:
    named = [leg for leg in operation.legs_of_kind(*_READS) if leg.succeeded and _named(leg)]
    if not named:
        return DOES_NOT_APPLY
    wrong = [leg for leg in named if _contradicts_itself(leg)]
    split = next(_disagreeing(named, facts), None)
    if not wrong and split is None:
        return PASSES
    shown = (wrong[0],) if wrong else split or ()
    legs = tuple(wrong) or shown
    fatal = any(facts.is_fatal(leg) for leg in legs)
    return Fails(
        legs=legs,
        evidence=tuple(
            Evidence(leg, f"response.header.{_NAME}", "a digest for this manifest") for leg in shown
        ),
        confidence=Confidence.CERTAIN if wrong else Confidence.LIKELY,
        transfer=facts.transfer_of(legs[0]),
        fields={"registry": host(legs[0].url.authority)},
        count=len(legs),
        # Who did not use it took no harm.
        severity=None if fatal else Severity.NOTE,
    )


def _named(leg: Leg) -> str | None:
    value = received(leg).get(_NAME)
    return value if value and is_digest(value) else None


def _contradicts_itself(leg: Leg) -> bool:
    """With the digest in its path, or with its body."""
    named, response = _named(leg), leg.exchange.response
    if named is None or response is None:
        return False
    asked = leg.endpoint.digest if leg.endpoint else None
    if asked is not None and asked.partition(":")[0] == named.partition(":")[0]:
        return asked != named
    if leg.manifest is None or leg.manifest.kind == "schema1":
        return False
    return is_received_intact(named, leg.exchange.request, response) is False


def _disagreeing(named: list[Leg], facts: Facts) -> Iterator[tuple[Leg, Leg]]:
    """A HEAD and a GET of one tag with one Accept, one right after the other."""
    for one, other in itertools.pairwise(named):
        same = one.url == other.url and sent(one).all("Accept") == sent(other).all("Accept")
        at_once = other.started - one.last_seen <= _AT_ONCE
        between = [
            leg
            for leg in facts.legs
            if leg.kind is Kind.MANIFEST_PUT and one.started < leg.started < other.started
        ]
        methods = {one.method, other.method} == {"GET", "HEAD"}
        if (
            same
            and at_once
            and methods
            and one.tag
            and not between
            and _named(one) != _named(other)
        ):
            yield one, other
