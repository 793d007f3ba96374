"""``regtrace explain``: a message alone says what it can mean, and never what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from regtrace import cli
from regtrace.diagnose.rules import CATALOGUE

CAPTURES = Path(__file__).parents[2] / "captures"
MESSAGE = 'error parsing HTTP 403 response body: unexpected end of JSON input: ""'


def explain(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(cli.main, ["explain", *map(str, arguments)], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def test_a_message_is_answered_with_rule_owner_fix_and_what_decides() -> None:
    result = explain(MESSAGE)
    assert result.exit_code == 0
    assert " 1. RT412 storage-403-on-head" in result.stdout
    assert "must act  whoever runs the registry's storage" in result.stdout
    assert "decides   the HEAD that followed the registry's 307" in result.stdout
    assert "and 4 more: --all" in result.stdout
    assert "more: --all" not in explain(MESSAGE, "--all").stdout


def test_for_programs() -> None:
    (message,) = json.loads(explain("--json", MESSAGE).stdout)["messages"]
    first = message["candidates"][0]
    rules = {rule.slug: rule for rule in CATALOGUE}
    assert (first["rule"], first["slug"], first["owner"]) == (
        "RT412",
        "storage-403-on-head",
        "storage",
    )
    for candidate in message["candidates"]:
        assert candidate["rule"] == rules[candidate["slug"]].number
        assert candidate["fix"]
        assert not candidate["fix"].startswith("<")


def test_words_need_no_quotes() -> None:
    assert explain("no", "basic", "auth", "credentials").exit_code == 0


def test_a_file_and_standard_input() -> None:
    path = CAPTURES / "docker-push-413.client.txt"
    by_file = explain(path)
    assert " 1. RT601 body-too-large" in by_file.stdout
    assert explain("-", stdin=path.read_bytes()).stdout == by_file.stdout


def test_a_message_that_nobody_knows() -> None:
    result = explain("the moon is full")
    assert result.exit_code == 1
    assert "No message that regtrace knows" in result.stdout


def test_nothing_to_explain() -> None:
    result = explain()
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "secret",
    [
        "https://s3.test/b/k?X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef",
        "Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJidWlsZGVyIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
        "Authorization: Basic YnVpbGRlcjpTM2NyZXQtb2YtbTFuZQ==",
    ],
)
def test_no_secret_of_a_message_is_shown(secret: str) -> None:
    value = secret.rpartition("=" if "Signature" in secret else " ")[2]
    result = explain(f"denied: requested access to the resource is denied {secret}")
    assert result.exit_code == 0
    assert value not in result.stdout
    assert value not in explain("--json", f"no basic auth credentials {secret}").stdout


def test_a_terminal_is_not_spoken_to() -> None:
    result = explain("no basic auth credentials \x1b]0;owned\x07 \u202e")
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
