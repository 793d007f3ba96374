"""One line of a log, whoever wrote it and whatever a collector set before it.

Known: distribution's and GitLab's registry in JSON and in logrus' text, Go's own log, access logs
in the combined format (distribution, nginx, Harbor's nginx), nginx's error log, Harbor's core,
GitLab's production_json.log and auth_json.log; each bare, or behind the prefix of docker, compose,
Kubernetes (CRI), journalctl, syslog or svlogd, or within the lines of docker's json-file driver.

Total: any bytes give a line or None, never an exception, in time that grows as their length does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from regtrace.evidence.meanings import meanings
from regtrace.wire.dates import read_iso
from regtrace.wire.jsontext import parse_json
from regtrace.wire.testimony import Told

#: Bytes of a line that are read; a line of any of these programs has a few kilobytes.
MOST_LINE = 64 * 1024
#: Characters of what a line says that are kept.
MOST_SAID = 2_000
_MOST_WORD = 4_000
#: Where a collector's prefix ends at the latest.
_PREFIX = 240

_ANSI = re.compile(r"\x1b\[[0-9;]{0,16}m")
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d[T_ ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d(?![\d:]))?"
)
_SYSLOG = re.compile(r"(?<![A-Za-z])([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)(?:\.\d{1,9})? ")
_GO = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d{1,9})? ")
_NGINX = re.compile(
    r"(?:\[(?:debug|info|notice|warn|error|crit|alert|emerg)\]) \d{1,10}#\d{1,10}: "
    r"(?:\*\d{1,20} )?"
)
_NGINX_REQUEST = re.compile(r'request: "([A-Z]{3,10}) ([^\s"]{1,4000}) HTTP/')
_NGINX_UPSTREAM = re.compile(r'upstream: "([^\s"]{1,2000})"')
_NGINX_CONTEXT = re.compile(r", (?:client|server|request|upstream|host|referrer|subrequest): ")
_ACCESS = re.compile(
    r'"([A-Z]{3,10}) ([^\s"]{1,4000}) HTTP/[\d.]{1,3}" (\d{3}) (?:\d{1,20}|-)'
    r'(?: "[^"]{0,2000}" "([^"]{0,2000})")?'
)
_CLF = re.compile(r"\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\]")
_HARBOR = re.compile(
    r"\[(?:DEBUG|INFO|WARNING|ERROR|FATAL)\] \[[^\]]{1,200}\]"
    r'(?:\[(?:requestID="([\w-]{1,64})")?(?: ?traceID="([\w-]{0,64})")?\])?: ?'
)
_HARBOR_ATTACH = re.compile(
    r"attach request id ([\w-]{1,64}) to the logger for the request ([A-Z]{3,10}) (\S{1,2000})"
)
#: logrus' text, and what of it has colours on a terminal.
_FIELD = re.compile(r'(?<![\w.-])([\w.-]{1,64})=("(?:[^"\\]|\\.)*"|[^\s"]*)')
_LOGRUS_TTY = re.compile(r"\b(?:DEBU|INFO|WARN|ERRO|FATA|PANI)\[\d{1,8}\] ?")

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """What one line says of one request, or of the program that wrote it."""

    time: float | None
    """Epoch seconds, by the writer's clock; None where the line has no date."""
    zoned: bool = True
    """False: the time is local, of a zone that the line does not name, and counted as if UTC."""
    method: str | None = None
    path: str | None = None
    """As asked for, without its query."""
    repository: str | None = None
    """Where it names a repository and no path."""
    status: int | None = None
    agent: str | None = None
    ids: tuple[str, ...] = ()
    """Every id of the request, by whoever gave it one."""
    users: tuple[str, ...] = ()
    source: str = "registry-log"
    """See :class:`regtrace.wire.testimony.Testimony`."""
    said: str = ""
    """What it says in words; empty for one that only counts a request."""
    told: frozenset[Told] = frozenset()
    is_access: bool = False
    """Of an access log: it has no reason."""

    @property
    def about_a_request(self) -> bool:
        return self.path is not None or self.repository is not None or bool(self.ids)


def read_line(raw: bytes, year: int = 1970) -> LogLine | None:
    """This line; None for one that none of these programs writes. ``year``: of those that name
    none."""
    if len(raw) > MOST_LINE or b"\0" in raw:
        return None
    text = raw.decode("utf-8", "replace").strip()
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    line = _read(text, year, 1)
    if line is None:
        return None
    said = " ".join(line.said[:MOST_SAID].split())
    return replace(line, said=said, told=meanings(said))


