"""RT501: what came is not what its digest says."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.content import (
    announced,
    came,
    coding,
    from_cache,
    is_cut_short,
    is_page,
    spoilt,
)
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
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain

_READS = frozenset({Kind.BLOB_GET, Kind.MANIFEST_GET, Kind.STORAGE})


@rule(
    number="RT501",
    slug="blob-digest-mismatch",
    title="{server} gave other bytes than the digest says",
    cause=(
        "The client asked for {digest}, and {server} answered 200 with bytes of another digest."
        " {shape} They were wrong already when they came to this proxy, so the damage lies at"
        " {server} or before it, not at the client, which refuses them: filesystem layer"
        " verification failed, unexpected commit digest."
    ),
    fix=(
        "{remedy}",
        (
            "Read the object past every cache and proxy and count its digest. If it is wrong there"
            " too, delete the blob in the registry and push the image again from where it is whole."
        ),
    ),
    check=("curl -sL -H 'Authorization: Bearer TOKEN' {blob} | sha256sum",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs",
        "https://github.com/distribution/distribution/issues/2168",
    ),
    owner=Owner.REGISTRY,
    needs=_READS,
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200 body=L9
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200 body=L1
""",
    also_fires=(
        """
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 200 body=L9
""",
        """
client podman/5.29.2
image M1 = cfg L1
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest @M1             -> 200
  << {"schemaVersion": 2, "config": {}, "layers": []}
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200 body=L9
+5s GET blob L1              -> 200    # the next try brought the right ones
GET blob cfg                 -> 200
""",
        """
client podman/5.29.2
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1 range=100-       -> 206 body=L9    # a part has a digest of its own
GET blob cfg                 -> 200
""",
        """
client docker/20.10.24
image M1 = cfg L1
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest @M1             -> 200    # its digest leaves the signature out
  < Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws
  << {"schemaVersion": 1, "name": "team/app", "tag": "1", "fsLayers": [], "signatures": []}
GET blob L1                  -> 200
""",
    ),
)
def blob_digest_mismatch(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.intact is not None for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = [leg for leg in spoilt(facts) if coding(leg) is None and not is_cut_short(facts, leg)]
    if not legs:
        return PASSES
    first = legs[0]
    transfer = facts.transfer_of(first)
    asked = transfer.chains[-1].first if transfer else first
    cached = from_cache(first)
    evidence = [
        Evidence(asked, "request.url", "the digest that was asked for"),
        Evidence(first, "response.body", "the bytes that came; their digest was counted here"),
    ]
    if cached:
        why = "a cache gave this answer"
        evidence.append(Evidence(first, f"response.header.{cached}", why))
    owner = Owner.STORAGE if first.kind is Kind.STORAGE else Owner.REGISTRY
    return Fails(
        legs=tuple(legs),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN,
        transfer=transfer,
        fields={
            "server": host(first.url.authority),
            "digest": Term(TermKind.DIGEST, asked.digest or ""),
            "shape": plain(_shape(facts, first)),
            "remedy": plain(_PURGE if cached else _LOOK),
            "blob": Term(TermKind.URL, f"{asked.url.origin}{asked.exchange.request.target}"),
        },
        count=len(legs),
        owner=Owner.FRONT_PROXY if cached else owner,
    )


_PURGE = "Purge this object from the cache that gave it, then pull again."
_LOOK = (
    "Purge what caches on the way hold of it (nginx proxy_cache, CDN, pull-through cache), and check"
    " the disk or the bucket that the registry keeps its blobs in."
)


def _shape(facts: Facts, leg: Leg) -> str:
    """What the number of bytes tells."""
    size, whole = came(leg), announced(facts, leg)
    if size == 0:
        return "The body is empty."
    if is_page(leg):
        return "It is a web page."
    if size is None or not whole:
        return "How many there should be, no manifest here says."
    if size == whole:
        return "Their number is right."
    if size % whole == 0:
        return f"The same came {size // whole} times in a row, as after a retry that was appended."
    return "They are more than there should be."
