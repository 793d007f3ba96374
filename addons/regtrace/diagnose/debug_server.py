"""What matters in the answers of a registry's debug server, in the words of the catalogue.

A counter counts since the registry began: what it says may be long over, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from regtrace.diagnose.config.lookups import is_loopback
from regtrace.diagnose.rule import Severity
from regtrace.wire.debug_server import DebugServer, Histogram, Metrics

#: Seconds: what a reverse proxy waits if nobody tells it to wait longer.
_PATIENCE = 60.0
#: Seconds of one action on the storage, on average.
_SLOW = 1.0
_ENOUGH_CALLS = 5
_MANY_ERRORS = 0.05
_NEARLY_ALL = 0.8
#: Rows of times.
_SHOWN = 8
_UPLOADS = ("blob_upload", "blob_upload_chunk")


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that is wrong, or may be."""

    severity: Severity
    slug: str | None
    """The rule of the catalogue that tells what it does, and what helps."""
    said: str
    """Ours."""
    quoted: str = ""
    """What the registry wrote."""


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str


def observe(server: DebugServer) -> tuple[Observation, ...]:
    """What is wrong, worst first."""
    found = [*_health(server), *_notifications(server)]
    if server.metrics:
        found += [*_answers(server.metrics), *_storage(server.metrics), *_uploads(server.metrics)]
        found += _files(server.metrics)
    if not is_loopback(server.host):
        said = "the debug server answers to other machines, this one among them, without a login"
        found.append(Observation(Severity.WARNING, "debug-server-open", said))
    order = list(Severity)
    return tuple(sorted(found, key=lambda each: order.index(each.severity)))


def facts(server: DebugServer) -> tuple[Fact, ...]:
    """Numbers worth a look."""
    rows: list[Fact] = []
    if server.health is not None:
        failing = len(server.health)
        rows.append(Fact("health", "all checks pass" if not failing else f"{failing} fail"))
    metrics = server.metrics
    if metrics is None:
        return tuple(rows)
    busy = {s.labels.get("handler", "?"): s.value for s in metrics.all(_IN_FLIGHT)}
    uploads = sum(busy.get(handler, 0) for handler in _UPLOADS)
    rows.append(Fact("in flight", f"{sum(busy.values()):g} requests, {uploads:g} of uploads"))
    total, failed = _counts(metrics)
    rows.append(Fact("answers", f"{total:g} since the start, {failed:g} of them 5xx"))
    rows += [Fact(f"storage {_action(each)}", _speed(each)) for each in _worst(metrics, _STORAGE)]
    for each in _worst(metrics, _DURATION):
        handler = each.labels.get("handler", "?")
        rows.append(Fact(f"{_method(each)} {handler}", _speed(each)))
    return tuple(rows)


_IN_FLIGHT = "registry_http_in_flight_requests"
_DURATION = "registry_http_request_duration_seconds"
_STORAGE = "registry_storage_action_seconds"
_REQUESTS = "registry_http_requests_total"


def _health(server: DebugServer) -> Iterator[Observation]:
    for name, said in (server.health or {}).items():
        yield Observation(
            Severity.ERROR, "registry-unhealthy", "a health check fails", f"{name}: {said}"
        )


def _notifications(server: DebugServer) -> Iterator[Observation]:
    for endpoint in server.endpoints or ():
        lost = endpoint.failures + endpoint.errors
        if lost or endpoint.pending > 100:
            said = f"notifications: {lost} not delivered since the start, {endpoint.pending} wait"
            yield Observation(Severity.WARNING, None, said, endpoint.name)


def _answers(metrics: Metrics) -> Iterator[Observation]:
    total, failed = _counts(metrics)
    if failed:
        many = failed / total > _MANY_ERRORS and failed >= _ENOUGH_CALLS
        said = f"{failed:g} of {total:g} answers since the start were 5xx"
        severity = Severity.ERROR if many else Severity.WARNING
        yield Observation(severity, "storage-backend-error", said, _handlers(metrics))


def _storage(metrics: Metrics) -> Iterator[Observation]:
    errors = sum(
        sample.value
        for sample in metrics.samples
        if sample.name.startswith("registry_storage_") and sample.name.endswith("errors_total")
    )
    if errors:
        said = f"{errors:g} errors of the storage since the start"
        yield Observation(Severity.WARNING, "storage-backend-error", said)
    throttled = sum(each.value for each in metrics.all("registry_storage_rate_limit_total"))
    if throttled:
        said = f"the storage refused {throttled:g} requests since the start because of its rate"
        yield Observation(Severity.WARNING, "storage-throttled", said)
    for each in metrics.histograms(_STORAGE):
        if each.count >= _ENOUGH_CALLS and each.mean > _SLOW:
            said = f"the storage is slow: {_action(each)}, {_speed(each)}"
            yield Observation(Severity.WARNING, "answer-too-late-for-client", said)


def _uploads(metrics: Metrics) -> Iterator[Observation]:
    for each in metrics.histograms(_DURATION):
        late = each.slower_than(_PATIENCE)
        # PATCH lasts as long as the client sends; PUT is the registry's own time.
        if late and each.labels.get("handler") in _UPLOADS and _method(each) == "PUT":
            said = f"{late:g} of {each.count:g} layers took more than {_PATIENCE:g} s to be stored"
            yield Observation(Severity.WARNING, "answer-too-late-for-client", said)


def _files(metrics: Metrics) -> Iterator[Observation]:
    used, most = metrics.one("process_open_fds"), metrics.one("process_max_fds")
    if used and most and used / most > _NEARLY_ALL:
        said = f"{used:g} of {most:g} file descriptors are in use; raise LimitNOFILE or ulimit -n"
        yield Observation(Severity.WARNING, None, said)


def _worst(metrics: Metrics, name: str) -> list[Histogram]:
    """What took most of the time in all."""
    return sorted(metrics.histograms(name), key=lambda each: -each.total)[:_SHOWN]


def _counts(metrics: Metrics) -> tuple[float, float]:
    """Answers, and those that were 5xx."""
    rows = list(metrics.all(_REQUESTS))
    bad = sum(row.value for row in rows if row.labels.get("code", "").startswith("5"))
    return sum(row.value for row in rows), bad


def _handlers(metrics: Metrics) -> str:
    """Which requests got 5xx."""
    bad: dict[str, float] = {}
    for row in metrics.all(_REQUESTS):
        if row.labels.get("code", "").startswith("5"):
            name = f"{row.labels.get('method', '?').upper()} {row.labels.get('handler', '?')}"
            bad[name] = bad.get(name, 0) + row.value
    worst = sorted(bad.items(), key=lambda pair: -pair[1])[:5]
    return ", ".join(f"{name}: {count:g}" for name, count in worst)


def _action(each: Histogram) -> str:
    return f"{each.labels.get('driver', '?')} {each.labels.get('action', '?')}"


def _method(each: Histogram) -> str:
    return each.labels.get("method", "?").upper()


def _speed(each: Histogram) -> str:
    most = each.within(0.95)
    tail = f"95 % within {most:g} s" if most is not None else "more than 5 % beyond the last bucket"
    return f"{each.count:g} times, {each.mean:.3g} s on average, {tail}"
