"""What operations and transfers are called, for whoever watches them: redacted, on one line."""

from __future__ import annotations

from regtrace.follow.story import Operation, Transfer
from regtrace.redact.redactor import Redactor
from regtrace.report.visible import short_digest, visible


def operation_name(operation: Operation, redactor: Redactor) -> str:
    """``push team/app → registry.test:5000``; of a login, the registry alone."""
    registry = redactor.registry(operation.registry) if operation.registry else "?"
    if operation.repository is None:
        return f"{operation.kind.value} → {registry}"
    return f"{operation.kind.value} {redactor.repository(operation.repository)} → {registry}"


def client_name(operation: Operation, redactor: Redactor) -> str:
    """``docker 20.10.24``."""
    named = redactor.client(operation.client) if operation.client else (None, None)
    product, version = named
    return " ".join(word for word in (product or "an unknown client", version) if word)


def transfer_name(transfer: Transfer, redactor: Redactor) -> str:
    """``manifest 1.0``, ``blob 4f53cda18c2b``, or, while no digest is known, ``upload`` and the
    beginning of its session."""
    digest = redactor.digest(transfer.digest)
    if transfer.kind == "manifest":
        reference = transfer.reference and redactor.reference(transfer.reference)
        return f"manifest {reference or short_digest(digest or '?')}"
    if digest:
        return f"blob {short_digest(digest).removeprefix('sha256:')}"
    session = next((leg.session for leg in transfer.legs if leg.session), None)
    return f"upload {visible(redactor.session(session), limit=12)}" if session else "blob"
