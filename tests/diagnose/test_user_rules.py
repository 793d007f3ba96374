"""Rules that users write: what a condition sees, what it may do, and how a mistake is told."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.diagnose.engine import examine
from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import Confidence, Finding, Owner, Rule, Severity
from regtrace.diagnose.rules import CATALOGUE
from regtrace.diagnose.user_rules.condition import MOST, Condition, ConditionError
from regtrace.diagnose.user_rules.read import EXAMPLE, parse_rule
from regtrace.diagnose.user_rules.trial import trials
from regtrace.diagnose.user_rules.view import NAMES
from regtrace.diagnose.yamltext import Mistake
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.leg import Leg
from regtrace.wire.notation import read_notation

#: A push in which nearly everything happens.
PUSH = """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 403
  < Server: MinIO
  < +Via: 1.1 a
  < +Via: 1.1 b
POST uploads                 -> 202
PATCH u2 L2 took=75s         -> 413 nginx
POST uploads                 -> 403 DENIED "over the quota"
CONNECT s3.test:443          -> ! server-tls: certificate verify failed
PATCH u2 L3                  -> ! server closed connection
GET /v2/_catalog?n=5         -> ?
"""


def legs_of(story: str) -> list[tuple[Leg, Facts]]:
    legs = [decode(exchange) for exchange in read_notation(story)]
    return [(leg, Facts(operation)) for operation in tell(legs) for leg in operation.legs]


LEGS = legs_of(PUSH)


def true_of(text: str, legs: list[tuple[Leg, Facts]] = LEGS) -> list[str]:
    """The legs of the story on which the condition holds."""
    condition = Condition(text)
    return [f"{leg.method} {leg.status}" for leg, facts in legs if condition.holds(leg, facts)]


def refusal(text: str) -> str:
    with pytest.raises(ConditionError) as caught:
        Condition(text)
    return str(caught.value)


def rule(**changed: str) -> Rule:
    """The example, with these fields in place of its own."""
    return parse_rule(with_fields(**changed), "quota.yaml")


def with_fields(**changed: str) -> str:
    kept: list[str] = []
    name = ""
    for line in EXAMPLE.splitlines():
        if not line.startswith(" "):
            name = line.partition(":")[0]
        if name not in changed:
            kept.append(line)
    return "\n".join([*kept, *(f"{key}: {value}" for key, value in changed.items() if value)])


def mistake(**changed: str) -> str:
    with pytest.raises(Mistake, match=r"^quota\.yaml, line \d+: ") as caught:
        rule(**changed)
    return str(caught.value)


def findings(own: Rule, story: str) -> list[Finding]:
    legs = [decode(exchange) for exchange in read_notation(story)]
    everything = [*CATALOGUE, own]
    return [f for op in tell(legs) for f in examine(op, everything).findings if f.rule is own]


# --- what a condition sees


@pytest.mark.parametrize(
    ("text", "legs"),
    [
        ('leg.status == 403 && leg.kind == "storage"', ["HEAD 403"]),
        ('leg.storage == "minio" || leg.answered_by == "nginx"', ["HEAD 403", "PATCH 413"]),
        ('leg.response.headers["via"] == "1.1 a, 1.1 b"', ["HEAD 403"]),
        ('leg.response.headers["Via"] != ""', []),
        ('"via" in leg.response.headers', ["HEAD 403"]),
        ("leg.seconds > 60", ["PATCH 413"]),
        ("leg.request.size == 1000000 && leg.status == 202", ["PATCH 202"]),
        ('leg.error.code == "DENIED" && leg.error.message.contains("quota")', ["POST 403"]),
        ('"DENIED" in leg.error.codes', ["POST 403"]),
        ('leg.failure == "certificate"', ["CONNECT None"]),
        ('leg.url.host == "s3.test" && leg.url.port == 443', ["CONNECT None"]),
        ('leg.challenge.realm.matches("^https://auth[.]")', ["GET 401"]),
        ('"repository:team/app:pull,push" in leg.asked', ["GET 200"]),
        ('leg.url.query["n"] == "5"', ["GET None"]),
        ("leg.status == -1 && leg.seconds < 0.0", ["GET None"]),
        ('leg.location.startsWith("https://registry-bucket.")', ["HEAD 307"]),
        ('leg.credentials == "bearer" && leg.method == "PUT"', ["PUT 201"]),
        ('size(leg.digest) == 71 && leg.kind == "upload-commit"', ["PUT 201"]),
        ("leg.status in [413, 499]", ["PATCH 413"]),
        ('operation.kind == "pull"', []),
        ('operation.client.product == "docker" && leg.kind == "ping"', ["GET 401"]),
    ],
)
def test_what_it_sees(text: str, legs: list[str]) -> None:
    assert true_of(text) == legs


def test_credentials_are_not_among_the_headers() -> None:
    assert true_of('leg.request.headers["user-agent"].startsWith("docker/")')
    assert not true_of('leg.request.headers["authorization"] != ""')


def test_every_name_has_one_type_on_every_leg() -> None:
    """So a condition that was right once can't go wrong on what is missing."""
    for name in NAMES:
        types = {type(name.read(leg, facts)) for leg, facts in LEGS}
        assert len(types) == 1, name.name
        assert name.meaning


