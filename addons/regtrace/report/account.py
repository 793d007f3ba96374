"""What an operation has to say, before redaction: plain values, without the exchanges.

A value can be redacted only when all that the capture holds is known, at its end; and of a long
capture, exchanges as they were read would have filled the memory by then.
"""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from regtrace.diagnose.engine import Diagnosis
from regtrace.diagnose.rule import Finding
from regtrace.follow import story
from regtrace.follow.life import Ending
from regtrace.redact.grammar import is_digest
from regtrace.report import model
from regtrace.report.decoded import KEYS, plain_url, said
from regtrace.report.telling import Telling
from regtrace.wire.leg import Leg

#: Legs that are packed at once.
_TOGETHER = 16


class Row(NamedTuple):
    """A leg, before redaction; ids are those of exchanges."""

    kind: str
    method: str
    url: tuple[Any, ...]
    status: int | None
    error: str | None
    started: float
    ended: float | None
    request_bytes: int | None
    response_bytes: int | None
    transfer: int | None
    """Its place among the operation's."""
    redirected_from: str | None
    retry_of: str | None
    connection: str
    said: Mapping[str, Any]


def packed(rows: Iterable[Row]) -> bytes:
    """Rows of one operation have much in common."""
    values = [(*row[:-1], *map(row.said.get, KEYS)) for row in rows]
    return zlib.compress(marshal.dumps(values), level=1)


@lru_cache(maxsize=128)  # rows are read in the order of time, of many operations at once
def unpacked(pack: bytes) -> tuple[Row, ...]:
    rows = marshal.loads(zlib.decompress(pack))  # noqa: S302 - our own bytes, of this process
    return tuple(map(_row, rows))


def _row(values: tuple[Any, ...]) -> Row:
    said = zip(KEYS, values[-len(KEYS) :], strict=True)
    known = {key: value for key, value in said if value is not None}
    fields: list[Any] = [*values[: -len(KEYS)], known]
    return Row(*fields)


@dataclass(frozen=True, slots=True)
class Noted:
    """A leg, packed with its neighbours: there may be very many."""

    started: float
    id: str
    pack: bytes
    place: int
    """Of its row in the pack."""

    @property
    def row(self) -> Row:
        return unpacked(self.pack)[self.place]


@dataclass(frozen=True, slots=True)
class Account:
    operation: story.Operation
    """Without its legs."""
    started: float
    last_seen: float
    accepted: bool
    transfers: tuple[model.Transfer, ...]
    """Without ids; those of their legs are those of exchanges."""
    legs: tuple[Noted, ...]
    diagnosis: Diagnosis
    """With those legs that its findings point to."""
    places: tuple[int | None, ...]
    """Of each finding, which transfer it is about."""

    @classmethod
    def of(cls, telling: Telling) -> Account:
        operation, diagnosis = telling.operation, telling.diagnosis
        legs = operation.legs
        places = {id(transfer): n for n, transfer in enumerate(operation.transfers)}
        within = {
            leg.id: n for n, transfer in enumerate(operation.transfers) for leg in transfer.legs
        }
        roles = _roles(legs)
        bare = replace(operation, transfers=(), session=(), unseen=())
        findings = diagnosis.findings
        return cls(
            operation=bare,
            started=legs[0].started,
            last_seen=operation.last_seen,
            accepted=operation.ending is Ending.FAILED and not telling.failed,
            transfers=tuple(
                _transfer(transfer, roles.get(transfer.digest or ""))
                for transfer in operation.transfers
            ),
            legs=tuple(_noted(legs, operation, within)),
            diagnosis=replace(diagnosis, findings=tuple(_bare(f, bare) for f in findings)),
            places=tuple(
                places[id(f.fails.transfer)] if f.fails.transfer else None for f in findings
            ),
        )


def _bare(finding: Finding, operation: story.Operation) -> Finding:
    """With no more of its legs than its evidence points to. The operation's own are asked for only
    by a suppression, whether it is over."""
    fails = finding.fails
    names = {row.where.partition(".header.")[2].lower() for row in fails.evidence}

    def bare(leg: Leg) -> Leg:
        return replace(leg, exchange=leg.exchange.pared(names))

    return replace(
        finding,
        operation=finding.operation if finding.suppression else operation,
        fails=replace(
            fails,
            transfer=None,
            legs=tuple(map(bare, fails.legs)),
            evidence=tuple(replace(row, leg=bare(row.leg)) for row in fails.evidence),
        ),
    )


def _noted(
    legs: Sequence[Leg], operation: story.Operation, within: Mapping[str, int]
) -> Iterator[Noted]:
    for start in range(0, len(legs), _TOGETHER):
        some = legs[start : start + _TOGETHER]
        pack = packed(_row_of(leg, operation, within.get(leg.id)) for leg in some)
        for place, leg in enumerate(some):
            yield Noted(leg.started, leg.id, pack, place)


def _row_of(leg: Leg, operation: story.Operation, transfer: int | None) -> Row:
    exchange = leg.exchange
    return Row(
        kind=leg.kind.value,
        method=leg.method,
        url=plain_url(leg.url),
        status=leg.status,
        error=exchange.error,
        started=leg.started,
        ended=leg.ended,
        request_bytes=exchange.request.body.size,
        response_bytes=exchange.response.body.size if exchange.response else None,
        transfer=transfer,
        redirected_from=operation.redirected_from.get(leg.id),
        retry_of=operation.retry_of.get(leg.id),
        connection=exchange.connection.id,
        said=said(leg),
    )


def _transfer(transfer: story.Transfer, role: str | None) -> model.Transfer:
    digest = transfer.digest
    return model.Transfer(
        id="",
        kind=transfer.kind,
        digest=digest if digest and is_digest(digest) else None,
        size=transfer.size,
        outcome=transfer.fate.value,
        attempts=transfer.attempts,
        bytes_sent=transfer.bytes_sent,
        bytes_received=transfer.bytes_received,
        seconds=transfer.seconds,
        digest_verified=transfer.digest_verified,
        legs=tuple(leg.id for leg in transfer.legs),
        role=role,
    )


def _roles(legs: Iterable[Leg]) -> dict[str, str]:
    """Digest → what it is, by the manifests that these legs carried."""
    roles: dict[str, str] = {}
    for leg in legs:
        manifest = leg.manifest
        if manifest is None:
            continue
        if leg.digest:
            roles.setdefault(leg.digest, "index" if manifest.kind == "index" else "manifest")
        if manifest.config:
            roles[manifest.config.digest] = "config"
        roles.update((layer.digest, "layer") for layer in manifest.layers)
        roles.update((blob.digest, "artifact") for blob in manifest.blobs)
        for entry in manifest.manifests:
            roles[entry.digest] = "attestation" if entry.is_attestation else "manifest"
    return roles
