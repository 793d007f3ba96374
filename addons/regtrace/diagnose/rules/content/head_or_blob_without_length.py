"""RT506: the answer to a blob's HEAD has no Content-Length, and the client can't go on."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.last_words import tries
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
from regtrace.wire.term import host

_HEADS = frozenset({Kind.BLOB_HEAD, Kind.STORAGE})


@rule(
    number="RT506",
    slug="head-or-blob-without-length",
    title="{server} answers HEAD for a blob without Content-Length",
    cause=(
        "{server} said 200 to the question whether it has the blob, but not how large it is. docker"
        " and podman need the length and give up: missing content-length header for request, Missing"
        ' "Content-Length" header. Compression on the way or a cache that drops the header does'
        " this."
    ),
    fix=(
        (
            "Switch compression off for /v2/ in every proxy (nginx gzip off;): an answer that may be"
            " packed loses its length."
        ),
        "Let proxies and caches pass the answer to HEAD on with its Content-Length.",
        "If the registry itself leaves it out, update it.",
    ),
    check=(
        "curl -sI -H 'Authorization: Bearer TOKEN' https://{server}/v2/REPOSITORY/blobs/DIGEST",
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry",
        "https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2",
    ),
    owner=Owner.FRONT_PROXY,
    needs=_HEADS,
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
  < -Content-Length
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    also_fires=(
        """
client podman/5.29.2
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 200
  < -Content-Length
  < Transfer-Encoding: chunked
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200    # this client does not mind
  < -Content-Length
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
  < -Content-Length
POST uploads                 -> 202    # it sends the layer instead
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def head_or_blob_without_length(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.lacks_length for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = [fatal.leg for fatal in facts.fatal if fatal.leg.lacks_length]
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=tuple(legs),
        evidence=(
            Evidence(first, "response.status", "the blob is there"),
            Evidence(first, "response.header.Content-Length", "it is not among the headers"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"server": host(first.url.authority)},
        count=tries(facts, legs),
    )
