"""A user's rule in YAML, read into a :class:`Rule`: its texts, its condition, its two stories."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    PASSES,
    Confidence,
    Evidence,
    Examine,
    Fails,
    Owner,
    Rule,
    Severity,
    Verdict,
)
from regtrace.diagnose.yamltext import Mistake, Part, advice, read_yaml, shown
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.notation import NotationError, read_notation
from regtrace.wire.term import Term, TermKind, host, plain

if TYPE_CHECKING:
    from regtrace.diagnose.user_rules.condition import Condition

#: A whole rule, for help texts and the page of the catalogue.
EXAMPLE = """\
number: acme/quota
slug: acme-quota-exceeded
title: The quota of {repository} is used up
cause: "{server} refuses new layers, because the project's quota is used up."
fix:
  - Delete old tags of {repository}, or ask the platform team for more.
check:
  - curl -sS https://{registry}/api/quota
references: [https://wiki.example.com/registry/quota]
owner: user
severity: error
confidence: certain
explains: [quota-exceeded]
when: |
  leg.kind == "upload-start" && leg.status == 403 &&
  leg.error.code == "DENIED" && leg.error.message.contains("quota")
fires: |
  client docker/24.0.7
  GET /v2/                  -> 401
  token push,pull team/app  -> 200
  POST uploads              -> 403 DENIED "project quota exceeded"
silent: |
  client docker/24.0.7
  GET /v2/                  -> 401
  token push,pull team/app  -> 200
  POST uploads              -> 403 DENIED "requested access is denied"
"""

#: Legs of an operation that are asked, and found; the last ones tell how it ended.
_MOST_ASKED, _MOST_FOUND = 1_000, 100

_REQUIRED = ("number", "slug", "title", "cause", "fix", "owner", "when", "fires", "silent")
_OPTIONAL = ("check", "references", "severity", "confidence", "explains")
#: Numbers that users' rules may have.
NUMBER = re.compile(r"RT9[0-9]{2}|[a-z][a-z0-9-]{0,30}/[A-Za-z0-9._-]{1,30}")
NUMBERS = "RT900 to RT999, or ORGANISATION/NAME"
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FIELD = re.compile(r"\{([a-z_]+)\}")

#: What a text of a user's rule may name in braces, of the first leg that the rule found.
FIELDS: dict[str, Callable[[Leg, Operation], Term]] = {
    "server": lambda leg, _: host(leg.url.authority),
    "leg": lambda leg, _: plain(leg.kind.value),
    "status": lambda leg, _: plain("no answer" if leg.status is None else leg.status),
    "registry": lambda leg, operation: host(operation.registry or leg.url.authority),
    "repository": lambda _, operation: _repository(operation.repository),
}


def _repository(name: str | None) -> Term:
    return Term(TermKind.REPOSITORY, name) if name else plain("the repository")


def parse_rule(text: str, source: str) -> Rule:
    """The rule in this YAML file, called ``source`` in messages. Raises Mistake."""
    file = read_yaml(text, source, "the rule")
    if file is None:
        raise Mistake(f"{source}: is empty; a rule has {', '.join(_REQUIRED)}")
    parts = file.fields((*_REQUIRED, *_OPTIONAL), _REQUIRED)
    return Rule(
        number=_matching(parts["number"], NUMBER, NUMBERS),
        slug=_matching(parts["slug"], _SLUG, "words-with-hyphens in lower case"),
        title=_template(parts["title"]),
        cause=_template(parts["cause"]),
        fix=_templates(parts["fix"]),
        check=_templates(parts["check"]) if "check" in parts else (),
        references=_texts(parts["references"]) if "references" in parts else (),
        owner=Owner(parts["owner"].one_of([owner.value for owner in Owner])),
        severity=Severity(_choice(parts.get("severity"), Severity, Severity.ERROR)),
        needs=frozenset(Kind),
        explains=frozenset(_texts(parts["explains"]) if "explains" in parts else ()),
        fires=_story(parts["fires"]),
        silent=_story(parts["silent"]),
        examine=_asks(
            _conditions(parts["when"]),
            Confidence(_choice(parts.get("confidence"), Confidence, Confidence.LIKELY)),
        ),
    )


def _asks(conditions: Sequence[Condition], confidence: Confidence) -> Examine:
    """The question of a rule whose conditions must all hold on one leg."""

    def examine(operation: Operation, facts: Facts) -> Verdict:
        found: list[Leg] = []
        for leg in facts.legs[-_MOST_ASKED:]:
            holds = all(condition.holds(leg, facts) for condition in conditions)
            # A refusal that a later try made good is no fault.
            if holds and not (leg.refused and facts.succeeded_later(leg)):
                found.append(leg)
            if len(found) == _MOST_FOUND:
                break
        if not found:
            return PASSES
        fatal = [leg for leg in found if facts.is_fatal(leg)]
        first = (fatal or found)[0]
        return Fails(
            legs=tuple(found),
            evidence=_evidence(first),
            confidence=confidence,
            transfer=facts.transfer_of(first),
            fields={name: read(first, operation) for name, read in FIELDS.items()},
            count=len(found),
        )

    return examine


def _evidence(leg: Leg) -> tuple[Evidence, ...]:
    if leg.broken:
        return (Evidence(leg, "error", "how the connection ended"),)
    evidence = [Evidence(leg, "response.status", "the rule's condition holds on this leg")]
    if leg.error and leg.error.items:
        evidence.append(Evidence(leg, "response.body", "the error in its body"))
    return tuple(evidence)


def _conditions(part: Part) -> list[Condition]:
    try:
        from regtrace.diagnose.user_rules.condition import Condition, ConditionError
    except ImportError:
        advised = "install them with: pip install 'regtrace[rules]'"
        raise part.mistake(f"conditions need the package cel-python; {advised}") from None
    conditions: list[Condition] = []
    for entry in part.one_or_more():
        try:
            conditions.append(Condition(entry.text()))
        except ConditionError as fault:
            raise entry.mistake(f"when: {shown(entry.text())}: {fault}") from None
    return conditions


def _story(part: Part) -> str:
    text = part.text()
    try:
        exchanges = read_notation(text)
    except NotationError as fault:
        raise part.mistake(f"{part.name}, {fault}") from None
    if not exchanges:
        raise part.mistake(f"{part.name}: no leg is in it; write them like: GET /v2/ -> 401")
    return text


def _template(part: Part) -> str:
    text = part.text()
    for name in _FIELD.findall(text):
        if name not in FIELDS:
            raise part.mistake(f"{part.name}: {{{name}}} is not known; {advice(name, FIELDS)}")
    return text


def _templates(part: Part) -> tuple[str, ...]:
    return tuple(_template(entry) for entry in part.one_or_more())


def _texts(part: Part) -> tuple[str, ...]:
    return tuple(entry.text() for entry in part.one_or_more())


def _matching(part: Part, grammar: re.Pattern[str], right: str) -> str:
    text = part.text()
    if not grammar.fullmatch(text):
        raise part.mistake(f"{part.name}: {shown(text)} must be {right}")
    return text


def _choice(part: Part | None, choices: type[Severity | Confidence], default: str) -> str:
    return part.one_of([choice.value for choice in choices]) if part else default
