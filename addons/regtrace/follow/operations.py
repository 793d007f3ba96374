"""Which strands are one push or one pull.

A strand joins the open operation of the same client, registry and repository, unless it opened
something of its own. What opens an operation is what its client does once for each: a ping for
docker, podman and crane, a push token for containerd, buildkit and regctl. Two pushes of one
repository by one client at the same time are thus kept apart by their tokens, sessions and pings,
never by time alone; what could still belong to either waits until both are known, and goes to the
one whose manifest lists its blobs.

Strands come by start, and operations that have fallen silent leave the tables, so the cost grows
with the legs and not with their square.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from regtrace.follow.story import by_start
from regtrace.follow.strands import AT_ONCE, Strand, strands, tags_again
from regtrace.wire.client import CONTAINERD_RESOLVER, HABITS, Client, Family
from regtrace.wire.leg import Kind, Leg

#: Seconds between a ping (or a token without a scope) and the operation that it opens.
PRELUDE = 60.0
#: Seconds in which podman and skopeo begin a whole copy again (containers common/pkg/retry), and
#: in which a client that failed at a mirror asks the next host.
AGAIN = 10.0
#: Who can be told of mirrors, and falls back from them when it pulls.
_HAVE_MIRRORS = frozenset(
    {
        Family.DOCKER,
        Family.DOCKER_CONTAINERD,
        Family.CONTAINERD,
        Family.BUILDKIT,
        Family.CONTAINERS_IMAGE,
    }
)
#: Operations of one client and repository that may be open at once; older ones take no more legs.
MOST_OPEN = 64
#: Operations that are looked at for the one that a lone ping, tunnel or probe belongs to.
MOST_SERVED = 32


def group(legs: Sequence[Leg], sources: Mapping[str, str]) -> list[list[Leg]]:
    """The legs of each operation, every leg in exactly one, operations and legs by start.

    ``legs`` are in the order in which they began.
    """
    tied = sorted(strands(legs, sources), key=_by_start)
    preludes = [strand for strand in tied if strand.repository is None]
    stories = [strand for strand in tied if strand.repository is not None]
    preludes = _logins_apart(preludes)
    preludes = _pings_given(preludes, stories)
    operations = _joined(sorted(stories, key=_by_start))
    operations = _attached(preludes, operations)
    return [sorted(operation.legs, key=by_start) for operation in operations]


def _by_start(strand: Strand) -> tuple[float, str]:
    return strand.started, strand.legs[0].id


# --- preludes: they say nothing of a repository


def _logins_apart(preludes: Iterable[Strand]) -> list[Strand]:
    """Each login made one strand: the ping that was refused, the token, the ping that was not."""
    result: list[Strand] = []
    latest: dict[tuple[object, ...], Strand] = {}
    for prelude in preludes:
        places = _places(prelude)
        before = next((latest[place] for place in places if place in latest), None)
        if _proves_who(prelude) and before is not None and _soon(before, prelude):
            before.take(prelude)
            before.is_login = True
        else:
            result.append(prelude)
            prelude.is_login = _proves_who(prelude)
            latest.update(dict.fromkeys(places, prelude))
    return result


def _proves_who(prelude: Strand) -> bool:
    """A token for nothing, or a ping with credentials: what ``docker login`` sends."""
    if Kind.TOKEN in prelude.kinds:
        return True
    return any(leg.kind is Kind.PING and leg.credentials for leg in prelude.legs)


def _soon(before: Strand, prelude: Strand) -> bool:
    return prelude.started - before.last_seen <= PRELUDE


def _places(strand: Strand) -> list[tuple[object, ...]]:
    """Whom this client talked to: registry hosts, and token realms."""
    known: list[tuple[object, ...]] = [(strand.client_host, name) for name in strand.registries]
    return known + [(strand.client_host, realm) for realm in strand.realms]


def _pings_given(preludes: list[Strand], stories: Iterable[Strand]) -> list[Strand]:
    """Each ping given to the strand that it opened; the preludes that are left."""
    pings = [p for p in preludes if p.ping_at is not None and not p.is_login]
    waiting: dict[tuple[object, ...], list[Strand]] = {}
    given: set[int] = set()
    coming = iter([*pings, None])
    ping = next(coming)
    for story in stories:
        while ping is not None and ping.started <= story.started:
            for place in (*_places(ping), *_lines(ping)):
                waiting.setdefault(place, []).append(ping)
            ping = next(coming)
        if story.ping_at is not None:
            continue
        opened = _opener(story, waiting, given)
        if opened is not None:
            given.add(id(opened))
            story.take(opened)
    return [prelude for prelude in preludes if id(prelude) not in given]


def _opener(
    story: Strand, waiting: Mapping[tuple[object, ...], list[Strand]], given: set[int]
) -> Strand | None:
    """The last ping before it: on its own connection, else by the same client. Where that opened
    another one, those that were sent at the same time are left."""
    for place in (*_lines(story), *_places(story)):
        pings = waiting.get(place, [])[-MOST_SERVED:]
        for ping in reversed(pings):
            longest = PRELUDE if ping is pings[-1] else AGAIN
            soon = story.started - ping.started <= longest
            fits = soon and _same_client(story, ping) and not _apart(story, ping)
            if fits and id(ping) not in given:
                return ping
    return None


def _lines(strand: Strand) -> list[tuple[object, ...]]:
    return [("connection", connection) for connection in sorted(strand.connections)]


# --- strands become operations


@dataclass(slots=True)
class _Open:
    """Operations that may still grow, by client and repository."""

    by_repository: dict[tuple[str | None, str | None], list[Strand]] = field(default_factory=dict)
    by_client: dict[str | None, list[Strand]] = field(default_factory=dict)
    builds: dict[str | None, list[Strand]] = field(default_factory=dict)
    """Those of buildkit, by repository: their tokens may come from elsewhere."""

    def add(self, operation: Strand) -> None:
        key = (operation.client_host, operation.repository)
        self.by_repository.setdefault(key, []).append(operation)
        self.by_client.setdefault(operation.client_host, []).append(operation)
        if operation.family is Family.BUILDKIT:
            self.builds.setdefault(operation.repository, []).append(operation)

    def candidates(self, story: Strand) -> list[Strand]:
        key = (story.client_host, story.repository)
        found = _alive(self.by_repository.get(key), story.started)
        if story.only_looks_for_blobs:
            others = _alive(self.by_client.get(story.client_host), story.started)
            found += [p for p in others[-MOST_SERVED:] if p.written and p not in found]
        if story.reads_only and story.tag is not None:
            others = _alive(self.by_client.get(story.client_host), story.started)
            found += [op for op in others[-MOST_SERVED:] if _is_mirrored(story, op)]
        if story.kinds == {Kind.TOKEN}:
            builds = _alive(self.builds.get(story.repository), story.started)
            found += [build for build in builds[-MOST_SERVED:] if build not in found]
        return found


def _is_mirrored(story: Strand, operation: Strand) -> bool:
    """The same image by the longer name that a mirror has for it: ``cache/library/app`` of a proxy
    cache (containerd hosts.toml, containers registries.conf)."""
    read, mirrored = story.repository or "", operation.repository or ""
    return operation.tag == story.tag and mirrored.endswith(f"/{read}") and operation.reads_only


def _alive(operations: list[Strand] | None, moment: float) -> list[Strand]:
    """Those not silent yet. The others leave the table, since strands come by start."""
    if not operations:
        return []
    alive = [op for op in operations if not op.silent_at(moment)]
    if len(operations) > 2 * MOST_OPEN:
        operations[:] = alive[-MOST_OPEN:]
    return alive


def _joined(stories: Iterable[Strand]) -> list[Strand]:
    operations: list[Strand] = []
    undecided: list[tuple[Strand, list[Strand]]] = []
    tables = _Open()
    for story in stories:
        hosts = [op for op in tables.candidates(story) if _belongs(story, op)]
        if story.kinds == {Kind.TOKEN}:
            hosts = [op for op in hosts if _was_just_challenged(op, story.started)] or hosts
        if not hosts:
            operations.append(story)
            tables.add(story)
        elif len(hosts) == 1:
            hosts[0].take(story)
        else:
            undecided.append((story, hosts))
    # Manifests first: they say which blobs are whose.
    undecided.sort(key=lambda pair: (-len(pair[0].digests), *_by_start(pair[0])))
    for story, hosts in undecided:
        # What the others have taken since may show that they are over, or are another's.
        _likeliest(story, [op for op in hosts if _belongs(story, op)] or hosts).take(story)
    return _with_their_questions(operations)


def _was_just_challenged(operation: Strand, moment: float) -> bool:
    """Told to log in a moment ago: a token that is fetched then is most likely for this one."""
    return 0.0 <= moment - operation.challenged_at <= AT_ONCE


def _with_their_questions(operations: list[Strand]) -> list[Strand]:
    """The operations, those apart that only asked something for a push: to which they go."""
    pushes: dict[str | None, list[Strand]] = {}
    for operation in operations:
        if operation.written:
            pushes.setdefault(operation.client_host, []).append(operation)
    for known in pushes.values():
        known.sort(key=_by_start)
    result = []
    for operation in operations:
        known = pushes.get(operation.client_host, []) if operation.written is None else []
        if operation.only_looks_for_blobs:
            hosts = _amid(operation, known)
        elif operation.found_no_manifest:
            hosts = _wrote_it_then(operation, known)
        else:
            hosts = []
        if hosts:
            _likeliest(operation, hosts).take(operation)
        else:
            result.append(operation)
    return result


def _amid(search: Strand, pushes: list[Strand]) -> list[Strand]:
    """The pushes that may have looked for a blob to mount, before they wrote anything."""
    begun = bisect_right(pushes, search.started, key=lambda push: push.started)
    return [
        push
        for push in pushes[max(begun - MOST_SERVED, 0) : begun]
        if push.last_seen > search.started and _belongs(search, push)
    ]


def _wrote_it_then(question: Strand, pushes: list[Strand]) -> list[Strand]:
    """The push that put under this tag what was not there yet: skopeo sync asks by a client of its
    own, and so do scripts, whether there is anything to do."""
    after = bisect_right(pushes, question.last_seen, key=lambda push: push.started)
    return [
        push
        for push in pushes[after : after + MOST_SERVED]
        if push.started - question.last_seen <= AGAIN
        and (push.repository, push.tag) == (question.repository, question.tag)
        and push.family not in _PING_ONCE
        and _same_client(question, push)
        and _same_registry(question, push)
    ][:1]


def _likeliest(story: Strand, hosts: Iterable[Strand]) -> Strand:
    """The one that goes its way, to or from the registry, then the one that knows most of its
    digests, then the one heard of last. Each has one image."""
    return max(
        hosts,
        key=lambda op: (
            not _one_pulls(story, op),
            not story.tagged or not op.tagged or bool(story.tagged & op.tagged),
            len(op.digests & story.digests),
            op.last_seen,
            op.started,
        ),
    )


def _belongs(story: Strand, operation: Strand) -> bool:
    if not _same_client(story, operation) or _are_two_builds(story, operation):
        return False
    if _asks_next_host(story, operation):
        return True
    if not _same_registry(story, operation):
        return False
    if operation.done is not None and story.started > operation.last_seen:
        return tags_again(story, operation)
    if story.reads_only and operation.reads_only and _another_tag(story, operation):
        return False
    if operation.gave_up_by(story.started):
        return False
    if story.tag is not None and operation.was_read_by(story.started):
        return False
    if operation.family in CONTAINERD_RESOLVER and _is_another_command(story, operation):
        return False
    if _begins_copy_again(story, operation):
        return True
    return not _opened_its_own(story, operation)


def _same_client(one: Strand, other: Strand) -> bool:
    """No sign that two programs speak. Who only fetched a token does not count."""
    return _same_program(one.client, other.client)


def _same_program(one: Client | None, other: Client | None) -> bool:
    if one is None or other is None:
        return True
    return (one.product, one.version) == (other.product, other.version)


def _are_two_builds(one: Strand, other: Strand) -> bool:
    return None not in {one.trace, other.trace} and one.trace != other.trace


def _same_registry(one: Strand, other: Strand) -> bool:
    """Same registry host, or a token realm that the other's challenges name."""
    known = one.registries & other.registries or one.realms & other.realms
    return bool(known) and not _apart(one, other)


