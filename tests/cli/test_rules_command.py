"""``regtrace rules`` and what a site brings along: printed, tried, or refused in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from regtrace import cli
from regtrace.diagnose.rules import CATALOGUE
from regtrace.diagnose.user_rules.read import EXAMPLE

ROOT = Path(__file__).parents[2]
FAILED = ROOT / "captures" / "docker-push-s3-403.mitm"
WARNED = ROOT / "captures" / "skopeo-push-s3-403.mitm"

PYTHON = """
from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import PASSES, Confidence, Evidence, Fails, Owner, Severity, rule
from regtrace.wire.leg import Kind


@rule(
    number="RT900",
    slug="read-from-storage",
    title="The storage was asked",
    cause="The registry sent the client there.",
    fix=("Do nothing.",),
    references=(),
    owner=Owner.USER,
    severity=Severity.NOTE,
    needs=frozenset({Kind.STORAGE}),
    fires="HEAD blob L1 -> 307 s3\\nHEAD s3 L1 -> 200",
    silent="HEAD blob L1 -> 200",
)
def read_from_storage(operation, facts):
    reads = operation.legs_of_kind(Kind.STORAGE)
    if not reads:
        return PASSES
    evidence = Evidence(reads[0], "response.status", "its answer")
    return Fails(legs=reads, evidence=(evidence,), confidence=Confidence.CERTAIN)
"""


def regtrace(*arguments: str | Path, width: int = 100) -> Result:
    result = CliRunner().invoke(
        cli.main, [str(word) for word in arguments], env={"COLUMNS": str(width)}
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def complaint(result: Result) -> str:
    """The one line on standard error."""
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("regtrace: ")
    return line


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A directory with a rule in YAML, one in Python, and what is neither."""
    (tmp_path / "quota.yaml").write_text(EXAMPLE, encoding="utf-8")
    (tmp_path / "storage.py").write_text(PYTHON, encoding="utf-8")
    (tmp_path / "_shared.py").write_text("raise RuntimeError", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a rule", encoding="utf-8")
    return tmp_path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "site.conf"


def suppression(config: Path, rule: str, until: str) -> Path:
    config.write_text(f"suppress:\n- {{rule: {rule}, reason: known for long, until: {until}}}\n")
    return config


# --- the catalogue


def test_the_list() -> None:
    lines = regtrace("rules").stdout.splitlines()
    assert [rule for rule in CATALOGUE if not any(rule.slug in line for line in lines)] == []
    assert regtrace("rules", "list").stdout.splitlines() == lines


def test_the_list_by_words() -> None:
    lines = regtrace("rules", "storage", "403").stdout
    assert "RT412" in lines
    assert "RT601" not in lines


def test_the_page_and_the_json() -> None:
    page = ROOT / "addons" / "regtrace" / "diagnose" / "rules" / "README.md"
    heading = page.read_text(encoding="utf-8").splitlines()[2]
    assert heading in regtrace("rules", "--format", "markdown").stdout
    listed = json.loads(regtrace("rules", "--format", "json").stdout)["rules"]
    assert {rule.slug for rule in CATALOGUE} < {rule["slug"] for rule in listed}


@pytest.mark.parametrize("name", ["RT412", "rt412", "storage-403-on-head", "Storage-403-On-Head"])
def test_one_rule(name: str) -> None:
    text = regtrace("rules", "show", name).stdout
    assert text.startswith("RT412 storage-403-on-head\n")
    assert "must act  whoever runs the registry's storage" in text
    assert regtrace("rules", "show", name, "--format", "markdown").stdout.startswith("### RT412")
    assert json.loads(regtrace("rules", "show", name, "--format", "json").stdout)["rules"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("storage-403-on-haed", "did you mean storage-403-on-head"),
        ("RT411X", "did you mean RT41"),
        ("\x1b[2J", "no rule is called \\x1b[2J; regtrace rules lists them"),
    ],
)
def test_a_rule_that_is_not_there(name: str, hint: str) -> None:
    assert hint in complaint(regtrace("rules", "show", name))


def test_help_shows_a_whole_rule_and_the_names() -> None:
    text = regtrace("rules", "test", "--help").stdout
    for word in ("number: acme/quota", "leg.error.code", "code of your own", "Exit status"):
        assert word in text
    assert "regtrace rules show RT412" in regtrace("rules", "--help").stdout


# --- rules of one's own


def test_own_rules_are_tried(own: Path) -> None:
    result = regtrace("rules", "test", own)
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["acme/quota", "acme-quota-exceeded", "fires", "ok"],
        ["acme/quota", "acme-quota-exceeded", "silent", "ok"],
        ["RT900", "read-from-storage", "fires", "ok"],
        ["RT900", "read-from-storage", "silent", "ok"],
    ]


def test_a_rule_that_does_not_hold_is_told(own: Path) -> None:
    same = PYTHON.replace('silent="', 'silent="HEAD blob L1 -> 307 s3\\nHEAD s3 L1 -> 200\\n')
    (own / "storage.py").write_text(same, encoding="utf-8")
    result = regtrace("rules", "test", own)
    assert result.exit_code == 1
    (failed,) = (line for line in result.stdout.splitlines() if "FAILED" in line)
    assert failed.endswith("silent    FAILED  read-from-storage must not be found, and is")


def test_a_rule_that_stops_is_told(own: Path) -> None:
    (own / "storage.py").write_text(
        PYTHON.replace("if not reads:", "if reads.x:"), encoding="utf-8"
    )
    result = regtrace("rules", "test", own)
    assert result.exit_code == 1
    assert "it stopped with AttributeError: a fault of that rule" in result.stdout


