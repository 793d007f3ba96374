"""One operation's legs sorted into transfers: which chains are about the same blob or manifest.

A blob is known by its digest; before the commit only by its upload session, because docker hashes a
layer while it sends it. Sessions that never learnt a digest are failed attempts at some layer: each
is taken as an earlier try of the one that failed first and was due again (docker waits 5, 10, 15,
20 seconds).

All functions take chains in the order in which they began.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from regtrace.follow.life import FATES, Event, Fate, State, live
from regtrace.follow.proof import blob_verified, manifest_verified
from regtrace.follow.story import Chain, Transfer
from regtrace.follow.strands import is_attachment
from regtrace.wire.client import Family
from regtrace.wire.leg import BLOB_KINDS, MANIFEST_KINDS, UPLOAD_KINDS, Kind, Leg
from regtrace.wire.manifest import referenced
from regtrace.wire.upload import is_dockers_range

#: Seconds between a connection that died before any answer and the same request once more, when
#: the client's transport did it by itself (Go net/http transport.go), not the client.
RESENT = 0.1
#: Seconds by which docker's waits may be shorter on the wire than it means them to be.
EARLY = 0.5


def split(
    chains: Iterable[Chain], *, resolves_by_head: bool = False
) -> tuple[tuple[Transfer, ...], tuple[Chain, ...]]:
    """The transfers of these chains, by start, and the chains that belong to none.

    ``resolves_by_head``: they are a pull by a client that asks for a manifest with HEAD and gives
    up on its 404 (containerd resolver.go); to others a HEAD is only a question.
    """
    blobs: list[Chain] = []
    manifests: list[Chain] = []
    session: list[Chain] = []
    for chain in chains:
        kind = chain.first.kind
        if kind in BLOB_KINDS or (kind is Kind.STORAGE and chain.first.digest):
            blobs.append(chain)
        elif kind in MANIFEST_KINDS and not _looks_for_attachments(chain):
            manifests.append(chain)
        else:
            session.append(chain)
    sizes = _sizes(manifests)
    went_on = _last_write(blobs + manifests)
    transfers = [_manifest(group, resolves_by_head, went_on) for group in _by_manifest(manifests)]
    for group in _by_blob(blobs):
        transfer = _blob(group, sizes)
        if _is_mount_probe(transfer, sizes) or _is_unused(transfer, pushed=bool(sizes)):
            session += group.chains
        else:
            transfers.append(transfer)
    transfers.sort(key=lambda transfer: (transfer.chains[0].first.started, transfer.legs[0].id))
    session.sort(key=lambda chain: (chain.first.started, chain.first.id))
    return tuple(transfers), tuple(session)


def _looks_for_attachments(chain: Chain) -> bool:
    """Signatures and the like, asked for and not there: most images have none. Nor has a first
    build a layer in kaniko's cache, whose tags are hashes (pkg/cache/cache.go RetrieveLayer)."""
    tag, client = chain.first.tag or "", chain.first.client
    cached = client is not None and client.product == "kaniko" and _HASH.fullmatch(tag)
    reads = chain.first.method in {"GET", "HEAD"}
    return reads and chain.last.status == 404 and bool(cached or is_attachment(tag))


_HASH = re.compile("[0-9a-f]{64}")


def _is_mount_probe(transfer: Transfer, sizes: Mapping[str, int]) -> bool:
    """Only asked whether it is there, and it was not: another compression of a layer, say, that
    containers/image would have used (docker_image_dest.go TryReusingBlobWithOptions)."""
    client = transfer.chains[0].first.client
    substitutes = client is not None and client.family is Family.CONTAINERS_IMAGE
    unlisted = transfer.digest not in sizes if sizes else substitutes
    return unlisted and all(
        chain.first.method == "HEAD" and chain.last.status == 404 for chain in transfer.chains
    )


def _is_unused(transfer: Transfer, *, pushed: bool) -> bool:
    """A session into which nothing was sent, and that was cancelled (may one push here? ggcr
    remote/check.go) or not needed in the end."""
    kinds = {chain.first.kind for chain in transfer.chains}
    refused = any(c.last.refused for c in transfer.chains if c.first.kind is not Kind.UPLOAD_CANCEL)
    return (
        transfer.digest is None
        and not refused
        and kinds <= {Kind.UPLOAD_START, Kind.UPLOAD_CANCEL}
        and (pushed or Kind.UPLOAD_CANCEL in kinds)
    )


# --- what one chain says


