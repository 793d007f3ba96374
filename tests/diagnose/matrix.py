"""Which rules speak on which capture, story and normal traffic: the table that a test compares.

    PYTHONPATH=addons:tests python tests/diagnose/matrix.py     # write matrix.yaml anew

A line of matrix.yaml is one source; of a rule's own stories only those are listed on which more is
said than that rule alone. A rule that begins to speak elsewhere shows as a changed line in review.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from normal_traffic import STORIES
from regtrace.diagnose.engine import examine
from regtrace.diagnose.rules import CATALOGUE, LAST_RESORT
from regtrace.follow.tracker import tell
from regtrace.proxy.capture import Reader
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Exchange
from regtrace.wire.notation import read_notation

TABLE = Path(__file__).with_name("matrix.yaml")
CAPTURES = Path(__file__).parents[2] / "captures"


def table() -> dict[str, list[str]]:
    """Source → what is said of it: slug, severity, and of a symptom its cause."""
    said = {name: spoken(exchanges) for name, exchanges in _sources()}
    return {name: words for name, words in sorted(said.items()) if not _is_plain(name, words)}


def spoken(exchanges: Iterable[Exchange]) -> list[str]:
    operations = tell([decode(exchange) for exchange in exchanges])
    return sorted(
        f"{finding.rule.slug} {finding.severity.value}"
        + (f" by {finding.explained_by}" if finding.explained_by else "")
        for operation in operations
        for finding in examine(operation).findings
    )


def _is_plain(name: str, words: list[str]) -> bool:
    kind, slug = name.split(" ")[:2]
    expected = {"fires:": [f"{slug} error"], "silent:": [], "normal:": []}
    return kind in expected and words == expected[kind]


def _sources() -> Iterator[tuple[str, Iterable[Exchange]]]:
    for rule in (*CATALOGUE, LAST_RESORT):
        yield f"fires: {rule.slug}", read_notation(rule.fires)
        yield f"silent: {rule.slug}", read_notation(rule.silent)
        for n, story in enumerate(rule.also_fires, 1):
            yield f"fires: {rule.slug} also {n}", read_notation(story)
        for n, story in enumerate(rule.also_silent, 1):
            yield f"silent: {rule.slug} also {n}", read_notation(story)
    for name, story in STORIES.items():
        yield f"normal: {name}", read_notation(story)
    for path in sorted(CAPTURES.glob("*.mitm")):
        with path.open("rb") as stream:
            yield f"capture: {path.stem}", list(Reader(str(path), stream))


def write() -> None:
    TABLE.write_text(yaml.safe_dump(table(), sort_keys=True, width=1000))


if __name__ == "__main__":
    write()
