"""The distinct strings that will leave in a redacted capture, grouped, so that a person can look
them through on one screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from regtrace.redact.shapes import LABEL
from regtrace.report.visible import visible
from regtrace.wire.exchange import Exchange
from regtrace.wire.leg import Leg

#: Distinct strings of a group that are remembered.
_MOST = 10_000
#: Characters of one string, and of one group on the screen.
_LONG, _WIDE = 60, 240
_COOKIE = re.compile(r"\s*([^=;]+)=")


class Leaving:
    def __init__(self) -> None:
        self._groups: dict[str, dict[str, None]] = {}
        self._labels: set[str] = set()

    def add(self, leg: Leg) -> None:
        """One leg of the redacted capture."""
        exchange = leg.exchange
        self._note("hosts", leg.url.authority)
        if leg.location:
            self._note("hosts", leg.location.authority)
        self._note("repositories", leg.repository)
        self._note("tags", leg.tag)
        if leg.client:
            self._note("clients", f"{leg.client.product}/{leg.client.version}")
        self._note("client addresses", exchange.connection.client_host)
        for challenge in leg.challenges:
            self._note("services", challenge.service)
        self._claims(leg)
        self._messages(exchange)
        self._sentences(leg)
        certificate = exchange.connection.certificate
        if certificate:
            for text in (certificate.subject, certificate.issuer, *certificate.names):
                self._note("certificate names", text)

    def _claims(self, leg: Leg) -> None:
        reply = leg.token_reply
        for token in (leg.bearer, reply.token if reply else None):
            if token and token.jwt:
                jwt = token.jwt
                self._note("token issuers", jwt.issuer)
                self._note("token subjects", jwt.subject)
                for name in ("iss", "sub", "aud", "exp", "nbf", "iat", "jti", *jwt.other_claims):
                    self._note("claims", name)

    def _messages(self, exchange: Exchange) -> None:
        _, _, query = exchange.request.target.partition("?")
        for pair in query.split("&") if query else ():
            self._note("query keys", pair.partition("=")[0])
        sides = [exchange.request.headers]
        sides += [exchange.response.headers] if exchange.response else []
        for headers in sides:
            for name, value in headers:
                self._note("header names", name.lower())
                self._labels.update(found[0] for found in LABEL.finditer(value))
                if name.lower() in {"cookie", "set-cookie"} and (found := _COOKIE.match(value)):
                    self._note("cookie names", found[1])

    def _sentences(self, leg: Leg) -> None:
        self._note("errors", leg.exchange.error)
        if leg.error:
            self._note("errors", leg.error.title)
            for item in leg.error.items:
                self._note("errors", item.code)
                self._note("errors", item.message)
            if leg.error.dialect == "text":
                self._note("errors", leg.error.text)

    def _note(self, group: str, text: str | None) -> None:
        known = self._groups.setdefault(group, {})
        if text and len(known) < _MOST:
            known.setdefault(text)

    def lines(self, *, everything: bool = False) -> Iterator[str]:
        """A line for each group: how many, and which, as far as the screen is wide."""
        for group, known in self._groups.items():
            if known:
                yield f"{group} ({len(known)}): {_listed(list(known), everything)}"
        counts = Counter(label.rpartition("-")[0] for label in self._labels)
        if counts:
            told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
            yield f"labels that stand for what is hidden: {told}"


def _listed(texts: list[str], everything: bool) -> str:
    shown: list[str] = []
    width = 0
    for text in texts:
        piece = visible(text, limit=None if everything else _LONG)
        width += len(piece) + 2
        if width > _WIDE and not everything and shown:
            return f"{', '.join(shown)} and {len(texts) - len(shown)} more (--list shows all)"
        shown.append(piece)
    return ", ".join(shown)
