"""``regtrace doctor config`` on the real parts' own files, in the box, and a capture just made."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from regtrace.diagnose.rules import CHECKS
from settings_examples import certificate, files_of, private_key

from .test_scenarios import _LAB
from .test_scenarios import lab as lab

pytestmark = pytest.mark.lab

_REGISTRY = "/run/lab/registry.yaml"
_NGINX = "/run/lab/nginx/nginx.conf"
_NGINX_FILES = [
    (check.slug, text)
    for check in CHECKS
    for example in (check.fires, check.silent, *check.also_fires, *check.also_silent)
    for name, text in files_of(example).items()
    if name.endswith("nginx.conf")
]


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("name", "files", "key", "slug"),
    [
        ("docker-push-wrong-scheme", [_REGISTRY, _NGINX], "token", "front-lacks-forwarded-proto"),
        ("docker-push-413", [_REGISTRY, _NGINX], "token", "front-body-limit"),
        ("docker-push-token-untrusted-key", [_REGISTRY], "stranger", "token-key-pair-mismatch"),
        ("docker-push-ok", [_REGISTRY], "token", None),
    ],
)
def test_the_parts_own_files_name_the_fault_and_the_capture_confirms_it(
    name: str, files: list[str], key: str, slug: str | None, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [*_LAB, "run", name, "--to", str(tmp_path)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # As GitLab would be told what the laboratory's token server is.
    token = {"production": {"registry": {"key": f"/run/lab/keys/{key}.key"}}}
    (tmp_path / "gitlab.yml").write_text(yaml.safe_dump(token))
    capture = tmp_path / f"{name}.mitm"

    document = _doctor(*files, tmp_path / "gitlab.yml", "--capture", capture)

    errors = [each for each in document["findings"] if each["severity"] == "error"]
    assert [each["slug"] for each in errors] == ([slug] if slug else [])
    assert {each["traffic"]["bearing"] for each in errors} <= {"confirmed"}
    pair = next(each for each in document["checks"] if each["slug"] == "token-key-pair-mismatch")
    assert pair["outcome"] == ("wrong" if key == "stranger" else "fine")


def _doctor(*args: object) -> dict[str, Any]:
    """Inside the box, where the parts' keys are."""
    program = str(Path(sys.executable).with_name("regtrace"))
    said = subprocess.run(
        [*_LAB, "enter", program, "doctor", "config", *map(str, args), "--json"],
        capture_output=True,
        text=True,
    )
    document: dict[str, Any] = json.loads(said.stdout)
    return document


@pytest.mark.parametrize(("slug", "text"), _NGINX_FILES)
def test_nginx_itself_takes_the_examples(slug: str, text: str, tmp_path: Path) -> None:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is missing (scripts/lab install)")
    (tmp_path / "a.crt").write_text(certificate("A"))
    (tmp_path / "a.key").write_text(private_key("A"))
    http = (
        f"ssl_certificate {tmp_path}/a.crt; ssl_certificate_key {tmp_path}/a.key;"
        f" access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;"
        f" fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u;"
        f" scgi_temp_path {tmp_path}/s;"
    )
    # Another port than 443, which is not everybody's.
    text = re.sub(r"listen 443", "listen 127.0.0.1:8443", text)
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"pid {tmp_path}/pid; events {{}} http {{ {http}\n{text} }}")
    tried = subprocess.run(
        [program, "-t", "-e", "stderr", "-c", str(conf)], capture_output=True, text=True
    )
    assert tried.returncode == 0, f"{slug}: {tried.stderr}"
