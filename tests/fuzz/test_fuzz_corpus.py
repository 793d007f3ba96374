"""Every decoder survives every input of its corpus: real samples, and what fuzzing found."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_a_decoder_survives_its_corpus(name: str) -> None:
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs
    for path in inputs:
        TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_decoder_survives_the_corpus_of_all_others(name: str) -> None:
    for path in sorted(CORPUS.glob("*/*")):
        TARGETS[name](path.read_bytes())


def test_the_corpus_is_of_known_targets_and_stays_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    files = list(CORPUS.glob("*/*"))
    assert len(files) <= 400
    assert sum(path.stat().st_size for path in files) <= 300_000
