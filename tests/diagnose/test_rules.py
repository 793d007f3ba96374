"""What holds for every rule: its examples, its texts, and its silence on what is normal."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from regtrace.diagnose.engine import examine
from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Fails, Finding, NotSeen, Rule, Severity
from regtrace.diagnose.rules import CATALOGUE, CHECKS, LAST_RESORT
from regtrace.diagnose.rules.front import body_too_large
from regtrace.diagnose.rules.transport import shaped_by_interception
from regtrace.follow.story import Operation
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation

RULES = [*CATALOGUE, LAST_RESORT]
#: A note that stands beside whatever the operation failed by.
BESIDE = shaped_by_interception
FOLDER = Path(__file__).parents[2] / "addons" / "regtrace" / "diagnose" / "rules"
FAMILY_FOLDERS = {
    "0": ".",
    "1": "transport",
    "2": "token",
    "3": "upload",
    "4": "storage",
    "5": "content",
    "6": "front",
    "7": "registry",
    "8": "client",
}


@pytest.fixture(params=RULES, ids=lambda rule: rule.slug)
def rule(request: pytest.FixtureRequest) -> Rule:
    chosen: Rule = request.param
    return chosen


@cache
def operations(story: str) -> tuple[Operation, ...]:
    return tell([decode(exchange) for exchange in read_notation(story)])


def findings(story: str) -> list[Finding]:
    return [finding for operation in operations(story) for finding in examine(operation).findings]


def roots(story: str) -> list[str]:
    return [finding.rule.slug for finding in findings(story) if finding.explained_by is None]


def test_fires_and_is_the_only_root(rule: Rule) -> None:
    for story in (rule.fires, *rule.also_fires):
        if rule is BESIDE:
            assert rule.slug in roots(story)
            assert len(roots(story)) == 2
        else:
            assert set(roots(story)) - {BESIDE.slug} == {rule.slug}, story


def test_points_at_evidence_on_its_legs(rule: Rule) -> None:
    for story in (rule.fires, *rule.also_fires):
        finding = root(rule, story)
        legs = {leg.id for leg in finding.operation.legs}
        assert finding.fails.legs
        assert {leg.id for leg in finding.fails.legs} <= legs
        assert finding.fails.evidence
        assert {row.leg.id for row in finding.fails.evidence} <= legs
        assert finding.fails.count >= len(finding.fails.legs) or finding.fails.count == 1


def root(rule: Rule, story: str) -> Finding:
    (finding,) = (finding for finding in findings(story) if finding.rule is rule)
    assert finding.explained_by is None
    return finding


def test_stays_silent_on_the_nearest_story(rule: Rule) -> None:
    for story in (rule.silent, *rule.also_silent):
        assert rule.slug not in [finding.rule.slug for finding in findings(story)], story


def test_the_two_stories_differ_in_little(rule: Rule) -> None:
    """The pair shows where the boundary lies; two unrelated stories would not."""
    fires, silent = (set(story.split("\n")) for story in (rule.fires, rule.silent))
    assert len(fires - silent) <= 2, "the silent story is not the nearest one"


def test_a_missing_leg_never_brings_up_another_cause(rule: Rule) -> None:
    """Missing evidence makes a rule silent, or leaves its symptom; never another rule loud."""
    exchanges = read_notation(rule.fires)
    allowed = {*roots(rule.fires), LAST_RESORT.slug} | rule.explains
    for missing in exchanges:
        legs = [decode(exchange) for exchange in exchanges if exchange is not missing]
        causes = [root for operation in tell(legs) for root in examine(operation).roots]
        errors = {cause.rule.slug for cause in causes if cause.severity is Severity.ERROR}
        assert errors <= allowed, missing.id


def test_explains_rules_that_exist_and_never_in_a_circle(rule: Rule) -> None:
    by_slug = {each.slug: each for each in RULES}
    assert rule.explains <= set(by_slug)
    reached, new = set(), set(rule.explains)
    while new:
        reached |= new
        new = {slug for each in new for slug in by_slug[each].explains} - reached
    assert rule.slug not in reached


def test_numbers_and_slugs_are_used_once() -> None:
    everything = [*RULES, *CHECKS]
    assert len({rule.number for rule in everything}) == len(everything)
    assert len({rule.slug for rule in everything}) == len(everything)
    assert all(re.fullmatch(r"RT\d{3}", rule.number) for rule in everything)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", rule.slug) for rule in everything)


def test_every_rule_file_is_in_the_catalogue() -> None:
    files = {path.stem.replace("_", "-") for path in FOLDER.rglob("*.py")} - {"--init--"}
    assert files == {rule.slug for rule in (*RULES, *CHECKS)}


def test_the_number_says_the_family(rule: Rule) -> None:
    file = FOLDER / FAMILY_FOLDERS[rule.number[2]] / f"{rule.slug.replace('-', '_')}.py"
    assert file.exists()


def test_texts_are_whole(rule: Rule) -> None:
    """Every field of a template is filled; every step is an instruction; every reference opens."""
    finding = root(rule, rule.fires)
    fields = finding.fails.fields
    templates = [rule.title, rule.cause, *rule.fix, *rule.check]
    assert {n for text in templates for n in re.findall(r"\{([a-z_]+)\}", text)} == set(fields)
    title, cause, *steps = (_filled(text, finding) for text in templates[: 2 + len(rule.fix)])
    assert steps
    assert all(text.endswith(".") for text in (cause, *steps))
    assert not title.endswith(".")
    assert all(reference.startswith("https://") for reference in rule.references)
    assert rule.references


def _filled(text: str, finding: Finding) -> str:
    for name, term in finding.fails.fields.items():
        text = text.replace("{" + name + "}", term.text)
    return text


def test_a_rule_answers_for_every_operation(rule: Rule) -> None:
    for other in RULES:
        for operation in operations(other.fires):
            answer = rule.examine(operation, Facts(operation))
            assert isinstance(answer, Fails | NotSeen) or answer in {PASSES, DOES_NOT_APPLY}


def test_an_unknown_failure_is_the_first_final_one_and_no_challenge() -> None:
    """Every push begins with a 401; and once one layer has failed, the others are cut off."""
    (finding,) = findings(
        """
        client docker/20.10.24
        GET /v2/                     -> 401
        token push,pull team/app     -> 200
        POST uploads                 -> 202
        & POST uploads               -> 202
        PATCH u1 L1                  -> 202
        PUT u1 L1                    -> 201
        HEAD blob L1                 -> 307 s3
        HEAD s3 L1                   -> 500
        PATCH u2 L2                  -> ! Client disconnected.
        """
    )
    assert finding.rule is LAST_RESORT
    (leg,) = finding.fails.legs
    assert leg.status == 500
    assert finding.owner.value == "storage"


def test_a_refused_probe_is_not_what_the_push_failed_by() -> None:
    """skopeo looks for a layer, is refused by the storage, uploads it, and then meets nginx."""
    said = findings(
        """
        client skopeo/1.14
        GET /v2/                     -> 401
        token push,pull team/app     -> 200
        HEAD blob L1                 -> 307 s3
        HEAD s3 L1                   -> 403
        POST uploads                 -> 202
        PATCH u1 L1                  -> 202
        PUT u1 L1                    -> 201
        POST uploads                 -> 202
        PATCH u2 L2                  -> 413 nginx
        """
    )
    assert [(finding.rule.slug, finding.severity.value) for finding in said] == [
        ("body-too-large", "error"),
        ("storage-403-on-head", "warning"),
    ]


def test_a_mirror_that_was_passed_over_is_no_cause() -> None:
    """The pull went on at the registry itself, and failed there by another fault."""
    (finding,) = findings(
        """
        client containerd/2.1.0
        CONNECT mirror.test:443      -> ! [Errno -2] Name or service not known
        HEAD manifest 1 [cfg L1]     -> 200
        GET manifest 1 [cfg L1]      -> 200
        GET blob L1                  -> 307 s3
        GET s3 L1                    -> 403 AccessDenied
        """
    )
    assert finding.rule.slug == "s3-access-denied"


def test_evidence_stands_where_the_proxy_named_itself() -> None:
    """Some hide their Server header, and still sign their error page."""
    (finding,) = findings(body_too_large.fires.rstrip() + "\n  < -Server\n")
    assert [row.where for row in finding.fails.evidence] == [
        "response.status",
        "response.body",
        "request.body.size",
    ]
