"""What is wrong with the name of a repository or with a tag, by the grammar (distribution-spec,
"Pulling manifests") and by what stricter registries make of it."""

from __future__ import annotations

import re
from enum import Enum

from regtrace.wire.endpoint import MAX_NAME, is_name, is_tag

_LONGEST_TAG = 128


class NameFault(str, Enum):
    UPPER_CASE = "upper-case"
    BEGINS = "begins"
    """With a separator."""
    ENDS = "ends"
    SEPARATORS = "separators"
    """More of them in a row than the grammar allows."""
    DASHES = "dashes"
    """Two or more in a row, which the grammar allows and ECR does not."""
    EMPTY_PART = "empty-part"
    TOO_LONG = "too-long"
    TOO_FEW_PARTS = "too-few-parts"
    """The grammar is content with one; many registries want a project before it."""
    CHARACTERS = "characters"


_IN_A_ROW = re.compile(r"\.\.|___|\.[_-]|[_-]\.|_-|-_")
_ODD = re.compile(r"[^a-z0-9._/-]")


def name_fault(name: str) -> NameFault | None:
    """The first thing that is wrong with a repository's name, or that a strict registry may mind;
    None: nothing."""
    if len(name) > MAX_NAME:
        return NameFault.TOO_LONG
    parts = name.split("/")
    if is_name(name):
        if "--" in name or "__" in name:
            return NameFault.DASHES
        return NameFault.TOO_FEW_PARTS if len(parts) == 1 else None
    if name != name.lower():
        return NameFault.UPPER_CASE
    if _ODD.search(name):
        return NameFault.CHARACTERS
    if "" in parts:
        return NameFault.EMPTY_PART
    if any(part[0] in "._-" for part in parts):
        return NameFault.BEGINS
    if any(part[-1] in "._-" for part in parts):
        return NameFault.ENDS
    return NameFault.SEPARATORS if _IN_A_ROW.search(name) else NameFault.CHARACTERS


def tag_fault(tag: str) -> NameFault | None:
    """What is wrong with a tag; None: nothing."""
    if is_tag(tag):
        return None
    if len(tag) > _LONGEST_TAG:
        return NameFault.TOO_LONG
    return NameFault.BEGINS if tag[:1] in {".", "-"} else NameFault.CHARACTERS
