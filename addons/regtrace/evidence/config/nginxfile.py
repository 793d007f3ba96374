"""nginx's configuration: every location that passes requests on, with what holds there.

crossplane parses; includes are followed only within the files that were given. What a location does
not say it inherits, ``proxy_set_header`` only when it has none of its own (nginx's rule).
"""

from __future__ import annotations

import fnmatch
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import crossplane

from regtrace.evidence.config.text import Unreadable
from regtrace.wire.settings import Front, Listening, Setting, Settings

_Block = list[dict[str, Any]]

#: Directives whose value a location inherits from its server, and that from http.
_INHERITED = (
    "client_max_body_size",
    "client_body_timeout",
    "proxy_request_buffering",
    "proxy_buffering",
    "proxy_http_version",
    "proxy_read_timeout",
    "proxy_send_timeout",
    "chunked_transfer_encoding",
    "ssl_certificate",
    "ssl_certificate_key",
)
_DEEPEST = 12
_MOST_FRONTS = 200
#: Files that are read for one, the same one twice counted twice, and servers of an upstream.
_MOST_INCLUDED = 300
_MOST_SERVERS = 50
_UPSTREAM = re.compile(r"(?:https?://)?([^/]+)")


@dataclass(frozen=True, slots=True)
class Nginx:
    """What one file says."""

    fronts: tuple[Front, ...]
    included: frozenset[str]
    """Names of the given files that it includes."""


def read_nginx(files: Mapping[str, str], name: str) -> Nginx:
    """The ways through the servers of the file ``name``; ``files`` are all given ones, by name.

    Raises Unreadable.
    """
    reader = _Reader(files)
    top = reader.parsed(name)
    http = [inner for each in top if each["directive"] == "http" for inner in each["block"]]
    scope = http or top
    upstreams = _upstreams(scope)
    outer = _holds(scope, {})
    fronts: list[Front] = []
    for server in scope:
        if server["directive"] == "server" and "block" in server:
            fronts += _server(server["block"], outer, upstreams, whole=bool(http))
    return Nginx(tuple(fronts[:_MOST_FRONTS]), frozenset(reader.included))


class _Reader:
    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.open: list[str] = []
        self.read = 0
        self.included: set[str] = set()

    def parsed(self, name: str) -> _Block:
        self.read += 1
        if self.read > _MOST_INCLUDED:
            raise Unreadable(f"{name}: more than {_MOST_INCLUDED} includes, so it is not read")
        block = _parse(self.files[name], name)
        self.open.append(name)
        try:
            return self._included(block, name, 0)
        finally:
            self.open.pop()

    def _included(self, block: _Block, name: str, depth: int) -> _Block:
        if depth > _DEEPEST:
            raise Unreadable(f"{name}: more than {_DEEPEST} levels deep, so it is not read")
        found: _Block = []
        for each in block:
            if each["directive"] == "include" and each["args"]:
                for other in self._matching(each["args"][0]):
                    self.included.add(other)
                    if other not in self.open:
                        found += self.parsed(other)
                continue
            each["file"] = each.get("file", name)
            if "block" in each:
                each["block"] = self._included(each["block"], name, depth + 1)
            found.append(each)
        return found

    def _matching(self, pattern: str) -> list[str]:
        """Given files whose path ends as the include says."""
        wanted = PurePosixPath(pattern).parts[-2:]
        return [
            name
            for name in self.files
            if all(
                fnmatch.fnmatchcase(part, want)
                for part, want in zip(
                    reversed(PurePosixPath(name).parts), reversed(wanted), strict=False
                )
            )
        ]


