"""What a client is started with, which are refused, and what a killed command left."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from regtrace.setup import authority, client_environment, roots, workspace
from regtrace.setup.refused import Refused


def test_every_other_proxy_setting_is_gone() -> None:
    before = {
        "PATH": "/bin",
        "NO_PROXY": "registry.example.com",
        "no_proxy": "*",
        "ALL_PROXY": "socks5://a",
        "Https_Proxy": "http://odd",
    }

    after = client_environment.environment_for(
        before, "http://127.0.0.1:9", Path("/b.pem"), Path("/ca.pem")
    )

    assert after == {
        "PATH": "/bin",
        **dict.fromkeys(
            ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"
        ),
        **dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), "/b.pem"),
        "NODE_EXTRA_CA_CERTS": "/ca.pem",
    }


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        ("sudo skopeo copy a b", {}, "put regtrace behind it"),
        ("podman push a", {"CONTAINER_HOST": "ssh://h"}, "podman's service"),
        ("podman --remote push a", {}, "podman's service"),
    ],
)
def test_a_client_that_the_environment_can_t_reach_is_refused(
    words: str, environment: dict[str, str], said: str
) -> None:
    assert said in (client_environment.refusal(words.split(), environment) or "")


@pytest.mark.parametrize("words", ["skopeo copy a b", "podman push a", "/opt/crane push a b"])
def test_other_clients_are_not(words: str) -> None:
    assert client_environment.refusal(words.split(), {}) is None


def test_a_loopback_registry_is_warned_of() -> None:
    (warning,) = client_environment.warnings(
        ["skopeo", "inspect", "docker://localhost:5000/app"], {}
    )

    assert "never uses a proxy for loopback names" in warning


def test_a_workspace_is_private_and_goes() -> None:
    with workspace.workspace() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "key").write_text("x")

    assert not folder.exists()


def test_what_a_killed_command_left_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f"regtrace-{ended.pid}-abc"
    left.mkdir()
    (left / "key").write_text("x")
    alive = tmp_path / f"regtrace-{os.getpid()}-abc"
    alive.mkdir()
    foreign = tmp_path / "regtrace-lab-x"
    foreign.mkdir()

    assert workspace.sweep() == [left]
    assert sorted(tmp_path.iterdir()) == sorted([alive, foreign])


def test_a_link_is_not_followed_when_sweeping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    target = tmp_path / "precious"
    target.mkdir()
    (tmp_path / f"regtrace-{ended.pid}-abc").symlink_to(target)

    assert workspace.sweep() == []
    assert target.exists()


def test_certificates_of_single_registries_are_among_the_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: bytes
) -> None:
    folder = tmp_path / "certs.d" / "registry.example.com"
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(certificate)
    (folder / "broken.crt").write_text("-----BEGIN CERTIFICATE-----\nno\n")
    (folder / "client.cert").write_text("not a CA")
    monkeypatch.setattr(roots, "registry_folders", lambda: [tmp_path / "certs.d"])

    roots.write_roots(tmp_path / "roots.pem")

    written = (tmp_path / "roots.pem").read_bytes()
    assert certificate.strip() in written
    assert b"\nno\n" not in written


def test_a_file_of_the_user_s_without_a_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")

    with pytest.raises(Refused, match="holds no certificate"):
        roots.write_roots(tmp_path / "roots.pem", str(tmp_path / "empty.pem"))
    with pytest.raises(Refused, match="no such file"):
        roots.write_roots(tmp_path / "roots.pem", str(tmp_path / "nowhere.pem"))


@pytest.fixture
def certificate(tmp_path: Path) -> bytes:
    return authority.create(tmp_path / "authority").certificate.read_bytes()
