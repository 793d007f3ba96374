"""A long capture is taken in, redacted and written piece by piece, and says the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from regtrace.diagnose.engine import examine
from regtrace.follow.tracker import Tracker
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import model, output
from regtrace.report.build import build, compose
from regtrace.report.draft import Draft
from regtrace.report.json import render
from regtrace.report.telling import Telling
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation

STORY = """
client C = docker/20.10.24 from 10.0.0.7
C: GET /v2/ -> 401
C: token push,pull team/app -> 200
C: POST uploads in=team/app -> 202 s1
C: PATCH s1 L1 -> 202
C: PUT s1 L1 -> 201
C: HEAD blob L1 in=team/app -> 307 s3
C: HEAD s3 L1 -> 403
C: HEAD blob cfg1 in=team/app -> 200
"""
CAPTURE = model.Capture("push.mitm", "file", 8, None, None)


def tellings() -> list[Telling]:
    tracker = Tracker()
    for exchange in read_notation(STORY):
        tracker.feed(decode(exchange))
    return [Telling.of(operation) for operation in tracker.finish()]


def drafted(*, hears_logs: bool = False) -> Draft:
    draft = Draft(hears_logs=hears_logs)
    for telling in tellings():
        draft.add(telling)
    return draft


def report() -> model.Report:
    draft = drafted()
    redactor = Redactor(Level.VENDOR, draft.holdings)
    return compose(draft.accounts, capture=CAPTURE, redactor=redactor)


def test_a_draft_says_what_the_exchanges_say() -> None:
    whole = build(tellings(), capture=CAPTURE, redactor=Redactor())
    assert whole.findings
    assert render(report()) == render(whole)


def test_rows_are_made_when_they_are_asked_for() -> None:
    legs = report().legs
    assert list(legs) == [leg.id for leg in legs.values()] == [f"leg-{n}" for n in range(1, 9)]
    assert legs["leg-7"] == legs["leg-7"]
    for other in ("leg-0", "leg-9", "leg-", "leg-x", "leg-²", "x", 1):
        assert other not in legs
    with pytest.raises(KeyError):
        legs["leg-9"]


def test_labels_are_counted_when_the_legs_are_written() -> None:
    document = json.loads(render(report()))
    assert document["redaction"]["labels"]["signature"] == 1


def test_what_went_wrong_waits_for_the_logs_alone() -> None:
    assert list(drafted().legs()) == []
    draft = drafted(hears_logs=True)
    assert draft.accounts == []
    assert len(list(draft.legs())) == 8
    draft.settle(examine)
    assert len(draft.accounts) == len(drafted().accounts)
    assert list(draft.legs()) == []


SECRET = ', "S3cr\\et-of-m1ne'


@pytest.mark.parametrize("ending", [".json", ".html"])
def test_a_secret_in_the_last_of_many_legs_leaves_nothing_behind(
    tmp_path: Path, ending: str
) -> None:
    short = report()
    leg = short.legs["leg-1"]
    legs = {f"leg-{n}": replace(leg, id=f"leg-{n}") for n in range(1, 3_000)}
    legs["leg-3000"] = replace(leg, id="leg-3000", url=f"https://x.test/a{SECRET}/b")
    refused(replace(short, legs=legs), tmp_path, ending)


@pytest.mark.parametrize("ending", [".json", ".txt", ".junit.xml"])
def test_a_secret_is_found_where_a_page_would_cut_it(tmp_path: Path, ending: str) -> None:
    short = report()
    (operation,) = short.operations
    many = [replace(operation, id=f"push-{n}", outcome="ok") for n in range(1, 3_000)]
    name = "team/" * 60 + SECRET
    last = replace(operation, id="push-3000", outcome="ok", repository=name)
    refused(replace(short, operations=(*many, last)), tmp_path, ending)


def refused(long: model.Report, folder: Path, ending: str) -> None:
    gate = Gate()
    output.write(long, [str(folder / f"a{ending}")], gate)
    gate.taint("request.header.X", SECRET)
    with pytest.raises(output.Leaking):
        output.write(long, [str(folder / f"b{ending}")], gate)
    assert [path.name for path in folder.iterdir()] == [f"a{ending}"]
