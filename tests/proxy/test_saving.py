"""The capture is whole however mitmproxy ends, and whatever becomes of the file."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import signal
import socket
import stat
import threading
from pathlib import Path

import pytest
from dumping import Mitmdump, registry
from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import taddons, tflow
from mitmproxy.version import VERSION
from proxying import UPLOAD, answer, client, proxy, request_body, request_head, run, server, through

from regtrace import __version__
from regtrace.proxy import saving
from regtrace.proxy.capture import Reader
from regtrace.proxy.flows import NOTES
from regtrace.proxy.options import Options
from regtrace.proxy.saving import Labelling, Steady
from regtrace.wire.exchange import Exchange


def push_manifest(port: int, registry: str, tag: int) -> int:
    headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    url = f"{registry}/v2/team/app/manifests/{tag}"
    return through(port, url, "PUT", body=b"{}" + b" " * 10_000, headers=headers)[0]


def read(capture: Path) -> list[Exchange]:
    with capture.open("rb") as stream:
        reader = Reader(str(capture), stream)
        exchanges = list(reader)
    assert reader.damage is None
    return exchanges


@pytest.mark.parametrize(
    ("end", "in_flight"),
    [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGKILL, 0), (signal.SIGHUP, 0)],
)
def test_the_end(tmp_path: Path, confdir: Path, end: signal.Signals, in_flight: int) -> None:
    """Of a killed proxy, only what was on its way is missing."""
    capture = tmp_path / "push.mitm"
    with registry() as serving:
        dump = Mitmdump(confdir, "-w", capture)
        for tag in range(5):
            assert push_manifest(dump.port, serving.url, tag) == 201
        with socket.create_connection(("127.0.0.1", dump.port)) as sock:
            sock.sendall(f"GET {serving.url}/v2/ HTTP/1.1\r\nHost: r\r\n\r\n".encode())
            assert serving.asked.wait(10)
            dump.end(end)
    exchanges = read(capture)
    assert sum(exchange.response is not None for exchange in exchanges) == 5
    assert sum(exchange.response is None for exchange in exchanges) == in_flight


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_in_mid_upload(tmp_path: Path, confdir: Path, end: signal.Signals) -> None:
    capture, report = tmp_path / "push.mitm", tmp_path / "push.json"
    with registry() as serving:
        dump = Mitmdump(confdir, "-w", capture, "--set", f"registry_report={report}")
        assert push_manifest(dump.port, serving.url, 1) == 201
        serving.sent.clear()
        with socket.create_connection(("127.0.0.1", dump.port)) as sock:
            head = f"PUT {serving.url}{UPLOAD}u-1 HTTP/1.1\r\nHost: r\r\nContent-Length: 9999"
            sock.sendall(head.encode() + b"\r\n\r\n" + bytes(2000))
            assert serving.sent.wait(10)
            dump.end(end)
    exchanges = read(capture)
    assert exchanges[0].response is not None
    if end is signal.SIGKILL:
        assert len(exchanges) == 1
        return
    assert (exchanges[1].request.body.size, exchanges[1].request.ended) == (2000, None)
    assert [leg["request_bytes"] for leg in json.loads(report.read_text())["legs"]][1] == 2000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk(tmp_path: Path, confdir: Path) -> None:
    """mitmproxy by itself would end, and the push with it."""
    report = tmp_path / "push.json"
    with registry() as serving:
        dump = Mitmdump(confdir, "-w", "/dev/full", "--set", f"registry_report={report}")
        for tag in range(3):
            assert push_manifest(dump.port, serving.url, tag) == 201
        _, stderr = dump.end()
    assert dump.process.returncode == 0
    assert stderr.count("the capture can't be written: No space left on device") == 1
    (lack,) = json.loads(report.read_text())["not_seen"]
    assert lack["what"] == "3 exchanges in the capture"
    assert "No space left on device" in lack["why"]


class _Full(io.FileIO):
    """A disk with so much room, which somebody makes more."""

    room = 1_000

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super().write(data[: self.room])
        self.room -= written
        return written


@pytest.mark.parametrize("mode", ["wb", "ab"])
def test_what_is_written_stays_readable(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "push.mitm"
    path.write_bytes(b"")
    lost: list[OSError] = []
    disk = _Full(path, mode)
    writer = FlowWriter(Steady(disk, lost.append))  # type: ignore[arg-type]
    flows = [tflow.tflow(resp=True) for _ in range(6)]
    disk.room = 10_000
    writer.add(flows[0])
    size = path.stat().st_size
    assert 0 < size < 10_000
    disk.room = size // 2
    writer.add(flows[1])
    writer.add(flows[2])
    disk.room = 100_000
    for flow in flows[3:]:
        writer.add(flow)
    with path.open("rb") as stream:
        found = [flow.id for flow in FlowReader(stream).stream()]
    assert found == [flow.id for flow in (flows[0], *flows[3:])]
    assert [fault.errno for fault in lost] == [errno.ENOSPC] * 2


def test_a_file_is_watched_by_the_script_that_runs(tmp_path: Path, confdir: Path) -> None:
    """Also when the script was loaded anew in between."""

    class Fails(io.FileIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def story() -> None:
        async with server(accepts) as port, proxy(tmp_path, confdir) as proxied:
            addons = proxied.master.addons
            addons.get("scriptloader").addons[0].loadscript()
            addons.get("save").stream.fo.file = Fails(tmp_path / "full", "w")
            patch = (through, proxied.port, f"http://127.0.0.1:{port}{UPLOAD}u-1", "PATCH")
            assert (await client(*patch))[0] == 202
        (lack,) = proxied.report["not_seen"]
        assert lack["what"] == "1 exchanges in the capture"

    run(story())


async def accepts(reader, writer) -> None:  # type: ignore[no-untyped-def]
    await request_body(reader, await request_head(reader))
    writer.write(answer("202 Accepted"))
    await writer.drain()


def test_a_place_for_the_next_file_that_is_gone(tmp_path: Path, confdir: Path) -> None:
    """-w with a date in its name begins a new file now and then."""

    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    there.mkdir()

    async def story() -> None:
        async with server(accepts) as port, proxy(there, confdir) as proxied:
            patch = (through, proxied.port, f"http://127.0.0.1:{port}{UPLOAD}u-1", "PATCH")
            there.rename(elsewhere)
            there.write_text("a file where the directory should be")
            proxied.master.addons.get("save").current_path = "the file of yesterday"
            assert (await client(*patch))[0] == 202
            there.unlink()
            elsewhere.rename(there)
            assert (await client(*patch))[0] == 202
        assert len(read(proxied.capture)) == 1
        (lack,) = proxied.report["not_seen"]
        assert lack["what"] == "1 exchanges in the capture"

    run(story())


def test_the_capture_says_what_made_it(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        async with server(accepts) as port, proxy(tmp_path, confdir) as proxied:
            for _ in range(2):
                await client(through, proxied.port, f"http://127.0.0.1:{port}/v2/")
        first, second = proxied.flows()
        made = {"regtrace": __version__, "mitmproxy": VERSION}
        assert first.metadata[NOTES]["recorded_by"] == made
        assert "recorded_by" not in second.metadata[NOTES]

    run(story())


LOGIN = "Basic " + base64.b64encode(b"alice-k3v9:pw-Qx7Zt2Lm9RkW").decode()


def test_a_capture_is_for_its_owner_alone(tmp_path: Path, confdir: Path) -> None:
    capture = tmp_path / "push.mitm"
    with registry() as serving:
        dump = Mitmdump(confdir, "-w", capture)
        assert push_manifest(dump.port, serving.url, 1) == 201
        dump.end(signal.SIGINT)
    assert stat.S_IMODE(capture.stat().st_mode) == 0o600


def test_labels_stand_in_the_capture_before_it_is_written(tmp_path: Path, confdir: Path) -> None:
    """What goes over the wire is what the client sent."""
    capture = tmp_path / "push.mitm"
    with registry() as serving:
        dump = Mitmdump(confdir, "-w", capture, "--set", "registry_redact=true")
        for tag in range(3):
            url = f"{serving.url}/v2/team/app/manifests/{tag}"
            headers = {"Authorization": LOGIN, "Content-Type": "application/json"}
            assert through(dump.port, url, "PUT", body=b'{"a":1}', headers=headers)[0] == 201
        dump.end(signal.SIGKILL)
    raw = capture.read_bytes()
    assert b"alice-k3v9" not in raw
    assert LOGIN.split()[1].encode() not in raw
    exchanges = read(capture)
    assert len(exchanges) == 3
    assert all(exchange.labelled for exchange in exchanges)
    said = {exchange.request.headers.get("Authorization") for exchange in exchanges}
    assert len(said) == 1
    scheme, _, packed = (said.pop() or "").partition(" ")
    user, _, password = base64.b64decode(packed).decode().partition(":")
    assert (scheme, user) == ("Basic", "user-1")
    assert password.startswith("password-")
    with capture.open("rb") as stream:
        assert len(list(FlowReader(stream).stream())) == 3


def test_what_cannot_be_redacted_is_left_out() -> None:
    lost: list[OSError] = []
    with taddons.context(Options()):
        file = io.BytesIO()
        steady = Labelling(file, lost.append)  # type: ignore[arg-type]
        steady.write(b"4:oops;")
    assert file.getvalue() == b""
    assert len(lost) == 1


def test_a_redacted_capture_has_the_same_labels_however_long_it_becomes() -> None:
    """Also when the proxy has forgotten the secrets that came first."""
    file = io.BytesIO()
    with taddons.context(Options()):
        labelling = Labelling(file, pytest.fail)  # type: ignore[arg-type]
        for number in range(1200):
            flow = tflow.tflow(resp=True)
            flow.request.headers["authorization"] = f"Bearer t0ken-{number % 600:04}-qX7zK2mW9"
            FlowWriter(labelling).add(flow)  # type: ignore[arg-type]
    raw = file.getvalue()
    assert b"qX7zK2mW9" not in raw
    said = [
        flow.request.headers["authorization"]
        for flow in FlowReader(io.BytesIO(raw)).stream()
        if isinstance(flow, HTTPFlow)
    ]
    assert said[:600] == said[600:]
    assert len(set(said)) == 600


def manifest(layers: int) -> HTTPFlow:
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.request.path = "/v2/team/app/manifests/1"
    flow.response.headers["content-type"] = "application/vnd.oci.image.manifest.v1+json"
    entries = [{"digest": f"sha256:{n:064x}", "size": n} for n in range(layers)]
    flow.response.content = json.dumps({"schemaVersion": 2, "layers": entries}).encode()
    return flow


def test_a_long_flow_is_redacted_aside_and_in_its_turn() -> None:
    file = io.BytesIO()
    file.close = lambda: None  # type: ignore[method-assign]
    flows = [manifest(layers) for layers in (1, 5_000, 1, 5_000, 1)]
    with taddons.context(Options()):
        labelling = Labelling(file, pytest.fail)  # type: ignore[arg-type]
        for flow in flows:
            FlowWriter(labelling).add(flow)  # type: ignore[arg-type]
            if flow is flows[0]:
                assert len(read_flows(file)) == 1  # there at once
        labelling.close()
    assert [flow.id for flow in read_flows(file)] == [flow.id for flow in flows]


def read_flows(file: io.BytesIO) -> list[Flow]:
    return list(FlowReader(io.BytesIO(file.getvalue())).stream())


def test_what_comes_faster_than_it_can_be_redacted_is_lost_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saving, "_MOST_WAITING", 1_000_000)
    lost: list[OSError] = []
    goes_on = threading.Event()
    file = io.BytesIO()
    file.close = lambda: None  # type: ignore[method-assign]
    with taddons.context(Options()):
        labelling = Labelling(file, lost.append)  # type: ignore[arg-type]
        labelling._aside.submit(goes_on.wait, 10)
        for _ in range(10):
            FlowWriter(labelling).add(manifest(5_000))  # type: ignore[arg-type]
        goes_on.set()
        labelling.close()
    assert 0 < len(lost) < 10
    assert len(read_flows(file)) == 10 - len(lost)
