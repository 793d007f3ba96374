"""diagnose: operations, what went wrong? Engine, facts, and one file per rule; no I/O, no clock."""