def events_of(chains: Sequence[Chain]) -> list[Event]:
    """What the chains of one transfer say, in order; some say nothing (yet)."""
    again = {_request(chain): n for n, chain in enumerate(chains)}
    starts = (n for n in range(len(chains) - 1, -1, -1) if chains[n].first.kind in _STARTS)
    last_start = next(starts, -1)
    events = []
    after: dict[tuple[str, str], float] = {}
    for n in range(len(chains) - 1, -1, -1):
        chain = chains[n]
        request = _request(chain)
        repeated = again[request] > n
        resent = repeated and after[request] - chain.last.last_seen <= RESENT
        event = _event(chain, repeated=repeated, resent=resent, started_later=last_start > n)
        if n == len(chains) - 1 and _leads_nowhere(chain):
            event = Event.REFUSED
        after[request] = chain.first.started
        if event is not None:
            events.append(event)
    return events[::-1]


_STARTS = frozenset({Kind.UPLOAD_START, Kind.MOUNT})


def _request(chain: Chain) -> tuple[str, str]:
    return chain.first.method, chain.first.url.path


def _event(chain: Chain, *, repeated: bool, resent: bool, started_later: bool) -> Event | None:
    """``repeated``: the same was asked later; ``resent``: at once; ``started_later``: another
    upload session was."""
    first, last = chain.first, chain.last
    if first.kind is Kind.UPLOAD_CANCEL:
        return Event.CANCELLED
    if last.in_flight or last.left_by_client or last.is_challenge:
        return None
    if last.broken:
        return _broken_event(first, last, resent)
    if repeated and (last.status == 401 or _is_out_of_step(last)):
        return None
    if first.method == "HEAD" and first.kind is not Kind.UPLOAD_STATUS:
        return _probe_event(last)
    if first.method == "GET" and first.kind is not Kind.UPLOAD_STATUS:
        return _read_event(chain)
    if first.kind is Kind.MOUNT and not last.succeeded:
        # A declined mount is an ordinary upload that follows; if none does, it was fatal. docker
        # uploads after any refusal (distribution/push_v2.go Upload), before the digest is known.
        goes_on = first.client is not None and first.client.family is Family.DOCKER
        return None if started_later or goes_on else Event.REFUSED
    if not last.succeeded or chain.became_a_read:
        return Event.SENT_ON if chain.unfollowed else Event.REFUSED
    return _SUCCESS.get((first.kind, last.status == 201)) or _SUCCESS.get((first.kind, False))


_SUCCESS = {
    (Kind.UPLOAD_START, False): Event.OPENED,
    (Kind.UPLOAD_START, True): Event.COMMITTED,
    (Kind.MOUNT, False): Event.OPENED,
    (Kind.MOUNT, True): Event.MOUNTED,
    (Kind.UPLOAD_CHUNK, False): Event.WRITTEN,
    (Kind.UPLOAD_COMMIT, False): Event.COMMITTED,
    (Kind.MANIFEST_PUT, False): Event.COMMITTED,
}


def _leads_nowhere(chain: Chain) -> bool:
    """An upload that its client can't go on with, when nothing comes after it: the answer names no
    next URL, or, to docker's engine, not how many bytes arrived; or the next URL wants a login that
    the client gives to another host or scheme only."""
    last = chain.last
    if last.kind in {Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT} and last.is_challenge:
        return True
    if last.kind not in _STARTS | {Kind.UPLOAD_CHUNK} or not last.succeeded or last.status == 201:
        return False
    return last.location is None or lacks_range(last)


def lacks_range(leg: Leg) -> bool:
    """Whether a chunk's answer does not tell docker's engine, in the one form that it reads, how
    many bytes arrived."""
    response = leg.exchange.response
    if response is None or leg.client is None or leg.client.family is not Family.DOCKER:
        return False
    return leg.kind is Kind.UPLOAD_CHUNK and not is_dockers_range(response.headers.get("Range"))


def _broken_event(first: Leg, last: Leg, resent: bool) -> Event | None:
    if resent and last.status is None:
        return None
    reads = first.method == "GET" and first.kind is not Kind.UPLOAD_STATUS
    return Event.UNREAD if reads else Event.BROKEN


def _is_out_of_step(leg: Leg) -> bool:
    """A chunk at the wrong place; the client asks how far it is and goes on from there
    (distribution-spec "Pushing a blob in chunks")."""
    return leg.kind is Kind.UPLOAD_CHUNK and leg.status == 416


def _probe_event(last: Leg) -> Event:
    if last.succeeded or last.redirects or last.status == 304:
        return Event.PRESENT
    return Event.ABSENT if last.status == 404 else Event.DOUBTED


def _read_event(chain: Chain) -> Event | None:
    first, last = chain.first, chain.last
    if last.status == 206 and last.succeeded:
        return Event.PART
    if last.succeeded or last.status == 304:
        return Event.READ
    if chain.unfollowed:
        return Event.SENT_ON
    # 416: a download that was cut at its very end is resumed there (RFC 9110 15.5.17).
    if last.status == 416:
        return None
    absent = last.status == 404 and first.kind in MANIFEST_KINDS
    return Event.ABSENT if absent else Event.UNREAD