def test_every_name_can_be_used_on_every_story() -> None:
    for name in NAMES:
        condition = Condition(f"{name.name} == {name.name}")
        for each in CATALOGUE[:10]:
            assert all(condition.holds(leg, facts) for leg, facts in legs_of(each.fires))


# --- what it may do


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("leg.stats == 403", "nothing is called leg.stats; did you mean leg.status?"),
        ("zzz", "regtrace rules test --help lists the names"),
        ("leg == 1", "leg alone says nothing; say what of it, such as leg.kind"),
        ("leg.response.headers.via == 'x'", "nothing is called leg.response.headers.via"),
        ('leg.status == "403"', "a number and a text"),
        ('leg.refused && leg.status == "403"', "a number and a text"),
        ("leg.status == null", "a number and null"),
        ("leg.refused && leg.kind", "a side of && or || is neither true nor false"),
        ("leg.status", "it is neither true nor false; compare it"),
        ("leg.status = 403", "it can't be read at '= 403'; write == to compare"),
        ("leg.refused and leg.fatal", "write && for and"),
        ("leg.refused &&", "it can't be read at "),
        ("", "it can't be read at its end"),
        ('leg.kind.matches("(")', "its pattern is wrong: missing )"),
        ("leg.error.codes.exists(c, c == 'A')", "it can't use exists()"),
        ("leg.error.codes.map(c, c) == []", "it can't use map()"),
        ("eval('1') == 1", "it can't use eval()"),
        ("leg.kind.__class__ == 'x'", "nothing is called leg.kind.__class__"),
        ('{"a": 1}["a"] == 1', "maps ({…}) can't be used in it"),
        ("Leg{a: 1} == 1", "objects (x{…}) can't be used in it"),
        (".leg == 1", "a dot in front can't be used in it"),
        ('"a".b == 1', ".b can't be asked of that"),
        ("1 / 0 == 1", "it can't be worked out: modulus or divide by zero"),
        ("99999999999999999999 > leg.status", "it can't be worked out: overflow"),
        ("(" * 400 + "true" + ")" * 400, "too many brackets in brackets"),
        ("true" + " " * MOST, "it has more than 2000 characters"),
        ('"' + "\\n" * 30, "it has more than 12 backslashes"),
    ],
)
def test_a_condition_that_is_refused(text: str, words: str) -> None:
    assert words in refusal(text)


def test_a_pattern_writes_nothing_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    refusal('leg.kind.matches("(")')
    assert capfd.readouterr().err == ""


ALPHABET = "leg.status kind\"'\\()[]{}=!&|<>+-*/%?:,.0123nr"


@given(st.text(alphabet=st.sampled_from(ALPHABET), max_size=60))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        condition = Condition(text)
    except ConditionError:
        return
    assert isinstance(condition.holds(*LEGS[0]), bool)


@pytest.mark.parametrize(
    "text",
    [
        '"' + "\\n" * 12,
        'leg.error.text.matches("(a*)*(a*)*(a*)*b")',
        " + ".join(["leg.error.text"] * 120) + ' == ""',
        " || ".join(["leg.fatal"] * 150),
    ],
)
def test_the_worst_takes_little_time(text: str) -> None:
    long = legs_of(f"GET /v2/ -> 403\n  << {'a' * 4000}")
    begun = time.process_time()
    with contextlib.suppress(ConditionError):
        true_of(text, long)
    assert time.process_time() - begun < 5


# --- a rule


