"""regtrace: why a container push or pull failed, read from its HTTPS traffic.

The rooms, in the order in which traffic passes through them:

    wire      one exchange: what does it say?
    follow    many legs: who belongs to whom?
    diagnose  operations: what went wrong?
    redact    what may leave this machine?
    report    how is it shown?
    proxy     the only room that imports mitmproxy
"""

__version__ = "0.1.0"