# --- which chains are one transfer


@dataclass(slots=True)
class _Unit:
    """Chains that are one step for certain: an upload session, or a request outside of any."""

    chains: list[Chain] = field(default_factory=list)
    opens: bool = False
    """Asks for an upload session, or has one."""
    in_session: bool = False

    @property
    def digest(self) -> str | None:
        """From the commit, from the bytes that were sent, or from the mount that was declined."""
        mounts = [c.first.digest for c in self.chains if c.first.kind is Kind.MOUNT]
        named = (c.first.digest for c in self.chains if c.first.kind is not Kind.MOUNT)
        known = next((digest for digest in named if digest), None)
        return known or _body_digest(self.chains) or next(iter(mounts), None)

    @property
    def failed(self) -> bool:
        """Refused or broken at its last step: worth another try."""
        last = next(
            (c for c in reversed(self.chains) if c.first.kind is not Kind.UPLOAD_CANCEL),
            self.chains[-1],
        )
        absent = last.first.method == "HEAD" and last.last.status == 404
        return last.last.refused and not absent


@dataclass(slots=True)
class _Group:
    """What is known of one blob so far."""

    digest: str | None = None
    chains: list[Chain] = field(default_factory=list)
    sessions: int = 0
    last_seen: float = 0.0

    def add(self, unit: _Unit) -> None:
        self.chains += unit.chains
        self.sessions += unit.in_session
        self.last_seen = max(self.last_seen, *(chain.last.last_seen for chain in unit.chains))
        self.digest = self.digest or unit.digest

    @property
    def due(self) -> float:
        """When its next attempt may begin (docker xfer/upload.go); after a challenge, at once."""
        client = self.chains[0].first.client
        waits = client is not None and client.family is Family.DOCKER
        waits = waits and self.chains[-1].last.status != 401
        return self.last_seen + (max(5.0 * self.sessions - EARLY, 0.0) if waits else 0.0)


def _by_blob(chains: Iterable[Chain]) -> list[_Group]:
    """One sweep through time: each unit goes to its digest, or to the failure that it repeats."""
    groups: list[_Group] = []
    named: dict[str, _Group] = {}
    failures = _Failures()
    for unit in _units(chains):
        digest = unit.digest
        group = named.get(digest) if digest else None
        if unit.opens and (group is None or not group.sessions):
            earlier = failures.due_by(unit.chains[0].first.started, nameless=digest is not None)
            group = _one(group, earlier)
        if group is None:
            groups.append(group := _Group())
        group.add(unit)
        if group.digest:
            named[group.digest] = group
        if unit.failed:
            failures.add(group)
    groups = [group for group in groups if group.chains]
    for group in groups:
        group.chains.sort(key=_chain_start)
    return groups


def _one(group: _Group | None, earlier: _Group | None) -> _Group | None:
    """What is known of the digest by now, and the failed attempt: the same blob."""
    if group is None or earlier is None:
        return group or earlier
    group.chains = earlier.chains + group.chains
    group.sessions += earlier.sessions
    group.last_seen = max(group.last_seen, earlier.last_seen)
    earlier.chains = []
    return group


class _Failures:
    """Blobs whose last attempt failed and that were not tried again yet, by when they are due."""

    def __init__(self) -> None:
        self._named: list[tuple[float, int, int, _Group]] = []
        self._nameless: list[tuple[float, int, int, _Group]] = []
        self._count = 0

    def add(self, group: _Group) -> None:
        self._count += 1
        heap = self._nameless if group.digest is None else self._named
        heapq.heappush(heap, (group.due, self._count, len(group.chains), group))

    def due_by(self, moment: float, *, nameless: bool) -> _Group | None:
        """The one that was due first, if any is; ``nameless``: that has no digest yet."""
        heaps = [self._nameless] if nameless else [self._nameless, self._named]
        for heap in heaps:
            while heap and len(heap[0][3].chains) != heap[0][2]:
                heapq.heappop(heap)  # tried again since
        due = [heap for heap in heaps if heap and heap[0][0] <= moment]
        return heapq.heappop(min(due, key=lambda heap: heap[0][:2]))[3] if due else None


def _units(chains: Iterable[Chain]) -> list[_Unit]:
    sessions: dict[str, _Unit] = {}
    units: list[_Unit] = []
    for chain in chains:
        leg = chain.first
        mounted = leg.kind is Kind.MOUNT and leg.status == 201
        if leg.session and leg.kind in UPLOAD_KINDS and not mounted:
            if leg.session not in sessions:
                units.append(_Unit(opens=True, in_session=True))
                sessions[leg.session] = units[-1]
            sessions[leg.session].chains.append(chain)
        else:
            opens = leg.kind is Kind.UPLOAD_START
            units.append(_Unit([chain], opens, in_session=opens and leg.status != 401))
    return units


