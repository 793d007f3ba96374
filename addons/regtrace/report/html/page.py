"""Draws a page of the family of ``templates/base.html``: one file, whole without script or network.

A template extends ``base.html`` and fills its blocks. Nothing in it needs to escape or clean: every
value that a template writes goes through ``_shown`` and is escaped for HTML after that, so what
strangers wrote is text and stays text. Style and script stand in the page, and its policy (CSP)
allows these two by their hashes and nothing else: no style attribute, no picture, no request.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from regtrace.report.visible import visible

LONGEST = 2000
"""Characters of one string."""


def draw(template: str, **values: Any) -> Markup:
    """This template (a name in ``templates/``) with these values; a whole page or a piece of one.

    A piece may be handed to another template as a value.
    """
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704 - escaped


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("regtrace.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (_packaged(name) for name in ("style.css", "script.js"))
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " base-uri 'none'; form-action 'none'"
    )
    # The two are files of the package, read as they are.
    environment.globals.update(
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=Markup(policy),  # noqa: S704
    )
    environment.filters.update(prose=_prose, lines=_lines)
    return environment


def _shown(value: Any) -> Any:
    """A text with nothing in it that hides, moves or reorders other text."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, limit=LONGEST)
    return value


def _prose(text: str) -> str:
    """One paragraph, however it was broken into lines."""
    return " ".join(text.split())


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _packaged(name: str) -> str:
    return (files("regtrace.report.html") / "templates" / name).read_text("utf-8")


def _hash(text: str) -> str:
    """As a policy names what stands between two tags."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
