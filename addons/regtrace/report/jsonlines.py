"""The report as JSON lines: one leg or one finding a line, for DuckDB, jq and log stores.

    SELECT slug, owner, count(*) FROM 'reports/*.jsonl' WHERE row = 'finding' GROUP BY ALL

Every line has the same fields in the same order, none of them nested; null where a field does not
apply. Fields may be added at the end; none is removed or gets another meaning.

- Of both: ``schema``, ``row`` (``leg`` or ``finding``), ``id``, ``capture``, and of the operation
  ``operation`` (its id), ``operation_kind``, ``outcome``, ``registry``, ``repository``,
  ``reference``, ``client``, ``client_version``; of the transfer ``transfer`` (its id) and
  ``digest``; ``leg`` (of a finding, the first at which it shows) and ``started``, its start in
  epoch seconds UTC.
- Of a leg: ``seconds``, ``kind``, ``method``, ``url``, ``status``, ``error``, ``request_bytes``,
  ``response_bytes``, ``connection``, ``redirected_from``, ``retry_of``.
- Of a finding: ``rule``, ``slug``, ``severity``, ``confidence``, ``owner``, ``title``, ``cause``,
  ``fix`` (its steps, one a line), ``count``, ``explained_by``, ``suppressed_until``, ``rivals``
  (ids of findings that would explain the same leg as well, with commas between).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from regtrace.report.json import encoded
from regtrace.report.model import Finding, Leg, Operation, Report, Transfer

_OF_A_LEG = (
    *("kind", "method", "url", "status", "error", "request_bytes", "response_bytes"),
    *("connection", "redirected_from", "retry_of"),
)
_OF_A_FINDING = (
    *("rule", "slug", "severity", "confidence", "owner", "title", "cause"),
    *("count", "explained_by"),
)


def render(report: Report) -> str:
    return "".join(f"{encoded(row)}\n" for row in _rows(report))


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    operations = {operation.id: operation for operation in report.operations}
    transfers = {
        transfer.id: transfer for operation in report.operations for transfer in operation.transfers
    }
    nothing = dict.fromkeys(
        ("seconds", *_OF_A_LEG, *_OF_A_FINDING, "fix", "suppressed_until", "rivals")
    )

    def shared(row: str, entry: Leg | Finding, leg: Leg | None) -> Mapping[str, Any]:
        operation, transfer = operations.get(entry.operation or ""), entry.transfer
        return {
            "schema": report.schema,
            "row": row,
            "id": entry.id,
            "capture": report.capture.name,
            "operation": entry.operation,
            **_of_the_operation(operation),
            "transfer": transfer,
            "digest": _digest(transfers.get(transfer or "")),
            "leg": leg.id if leg else None,
            "started": leg.started if leg else None,
            **nothing,
        }

    for leg in report.legs.values():
        yield {
            **shared("leg", leg, leg),
            "seconds": None if leg.ended is None else leg.ended - leg.started,
            **{name: getattr(leg, name) for name in _OF_A_LEG},
        }
    for finding in report.findings:
        said = finding.suppressed
        yield {
            **shared("finding", finding, report.legs.get(next(iter(finding.legs), ""))),
            **{name: getattr(finding, name) for name in _OF_A_FINDING},
            "fix": "\n".join(finding.fix),
            "suppressed_until": said.until if said else None,
            "rivals": ",".join(finding.rivals) or None,
        }


def _of_the_operation(operation: Operation | None) -> dict[str, Any]:
    client = operation.client if operation else None
    return {
        "operation_kind": operation.kind if operation else None,
        "outcome": operation.outcome if operation else None,
        "registry": operation.registry if operation else None,
        "repository": operation.repository if operation else None,
        "reference": operation.reference if operation else None,
        "client": client.product if client else None,
        "client_version": client.version if client else None,
    }


def _digest(transfer: Transfer | None) -> str | None:
    return transfer.digest if transfer else None
