"""What was seen so far is bounded, counts each flow once, and never gives up what is on its way."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from regtrace.proxy.history import History, bytes_held, exchanges_of, lightened
from regtrace.wire.exchange import Body, Exchange, Headers, Request, Response

DAY = 86_400.0


def get(n: int, started: float, *, answered: bool = True, path: str | None = None) -> Exchange:
    request = Request(
        method="GET",
        scheme="https",
        host="registry.test",
        port=443,
        target=path or f"/v2/team/app-{n}/manifests/1",
        headers=Headers([("User-Agent", "docker/20.10.24")]),
        started=started,
        ended=started,
    )
    response = Response(status=404, body=Body.of(b"{}"), started=started, ended=started + 1)
    return Exchange(id=f"leg-{n}", request=request, response=response if answered else None)


def test_a_running_proxy_keeps_the_last_legs_and_says_so() -> None:
    history = History()
    history.bound(10)
    for n in range(1_000):
        history.add(get(n, n * 600.0))
        if history.crowded:
            history.retire()
    history.retire(1_000 * 600.0)
    assert len(exchanges_of(history.tellings())) <= 10
    assert history.cut == 990
    assert history.failed
    assert history.flows == 1_000
    (lack,) = history.lacks()
    assert lack.what == "990 earlier operations"


def test_a_file_is_kept_whole() -> None:
    history = History()
    for n in range(600):
        history.add(get(n, n * 600.0))
        if history.crowded:
            history.retire()
    assert len(list(history.tellings())) == 600
    assert not list(history.lacks())


def test_a_layer_may_take_longer_than_any_silence() -> None:
    history = History()
    history.add(get(1, 0.0, answered=False))
    assert not history.retire(1_800.0)
    history.add(get(1, 0.0))
    (operation,) = history.retire(DAY)
    assert [leg.id for leg in operation.legs] == ["leg-1"]


def test_the_second_copy_of_a_flow_counts_once() -> None:
    history = History()
    history.add(get(1, 0.0))
    history.retire(DAY)
    history.add(get(1, 0.0))
    assert history.flows == 1
    assert len(list(history.tellings())) == 1


def test_traffic_of_others_is_not_kept() -> None:
    history = History()
    history.add(get(1, 0.0, path="/index.html"))
    history.retire(DAY)
    assert not list(history.tellings())


def test_a_message_that_is_too_long_is_kept_without_what_is_long_in_it() -> None:
    exchange = get(1, 0.0, path="/v2/?" + "a" * 9_000)
    long = replace(
        exchange,
        request=replace(
            exchange.request,
            headers=Headers([("X-Long", "x" * 9_000), ("User-Agent", "docker/20.10.24")]),
            body=Body.of(b"y" * 9_000),
        ),
    )
    light = lightened(long, 1_000)
    assert bytes_held(long) > 27_000
    assert bytes_held(light) < 2_100
    assert list(light.request.headers) == [("User-Agent", "docker/20.10.24")]
    assert light.request.body == Body(None, 9_000)
    assert light.request.target.startswith("/v2/?aaa")
    assert light.response == long.response


@pytest.mark.parametrize("targets", [1, 2, 1_000_000], ids=["itself", "a circle", "ever on"])
def test_redirects_without_an_end(targets: int) -> None:
    """They are told as one operation, in a time that grows no faster than their number."""

    def cost(count: int) -> float:
        history = History()
        for n in range(count):
            path = f"/v2/team/app/blobs/sha256:{'a' * 64}?n={n % targets}"
            leads = f"https://registry.test{path.partition('?')[0]}?n={(n + 1) % targets}"
            exchange = get(n, float(n) / 100, path=path)
            response = Response(status=307, headers=Headers([("Location", leads)]), ended=n / 100)
            history.add(replace(exchange, response=response))
        began = time.process_time()
        (telling,) = history.tellings()
        assert len(telling.operation.legs) == count
        return time.process_time() - began

    few = min(cost(250) for _ in range(3))
    assert cost(2_000) < 4 * 8 * few + 0.05
