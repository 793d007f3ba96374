"""Whether the bytes that passed are those that were named, in both directions."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace

from regtrace.follow.life import Ending, Fate
from regtrace.follow.story import Operation
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Body, Headers
from regtrace.wire.notation import read_notation

PUSH = "client crane/0.19.1\nGET /v2/ -> 401\ntoken push,pull team/app -> 200\n"
PULL = "client crane/0.19.1\nGET /v2/ -> 401\ntoken pull team/app -> 200\n"


def told(story: str) -> Operation:
    (operation,) = tell([decode(exchange) for exchange in read_notation(story)])
    return operation


def verified(story: str) -> bool | None:
    """Of the first transfer."""
    return told(story).transfers[0].digest_verified


def test_an_upload_in_one_chunk_is_known() -> None:
    assert verified(PUSH + "POST uploads -> 202\nPATCH u1 L1 -> 202\nPUT u1 L1 -> 201") is True
    assert verified(PUSH + "POST uploads -> 202\nPATCH u1 L9 -> 202\nPUT u1 L1 -> 400") is False


def test_an_upload_in_several_chunks_is_not() -> None:
    chunks = "POST uploads -> 202\nPATCH u1 L9 -> 202\nPATCH u1 L8 -> 202\nPUT u1 L1 -> 201"
    assert verified(PUSH + chunks) is None
    last_in_the_commit = "POST uploads -> 202\nPATCH u1 L9 -> 202\nPUT u1 L1 body=L8 -> 201"
    assert verified(PUSH + last_in_the_commit) is None


def test_a_chunk_that_wanted_a_login_does_not_count() -> None:
    story = PUSH + "POST uploads -> 202\nPATCH u1 L1 -> 401\nPATCH u1 L1 -> 202\nPUT u1 L1 -> 201"
    assert verified(story) is True


def test_a_commit_that_is_sent_again_is_whole_each_time() -> None:
    story = PUSH + "POST uploads -> 202\nPUT u1 L1 body=L9 -> 500\nPUT u1 L1 body=L1 -> 201"
    assert verified(story) is True


def test_an_upload_that_began_before_the_capture_is_not_known() -> None:
    """What was seen may be its last chunk only."""
    exchanges = read_notation(PUSH + "POST uploads -> 202\nPATCH u1 L9 -> 202\nPUT u1 L1 -> 201")
    (operation,) = tell([decode(each) for each in exchanges if each.request.method != "POST"])
    assert operation.transfers[0].digest_verified is None


def test_a_download_is_known_wherever_it_comes_from() -> None:
    assert verified(PULL + "GET blob L1 -> 200") is True
    assert verified(PULL + "GET blob L1 -> 307 s3\nGET s3 L1 -> 200") is True
    assert verified(PULL + "GET blob L1 -> 307 s3\nGET s3 L1 -> 200 body=L9") is False


def test_the_registry_is_asked_for_the_digest_not_the_storage() -> None:
    """The storage's path may name anything."""
    story = (
        "storage other https://cdn.test/opaque signed=cloudfront\n"
        + PULL
        + "GET blob L1 -> 307 https://cdn.test/opaque/object-7\n"
        + "GET https://cdn.test/opaque/object-7 -> 200 body=L9\n  << bytes of something else\n"
    )
    assert verified(story) is False


def test_a_part_is_known_when_it_is_the_whole() -> None:
    assert verified(PULL + "GET blob L1 range=0- -> 206 body=L1") is True
    assert verified(PULL + "GET blob L1 range=100- -> 206 body=L9") is None


def test_a_head_and_a_cut_download_prove_nothing() -> None:
    assert verified(PULL + "HEAD blob L1 -> 200") is None
    assert verified(PULL + "GET blob L1 -> 200 ! server closed connection") is None


def test_a_coding_that_was_asked_for_hides_the_digest() -> None:
    packed = "  > Accept-Encoding: gzip\n  < Content-Encoding: gzip\n"
    assert verified(PULL + "GET blob L1 -> 200 body=L9\n" + packed) is None
    unasked = "  > Accept-Encoding: identity\n  < Content-Encoding: gzip\n"
    assert verified(PULL + "GET blob L1 -> 200 body=L9\n" + unasked) is False
    assert verified(PULL + "GET blob L1 -> 200 body=L1\n" + unasked) is True


def test_a_packed_manifest_is_unpacked_first() -> None:
    """Go's clients ask for gzip by themselves and count the digest of what they unpack."""
    story = "image M1 = cfg L1\n" + PULL + "GET manifest @M1 -> 200\n  > Accept-Encoding: gzip\n"
    *before, plain = read_notation(story)
    assert plain.response is not None
    content = gzip.compress(plain.response.body.kept or b"")
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    headers = Headers([*plain.response.headers, ("Content-Encoding", "gzip")])
    body = Body(content, len(content), digest)
    packed = replace(plain, response=replace(plain.response, headers=headers, body=body))
    (operation,) = tell([decode(each) for each in (*before, packed)])
    assert operation.transfers[0].digest_verified is True


def test_of_a_schema_1_manifest_nothing_is_known() -> None:
    old = (
        "GET manifest @M1 -> 200\n"
        "  < Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws\n"
        '  << {"schemaVersion": 1, "fsLayers": [], "signatures": []}\n'
    )
    assert verified("image M1 = cfg L1\n" + PULL + old) is None


def test_a_manifest_is_held_against_its_path_then_the_header() -> None:
    wrong = f"  < Docker-Content-Digest: sha256:{'0' * 64}\n"
    assert verified(PULL + "GET manifest 1 [cfg L1] -> 200") is True
    assert verified(PULL + "GET manifest 1 [cfg L1] -> 200\n" + wrong) is False
    assert verified("image M1 = cfg L1\n" + PULL + "GET manifest @M1 -> 200\n" + wrong) is True
    assert verified(PUSH + "PUT manifest 1 [cfg L1] -> 201\n" + wrong) is False


def test_wrong_bytes_are_no_download() -> None:
    """Every client counts the digest: a 200 with other bytes fails the pull, until they come."""
    read = (
        PULL + "GET manifest 1 [cfg L1] -> 200\nGET blob cfg -> 200\nGET blob L1 -> 200 body=L9\n"
    )
    failed = told(read)
    assert failed.ending is Ending.FAILED
    assert [t.fate for t in failed.transfers] == [Fate.DOWNLOADED, Fate.DOWNLOADED, Fate.FAILED]
    mended = told(read + "+1s GET blob L1 -> 200")
    assert mended.ending is Ending.OK
    assert mended.transfers[2].attempts == 2


def test_a_blobs_head_without_a_length_stops_docker_and_not_crane() -> None:
    story = "{}\nGET /v2/ -> 401\ntoken push,pull team/app -> 200\nHEAD blob L1 -> 200\n"
    story += "  < -Content-Length\n"
    assert told(story.format("client podman/5.29.2")).ending is Ending.FAILED
    assert told(story.format("client crane/0.19.1")).ending is Ending.INCOMPLETE
