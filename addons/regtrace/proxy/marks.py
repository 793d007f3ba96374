"""Addon: writes beside each flow what it is and what was wrong with it, in mitmproxy and mitmweb.

The flow list then reads as a story and can be filtered: ``~comment "push team/app"``, ``~marked``.
A flow's place in the story is known only when more of it has passed, so it is looked at from a
timer, as rarely as that costs, and by the thread that reads the story: the traffic does not wait.
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
        self._looking: asyncio.Future[tuple[dict[str, Remark], float] | None] | None = None
        self._seen = self._over = False
        """Whether a flow came since the last look; and whether there will be no other look."""

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
        if self._over or ctx.master.addons.get("view") is None:
            return  # mitmdump shows no list
        self._flows[flow.id] = flow
        self._seen = True
        if self._timer is None and self._looking is None:
            self._look_in(_SOON)

    def _look_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    @guarded
    def _look(self) -> None:
        self._timer = None
        self._seen = False
        self._looking = self._story.aside(self._news)
        self._looking.add_done_callback(self._put)

    @guarded
    def _news(self) -> tuple[dict[str, Remark], float]:
        """What is to be said of the operations that stand otherwise than when they were marked, and
        the seconds that it took to find out. Not on the loop."""
        began = time.monotonic()
        tellings = self._story.tellings_now()
        standing = {_key(telling): _standing(telling) for telling in tellings}
        news = [t for t in tellings if self._marked.get(_key(t)) != standing[_key(t)]]
        self._marked = standing
        said = {id_: remark for telling in news for id_, remark in _said(telling).items()}
        return said, time.monotonic() - began

    @guarded
    def _put(self, looked: asyncio.Future[tuple[dict[str, Remark], float] | None]) -> None:
        self._looking = None
        found = None if looked.cancelled() else looked.result()
        said, cost = found or ({}, 0.0)
        flows = ((self._flows.get(id_), remark) for id_, remark in said.items())
        changed = [flow for flow, remark in flows if flow is not None and put(flow, remark)]
        if changed:
            ctx.master.addons.trigger(hooks.UpdateHook(changed))
        if changed or self._seen:
            self._look_in(max(_SOON, cost / _SHARE))

    @guarded
    def done(self) -> None:
        self._over = True
        if self._timer:
            self._timer.cancel()
        if self._looking:
            self._looking.remove_done_callback(self._put)


def _key(telling: Telling) -> str:
    return telling.operation.legs[0].id


def _said(telling: Telling) -> dict[str, Remark]:
    """Id of each flow → its remark, if no secret stands in that."""
    gate = gate_for(exchanges_of([telling]))
    told = remarks(telling, new_redactor())
    return {id_: remark for id_, remark in told.items() if not gate.leaks(remark.comment)}


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
