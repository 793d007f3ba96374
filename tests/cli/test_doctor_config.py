"""``regtrace doctor config``: its ends, its forms, its silence on secrets; captures beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from lab import faults, scenario, world
from lab.parts import nginx, registry
from lab.settings import Settings, merged
from regtrace.cli import main
from settings_examples import certificate, private_key

CAPTURES = Path(__file__).parents[2] / "captures"

_SECRETS = {
    "accesskey": "LABACCESSKEY0MADEUP1",
    "secretkey": "made/up/secret/key/of/a/test/0123456789",
    "secret": "made-up-state-secret-0123456789",
    "password": "made-up-redis-Password-77",
    "authorization": "Bearer made-up-token-Abc123456789xyz",
}
_CONFIG = f"""\
version: 0.1
log: {{level: debug}}
storage:
  s3:
    accesskey: {_SECRETS["accesskey"]}
    secretkey: {_SECRETS["secretkey"]}
    region: us-east-1
    regionendpoint: https://s3.eu-west-1.amazonaws.com
    bucket: registry
http: {{addr: ":5000", secret: {_SECRETS["secret"]}, host: "http://localhost:5000"}}
redis: {{addr: "redis:6379", password: {_SECRETS["password"]}}}
notifications:
  endpoints:
    - url: http://audit.example.com
      headers: {{Authorization: ["{_SECRETS["authorization"]}"]}}
