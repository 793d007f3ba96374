"""Following, as others use it: feed legs in, ask for the operations that they tell of.

The story is read again from the legs at hand whenever it is asked for after something was added,
so live traffic, a replay and a file give the same operations, and the order of feeding does not
matter. Memory is bounded: operations that ended leave through :meth:`Tracker.retire`, and when too
many legs are open the oldest operations leave first.

No clock is read here: ``now`` is the time of the newest leg unless the caller knows better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from regtrace.follow.dead_end import dead_end
from regtrace.follow.joins import (
    chains,
    realms_in,
    recognise,
    redirected_from,
    referring_endpoint,
)
from regtrace.follow.life import Ending, Fate
from regtrace.follow.operations import group
from regtrace.follow.story import Chain, Operation, OperationKind, Transfer, by_start
from regtrace.follow.strands import BUSY, is_first_form, repository_of, wants_push
from regtrace.follow.transfers import EARLY, split
from regtrace.follow.unseen import unseen
from regtrace.wire.client import CONTAINERD_RESOLVER, HABITS, Client, Family
from regtrace.wire.leg import BLOB_KINDS, MANIFEST_KINDS, UPLOAD_KINDS, Kind, Leg
from regtrace.wire.manifest import Descriptor, referenced
from regtrace.wire.url import Url

#: Seconds an ended operation stays open for late legs: more tags, signatures, attestations.
LINGER = 300.0
#: Legs held at most; beyond, the oldest operations are told as they stand and leave.
MOST_LEGS = 20_000
#: Realms remembered at most.
MOST_REALMS = 1_000


class Tracker:
    def __init__(self, *, most_legs: int = MOST_LEGS) -> None:
        self._most_legs = most_legs
        self._legs: dict[str, Leg] = {}
        self._realms: dict[Url, None] = {}
        self._told: tuple[Operation, ...] | None = ()
        self._reread_at = 256
        self.cut = 0
        """Legs of operations that had to leave before they ended."""

    def feed(self, leg: Leg) -> None:
        """Add a leg, or what is newly known of one: the same id replaces."""
        self._legs[leg.id] = leg
        self._told = None
        for realm in realms_in(leg):
            self._realms[realm] = None
        while len(self._realms) > MOST_REALMS:
            del self._realms[next(iter(self._realms))]

    @property
    def now(self) -> float:
        return max((leg.last_seen for leg in self._legs.values()), default=0.0)

    @property
    def crowded(self) -> bool:
        """Enough was fed since the last reading that :meth:`retire` is worth its cost."""
        return len(self._legs) >= self._reread_at

    def operations(self) -> tuple[Operation, ...]:
        """Every operation that still has its legs here, by start."""
        if self._told is None:
            self._told = tell(self._legs.values(), self._realms)
        return self._told

    def retire(self, now: float | None = None) -> tuple[Operation, ...]:
        """The operations that are over for good; their legs leave."""
        now = self.now if now is None else now
        told = self.operations()
        over = [_is_over(operation, now) for operation in told]
        sizes = [len(operation.legs) for operation in told]
        held = sum(size for size, gone in zip(sizes, over, strict=True) if not gone)
        # Those that have ended only wait for late legs; to let them go cuts nothing off.
        ended = [has_ended(operation, now) for operation in told]
        for n in sorted(range(len(told)), key=lambda n: (not ended[n], n)):
            if held > self._most_legs and not over[n]:
                over[n] = True
                held -= sizes[n]
                self.cut += 0 if ended[n] else sizes[n]
        leaving = tuple(op for op, gone in zip(told, over, strict=True) if gone)
        for operation in leaving:
            for leg in operation.legs:
                del self._legs[leg.id]
        self._told = tuple(op for op, gone in zip(told, over, strict=True) if not gone)
        self._reread_at = 3 * held + 256
        return leaving

    def finish(self) -> tuple[Operation, ...]:
        """Every operation left; nothing stays."""
        operations = self.operations()
        self._legs.clear()
        self._told = ()
        return operations


def _is_over(operation: Operation, now: float) -> bool:
    return now - operation.last_seen > (BUSY if operation.in_flight else LINGER)


def tell(legs: Iterable[Leg], realms: Iterable[Url] = ()) -> tuple[Operation, ...]:
    """The operations that these legs tell of, by start. Pure: equal legs give equal operations."""
    known = recognise(sorted(legs, key=by_start), realms)
    sources = redirected_from(known)
    fetched = {
        leg.token_reply.token.sha256 for leg in known if leg.token_reply and leg.token_reply.token
    }
    return tuple(_operation(members, sources, fetched) for members in group(known, sources))


def has_ended(operation: Operation, now: float) -> bool:
    """Whether its summary can be given: it succeeded, or its client has stopped trying."""
    if operation.in_flight:
        return False
    if operation.ending is Ending.OK and _says_so(operation):
        return True
    family = operation.client.family if operation.client else Family.UNKNOWN
    throttled = any(leg.status == 429 for leg in operation.legs)
    habits = HABITS[family]
    return now - operation.last_seen > (habits.throttled_grace if throttled else habits.grace)


def _says_so(operation: Operation) -> bool:
    """A push that only looked for its manifest may still write it."""
    if operation.kind is OperationKind.PUSH:
        return any(leg.kind is Kind.MANIFEST_PUT for leg in operation.legs)
    return operation.kind is not OperationKind.OTHER


def _operation(legs: list[Leg], sources: dict[str, str], fetched: set[str]) -> Operation:
    kind, client = _kind(legs), _client(legs)
    resolves_by_head = (
        kind is OperationKind.PULL
        and client is not None
        and client.family in CONTAINERD_RESOLVER
        and not client.may_do_without
    )
    transfers, session = split(chains(legs, sources), resolves_by_head=resolves_by_head)
    ending = _ending(kind, client, transfers, session)
    return Operation(
        kind=kind,
        registry=_registry(legs),
        repository=_repository(kind, legs),
        reference=_reference(transfers),
        client=client,
        client_host=_client_host(legs),
        ending=ending,
        transfers=transfers,
        session=session,
        redirected_from={leg.id: sources[leg.id] for leg in legs if leg.id in sources},
        retry_of=_retries(transfers, session),
        unseen=unseen(transfers, session, ending, fetched, sources),
    )


def _client(legs: Sequence[Leg]) -> Client | None:
    """Of the legs that address the registry; a token may be fetched by another program."""
    speakers = [leg.client for leg in legs if leg.client and leg.endpoint]
    others = [leg.client for leg in legs if leg.client and leg.kind is not Kind.CONNECT]
    return next(iter(speakers + others), None)


def _registry(legs: Sequence[Leg]) -> str | None:
    """The host that had the manifest; where none did, the first that was asked, or that could not
    be reached at all."""
    addressed = [leg for leg in legs if leg.endpoint]
    had = (leg for leg in addressed if leg.kind in MANIFEST_KINDS and leg.succeeded)
    if not addressed and all(leg.kind is Kind.CONNECT for leg in legs):
        return legs[0].url.authority
    return next((leg.registry for leg in (*had, *addressed)), None)


def _repository(kind: OperationKind, legs: Sequence[Leg]) -> str | None:
    """Of a pull the one that had the manifest: a mirror may have another name for it."""
    if kind is OperationKind.PULL:
        had = (leg.repository for leg in legs if leg.kind in MANIFEST_KINDS and leg.succeeded)
        if (repository := next(had, None)) is not None:
            return repository
    return repository_of(legs)


def _client_host(legs: Iterable[Leg]) -> str | None:
    """Of the legs that address the registry; a token may be fetched from elsewhere (buildkit)."""
    legs = [leg for leg in legs if leg.exchange.connection.client_host]
    speaks = [leg for leg in legs if leg.endpoint]
    return next((leg.exchange.connection.client_host for leg in (*speaks, *legs)), None)


def _kind(legs: Sequence[Leg]) -> OperationKind:
    kinds = {leg.kind for leg in legs}
    if kinds & (UPLOAD_KINDS | {Kind.MANIFEST_PUT}):
        only_asked = kinds & (BLOB_KINDS | MANIFEST_KINDS) == _PERMISSION_PROBE
        return OperationKind.OTHER if only_asked else OperationKind.PUSH
    if any(wants_push(leg) for leg in legs if leg.kind is Kind.TOKEN) and not _only_inspects(legs):
        return OperationKind.PUSH
    if kinds <= {Kind.STORAGE, Kind.CONNECT} and Kind.STORAGE in kinds:
        return OperationKind.PULL if any(map(_fetches, legs)) else OperationKind.OTHER
    if kinds & {Kind.MANIFEST_DELETE, Kind.BLOB_DELETE}:
        return OperationKind.DELETE
    if Kind.BLOB_HEAD in kinds and not kinds & _FETCHES:
        return OperationKind.PUSH  # who pulls asks for the manifest first, and for blobs with GET
    if kinds & _READS:
        return OperationKind.PULL
    if kinds & _LISTS:
        return OperationKind.OTHER
    if repository_of(legs):
        return OperationKind.PULL
    if any(leg.kind is Kind.TOKEN or (leg.kind is Kind.PING and leg.credentials) for leg in legs):
        return OperationKind.LOGIN
    return OperationKind.OTHER


def _only_inspects(legs: Sequence[Leg]) -> bool:
    """``docker manifest inspect`` and ``create`` ask for the right to push, and only read (docker/
    cli internal/registryclient)."""
    client = _client(legs)
    cli = client is not None and client.family is Family.DOCKER_CLI
    return cli and any(leg.kind is Kind.MANIFEST_GET for leg in legs)


def _fetches(leg: Leg) -> bool:
    """Whether a request to a storage, whose redirect was not seen, fetches a blob for a registry's
    client: signed URLs and buckets serve other programs too, and a HEAD may be any client's."""
    known = leg.client is not None and leg.client.family is not Family.UNKNOWN
    if leg.kind is not Kind.STORAGE or leg.method != "GET":
        return False
    return referring_endpoint(leg) is not None or (known and leg.digest is not None)


