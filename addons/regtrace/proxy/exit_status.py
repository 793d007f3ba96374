"""Addon: exit status 1 for scripts and CI, when an operation failed and it was asked for."""

from __future__ import annotations

from mitmproxy import ctx

from regtrace.proxy.guard import guarded


class ExitStatus:
    """Stands last in mitmproxy's chain: when it ends the process, every other ``done`` has run."""

    name = "regtrace-exit-status"

    @guarded
    def done(self) -> None:
        story = ctx.master.addons.get("regtrace-story")
        if story is not None and ctx.options.registry_exit_status and story.has_failed():
            raise SystemExit(1)