def test_the_example_fires_and_stays_silent() -> None:
    example = parse_rule(EXAMPLE, "quota.yaml")
    assert [trial.complaint for trial in trials(example, (*CATALOGUE, example))] == ["", ""]
    (finding,) = findings(example, example.fires)
    assert (finding.severity, finding.owner) == (Severity.ERROR, Owner.USER)
    assert finding.fails.confidence is Confidence.CERTAIN
    assert finding.fails.fields["server"].text == "registry.test:443"
    assert finding.fails.fields["repository"].text == "team/app"
    assert [row.where for row in finding.fails.evidence] == ["response.status", "response.body"]


def test_what_may_be_left_out() -> None:
    short = rule(check="", references="", severity="", confidence="")
    assert (short.check, short.references, short.severity) == ((), (), Severity.ERROR)
    (finding,) = findings(short, short.fires)
    assert finding.fails.confidence is Confidence.LIKELY


def test_several_conditions_must_hold_on_one_leg() -> None:
    both = rule(when="[leg.status == 403, leg.kind == 'upload-start']")
    assert findings(both, both.fires)
    neither = rule(when="[leg.status == 403, leg.kind == 'token']")
    assert not findings(neither, neither.fires)


def test_a_refusal_that_a_later_try_made_good_is_no_fault() -> None:
    story = """
        client docker/24.0.7
        GET /v2/                  -> 401
        token push,pull team/app  -> 200
        POST uploads              -> 403 DENIED "project quota exceeded"
        +5s POST uploads          -> 202
        PATCH u1 L1               -> 202
        PUT u1 L1                 -> 201
        PUT manifest 1 [cfg L1]   -> 201
        """
    assert not findings(parse_rule(EXAMPLE, "quota.yaml"), story)


def test_what_the_operation_did_not_fail_by_is_a_warning() -> None:
    every_ping = rule(when="leg.kind == 'ping'")
    (finding,) = findings(every_ping, every_ping.fires)
    assert finding.severity is Severity.WARNING


def test_arithmetic_that_fails_later_is_said_and_no_finding() -> None:
    own = rule(when="1000 / (leg.status - 202) == 4")
    story = "POST uploads -> 202\nPATCH u1 L1 -> 201"
    (operation,) = tell([decode(exchange) for exchange in read_notation(story)])
    diagnosis = examine(operation, [own])
    assert not diagnosis.findings
    (spot,) = (spot for spot in diagnosis.not_seen if spot.what.startswith("rule acme/quota"))
    assert spot.why == "it stopped with ConditionError: a fault of that rule"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"number": "RT412"}, "number: RT412 must be RT900 to RT999, or ORGANISATION/NAME"),
        ({"slug": "Quota"}, "slug: Quota must be words-with-hyphens in lower case"),
        ({"slug": ""}, "slug must be said of the rule"),
        ({"title": "Full: {disk}"}, "no valid YAML"),
        ({"title": "'{disk} is full'"}, "title: {disk} is not known; there are server, leg"),
        ({"cause": "'{regstry} is full'"}, "cause: {regstry} is not known; did you mean registry?"),
        ({"owner": "storrage"}, "owner: storrage is unknown; did you mean storage?"),
        ({"severity": "fatal"}, "severity: fatal is unknown; there are error, warning, note"),
        ({"confidence": "100"}, "confidence: 100 is unknown; there are certain, likely, possible"),
        ({"fix": "{a: b}"}, "fix: expected a list, found a mapping"),
        ({"fix": "[]"}, "fix: expected at least one"),
        ({"when": "leg.stats == 1"}, "when: leg.stats == 1: nothing is called leg.stats"),
        ({"when": "[]"}, "when: expected at least one"),
        ({"fires": "GET /v2/ -> nonsense"}, "fires, line 1: "),
        ({"silent": "client docker/24.0.7"}, "silent: no leg is in it"),
        ({"wehn": "leg.fatal"}, "unknown wehn; did you mean when?"),
    ],
)
def test_a_mistake_in_a_rule(changed: dict[str, str], words: str) -> None:
    assert words in mistake(**changed)


def test_an_empty_file_is_no_rule() -> None:
    with pytest.raises(Mistake, match=r"quota\.yaml: is empty; a rule has number, slug, title"):
        parse_rule("", "quota.yaml")


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"when": "1 == 2"}, "must be the only root finding, but there is: quota-exceeded"),
        ({"when": "leg.status == 403"}, "acme-quota-exceeded must not be found, and is"),
    ],
)
def test_a_rule_that_fails_its_own_stories(changed: dict[str, str], complaint: str) -> None:
    own = rule(**changed)
    complaints = [trial.complaint for trial in trials(own, (*CATALOGUE, own)) if trial.complaint]
    assert len(complaints) == 1
    assert complaint in complaints[0]
