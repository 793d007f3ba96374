"""The catalogue of rules for people: as text, as a page in Markdown, as JSON.

What a report says of a fault and what stands here is the same text, with a placeholder such as
``<storage>`` where a report has a name. The page ``diagnose/rules/README.md`` is made by
:func:`page`.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from regtrace.diagnose.config.check import Check
from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules import FAMILIES, LAST_RESORT, VERSION
from regtrace.diagnose.user_rules.read import EXAMPLE, FIELDS
from regtrace.diagnose.user_rules.view import NAMES
from regtrace.report.visible import visible
from regtrace.report.words import OWNERS, plural

_FIELD = re.compile(r"\{([a-z_]+)\}")
#: What Markdown would take for markup outside of code.
_MARKUP = re.compile(r"[\\`*<>\[\]|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
#: Columns that a title needs to stand beside its rule's name.
_ROOM = 40
_OWN = "9"
#: Before all families: what no rule knows.
_UNKNOWN = ""

#: What looks at traffic, and what looks at configuration files.
Entry = Rule | Check

_INTRODUCTION = """\
<!-- Made by: regtrace rules --format markdown. Edit the rules, not this page. -->

# The faults that regtrace knows

Version {version}, {count}. Each rule is one file of Python in this directory: its texts first, then
a story that has the fault, the nearest story that has not, and the function that tells them apart.
Rules of configuration (RT010 to RT099) have files instead; `regtrace doctor config` asks them.
The same texts stand in reports; `<storage>` and the like are placeholders for what a report names.

`regtrace rules storage 403` finds rules by words, `regtrace rules show RT412` prints one.
"""

_OWN_RULES = """\
## Rules of your own

A directory of rules of your own is given with `regtrace report --rules DIR` or mitmproxy's option
`registry_rules`, and tried with `regtrace rules test DIR`. A file that ends in `.py` is run as your
own code and defines rules as the files in this directory do. A file that ends in `.yaml` holds one
rule:
"""

_SEEN = """\
`number` is RT900 to RT999, or ORGANISATION/NAME. `check`, `references`, `severity` (error),
`confidence` (likely) and `explains` may be left out. Texts may name
{fields}.
The stories are written in the notation that `regtrace/wire/notation.py` explains.

