"""The life of a transfer as a picture, drawn from its table: Mermaid text for the documentation."""

from __future__ import annotations

from regtrace.follow.life import FATES, TRANSFER_LIFE, State


def mermaid() -> str:
    """A state diagram: every transition of the table, and the fate that each state means."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.NEW.value}"]
    for state, rows in TRANSFER_LIFE.items():
        events: dict[State, list[str]] = {}
        for event, after in rows.items():
            events.setdefault(after, []).append(event.value)
        lines += [
            f"    {state.value} --> {after.value}: {', '.join(names)}"
            for after, names in events.items()
        ]
    lines += [f"    {state.value}: {state.value} ({fate.value})" for state, fate in FATES.items()]
    return "\n".join(lines) + "\n"
