"""Addon: writes beside each flow what it is and what was wrong with it, in mitmproxy and mitmweb.

The flow list then reads as a story and can be filtered: ``~comment "push team/app"``, ``~marked``.
A flow's place in the story is known only when more of it has passed, so it is looked at from a
timer, as rarely as that costs.
"""

from __future__ import annotations

import asyncio
import time
import weakref

from mitmproxy import ctx, hooks, http

from regtrace.proxy.guard import guarded
from regtrace.proxy.history import exchanges_of
from regtrace.proxy.options import new_redactor
from regtrace.proxy.story import Story
from regtrace.report.output import gate_for
from regtrace.report.remarks import Remark, remarks
from regtrace.report.telling import Telling

#: Seconds from news to saying it; a look takes at most this share of the time.
_SOON, _SHARE = 0.5, 0.05


class Marks:
    name = "regtrace-marks"

    def __init__(self, story: Story) -> None:
        self._story = story
        self._flows: weakref.WeakValueDictionary[str, http.HTTPFlow] = weakref.WeakValueDictionary()
        """Flows that mitmproxy itself still holds, by id."""
        self._marked: dict[str, tuple[int, float, str]] = {}
        """First leg of each operation → how it stood when its flows were marked."""
        self._timer: asyncio.TimerHandle | None = None

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self._see(flow)

    @guarded
    def response(self, flow: http.HTTPFlow) -> None:
        self._see(flow)

    @guarded
    def error(self, flow: http.HTTPFlow) -> None:
        self._see(flow)

    def _see(self, flow: http.HTTPFlow) -> None:
        if ctx.master.addons.get("view") is None:
            return  # mitmdump shows no list
        self._flows[flow.id] = flow
        if self._timer is None:
            self._look_in(_SOON)

    def _look_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    @guarded
    def _look(self) -> None:
        self._timer = None
        began = time.monotonic()
        changed = [flow for telling in self._news() for flow in self._mark(telling)]
        if changed:
            ctx.master.addons.trigger(hooks.UpdateHook(changed))
            self._look_in(max(_SOON, (time.monotonic() - began) / _SHARE))

    def _news(self) -> list[Telling]:
        """The operations that stand otherwise than when they were marked."""
        tellings = list(self._story.tellings())
        standing = {telling.operation.legs[0].id: _standing(telling) for telling in tellings}
        news = [t for t in tellings if self._marked.get(_key(t)) != standing[_key(t)]]
        self._marked = standing
        return news

    def _mark(self, telling: Telling) -> list[http.HTTPFlow]:
        redactor = new_redactor()
        gate = gate_for(exchanges_of([telling]))
        found = (
            (self._flows.get(id_), said)
            for id_, said in remarks(telling, redactor).items()
            if not gate.leaks(said.comment)
        )
        return [flow for flow, said in found if flow is not None and put(flow, said)]

    @guarded
    def done(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _key(telling: Telling) -> str:
    return telling.operation.legs[0].id


def _standing(telling: Telling) -> tuple[int, float, str]:
    operation = telling.operation
    return len(operation.legs), operation.last_seen, operation.ending.value


def put(flow: http.HTTPFlow, remark: Remark) -> bool:
    """Put this beside the flow; whether that changed anything. A mark that a person set stays."""
    ours = flow.marked in {"", ":x:", ":warning:"}
    marker = remark.marker if ours else flow.marked
    if (flow.comment, flow.marked) == (remark.comment, marker):
        return False
    flow.comment, flow.marked = remark.comment, marker
    return True