def _apart(one: Strand, other: Strand) -> bool:
    """Each addresses a registry of its own: another host, port or prefix, whoever gives tokens."""
    both = one.addresses and other.addresses
    return bool(both) and one.addresses.isdisjoint(other.addresses)


def _is_another_command(story: Strand, operation: Strand) -> bool:
    """Of clients that have connections and tokens of their own for each (CONTAINERD_RESOLVER)."""
    return (
        _one_pulls(story, operation)
        or _got_no_token(story, operation)
        or _left_its_challenge(story, operation)
    )


def _one_pulls(story: Strand, operation: Strand) -> bool:
    """One only reads, the other pushes, or looks for what it need not push."""
    return (_pulls(story) and _pushes(operation)) or (_pulls(operation) and _pushes(story))


def _pulls(strand: Strand) -> bool:
    return strand.only_fetches or strand.only_resolves


def _pushes(strand: Strand) -> bool:
    return strand.written is not None or strand.only_looks_for_blobs


def _got_no_token(story: Strand, operation: Strand) -> bool:
    """No token was given for this very host before: then nothing more is asked of it."""
    if not operation.got_no_token or story.started < operation.last_seen:
        return False
    asked, then = (
        {leg.url.host for leg in strand.legs if leg.endpoint} for strand in (operation, story)
    )
    return not asked.isdisjoint(then)


