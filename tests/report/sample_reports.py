"""Reports made by hand for the renderers' tests: a failing push, a good one, a hostile one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from regtrace.report.model import (
    Canaries,
    Capture,
    Client,
    Evidence,
    Finding,
    Leg,
    NotSeen,
    Operation,
    Redaction,
    Report,
    Tool,
    Transfer,
    Verdict,
)

START = 1_700_000_000.0
LAYER = "sha256:ab12cd34ef56" + "0" * 52
CONFIG = "sha256:0123456789ab" + "1" * 52
MANIFEST = "sha256:fedcba987654" + "2" * 52

HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.test\x1b\\link\x1b]8;;\x1b\\ \x9b2J [red]x[/] "
    "[link=http://evil.test]y[/link] :warning: \u202edne\u2066 a\u200bb \x00\x07\r\n\tFAILED \x7f"
)


def leg(number: int, kind: str, method: str, status: int | None, **more: Any) -> Leg:
    """Leg ``l<number>``, begun that many tenths of a second after the start."""
    started = START + number / 10
    values: dict[str, Any] = {
        "url": "https://registry.test:5050/v2/team/app/",
        "error": None,
        "started": started,
        "ended": started + 0.04,
        "request_bytes": 0,
        "response_bytes": 0,
        "operation": "push-1",
        "transfer": None,
        "redirected_from": None,
        "retry_of": None,
        "connection": "c1",
        "decoded": {},
    }
    return Leg(f"l{number}", kind, method, status=status, **{**values, **more})


def by_id(*legs: Leg) -> dict[str, Leg]:
    return {leg.id: leg for leg in legs}


def blob(number: int, legs: Sequence[str], **more: Any) -> Transfer:
    values: dict[str, Any] = {
        "digest": LAYER,
        "size": 3_210_000,
        "outcome": "uploaded",
        "attempts": 1,
        "bytes_sent": 3_210_000,
        "bytes_received": 0,
        "seconds": 0.4,
        "digest_verified": True,
    }
    return Transfer(id=f"t{number}", kind="blob", legs=tuple(legs), **{**values, **more})


def finding(**more: Any) -> Finding:
    values: dict[str, Any] = {
        "id": "f1",
        "rule": "RT401",
        "slug": "storage-403-on-head",
        "severity": "error",
        "confidence": "likely",
        "owner": "storage",
        "operation": "push-1",
        "transfer": "t1",
        "legs": ("l9",),
        "title": "The storage refused the check of a layer that was just pushed",
        "cause": (
            "After the commit the client asks HEAD for the layer. The registry answered with a "
            "redirect to its storage, and the storage refused: its credentials lack s3:GetObject "
            "or s3:ListBucket, or the request reached it changed."
        ),
        "fix": (
            "Compare the bucket policy with the registry's documented S3 policy.",
            "Until then let the registry read itself:\nstorage:\n  redirect:\n    disable: true",
        ),
        "check": (f"curl -sSI https://registry.test:5050/v2/team/app/blobs/{LAYER}",),
        "evidence": (
            Evidence("l9", "response.status", "403", "the storage answered, not the registry"),
            Evidence("l9", "response.header.Server", "AmazonS3", "names the storage"),
        ),
        "count": 1,
        "explained_by": None,
        "references": ("https://distribution.github.io/distribution/storage-drivers/s3/",),
    }
    return Finding(**{**values, **more})


def failing_push() -> Report:
    """docker 20.10.24 pushes team/app:1.2; the storage refuses the HEAD after the commit."""
    storage = {"vendor": "s3"}
    return Report(
        tool=Tool(version="0.1.0", rules="1", redaction="1"),
        capture=Capture("push.mitm", "file", flows=9, first=START, last=START + 12.3),
        verdict=Verdict(
            "failed",
            "The push of team/app:1.2 to registry.test:5050 failed: the registry's storage "
            "answered 403 to the HEAD that follows the upload.",
        ),
        operations=(
            Operation(
                id="push-1",
                kind="push",
                registry="registry.test:5050",
                repository="team/app",
                reference="1.2",
                client=Client("docker", "20.10.24", "client-1"),
                outcome="failed",
                started=START,
                ended=START + 12.3,
                transfers=(
                    blob(1, [f"l{number}" for number in range(4, 10)], outcome="failed"),
                    blob(
                        2,
                        ["l3"],
                        digest=CONFIG,
                        size=7_023,
                        outcome="existed",
                        bytes_sent=0,
                        seconds=0.04,
                        digest_verified=None,
                    ),
                ),
                legs=tuple(f"l{number}" for number in range(1, 10)),
                root_findings=("f1",),
            ),
        ),
        legs=by_id(
            leg(1, "ping", "GET", 401),
            leg(2, "token", "GET", 200),
            leg(3, "blob-head", "HEAD", 200, transfer="t2"),
            leg(4, "blob-head", "HEAD", 404, transfer="t1"),
            leg(5, "upload-start", "POST", 202, transfer="t1"),
            leg(6, "upload-chunk", "PATCH", 202, transfer="t1"),
            leg(7, "upload-commit", "PUT", 201, transfer="t1"),
            leg(8, "blob-head", "HEAD", 307, transfer="t1"),
            leg(9, "storage", "HEAD", 403, transfer="t1", redirected_from="l8", decoded=storage),
        ),
        findings=(finding(),),
        not_seen=(
            NotSeen(
                "the storage's error text",
                "an answer to HEAD has no body",
                "The exact S3 error code is unknown.",
            ),
        ),
        redaction=Redaction("vendor", {"token": 2, "signature": 3}, Canaries(5, 0)),
    )


def good_push() -> Report:
    """The same push, where the storage answers and a manifest follows."""
    failing = failing_push()
    operation = failing.operations[0]
    layer, config = operation.transfers
    manifest = replace(
        config,
        id="t3",
        kind="manifest",
        digest=MANIFEST,
        size=740,
        outcome="uploaded",
        legs=("l10",),
    )
    return replace(
        failing,
        verdict=Verdict("ok", "The push of team/app:1.2 to registry.test:5050 succeeded."),
        operations=(
            replace(
                operation,
                outcome="ok",
                transfers=(replace(layer, outcome="uploaded"), config, manifest),
                legs=(*operation.legs, "l10"),
                root_findings=(),
            ),
        ),
        legs=by_id(
            *list(failing.legs.values())[:-1],
            replace(failing.legs["l9"], status=200),
            leg(10, "manifest-put", "PUT", 201, transfer="t3"),
        ),
        findings=(),
        not_seen=(),
    )


def hostile(value: Any, *, spare: tuple[str, ...] = ()) -> Any:
    """A copy of the model with hostile text in every string but the fields named in ``spare``."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, tuple):
        return tuple(hostile(item, spare=spare) for item in value)
    if isinstance(value, dict):
        return {hostile(key): hostile(item, spare=spare) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            field.name: hostile(getattr(value, field.name), spare=spare)
            for field in fields(value)
            if field.name not in spare
        }
        return replace(value, **changed)
    return value
