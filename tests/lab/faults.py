"""Every fault the laboratory can make, by name; they stand in faults.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from .settings import Settings, Tree, change

FAULTS: dict[str, Tree] = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text())


def apply(names: Sequence[str], settings: Settings) -> Settings:
    """The settings with all these faults."""
    for name in names:
        changes = {part: said for part, said in FAULTS[name].items() if part != "what"}
        settings = change(settings, changes)
    return settings