def _left_its_challenge(story: Strand, operation: Strand) -> bool:
    """It was told to log in and has not for a while; who begins now has not logged in either."""
    if operation.last is None or not operation.last.is_challenge:
        return False
    waited = story.started - operation.last_seen > HABITS[operation.family].grace
    first = min(story.legs, key=by_start)
    return waited and first.credentials is None and not first.succeeded


def _another_tag(story: Strand, operation: Strand) -> bool:
    return None not in {story.tag, operation.tag} and story.tag != operation.tag


def _opened_its_own(story: Strand, operation: Strand) -> bool:
    if operation.family is Family.DOCKER_CLI:
        # It pings before each request, until the list is in place (docker/cli registryclient). A
        # push sends what create has read before.
        if story.writes and Kind.MANIFEST_GET in operation.kinds and not operation.writes:
            return True
        return story.started - operation.last_seen > HABITS[operation.family].grace
    pings = HABITS[operation.family].pings
    if pings or (pings is None and operation.ping_at is not None):
        own = story.ping_at is not None
        return own and (operation.ping_at is not None or operation.started < story.started)
    if story.push_token_at is None and operation.push_token_at is not None:
        return False  # a token for a mount at most, which serves the push that goes on
    granted, other = (each.push_token_at or each.mount_token_at for each in (story, operation))
    return granted is not None and other is not None and not _renews_token(granted, operation)