#: May one push here? Asked minutes before the push itself (kaniko executor/push.go).
_PERMISSION_PROBE = frozenset({Kind.UPLOAD_START, Kind.UPLOAD_CANCEL})
_FETCHES = frozenset({Kind.MANIFEST_GET, Kind.MANIFEST_HEAD, Kind.BLOB_GET})
_READS = frozenset({Kind.MANIFEST_GET, Kind.MANIFEST_HEAD, Kind.BLOB_GET, Kind.BLOB_HEAD})
_LISTS = frozenset({Kind.TAGS, Kind.CATALOG, Kind.REFERRERS})


def _reference(transfers: Iterable[Transfer]) -> str | None:
    """The tag that was written or read last; a digest when there is no tag."""
    manifests = [transfer for transfer in transfers if transfer.kind == "manifest"]
    tagged = [transfer.reference for transfer in manifests if transfer.reference]
    if tagged:
        return tagged[-1]
    return next((m.digest for m in reversed(manifests) if m.digest), None)


def _ending(
    kind: OperationKind,
    client: Client | None,
    transfers: tuple[Transfer, ...],
    session: tuple[Chain, ...],
) -> Ending:
    if kind is OperationKind.PUSH and _pushed(client, transfers):
        return Ending.OK
    if any(leg.in_flight for transfer in transfers for leg in transfer.legs):
        return Ending.INCOMPLETE
    failed = [transfer for transfer in transfers if transfer.fate is Fate.FAILED]
    if kind is OperationKind.OTHER and failed and all(_is_of_storage(each) for each in failed):
        return Ending.INCOMPLETE
    if failed or _stopped(transfers, session):
        return Ending.FAILED
    if kind is OperationKind.PUSH:
        return Ending.FAILED if _loops(client, transfers) else Ending.INCOMPLETE
    if kind is OperationKind.PULL:
        if dead_end(client, transfers):
            return Ending.FAILED
        whole = any(t.kind == "manifest" and t.fate is not Fate.INCOMPLETE for t in transfers)
        # A challenge that nobody has answered yet: more was to come.
        challenged = any(transfer.chains[-1].last.is_challenge for transfer in transfers)
        left = any(_was_left(transfer) for transfer in transfers)
        return Ending.OK if whole and not challenged and not left else Ending.INCOMPLETE
    unanswered = not transfers and bool(session) and _is_unfinished(session[-1].last)
    return Ending.INCOMPLETE if unanswered else Ending.OK