"""


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["doctor", "config", *map(str, args)])


def document(result: Result) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def slugs(result: Result) -> set[str]:
    return {finding["slug"] for finding in document(result)["findings"]}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(_CONFIG)
    return path


def test_errors_end_with_1_and_are_told_with_file_and_line(config: Path) -> None:
    result = run(config)
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert "ERROR RT051 s3-region-differs" in said
    assert "line 7: storage.s3.region = us-east-1" in said
    assert "leads to s3-wrong-region" in said
    assert said.count("RT050 storage-drivers-not-one") == 1


def test_no_secret_is_shown_in_any_form(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    assert run(config, "-o", output).exit_code == 1
    forms = [run(config).output, run(config, "--json").output, output.read_text()]
    forms.append(run(config, "--share", "internal").output)
    for form in forms:
        whole = "".join(form.split())
        assert "notifications-in-clear" in whole
        for secret in _SECRETS.values():
            assert "".join(secret.split()) not in whole
        assert "made-up-token" not in whole


def test_a_clean_file_ends_with_0(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(
        "version: 0.1\nstorage: {filesystem: {rootdirectory: /r}}\nhttp: {addr: ':5000'}"
    )
    result = run(path)
    assert result.exit_code == 0
    assert "Nothing wrong was found" in result.stdout


def test_warnings_and_notes_end_with_0(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(
        "version: 0.1\nstorage: {filesystem: {}}\nlog: {level: debug}\nhttp: {addr: ':5'}"
    )
    assert run(path).exit_code == 0


def test_what_can_be_read_is_checked_beside_what_can_not(config: Path, tmp_path: Path) -> None:
    bad = tmp_path / "nginx.conf"
    bad.write_text("server { listen 443 ssl; ")
    result = run(config, bad)
    assert result.exit_code == 2
    assert "RT051" in result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"regtrace: {bad}")


@pytest.mark.parametrize("content", [b"a: &a [*a]", b"\0\1", b"[" * 5000, b"hello"])
def test_a_hostile_file_ends_with_2_and_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad\x1b[2J.yml"
    path.write_bytes(content)
    result = run(path)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "\x1b" not in result.output


def test_hostile_values_are_neutralised(tmp_path: Path) -> None:
    path = tmp_path / "gitlab.rb"
    path.write_text(
        "registry_external_url 'https://r.test'\nregistry['log_level'] = \"debug\"\n"
        "registry['registry_http_addr'] = \"127.0.0.1:5000\"\n"
        "gitlab_rails['registry_api_url'] = \"http://127.0.0.1:5001/\\e[2J[bold]x\"\n"
    )
    result = run(path)
    assert result.exit_code == 1
    assert "\x1b" not in result.output


def test_the_report_is_not_written_over_a_file_of_others(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.json"
    output.write_text("{}")
    assert run(config, "-o", output).exit_code == 2
    assert output.read_text() == "{}"
    assert run(config, "-o", output, "--force").exit_code == 1
    assert run(config, "-o", output).exit_code == 1
    assert json.loads(output.read_text())["failed"] is True
    assert run(config, "-o", tmp_path / "report.txt").exit_code == 2


def test_public_reports_hide_names(config: Path) -> None:
    assert "audit.example.com" in run(config, "--json").stdout
    assert "audit.example.com" not in run(config, "--json", "--share", "public").stdout


def test_a_kind_may_be_said(tmp_path: Path) -> None:
    path = tmp_path / "part.yml"
    path.write_text("storage: {s3: {region: a, bucket: b, chunksize: 1}}")
    assert run(path).exit_code == 2
    assert "s3-chunk-size" in slugs(run(path, "--kind", "registry", "--json"))


# --- with a capture of the laboratory and the settings that it was made with


def files_of(name: str, folder: Path) -> list[Path]:
    """The configuration files of the parts, as they were in this scenario."""
    said = scenario.load(name)
    settings = faults.apply([*said.always, *said.faults], replace(Settings(), through=said.through))
    tls = settings.through == "registry"
    port = world.FRONT_PORTS["registry"] if tls else world.REGISTRY_PLAIN_PORT
    texts = {"config.yml": yaml.safe_dump(registry.configuration(settings.registry, port, tls=tls))}
    if settings.replica:
        other = merged(settings.registry, settings.replica)
        texts["replica.yml"] = yaml.safe_dump(registry.configuration(other, port + 1, tls=tls))
    if settings.through == "nginx":
        texts["nginx.conf"] = nginx.configuration(settings)
    # What the laboratory's token server is told, as GitLab is told it.
    token = {"issuer": settings.token["issuer"], "key": settings.token["signing_key"]}
    texts["gitlab.yml"] = yaml.safe_dump({"production": {"registry": token}})
    for file, text in texts.items():
        (folder / file).write_text(text)
    return [folder / file for file in texts]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("docker-push-wrong-scheme", "front-lacks-forwarded-proto"),
        ("ctr-push-host-dropped", "front-lacks-host"),
        ("docker-push-413", "front-body-limit"),
        ("podman-push-ipv6-upstream", "front-upstream-not-listened"),
        ("docker-push-authorization-dropped", "front-drops-authorization"),
        ("podman-push-two-secrets", "http-secret-not-shared"),
        ("podman-push-realm-http", "realm-without-tls"),
        ("ctr-pull-realm-internal", "realm-not-for-clients"),
        ("podman-push-token-issuer", "issuer-differs"),
        ("docker-push-read-only", "maintenance-read-only"),
        ("skopeo-push-to-cache", "pull-through-cache"),
        ("skopeo-push-504", "front-timeout-short"),
    ],
)
def test_the_capture_of_a_fault_confirms_it(name: str, slug: str, tmp_path: Path) -> None:
    files = files_of(name, tmp_path)
    result = run(*files, "--capture", CAPTURES / f"{name}.mitm", "--json")
    bearings = {each["slug"]: each["traffic"]["bearing"] for each in document(result)["findings"]}
    assert bearings.pop(slug) == "confirmed"
    assert set(bearings.values()) <= {"undecided"}
    errors = [f for f in document(result)["findings"] if f["severity"] == "error"]
    assert result.exit_code == (1 if errors else 0)
    assert world.S3_SECRET_KEY not in result.output
    assert world.PASSWORD not in result.output


@pytest.mark.parametrize("name", ["docker-push-ok", "podman-push-ok", "skopeo-push-ok"])
def test_the_settings_of_a_good_push_are_good(name: str, tmp_path: Path) -> None:
    result = run(*files_of(name, tmp_path), "--capture", CAPTURES / f"{name}.mitm", "--json")
    assert document(result)["findings"] == []
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("signs", "capture", "bearing", "status"),
    [
        ("B", "docker-push-token-untrusted-key", "confirmed", 1),
        ("B", "docker-push-ok", "refuted", 0),
        ("A", "docker-push-ok", None, 0),
    ],
)
def test_the_tokens_keys_of_a_copied_tree(
    signs: str, capture: str, bearing: str | None, status: int, tmp_path: Path
) -> None:
    """The key files are found below --root; a pair that is none is refuted by a token accepted."""
    files = files_of("docker-push-ok", tmp_path)
    keys = tmp_path / "run" / "lab" / "keys"
    keys.mkdir(parents=True)
    (keys / "token.pem").write_text(certificate("A"))
    (keys / "token.key").write_text(private_key(signs))
    args = [*files, "--root", tmp_path, "--capture", CAPTURES / f"{capture}.mitm", "--json"]
    result = run(*args)
    found = {each["slug"]: each["traffic"]["bearing"] for each in document(result)["findings"]}
    assert found.get("token-key-pair-mismatch") == bearing
    assert result.exit_code == status


def test_a_finding_that_the_capture_refutes_does_not_count(tmp_path: Path) -> None:
    """nginx.conf of another day beside a push that went well: 0, and said so."""
    path = tmp_path / "config.yml"
    path.write_text(
        "version: 0.1\nstorage: {s3: {region: a, bucket: b},"
        " maintenance: {readonly: {enabled: true}}}\nhttp: {addr: ':5000'}"
    )
    assert run(path).exit_code == 1
    result = run(path, "--capture", CAPTURES / "docker-push-ok.mitm")
    assert result.exit_code == 0
    assert "refuted: the registry accepted an upload" in " ".join(result.stdout.split())


def test_a_capture_that_is_none_ends_with_2(config: Path, tmp_path: Path) -> None:
    (tmp_path / "x.mitm").write_bytes(b"no capture")
    result = run(config, "--capture", tmp_path / "x.mitm")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_help_has_an_example() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "regtrace doctor config --capture push.mitm" in result.output
    assert "helm-harbor" in result.output
