"""Arithmetic that rules share, computed once for an operation. Rules read facts, never headers.

:class:`Facts` is what a rule is given; what it holds is made in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from regtrace.diagnose.expectations import NOTHING_EXPECTED, Expectations
from regtrace.diagnose.facts.clocks import Clock, read_clocks
from regtrace.diagnose.facts.hops import Hop
from regtrace.diagnose.facts.manifests import before_fallback
from regtrace.diagnose.facts.storage_errors import StorageRefusal, read_storage_refusals
from regtrace.diagnose.facts.tokens import Grant, Refusal, read_grants, read_refusals
from regtrace.diagnose.facts.transport import Breakage, read_breakages
from regtrace.diagnose.facts.uploads import Step, read_steps
from regtrace.follow.dead_end import dead_end
from regtrace.follow.joins import bare, realms_in
from regtrace.follow.life import Ending, Fate
from regtrace.follow.story import Chain, Operation, Transfer, by_start
from regtrace.wire.leg import MANIFEST_KINDS, Kind, Leg
from regtrace.wire.registry import Registry
from regtrace.wire.signature import Proof
from regtrace.wire.testimony import NO_TESTIMONY, Testimonies, Testimony, Told
from regtrace.wire.token import Token
from regtrace.wire.url import Url

#: Without these nothing else can go on.
_OPENING = frozenset({Kind.PING, Kind.TOKEN, Kind.CONNECT})
_OPENS = frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK})


@dataclass(frozen=True, slots=True)
class Fatal:
    """A leg that a failed operation ended by: its transfer's last answer, or the last refusal of a
    ping, a token or a tunnel."""

    transfer: Transfer | None
    leg: Leg


class Facts:
    def __init__(
        self,
        operation: Operation,
        site: Expectations = NOTHING_EXPECTED,
        testimonies: Testimonies = NO_TESTIMONY,
    ) -> None:
        self.operation = operation
        self._testimonies = testimonies
        self.expected = site.for_registry(operation.registry)
        """How its registry ought to look; None: the site did not say."""

    def proof(self, token: Token) -> Proof | None:
        """Whether a key that the registry trusts signed this token; None without known keys."""
        return self.expected.proof(token) if self.expected else None

    def testimony(self, leg: Leg) -> tuple[Testimony, ...]:
        """What logs say of this leg."""
        return self._testimonies.by_leg.get(leg.id, ())

    def told(self, leg: Leg) -> frozenset[Told]:
        """All that logs mean by what they say of this leg."""
        return frozenset().union(*(said.told for said in self.testimony(leg)))

    def told_generally(self, meaning: Told) -> Testimony | None:
        """The line that says so of the registry, whatever the request."""
        said = self._testimonies.general
        return next((each for each in said if meaning in each.told), None)

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
    def storage_refusals(self) -> tuple[StorageRefusal, ...]:
        """A storage's refusals that no later success made good: those that it ended by first."""
        return read_storage_refusals(self)

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
        """Every refusal of a Bearer token by the registry, by start."""
        return read_refusals(self.legs, self.grants)

    @cached_property
    def fatal_refusals(self) -> tuple[Refusal, ...]:
        """Those refusals that a failed operation ended by."""
        return tuple(refusal for refusal in self.refusals if self.is_fatal(refusal.leg))

    @cached_property
    def registry_host(self) -> str:
        """The registry as image names and ``docker login`` have it, without the port of https."""
        if self.product is Registry.DOCKER_HUB:
            return "docker.io"
        authority = self.operation.registry or self.legs[0].url.authority
        return authority.partition("/")[0].removesuffix(":443")

    @cached_property
    def product(self) -> Registry | None:
        """Which registry it is, as far as any leg tells; what is built around distribution is named
        before it."""
        named = [leg.product.registry for leg in self.legs if leg.product]
        special = [name for name in named if name is not Registry.DISTRIBUTION]
        return next(iter(special or named), None)

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
        asked = self._asked_for_tokens
        legs = asked.get(realm, []) + asked.get(realm.authority, [])
        return tuple(sorted(legs, key=by_start))

    @cached_property
    def _asked_for_tokens(self) -> dict[Url | str, list[Leg]]:
        """Realm → requests to it; host → tunnels to it that failed."""
        asked: dict[Url | str, list[Leg]] = {}
        for leg in self.legs:
            if leg.kind is Kind.TOKEN:
                asked.setdefault(bare(leg.url), []).append(leg)
            elif leg.kind is Kind.CONNECT:
                asked.setdefault(leg.url.authority, []).append(leg)
        return asked

    def asked_by(self, leg: Leg) -> Leg:
        """The request that was redirected to this leg; itself, when none was."""
        return self._first_hops.get(leg.id, leg)

    @cached_property
    def _first_hops(self) -> dict[str, Leg]:
        return {hop.id: chain.first for _, chain in self.chains for hop in chain.legs}

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
        return self._got_last.get(_wish(leg), leg.started) > leg.started

    @cached_property
    def _got_last(self) -> dict[tuple[str, str], float]:
        """What a client asked for and got → when it last asked for that."""
        got = [chain.first for _, chain in self.chains if chain.last.succeeded]
        return {_wish(leg): leg.started for leg in got}


