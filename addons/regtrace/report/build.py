"""The one place where operations and findings become the report: every value through the redactor.

Ids are given here, in the order of time, so that a live run and its replay number alike.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from regtrace import __version__
from regtrace.diagnose import rules
from regtrace.diagnose.rule import Evidence, Finding
from regtrace.evidence.client_log import ClientMessage
from regtrace.redact import redactor as redaction
from regtrace.redact.prose import MOST
from regtrace.redact.redactor import Redactor
from regtrace.report import model
from regtrace.report.account import Account, Noted
from regtrace.report.bodies import answer_in_a_line
from regtrace.report.decoded import decoded
from regtrace.report.telling import Telling
from regtrace.report.verdict import verdict
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.url import Url

_FIELD = re.compile(r"\{([a-z_]+)\}")


def build(
    tellings: Iterable[Telling],
    *,
    capture: model.Capture,
    redactor: Redactor,
    canaries: model.Canaries | None = None,
    missed: Iterable[model.NotSeen] = (),
) -> model.Report:
    """The report of these operations.

    ``missed`` is what regtrace itself could not take in, such as an exception of its own.
    """
    told = [telling for telling in tellings if telling.is_told]
    for telling in told:
        for leg in telling.operation.legs:
            redactor.learn(leg.exchange)
    return compose(
        [Account.of(telling) for telling in told],
        capture=capture,
        redactor=redactor,
        canaries=canaries,
        missed=missed,
    )


def compose(
    accounts: Iterable[Account],
    *,
    capture: model.Capture,
    redactor: Redactor,
    canaries: model.Canaries | None = None,
    missed: Iterable[model.NotSeen] = (),
    printed: Iterable[ClientMessage] = (),
) -> model.Report:
    """The same by a redactor that knows all that they hold; ``printed`` is what clients did."""
    accounts = sorted(accounts, key=lambda account: account.started)
    scribe = _Scribe(accounts, redactor)
    operations = tuple(scribe.operation(account) for account in accounts)
    findings = tuple(
        scribe.finding(account, number)
        for account in accounts
        for number in range(len(account.diagnosis.findings))
    )
    spots = [
        (spot.what, spot.why, spot.effect)
        for account in accounts
        for spot in account.diagnosis.not_seen
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
        client_messages=tuple(map(scribe.client_message, printed)),
        redaction=model.Redaction(
            redactor.level.value, redactor.counts, canaries or model.Canaries(0, 0)
        ),
    )


def _capture(capture: model.Capture, redactor: Redactor) -> model.Capture:
    damaged = capture.damaged
    if damaged is not None:
        damaged = replace(damaged, reason=redactor.prose(damaged.reason))
    return replace(capture, name=redactor.capture_name(capture.name), damaged=damaged)


class _Rows(Mapping[str, model.Leg]):
    """The legs by their ids; each row is made when it is read, and not kept."""

    def __init__(
        self, legs: Sequence[tuple[Noted, str]], ids: Mapping[str, str], redactor: Redactor
    ) -> None:
        self._legs = legs
        """Each with the id of its operation, in the order of their own ids."""
        self._ids = ids
        self._redactor = redactor
        self._connections: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._legs)

    def __iter__(self) -> Iterator[str]:
        return (f"leg-{n}" for n in range(1, len(self._legs) + 1))

    def __contains__(self, leg_id: object) -> bool:
        return isinstance(leg_id, str) and self._place(leg_id) is not None

    def _place(self, leg_id: str) -> int | None:
        number = leg_id.removeprefix("leg-")
        known = number.isdecimal() and 1 <= int(number) <= len(self._legs)
        return int(number) - 1 if known else None

    def __getitem__(self, leg_id: str) -> model.Leg:
        place = self._place(leg_id)
        if place is None:
            raise KeyError(leg_id)
        leg, operation = self._legs[place]
        row, redactor = leg.row, self._redactor
        connections = len(self._connections)
        return model.Leg(
            id=leg_id,
            kind=row.kind,
            method=redactor.method(row.method),
            url=redactor.leg_url(Kind(row.kind), Url(*row.url)),
            status=row.status,
            error=redactor.prose(row.error) if row.error is not None else None,
            started=row.started,
            ended=row.ended,
            request_bytes=row.request_bytes,
            response_bytes=row.response_bytes,
            operation=operation,
            transfer=None if row.transfer is None else f"{operation}.{row.transfer + 1}",
            redirected_from=self._ids.get(row.redirected_from or ""),
            retry_of=self._ids.get(row.retry_of or ""),
            connection=self._connections.setdefault(row.connection, f"connection-{connections + 1}")
            if row.connection
            else None,
            decoded=decoded(row.said, redactor),
        )


class _Scribe:
    """Gives ids and turns each thing into its model."""

    def __init__(self, accounts: Sequence[Account], redactor: Redactor) -> None:
        self.redactor = redactor
        self._accounts = accounts
        legs = sorted((leg.started, leg.id) for account in accounts for leg in account.legs)
        self._leg_ids = {leg_id: f"leg-{n}" for n, (_, leg_id) in enumerate(legs, 1)}
        self._ids: dict[int, str] = {}
        """Of each account and finding, by identity."""
        counts: Counter[str] = Counter()
        findings = 0
        for account in accounts:
            kind = account.operation.kind.value
            counts[kind] += 1
            self._ids[id(account)] = f"{kind}-{counts[kind]}"
            for finding in account.diagnosis.findings:
                findings += 1
                self._ids[id(finding)] = f"finding-{findings}"

    @cached_property
    def _operations(self) -> dict[str, str]:
        """Exchange of a leg → id of its operation."""
        accounts = self._accounts
        return {leg.id: self._ids[id(account)] for account in accounts for leg in account.legs}

    def operation(self, account: Account) -> model.Operation:
        operation, redactor = account.operation, self.redactor
        product, version = redactor.client(operation.client) if operation.client else (None, None)
        return model.Operation(
            id=self._ids[id(account)],
            kind=operation.kind.value,
            registry=redactor.registry(operation.registry) if operation.registry else None,
            repository=redactor.repository(operation.repository) if operation.repository else None,
            reference=redactor.reference(operation.reference) if operation.reference else None,
            client=model.Client(product, version, redactor.client_address(operation.client_host)),
            outcome=operation.ending.value,
            started=account.started,
            ended=account.last_seen,
            transfers=tuple(
                replace(
                    transfer,
                    id=self._transfer_id(account, place),
                    legs=tuple(self._leg_ids[leg] for leg in transfer.legs),
                )
                for place, transfer in enumerate(account.transfers)
            ),
            legs=tuple(self._leg_ids[leg.id] for leg in account.legs),
            root_findings=tuple(self._ids[id(finding)] for finding in account.diagnosis.roots),
            accepted=account.accepted,
        )

    def _transfer_id(self, account: Account, place: int) -> str:
        return f"{self._ids[id(account)]}.{place + 1}"

    def legs(self) -> _Rows:
        owned = [
            (leg, self._ids[id(account)]) for account in self._accounts for leg in account.legs
        ]
        owned.sort(key=lambda pair: (pair[0].started, pair[0].id))
        return _Rows(owned, self._leg_ids, self.redactor)

    def finding(self, account: Account, number: int) -> model.Finding:
        finding, place = account.diagnosis.findings[number], account.places[number]
        rule, fails = finding.rule, finding.fails
        fields = {name: self.redactor.term(term) for name, term in fails.fields.items()}
        # A check is pasted into a shell: what strangers named must stay one word there.
        quoted = {name: shlex.quote(text) for name, text in fields.items()}
        ids = {other.rule.slug: self._ids[id(other)] for other in account.diagnosis.findings}
        suppression = self._suppression(finding)
        return model.Finding(
            id=self._ids[id(finding)],
            rule=rule.number,
            slug=rule.slug,
            severity=finding.severity.value,
            confidence=fails.confidence.value,
            owner=finding.owner.value,
            operation=self._ids[id(account)],
            transfer=None if place is None else self._transfer_id(account, place),
            legs=tuple(self._leg_ids[leg.id] for leg in fails.legs),
            title=filled(rule.title, fields),
            cause=filled(rule.cause, fields),
            fix=tuple(filled(step, fields) for step in rule.fix),
            check=tuple(filled(command, quoted) for command in rule.check),
            evidence=tuple(self._evidence(row) for row in fails.evidence),
            count=fails.count,
            explained_by=ids.get(finding.explained_by or ""),
            references=rule.references,
            suppressed=suppression if finding.suppressed else None,
            suppression_ended=None if finding.suppressed else suppression,
            rivals=tuple(ids[slug] for slug in finding.rivals),
        )

    def client_message(self, message: ClientMessage) -> model.ClientMessage:
        leg = self._leg_ids.get(message.leg or "")
        return model.ClientMessage(
            said=self.redactor.prose(message.said),
            means=message.sense,
            leg=leg,
            operation=self._operations.get(message.leg or ""),
            joined_by=message.joined_by,
            file=self.redactor.capture_name(message.file),
            line=message.line,
        )

    def _suppression(self, finding: Finding) -> model.Suppression | None:
        said = finding.suppression
        if said is None:
            return None
        return model.Suppression(self.redactor.prose(said.reason), said.until.isoformat())

    def _evidence(self, evidence: Evidence) -> model.Evidence:
        said = evidence.testimony
        return model.Evidence(
            leg=self._leg_ids[evidence.leg.id],
            where=evidence.where,
            value=self.redactor.prose(said.said) if said else _value(evidence, self.redactor),
            why=evidence.why,
            file=self.redactor.capture_name(said.file) if said else None,
            line=said.line if said else None,
        )


def filled(template: str, fields: Mapping[str, str]) -> str:
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
        return redactor.leg_url(leg.kind, leg.url)
    if where == "response.status":
        return str(leg.status)
    if rest == "body.size":
        return "unknown" if message.body.size is None else str(message.body.size)
    if where == "response.body":
        return _body_text(leg, redactor)
    if rest.startswith("header."):
        name = rest.partition(".")[2]
        shown = [redactor.header(name, value) for value in message.headers.all(name)]
        return ", ".join(shown) or "(absent)"
    raise ValueError(f"no such place in a leg: {where}")


def _body_text(leg: Leg, redactor: Redactor) -> str:
    if leg.error is None:
        return answer_in_a_line(leg, redactor)[:MOST]
    said = "; ".join(
        f"{redactor.code(item.code)}: {redactor.prose(item.message)}".strip(": ")
        for item in leg.error.items
    )
    return said[:MOST] or redactor.prose(leg.error.title or leg.error.dialect)
