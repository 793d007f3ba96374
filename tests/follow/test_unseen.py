"""What is missing from a capture is a fact of the operation, not a failure of it."""

from __future__ import annotations

from regtrace.follow.story import Blind
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation


def blind_spots(story: str, *, without: str = "") -> list[Blind]:
    legs = [decode(exchange) for exchange in read_notation(story) if exchange.id != without]
    (operation,) = tell(legs)
    return [spot.blind for spot in operation.unseen]


PULL = """
client skopeo/1.14
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 200
"""


def test_nothing_is_missing_from_a_whole_pull() -> None:
    assert blind_spots(PULL) == []


def test_a_token_that_was_used_and_never_fetched() -> None:
    assert blind_spots(PULL, without="line-4") == [Blind.TOKEN]


def test_a_token_from_before_the_capture_began() -> None:
    """The client had it already: nothing in this operation made it fetch one."""
    legs = [decode(exchange) for exchange in read_notation(PULL)]
    (operation,) = tell(leg for leg in legs if leg.id not in {"line-3", "line-4"})
    assert any(leg.bearer for leg in operation.legs)
    assert operation.unseen == ()


def test_a_redirect_that_was_not_followed() -> None:
    assert blind_spots(PULL, without="line-7") == [Blind.REDIRECT]


def test_a_storage_that_was_asked_without_a_redirect() -> None:
    assert blind_spots(PULL, without="line-6") == [Blind.WAY_TO_STORAGE]


def test_a_redirect_to_a_host_that_the_client_could_not_reach() -> None:
    told = PULL.replace("307 s3", "307 https://cdn.test/L1").rpartition("GET s3")[0]
    assert blind_spots(told) == [Blind.REDIRECT]
    assert blind_spots(f"{told}CONNECT cdn.test:443 -> ! [Errno 111] Connect call failed") == []


def test_a_token_that_only_a_storage_was_sent() -> None:
    """It was not fetched for the registry: whatever it is, no token of its is missing."""
    assert blind_spots(f"{PULL}  > Authorization: Bearer another") == []


def test_a_capture_that_ends_at_the_challenge() -> None:
    assert blind_spots("client skopeo/1.14\nGET /v2/ -> 401") == [Blind.LOGIN]


def test_an_upload_that_goes_on_at_a_loopback_name() -> None:
    story = """
        client docker/20.10.24
        GET /v2/                     -> 401
        token push,pull team/app     -> 200
        POST uploads                 -> 202
          < Location: http://localhost:5000/v2/team/app/blobs/uploads/u1
        """
    assert blind_spots(story) == [Blind.UPLOAD]
    assert blind_spots(story.replace("localhost", "registry.test")) == []