def _renews_token(moment: float, operation: Strand) -> bool:
    """Its token had run out, or had just been refused (containerd, ggcr: 401, token, again)."""
    refused = 0 <= moment - operation.token_refused_at <= AGAIN
    return refused or moment >= operation.push_token_until


def _begins_copy_again(story: Strand, operation: Strand) -> bool:
    """podman --retry, skopeo --retry-times: all from the ping on, after a fault of the network or
    a 502 to 504 (containers common/pkg/retry/retry.go)."""
    if operation.family is not Family.CONTAINERS_IMAGE or story.ping_at is None:
        return False
    if _one_pulls(story, operation):
        return False
    if not 0.5 <= story.started - operation.last_seen <= AGAIN:
        return False
    last = operation.last
    return last is not None and (last.broken or last.status in {502, 503, 504})


def _asks_next_host(story: Strand, operation: Strand) -> bool:
    """A mirror lacked the image or a part, so its registry is asked (docker, containers/image)."""
    if not HABITS[operation.family].pings or _same_registry(story, operation):
        return False
    if _one_pulls(story, operation):
        return False
    last = operation.last
    refused = last is not None and last.refused
    looked_in_vain = bool(operation.tag) and (not operation.manifest_found or refused)
    both_read = story.reads_only and operation.reads_only
    soon = story.started - operation.last_seen <= AGAIN
    return both_read and looked_in_vain and soon and story.tag in {operation.tag, None}


# --- what nobody took


def _attached(preludes: Iterable[Strand], operations: list[Strand]) -> list[Strand]:
    """Pings nobody took, logins, failed tunnels: to the operation they served, or on their own."""
    preludes = list(preludes)
    stray = {digest for prelude in preludes for digest in prelude.digests}
    known: dict[tuple[str | None, str], list[Strand]] = {}
    pulls: dict[str | None, list[Strand]] = {}
    for operation in sorted(operations, key=_by_start):
        for name in operation.registries | operation.led_to | (stray & operation.digests):
            known.setdefault((operation.client_host, name), []).append(operation)
        if operation.reads_only and operation.manifest_found:
            pulls.setdefault(operation.client_host, []).append(operation)
    alone: list[Strand] = []
    latest: dict[tuple[str | None, str], Strand] = {}
    for prelude in preludes:
        names = prelude.hosts | prelude.led_to
        places = [(prelude.client_host, name) for name in sorted(names)]
        kin = next((latest[place] for place in places if place in latest), None)
        if kin is not None and not _same_attempt(prelude, kin):
            kin = None
        served = _served(prelude, known) or _found_elsewhere(prelude, pulls)
        if served is not None and (kin is None or _gap(prelude, served) <= _gap(prelude, kin)):
            served.take(prelude)
            continue
        if kin is None:
            alone.append(kin := prelude)
        else:
            kin.take(prelude)
        latest.update(dict.fromkeys(places, kin))
    return sorted(operations + alone, key=_by_start)


