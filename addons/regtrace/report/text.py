"""The report as text, for a terminal, a log or a ticket.

Verdict first; then each operation with its transfers and their legs as a strip; then the findings,
what was not seen, and what was counted. Nothing here depends on colour: the outcome is a word and
a failed leg carries ``!!``. Every string passes ``Page.text``, so that what strangers wrote can
neither move the cursor nor become markup. Lines keep to the width, except the commands, which
stay whole so that they can be copied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from regtrace.report.model import Evidence, Finding, Operation, Report, Transfer
from regtrace.report.page import Page, drawn
from regtrace.report.visible import clock, date, duration, rate, size
from regtrace.report.words import (
    OUTCOMES,
    OWNERS,
    Step,
    client_name,
    failed_legs,
    fold,
    leg_name,
    operation_name,
    plural,
    rivals_of,
    steps,
    subject,
    transfer_name,
)

_STRIP = 60
"""Columns that a strip needs to stand beside its row."""

_STRIP_HEAD, _STRIP_TAIL = 6, 12
"""Steps of a long strip that are drawn at either end."""

_MANY = 8
"""Above this number, what went well is folded."""

_WENT_WELL = ("uploaded", "downloaded", "existed", "mounted")

_STYLES = {
    "ok": "bold green",
    "failed": "bold red",
    "incomplete": "bold yellow",
    "nothing-seen": "bold yellow",
    "error": "bold red",
    "warning": "bold yellow",
    "note": "bold cyan",
}

_FAILED = "bold red"
"""A failed leg; without colour its ``!!`` says the same."""


def render(report: Report, *, width: int | None = None, color: bool | None = None) -> str:
    """The text, ``width`` columns wide; what is None is taken from standard output.

    Without ``color`` there is no escape sequence in it.
    """
    return drawn(lambda console: print_report(report, console), width=width, color=color)


def print_report(report: Report, console: Console) -> None:
    """Draw the report on this console: its width, its colours, ASCII where it knows no UTF-8."""
    page = Page(console)
    _verdict(page, report)
    _Operations(page, report).draw()
    _Findings(page, report).draw()
    _client_messages(page, report)
    _not_seen(page, report)
    _counts(page, report)


def _verdict(page: Page, report: Report) -> None:
    outcome, damaged = report.verdict.outcome, report.capture.damaged
    word = page.text(f"{OUTCOMES.get(outcome, outcome)}  ", _STYLES.get(outcome, "bold"), limit=40)
    page.prose(word, page.text(report.verdict.sentence, "bold"))
    if damaged is not None:
        where = f"{report.capture.name} is unreadable from byte {damaged.offset} on"
        what = f"{where} ({damaged.reason}); what came before is reported here."
        page.line()
        page.prose(Text("DAMAGED CAPTURE  ", "bold yellow"), page.text(what))


class _Operations:
    """Each operation: a head line, then a row per transfer and one for the legs outside them."""

    def __init__(self, page: Page, report: Report) -> None:
        self.page = page
        self.report = report
        self.legs = report.legs
        self.failed = failed_legs(report)

    def draw(self) -> None:
        operations = self.report.operations
        many = len(operations) > _MANY
        brief = [o for o in operations if many and o.outcome == "ok"]
        for operation in operations:
            if not many or operation.outcome != "ok":
                self.page.line()
                self._full(operation)
        if brief:
            self.page.line()
        for operation in brief:
            self._brief(operation)
        self._outside()

    def _full(self, operation: Operation) -> None:
        client = self.page.text(client_name(operation), limit=120)
        self.page.beside(self._what(operation), client, self._ended(operation))
        transfers = operation.transfers
        within = {leg for transfer in transfers for leg in transfer.legs}
        session = [leg for leg in operation.legs if leg not in within]
        if session:
            self.page.chain(Text("  session  "), self._strip(session))
        many = len(transfers) > _MANY
        brief = [t for t in transfers if many and self._is_good(t)]
        self._rows([t for t in transfers if not many or not self._is_good(t)])
        if brief:
            self.page.prose(Text("  "), self.page.text(_summary(brief)))

    def _brief(self, operation: Operation) -> None:
        """One line, whatever its names are: of a hundred, none takes the room of two."""
        ended = self._ended(operation)
        room = max(self.page.width - ended.cell_len - 3, 20)
        what = self.page.text(operation_name(operation), "bold", limit=room)
        what.truncate(room, overflow="crop")  # characters may be two columns wide
        self.page.line(what, Text("   "), ended)

    def _what(self, operation: Operation) -> Text:
        return self.page.text(operation_name(operation), "bold", limit=300)

    def _ended(self, operation: Operation) -> Text:
        ended = operation.outcome
        if operation.ended is not None:
            joint = "in" if ended == "ok" else "after"
            ended = f"{ended} {joint} {duration(operation.ended - operation.started)}"
        return self.page.text(ended, _STYLES.get(operation.outcome, ""), limit=60)

    def _is_good(self, transfer: Transfer) -> bool:
        return transfer.outcome in _WENT_WELL and self.failed.isdisjoint(transfer.legs)

    def _cells(self, transfer: Transfer) -> list[Text]:
        return [
            self.page.text(transfer_name(transfer), limit=40),
            self.page.text(_amount(transfer)),
            self.page.text(_pace(transfer)),
            self.page.text(_outcome(transfer), _STYLES.get(transfer.outcome, ""), limit=60),
        ]

    def _rows(self, transfers: Sequence[Transfer]) -> None:
        """The cells in columns, and each strip beside them where it fits, else below."""
        rows = [self._cells(transfer) for transfer in transfers]
        widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
        for transfer, cells in zip(transfers, rows, strict=True):
            line = Text()
            for cell, width in zip(cells, widths, strict=True):
                cell.pad_right(width - cell.cell_len)
                line = Text.assemble(line, "  " if width else "", cell)
            line.append("  ")
            strip = self._strip(transfer.legs)
            needed = sum(step.cell_len + 3 for step in strip) - 3
            if self.page.width - line.cell_len < min(needed, _STRIP):
                self.page.prose(Text("  "), line[2:])
                line = Text("      ")
            self.page.chain(line, strip)

    def _strip(self, legs: Iterable[str]) -> list[Text]:
        folded = steps((self.legs[leg] for leg in legs if leg in self.legs), self.failed)
        strip = [self._step(step) for step in folded]
        hidden = folded[_STRIP_HEAD:-_STRIP_TAIL]
        if len(hidden) > 1:
            failed = sum(step.failed for step in hidden)
            more = f"{len(hidden)} more"
            elided = Text(f"!! ({more}, {failed} failed)", _FAILED) if failed else Text(f"({more})")
            strip[_STRIP_HEAD:-_STRIP_TAIL] = [elided]
        return strip

    def _step(self, step: Step) -> Text:
        if step.failed:
            return self.page.text(f"!! {step.label}", _FAILED, limit=60)
        return self.page.text(step.label, limit=60)

    def _outside(self) -> None:
        within = {leg for operation in self.report.operations for leg in operation.legs}
        outside = [leg for leg in self.legs if leg not in within]
        if outside:
            self.page.line()
            self.page.line(Text("outside any operation", "bold"))
            self.page.chain(Text("  "), self._strip(outside))


class _Findings:
    """Roots in full, worst first, what they explain beneath them.

    One line each: notes, what is suppressed, what a root explains, and what was told in full of
    another operation.
    """

    def __init__(self, page: Page, report: Report) -> None:
        self.page = page
        self.findings = {finding.id: finding for finding in report.findings}
        self.legs = report.legs
        self.operations = {operation.id: operation for operation in report.operations}

    def draw(self) -> None:
        told = set()
        close = False
        for explained in fold(self.findings.values()):
            root = explained.root
            story = (root.rule, root.cause, root.fix)
            remark = _suppressed(root) or ("as above" if story in told else "")
            brief = bool(remark) or root.severity == "note"
            if not (brief and close):
                self.page.line()
            if brief:
                self._brief(Text(), root, remark)
            else:
                self._full(root)
            for finding in explained.beneath:
                self._brief(Text("  explains "), finding)
            told.add(story)
            close = brief

    def _brief(self, lead: Text, finding: Finding, remark: str = "") -> None:
        name = f"{finding.rule} {finding.slug}{_times(finding)}"
        notes = "; ".join(note for note in (name, self._where(finding), remark) if note)
        text = self.page.text(f"{finding.title} ({notes})")
        self.page.prose(Text.assemble(lead, self._severity(finding)), text)

    def _where(self, finding: Finding) -> str:
        """The operation, where there are several to tell apart."""
        operation = self.operations.get(finding.operation or "")
        if operation is None or len(self.operations) == 1:
            return ""
        return f"{operation.kind} {subject(operation)}"

    def _full(self, finding: Finding) -> None:
        page = self.page
        name = f"{finding.rule} {finding.slug} · {finding.confidence}{_times(finding)}"
        page.prose(self._severity(finding), page.text(name))
        page.prose(Text("  "), page.text(finding.title, "bold"))
        where = self._where(finding)
        if where:
            self._item("in", page.text(where))
        self._item("cause", page.text(finding.cause))
        ended = finding.suppression_ended
        if ended:
            said = f"until {ended.until} ({ended.reason}); that is over, so it counts again"
            self._item("accepted", page.text(said))
        self._item("must act", page.text(OWNERS.get(finding.owner, finding.owner), "bold"))
        for number, step in enumerate(finding.fix, 1):
            label = "" if number > 1 else "fix"
            self._item(label, page.text(step, keep="\n"), marker=f"{number}. ")
        self._commands(finding.check)
        self._evidence(finding.evidence)
        for number, reference in enumerate(finding.references):
            self._item("" if number else "see", page.text(reference, "dim"))
        for rival in rivals_of(finding, self.findings.values()):
            self._rival(rival)

    def _rival(self, rival: Finding) -> None:
        apart = " Tell them apart with:" if rival.check else ""
        self.page.prose(Text("  "), self.page.text(f"Or: {rival.title}.{apart}"))
        self._copied(rival.check[:1])

    def _severity(self, finding: Finding) -> Text:
        style = _STYLES.get(finding.severity, "bold")
        return self.page.text(f"{finding.severity.upper()} ", style, limit=20)

    def _item(self, label: str, content: Text, *, marker: str = "") -> None:
        """One labelled paragraph of a finding."""
        self.page.prose(Text.assemble("  ", (f"{label:<10}", "dim"), marker), content)

    def _commands(self, commands: Sequence[str]) -> None:
        if commands:
            self.page.line(Text("  check", "dim"))
        self._copied(commands)

    def _copied(self, commands: Sequence[str]) -> None:
        """Each on lines of its own and never wrapped, to be copied."""
        for command in commands:
            for line in self.page.text(command, keep="\n").split("\n"):
                self.page.line(Text("    "), line)

    def _evidence(self, evidence: Sequence[Evidence]) -> None:
        """Each leg with what is seen in it."""
        label = "evidence"
        for leg_id, items in groupby(evidence, key=lambda item: item.leg):
            self._item(label, self.page.text(self._leg(leg_id)))
            label = ""
            for item in items:
                self._item("", self.page.text(f"{item.place} = {item.value}"), marker="  ")
                self._item("", self.page.text(item.why, "dim"), marker="    ")

    def _leg(self, leg_id: str) -> str:
        leg = self.legs.get(leg_id)
        if leg is None:
            return leg_id
        return f"{leg_name(leg)} at {clock(leg.started)} UTC ({leg_id})"


def _client_messages(page: Page, report: Report) -> None:
    """What the client printed, each with whose answer it was."""
    if report.client_messages:
        page.line()
        page.line(Text("the client said", "bold"))
    for message in report.client_messages:
        page.prose(Text("  - "), page.text(f"{message.file}, line {message.line}: {message.said}"))
        leg = report.legs.get(message.leg or "")
        if leg is None:
            told = f"not joined to a leg: {message.joined_by}"
        else:
            told = f"{leg_name(leg)} at {clock(leg.started)} UTC ({leg.id}), by {message.joined_by}"
        page.prose(Text("    "), page.text(told, "dim"))


def _not_seen(page: Page, report: Report) -> None:
    if report.not_seen:
        page.line()
        page.line(Text("not seen", "bold"))
    for entry in report.not_seen:
        page.prose(Text("  - "), page.text(f"{entry.what}: {entry.why}"))
        page.prose(Text("    "), page.text(entry.effect))


def _counts(page: Page, report: Report) -> None:
    capture, redaction = report.capture, report.redaction
    counted = (
        plural(capture.flows, "flow"),
        plural(len(report.legs), "leg"),
        plural(len(report.operations), "operation"),
    )
    labels = ", ".join(f"{kind} {count}" for kind, count in sorted(redaction.labels.items()))
    secrets = f"secrets replaced by labels: {labels}" if labels else "nothing had to be replaced"
    page.line()
    day = "" if capture.first is None else f", {date(capture.first)}"
    made = f"regtrace {report.tool.version}, rules {report.tool.rules}"
    page.prose(Text(), page.text(f"{capture.name} ({capture.mode}{day}), {made}", "dim"))
    shared = f"{', '.join(counted)}; shared as: {redaction.level}; {secrets}"
    page.prose(Text(), page.text(shared, "dim"))
    canaries = redaction.canaries
    if canaries.planted:
        planted = f"{plural(canaries.planted, 'secret')} planted in a copy of this capture"
        page.prose(Text(), page.text(f"proof: {planted}, {canaries.found} came out", "dim"))


def _amount(transfer: Transfer) -> str:
    """``3.2 MB``; ``1.2 MB of 3.2 MB`` when it did not get through."""
    moved = max(transfer.bytes_sent, transfer.bytes_received)
    if transfer.size is None:
        return size(moved) if moved else ""
    if transfer.outcome not in _WENT_WELL and 0 < moved < transfer.size:
        return f"{size(moved)} of {size(transfer.size)}"
    return size(transfer.size)


def _pace(transfer: Transfer) -> str:
    """``0.40 s, 8.1 MB/s``."""
    if transfer.seconds is None:
        return ""
    moved = max(transfer.bytes_sent, transfer.bytes_received)
    speed = rate(moved, transfer.seconds)
    return ", ".join(part for part in (duration(transfer.seconds), speed) if part)


def _outcome(transfer: Transfer) -> str:
    tries = f", {transfer.attempts} tries" if transfer.attempts > 1 else ""
    wrong = ", WRONG DIGEST" if transfer.digest_verified is False else ""
    return f"{transfer.outcome}{tries}{wrong}"


def _summary(transfers: Iterable[Transfer]) -> str:
    """``and without trouble: 9 blobs existed, 1 manifest uploaded``."""
    counts = Counter((transfer.role or transfer.kind, transfer.outcome) for transfer in transfers)
    folded = (f"{plural(count, kind)} {outcome}" for (kind, outcome), count in counts.items())
    return f"and without trouble: {', '.join(folded)}"


def _suppressed(finding: Finding) -> str:
    said = finding.suppressed
    return f"suppressed until {said.until}: {said.reason}" if said else ""


def _times(finding: Finding) -> str:
    return f", {finding.count} times" if finding.count > 1 else ""
