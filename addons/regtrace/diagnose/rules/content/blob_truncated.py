"""RT502: a download ended in the middle."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.content import came, expected, is_cut_off, is_cut_short
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
from regtrace.wire.term import host, plain

_READS = frozenset({Kind.BLOB_GET, Kind.MANIFEST_GET, Kind.STORAGE})


@rule(
    number="RT502",
    slug="blob-truncated",
    title="{server} ended a download after {came} of {whole}",
    cause=(
        "{server} answered 200 and then stopped before the end: {came} of {whole} passed here. The"
        " client says unexpected EOF or short read. {how} Usual reasons are a proxy whose disk for"
        " temporary files is full or limited, a time-out of a proxy while the client was slow, or a"
        " cache that kept half a blob."
    ),
    fix=(
        (
            "nginx before the registry: set proxy_buffering off; or proxy_max_temp_file_size 0; in"
            " its location, raise proxy_read_timeout and send_timeout to 900s, and check the free"
            " space of its temporary directory."
        ),
        "Purge the blob from every cache on the way, and let them keep whole answers only.",
        "Look into the log of {server} and of the proxies before it at that second.",
    ),
    check=("curl -sL -H 'Authorization: Bearer TOKEN' BLOB_URL | wc -c",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_max_temp_file_size",
        "https://github.com/rpardini/docker-registry-proxy/issues/90",
        "https://github.com/moby/moby/issues/37751",
    ),
    owner=Owner.FRONT_PROXY,
    needs=_READS,
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200 body=400kB ! peer closed connection without sending complete message body
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200 body=400kB ! Client disconnected.
""",
    also_fires=(
        """
client containerd/2.1.0
blob L9 400kB
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 200 body=L9    # no length, and an orderly end
  < -Content-Length
""",
    ),
    also_silent=(
        """
client podman/5.29.2
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob cfg                 -> 200
GET blob L1                  -> 200 body=400kB ! server closed connection
+1s GET blob L1 range=400000- -> 206    # it goes on where it stopped
""",
        """
client containerd/2.1.0
GET manifest 1 [cfg L1]      -> 200
GET blob cfg                 -> 200
GET blob L1 took=2s          -> 200
& GET blob L1 c=2 took=1s    -> 200 body=100kB ! server closed connection    # one of two at once
""",
    ),
)
def blob_truncated(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _READS and leg.method == "GET" for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = [
        fatal.leg
        for fatal in facts.fatal
        if is_cut_off(fatal.leg) or is_cut_short(facts, fatal.leg)
    ]
    if not legs:
        return PASSES
    first = legs[0]
    size, whole = came(first), expected(facts, first)
    where = "error" if first.broken else "response.body"
    evidence = [
        Evidence(first, "response.status", "it was answered well"),
        Evidence(first, where, "and ended too early"),
    ]
    return Fails(
        legs=tuple(legs),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "server": host(first.url.authority),
            "came": plain(f"{size} bytes" if size is not None else "a part"),
            "whole": plain(f"{whole} bytes" if whole is not None else "all"),
            "how": plain(_CUT if first.broken else _ORDERLY),
        },
        count=tries(facts, legs),
        owner=Owner.STORAGE if first.kind is Kind.STORAGE else None,
    )


_CUT = "The connection from the server's side was cut."
_ORDERLY = "The answer ended in good order, so whoever sent it took it for whole."
