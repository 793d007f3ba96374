"""What holds for any traffic: nothing is lost or told twice, and only what was said matters.

Over interleaved stories that hypothesis puts together, and over every capture in the repository.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regtrace.follow.story import Operation
from regtrace.follow.tracker import Tracker, tell
from regtrace.proxy.capture import Reader
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Exchange, Headers
from regtrace.wire.notation import read_notation

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.mitm"))

#: Stories of one client each; ``{who}`` is its declaration and ``{repo}`` its repository.
STORIES = (
    """
    client docker/20.10.24{who}
    repository {repo}
    GET /v2/ -> 401
    token push,pull {repo} -> 200
    POST uploads -> 202
    & POST uploads -> 202
    PATCH u1 5MB -> 202
    & PATCH u2 5MB -> 502 nginx
    PUT u1 L1 -> 201
    HEAD blob L1 -> 307 s3
    HEAD s3 L1 -> 200
    +5s POST uploads -> 202
    PATCH u3 5MB -> 202
    PUT u3 L2 -> 201
    HEAD blob L2 -> 200
    PUT manifest 1 [cfg L1 L2] -> 201
    """,
    """
    client docker-containerd/29.1.0{who}
    repository {repo}
    HEAD blob L1 -> 401
    & HEAD blob cfg c=2 -> 401
    token push,pull {repo} -> 200
    HEAD blob L1 -> 404
    & HEAD blob cfg c=2 -> 404
    POST uploads -> 202
    & POST uploads c=2 -> 202
    PUT u1 L1 body=L1 -> 201
    & PUT u2 cfg body=cfg c=2 -> 403
    """,
    """
    client podman/5.29.2{who}
    repository {repo}
    GET /v2/ -> 401
    token pull,push {repo} -> 200
    HEAD blob L1 -> 404
    token pull base/app -> 200
    HEAD blob L1 in=base/app -> 200
    POST uploads mount=L1 from=base/app -> 202
    DELETE u1 -> 405
    POST uploads -> 202
    PATCH u2 L1 -> 202
    PUT u2 L1 -> 201
    PUT manifest 1 [cfg L1] -> 201
    """,
    """
    client containerd/1.7.20{who}
    repository {repo}
    HEAD manifest 1 [cfg L1] -> 401
    token pull {repo} -> 200
    HEAD manifest 1 [cfg L1] -> 200
    GET manifest 1 [cfg L1] -> 200
    GET blob L1 -> 307 s3
    & GET blob cfg c=2 -> 200
    GET s3 L1 -> 200 ! server closed connection
    GET blob L1 range=100- -> 307 s3
    GET s3 L1 range=100- -> 206
    """,
    """
    client docker/24.0.7{who}
    GET /v2/ -> 401
    token -> 401
    CONNECT auth.test:443 -> ! Connect call failed
    """,
    """
    registry https://ecr.test basic
    client docker/24.0.7{who}
    repository {repo}
    GET /v2/ -> 401
    HEAD blob L1 -> 404
    POST uploads -> 202
    PATCH u1 5MB -> 202
    PUT u1 L1 -> 201
    PUT manifest 1 [cfg L1] -> 201
    PUT manifest 2 [cfg L1] -> 201
    """,
)


@st.composite
def traffic(draw: st.DrawFn) -> list[Exchange]:
    """Several stories that run into each other: each begins somewhere in the first minutes."""
    exchanges: list[Exchange] = []
    for number in range(draw(st.integers(1, 5))):
        story = draw(st.sampled_from(STORIES))
        who = draw(st.sampled_from(["", " from 10.0.0.8", " from ?"]))
        repo = draw(st.sampled_from(["team/app", "team/web"]))
        begins = draw(st.integers(0, 400_000)) / 1000
        exchanges += [
            _shifted(_renamed_ids(exchange, f"{number}-"), begins)
            for exchange in read_notation(story.format(who=who, repo=repo))
        ]
    return exchanges


def _renamed_ids(exchange: Exchange, prefix: str) -> Exchange:
    """The same traffic of another process: other flows, other sessions, other tokens."""
    connection = exchange.connection
    named = replace(connection, id=prefix + connection.id if connection.id else "")
    return _replaced(replace(exchange, id=prefix + exchange.id, connection=named), prefix)


def _replaced(exchange: Exchange, prefix: str) -> Exchange:
    def changed(text: str) -> str:
        return text.replace("uploads/", f"uploads/{prefix}") if "uploads/" in text else text

    def fields(headers: Headers) -> Headers:
        renamed = []
        for name, value in headers:
            if name == "Docker-Upload-UUID":
                value = prefix + value
            elif name == "Location" and "/uploads/" in value:
                value = changed(value)
            renamed.append((name, value))
        return Headers(renamed)

    request, response = exchange.request, exchange.response
    target = request.target
    if "/blobs/uploads/" in target and not target.partition("?")[0].endswith("/uploads/"):
        target = changed(target)
    request = replace(request, target=target)
    if response is not None:
        response = replace(response, headers=fields(response.headers))
    return replace(exchange, request=request, response=response)


def _shifted(exchange: Exchange, by: float) -> Exchange:
    request, response = exchange.request, exchange.response
    request = replace(
        request,
        started=request.started + by,
        ended=None if request.ended is None else request.ended + by,
    )
    if response is not None:
        response = replace(
            response,
            started=response.started + by,
            ended=None if response.ended is None else response.ended + by,
        )
    error_at = None if exchange.error_at is None else exchange.error_at + by
    return replace(exchange, request=request, response=response, error_at=error_at)


def tracked(exchanges: Sequence[Exchange]) -> tuple[Operation, ...]:
    tracker = Tracker()
    for exchange in exchanges:
        tracker.feed(decode(exchange))
    return tracker.finish()


def outline(operations: Sequence[Operation]) -> list[tuple[object, ...]]:
    """What is said, without times and names."""
    return [
        (
            operation.kind,
            operation.ending,
            [(t.kind, t.fate, t.attempts, [leg.id for leg in t.legs]) for t in operation.transfers],
            [leg.id for chain in operation.session for leg in chain.legs],
        )
        for operation in operations
    ]


def assert_nothing_lost(exchanges: Sequence[Exchange], operations: Sequence[Operation]) -> None:
    told = Counter(leg.id for operation in operations for leg in operation.legs)
    assert told == Counter(exchange.id for exchange in exchanges)
    for operation in operations:
        in_transfers = Counter(leg.id for t in operation.transfers for leg in t.legs)
        assert not [name for name, count in in_transfers.items() if count > 1]
        assert all(transfer.chains for transfer in operation.transfers)
        assert set(operation.retry_of) <= {leg.id for leg in operation.legs}


def assert_order_does_not_matter(exchanges: Sequence[Exchange], seed: int) -> None:
    shuffled = list(exchanges)
    random.Random(seed).shuffle(shuffled)
    assert tracked(shuffled) == tracked(exchanges)


def assert_splitting_does_not_matter(exchanges: Sequence[Exchange], at: int) -> None:
    tracker = Tracker()
    for exchange in exchanges[:at]:
        tracker.feed(decode(exchange))
    tracker.operations()
    tracker.retire()
    early = tracker.retire()
    for exchange in exchanges[at:]:
        tracker.feed(decode(exchange))
    assert [*early, *tracker.finish()] == list(tracked(exchanges))


def assert_times_do_not_matter(exchanges: Sequence[Exchange]) -> None:
    # A power of two, so that no difference of times is rounded otherwise.
    later = [_shifted(exchange, 2.0**20) for exchange in exchanges]
    assert outline(tracked(later)) == outline(tracked(exchanges))


def assert_fed_twice_counts_once(exchanges: Sequence[Exchange]) -> None:
    tracker = Tracker()
    for exchange in exchanges:
        tracker.feed(decode(replace(exchange, response=None, error=None, error_at=None)))
        tracker.operations()
        tracker.feed(decode(exchange))
    assert tracker.finish() == tracked(exchanges)


WHOLE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@given(traffic())
@WHOLE
def test_every_leg_is_told_once(exchanges: list[Exchange]) -> None:
    assert_nothing_lost(exchanges, tracked(exchanges))


@given(traffic(), st.integers(0, 2**16))
@WHOLE
def test_the_order_of_feeding_does_not_matter(exchanges: list[Exchange], seed: int) -> None:
    assert_order_does_not_matter(exchanges, seed)


@given(traffic(), st.integers(0, 60))
@WHOLE
def test_a_stream_may_be_read_in_between(exchanges: list[Exchange], at: int) -> None:
    exchanges.sort(key=lambda exchange: exchange.started)
    tracker = Tracker()
    for exchange in exchanges[:at]:
        tracker.feed(decode(exchange))
    tracker.operations()
    for exchange in exchanges[at:]:
        tracker.feed(decode(exchange))
    assert tracker.finish() == tracked(exchanges)


@given(traffic())
@WHOLE
def test_only_differences_of_times_matter(exchanges: list[Exchange]) -> None:
    assert_times_do_not_matter(exchanges)


@given(traffic())
@WHOLE
def test_names_do_not_matter(exchanges: list[Exchange]) -> None:
    operations = tracked(exchanges)
    names = {"team/app": "x/renamed", "registry.test": "r.example", "auth.test": "tokens.example"}
    renamed = tracked([_with_names(exchange, names) for exchange in exchanges])
    assert outline(renamed) == outline(operations)
    assert [op.repository for op in renamed] == [
        names.get(op.repository or "", op.repository) for op in operations
    ]


def _with_names(exchange: Exchange, names: dict[str, str]) -> Exchange:
    """Names in clear places; tokens and ``_state`` name things too, and are left out."""

    def changed(text: str) -> str:
        for old, new in names.items():
            text = text.replace(old, new).replace(old.replace("/", "%2F"), new.replace("/", "%2F"))
        return text.partition("_state=")[0]

    def fields(headers: Headers) -> Headers:
        return Headers((name, changed(value)) for name, value in headers)

    request, response = exchange.request, exchange.response
    digest = request.target.partition("&digest=")[2]
    target = changed(request.target) + (f"&digest={digest}" if digest else "")
    request = replace(
        request, host=changed(request.host), target=target, headers=fields(request.headers)
    )
    if response is not None:
        response = replace(response, headers=fields(response.headers))
    return replace(exchange, request=request, response=response)


@given(traffic())
@settings(WHOLE, max_examples=20)
def test_a_leg_that_comes_in_two_parts_counts_once(exchanges: list[Exchange]) -> None:
    assert_fed_twice_counts_once(exchanges)


@given(traffic())
@WHOLE
def test_retiring_in_between_loses_nothing(exchanges: list[Exchange]) -> None:
    exchanges.sort(key=lambda exchange: exchange.started)
    tracker = Tracker()
    told: list[Operation] = []
    for exchange in exchanges:
        tracker.feed(decode(exchange))
        told += tracker.retire()
    told += tracker.finish()
    assert_nothing_lost(exchanges, told)
    assert sorted(map(repr, outline(told))) == sorted(map(repr, outline(tracked(exchanges))))


@pytest.fixture(params=CAPTURES, ids=lambda path: path.stem)
def captured(request: pytest.FixtureRequest) -> list[Exchange]:
    """Each exchange once: mitmproxy saves one twice whose answer came before the request's end."""
    with request.param.open("rb") as stream:
        exchanges = list(Reader(request.param.name, stream))
    return list({exchange.id: exchange for exchange in exchanges}.values())


def test_captures(captured: list[Exchange]) -> None:
    operations = tracked(captured)
    assert operations == tell(decode(exchange) for exchange in captured)
    assert_nothing_lost(captured, operations)
    assert_order_does_not_matter(captured, 1)
    assert_times_do_not_matter(captured)
    assert_fed_twice_counts_once(captured)
    for at in range(0, len(captured), 5):
        assert_splitting_does_not_matter(captured, at)
