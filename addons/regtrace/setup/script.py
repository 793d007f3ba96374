"""Where the script lies that ``mitmdump -s`` takes; mitmproxy can load a path, not a module."""

from __future__ import annotations

from pathlib import Path


def addon_path() -> Path:
    """The script beside this file; in a clone that is a link to ``addons/registry.py``."""
    return (Path(__file__).parent / "addon" / "registry.py").resolve()
