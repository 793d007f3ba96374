"""follow: many legs, who belongs to whom? Joins, transfers, operations; no I/O, no clock."""
