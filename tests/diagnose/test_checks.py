"""What holds for every check of configuration: its examples, its texts, and what it leads to."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from regtrace.diagnose.config.check import Check, Judged, Outcome
from regtrace.diagnose.config.examine import examine_setup
from regtrace.diagnose.config.traffic import Bearing, Ruling, Traffic
from regtrace.diagnose.engine import examine
from regtrace.diagnose.rules import CATALOGUE, CHECKS
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Connection, ServerCertificate
from regtrace.wire.leg import Leg
from regtrace.wire.notation import read_notation
from settings_examples import NOW, read_example


@pytest.fixture(params=CHECKS, ids=lambda check: check.slug)
def check(request: pytest.FixtureRequest) -> Check:
    chosen: Check = request.param
    return chosen


def judged(example: str) -> dict[str, Judged]:
    read = read_example(example)
    assert read.faults == []
    return {each.check.slug: each for each in examine_setup(read.setup, CHECKS)}


def found(example: str) -> list[str]:
    return [slug for slug, each in judged(example).items() if each.outcome is Outcome.WRONG]


def test_fires_and_nothing_else_does(check: Check) -> None:
    for example in (check.fires, *check.also_fires):
        assert found(example) == [check.slug], example


def test_stays_silent_on_the_nearest_files(check: Check) -> None:
    for example in (check.silent, *check.also_silent):
        assert check.slug not in found(example), example


def test_no_check_stops_with_a_fault_of_its_own(check: Check) -> None:
    for example in (check.fires, check.silent, *check.also_fires, *check.also_silent):
        for each in judged(example).values():
            why = each.not_seen.why if each.not_seen else ""
            assert "a fault of that rule" not in why, (each.check.slug, why)


def test_the_two_examples_differ_in_little(check: Check) -> None:
    fires, silent = (set(text.split("\n")) for text in (check.fires, check.silent))
    assert len(fires - silent) <= 2


def test_the_number_is_of_the_family(check: Check) -> None:
    assert re.fullmatch(r"RT0[1-9]\d", check.number)


def test_leads_to_rules_that_exist(check: Check) -> None:
    assert set(check.leads_to) <= {rule.slug for rule in CATALOGUE}


def test_texts_are_whole(check: Check) -> None:
    """Every field is filled; every step is an instruction; every reference opens."""
    (wrong, *_) = judged(check.fires)[check.slug].wrong
    templates = [check.title, check.cause, *check.fix, *check.check]
    named = {name for text in templates for name in re.findall(r"\{([a-z_]+)\}", text)}
    assert named == set(wrong.fields)
    assert wrong.spots
    assert check.fix
    assert all(text.rstrip().endswith(".") for text in (check.cause, *check.fix))
    assert not check.title.endswith(".")
    assert check.references
    assert all(reference.startswith("https://") for reference in check.references)


# --- against traffic


def traffic_of(story: str) -> Traffic:
    legs = [decode(exchange) for exchange in read_notation(story)]
    found: dict[str, Leg | None] = {}
    for operation in tell(legs):
        for finding in examine(operation).findings:
            found.setdefault(finding.rule.slug, next(iter(finding.fails.legs), None))
    return Traffic(tuple(legs), found)


def ruling(slug: str, example: str, traffic: Traffic) -> Ruling:
    (check,) = (check for check in CHECKS if check.slug == slug)
    (each,) = examine_setup(read_example(example).setup, [check], traffic)
    (said,) = each.rulings
    assert said
    return said


def example_of(slug: str) -> str:
    return next(check.fires for check in CHECKS if check.slug == slug)


GOOD_PUSH = """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
"""
REFUTED_BY_A_GOOD_PUSH = [
    "token-key-pair-mismatch",
    "tls-key-pair-mismatch",
    "front-upstream-not-listened",
    "front-upstream-scheme",
    "front-lacks-forwarded-proto",
    "front-lacks-host",
    "front-cuts-path",
    "front-drops-authorization",
    "front-port-taken",
    "maintenance-read-only",
    "pull-through-cache",
    "storage-drivers-not-one",
    "realm-not-for-clients",
    "realm-without-tls",
    "realm-not-the-token-server",
]


@pytest.mark.parametrize("slug", REFUTED_BY_A_GOOD_PUSH)
def test_a_push_that_went_well_refutes(slug: str) -> None:
    said = ruling(slug, example_of(slug), traffic_of(GOOD_PUSH))
    assert (said.bearing, said.leg is not None) == (Bearing.REFUTED, True)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.slug)
def test_nothing_seen_decides_nothing(check: Check) -> None:
    said = ruling(check.slug, check.fires, Traffic(()))
    assert said.bearing is Bearing.UNDECIDED


@pytest.mark.parametrize(
    ("check", "slug"),
    [(check, slug) for check in CHECKS for slug in check.leads_to if check.against is None],
    ids=lambda each: each if isinstance(each, str) else each.slug,
)
def test_the_fault_that_it_leads_to_confirms(check: Check, slug: str) -> None:
    story = next(rule.fires for rule in CATALOGUE if rule.slug == slug)
    assert ruling(check.slug, check.fires, traffic_of(story)).bearing is Bearing.CONFIRMED


def test_a_capture_before_the_certificate_ended_refutes_nothing() -> None:
    (leg,) = traffic_of("client docker/20.10.24\nGET /v2/ -> 200\n").legs

    def showing(ends: float) -> Traffic:
        shown = ServerCertificate(
            subject="CN=a", issuer="CN=a", names=(), not_before=0, not_after=ends, self_signed=True
        )
        connection = Connection(certificate=shown)
        return Traffic((replace(leg, exchange=replace(leg.exchange, connection=connection)),))

    slug = "tls-certificate-out-of-date"
    same, other = 1514764800.0, NOW + 1e6  # 2018-01-01, as in the example
    assert ruling(slug, example_of(slug), showing(same)).bearing is Bearing.UNDECIDED
    assert ruling(slug, example_of(slug), showing(other)).bearing is Bearing.REFUTED
