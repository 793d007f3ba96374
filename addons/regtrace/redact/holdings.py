"""What a capture holds: its secrets, who logged in, and the names that it uses openly.

Collected once, for the redactor, which hides them, and for the gate, which looks for them in what
the redactor made.
"""

from __future__ import annotations

from collections.abc import Iterable

from regtrace.redact.secrets import (
    METHOD_USERS,
    Secret,
    names_in,
    secrets_in,
    secrets_in_text,
    users_in,
)
from regtrace.redact.shapes import credentials_in, is_common
from regtrace.wire.exchange import Exchange


class Holdings:
    def __init__(self) -> None:
        self.secrets: dict[str, Secret] = {}
        """By their values."""
        self.users: set[str] = set()
        self.names: dict[str, str] = {}
        """Name → ``host``, ``repository``, ``tag`` or ``service``."""
        self.open: set[str] = set()
        """The names and their parts. A secret that equals one can't be told from it."""

    def add(self, exchange: Exchange) -> None:
        for kind, name in names_in(exchange):
            if name and name not in self.names and not credentials_in(name):
                self.names[name] = kind
                self.open.update((name, *name.split("/")))
        for user in users_in(exchange):
            if user not in METHOD_USERS and len(user) > 1:
                self.users.add(user)
        for secret in secrets_in(exchange):
            self.taint(secret)

    def add_text(self, text: str, users: Iterable[str] = ()) -> None:
        """What a line of a log holds: it may quote a request, and names who made it."""
        self.users.update(user for user in users if user not in METHOD_USERS and len(user) > 1)
        for secret in secrets_in_text(text):
            self.taint(secret)

    def taint(self, secret: Secret) -> None:
        """One more secret, unless no search can tell it from honest text."""
        value = secret.value.strip()
        if value not in self.secrets and not is_common(value):
            self.secrets[value] = secret
