"""The logs of registries, of the proxies before them and of token servers, joined to the legs that
they speak of: why somebody answered as they did, where the answer itself does not say.

A wrong S3 secret, an unknown key and a missing bucket give the same 500 on the wire; only the
registry's log tells them apart. A line is joined by the request's id where the wire shows one, else
by method, path, status, User-Agent and time. A line that fits two legs alike is joined to none, and
that is said.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import PurePath
from statistics import median
from typing import BinaryIO

from regtrace.evidence.dialects import LogLine, read_line
from regtrace.evidence.reading import Count, Wanted, lines
from regtrace.wire.dates import read_http_date
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.testimony import Testimonies, Testimony, Told

#: Seconds by which a logged request may lie outside its leg: the ``Date`` header that gives the
#: clocks' difference counts whole seconds.
TOLERANCE = 2.0
#: Zones are whole quarters of an hour, up to fourteen hours from UTC.
_QUARTER, _FARTHEST = 900.0, 14 * 3600
#: Seconds between a line that names no request and the line of its request.
_BESIDE = 0.05
#: Minutes of a capture by which lines are told to be of another time.
_MOST_MINUTES = 2_000
#: Lines about one leg, and lines that wait to be joined, that are kept at most.
_MOST_LINES, _MOST_WAITING = 6, 20_000

#: Characters of a path that is looked for, other than a registry's.
_SHORTEST = 5

#: Headers by which the sides name a request; the trace id stands within ``traceparent``.
_ID_HEADERS = ("X-Request-Id", "X-Correlation-Id", "X-Gitlab-Request-Id", "X-Harbor-Request-Id")

#: What is looked for besides paths: lines of the program's own state, and of GitLab's refusals.
_PHRASES = (b"No HTTP secret provided", b"panic serving", b"container registry permissions")


@dataclass(slots=True)
class Joined:
    """What the logs of one run say, as far as they were read."""

    by_leg: dict[str, list[Testimony]] = field(default_factory=dict)
    general: list[Testimony] = field(default_factory=list)
    users: set[str] = field(default_factory=set)
    """Who is named in the lines that were joined."""

    def testimonies(self) -> Testimonies:
        by_leg = {leg: _telling(said) for leg, said in self.by_leg.items()}
        return Testimonies(by_leg, tuple(self.general))


def _telling(said: Iterable[Testimony]) -> tuple[Testimony, ...]:
    """Those that say most first, each text once."""
    once = {(each.said, each.source): each for each in reversed(list(said))}
    ordered = sorted(once.values(), key=lambda each: (not each.told, each.file, each.line))
    return tuple(ordered[:_MOST_LINES])


def is_asked_about(leg: Leg) -> bool:
    """Whether a log may say of this leg what the wire does not: a refusal by a registry or a token
    server."""
    return _is_logged(leg) and leg.refused and not leg.is_challenge


def _is_logged(leg: Leg) -> bool:
    return leg.endpoint is not None or leg.kind is Kind.TOKEN


class Join:
    """The legs, and the logs that are held against them one after the other."""

    def __init__(self, legs: Iterable[Leg]) -> None:
        legs = sorted(filter(_is_logged, legs), key=lambda leg: leg.started)
        self._legs = [leg for leg in legs if is_asked_about(leg)]
        self._asked = {leg.id for leg in self._legs}
        self._offsets = _offsets(legs)
        self._by_id: dict[str, Leg] = {}
        self._by_repository: dict[str, list[Leg]] = defaultdict(list)
        self._by_path: dict[str, list[Leg]] = {_path(leg): [] for leg in self._legs}
        for leg in legs:
            # Those that nobody asks about, too: a line may be theirs.
            self._by_path.get(_path(leg), []).append(leg)
        for leg in self._legs:
            for name in _ids(leg):
                self._by_id.setdefault(name, leg)
            for scope in leg.token_request.scopes if leg.token_request else ():
                self._by_repository[scope.name].append(leg)
        self._year = (
            datetime.fromtimestamp(self._legs[0].started, tz=timezone.utc).year
            if self._legs
            else 1970
        )
        self.joined = Joined()

    @property
    def asked(self) -> int:
        """Legs that a log may say something of."""
        return len(self._legs)

    @property
    def wanted(self) -> Wanted:
        paths = {path.encode("utf-8", "replace") for path in self._by_path}
        # A shorter one would be found in every line.
        others = [p for p in sorted(paths) if not p.startswith(b"/v2/") and len(p) >= _SHORTEST]
        ids = {name.encode("utf-8", "replace") for name in self._by_id}
        return Wanted(paths, (*_PHRASES, *others), ids, self._minutes())

    def _minutes(self) -> frozenset[int] | None:
        """In which minutes the legs were answered, by the answerers' clocks; None: too many."""
        found: set[int] = set()
        for leg in self._legs:
            offset = self._offsets.get(leg.url.authority, 0.0)
            begun, ended = leg.started + offset - TOLERANCE, leg.last_seen + offset + TOLERANCE
            first, last = int(begun // 60), int(ended // 60)
            if first < 0 or last - first + len(found) > _MOST_MINUTES:
                return None
            found.update(range(first, last + 1))
        return frozenset(found)

    def read(self, stream: BinaryIO, name: str) -> Count:
        """Take in one log. What its reading raises is passed on."""
        count, waiting = Count(), _Waiting()
        file = "standard input" if name == "-" else PurePath(name).name
        for number, raw, before in lines(stream, self.wanted, count):
            line = read_line(raw, self._year)
            if line is None:
                count.unreadable += 1
                continue
            if not line.about_a_request:
                self._note(line, file, number)
                continue
            fits = self._fitting(line, count)
            if fits and len(waiting) < _MOST_WAITING:
                waiting.add(_Heard(file, number, line, fits))
                beside = _beside(read_line(before, self._year) if before else None, line)
                if beside is not None:
                    waiting.add(_Heard(file, number - 1, beside, fits))
        self._settle(waiting, count)
        return count

    def _note(self, line: LogLine, file: str, number: int) -> None:
        """A line that names no request: about the program, or, by its time, about one leg."""
        said = Testimony(line.source, file, number, line.said, line.told, "what it says")
        if Told.SECRET_MADE_UP in line.told and len(self.joined.general) < _MOST_LINES:
            self.joined.general.append(said)
        elif Told.PANIC in line.told and line.time is not None:
            broken = [leg for leg in self._legs if leg.broken or (leg.status or 0) >= 500]
            near = [leg for leg in broken if self._is_then(line, leg)]
            if len(near) == 1:
                self._join(near[0], _Heard(file, number, line, tuple(near)), "time alone")

    # --- which legs a line fits

    def _fitting(self, line: LogLine, count: Count) -> tuple[Leg, ...]:
        named = {leg.id: leg for name in line.ids if (leg := self._by_id.get(name))}
        if named:
            return tuple(named.values())
        if line.path is not None:
            asked = self._by_path.get(_from_v2(line.path), [])
            alike = [leg for leg in asked if _is_like(line, leg)]
        else:
            alike = asked = self._by_repository.get(line.repository or "", [])
        then = tuple(leg for leg in alike if self._is_then(line, leg))
        if not then:
            self._note_miss(line, asked, count)
        return then

    def _note_miss(self, line: LogLine, asked: Iterable[Leg], count: Count) -> None:
        """By how much a line of the same request lies beside it in time."""
        apart = [self._apart(line, leg) for leg in asked if line.method in {None, leg.method}]
        nearest = min(apart, key=abs, default=0.0)
        late = line.time is not None and abs(nearest) > TOLERANCE
        if late and len(count.missed) < _MOST_WAITING:
            count.missed.append(nearest)

    def _is_then(self, line: LogLine, leg: Leg) -> bool:
        return line.time is None or abs(self._apart(line, leg)) <= TOLERANCE

    def _apart(self, line: LogLine, leg: Leg) -> float:
        """Seconds that the line lies before (negative) or after the time of the leg, by the clock
        of who answered it."""
        time, offset = line.time or 0.0, self._offsets.get(leg.url.authority, 0.0)
        begun, ended = leg.started + offset, leg.last_seen + offset
        if not line.zoned and abs(time - begun) <= _FARTHEST:
            time -= round((time - (begun + ended) / 2) / _QUARTER) * _QUARTER
        return min(time - begun, 0.0) or max(time - ended, 0.0)

    # --- joining

    def _settle(self, waiting: _Waiting, count: Count) -> None:
        for requests in waiting.buckets():
            for request, leg in zip(requests, _owners(requests), strict=True):
                if leg is None:
                    count.ambiguous += [heard.number for heard in request]
                elif leg.id in self._asked:
                    count.joined += len(request)
                    for heard in request:
                        self._join(leg, heard, self._how(heard))

    def _how(self, heard: _Heard) -> str:
        if any(name in self._by_id for name in heard.line.ids):
            return "the request's id"
        what = "method, path and time" if heard.line.path else "repository and time"
        return f"{what}, in their order" if len(heard.fits) > 1 else what

    def _join(self, leg: Leg, heard: _Heard, how: str) -> None:
        line = heard.line
        self.joined.users.update(line.users)
        said = line.said
        if not said and line.status not in {None, leg.status}:
            said = f"answered {line.status}"
        if said:
            self.joined.by_leg.setdefault(leg.id, []).append(
                Testimony(line.source, heard.file, heard.number, said, line.told, how)
            )


@dataclass(frozen=True, slots=True)
class _Heard:
    """A line, and the legs that it may be about."""

    file: str
    number: int
    line: LogLine
    fits: tuple[Leg, ...]


class _Waiting:
    """The lines of one log that fit some leg."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, ...], list[_Heard]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, heard: _Heard) -> None:
        """Lines of one request share its id, or stand beside each other."""
        line = heard.line
        own = line.ids[0] if line.ids else str(heard.number)
        kind = "access" if line.is_access else "reason"
        key = (line.method or "", line.path or line.repository or "", kind, own)
        self._requests.setdefault(key, []).append(heard)
        self._count += 1

    def buckets(self) -> Iterator[list[list[_Heard]]]:
        """The requests that can't be told apart but by time: each a list of its lines."""
        alike: dict[tuple[str, ...], list[list[_Heard]]] = defaultdict(list)
        for key, request in self._requests.items():
            alike[key[:3]].append(request)
        for requests in alike.values():
            yield sorted(requests, key=lambda heard: (heard[0].line.time or 0.0, heard[0].number))


def _owners(requests: Sequence[Sequence[_Heard]]) -> list[Leg | None]:
    """The leg of each of these requests; None where to name one would be a guess.

    As many requests as legs, each within its leg's time, are joined in their order where the legs
    come one after the other. Requests of which the log says the same may change places.
    """
    union = {leg.id: leg for request in requests for leg in request[0].fits}
    legs = sorted(union.values(), key=lambda leg: leg.started)
    same = len({frozenset().union(*(heard.line.told for heard in r)) for r in requests}) == 1
    apart = all(one.last_seen <= other.started for one, other in pairwise(legs))
    pairs = list(zip(legs, requests, strict=False))
    fit = len(legs) == len(requests) and all(leg in request[0].fits for leg, request in pairs)
    if fit and (apart or same):
        return list(legs)
    claims = Counter(request[0].fits[0].id for request in requests if len(request[0].fits) == 1)
    return [
        fits[0] if len(fits) == 1 and (same or claims[fits[0].id] == 1) else None
        for fits in (request[0].fits for request in requests)
    ]


def _beside(before: LogLine | None, line: LogLine) -> LogLine | None:
    """The line just before, where it gives the reason of this one without naming the request:
    distribution writes what it dislikes about a token so (registry/auth/token/token.go)."""
    if before is None or before.about_a_request or not before.told or line.is_access:
        return None
    if before.time is None or line.time is None:
        return None
    near = 0 <= line.time - before.time <= _BESIDE
    return replace(before, method=line.method, path=line.path, ids=line.ids) if near else None


def _is_like(line: LogLine, leg: Leg) -> bool:
    if line.method is not None and line.method != leg.method:
        return False
    changed = leg.broken or leg.answerer is not None  # by something before the registry
    if line.status is not None and leg.status is not None and line.status != leg.status:
        return changed
    if line.status is None and not leg.refused:
        return False  # only refusals are told without their status
    agent = leg.exchange.request.headers.get("User-Agent")
    return line.agent is None or agent is None or _plain(line.agent) == _plain(agent)


def _plain(agent: str) -> str:
    """Without the marks that a log's quoting adds."""
    return agent.replace("\\", "").replace('"', "")[:200]


def _path(leg: Leg) -> str:
    return _from_v2(leg.exchange.request.target.partition("?")[0])


def _from_v2(path: str) -> str:
    """A proxy may have taken away, or set, what stands before ``/v2/``."""
    at = path.find("/v2/")
    return path[at:] if at >= 0 else path


def _ids(leg: Leg) -> Iterator[str]:
    exchange = leg.exchange
    sides = (exchange.request.headers, exchange.response.headers if exchange.response else None)
    for headers in filter(None, sides):
        for name in _ID_HEADERS:
            yield from (value for value in headers.all(name) if 8 <= len(value) <= 128)
        for value in headers.all("traceparent"):
            parts = value.split("-")
            if len(parts) == 4 and len(parts[1]) == 32:
                yield parts[1]


def _offsets(legs: Iterable[Leg]) -> Mapping[str, float]:
    """Authority → seconds that its clock is ahead of the proxy's, by its ``Date`` headers."""
    seen: dict[str, list[float]] = defaultdict(list)
    for leg in legs:
        response = leg.exchange.response
        date = read_http_date(response.headers.get("Date")) if response else None
        if response is not None and date is not None and len(seen[leg.url.authority]) < 500:
            # Whole seconds, cut off: half a second more is the best guess.
            seen[leg.url.authority].append(date + 0.5 - response.started)
    return {authority: median(found) for authority, found in seen.items() if found}
