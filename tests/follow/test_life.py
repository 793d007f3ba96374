"""The tables of a transfer's life: complete, reachable, and drawn as they are."""

from __future__ import annotations

import pytest

from regtrace.follow.diagram import mermaid
from regtrace.follow.life import FATES, TRANSFER_LIFE, Event, Fate, State, live


def test_every_state_has_a_row_and_a_fate() -> None:
    assert set(TRANSFER_LIFE) == set(State) == set(FATES)


def test_every_state_can_be_reached() -> None:
    reached = {State.NEW}
    while more := {s for state in reached for s in TRANSFER_LIFE[state].values()} - reached:
        reached |= more
    assert reached == set(State)


def test_every_event_leads_somewhere() -> None:
    used = {event for rows in TRANSFER_LIFE.values() for event in rows}
    assert used == set(Event)


def test_nothing_that_has_begun_begins_anew() -> None:
    assert not [row for row in TRANSFER_LIFE.values() if State.NEW in row.values()]


@pytest.mark.parametrize(
    ("events", "fate", "attempts"),
    [
        ("", Fate.INCOMPLETE, 1),
        ("absent opened written committed present", Fate.UPLOADED, 1),
        ("opened committed", Fate.UPLOADED, 1),
        ("opened written committed absent", Fate.FAILED, 1),
        ("opened refused opened broken opened written committed", Fate.UPLOADED, 3),
        ("doubted opened committed", Fate.UPLOADED, 1),
        ("mounted present", Fate.MOUNTED, 1),
        ("opened cancelled opened written committed", Fate.UPLOADED, 1),
        ("present", Fate.EXISTED, 1),
        ("read unread", Fate.DOWNLOADED, 1),
        ("unread part", Fate.DOWNLOADED, 2),
        ("part unread", Fate.FAILED, 1),
        ("opened written", Fate.INCOMPLETE, 1),
        ("cancelled", Fate.INCOMPLETE, 1),
        ("unread sent-on", Fate.INCOMPLETE, 2),
        ("part sent-on", Fate.DOWNLOADED, 1),
        ("opened sent-on", Fate.INCOMPLETE, 1),
    ],
)
def test_lives(events: str, fate: Fate, attempts: int) -> None:
    state, counted = live([Event(name) for name in events.split()])
    assert (FATES[state], counted) == (fate, attempts)


def test_the_diagram_has_every_state_and_transition() -> None:
    text = mermaid()
    lines = text.splitlines()
    assert lines[0] == "stateDiagram-v2"
    for state, rows in TRANSFER_LIFE.items():
        assert f"    {state.value}: {state.value} ({FATES[state].value})" in lines
        for event, after in rows.items():
            arrow = f"    {state.value} --> {after.value}: "
            assert any(arrow in line and event.value in line[len(arrow) :] for line in lines)
