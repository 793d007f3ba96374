"""What the proxy's words for a broken transport mean, in one table for mitmproxy 11 and 12.

The words never say which side broke off ("stream reset by client" is printed for both), so no kind
here claims one. Seen with mitmproxy 11.0.2 and 12.2.3; see proxy/layers/http and proxy/server.py.
"""

from __future__ import annotations

from enum import Enum


class Failure(str, Enum):
    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"
    NOT_TLS = "not-tls"
    CLIENT_TRUST = "client-trust"
    UPSTREAM_PROXY = "upstream-proxy"
    CUT = "cut"
    """The connection ended in the middle of a message; by whom is not known."""
    UNSENT = "unsent"
    """A message ended before its body did: the client's or the server's."""
    LEFT = "left"
    """The client went away."""
    OTHER = "other"


_PHRASES = (
    ("name or service not known", Failure.DNS),
    ("nodename nor servname", Failure.DNS),
    ("temporary failure in name resolution", Failure.DNS),
    ("no address associated with hostname", Failure.DNS),
    ("getaddrinfo", Failure.DNS),
    ("certificate verify failed", Failure.CERTIFICATE),
    ("does not speak tls", Failure.NOT_TLS),
    ("does not trust the proxy", Failure.CLIENT_TRUST),
    ("disconnected during the handshake", Failure.CLIENT_TRUST),
    ("refused http connect request", Failure.UPSTREAM_PROXY),
    ("connect call failed", Failure.REFUSED),
    ("connection refused", Failure.REFUSED),
    ("network is unreachable", Failure.UNREACHABLE),
    ("no route to host", Failure.UNREACHABLE),
    ("host is unreachable", Failure.UNREACHABLE),
    ("cannot assign requested address", Failure.UNREACHABLE),
    ("timed out", Failure.TIMEOUT),
    ("timeout", Failure.TIMEOUT),
    ("client disconnected", Failure.LEFT),
    ("without sending complete message body", Failure.UNSENT),
    ("incomplete chunked read", Failure.CUT),
    ("server closed connection", Failure.CUT),
    ("connection closed", Failure.CUT),
    ("peer closed connection", Failure.CUT),
    ("stream reset by client", Failure.CUT),
)
#: What is read of an error text; the phrases stand at its beginning.
_MOST = 1_000

_WORDS = {
    Failure.DNS: "its name can't be resolved",
    Failure.REFUSED: "the connection was refused",
    Failure.UNREACHABLE: "there is no network route to it",
    Failure.TIMEOUT: "it did not answer in time",
    Failure.CERTIFICATE: "its TLS certificate was not accepted",
    Failure.NOT_TLS: "it does not speak TLS on this port",
    Failure.CLIENT_TRUST: "the client did not accept this proxy's certificate",
    Failure.UPSTREAM_PROXY: "the upstream proxy refused the connection",
    Failure.CUT: "the connection was cut",
    Failure.UNSENT: "the connection was cut in the middle of a body",
    Failure.LEFT: "the client went away",
    Failure.OTHER: "the connection failed",
}


def read_failure(text: str) -> Failure:
    """The kind of a transport error, from the proxy's text."""
    lowered = text[:_MOST].lower()
    return next((kind for phrase, kind in _PHRASES if phrase in lowered), Failure.OTHER)


def in_words(failure: Failure) -> str:
    return _WORDS[failure]