def _gap(one: Strand, other: Strand) -> float:
    """Seconds in which neither was heard of."""
    return max(one.started - other.last_seen, other.started - one.last_seen, 0.0)


def _served(prelude: Strand, known: Mapping[tuple[str | None, str], list[Strand]]) -> Strand | None:
    """The operation nearest in time that had to do with this blob or, failing that, this host."""
    if prelude.is_login and Kind.PING in prelude.kinds:
        return None
    fitting = _fitting(prelude, prelude.digests, known) or _fitting(prelude, prelude.hosts, known)
    return min(
        fitting,
        key=lambda op: (abs(op.started - prelude.started), op.started),
        default=None,
    )


def _fitting(
    prelude: Strand,
    names: Iterable[str],
    known: Mapping[tuple[str | None, str], list[Strand]],
) -> list[Strand]:
    fitting: dict[int, Strand] = {}
    for name in names:
        operations = known.get((prelude.client_host, name), [])
        soon = bisect_right(operations, prelude.started + PRELUDE, key=lambda op: op.started)
        for operation in operations[max(soon - MOST_SERVED, 0) : soon]:
            if not operation.silent_at(prelude.started) and _may_serve(prelude, operation):
                fitting[id(operation)] = operation
    return list(fitting.values())


def _found_elsewhere(prelude: Strand, pulls: Mapping[str | None, list[Strand]]) -> Strand | None:
    """The pull that went on at another host at once, of a mirror that did not answer."""
    if prelude.kinds - {Kind.PING, Kind.CONNECT} or prelude.ping_at is not None:
        return None
    found = pulls.get(prelude.client_host, [])
    after = bisect_right(found, prelude.last_seen, key=lambda op: op.started)
    for operation in found[after : after + 1]:
        soon = operation.started - prelude.last_seen <= AT_ONCE
        if soon and operation.family in _HAVE_MIRRORS and _same_client(prelude, operation):
            return operation
    return None


def _may_serve(prelude: Strand, operation: Strand) -> bool:
    """An answered ping opens one operation; one that has its own is not its."""
    if _is_another_attempt(prelude, operation):
        return False
    if prelude.connections & operation.connections:
        return True
    if not _same_client(prelude, operation) or _apart(prelude, operation):
        return False
    if Kind.STORAGE in prelude.kinds and not _same_program(prelude.any_client, operation.client):
        return False
    return prelude.ping_at is None or operation.ping_at is None


#: What says nothing of a repository; of other requests, ``/v1/_ping``.
_ASKS_NOTHING = frozenset({Kind.PING, Kind.CONNECT, Kind.OTHER})


def _is_another_attempt(prelude: Strand, operation: Strand) -> bool:
    """Refused, or a ping beside the operation's own, and longer before or after than the client
    would go on with one thing; or refused after a push was in place."""
    if prelude.kinds - _ASKS_NOTHING:
        return False
    refused = all(leg.refused and not leg.is_challenge for leg in prelude.legs)
    if not refused and (prelude.ping_at is None or operation.ping_at is None):
        return False
    before = operation.started - prelude.last_seen
    after = operation.idle_at(prelude.started)
    if before > (AT_ONCE if operation.family in _PING_ONCE else AGAIN):
        return True
    return after > _goes_on_for(operation, prelude) if refused else after > AGAIN


#: Who does not come back to a registry that can't be reached or refuses its ping.
_PING_ONCE = CONTAINERD_RESOLVER | {Family.DOCKER, Family.DOCKER_CLI}


def _goes_on_for(operation: Strand, prelude: Strand) -> float:
    """Seconds in which what is refused may still be a part of it."""
    if operation.done is not None:
        return 0.0
    last = operation.last
    if operation.may_be_whole or (last is not None and last.status in {401, 403, 404}):
        return AT_ONCE
    only_connects = prelude.kinds == {Kind.CONNECT}
    return max(AGAIN, HABITS[operation.family].grace) if only_connects else AGAIN


def _same_attempt(prelude: Strand, other: Strand) -> bool:
    """One client trying in vain: its ping, and the tunnels it could not open after it."""
    if other.silent_at(prelude.started) or other.gave_up_by(prelude.started):
        return False
    return not prelude.is_login and not other.is_login and _same_client(prelude, other)
