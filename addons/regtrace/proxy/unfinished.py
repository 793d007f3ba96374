"""Addon: what is still on its way when the proxy ends is in the capture too.

mitmproxy forgets an upload that Ctrl-C cuts off: it remembers a flow for the capture only once the
request has come whole.
"""

from __future__ import annotations

from mitmproxy import ctx, http

from regtrace.proxy.guard import guarded


class Unfinished:
    name = "regtrace-unfinished"

    def __init__(self) -> None:
        self._sending: dict[str, http.HTTPFlow] = {}
        self._waiting: dict[str, http.HTTPFlow] = {}

    def flows(self) -> list[http.HTTPFlow]:
        """Begun, and neither answered nor broken off."""
        return [*self._sending.values(), *self._waiting.values()]

    def add(self, flow: http.HTTPFlow) -> None:
        """One that mitmproxy itself knows nothing of."""
        self._sending[flow.id] = flow

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.live:
            self._sending[flow.id] = flow

    @guarded
    def request(self, flow: http.HTTPFlow) -> None:
        # Not there: an early answer came before the request's end.
        if self._sending.pop(flow.id, None):
            self._waiting[flow.id] = flow

    @guarded
    def response(self, flow: http.HTTPFlow) -> None:
        self._forget(flow)

    @guarded
    def error(self, flow: http.HTTPFlow) -> None:
        self._forget(flow)

    @guarded
    def done(self) -> None:
        save = ctx.master.addons.get("save")
        for flow in self._sending.values():
            save.request(flow)

    def _forget(self, flow: http.HTTPFlow) -> None:
        self._sending.pop(flow.id, None)
        self._waiting.pop(flow.id, None)