def _is_of_storage(transfer: Transfer) -> bool:
    """Only a storage was asked: what the client wanted, and did then, is not known."""
    return all(chain.first.kind is Kind.STORAGE for chain in transfer.chains)


def _was_left(transfer: Transfer) -> bool:
    """The client went away in the middle of it, and did not come back."""
    return transfer.fate is Fate.INCOMPLETE and transfer.chains[-1].last.left_by_client


def _pushed(client: Client | None, transfers: Iterable[Transfer]) -> bool:
    """A push succeeded when its manifests were written, or were there already: only then."""
    transfers = list(transfers)
    manifests = [transfer for transfer in transfers if transfer.kind == "manifest"]
    written = [m for m in manifests if _is_write(m)]
    roots = [m for m in written if m.reference]
    if roots:
        return all(m.fate is Fate.UPLOADED for m in roots)
    if any(transfer.fate is Fate.FAILED for transfer in transfers):
        return False
    if any(m.reference and m.fate is Fate.INCOMPLETE for m in manifests):
        return False
    if written:
        listed = {d.digest for m in written for d in _descriptors(m)}
        blobs = (t for t in transfers if t.kind == "blob" and t.digest not in listed)
        done = all(t.fate is not Fate.INCOMPLETE for t in blobs)
        return done and written[-1].fate is Fate.UPLOADED
    return bool(manifests) and _nothing_to_do(client, manifests[-1], transfers)


