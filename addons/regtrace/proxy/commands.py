"""Addon: commands for mitmproxy's prompt, its key bindings, and mitmweb's command bar.

: registry.explain @focus
: registry.operations
: registry.report push.json
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mitmproxy import command, exceptions, flow, http, types

from regtrace.proxy.guard import note, place_of
from regtrace.proxy.history import exchanges_of
from regtrace.proxy.options import new_redactor
from regtrace.proxy.story import Story
from regtrace.report.naming import client_name, operation_name
from regtrace.report.output import Refused, check_path, gate_for, passed
from regtrace.report.remarks import remarks
from regtrace.report.telling import Telling
from regtrace.report.visible import visible

F = TypeVar("F", bound=Callable[..., Any])


def answering(work: F) -> F:
    """A command that refuses when it breaks: by any other exception mitmproxy's console ends."""

    @functools.wraps(work)
    def answers(*args: Any, **kwargs: Any) -> Any:
        try:
            return work(*args, **kwargs)
        except exceptions.CommandError:
            raise
        except Exception as fault:
            note(work.__qualname__, fault)
            raise exceptions.CommandError(f"A fault of regtrace: {place_of(fault)}.") from None

    return answers  # type: ignore[return-value]


class Commands:
    name = "regtrace-commands"

    def __init__(self, story: Story) -> None:
        self._story = story

    @command.command("registry.explain")
    @answering
    def explain(self, shown: flow.Flow) -> Sequence[str]:
        """What this flow is, to which push or pull it belongs, and what was wrong with it."""
        if not isinstance(shown, http.HTTPFlow):
            raise exceptions.CommandError("This is no HTTP flow.")
        redactor = new_redactor()
        for telling in self._story.tellings():
            if any(leg.id == shown.id for leg in telling.operation.legs):
                lines = remarks(telling, redactor)[shown.id].comment.splitlines()
                return _passed(lines, [telling])
        raise exceptions.CommandError("This flow is no registry traffic that regtrace follows.")

    @command.command("registry.operations")
    @answering
    def operations(self) -> Sequence[str]:
        """Every push, pull and login seen so far, how it ended, and why."""
        redactor = new_redactor()
        lines: list[str] = []
        tellings = self._story.tellings()
        for exchange in exchanges_of(tellings):
            redactor.learn(exchange)
        for telling in tellings:
            operation = telling.operation
            roots = ", ".join(f"{f.rule.number} {f.rule.slug}" for f in telling.diagnosis.roots)
            name = operation_name(operation, redactor)
            who = client_name(operation, redactor)
            ended = operation.ending.value
            lines.append(visible(f"{ended:10}  {name}  by {who}{'  ' if roots else ''}{roots}"))
        return _passed(lines, tellings) or ["No registry traffic was seen so far."]

    @command.command("registry.report")
    @answering
    def report(self, path: types.Path) -> str:
        """Write the report of all that was seen so far; the path's ending chooses the format."""
        try:
            check_path(path)
            self._story.write(path)
        except Refused as fault:
            raise exceptions.CommandError(str(fault)) from None
        return f"The report is in {visible(path)}."


def _passed(lines: list[str], tellings: Sequence[Telling]) -> list[str]:
    """The lines, if no secret of these operations stands in them."""
    try:
        passed("\n".join(lines), gate_for(exchanges_of(tellings)))
    except Refused as fault:
        raise exceptions.CommandError(str(fault)) from None
    return lines
