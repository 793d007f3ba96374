"""The live story: told once, calmly, and not again when the script is loaded anew."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.test import taddons
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

from regtrace.proxy import voice
from regtrace.proxy.flows import NOTES
from regtrace.proxy.options import Options
from regtrace.report import output

MANIFEST = b'{"schemaVersion": 2}'
LINES = ("registry_live=lines",)


async def registry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await request_head(reader)
    await request_body(reader, head)
    status = "404 Not Found" if head.startswith(b"GET /other") else "201 Created"
    writer.write(answer(status))
    await writer.drain()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtrace.proxy.story._TICK", 0.01)
    monkeypatch.setattr("regtrace.proxy.story._SOON", 0.01)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Queue[str]:
    """What is printed, as it is printed."""
    printed: Queue[str] = Queue()
    monkeypatch.setattr(voice, "show", printed.put_nowait)
    return printed


def push_manifest(port: int, upstream: int, tag: str = "1") -> Any:
    url = f"http://127.0.0.1:{upstream}/v2/team/app/manifests/{tag}"
    json = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    return client(lambda: through(port, url, "PUT", body=MANIFEST, headers=json))


async def summary(shown: Queue[str]) -> str:
    while True:
        text = await asyncio.to_thread(shown.get, True, 10)
        if text.startswith(("OK  ", "FAILED  ", "NOTHING SEEN  ")):
            return text


def test_an_operation_is_summed_up_once_when_it_ends(
    tmp_path: Path, confdir: Path, shown: Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        written = asyncio.Event()
        loop = asyncio.get_running_loop()

        def write(*args: Any) -> None:
            output.write(*args)
            loop.call_soon_threadsafe(written.set)

        monkeypatch.setattr("regtrace.proxy.story.write", write)
        async with server(registry) as port, proxy(tmp_path, confdir, settings=LINES) as proxied:
            await push_manifest(proxied.port, port)
            assert "The push of team/app:1" in await summary(shown)
            await asyncio.wait_for(written.wait(), 10)
            assert proxied.report_path.is_file()
        assert not any("OK  " in shown.get_nowait() for _ in range(shown.qsize()))

    run(story())


def test_traffic_of_others_is_not_summed_up(
    tmp_path: Path, confdir: Path, shown: Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regtrace.proxy.story.has_ended", lambda operation, now: True)

    async def story() -> None:
        async with server(registry) as port, proxy(tmp_path, confdir, settings=LINES) as proxied:
            await client(lambda: through(proxied.port, f"http://127.0.0.1:{port}/other"))
        assert (await summary(shown)).startswith("NOTHING SEEN")
        assert shown.empty()

    run(story())


def test_nothing_is_told_twice_when_the_script_is_loaded_anew(
    tmp_path: Path, confdir: Path, shown: Queue[str]
) -> None:
    async def story() -> None:
        setting = (*LINES, "registry_exit_status=true")
        async with server(registry) as port, proxy(tmp_path, confdir, settings=setting) as proxied:
            addons = proxied.master.addons
            before = addons.get("regtrace-story")
            await push_manifest(proxied.port, port)
            await summary(shown)
            addons.get("scriptloader").addons[0].loadscript()
            assert addons.get("regtrace-story") is not before
            assert shown.empty()
            await push_manifest(proxied.port, port, "2")
            assert "The push of team/app:2" in await summary(shown)
        assert shown.empty()
        assert [op["reference"] for op in proxied.report["operations"]] == ["2"]

    run(story())


def test_an_upload_goes_on_while_the_script_is_loaded_anew(tmp_path: Path, confdir: Path) -> None:
    arrived, anew = asyncio.Event(), threading.Event()
    layer = bytes(range(256)) * 2_000

    async def stores(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        assert await reader.readexactly(1_000) == layer[:1_000]
        arrived.set()
        assert await reader.readexactly(len(layer) - 1_000) == layer[1_000:]
        writer.write(answer("202 Accepted" if head else ""))
        await writer.drain()

    def pieces() -> Iterator[bytes]:
        yield layer[:1_000]
        anew.wait(10)
        yield layer[1_000:]

    async def story() -> None:
        async with server(stores) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}{UPLOAD}u-1"
            length = {"Content-Length": str(len(layer))}

            def push() -> int:
                return through(proxied.port, url, "PATCH", body=pieces(), headers=length)[0]

            pushing = asyncio.ensure_future(client(push))
            await asyncio.wait_for(arrived.wait(), 10)
            proxied.master.addons.get("scriptloader").addons[0].loadscript()
            anew.set()
            assert await pushing == 202
        (flow,) = proxied.flows()
        assert flow.metadata[NOTES]["request_body"] == {
            "size": len(layer),
            "digest": digest(layer),
            "complete": True,
        }
        (leg,) = proxied.report["legs"]
        assert (leg["status"], leg["request_bytes"]) == (202, len(layer))
        assert not [lack for lack in proxied.report["not_seen"] if "missed" in lack["what"]]

    run(story())


def test_a_summary_that_the_gate_refuses(
    tmp_path: Path,
    confdir: Path,
    shown: Queue[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Suspicious(output.Gate):
        def leaks(self, output: str) -> tuple[str, ...]:
            return ("response.body.token",)

    async def story() -> None:
        async with server(registry) as port, proxy(tmp_path, confdir, settings=LINES) as proxied:
            await push_manifest(proxied.port, port)
            proxied.report_path.write_text('{"schema": "regtrace/report/1"}')
            monkeypatch.setattr(output, "Gate", Suspicious)
        assert shown.empty()
        said = capsys.readouterr().err
        assert "would show response.body.token" in said
        assert "team/app" not in said
        assert [path.name for path in tmp_path.glob(".*")] == []

    monkeypatch.setattr("regtrace.proxy.story._SOON", 60.0)
    run(story())


def test_an_early_upload_is_one_line_not_a_flood(
    tmp_path: Path, confdir: Path, shown: Queue[str]
) -> None:
    """Twenty uploads at once are read together, not one by one."""
    looks = 0

    async def story() -> None:
        nonlocal looks
        async with server(registry) as port, proxy(tmp_path, confdir) as proxied:
            story = proxied.master.addons.get("regtrace-story")
            look = story._look

            def counted() -> None:
                nonlocal looks
                looks += 1
                look()

            story._look = counted
            url = f"http://127.0.0.1:{port}{UPLOAD}"
            uploads = (
                client(lambda n=n: through(proxied.port, f"{url}u-{n}", "PATCH", body=b"x"))
                for n in range(20)
            )
            await asyncio.gather(*uploads)
        assert len(proxied.report["legs"]) == 20
        assert looks <= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regtrace.proxy.story._SOON", 5.0)
        run(story())


# --- options that are changed while mitmproxy runs


@pytest.mark.parametrize(
    "setting",
    [
        {"registry_live": "loud"},
        {"registry_share": "all"},
        {"registry_body_limit": -1},
        {"registry_report": ["push.pdf"]},
        {"registry_report": ["/nowhere/push.json"]},
    ],
)
def test_bad_values_are_refused(setting: dict[str, Any]) -> None:
    options = Options()
    with taddons.context(options) as context, pytest.raises(exceptions.OptionsError):
        context.configure(options, **setting)
