"""``mitmdump -s addons/registry.py`` as a process: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from mitmproxy.hooks import all_hooks
from mitmproxy.test import taddons
from mitmproxy.version import VERSION

from regtrace import cli
from regtrace.diagnose.user_rules.read import EXAMPLE
from regtrace.setup.script import addon_path

ROOT = Path(__file__).parents[2]
ADDON = ROOT / "addons" / "registry.py"
FAILED = ROOT / "captures" / "docker-push-s3-403.mitm"
GOOD = ROOT / "captures" / "docker-push-ok.mitm"
PATIENCE = 30
MITMDUMP = (sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()")


@pytest.fixture(scope="module")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("confdir")


@pytest.fixture
def command(confdir: Path) -> list[str]:
    return [*MITMDUMP, "--set", f"confdir={confdir}"]


def ended(
    command: list[str], *more: str | Path, cwd: Path = ROOT, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *map(str, more)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **env},
        check=False,
    )


def test_quiet_keeps_our_report(command: list[str], tmp_path: Path) -> None:
    report = tmp_path / "push.json"
    done = ended(command, "-q", "-nr", FAILED, "-s", ADDON, "--set", f"registry_report={report}")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("FAILED  The push of team/app")
    assert done.stdout.count("storage-403-on-head") == 1
    capture = json.loads(report.read_text())["capture"]
    assert (capture["name"], capture["mode"]) == (FAILED.name, "replay")


@pytest.mark.parametrize(("capture", "status"), [(FAILED, 1), (GOOD, 0)])
def test_exit_status(command: list[str], capture: Path, status: int) -> None:
    wanted = ("--set", "registry_exit_status", "--set", "registry_live=off")
    done = ended(command, "-q", "-nr", capture, "-s", ADDON, *wanted)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_what_the_site_accepts_and_its_own_rules(command: list[str], tmp_path: Path) -> None:
    """The exit status does not count what is suppressed, and own rules speak too."""
    site, report = tmp_path / "site.conf", tmp_path / "push.json"
    site.write_text("suppress: [{rule: RT412, reason: known for long, until: 2026-12-31}]")
    own = EXAMPLE.partition("when:")[0] + "when: leg.kind == 'storage'\n"
    (tmp_path / "own.yaml").write_text(own + "fires: GET /v2/ -> 401\nsilent: GET /v2/ -> 401\n")
    options = ("registry_exit_status", f"registry_config={site}", f"registry_report={report}")
    settings = [word for option in options for word in ("--set", option)]
    done = ended(command, "-q", "-nr", FAILED, "-s", ADDON, *settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("FAILED  The push of team/app")
    done = ended(
        command, "-nr", FAILED, "-s", ADDON, *settings, "--set", f"registry_rules={tmp_path}"
    )
    assert done.returncode == 1
    rules = {f["rule"]: f["suppressed"] for f in json.loads(report.read_text())["findings"]}
    assert rules["RT412"] == {"reason": "known for long", "until": "2026-12-31"}
    assert rules["acme/quota"] is None


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("registry_body_limit=abc", "registry_body_limit: "),
        ("registry_lvie=off", "unknown option registry_lvie; did you mean registry_live?"),
        ("registry_case=../x", "registry_case: the name of a case has letters, digits"),
        ("registry_share=all", "registry_share=all: use one of public, vendor, internal"),
        ("registry_config=no/site.yml", "no/site.yml: can't be read: no such file or directory"),
        ("registry_rules=no/rules", "no/rules: no such file or directory; name a directory"),
    ],
)
def test_a_bad_option_stops_the_start(command: list[str], setting: str, says: str) -> None:
    done = ended(command, "-q", "-nr", FAILED, "-s", ADDON, "--set", setting)
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert says in line


@pytest.mark.parametrize("setting", ["registry_body_limit=abc", "registry_lvie=off"])
def test_a_bad_option_stops_a_live_proxy_too(command: list[str], setting: str) -> None:
    """mitmproxy by itself goes on without the script, and says nothing."""
    listen = ("--listen-host", "127.0.0.1", "-p", "0")
    done = ended(command, *listen, "-s", ADDON, "--set", setting)
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if "regtrace" in line)
    assert setting.partition("=")[0] in line
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("registry_body_limit: abc", "registry_body_limit: "),
        ("registry_live: [auto]", "registry_live: "),
        ("registry_report: push.json", "registry_report: "),
        ("registry_lvie: auto", "did you mean registry_live?"),
    ],
)
def test_a_bad_option_in_the_configuration_file(tmp_path: Path, setting: str, says: str) -> None:
    (tmp_path / "config.yaml").write_text(setting)
    command = [*MITMDUMP, "--set", f"confdir={tmp_path}"]
    done = ended(command, "-q", "-nr", GOOD, "-s", ADDON)
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert says in line


@pytest.mark.parametrize(
    ("cwd", "script"), [(ROOT, "addons/registry.py"), (ADDON.parent, "registry.py")]
)
def test_from_wherever_it_is_loaded(
    command: list[str], tmp_path: Path, cwd: Path, script: str
) -> None:
    """mitmproxy puts the script's folder on the path as it was typed; then somebody goes away."""
    leaves = tmp_path / "leaves.py"
    leaves.write_text("import os\ndef running(): os.chdir('/')\n")
    report = tmp_path / "push.html"
    options = ("--set", f"registry_report={report}", "--set", "registry_share=public")
    done = ended(command, "-q", "-s", leaves, "-s", script, "-nr", GOOD, *options, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("OK  The push")
    assert report.is_file()


def test_nothing_beside_the_script_hides_a_module_of_others() -> None:
    """Its folder comes first on the path of the whole process."""
    beside = {path.stem for path in ADDON.parent.iterdir() if path.suffix in {"", ".py"}}
    assert beside - {"__pycache__"} == {"registry", "regtrace"}


def test_no_name_in_the_script_is_taken_for_a_hook() -> None:
    with taddons.context():
        names = set(runpy.run_path(str(ADDON)))
    assert {"addons", "suite"} <= names
    assert not names & set(all_hooks)


def test_a_report_does_not_replace_a_file_of_others(command: list[str], tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("my own")
    done = ended(command, "-q", "-nr", GOOD, "-s", ADDON, "--set", f"registry_report={notes}")
    assert done.returncode == 1
    assert "is not replaced" in done.stdout
    assert notes.read_text() == "my own"


def test_beside_another_script(command: list[str], tmp_path: Path) -> None:
    """Two scripts see the same flows; the same suite twice is refused in words."""
    other = tmp_path / "other.py"
    other.write_text(
        "seen = []\n"
        "def response(flow): seen.append(flow)\n"
        "def done(): print('other saw', len(seen))\n"
    )
    done = ended(command, "-q", "-nr", GOOD, "-s", ADDON, "-s", other)
    assert done.returncode == 0
    assert "OK  The push" in done.stdout
    assert re.search(r"other saw \d\d", done.stdout)
    shutil.copy(ADDON, copy := tmp_path / "registry.py")
    done = ended(command, "-q", "-nr", GOOD, "-s", ADDON, "-s", copy)
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert "regtrace is loaded twice" in line


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_exit_status_lets_others_end(
    command: list[str], tmp_path: Path, order: tuple[int, int]
) -> None:
    other = tmp_path / "other.py"
    other.write_text("async def done(): print('other ended')\n")
    scripts = [("-s", (ADDON, other)[n]) for n in order]
    wanted = ("--set", "registry_exit_status", "--set", "registry_live=off")
    done = ended(command, "-q", "-nr", FAILED, *scripts[0], *scripts[1], *wanted)
    assert (done.returncode, done.stdout, done.stderr) == (1, "other ended\n", "")


def test_a_dependency_that_is_missing(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "defusedxml.py").write_text(
        "raise ModuleNotFoundError('No module named defusedxml', name='defusedxml')"
    )
    done = ended(command, "-q", "-nr", GOOD, "-s", ADDON, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert "can't load the Python package defusedxml" in line
    assert "pip install" in line


def test_a_truncated_capture(command: list[str], tmp_path: Path) -> None:
    """mitmproxy reads it, complains and ends with 1; what came before the damage is told."""
    capture = tmp_path / "cut.mitm"
    capture.write_bytes(FAILED.read_bytes()[:-50])
    done = ended(command, "-q", "-nr", capture, "-s", ADDON)
    assert done.returncode == 1
    assert "push team/app" in done.stdout


@pytest.mark.skipif(VERSION < "12.2.2", reason="mitmproxy lists options of scripts from 12.2.2 on")
def test_options_are_listed(command: list[str]) -> None:
    done = ended(command, "-s", ADDON, "--options")
    assert done.returncode == 0
    assert "registry_report: []" in done.stdout


def test_addon_path_of_a_clone() -> None:
    assert addon_path() == ADDON


class Mitmdump:
    """A proxy that runs until it is told to end."""

    def __init__(
        self, command: list[str], *more: str | Path, stdout: int = subprocess.PIPE
    ) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        listen = ("--listen-host", "127.0.0.1", "-p", str(self.port))
        self.process = subprocess.Popen(
            [*command, *listen, *map(str, more)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
        )

    def connect(self) -> socket.socket:
        """A connection, as soon as the proxy listens."""
        while self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            except ConnectionRefusedError:
                continue
        raise AssertionError(self.process.communicate())

    def end(self) -> tuple[str, str]:
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def upstream() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        yield listening


def test_ctrl_c_in_the_middle_of_an_upload(
    command: list[str], tmp_path: Path, upstream: socket.socket
) -> None:
    capture, report = tmp_path / "push.mitm", tmp_path / "push.json"
    setting = f"registry_report={report}"
    proxy = Mitmdump(command, "-q", "-s", ADDON, "-w", capture, "--set", setting)
    url = f"http://127.0.0.1:{upstream.getsockname()[1]}/v2/team/app/blobs/uploads/u-1"
    with proxy.connect() as client:
        head = f"PATCH {url} HTTP/1.1\r\nHost: r\r\nContent-Length: 9999\r\n\r\n"
        client.sendall(head.encode() + bytes(2000))
        registry, _ = upstream.accept()
        with registry:
            registry.settimeout(PATIENCE)
            got = 0
            while got < 2000:
                got += registry.recv(65536).removeprefix(b"").count(b"\0")
            stdout, stderr = proxy.end()
    # What Python 3.11 itself says of connections that it cancels is none of ours.
    assert proxy.process.returncode == 0
    assert "push.mitm (live" in stdout
    assert "regtrace" not in stderr
    live = json.loads(report.read_text())
    assert [leg["request_bytes"] for leg in live["legs"]] == [2000]
    again = CliRunner().invoke(cli.main, ["report", str(capture), "--format", "json"])
    assert json.loads(again.stdout)["legs"] == live["legs"]


def test_a_pipe_whose_reader_has_left(
    command: list[str], tmp_path: Path, upstream: socket.socket
) -> None:
    """The push goes on; so does the proxy."""
    reading, writing = os.pipe()
    proxy = Mitmdump(command, "-q", "-s", ADDON, stdout=writing)
    os.close(writing)
    os.close(reading)
    url = f"http://127.0.0.1:{upstream.getsockname()[1]}/v2/team/app/manifests/1"
    for _ in range(2):
        with proxy.connect() as client:
            head = f"PUT {url} HTTP/1.1\r\nHost: r\r\nContent-Length: 2\r\n"
            client.sendall(f"{head}Content-Type: application/json\r\n\r\n{{}}".encode())
            registry, _ = upstream.accept()
            with registry:
                registry.recv(65536)
                registry.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
                assert client.recv(1000).startswith(b"HTTP/1.1 201")
    _, stderr = proxy.end()
    assert (proxy.process.returncode, stderr) == (0, "")


def test_a_tunnel_that_failed_is_printed_once(command: list[str]) -> None:
    """mitmdump itself prints it from 12.2.2 on."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{nobody.getsockname()[1]}"
        proxy = Mitmdump(command, "-s", ADDON, "--set", "registry_live=off")
        with proxy.connect() as client:
            client.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
            assert b" 502 " in client.recv(1000)
        stdout, _ = proxy.end()
    assert len(re.findall(f"CONNECT .*{target}", stdout)) == 1


def test_a_capture_that_can_not_be_opened_is_told_at_the_start(
    command: list[str], tmp_path: Path
) -> None:
    """No push has begun yet, so there is none to be hurt."""
    (tmp_path / "file").write_text("")
    done = ended(command, "-q", "-s", ADDON, "-p", "0", "-w", tmp_path / "file" / "push.mitm")
    assert done.returncode == 1
    assert "file" in done.stdout + done.stderr
    assert "regtrace" not in done.stdout + done.stderr