def _is_write(manifest: Transfer) -> bool:
    return any(chain.first.kind is Kind.MANIFEST_PUT for chain in manifest.chains)


def _descriptors(manifest: Transfer) -> Iterable[Descriptor]:
    for leg in manifest.legs:
        if leg.manifest:
            yield from referenced(leg.manifest)


def _nothing_to_do(
    client: Client | None, manifest: Transfer, transfers: Iterable[Transfer]
) -> bool:
    """The last thing it did was to find its manifest there (ggcr, containerd, oras, …)."""
    may = HABITS[client.family if client else Family.UNKNOWN].head_may_end
    last = max(leg.started for transfer in transfers for leg in transfer.legs)
    return may and manifest.fate is Fate.EXISTED and manifest.chains[-1].last.started == last


def _stopped(transfers: Iterable[Transfer], session: Iterable[Chain]) -> bool:
    """The last ping, token or tunnel was refused, and nothing succeeded after it."""
    session = [chain for chain in session if chain.first.kind in _OPENING]
    answered = [chain.last for chain in session if not chain.last.in_flight]
    if not answered:
        return False
    last = max(answered, key=by_start)
    if not last.refused or last.is_challenge or last.left_by_client or is_first_form(last):
        return False
    later = (leg for transfer in transfers for leg in transfer.legs if leg.started > last.started)
    return not any(leg.succeeded or leg.redirects for leg in later)


def _loops(client: Client | None, transfers: Iterable[Transfer]) -> bool:
    """Docker's push loop, of which only the beginnings pass here: uploads were opened, nothing came
    after, and after a pause they were opened anew, twice at least (docker xfer/upload.go waits 5,
    10, 15, 20 s). Of one that ended well elsewhere its HEAD would have been seen."""
    if client is None or client.family is not Family.DOCKER:
        return False
    chains = sorted((c for t in transfers for c in t.chains), key=lambda c: by_start(c.first))
    opened, paused, again, seen = False, False, 0, 0.0
    for chain in chains:
        starts = chain.first.kind in {Kind.UPLOAD_START, Kind.MOUNT}
        if opened and not starts and (chain.first.kind in UPLOAD_KINDS or chain.last.succeeded):
            return False
        paused = paused or (opened and chain.first.started - seen >= 5.0 - EARLY)
        seen = max(seen, chain.last.last_seen)
        if starts:
            again += paused
            opened, paused = True, False
    return again >= 2


_OPENING = frozenset({Kind.PING, Kind.TOKEN, Kind.CONNECT})


def _is_unfinished(leg: Leg) -> bool:
    return leg.in_flight or leg.is_challenge


def _retries(transfers: Iterable[Transfer], session: Iterable[Chain]) -> dict[str, str]:
    """Leg id → the earlier leg that asked the same thing in vain."""
    retries: dict[str, str] = {}
    for chained in [transfer.chains for transfer in transfers] + [tuple(session)]:
        failed: dict[tuple[Kind, str], Leg] = {}
        for chain in chained:
            leg = chain.first
            # A new upload session has a new URL; what is repeated is the step, not the address.
            key = (leg.kind, "" if leg.kind in UPLOAD_KINDS else leg.url.origin + leg.url.path)
            if key in failed:
                retries[leg.id] = failed.pop(key).id
            if chain.last.refused and not _is_answer(chain):
                failed[key] = leg
    return retries


def _is_answer(chain: Chain) -> bool:
    """No failure: a challenge, or that something is not there yet."""
    return chain.last.status == 401 or (chain.first.method == "HEAD" and chain.last.status == 404)
