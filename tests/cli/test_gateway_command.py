"""``regtrace gateway`` as a process: what it tells to type, what it refuses, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from following import PATIENCE, REGTRACE, registry

from regtrace.cli import main
from site_authority import Authority


def test_from_start_to_ctrl_c(tmp_path: Path) -> None:
    site_authority = Authority(tmp_path)
    (tmp_path / "tmp").mkdir()
    with registry(site_authority.server(), realm="SELF/token") as site:
        words = ["-w", "a.mitm", "-o", "a.json", "--upstream-ca", str(site_authority.path)]
        gateway = subprocess.Popen(
            [*REGTRACE, "gateway", site.url, *words],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert gateway.stdout is not None
        lines = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(gateway.stdout.readline())
        told = "".join(lines)
        found = re.match(rf"{re.escape(site.url)} is at (127\.0\.0\.1:\d+) now", told)
        assert found is not None, told
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{found[1]}/v2/")
        gateway.send_signal(signal.SIGINT)
        _, stderr = gateway.communicate(timeout=PATIENCE)

    assert refused.value.headers["WWW-Authenticate"].startswith(
        f'Bearer realm="http://{found[1]}/token",'
    )
    assert gateway.returncode == 0, stderr
    name = f"127.0.0.1:{site.port}/team/app:1"
    assert f"docker tag {name} {found[1]}/team/app:1" in told
    assert f"docker push {found[1]}/team/app:1" in told
    assert stat.S_IMODE((tmp_path / "a.mitm").stat().st_mode) == 0o600
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["legs"][0]["url"] == f"{site.url}/v2/"
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ftp://registry.example.com"], "write https://"),
        (["https://registry.example.com/team/app"], "write the registry alone"),
        (["https://jane:pw@registry.example.com"], "write the registry alone"),
        (["registry.example.com", "--listen", "0.0.0.0:5000"], "add --open"),
        (["registry.example.com", "--listen", "[::]:5000"], "add --open"),
        (["registry.example.com", "--listen", "127.0.0.1:70000"], "--listen"),
        (["registry.example.com", "--listen", "here"], "--listen"),
        (["registry.example.com", "-o", "a.pdf"], "can't tell a format"),
        (["registry.example.com", "--listen", "192.0.2.1:5000", "--open"], "can't listen"),
    ],
)
def test_what_it_refuses(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ran = CliRunner().invoke(main, ["gateway", *words])

    assert ran.exit_code == 2
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "pw" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_listens_nowhere() -> None:
    ran = CliRunner().invoke(main, ["gateway", "registry.example.com", "--dry-run"])

    assert ran.exit_code == 0
    assert "https://registry.example.com" in ran.stdout
