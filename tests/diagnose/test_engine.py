"""How the engine weighs what rules say: what is fatal, what folds, what competes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from regtrace.diagnose.engine import Diagnosis, examine
from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    Confidence,
    Evidence,
    Examine,
    Fails,
    Owner,
    Rule,
    Severity,
    Verdict,
)
from regtrace.diagnose.rules import LAST_RESORT
from regtrace.follow.story import Operation
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.notation import read_notation

#: The probe was refused, the upload as well; the push failed by the upload.
PUSH = """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 403
POST uploads                 -> 500
"""
PROBE, UPLOAD = "line-5", "line-6"


def operation() -> Operation:
    (told,) = tell([decode(exchange) for exchange in read_notation(PUSH)])
    return told


def a_rule(slug: str, examine: Examine, *, explains: frozenset[str] = frozenset()) -> Rule:
    return Rule(
        number="RT799",
        slug=slug,
        title="t",
        cause="c",
        fix=("f",),
        references=("https://example.com",),
        owner=Owner.REGISTRY,
        needs=frozenset(Kind),
        explains=explains,
        fires="",
        silent="",
        examine=examine,
    )


def says(
    leg_id: str, confidence: Confidence = Confidence.CERTAIN
) -> Callable[[Operation, Facts], Verdict]:
    def examine(operation: Operation, facts: Facts) -> Verdict:
        leg: Leg = next(leg for leg in facts.legs if leg.id == leg_id)
        evidence = (Evidence(leg, "response.status", "said so"),)
        return Fails(legs=(leg,), evidence=evidence, confidence=confidence)

    return examine


def told(diagnosis: Diagnosis) -> dict[str, tuple[str, str | None, tuple[str, ...]]]:
    return {f.rule.slug: (f.severity.value, f.explained_by, f.rivals) for f in diagnosis.findings}


def test_only_what_the_operation_ended_by_is_its_error() -> None:
    found = told(examine(operation(), [a_rule("probe", says(PROBE))]))
    assert found["probe"] == ("warning", None, ())
    assert LAST_RESORT.slug in found


def test_an_error_needs_no_last_resort() -> None:
    found = told(examine(operation(), [a_rule("upload", says(UPLOAD))]))
    assert found == {"upload": ("error", None, ())}


def test_a_symptom_folds_under_its_root_however_long_the_way() -> None:
    found = told(
        examine(
            operation(),
            [
                a_rule("symptom", says(UPLOAD)),
                a_rule("cause", says(UPLOAD), explains=frozenset({"symptom"})),
                a_rule("root", says(UPLOAD), explains=frozenset({"cause"})),
            ],
        )
    )
    assert found == {
        "root": ("error", None, ()),
        "cause": ("error", "root", ()),
        "symptom": ("error", "root", ()),
    }


def test_a_warning_explains_no_error() -> None:
    rules = [
        a_rule("probe", says(PROBE), explains=frozenset({"upload"})),
        a_rule("upload", says(UPLOAD)),
    ]
    assert told(examine(operation(), rules))["upload"] == ("error", None, ())


def test_a_certain_cause_of_the_same_leg_leaves_no_room_for_a_guess() -> None:
    rules = [a_rule("guess", says(UPLOAD, Confidence.LIKELY)), a_rule("sure", says(UPLOAD))]
    found = told(examine(operation(), rules))
    assert found == {"sure": ("error", None, ()), "guess": ("error", "sure", ())}


def test_a_likely_cause_may_explain_a_certain_symptom() -> None:
    rules = [
        a_rule("cause", says(UPLOAD, Confidence.LIKELY), explains=frozenset({"symptom"})),
        a_rule("symptom", says(UPLOAD)),
    ]
    found = told(examine(operation(), rules))
    assert found == {"cause": ("error", None, ()), "symptom": ("error", "cause", ())}


def test_two_that_are_equally_sure_of_one_leg_are_rivals() -> None:
    rules = [a_rule("one", says(UPLOAD)), a_rule("other", says(UPLOAD))]
    found = told(examine(operation(), rules))
    assert found == {"one": ("error", None, ("other",)), "other": ("error", None, ("one",))}


def test_a_rule_that_breaks_costs_its_own_answer_and_no_more() -> None:
    def broken(operation: Operation, facts: Facts) -> Verdict:
        raise KeyError("a fault of ours")

    diagnosis = examine(operation(), [a_rule("broken", broken), a_rule("upload", says(UPLOAD))])
    assert [f.rule.slug for f in diagnosis.findings] == ["upload"]
    assert [(spot.what, "KeyError" in spot.why) for spot in diagnosis.not_seen] == [
        ("rule RT799 broken", True)
    ]


def test_a_rule_is_not_asked_about_what_it_can_not_have() -> None:
    asked = []

    def examine_it(operation: Operation, facts: Facts) -> Verdict:
        asked.append(operation)
        return DOES_NOT_APPLY

    rule = a_rule("asks", examine_it)
    examine(operation(), [replace(rule, needs=frozenset({Kind.BLOB_GET}))])
    assert asked == []
    examine(operation(), [replace(rule, needs=frozenset({Kind.UPLOAD_START}))])
    assert len(asked) == 1


@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.NOTE])
def test_the_most_severe_comes_first(severity: Severity) -> None:
    def quiet(operation: Operation, facts: Facts) -> Verdict:
        leg = facts.legs[-1]
        return Fails(
            legs=(leg,),
            evidence=(Evidence(leg, "response.status", "x"),),
            confidence=Confidence.CERTAIN,
            severity=severity,
        )

    rules = [a_rule("quiet", quiet), a_rule("upload", says(UPLOAD))]
    assert [f.rule.slug for f in examine(operation(), rules).findings] == ["upload", "quiet"]
