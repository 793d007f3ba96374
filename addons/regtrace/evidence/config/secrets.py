"""Which settings hold secrets, by their names. What they hold is compared, and never shown."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"secret|passw|passphrase|^token$|_token$|access_?key|account_?key|encoded_?key|key_?data"
    r"|private_?key|credential|api_?key|authorization|^sas|_sas|connection_?string|dsn$|db_key",
    re.IGNORECASE,
)
#: They name where a secret is, or what it is called.
_OPEN = re.compile(r"secret_?(?:name|ref)|existing_?secret|_path$|_file$|keyfile$", re.IGNORECASE)
_PATH = re.compile(r"\.{0,2}/")
_USER = re.compile(r"://[^/@\s:]*:([^/@\s]+)@")


def is_secret(name: str, text: str) -> bool:
    """Whether a setting of this name (dotted, or as in gitlab.rb) holds a secret."""
    parts = [part for part in re.split(r"[.\[\]'\"]+", name) if part and not part.isdigit()]
    last = parts[-1] if parts else ""
    if "=" in text and last.lower() in {"environment", "env"}:  # a list of NAME=value
        last, _, text = text.partition("=")
    if text.lower() in {"", "true", "false"} or _PATH.match(text):
        return False
    return bool(_SECRET.search(last)) and not _OPEN.search(last)


def secrets_of(text: str) -> list[str]:
    """The secret parts of a value that is secret, and the password in a URL."""
    passwords = _USER.findall(text)
    name, equals, value = text.partition("=")
    return [*passwords, value] if equals and re.fullmatch(r"[A-Z_0-9]+", name) else passwords
