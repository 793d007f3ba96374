"""Whether a body has the digest that was asked for, as its receiver sees it."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from regtrace.wire.exchange import Body, Headers, Request, Response
from regtrace.wire.integrity import is_received_intact, is_sent_intact

BYTES = b"the layer"
NAMED = f"sha256:{hashlib.sha256(BYTES).hexdigest()}"
OTHER = f"sha256:{hashlib.sha256(b'another').hexdigest()}"


def received(
    digest: str | None = NAMED,
    *,
    method: str = "GET",
    status: int = 200,
    complete: bool = True,
    accepts: str | None = None,
    kept: bytes | None = None,
    **headers: str,
) -> bool | None:
    asked = [("Accept-Encoding", accepts)] if accepts is not None else []
    request = Request(
        method=method, scheme="https", host="registry.test", port=443, headers=Headers(asked)
    )
    came = [(name.replace("_", "-"), value) for name, value in headers.items()]
    body = Body(kept, len(BYTES), digest, complete)
    return is_received_intact(
        NAMED, request, Response(status=status, headers=Headers(came), body=body)
    )


def test_the_same_digest_and_another() -> None:
    assert received() is True
    assert received(OTHER) is False


@pytest.mark.parametrize(
    "unknown",
    [
        {"digest": None},
        {"complete": False},
        {"method": "HEAD"},
        {"status": 404},
        {"status": 206},
        {"digest": "sha512:" + "0" * 128},
        {"digest": OTHER, "Content_Encoding": "gzip"},
        {"digest": OTHER, "Content_Encoding": "br", "accepts": "br"},
    ],
    ids=["not hashed", "cut", "head", "refused", "a part", "algorithm", "unsaid", "not to undo"],
)
def test_what_tells_nothing(unknown: dict[str, str]) -> None:
    assert received(**unknown) is None  # type: ignore[arg-type]


def test_a_part_that_is_the_whole_tells() -> None:
    whole = f"bytes 0-{len(BYTES) - 1}/{len(BYTES)}"
    assert received(status=206, Content_Range=whole) is True
    assert received(OTHER, status=206, Content_Range=whole) is False
    assert received(OTHER, status=206, Content_Range=f"bytes 0-3/{len(BYTES)}") is None


def test_a_coding_counts_as_the_client_treats_it() -> None:
    packed = gzip.compress(BYTES)
    own = f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert received(own, Content_Encoding="gzip", accepts="gzip", kept=packed) is True
    assert received(own, Content_Encoding="gzip", accepts="identity", kept=packed) is False
    assert received(NAMED, Content_Encoding="gzip", accepts="identity") is True
    assert received(NAMED, Content_Encoding="gzip", accepts="zstd;q=1.0, gzip;q=0.8") is False
    assert received(NAMED, Content_Encoding="identity") is True


def test_a_digest_that_is_none_names_nothing() -> None:
    request = Request(method="PUT", scheme="https", host="registry.test", port=443)
    assert is_sent_intact("sha256:ABC", request) is None