`when` is a condition in CEL, the Common Expression Language (<https://cel.dev>), or a list of
conditions that must hold together. It is asked of every leg; a refusal that a later try made good
does not count. It knows `&&`, `||`, `!`, `? :`, comparisons, arithmetic, `in`, `size(x)`,
`x.startsWith(y)`, `x.endsWith(y)`, `x.contains(y)` and `x.matches(y)`, and these names. What is not
known is an empty text, or -1:

| name | meaning |
|---|---|""".format(fields=", ".join(f"`{{{name}}}`" for name in FIELDS))


def listed(rules: Sequence[Entry], width: int) -> str:
    """A line for each rule, by family."""
    if not rules:
        return "No rule has these words.\n"
    number = max(len(rule.number) for rule in rules)
    slug = max(len(rule.slug) for rule in rules)
    lines: list[str] = []
    for family, members in _families(rules):
        lines += ["", family]
        for rule in members:
            name = f"  {rule.number:<{number}}  {rule.slug:<{slug}}  "
            if width - len(name) >= _ROOM:
                lines += wrapped(name, placed(rule.title), width)
            else:
                lines += [name.rstrip(), *wrapped(" " * (number + 4), placed(rule.title), width)]
    return _drawn(lines[1:])


def shown(rule: Entry, width: int) -> str:
    """All that one rule says."""
    lines = [f"{rule.number} {rule.slug}"]
    lines += wrapped("  ", placed(rule.title), width)
    lines += ["", *wrapped("  cause     ", placed(rule.cause), width)]
    lines += wrapped("  must act  ", OWNERS[rule.owner.value], width)
    for place, step in enumerate(rule.fix, 1):
        label = "fix" if place == 1 else ""
        lines += wrapped(f"  {label:<10}{place}. ", placed(step), width)
    lines += ["  check", *(f"    {placed(each)}" for each in rule.check)] if rule.check else []
    if isinstance(rule, Check) and rule.leads_to:
        lines += wrapped("  leads to  ", ", ".join(rule.leads_to), width)
    for place, reference in enumerate(rule.references):
        lines.append(f"  {'see' if place == 0 else '':<10}{reference}")
    for label, story in (("fires on", rule.fires), ("silent on", rule.silent)):
        lines += ["", f"  {label}", *(f"    {line}" for line in _lines(story))]
    return _drawn(lines)


def page(rules: Sequence[Entry]) -> str:
    """The whole catalogue as Markdown, and how to add to it."""
    parts = [_INTRODUCTION.format(version=VERSION, count=plural(len(rules), "rule"))]
    for family, members in _families(rules):
        parts.append(f"## {family}\n")
        parts += [entry(rule) for rule in members]
    parts += [_OWN_RULES, *_code(_lines(EXAMPLE)), _SEEN]
    parts += [f"| `{name.name}` | {_escaped(name.meaning)} |" for name in NAMES]
    return "\n".join(parts) + "\n"


def as_json(rules: Iterable[Entry]) -> str:
    """The catalogue for programs, pure ASCII."""
    document = {"version": VERSION, "rules": [_plain(rule) for rule in rules]}
    return json.dumps(document, indent=2) + "\n"


def placed(template: str) -> str:
    """A rule's text with readable placeholders: ``<storage>`` for ``{storage}``."""
    return _FIELD.sub(lambda match: f"<{match[1].replace('_', ' ')}>", template)


def matching(rules: Iterable[Entry], words: Iterable[str]) -> list[Entry]:
    """The rules that say all of these words, in whatever case."""
    wanted = [word.lower() for word in words]
    return [rule for rule in rules if all(word in _said(rule) for word in wanted)]


def _said(rule: Entry) -> str:
    texts = (rule.number, rule.slug, rule.title, rule.cause, *rule.fix, rule.owner.value)
    return placed("\n".join(texts)).lower()


def _families(rules: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    grouped = groupby(sorted(rules, key=lambda r: (_family(r), r.number)), key=_family)
    names = {**FAMILIES, _UNKNOWN: "What no rule knows"}
    return [(names[family], list(members)) for family, members in grouped]


def _family(rule: Entry) -> str:
    """First digit of the number; an organisation's rule is a user's own."""
    if rule.number == LAST_RESORT.number:
        return _UNKNOWN
    return rule.number[2] if re.fullmatch(r"RT[0-9]{3}", rule.number) else _OWN


def entry(rule: Entry) -> str:
    """One rule of the page."""
    lines = [
        f"### {rule.number} {rule.slug}",
        "",
        f"**{_escaped(placed(rule.title))}**",
        "",
        _escaped(placed(rule.cause)),
        "",
        f"Must act: {OWNERS[rule.owner.value]}. Severity: {rule.severity.value}.",
        "",
        *(f"{n}. {_indented(_escaped(placed(step)))}" for n, step in enumerate(rule.fix, 1)),
        "",
    ]
    if rule.check:
        lines += ["Check with:", "", *_code([placed(command) for command in rule.check])]
    if isinstance(rule, Check) and rule.leads_to:
        lines += [f"In traffic it leads to: {', '.join(rule.leads_to)}.", ""]
    lines += ["Fires on:", "", *_code(_lines(rule.fires))]
    lines += ["Silent on:", "", *_code(_lines(rule.silent))]
    if rule.references:
        lines += [*(f"- <{reference}>" for reference in rule.references), ""]
    return "\n".join(lines)


def _code(lines: Iterable[str]) -> list[str]:
    text = "\n".join(lines)
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return [f"{fence}text", text, fence, ""]


def _escaped(text: str) -> str:
    return _MARKUP.sub(lambda match: f"\\{match[0]}", text)


def _indented(text: str) -> str:
    return text.replace("\n", "\n   ")


def _lines(story: str) -> list[str]:
    return textwrap.dedent(story.strip("\n")).rstrip().split("\n")


def wrapped(lead: str, text: str, width: int) -> list[str]:
    """The text on lines of this width, the first behind the lead, the others below it."""
    room = max(min(width, 100) - len(lead), 30)
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += textwrap.wrap(paragraph, room, break_long_words=False, break_on_hyphens=False) or [
            ""
        ]
    return [(lead if n == 0 else " " * len(lead)) + line for n, line in enumerate(lines)]


def _drawn(lines: Iterable[str]) -> str:
    return "".join(f"{visible(line)}\n" for line in lines)


def _plain(rule: Entry) -> Mapping[str, Any]:
    return {
        "number": rule.number,
        "slug": rule.slug,
        "title": placed(rule.title),
        "cause": placed(rule.cause),
        "fix": [placed(step) for step in rule.fix],
        "check": [placed(command) for command in rule.check],
        "references": list(rule.references),
        "owner": rule.owner.value,
        "severity": rule.severity.value,
        **({"explains": sorted(rule.explains)} if isinstance(rule, Rule) else {}),
        **({"leads_to": list(rule.leads_to)} if isinstance(rule, Check) else {}),
        "fires": rule.fires.strip("\n"),
        "silent": rule.silent.strip("\n"),
    }
