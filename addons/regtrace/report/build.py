"""The one place where operations and findings become the report: every value through the redactor.

Ids are given here, in the order of time, so that a live run and its replay number alike.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from regtrace import __version__
from regtrace.diagnose import rules
from regtrace.diagnose.engine import Diagnosis, examine
from regtrace.diagnose.rule import Evidence, Finding
from regtrace.evidence.registry_log import LogLine
from regtrace.follow import story
from regtrace.redact import redactor as redaction
from regtrace.redact.prose import MOST
from regtrace.redact.redactor import Redactor
from regtrace.report import model
from regtrace.report.decoded import decoded
from regtrace.report.verdict import verdict
from regtrace.wire.leg import Kind, Leg

_FIELD = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Telling:
    """One operation and what the rules say of it."""

    operation: story.Operation
    diagnosis: Diagnosis

    @classmethod
    def of(cls, operation: story.Operation) -> Telling:
        return cls(operation, examine(operation))


def build(
    tellings: Iterable[Telling],
    *,
    capture: model.Capture,
    redactor: Redactor,
    canaries: model.Canaries | None = None,
    missed: Iterable[model.NotSeen] = (),
    log: Mapping[str, LogLine] | None = None,
) -> model.Report:
    """The report of these operations.

    ``missed`` is what regtrace itself could not take in, such as an exception of its own; ``log``
    is what the registry logged of some legs, by their ids.
    """
    tellings = sorted(
        (t for t in tellings if _is_registry_traffic(t.operation)),
        key=lambda telling: telling.operation.started,
    )
    for telling in tellings:
        for leg in telling.operation.legs:
            redactor.learn(leg.exchange)
    scribe = _Scribe(tellings, redactor, log or {})
    operations = tuple(scribe.operation(telling) for telling in tellings)
    findings = tuple(
        scribe.finding(telling, finding)
        for telling in tellings
        for finding in telling.diagnosis.findings
    )
    spots = [
        (spot.what, spot.why, spot.effect)
        for telling in tellings
        for spot in telling.diagnosis.not_seen
    ]
    spots += [(spot.what, spot.why, spot.effect) for spot in missed]
    not_seen = [model.NotSeen(*map(redactor.plain, spot)) for spot in spots]
    return model.Report(
        tool=model.Tool(__version__, rules.VERSION, redaction.VERSION),
        capture=_capture(capture, redactor),
        verdict=verdict(operations, findings),
        operations=operations,
        legs=scribe.legs(),
        findings=findings,
        not_seen=tuple(dict.fromkeys(not_seen)),
        redaction=model.Redaction(
            redactor.level.value, redactor.counts, canaries or model.Canaries(0, 0)
        ),
    )


def _capture(capture: model.Capture, redactor: Redactor) -> model.Capture:
    damaged = capture.damaged
    if damaged is not None:
        damaged = replace(damaged, reason=redactor.prose(damaged.reason))
    return replace(capture, name=redactor.capture_name(capture.name), damaged=damaged)


def _is_registry_traffic(operation: story.Operation) -> bool:
    """Traffic of other products that passed by is not told, unless it belongs to an operation."""
    return any(leg.kind is not Kind.OTHER for leg in operation.legs) and (
        operation.registry is not None
        or any(leg.kind in {Kind.TOKEN, Kind.STORAGE, Kind.CONNECT} for leg in operation.legs)
    )


class _Scribe:
    """Gives ids and turns each thing into its model."""

    def __init__(
        self, tellings: Sequence[Telling], redactor: Redactor, log: Mapping[str, LogLine]
    ) -> None:
        self.redactor = redactor
        self._log = log
        self._tellings = tellings
        self._members = {id(telling): telling.operation.legs for telling in tellings}
        legs = {leg.id: leg for leg in chain.from_iterable(self._members.values())}
        self._legs = sorted(legs.values(), key=story.by_start)
        self._leg_ids = {leg.id: f"leg-{n}" for n, leg in enumerate(self._legs, 1)}
        self._ids: dict[int, str] = {}
        """Of each telling, transfer and finding, by identity."""
        self._connections: dict[str, str] = {}
        counts: Counter[str] = Counter()
        findings = 0
        for telling in tellings:
            kind = telling.operation.kind.value
            counts[kind] += 1
            name = self._ids[id(telling)] = f"{kind}-{counts[kind]}"
            for place, transfer in enumerate(telling.operation.transfers, 1):
                self._ids[id(transfer)] = f"{name}.{place}"
            for finding in telling.diagnosis.findings:
                findings += 1
                self._ids[id(finding)] = f"finding-{findings}"

    def operation(self, telling: Telling) -> model.Operation:
        operation, redactor = telling.operation, self.redactor
        product, version = redactor.client(operation.client) if operation.client else (None, None)
        roles = _roles(operation)
        return model.Operation(
            id=self._ids[id(telling)],
            kind=operation.kind.value,
            registry=redactor.registry(operation.registry) if operation.registry else None,
            repository=redactor.repository(operation.repository) if operation.repository else None,
            reference=redactor.reference(operation.reference) if operation.reference else None,
            client=model.Client(product, version, redactor.client_address(operation.client_host)),
            outcome=operation.ending.value,
            started=operation.started,
            ended=operation.last_seen,
            transfers=tuple(
                self._transfer(transfer, roles.get(transfer.digest or ""))
                for transfer in operation.transfers
            ),
            legs=tuple(self._leg_ids[leg.id] for leg in self._members[id(telling)]),
            root_findings=tuple(self._ids[id(finding)] for finding in telling.diagnosis.roots),
        )

    def _transfer(self, transfer: story.Transfer, role: str | None) -> model.Transfer:
        return model.Transfer(
            id=self._ids[id(transfer)],
            kind=transfer.kind,
            digest=self.redactor.digest(transfer.digest),
            size=transfer.size,
            outcome=transfer.fate.value,
            attempts=transfer.attempts,
            bytes_sent=transfer.bytes_sent,
            bytes_received=transfer.bytes_received,
            seconds=transfer.seconds,
            digest_verified=transfer.digest_verified,
            legs=tuple(self._leg_ids[leg.id] for leg in transfer.legs),
            role=role,
        )

    def legs(self) -> tuple[model.Leg, ...]:
        places: dict[str, tuple[Telling, story.Transfer | None]] = {}
        for telling in self._tellings:
            for leg in self._members[id(telling)]:
                places[leg.id] = (telling, None)
            for transfer in telling.operation.transfers:
                for leg in transfer.legs:
                    places[leg.id] = (telling, transfer)
        return tuple(self._leg(leg, *places[leg.id]) for leg in self._legs)

    def _leg(self, leg: Leg, telling: Telling, transfer: story.Transfer | None) -> model.Leg:
        exchange, operation = leg.exchange, telling.operation
        connection = exchange.connection.id
        number = len(self._connections) + 1
        return model.Leg(
            id=self._leg_ids[leg.id],
            kind=leg.kind.value,
            method=self.redactor.method(leg.method),
            url=self.redactor.leg_url(leg),
            status=leg.status,
            error=self.redactor.prose(exchange.error) if exchange.error is not None else None,
            started=leg.started,
            ended=leg.ended,
            request_bytes=exchange.request.body.size,
            response_bytes=exchange.response.body.size if exchange.response else None,
            operation=self._ids[id(telling)],
            transfer=self._ids[id(transfer)] if transfer else None,
            redirected_from=self._other(operation.redirected_from, leg),
            retry_of=self._other(operation.retry_of, leg),
            connection=self._connections.setdefault(connection, f"connection-{number}")
            if connection
            else None,
            decoded=decoded(leg, self.redactor),
        )

    def _other(self, table: Mapping[str, str], leg: Leg) -> str | None:
        other = table.get(leg.id)
        return self._leg_ids.get(other) if other else None

    def finding(self, telling: Telling, finding: Finding) -> model.Finding:
        rule, fails = finding.rule, finding.fails
        fields = {name: self.redactor.term(term) for name, term in fails.fields.items()}
        # A check is pasted into a shell: what strangers named must stay one word there.
        quoted = {name: shlex.quote(text) for name, text in fields.items()}
        explained_by = next(
            (
                self._ids[id(other)]
                for other in telling.diagnosis.findings
                if other.rule.slug == finding.explained_by
            ),
            None,
        )
        return model.Finding(
            id=self._ids[id(finding)],
            rule=rule.number,
            slug=rule.slug,
            severity=finding.severity.value,
            confidence=fails.confidence.value,
            owner=finding.owner.value,
            operation=self._ids[id(telling)],
            transfer=self._ids[id(fails.transfer)] if fails.transfer else None,
            legs=tuple(self._leg_ids[leg.id] for leg in fails.legs),
            title=_filled(rule.title, fields),
            cause=_filled(rule.cause, fields),
            fix=tuple(_filled(step, fields) for step in rule.fix),
            check=tuple(_filled(command, quoted) for command in rule.check),
            evidence=(
                *(self._evidence(row) for row in fails.evidence),
                *(self._logged(leg) for leg in fails.legs if leg.id in self._log),
            ),
            count=fails.count,
            explained_by=explained_by,
            references=rule.references,
        )

    def _evidence(self, evidence: Evidence) -> model.Evidence:
        return model.Evidence(
            leg=self._leg_ids[evidence.leg.id],
            where=evidence.where,
            value=_value(evidence, self.redactor),
            why=evidence.why,
        )

    def _logged(self, leg: Leg) -> model.Evidence:
        """What the registry itself logged of this leg."""
        return model.Evidence(
            leg=self._leg_ids[leg.id],
            where="registry-log",
            value=self.redactor.prose(self._log[leg.id].said),
            why="the registry's own log of this request",
        )


def _roles(operation: story.Operation) -> dict[str, str]:
    """Digest → what it is, by the manifests that this operation carried."""
    roles: dict[str, str] = {}
    for leg in operation.legs:
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


def _filled(template: str, fields: Mapping[str, str]) -> str:
    """The text with its fields. Only names are replaced: braces in values stay as they are."""
    return _FIELD.sub(lambda match: fields.get(match[1], match[0]), template)


def _value(evidence: Evidence, redactor: Redactor) -> str:
    """What stands at the place that a piece of evidence points to."""
    exchange, leg = evidence.leg.exchange, evidence.leg
    where = evidence.where
    side, _, rest = where.partition(".")
    message = exchange.request if side == "request" else exchange.response
    if where == "error":
        return redactor.prose(exchange.error or "")
    if message is None:
        return "(no answer)"
    if where == "request.url":
        return redactor.leg_url(leg)
    if where == "response.status":
        return str(leg.status)
    if rest == "body.size":
        return "unknown" if message.body.size is None else str(message.body.size)
    if where == "response.body":
        return _error_text(leg, redactor)
    if rest.startswith("header."):
        name = rest.partition(".")[2]
        shown = [redactor.header(name, value) for value in message.headers.all(name)]
        return ", ".join(shown) or "(absent)"
    raise ValueError(f"no such place in a leg: {where}")


def _error_text(leg: Leg, redactor: Redactor) -> str:
    if leg.error is None:
        return "(no error)"
    said = "; ".join(
        f"{redactor.code(item.code)}: {redactor.prose(item.message)}".strip(": ")
        for item in leg.error.items
    )
    return said[:MOST] or redactor.prose(leg.error.title or leg.error.dialect)
