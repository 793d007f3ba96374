"""What a capture holds: its secrets, who logged in, and the names that it uses openly.

Collected once, for the redactor, which hides them, and for the gate, which looks for them in what
the redactor made.
"""

from __future__ import annotations

from collections.abc import Iterable

from regtrace.redact.labels import sha256
from regtrace.redact.secrets import (
    METHOD_USERS,
    Secret,
    names_in,
    secrets_in,
    secrets_in_text,
    users_in,
)
from regtrace.redact.shapes import credentials_in, is_common, is_label, label_in
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
        self.labelled = False
        """Whether it holds exchanges of a redacted capture, in which labels stand for secrets."""
        self.made_up: dict[str, str] = {}
        """SHA-256 of what stands there in a secret's place → its label."""

    def add(self, exchange: Exchange) -> None:
        self.labelled = self.labelled or exchange.labelled
        for kind, name in names_in(exchange):
            if name and name not in self.names and not credentials_in(name):
                self.names[name] = kind
                self.open.update((name, *name.split("/")))
        for user in users_in(exchange):
            made_up = exchange.labelled and is_label(user)
            if user not in METHOD_USERS and len(user) > 1 and not made_up:
                self.users.add(user)
        for secret in secrets_in(exchange):
            label = label_in(secret.value) if exchange.labelled else None
            if label is None:
                self.taint(secret)
            else:
                self.made_up[sha256(secret.value.strip())] = label

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
