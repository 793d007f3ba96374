"""What the words of registries', proxies' and token servers' logs mean.

distribution 2.8 and 3.0 (registry/auth/token/token.go, registry/handlers, registry/storage/driver),
nginx 1.22 (src/http/ngx_http_upstream.c), GitLab 17 (Auth::ContainerRegistryAuthenticationService,
lib/gitlab/auth_logger) and Harbor 2 write them.
"""

from __future__ import annotations

import re

from regtrace.wire.testimony import Told

#: Words, in lower case, and what they mean. A line may mean several things.
_WORDS: tuple[tuple[str, Told], ...] = (
    ("authorization token required", Told.NO_TOKEN),
    ("error authorizing context: invalid token", Told.INVALID_TOKEN),
    ("error authorizing context: insufficient scope", Told.SMALL_SCOPE),
    ("token signed by untrusted key", Told.UNTRUSTED_KEY),
    ("untrusted signing key", Told.UNTRUSTED_KEY),
    ("unable to verify certificate chain", Told.UNTRUSTED_KEY),
    ("unable to verify token signature", Told.UNTRUSTED_KEY),
    ("failed to verify token signature", Told.UNTRUSTED_KEY),
    ("token from untrusted issuer", Told.WRONG_ISSUER),
    ("token intended for another audience", Told.WRONG_AUDIENCE),
    ("token not to be used after", Told.TOKEN_OVER),
    ("token not to be used before", Told.TOKEN_EARLY),
    ("unexpected eof", Told.UNEXPECTED_EOF),
    ("client disconnected during", Told.CLIENT_LEFT),
    ("client prematurely closed connection", Told.CLIENT_LEFT),
    ("invalid secret", Told.OTHER_SECRET),
    ("no http secret provided", Told.SECRET_MADE_UP),
    ("panic serving", Told.PANIC),
    ("panic: ", Told.PANIC),
    ("registry is in read-only mode", Told.READ_ONLY),
    ("the system is in read only mode", Told.READ_ONLY),
    ("will exceed the configured upper limit", Told.QUOTA),
    ("(111: connection refused) while connecting to upstream", Told.UPSTREAM_REFUSED),
    ("(113: no route to host) while connecting to upstream", Told.UPSTREAM_REFUSED),
    ("(110: connection timed out) while connecting to upstream", Told.UPSTREAM_REFUSED),
    ("(110: connection timed out) while reading response header", Told.UPSTREAM_LATE),
    ("(110: connection timed out) while sending request to upstream", Told.UPSTREAM_LATE),
    ("upstream prematurely closed connection", Told.UPSTREAM_BROKE),
    ("(104: connection reset by peer) while", Told.UPSTREAM_BROKE),
    ("(32: broken pipe) while sending request to upstream", Told.UPSTREAM_BROKE),
    ("no live upstreams", Told.UPSTREAM_UNKNOWN),
    ("host not found in upstream", Told.UPSTREAM_UNKNOWN),
    ("could not be resolved", Told.UPSTREAM_UNKNOWN),
    ("ssl_do_handshake() failed", Told.UPSTREAM_TLS),
    ("client intended to send too large body", Told.BODY_TOO_LARGE),
    ("denied container registry permissions", Told.ACCESS_FORBIDDEN),
    ("access forbidden", Told.ACCESS_FORBIDDEN),
    ("http basic: access denied", Told.LOGIN_REFUSED),
    ("invalid user credentials", Told.LOGIN_REFUSED),
    ("failed to authenticate", Told.LOGIN_REFUSED),
    ("rack_attack", Told.BLOCKED),
)

_DISK = re.compile(
    r"no space left on device|disk quota exceeded|read-only file system|input/output error"
    r"|too many open files|stale (?:nfs )?file handle|file too large|structure needs cleaning"
    r"|\b[a-z]{3,12} /[^\s:]{0,1000}: (?:permission denied|operation not permitted)"
)
#: distribution's drivers set their name before what the storage said.
_DRIVER = re.compile(r"\b(?:s3aws|s3aws_v2|s3goamz|gcs|azure|azure_v2|swift|oss|cos): ")


def meanings(said: str) -> frozenset[Told]:
    """All that these words mean; nothing for words that mean nothing in particular."""
    text = said.lower()
    told = {meaning for words, meaning in _WORDS if words in text}
    if _DISK.search(text):
        told.add(Told.DISK)
    if _DRIVER.search(text):
        told.add(Told.STORAGE)
    return frozenset(told)
