"""What a set-up command will not or can't do."""

from __future__ import annotations


class Refused(Exception):
    """One line that a person reads: what, where, and what to do. Nothing was left half done."""
