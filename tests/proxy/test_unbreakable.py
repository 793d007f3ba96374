"""Whatever regtrace does wrong, the push goes on, and the report says that something was missed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.hooks import all_hooks
from proxying import (
    UPLOAD,
    answer,
    client,
    digest,
    proxy,
    request_body,
    request_head,
    run,
    server,
    through,
)

from regtrace.proxy import guard, stream, suite
from regtrace.proxy.exit_status import ExitStatus
from regtrace.proxy.gateway import Inward, Outward
from regtrace.proxy.guard import guarded
from regtrace.proxy.onward import Onward
from regtrace.proxy.options import Options
from regtrace.proxy.story import Story

SUITE = tuple(type(addon) for addon in suite.addons())
ADDONS = (*SUITE, ExitStatus, Inward, Outward, Onward)
#: Where a bad option must be able to stop the start, and only there.
AT_START = {"load", "configure"}
LAYER = bytes(100_000)


def hooks_of(addon: type) -> Iterator[tuple[str, Any]]:
    for name in all_hooks:
        hook = inspect.getattr_static(addon, name, None)
        if hook is not None and not (addon is Options and name in AT_START):
            yield name, hook


@pytest.mark.parametrize("addon", ADDONS)
def test_every_hook_is_guarded(addon: type) -> None:
    for name, hook in hooks_of(addon):
        assert hasattr(hook, "__wrapped__"), f"{addon.__name__}.{name} has no guard"


def test_no_attribute_is_taken_for_a_hook() -> None:
    """mitmproxy calls whatever has the name of one."""
    for addon in suite.addons():
        assert not set(vars(addon)) & set(all_hooks), addon.name


@pytest.mark.parametrize("addon", ADDONS)
def test_no_property_is_read_when_the_addon_is_loaded(addon: type) -> None:
    """mitmproxy looks for commands in every attribute, properties included."""
    assert not inspect.getmembers(addon, lambda member: isinstance(member, property))


async def accepts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await request_head(reader)
    body = await request_body(reader, head)
    status = "202 Accepted" if len(body) == len(LAYER) else "400 Bad Request"
    writer.write(answer(status, f"Location: {UPLOAD}u-1"))
    await writer.drain()


def test_every_hook_raises_and_the_upload_succeeds(
    tmp_path: Path, confdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And other scripts see every event: all scripts hang below one element of the chain."""
    seen = tmp_path / "seen"
    hooks = ("requestheaders", "request", "responseheaders", "response", "done")
    other = tmp_path / "other.py"
    other.write_text(
        "def see(name):\n"
        "    def hook(*args):\n"
        f"        with open({str(seen)!r}, 'a') as file: file.write(name + ' ')\n"
        "    return hook\n"
        f"globals().update((name, see(name)) for name in {hooks})\n"
    )

    def raiser(original: Any) -> Any:
        if inspect.iscoroutinefunction(original):

            async def breaks(*args: Any) -> None:
                raise RuntimeError("a fault of ours")
        else:

            def breaks(*args: Any) -> None:
                raise RuntimeError("a fault of ours")

        breaks.__qualname__ = original.__qualname__
        return guarded(breaks)

    for addon in SUITE:
        for name, hook in hooks_of(addon):
            if (addon, name) not in {(Story, "running"), (Story, "done")}:
                monkeypatch.setattr(addon, name, raiser(hook))
    monkeypatch.setattr(stream, "Tally", None)

    async def story() -> None:
        async with (
            server(accepts) as port,
            proxy(tmp_path, confdir, beside=(other,)) as proxied,
        ):
            url = f"http://127.0.0.1:{port}{UPLOAD}u-1"
            status, _ = await client(lambda: through(proxied.port, url, "PATCH", body=LAYER))
        assert status == 202
        assert seen.read_text().split() == list(hooks)
        assert len(proxied.flows()) == 1
        missed = [entry["what"] for entry in proxied.report["not_seen"]]
        for hook in ("requestheaders", "request", "responseheaders", "response"):
            assert any(f".{hook}" in what for what in missed), hook

    run(story())


def test_a_fault_inside_is_told_without_what_was_on_the_wire(
    tmp_path: Path, confdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(self: stream.Tally, chunk: bytes) -> None:
        raise ValueError(f"secret {chunk!r}")

    monkeypatch.setattr(stream.Tally, "take", breaks)

    async def story() -> None:
        async with server(accepts) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}{UPLOAD}u-1"
            status, _ = await client(lambda: through(proxied.port, url, "PATCH", body=LAYER))
        assert status == 202
        (entry,) = [e for e in proxied.report["not_seen"] if "missed something" in e["what"]]
        assert "ValueError at test_unbreakable.py" in entry["what"]
        assert "secret" not in proxied.report_path.read_text()

    run(story())


def test_a_looker_that_breaks_looks_again(
    tmp_path: Path, confdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timer survives: what could not be told once is told the next time."""
    looks: list[float] = []
    again = asyncio.Event()

    @guarded
    def breaks(self: Story, now: float) -> bool:
        looks.append(now)
        if len(looks) > 1:
            again.set()
            return True
        raise RuntimeError

    monkeypatch.setattr(Story, "_tell_endings", breaks)
    monkeypatch.setattr("regtrace.proxy.story._TICK", 0.01)
    monkeypatch.setattr("regtrace.proxy.story._SOON", 0.01)

    async def story() -> None:
        async with server(accepts) as port, proxy(tmp_path, confdir) as proxied:
            await client(lambda: through(proxied.port, f"http://127.0.0.1:{port}/v2/"))
            await asyncio.wait_for(again.wait(), 10)
        assert proxied.report["verdict"]

    guard.reset()
    run(story())


def test_a_fault_of_ours_is_no_fault_of_the_server(
    tmp_path: Path, confdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer that could not be hashed did not arrive incomplete, nor with another digest."""

    def breaks(self: stream.Tally, chunk: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(stream.Tally, "take", breaks)

    async def sends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(answer("200 OK", body=LAYER))
        await writer.drain()

    async def story() -> None:
        async with server(sends) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}/v2/team/app/blobs/{digest(LAYER)}"
            assert await client(through, proxied.port, url) == (200, LAYER)
        assert proxied.report["findings"] == []
        (leg,) = proxied.report["legs"]
        assert (leg["status"], leg["response_bytes"]) == (200, None)
        (transfer,) = proxied.report["operations"][0]["transfers"]
        assert transfer["digest_verified"] is None

    run(story())
