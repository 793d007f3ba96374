"""Arithmetic that rules share, computed once for an operation. Rules read facts, never headers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from regtrace.follow.joins import bare, realms_in
from regtrace.follow.story import Chain, Operation, Transfer
from regtrace.wire.dates import read_http_date
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.url import Url


@dataclass(frozen=True, slots=True)
class Hop:
    """A redirect from the registry and the storage's answer to it."""

    transfer: Transfer | None
    redirect: Leg
    storage: Leg


class Facts:
    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    @cached_property
    def legs(self) -> tuple[Leg, ...]:
        return self.operation.legs

    @cached_property
    def chains(self) -> tuple[tuple[Transfer | None, Chain], ...]:
        """Every chain with its transfer, by start."""
        owned: list[tuple[Transfer | None, Chain]] = [
            (transfer, chain) for transfer in self.operation.transfers for chain in transfer.chains
        ]
        owned += [(None, chain) for chain in self.operation.session]
        return tuple(sorted(owned, key=lambda pair: pair[1].first.started))

    @cached_property
    def hops(self) -> tuple[Hop, ...]:
        """Redirects that were followed to a storage host, through this proxy."""
        return tuple(
            Hop(transfer, redirect, storage)
            for transfer, chain in self.chains
            for redirect, storage in zip(chain.legs, chain.legs[1:], strict=False)
            if storage.kind is Kind.STORAGE
        )

    @cached_property
    def realms(self) -> dict[Url, Leg]:
        """Each token realm that a challenge named → the first leg that named it."""
        realms: dict[Url, Leg] = {}
        for leg in self.legs:
            for realm in realms_in(leg):
                realms.setdefault(realm, leg)
        return realms

    def token_legs(self, realm: Url) -> tuple[Leg, ...]:
        """Requests to this realm, and tunnels to its host that failed before any request."""
        return tuple(
            leg
            for leg in self.legs
            if (leg.kind is Kind.TOKEN and bare(leg.url) == realm)
            or (leg.kind is Kind.CONNECT and leg.url.authority == realm.authority)
        )

    def commit_before(self, hop: Hop) -> Leg | None:
        """The leg that stored this blob's bytes, when it came before the hop."""
        chains = hop.transfer.chains if hop.transfer else ()
        commits = [
            chain.last
            for chain in chains
            if chain.first.kind is Kind.UPLOAD_COMMIT and chain.last.succeeded
        ]
        before = [leg for leg in commits if leg.started < hop.redirect.started]
        return before[-1] if before else None

    def succeeded_later(self, leg: Leg) -> bool:
        """Whether the client asked the same thing again and got it.

        A token may be asked for in two forms, POST and GET: many servers know only one.
        """
        return any(
            (chain.first.method == leg.method or chain.first.kind is leg.kind is Kind.TOKEN)
            and chain.first.url.path == leg.url.path
            and chain.first.started > leg.started
            and chain.last.succeeded
            for _, chain in self.chains
        )


def server_time(leg: Leg) -> float | None:
    """The answering server's own clock: its ``Date``, epoch seconds UTC (RFC 9110 6.6.1)."""
    response = leg.exchange.response
    return read_http_date(response.headers.get("Date") or "") if response else None


def where_it_names_itself(leg: Leg) -> str:
    """The place in an answer by which its product is known: its ``Server``, else its page."""
    response = leg.exchange.response
    said = response is not None and "Server" in response.headers
    return "response.header.Server" if said else "response.body"