def _read(text: str, year: int, wrapped: int) -> LogLine | None:
    start = text.find("{", 0, _PREFIX)
    if harbor := _HARBOR.search(text, 0, 2 * _PREFIX):
        return _from_harbor(text, harbor, year)
    content = parse_json(text[start:].encode(), 2 * MOST_LINE) if start >= 0 else None
    if isinstance(content, dict):
        inner = content.get("log")
        if isinstance(inner, str) and wrapped:
            line = _read(inner.strip(), year, wrapped - 1)
            return _timed(line, read_iso(_text(content.get("time"))))
        return _timed(_from_fields(content), *_prefix_time(text[:start], year))
    if nginx := _NGINX.search(text, 0, 2 * _PREFIX):
        return _from_nginx(text, nginx, year)
    if access := _ACCESS.search(text):
        return _from_access(text, access, year)
    return _from_text(text, year)


def _timed(line: LogLine | None, time: float | None, zoned: bool = True) -> LogLine | None:
    """The line, with the collector's time where it has none of its own."""
    if line is None or line.time is not None:
        return line
    return replace(line, time=time, zoned=zoned)


# --- distribution, GitLab's registry and GitLab, by fields

_METHOD = ("http.request.method", "method", "request_method")
_URI = ("http.request.uri", "uri", "request_uri", "path")
_STATUS = ("http.response.status", "status", "status_code")
_AGENT = ("http.request.useragent", "user_agent", "ua", "http_user_agent")
_TIME = ("time", "timestamp", "ts", "time_iso8601", "@timestamp")
_IDS = (
    "correlation_id",
    "http.request.id",
    "request_id",
    "requestID",
    "trace_id",
    "traceID",
    "http_x_request_id",
)
_USERS = ("auth.user.name", "auth_user_name", "username", "meta.user", "user")
_WORDS = (
    "message",
    "msg",
    "error",
    "err.code",
    "code",
    "err.message",
    "err.detail",
    "detail",
    "err",
)
#: What is said of every request that failed, and says no more than that.
_EMPTY = frozenset(
    {"response completed with error", "response completed", "authorized request", "access", ""}
)
_IN_GITLAB = frozenset({"controller", "authorized_actions", "requested_actions", "scope_type"})


def _from_fields(content: Mapping[str, Any]) -> LogLine | None:
    time = next(
        (t for name in _TIME if (t := read_iso(_text(content.get(name)))) is not None), None
    )
    words = [_text(content.get(name)) for name in _WORDS]
    said = ": ".join(dict.fromkeys(word for word in words if word not in _EMPTY))
    uri = _first(content, _URI)
    known = time is not None or uri is not None or "level" in content or "severity" in content
    if not known:
        return None
    is_gitlabs = (
        not _IN_GITLAB.isdisjoint(content) or _text(content.get("message")) == "Rack_Attack"
    )
    if is_gitlabs:
        said = _gitlab_said(content, said)
    return LogLine(
        time=time,
        method=_first(content, _METHOD) or _text(content.get("request_method")) or None,
        path=uri.partition("?")[0][:_MOST_WORD] if uri else None,
        repository=_text(content.get("requested_project_path"))[:_MOST_WORD] or None,
        status=_status(_first(content, _STATUS)),
        agent=_first(content, _AGENT),
        ids=_all(content, _IDS),
        users=_all(content, _USERS),
        source="token-log" if is_gitlabs else "registry-log",
        said=said,
        is_access=uri is not None and not said,
    )


def _gitlab_said(content: Mapping[str, Any], said: str) -> str:
    """What Rails says of a request for a token, and the service of its refusal."""
    parts = [said]
    for name in ("env", "requested_actions", "authorized_actions", "exception.message"):
        value = content.get(name)
        if isinstance(value, list):
            value = "[" + ", ".join(_text(each) for each in value[:8]) + "]"
        if name in content:
            parts.append(f"{name} {_text(value)}")
    return ": ".join(part for part in parts if part)


def _from_text(text: str, year: int) -> LogLine | None:
    """logrus' text; Go's own log."""
    tty = _LOGRUS_TTY.search(text, 0, _PREFIX)
    fields = {name: _unquoted(value) for name, value in _FIELD.findall(text)}
    if tty and "msg" not in fields:
        rest = text[tty.end() :]
        first = _FIELD.search(rest)
        fields["msg"] = rest[: first.start()].strip() if first else rest.strip()
    if "level" in fields or tty:
        return _timed(_from_fields({"level": "", **fields}), *_prefix_time(text, year))
    if go := _GO.search(text, 0, _PREFIX):
        said = text[go.end() :].strip()
        time = _moment(*(int(part) for part in go.groups()))
        return LogLine(time=time, zoned=False, said=said) if time is not None else None
    if text.startswith("panic: "):
        return LogLine(time=None, said=text)
    return None