def _wish(leg: Leg) -> tuple[str, str]:
    return "token" if leg.kind is Kind.TOKEN else leg.method, leg.url.path


def _fatal(facts: Facts) -> tuple[Fatal, ...]:
    openings = _refused_openings(facts)
    fatal = [each for each in _last_answers(facts) if not _led_to(each.leg, openings, facts)]
    fatal = fatal + openings or _last_resorts(facts)
    causes = [each for each in fatal if not each.leg.left_by_client]
    return tuple(sorted(causes or fatal, key=lambda each: each.leg.started))


def _led_to(leg: Leg, openings: Iterable[Fatal], facts: Facts) -> bool:
    """A 401 upon which the client asked for a new token in vain: that is what it failed by."""
    realms = {realm.authority for realm in facts.realms}
    return leg.status == 401 and any(
        each.leg.started > leg.started
        and (each.leg.kind is Kind.TOKEN or each.leg.url.authority in realms)
        for each in openings
    )


def _last_answers(facts: Facts) -> list[Fatal]:
    """The answer that ended each failed transfer."""
    fatal: list[Fatal] = []
    for transfer in facts.operation.transfers:
        if transfer.fate is not Fate.FAILED:
            continue
        final = transfer.chains[-1]
        answers = [c.last for c in transfer.chains if c.last.refused or c.last.leads_nowhere]
        # A 2xx that is no step forward: a redirect made a GET of it, or it leads nowhere.
        if final.became_a_read or (final.last.kind in _OPENS and final.last.succeeded):
            answers.append(final.last)
        if answers:
            fatal.append(Fatal(transfer, before_fallback(answers)[-1]))
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
        and not _was_passed_over(facts, chain.last)
        and not _went_on_without_tls(facts, chain.last)
    ]


def _was_passed_over(facts: Facts, leg: Leg) -> bool:
    """A mirror that did not answer: no answer had sent the client there, and at another host the
    manifest was found then."""
    sent_there = {other.location.authority for other in facts.legs if other.location}
    sent_there |= {realm.authority for realm in facts.realms}
    return leg.url.authority not in sent_there and any(
        other.kind in MANIFEST_KINDS
        and other.succeeded
        and other.started > leg.started
        and other.url.authority != leg.url.authority
        for other in facts.legs
    )


def _went_on_without_tls(facts: Facts, leg: Leg) -> bool:
    """A client that may do so asked by http then, and was answered (``insecure-registries``)."""
    return leg.url.scheme == "https" and any(
        other.endpoint
        and (other.succeeded or other.is_challenge)
        and other.started > leg.started
        and (other.url.scheme, other.url.authority) == ("http", leg.url.authority)
        for other in facts.legs
    )


def _last_resorts(facts: Facts) -> list[Fatal]:
    """Where nothing of that kind failed: the last refusal of all, or the last leg."""
    stuck = dead_end(facts.operation.client, facts.operation.transfers)
    refused = [leg for leg in facts.legs if leg.refused and not _only_asks(leg)]
    leg = stuck or (refused or list(facts.legs))[-1]
    return [Fatal(facts.transfer_of(leg), leg)]


def _only_asks(leg: Leg) -> bool:
    """A challenge, or a question whether something is there."""
    return leg.is_challenge or (leg.method == "HEAD" and leg.status == 404)
