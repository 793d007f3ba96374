"""Configuration files as evidence: a reader for each kind. ``diagnose.config`` asks questions."""