def _unquoted(value: str) -> str:
    """As Go's ``strconv.Quote`` wrote it."""
    if len(value) < 2 or value[0] != '"':
        return value
    inner = value[1:-1].replace("\\x", "\\u00")
    read = parse_json(f'["{inner}"]'.encode(), 2 * MOST_LINE)
    return read[0] if isinstance(read, list) and len(read) == 1 else value[1:-1]


# --- access logs, nginx, Harbor


def _from_access(text: str, access: re.Match[str], year: int) -> LogLine:
    time, zoned = _clf_time(text) or _prefix_time(text[: access.start()], year)
    agent = access[4]
    return LogLine(
        time=time,
        zoned=zoned,
        method=access[1],
        path=access[2].partition("?")[0],
        status=int(access[3]),
        agent=agent if agent not in {None, "", "-"} else None,
        is_access=True,
    )


def _clf_time(text: str) -> tuple[float, bool] | None:
    match = _CLF.search(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[n]) for n in (1, 3, 4, 5, 6))
    time = _moment(year, _MONTHS.index(match[2]) + 1, day, hour, minute, second)
    ahead = (int(match[8]) * 60 + int(match[9])) * 60
    return (time - (ahead if match[7] == "+" else -ahead), True) if time is not None else None


def _from_nginx(text: str, match: re.Match[str], year: int) -> LogLine:
    message = text[match.end() :]
    context = _NGINX_CONTEXT.search(message)
    said = message[: context.start()] if context else message
    request, upstream = _NGINX_REQUEST.search(message), _NGINX_UPSTREAM.search(message)
    if upstream:
        scheme, _, rest = upstream[1].partition("://")
        said += f" ({scheme}://{rest.partition('/')[0]})"
    time, zoned = _prefix_time(text[: match.start()], year)
    return LogLine(
        time=time,
        zoned=zoned,
        method=request[1] if request else None,
        path=request[2].partition("?")[0] if request else None,
        source="front-log",
        said=said,
    )


def _from_harbor(text: str, match: re.Match[str], year: int) -> LogLine:
    said = text[match.end() :]
    attached = _HARBOR_ATTACH.search(said)
    errors = parse_json(said.encode(), 2 * MOST_LINE) if said.startswith("{") else None
    listed = errors.get("errors") if isinstance(errors, dict) else None
    if isinstance(listed, list):
        pairs = [one for one in listed[:8] if isinstance(one, dict)]
        said = "; ".join(f"{_text(p.get('code'))}: {_text(p.get('message'))}" for p in pairs)
    time, zoned = _prefix_time(text[: match.start()], year)
    return LogLine(
        time=time,
        zoned=zoned,
        method=attached[2] if attached else None,
        path=attached[3].partition("?")[0] if attached else None,
        ids=tuple(each for each in (*match.groups(), attached and attached[1]) if each),
        said="" if attached else said,
    )


# --- times


def _prefix_time(text: str, year: int) -> tuple[float | None, bool]:
    """The first time in a prefix, and whether its zone is known."""
    if iso := _ISO.search(text, 0, _PREFIX):
        written = iso[0].replace("_", "T").replace(" ", "T")
        zoned = not written[-1].isdigit() or "+" in written or "_" in iso[0]
        if "_" in iso[0] or not zoned:
            return read_iso(f"{written}Z"), zoned
        return read_iso(written), True
    if go := _GO.search(text, 0, _PREFIX):
        return _moment(*(int(part) for part in go.groups())), False
    log = _SYSLOG.search(text, 0, _PREFIX)
    if log and log[1] in _MONTHS:
        day, hour, minute, second = (int(log[n]) for n in (2, 3, 4, 5))
        return _moment(year, _MONTHS.index(log[1]) + 1, day, hour, minute, second), False
    return None, True


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float | None:
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


# --- values


def _first(content: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := _text(content.get(name)))), None)


def _all(content: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    found = (_text(content.get(name)) for name in names)
    return tuple(dict.fromkeys(text for text in found if 0 < len(text) <= 128))


def _status(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) == 3 and text.isascii() else None


def _text(value: object) -> str:
    """A value as its writer would print it; what is no plain value says nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
        return ""
    return str(value)
