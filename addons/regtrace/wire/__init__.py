"""wire: one exchange, what does it say? Bytes in, plain data out; no I/O, no clock."""
