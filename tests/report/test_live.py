"""What a person who watches reads while the push goes on: each thing once, when it is known."""

from __future__ import annotations

import pytest

from regtrace.diagnose.rules.storage import storage_403_on_head
from regtrace.follow.tracker import Tracker
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.live import Narrator
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation


def told(story: str, level: Level = Level.VENDOR) -> list[list[str]]:
    """The news after each leg."""
    tracker, narrator = Tracker(), Narrator(Redactor(level))
    news = []
    for exchange in read_notation(story):
        tracker.feed(decode(exchange))
        news.append([line for op in tracker.operations() for line in narrator.news(op)])
    return news


PUSH = """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
PUT manifest 1 [cfg L1]      -> 201
"""


def test_a_push_that_goes_well_is_told_in_three_lines() -> None:
    lines = [line.split("  ", 1)[1] for leg in told(PUSH) for line in leg]
    assert lines[0] == "push team/app → registry.test:443  by docker 20.10.24"
    assert lines[1].startswith("blob dffe8596427f…")
    assert ": uploaded, 1 MB at " in lines[1]
    assert lines[2].startswith("manifest 1: uploaded")
    assert len(lines) == 3


def test_nothing_is_told_twice() -> None:
    tracker, narrator = Tracker(), Narrator(Redactor())
    for exchange in read_notation(PUSH):
        tracker.feed(decode(exchange))
    (operation,) = tracker.operations()
    assert narrator.news(operation)
    assert narrator.news(operation) == []


def together(legs: str) -> list[str]:
    """What is told of six layers that went together."""
    tracker, narrator = Tracker(), Narrator(Redactor())
    story = ["client docker/20.10.24", "GET /v2/ -> 401", "token push,pull team/app -> 200"]
    story += [legs.format(n=n) for n in range(6)]
    for exchange in read_notation("\n".join(story)):
        tracker.feed(decode(exchange))
    (operation,) = tracker.operations()
    return [line.split("  ", 1)[1] for line in narrator.news(operation)]


def test_twenty_layers_at_once_are_no_flood() -> None:
    began = "push team/app → registry.test:443  by docker 20.10.24"
    start = "POST uploads -> 202 s{n}\n"
    assert together(start + "PATCH s{n} L{n} -> ?") == [began, "6 blobs: uploading"]
    done = together(start + "PATCH s{n} L{n} -> 202\nPUT s{n} L{n} -> 201")
    assert done == [began, "6 blobs: uploaded, 6 MB in all"]
    assert together("HEAD blob L{n} -> 200") == [began, "6 blobs: already there"]
    failed = together(start + "PATCH s{n} L{n} -> 413 nginx")
    assert failed[1:] == [
        "6 blobs: PATCH at registry.test:443 answered 413  [RT601 body-too-large]"
    ]


def test_few_are_told_one_by_one_in_the_order_of_time() -> None:
    legs = [line for each in told(PUSH) for line in each]
    assert [line.split("  ")[0] for line in legs] == sorted(line.split("  ")[0] for line in legs)


def test_the_failed_leg_comes_with_its_verdict() -> None:
    last = told(storage_403_on_head.fires)[-1]
    assert len(last) == 1
    assert "HEAD at " in last[0]
    assert last[0].endswith("answered 403  [RT412 storage-403-on-head]")


def test_a_layer_that_is_being_sent_is_told_when_it_begins() -> None:
    lines = told(
        """
        client docker/20.10.24
        token push,pull team/app -> 200
        POST uploads             -> 202
        PATCH u1 L1              -> ?
        """
    )[-1]
    assert [line.rpartition(": ")[2] for line in lines] == ["uploading"]


@pytest.mark.parametrize(
    "client",
    [
        "docker/20.10.24\nGET /v2/ -> 401",
        "containerd/1.6.20\nHEAD blob L1 -> 401\ntoken push,pull team/app POST -> 404",
    ],
)
def test_what_every_push_has_is_no_news(client: str) -> None:
    lines = told(
        f"""
        client {client}
        token push,pull team/app -> 200
        HEAD blob L1             -> 404
        """
    )
    assert sum(map(len, lines)) == 1, "only that the push began"


def test_names_are_labels_for_the_public() -> None:
    text = "\n".join(line for leg in told(PUSH, Level.PUBLIC) for line in leg)
    assert "team" not in text
    assert "registry.test" not in text


def test_control_characters_do_not_reach_the_terminal() -> None:
    lines = told(
        """
        client docker/20.10.24
        token push,pull team/app     -> 200
        POST uploads                 -> ! server said \x1b[31mred\x1b[0m
        """
    )[-1]
    assert all(line.isprintable() for line in lines)
    assert any("failed" in line for line in lines)
