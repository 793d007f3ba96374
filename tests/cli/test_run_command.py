"""``regtrace run`` as a process: a client beside a proxy of its own, and what stays afterwards.

The clients are small programs in Python, which take a proxy and trust from the environment as
container clients do, also for loopback addresses.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from following import PATIENCE, REGTRACE, registry

from regtrace.cli import main
from site_authority import Authority

_ASKS = """
import sys, urllib.request, urllib.error
print("the client's own words")
try:
    urllib.request.urlopen(sys.argv[1]).read()
except urllib.error.HTTPError as answer:
    sys.exit(answer.code - 400)
"""
_WAITS = """
import os, signal, sys, time
def leave(number, frame):
    os.write(1, b"told %d\\n" % number)
    os._exit(9)
signal.signal(signal.SIGTERM, leave)
signal.signal(signal.SIGINT, leave)
os.write(1, b"ready\\n")
time.sleep(60)
"""


def _client(program: str, *words: str) -> list[str]:
    return [sys.executable, "-c", program, *words]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return {**kept, "TMPDIR": str(tmp_path / "tmp")}


def _run(
    words: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*REGTRACE, "run", *words],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )


def test_the_client_keeps_its_output_and_its_exit_status(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with registry(status=403) as site:
        url = f"{site.url}/v2/team/app/manifests/1"
        ran = _run(["--", *_client(_ASKS, url)], tmp_path, environment)

    assert ran.returncode == 3
    assert ran.stdout == "the client's own words\n"
    assert "FAILED  The pull of team/app:1" in ran.stderr
    capture = tmp_path / "regtrace-RAW-CONTAINS-SECRETS-1.mitm"
    report = tmp_path / "regtrace-1.txt"
    assert capture.name in report.read_text()
    assert stat.S_IMODE(capture.stat().st_mode) == 0o600
    assert f"report:  {report.name}" in ran.stderr
    assert f"capture: {capture.name}" in ran.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def test_named_files_are_written_instead(tmp_path: Path, environment: dict[str, str]) -> None:
    with registry() as site:
        words = ["-w", "a.mitm", "-o", "a.json", "-o", "a.md", "--"]
        url = f"{site.url}/v2/team/app/manifests/1"
        ran = _run([*words, *_client(_ASKS, url)], tmp_path, environment)

    assert ran.returncode == 0
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["a.json", "a.md", "a.mitm", "tmp"]
    assert json.loads((tmp_path / "a.json").read_text())["capture"]["name"] == "a.mitm"


def test_a_server_with_a_certificate_of_the_site_is_trusted_and_so_is_the_proxy(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    site_authority = Authority(tmp_path)
    with registry(site_authority.server()) as site:
        words = ["-o", "a.json", "--upstream-ca", str(site_authority.path), "--"]
        url = f"{site.url}/v2/team/app/manifests/1"
        ran = _run([*words, *_client(_ASKS, url)], tmp_path, environment)

    assert ran.returncode == 0, ran.stderr
    report = json.loads((tmp_path / "a.json").read_text())
    assert [leg["kind"] for leg in report["legs"]] == ["manifest-get"]
    assert report["findings"] == []


def test_a_client_that_is_killed_counts_as_in_a_shell(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    ran = _run(["--", "sh", "-c", "kill -TERM $$"], tmp_path, environment)

    assert ran.returncode == 128 + signal.SIGTERM


def test_when_nothing_came_no_empty_capture_stays(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    ran = _run(["--", "true"], tmp_path, environment)

    assert ran.returncode == 0
    assert "no traffic arrived" in ran.stderr
    assert "regtrace gateway" in ran.stderr
    assert list(tmp_path.glob("*.mitm")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_client_and_all_is_tidied_up(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    running = subprocess.Popen(
        [*REGTRACE, "run", "--", *_client(_WAITS)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=PATIENCE)

    assert running.returncode == 9, stderr
    assert stdout == f"told {number.value}\n"
    assert "report: " in stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_killed_run_left_goes_with_the_next_one(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    running = subprocess.Popen(
        [*REGTRACE, "run", "--", *_client(_WAITS)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.kill()
    running.wait(PATIENCE)
    os.killpg(running.pid, signal.SIGTERM)  # the client, which nobody ends any more
    (left,) = (tmp_path / "tmp").iterdir()
    assert re.fullmatch(rf"regtrace-{running.pid}-\w+", left.name)
    running.stdout.close()

    assert _run(["--", "true"], tmp_path, environment).returncode == 0

    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_proxy_of_the_site_stands_behind_ours(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with registry() as site, registry() as beyond:
        environment |= {"HTTP_PROXY": beyond.url, "NO_PROXY": "inside.test"}
        url = "http://registry.test/v2/team/app/manifests/1"
        ran = _run(["-o", "a.json", "--", *_client(_ASKS, url)], tmp_path, environment)
        site_asked = site.asked

    assert ran.returncode == 0, ran.stderr
    assert beyond.asked == [f"GET {url}"]  # a proxy is asked for a whole URL (RFC 9112 3.2.2)
    assert site_asked == []


def test_hosts_that_the_site_s_proxy_is_not_for_are_asked_themselves(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with registry() as site, registry() as beyond:
        environment |= {"HTTP_PROXY": beyond.url, "NO_PROXY": "other.test"}
        url = f"{site.url}/v2/team/app/manifests/1"  # loopback: never by a proxy
        ran = _run(["-o", "a.json", "--", *_client(_ASKS, url)], tmp_path, environment)

    assert ran.returncode == 0, ran.stderr
    assert site.asked == ["GET /v2/team/app/manifests/1"]
    assert beyond.asked == []


def test_the_site_s_proxy_gets_its_login_and_nobody_else(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with registry() as beyond:
        place = f"http://jane:made%20up@127.0.0.1:{beyond.port}"
        url = "http://registry.test/v2/team/app/manifests/1"
        words = ["-w", "a.mitm", "-o", "a.txt", "--upstream-proxy", place, "--"]
        ran = _run([*words, *_client(_ASKS, url)], tmp_path, environment)

    assert ran.returncode == 0, ran.stderr
    assert beyond.proxy_logins == ["Basic amFuZTptYWRlIHVw"]
    assert beyond.logins == [""]
    for said in (ran.stderr, (tmp_path / "a.txt").read_text()):
        assert "made%20up" not in said
        assert "amFuZTptYWRlIHVw" not in said


def test_a_dry_run_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    ran = CliRunner().invoke(main, ["run", "--dry-run", "--", "sh", "-c", "touch made"])

    assert ran.exit_code == 0
    assert "would run: sh -c 'touch made'" in ran.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "run what?"),
        (["--", "no-such-client"], "there is no such program"),
        (["-w", "taken", "--", "true"], "exists"),
        (["-w", "nowhere/a.mitm", "--", "true"], "can't write into"),
        (["-o", "report.pdf", "--", "true"], "can't tell a format"),
        (["--config", "nowhere.yml", "--", "true"], "nowhere.yml"),
        (["--upstream-ca", "nowhere.pem", "--", "true"], "no such file"),
        (["--upstream-proxy", "socks5://a:1", "--", "true"], "can't be used"),
    ],
)
def test_what_can_t_be_done_is_said_in_one_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "taken").write_text("precious")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)

    ran = CliRunner().invoke(main, ["run", *words])

    assert ran.exit_code == 2
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken", "tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []
