"""RT503: something packs answers (gzip, br, zstd) that must pass byte for byte."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.content import coding, coding_was_asked_for, spoilt
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
from regtrace.wire.leg import Kind
from regtrace.wire.term import host, plain

_READS = frozenset({Kind.BLOB_GET, Kind.MANIFEST_GET, Kind.STORAGE})


@rule(
    number="RT503",
    slug="content-coding-on-blob",
    title="{server} packs blobs on the way (Content-Encoding)",
    cause=(
        "An answer of {server} carries a Content-Encoding. {how} Blobs and manifests are known by"
        " the digest of their bytes and must pass unchanged, so the client refuses it: filesystem"
        " layer verification failed, unexpected commit digest."
    ),
    fix=(
        (
            "Switch compression off for /v2/: nginx gzip off; and brotli off; Apache SetEnv no-gzip 1;"
            " the CDN's own compression (Cloudflare, CloudFront: Compress objects automatically)."
        ),
        (
            "If the storage itself says it, its objects have a wrong Content-Encoding among their"
            " metadata: remove it from the objects."
        ),
    ),
    check=("curl -sI -H 'Accept-Encoding: gzip' -H 'Authorization: Bearer TOKEN' BLOB_URL",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_gzip_module.html",
        "https://github.com/containerd/containerd/issues/5124",
    ),
    owner=Owner.FRONT_PROXY,
    needs=_READS,
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200 body=L9
  > Accept-Encoding: identity
  < Content-Encoding: gzip
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200 body=L9
  > Accept-Encoding: gzip
  < Content-Encoding: gzip
GET blob cfg                 -> 200
""",
    also_fires=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 307 gcs
GET gcs L1                   -> 200    # the right bytes, which the client will unpack
  > Accept-Encoding: gzip
  < Content-Encoding: gzip
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200    # the right bytes, which the client leaves as they are
  > Accept-Encoding: identity
  < Content-Encoding: gzip
GET blob cfg                 -> 200
""",
    ),
)
def content_coding_on_blob(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _READS and coding(leg) for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = [leg for leg in spoilt(facts) if coding(leg) is not None]
    if not legs:
        return PASSES
    first = legs[0]
    asked = coding_was_asked_for(first)
    return Fails(
        legs=tuple(legs),
        evidence=(
            Evidence(first, "response.header.Content-Encoding", "how the answer was packed"),
            Evidence(first, "request.header.Accept-Encoding", "what the client can unpack"),
        ),
        confidence=Confidence.LIKELY if asked else Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "server": host(first.url.authority),
            "how": plain(_ASKED if asked else _UNASKED),
        },
        count=len(legs),
        owner=Owner.STORAGE if asked and first.kind is Kind.STORAGE else None,
    )


_UNASKED = "The client had not asked for it and does not undo it."
_ASKED = (
    "The bytes are right as they come, and the client unpacks them once more because of the header."
)
