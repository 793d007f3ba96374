"""What the proxy's words for a broken transport mean, in one table for mitmproxy 11 and 12.

The words never say which side broke off ("stream reset by client" is printed for both), so no kind
here claims one. Seen with mitmproxy 11.0.2 and 12.2.3; see proxy/layers/http and proxy/server.py.
"""

from __future__ import annotations

import re
from enum import Enum


class Failure(str, Enum):
    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"
    NOT_TLS = "not-tls"
    TLS_VERSION = "tls-version"
    """Both sides speak TLS, but no version in common."""
    CLIENT_CERTIFICATE = "client-certificate"
    """The server broke off the handshake for want of a client certificate that it trusts."""
    NO_SUCH_NAME = "no-such-name"
    """The server has no certificate for the name that it was asked by (SNI)."""
    TLS_ALERT = "tls-alert"
    """The server broke off the TLS handshake with ``handshake_failure``, for whatever reason."""
    CLIENT_TRUST = "client-trust"
    UPSTREAM_PROXY = "upstream-proxy"
    """Another proxy on the way out would not connect to the server."""
    UPSTREAM_PROXY_UNREACHED = "upstream-proxy-unreached"
    """That proxy itself was not reached, or did not answer as one."""
    HTTP2 = "http2"
    """A stream was reset or the connection given up by HTTP/2's own means (RFC 9113 5.4, 6.8)."""
    CUT = "cut"
    """The connection ended in the middle of a message; by whom is not known."""
    UNSENT = "unsent"
    """A message ended before its body did: the client's or the server's."""
    LEFT = "left"
    """The client went away."""
    SIZE_LIMIT = "size-limit"
    """The proxy's own bound on bodies (mitmproxy's option ``body_size_limit``)."""
    OTHER = "other"


#: How the TLS handshake with a server fails.
SERVER_TLS = frozenset(
    {
        Failure.CERTIFICATE,
        Failure.NOT_TLS,
        Failure.TLS_VERSION,
        Failure.CLIENT_CERTIFICATE,
        Failure.NO_SUCH_NAME,
        Failure.TLS_ALERT,
    }
)

_PHRASES = (
    ("name or service not known", Failure.DNS),
    ("nodename nor servname", Failure.DNS),
    ("temporary failure in name resolution", Failure.DNS),
    ("no address associated with hostname", Failure.DNS),
    ("getaddrinfo", Failure.DNS),
    ("certificate verify failed", Failure.CERTIFICATE),
    ("body_size_limit", Failure.SIZE_LIMIT),
    ("does not speak tls", Failure.NOT_TLS),
    ("wrong version number", Failure.NOT_TLS),
    ("cannot agree on a tls version", Failure.TLS_VERSION),
    ("alert protocol version", Failure.TLS_VERSION),
    ("alert certificate required", Failure.CLIENT_CERTIFICATE),
    ("unrecognized name", Failure.NO_SUCH_NAME),
    ("does not trust the proxy", Failure.CLIENT_TRUST),
    ("disconnected during the handshake", Failure.CLIENT_TRUST),
    ("tlsv1 alert unknown ca", Failure.CLIENT_CERTIFICATE),
    ("alert bad certificate", Failure.CLIENT_CERTIFICATE),
    ("alert handshake failure", Failure.TLS_ALERT),
    ("refused http connect request", Failure.UPSTREAM_PROXY),
    # asyncio says the same of every reason; the number is the system's: Linux, then macOS.
    ("[errno 111] connect call failed", Failure.REFUSED),
    ("[errno 61] connect call failed", Failure.REFUSED),
    ("[errno 110] connect call failed", Failure.TIMEOUT),
    ("[errno 60] connect call failed", Failure.TIMEOUT),
    ("[errno 113] connect call failed", Failure.UNREACHABLE),
    ("[errno 101] connect call failed", Failure.UNREACHABLE),
    ("[errno 65] connect call failed", Failure.UNREACHABLE),
    ("[errno 51] connect call failed", Failure.UNREACHABLE),
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
    ("http/2 connection closed", Failure.HTTP2),
    ("server closed connection", Failure.CUT),
    ("connection closed", Failure.CUT),
    ("peer closed connection", Failure.CUT),
    ("stream reset by client (cancel)", Failure.CUT),
    ("stream reset", Failure.HTTP2),
    ("goaway", Failure.HTTP2),
    ("http/2 protocol error", Failure.HTTP2),
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
    Failure.TLS_VERSION: "it offers no TLS version that this proxy accepts",
    Failure.CLIENT_CERTIFICATE: "it asks for a client certificate",
    Failure.NO_SUCH_NAME: "it has no certificate for this name",
    Failure.TLS_ALERT: "it broke off the TLS handshake",
    Failure.HTTP2: "the HTTP/2 stream was broken off",
    Failure.CLIENT_TRUST: "the client did not accept this proxy's certificate",
    Failure.UPSTREAM_PROXY: "the upstream proxy refused the connection",
    Failure.UPSTREAM_PROXY_UNREACHED: "the upstream proxy was not reached",
    Failure.CUT: "the connection was cut",
    Failure.UNSENT: "the connection was cut in the middle of a body",
    Failure.LEFT: "the client went away",
    Failure.SIZE_LIMIT: "a body was larger than this proxy lets pass",
    Failure.OTHER: "the connection failed",
}


