"""Reports for the tests of the page: hostile ones, long ones, one that outlives its token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sample_reports
from sample_reports import HOSTILE, START, blob, by_id, failing_push, finding, good_push, leg

from regtrace.report.model import ClientMessage, NotSeen, Report, Suppression

MARKUP = (
    "\"'><script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
    "<svg onload=window.pwned=1></svg></title></style></script></textarea>-->"
    "<a href=javascript:window.pwned=1>x</a>{{7*7}}{% raw %}&lt;&#0;]]>"
)
"""What must stay text in a page, wherever it stands."""


def hostile(report: Report, *, spare: tuple[str, ...] = ()) -> Report:
    """A copy with markup, escapes, bidi marks and NUL in every text."""
    text = MARKUP + HOSTILE
    before, sample_reports.HOSTILE = sample_reports.HOSTILE, text
    try:
        changed: Report = sample_reports.hostile(report, spare=spare)
        return changed
    finally:
        sample_reports.HOSTILE = before


def rich() -> Report:
    """A failing push with everything a report can say."""
    report = failing_push()
    accepted = Suppression("The storage team changes the policy, ticket STO-7.", "2026-12-31")
    token = {"label": "token-1", "kind": "jwt", "not_before": START, "expires": START + 300}
    signature = {"scheme": "s3-v4", "signed_at": START + 0.8, "expires_at": START + 1200.8}
    legs = dict(report.legs)
    legs["l2"] = replace(
        legs["l2"],
        url="https://auth.test/token",
        decoded={"issued_token": token, "granted": ["repository:team/app:pull,push"]},
    )
    legs["l9"] = replace(
        legs["l9"],
        url="https://s3.test:9000/registry/data?X-Amz-Signature=signature-1",
        decoded={"vendor": "s3", "signature": signature, "error": {"code": "AccessDenied"}},
    )
    said = 'error parsing HTTP 403 response body: unexpected end of JSON input: ""'
    return replace(
        report,
        legs=legs,
        client_messages=(
            ClientMessage(said, "refused", "l9", "push-1", "its status", "push.log", 3),
            ClientMessage("denied", "refused", None, None, "two legs fit", "push.log", 4),
        ),
        findings=(
            finding(rivals=("f2",), suppression_ended=accepted),
            finding(id="f2", slug="a-rival", title="The storage's proxy refuses HEAD"),
            finding(id="f3", slug="a-symptom", title="The layer is not there", explained_by="f1"),
            finding(id="f4", slug="known", severity="warning", suppressed=accepted, rivals=("f9",)),
        ),
    )


def ends_in_mid_upload() -> Report:
    """The token of this push ends when half of its ten seconds are over."""
    token = {"label": "token-1", "kind": "jwt", "not_before": START - 5, "expires": START + 5}
    legs = by_id(
        leg(0, "token", "GET", 200, url="https://auth.test/token", decoded={"issued_token": token}),
        leg(
            *(1, "upload-chunk", "PATCH", 401),
            transfer="t1",
            ended=START + 10,
            request_bytes=3_210_000,
            decoded={"token": "token-1"},
        ),
    )
    report = failing_push()
    operation = replace(
        report.operations[0],
        transfers=(blob(1, ["l1"], outcome="failed", seconds=9.9),),
        legs=("l0", "l1"),
    )
    told = finding(legs=("l1",), evidence=())
    return replace(report, operations=(operation,), legs=legs, findings=(told,))


def long_push(count: int) -> Report:
    """One push of so many legs, most of them the chunks and checks of thirty layers."""
    url = (
        "https://registry.test:5050/v2/team/app/blobs/uploads/55e40df6-77b2-4d69-b712-b3ccdcd98ab0"
    )
    said: dict[str, Any] = {
        "credentials": "bearer",
        "location": f"{url}?_state=state-7(offset=3180,started=1795468987)",
        "repository": "team/app",
        "session": "55e40df6-77b2-4d69-b712-b3ccdcd98ab0",
        "token": "token-1",
        "upload": {"offset": 3180, "started": START},
    }
    layers = 30
    made = {
        f"l{n}": leg(n, "upload-chunk", "PATCH", 202, url=url, decoded=said, transfer=f"t{n % 30}")
        for n in range(count)
    }
    last = f"l{count - 1}"
    made[last] = replace(made[last], status=500)
    transfers = tuple(
        blob(
            *(n, [f"l{k}" for k in range(n, count, layers)]),
            digest=f"sha256:{n:064x}",
            outcome="failed" if last in {f"l{k}" for k in range(n, count, layers)} else "uploaded",
        )
        for n in range(layers)
    )
    report = failing_push()
    operation = replace(report.operations[0], transfers=transfers, legs=tuple(made))
    told = finding(legs=(last,), evidence=())
    return replace(report, operations=(operation,), legs=made, findings=(told,))


def many_pushes(count: int) -> Report:
    """So many pushes, of which every tenth fails, by the same fault."""
    good, bad = good_push(), failing_push()
    operations, legs, findings = [], {}, []
    for number in range(count):
        report = bad if number % 10 == 0 else good
        names = {old: f"leg-{number * 10 + n}" for n, old in enumerate(report.legs, 1)}
        (one,) = report.operations
        id_ = f"push-{number}"
        for old, new in names.items():
            legs[new] = replace(report.legs[old], id=new, operation=id_, redirected_from=None)
        transfers = tuple(
            replace(transfer, legs=tuple(names[leg] for leg in transfer.legs))
            for transfer in one.transfers
        )
        told = ()
        if report is bad:
            told = (f"finding-{number}",)
            findings.append(finding(id=told[0], operation=id_, legs=(names["l9"],), evidence=()))
        operations.append(
            replace(
                one,
                id=id_,
                repository=f"team/app{number}",
                transfers=transfers,
                legs=tuple(names.values()),
                root_findings=told,
            )
        )
    return replace(bad, operations=tuple(operations), legs=legs, findings=tuple(findings))


def not_seen(count: int) -> tuple[NotSeen, ...]:
    return tuple(NotSeen(f"what {n}", f"why {n}", f"effect {n}.") for n in range(count))