def test_a_report_with_own_rules(own: Path) -> None:
    report = json.loads(regtrace("report", FAILED, "--rules", own, "--format", "json").stdout)
    assert {finding["rule"] for finding in report["findings"]} == {"RT412", "RT900"}
    assert "acme-quota-exceeded" in regtrace("rules", "--rules", own).stdout
    assert regtrace("rules", "show", "RT900", "--rules", own).exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.yaml",
            EXAMPLE.replace("leg.status", "leg.stats"),
            "line 14: when",
        ),
        ("a.yaml", EXAMPLE.replace("acme/quota", "RT412"), "must be RT900 to RT999"),
        ("a.yaml", EXAMPLE.replace("acme-quota-exceeded", "body-too-large"), "own catalogue"),
        ("a.yaml", b"\xff\n", "line 1: is not in UTF-8"),
        ("a.py", "\nimport nosuchmodule", "line 2: it stopped with ModuleNotFoundError"),
        ("a.py", "\n\nx = (", "line 3: it stopped with SyntaxError"),
        ("a.py", "raise SystemExit(0)", "line 1: it stopped with SystemExit"),
        ("a.py", "x = 1", "defines no rule; write RULE = Rule(…), or use the decorator @rule"),
        ("a.py", PYTHON.replace("RT900", "RT450"), "RT450 must be RT900 to RT999"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for command in (("rules", "test", tmp_path), ("report", FAILED, "--rules", tmp_path)):
        line = complaint(regtrace(*command))
        assert str(path) in line
        assert words in line


def test_without_the_package_for_conditions(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules in Python do without it."""
    monkeypatch.delitem(sys.modules, "regtrace.diagnose.user_rules.condition", raising=False)
    monkeypatch.setitem(sys.modules, "celpy", None)
    line = complaint(regtrace("rules", "test", own))
    assert "line 14: conditions need the package cel-python; install them with: pip" in line
    (own / "quota.yaml").unlink()
    assert regtrace("rules", "test", own).exit_code == 0


def test_two_rules_of_one_name(own: Path) -> None:
    (own / "again.yml").write_text(EXAMPLE, encoding="utf-8")
    line = complaint(regtrace("rules", "test", own))
    assert f"{own / 'quota.yaml'}: acme/quota is in {own / 'again.yml'} already" in line


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    assert "no such file or directory" in complaint(regtrace("rules", "test", tmp_path / "no"))
    assert "holds no rule" in complaint(regtrace("rules", "test", tmp_path))


# --- what the site expects


def test_what_is_suppressed_is_told_and_not_counted(config: Path) -> None:
    suppression(config, "RT412", "2026-12-31")
    result = regtrace("report", FAILED, "--config", config)
    assert result.exit_code == 0
    assert result.stdout.startswith("FAILED  The push of team/app")
    assert "Accepted until 2026-12-31: known for long" in " ".join(result.stdout.split())
    assert result.stdout.count("suppressed until 2026-12-31: known for long") == 1
    report = json.loads(regtrace("report", FAILED, "--config", config, "--format", "json").stdout)
    (operation,) = report["operations"]
    assert (operation["outcome"], operation["accepted"]) == ("failed", True)
    (finding,) = report["findings"]
    assert finding["suppressed"] == {"reason": "known for long", "until": "2026-12-31"}
    assert finding["suppression_ended"] is None


def test_what_was_suppressed_once_counts_again_and_says_so(config: Path) -> None:
    suppression(config, "storage-403-on-head", "2026-10-31")
    result = regtrace("report", FAILED, "--config", config)
    assert result.exit_code == 1
    assert "until 2026-10-31 (known for long); that is over" in " ".join(result.stdout.split())
    report = json.loads(regtrace("report", FAILED, "--config", config, "--format", "json").stdout)
    (finding,) = report["findings"]
    assert finding["suppressed"] is None
    assert finding["suppression_ended"]["until"] == "2026-10-31"
    assert report["operations"][0]["accepted"] is False


def test_strict_does_not_count_a_suppressed_warning(config: Path) -> None:
    assert regtrace("report", WARNED, "--strict").exit_code == 1
    suppression(config, "storage-403-on-head", "2026-12-31")
    assert regtrace("report", WARNED, "--strict", "--config", config).exit_code == 0


def test_key_files_lie_beside_the_configuration(tmp_path: Path, config: Path) -> None:
    config.write_text("registries:\n  registry.test:5050:\n    token_keys: keys/token.pem\n")
    line = complaint(regtrace("report", FAILED, "--config", config))
    assert f"{config}, line 3: keys/token.pem: can't be read: No such file or directory" in line
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "token.pem").write_text("nothing")
    line = complaint(regtrace("report", FAILED, "--config", config))
    assert f"{config}, line 3: keys/token.pem: no key found: give PEM certificates" in line


def test_a_configuration_that_is_wrong(tmp_path: Path, config: Path) -> None:
    assert "no such file or directory" in complaint(regtrace("report", FAILED, "--config", config))
    assert "is a directory" in complaint(regtrace("report", FAILED, "--config", tmp_path))
    config.write_text('"\\x1b[2J": 1')
    line = complaint(regtrace("report", FAILED, "--config", config))
    assert f"{config}, line 1: unknown \\x1b[2J; there are registries, suppress" in line


def test_an_own_rule_can_be_suppressed(own: Path, config: Path) -> None:
    suppression(config, "RT900", "2026-12-31")
    arguments = ("report", FAILED, "--rules", own, "--config", config, "--format", "json")
    findings = json.loads(regtrace(*arguments).stdout)["findings"]
    assert [f["rule"] for f in findings if f["suppressed"]] == ["RT900"]
