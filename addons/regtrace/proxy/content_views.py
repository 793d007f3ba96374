"""Addon: a content view, so that mitmproxy and mitmweb show what a registry's body means.

mitmproxy asks a view only about a body that is there: what is streamed or empty is explained by
the comment beside the flow instead.
"""

from __future__ import annotations

from typing import Any

from mitmproxy import contentviews, http

from regtrace.proxy.flows import KEPT, exchange_of
from regtrace.proxy.guard import guarded
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.bodies import explain_body
from regtrace.wire.decode import decode

_NAME = "Registry"
#: mitmproxy's own JSON view gives itself 1.
_PRIORITY = 2.0


def explained(flow: Any, message: Any) -> tuple[str, str] | None:
    """Kind and text of what this message says, when there is anything to say."""
    if not isinstance(flow, http.HTTPFlow):
        return None
    leg = decode(exchange_of(flow, keep=KEPT))
    # The person who looks has the raw bytes one key away; a secret is shown to nobody.
    return explain_body(leg, of_request=message is flow.request, redactor=Redactor(Level.INTERNAL))


def _priority(flow: Any, message: Any) -> float:
    try:
        return _PRIORITY if explained(flow, message) else -1.0
    except Exception:
        return -1.0


if hasattr(contentviews, "Contentview"):  # mitmproxy 12

    class View(contentviews.Contentview):  # type: ignore[name-defined,misc,unused-ignore]
        name = _NAME
        syntax_highlight = "yaml"

        def prettify(self, data: bytes, metadata: Any) -> str:
            said = explained(metadata.flow, metadata.http_message)
            if said is None:
                raise ValueError("not a body of a registry, token server or store")
            return f"# {said[0]}\n{said[1]}"

        def render_priority(self, data: bytes, metadata: Any) -> float:
            return _priority(metadata.flow, metadata.http_message)

else:

    class View(contentviews.View):  # type: ignore[no-redef,unused-ignore]
        name = _NAME

        def __call__(
            self, data: bytes, *, flow: Any = None, http_message: Any = None, **unknown: Any
        ) -> Any:
            said = explained(flow, http_message)
            if said is None:
                raise ValueError("not a body of a registry, token server or store")
            return said[0], contentviews.format_text(said[1])

        def render_priority(
            self, data: bytes, *, flow: Any = None, http_message: Any = None, **unknown: Any
        ) -> float:
            return _priority(flow, http_message)


class ContentViews:
    name = "regtrace-content-views"

    def __init__(self) -> None:
        self._view = View()

    @guarded
    def load(self, loader: Any) -> None:
        contentviews.add(self._view)

    @guarded
    def done(self) -> None:
        # mitmproxy 11 refuses a second view of one name; 12 replaces it.
        if not hasattr(contentviews, "Contentview"):
            contentviews.remove(self._view)
