"""Arithmetic that rules share, computed once for an operation. Rules read facts, never headers.

:class:`Facts` is what a rule is given; what it holds is made in the modules beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from regtrace.diagnose.facts.clocks import Clock, read_clocks
from regtrace.diagnose.facts.hops import Hop
from regtrace.diagnose.facts.tokens import Grant, Refusal, read_grants, read_refusals
from regtrace.diagnose.facts.transport import Breakage, read_breakages
from regtrace.diagnose.facts.uploads import Step, read_steps
from regtrace.follow.joins import bare, realms_in
from regtrace.follow.life import Ending, Fate
from regtrace.follow.story import Chain, Operation, Transfer
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.url import Url

#: Without these nothing else can go on.
_OPENING = frozenset({Kind.PING, Kind.TOKEN, Kind.CONNECT})


@dataclass(frozen=True, slots=True)
class Fatal:
    """A leg that a failed operation ended by: its transfer's last answer, or the last refusal of a
    ping, a token or a tunnel."""

    transfer: Transfer | None
    leg: Leg


class Facts:
    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    @cached_property
    def legs(self) -> tuple[Leg, ...]:
        return self.operation.legs

    @cached_property
    def failed(self) -> bool:
        return self.operation.ending is Ending.FAILED

    @cached_property
    def chains(self) -> tuple[tuple[Transfer | None, Chain], ...]:
        """Every chain with its transfer, by start."""
        owned: list[tuple[Transfer | None, Chain]] = [
            (transfer, chain) for transfer in self.operation.transfers for chain in transfer.chains
        ]
        owned += [(None, chain) for chain in self.operation.session]
        return tuple(sorted(owned, key=lambda pair: pair[1].first.started))

    @cached_property
    def fatal(self) -> tuple[Fatal, ...]:
        """What ended a failed operation, by start; nothing where it did not fail.

        What was still on its way when something failed is cut off by the client as its victim, and
        is not among them.
        """
        return _fatal(self) if self.failed else ()

    def is_fatal(self, leg: Leg) -> bool:
        return leg.id in self._fatal_ids

    @cached_property
    def _fatal_ids(self) -> frozenset[str]:
        return frozenset(fatal.leg.id for fatal in self.fatal)

    def transfer_of(self, leg: Leg) -> Transfer | None:
        return self._owners.get(leg.id)

    @cached_property
    def _owners(self) -> dict[str, Transfer]:
        return {leg.id: owner for owner, chain in self.chains if owner for leg in chain.legs}

    def attempts(self, leg: Leg) -> tuple[Leg, ...]:
        """This leg and the earlier ones that asked the same thing in vain, oldest first."""
        by_id = {each.id: each for each in self.legs}
        tries = [leg]
        while (earlier := self.operation.retry_of.get(tries[-1].id)) in by_id:
            tries.append(by_id[earlier])
        return tuple(reversed(tries))

    @cached_property
    def hops(self) -> tuple[Hop, ...]:
        """Redirects that were followed to a storage host, through this proxy, by start."""
        return tuple(
            Hop(transfer, redirect, storage)
            for transfer, chain in self.chains
            for redirect, storage in zip(chain.legs, chain.legs[1:], strict=False)
            if storage.kind is Kind.STORAGE
        )

    @cached_property
    def clocks(self) -> dict[str, Clock]:
        """Authority → how far its clock is from the proxy's."""
        return read_clocks(self.legs)

    @cached_property
    def grants(self) -> tuple[Grant, ...]:
        """Every token that a token server gave, by start."""
        return read_grants(self.legs)

    @cached_property
    def refusals(self) -> tuple[Refusal, ...]:
        """Every 401 to a request that carried a Bearer token, by start."""
        return read_refusals(self.legs, self.grants)

    @cached_property
    def breakages(self) -> tuple[Breakage, ...]:
        """The fatal legs that failed in the transport, by start."""
        return read_breakages(self)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step from one request of an upload session to the next, by start."""
        return read_steps(self.operation.transfers)

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


def _fatal(facts: Facts) -> tuple[Fatal, ...]:
    fatal = _last_answers(facts) + _refused_openings(facts)
    fatal = fatal or _last_resorts(facts)
    causes = [each for each in fatal if not each.leg.left_by_client]
    return tuple(sorted(causes or fatal, key=lambda each: each.leg.started))


def _last_answers(facts: Facts) -> list[Fatal]:
    """The answer that ended each failed transfer."""
    fatal: list[Fatal] = []
    for transfer in facts.operation.transfers:
        answers = [chain.last for chain in transfer.chains if chain.last.refused]
        if transfer.fate is Fate.FAILED and answers:
            fatal.append(Fatal(transfer, answers[-1]))
    return fatal


def _refused_openings(facts: Facts) -> list[Fatal]:
    """Pings, tokens and tunnels that were refused for good."""
    return [
        Fatal(None, chain.last)
        for chain in facts.operation.session
        if chain.last.kind in _OPENING
        and chain.last.refused
        and not chain.last.is_challenge
        and not facts.succeeded_later(chain.first)
    ]


def _last_resorts(facts: Facts) -> list[Fatal]:
    """Where nothing of that kind failed: the last refusal of all, or the last leg."""
    refused = [leg for leg in facts.legs if leg.refused and not leg.is_challenge]
    leg = (refused or list(facts.legs))[-1]
    return [Fatal(facts.transfer_of(leg), leg)]
