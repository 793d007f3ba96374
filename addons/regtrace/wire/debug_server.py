"""What a registry's debug server says of itself: health, variables, Prometheus' counters.

distribution serves them at ``http.debug.addr``: ``/debug/health`` (an object of failing checks,
with 503 when there are any), ``/debug/vars`` (expvar) and, if switched on, ``/metrics``. Plain
data; asking is not done here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from regtrace.wire.jsontext import parse_json

#: Bytes of one answer.
MOST = 4 * 1024 * 1024
_MOST_SAMPLES = 50_000
_MOST_CHECKS = 100


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How long something took. ``buckets``: seconds → how many took no longer."""

    labels: Mapping[str, str]
    count: float
    total: float
    buckets: tuple[tuple[float, float], ...]

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    def within(self, share: float) -> float | None:
        """Seconds within which this share of them ended, by the buckets; None: beyond the last."""
        ends = (end for end, count in self.buckets if count >= share * self.count)
        end = next(ends, None)
        return None if end is None or end == float("inf") else end

    def slower_than(self, seconds: float) -> float:
        """How many took longer."""
        within = [count for end, count in self.buckets if end <= seconds]
        return self.count - within[-1] if within else 0.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where notifications go, and how many arrived."""

    name: str
    pending: int
    failures: int
    errors: int


@dataclass(frozen=True, slots=True)
class Metrics:
    samples: tuple[Sample, ...] = ()

    def all(self, name: str) -> Iterator[Sample]:
        return (sample for sample in self.samples if sample.name == name)

    def one(self, name: str) -> float | None:
        return next((sample.value for sample in self.all(name)), None)

    def histograms(self, name: str) -> list[Histogram]:
        """Those of this name, one for each set of labels."""
        found: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
        buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        for sample in self.samples:
            if not sample.name.startswith(name):
                continue
            kind = sample.name[len(name) :]
            key = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            if kind in {"_count", "_sum"}:
                found.setdefault(key, {})[kind] = sample.value
            elif kind == "_bucket":
                buckets.setdefault(key, []).append((_number(sample.labels.get("le")), sample.value))
        return [
            Histogram(dict(key), said["_count"], said["_sum"], tuple(sorted(buckets.get(key, ()))))
            for key, said in found.items()
            if len(said) == 2
        ]


@dataclass(frozen=True, slots=True)
class DebugServer:
    """All that was answered; None is what was not."""

    host: str
    """Which was asked, without the port."""
    health: Mapping[str, str] | None = None
    """Failing checks and what they say; empty: all are well."""
    endpoints: tuple[Endpoint, ...] | None = None
    metrics: Metrics | None = None
    unanswered: Mapping[str, str] = field(default_factory=dict)
    """Path → why there is nothing of it."""


def parse_health(body: bytes) -> dict[str, str]:
    """Raises ValueError."""
    content = parse_json(body, MOST)
    if not isinstance(content, dict):
        raise ValueError("the answer is no JSON object")
    return {str(name): str(said) for name, said in list(content.items())[:_MOST_CHECKS]}


def parse_variables(body: bytes) -> tuple[Endpoint, ...]:
    """The endpoints of notifications (registry.notifications.endpoints). Raises ValueError."""
    content = parse_json(body, MOST)
    if not isinstance(content, dict) or "memstats" not in content:
        raise ValueError("the answer is not what Go's expvar writes")
    found: Any = content
    for name in ("registry", "notifications", "endpoints"):
        found = found.get(name) if isinstance(found, dict) else None
    rows: list[Any] = found if isinstance(found, list) else []
    return tuple(_endpoint(row) for row in rows[:_MOST_CHECKS] if isinstance(row, dict))


def parse_metrics(body: bytes) -> Metrics:
    """Prometheus' text format. Raises ValueError."""
    samples: list[Sample] = []
    try:
        for family in text_string_to_metric_families(body.decode("utf-8")):
            for each in family.samples:
                samples.append(Sample(each.name, dict(each.labels), float(each.value)))
                if len(samples) > _MOST_SAMPLES:
                    raise ValueError(f"there are more than {_MOST_SAMPLES} samples")
    except (KeyError, IndexError, AttributeError, TypeError) as fault:
        raise ValueError(f"the answer is not in Prometheus' text format ({fault})") from None
    if not samples:
        raise ValueError("the answer is not in Prometheus' text format")
    return Metrics(tuple(samples))


def _endpoint(row: Mapping[str, object]) -> Endpoint:
    counts = row.get("Metrics") or row.get("metrics") or {}
    said = counts if isinstance(counts, Mapping) else {}
    name = row.get("name") or row.get("Name") or ""
    return Endpoint(
        str(name), *(_whole(said.get(key)) for key in ("Pending", "Failures", "Errors"))
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _number(text: str | None) -> float:
    try:
        return float(text or "inf")
    except ValueError:
        return float("inf")