def _parse(text: str, name: str) -> _Block:
    """crossplane reads files only; it is given a copy, so that it opens nothing else."""
    with tempfile.TemporaryDirectory(prefix="regtrace-") as folder:
        copy = Path(folder) / "nginx.conf"
        copy.write_text(text, encoding="utf-8")
        try:
            said = crossplane.parse(
                str(copy), single=True, catch_errors=True, check_ctx=False, check_args=False
            )
        except RecursionError:
            raise Unreadable(f"{name}: its blocks are nested too deep, so it is not read") from None
    (config,) = said["config"]
    for fault in config["errors"]:
        why = str(fault["error"]).replace(str(copy), "").partition(" in :")[0]
        where = f", line {fault['line']}" if fault.get("line") else ""
        raise Unreadable(f"{name}{where}: nginx would not read it: {why}")
    parsed: _Block = config["parsed"]
    return parsed


def _server(
    block: _Block, outer: dict[str, Setting], upstreams: Mapping[str, list[Setting]], *, whole: bool
) -> list[Front]:
    here = _holds(block, outer)
    ssl_on = any(each["directive"] == "ssl" and each["args"] == ["on"] for each in block)
    listens = tuple(
        found
        for each in block
        if each["directive"] == "listen" and (found := _listening(each, ssl_on=ssl_on))
    )
    names = tuple(
        arg for each in block if each["directive"] == "server_name" for arg in each["args"]
    )
    fronts: list[Front] = []
    waiting = [(each, here) for each in block if each["directive"] == "location"]
    while waiting:
        location, above = waiting.pop(0)
        inside = _holds(location["block"], above)
        waiting += [(each, inside) for each in location["block"] if each["directive"] == "location"]
        passing = next((e for e in location["block"] if e["directive"] == "proxy_pass"), None)
        if passing is None or not passing["args"]:
            continue
        target = _setting(passing)
        fronts.append(
            Front(
                source=target.source,
                kind="nginx",
                settings=Settings(inside),
                names=names,
                listens=listens,
                location=_setting(location),
                passes_to=target,
                upstreams=_behind(target, upstreams),
                whole=whole,
            )
        )
    return fronts


def _holds(block: _Block, outer: Mapping[str, Setting]) -> dict[str, Setting]:
    """The directives that hold in this block."""
    here = {
        e["directive"]: _setting(e) for e in block if e["directive"] in _INHERITED and e["args"]
    }
    headers = {
        f"header.{e['args'][0].lower()}": _setting(e, e["args"][1:], e["args"][0])
        for e in block
        if e["directive"] == "proxy_set_header" and len(e["args"]) == 2
    }
    inherited = {
        key: each for key, each in outer.items() if not (headers and key.startswith("header."))
    }
    return {**inherited, **here, **headers}


def _setting(each: dict[str, Any], args: Sequence[str] | None = None, extra: str = "") -> Setting:
    name = f"{each['directive']} {extra}".strip()
    text = " ".join(each["args"] if args is None else args)
    secret = extra.lower() in {"authorization", "cookie"} and not text.startswith("$")
    return Setting(name, text, each["file"], int(each["line"]), secret)


def _listening(each: dict[str, Any], *, ssl_on: bool) -> Listening | None:
    if not each["args"]:
        return None
    port = each["args"][0].rpartition(":")[2]
    if each["args"][0].startswith("unix:"):
        return None
    number = int(port) if port.isdigit() and len(port) <= 5 else 80
    tls = "ssl" in each["args"][1:] or "quic" in each["args"][1:] or ssl_on
    return Listening(setting=_setting(each), port=number, tls=tls)


def _upstreams(scope: _Block) -> dict[str, list[Setting]]:
    return {
        each["args"][0]: [
            _setting(server, server["args"][:1])
            for server in each["block"]
            if server["directive"] == "server" and server["args"] and "backup" not in server["args"]
        ][:_MOST_SERVERS]
        for each in scope
        if each["directive"] == "upstream" and each["args"] and "block" in each
    }


def _behind(target: Setting, upstreams: Mapping[str, list[Setting]]) -> tuple[Setting, ...]:
    """The servers that it passes to: those of its upstream, or the one that it names."""
    match = _UPSTREAM.match(target.text)
    name = match[1] if match else ""
    if name in upstreams:
        return tuple(upstreams[name])
    return (Setting(target.name, name, target.source, target.line),) if name else ()
