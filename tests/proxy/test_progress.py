"""How far long transfers are: one calm line for all of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from proxying import UPLOAD, answer, client, proxy, request_body, request_head, run, server, through

from regtrace.proxy import voice
from regtrace.proxy.progress import Moving, progress_line

NOON = 1_768_478_400.0


@pytest.mark.parametrize(
    ("moving", "line"),
    [
        ([], None),
        ([Moving(NOON - 3, 5_000_000, None)], None),
        ([Moving(NOON - 30, 0, 5_000_000)], None),
        (
            [Moving(NOON - 30, 300_000_000, None)],
            "12:00:00  uploading: 1 blob, 300 MB, 10 MB/s, for 30.0 s",
        ),
        (
            [Moving(NOON - 30, 300_000_000, 600_000_000), Moving(NOON - 20, 100_000_000, 10**9)],
            "12:00:00  uploading: 2 blobs, 400 MB of 1.6 GB, 13.3 MB/s, for 30.0 s",
        ),
        (
            [Moving(NOON - 30, 300_000_000, 600_000_000), Moving(NOON - 20, 100_000_000, None)],
            "12:00:00  uploading: 2 blobs, 400 MB, 13.3 MB/s, for 30.0 s",
        ),
    ],
)
def test_one_line_for_all_that_takes_long(moving: list[Moving], line: str | None) -> None:
    said = progress_line("uploading", moving, NOON)
    assert (said and said.split("  ", 1)[1]) == (line and line.split("  ", 1)[1])


def test_a_long_upload_is_told_while_it_lasts(
    confdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it was too short still at the first look."""
    monkeypatch.setattr("regtrace.proxy.progress._LONG", 0.5)
    monkeypatch.setattr("regtrace.proxy.progress._EVERY", 60.0)
    monkeypatch.setattr("regtrace.proxy.progress._SOON", 0.05)
    said: list[str] = []
    monkeypatch.setattr(voice, "show", said.append)
    told = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        if head.startswith(b"GET"):
            writer.write(answer("401 Unauthorized"))
            await asyncio.sleep(0.2)
            return
        while not any("uploading: 1 blob" in line for line in said):
            await asyncio.sleep(0.01)
        told.set()
        await request_body(reader, head)
        writer.write(answer("202 Accepted"))
        await writer.drain()

    async def story() -> None:
        async with (
            server(slow) as upstream,
            proxy(tmp_path, confdir, settings=("registry_live=lines",)) as proxied,
        ):
            await client(through, proxied.port, f"http://127.0.0.1:{upstream}/v2/")
            url = f"http://127.0.0.1:{upstream}{UPLOAD}u1"
            body: Any = bytes(20_000_000)
            await client(lambda: through(proxied.port, url, "PATCH", body=body))
            assert told.is_set()

    run(story())
    assert any("1 blob" in line and "of 20 MB" in line for line in said)