def read_failure(text: str) -> Failure:
    """The kind of a transport error, from the proxy's text."""
    lowered = text[:_MOST].lower()
    return next((kind for phrase, kind in _PHRASES if phrase in lowered), Failure.OTHER)


#: How a connection fails to come about.
_CONNECTING = SERVER_TLS | {Failure.DNS, Failure.REFUSED, Failure.UNREACHABLE, Failure.TIMEOUT}
#: What mitmproxy says when it is hung up on before a tunnel stands (proxy/tunnel.py), and when an
#: upstream proxy answers its CONNECT with something else than HTTP (_upstream_proxy.py).
_HUNG_UP, _NO_HTTP = "connection closed", "error connecting to "


def is_of_connecting(text: str) -> bool:
    """Whether it says that no connection came about."""
    lowered = text[:_MOST].lower()
    said = lowered == _HUNG_UP or lowered.startswith(_NO_HTTP)
    return said or read_failure(text) in _CONNECTING


def is_no_proxys_answer(text: str) -> bool:
    """Whether it says that an upstream proxy answered with something else than HTTP."""
    return text[:_MOST].lower().startswith(_NO_HTTP)


def in_words(failure: Failure) -> str:
    return _WORDS[failure]


class CertificateFault(str, Enum):
    """Why a server's certificate was not accepted (OpenSSL, X509_verify_cert_error_string)."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_NAME = "wrong-name"
    UNKNOWN_ISSUER = "unknown-issuer"
    """Self-signed, or signed by an authority that the proxy does not know."""
    OTHER = "other"


_CERTIFICATE_FAULTS = (
    ("has expired", CertificateFault.EXPIRED),
    ("not yet valid", CertificateFault.NOT_YET_VALID),
    ("hostname mismatch", CertificateFault.WRONG_NAME),
    ("ip address mismatch", CertificateFault.WRONG_NAME),
    ("self-signed", CertificateFault.UNKNOWN_ISSUER),
    ("self signed", CertificateFault.UNKNOWN_ISSUER),
    ("unable to get local issuer", CertificateFault.UNKNOWN_ISSUER),
    ("unable to get issuer", CertificateFault.UNKNOWN_ISSUER),
    ("unable to verify the first certificate", CertificateFault.UNKNOWN_ISSUER),
)


def read_certificate_fault(text: str) -> CertificateFault | None:
    """What was wrong with the certificate; None when it was something else that failed."""
    if read_failure(text) is not Failure.CERTIFICATE:
        return None
    lowered = text[:_MOST].lower()
    found = (fault for phrase, fault in _CERTIFICATE_FAULTS if phrase in lowered)
    return next(found, CertificateFault.OTHER)


_ADDRESS = re.compile(r"\('([0-9a-f.:]{2,45})(?:%[^']{0,32})?', [0-9]{1,5}", re.IGNORECASE)


def addresses_in(text: str) -> tuple[str, ...]:
    """The addresses that could not be connected to, as asyncio names them in its error."""
    return tuple(_ADDRESS.findall(text[:_MOST]))


_UPSTREAM_STATUS = re.compile(r"refused http connect request: ([1-5][0-9]{2})\b", re.IGNORECASE)


def upstream_status(text: str) -> int | None:
    """The status by which an upstream proxy refused a CONNECT."""
    match = _UPSTREAM_STATUS.search(text[:_MOST])
    return int(match[1]) if match else None