def _chain_start(chain: Chain) -> tuple[float, str]:
    return chain.first.started, chain.first.id


def _body_digest(chains: Iterable[Chain]) -> str | None:
    """The digest of the one body that this session carried whole, if it was hashed on its way."""
    bodies = [c.first.exchange.request.body for c in chains if c.first.kind is Kind.UPLOAD_CHUNK]
    return bodies[0].digest if len(bodies) == 1 and bodies[0].complete else None


@dataclass(slots=True)
class _Named:
    """The chains of one manifest."""

    tag: str | None
    chains: list[Chain] = field(default_factory=list)


def _by_manifest(chains: Iterable[Chain]) -> list[list[Chain]]:
    """Chains of one tag, and those of one digest: with the tag that led to it, if one did."""
    groups: list[_Named] = []
    by_tag: dict[str, _Named] = {}
    by_digest: dict[str, _Named] = {}
    for chain in chains:
        tag = chain.first.tag
        digest = next((hop.digest for hop in reversed(chain.legs) if hop.digest), None)
        group = by_tag.get(tag) if tag else by_digest.get(digest or "")
        if group is None and tag and digest in by_digest and by_digest[digest].tag is None:
            group = by_digest[digest]  # pushed by digest, then tagged (oras, buildkit)
        if group is None:
            groups.append(group := _Named(tag))
        group.tag = group.tag or tag
        group.chains.append(chain)
        if group.tag:
            by_tag[group.tag] = group
        if digest:
            by_digest.setdefault(digest, group)
    return [group.chains for group in groups]


# --- what became of it


def _blob(group: _Group, sizes: Mapping[str, int]) -> Transfer:
    chains, digest = group.chains, group.digest
    state, attempts = _live(chains)
    return Transfer(
        kind="blob",
        digest=digest,
        size=sizes.get(digest or "") or _size(chains),
        fate=FATES[state],
        attempts=attempts,
        chains=tuple(chains),
        digest_verified=blob_verified(chains, digest),
    )


def _last_write(chains: Iterable[Chain]) -> float:
    """When the client last wrote something, and was not refused; 0 when it never did."""
    kinds = UPLOAD_KINDS | {Kind.MANIFEST_PUT}
    wrote = (c.first.started for c in chains if c.first.kind in kinds and c.last.succeeded)
    return max(wrote, default=0.0)


def _manifest(chains: list[Chain], resolves_by_head: bool, went_on: float) -> Transfer:
    """``went_on``: when its operation last wrote something."""
    state, attempts = _live(chains)
    fate = FATES[state]
    if state is State.ABSENT and not any(c.first.kind is Kind.MANIFEST_PUT for c in chains):
        # Asked for and not there: what a pull can't get, and what a push is about to write, or did
        # without (a cache of an earlier build).
        final = resolves_by_head or any(c.first.method == "GET" for c in chains)
        final = final and went_on < chains[-1].first.started
        fate = Fate.FAILED if final else Fate.INCOMPLETE
    legs = [leg for chain in chains for leg in chain.legs]
    return Transfer(
        kind="manifest",
        digest=next((leg.digest for leg in reversed(legs) if leg.digest), None),
        reference=next((leg.tag for leg in legs if leg.tag), None),
        size=_size(chains),
        fate=fate,
        attempts=attempts,
        chains=tuple(chains),
        digest_verified=manifest_verified(chains),
    )


def _live(chains: Sequence[Chain]) -> tuple[State, int]:
    return live(events_of(chains))


def _sizes(manifests: Iterable[Chain]) -> dict[str, int]:
    """Sizes that the manifests seen here announce for their blobs."""
    sizes: dict[str, int] = {}
    for chain in manifests:
        for leg in chain.legs:
            if leg.manifest is None:
                continue
            for descriptor in referenced(leg.manifest):
                if descriptor.size is not None:
                    sizes[descriptor.digest] = descriptor.size
    return sizes


def _size(chains: Iterable[Chain]) -> int | None:
    """Bytes of the object itself: its last whole body, or the length a HEAD announced."""
    size = None
    for chain in chains:
        leg = chain.last
        request, response = leg.exchange.request, leg.exchange.response
        if leg.method in {"PUT", "PATCH"} and request.body.complete and request.body.size:
            size = request.body.size
        elif response and leg.succeeded and leg.method == "GET" and response.body.complete:
            size = response.body.size
        elif response and leg.succeeded and leg.method == "HEAD":
            length = response.headers.get("Content-Length") or ""
            size = int(length) if length.isascii() and length.isdigit() else size
    return size
