"""Strands: legs that exact keys tie together, with a running summary of what they say.

The keys: a redirect that was followed, an upload session, a token and its uses, one kept-alive
connection. A strand is cut where what follows serves another operation: after a long silence, or
once its manifest is in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from regtrace.follow.joins import bare, realms_in, referrer, referring_endpoint
from regtrace.follow.story import by_start
from regtrace.wire.client import CONTAINERD_RESOLVER, HABITS, Client, Family
from regtrace.wire.endpoint import Endpoint, Route
from regtrace.wire.leg import BLOB_KINDS, MANIFEST_KINDS, UPLOAD_KINDS, Kind, Leg
from regtrace.wire.manifest import referenced
from regtrace.wire.url import Url

#: Seconds of silence after which the same client asking for the same repository is someone new,
#: when its family's own back-off is not longer.
SILENCE = 90.0
#: Seconds between a failure and what a client does about it that does not wait.
AT_ONCE = 1.0
#: Seconds that a leg without an answer is taken to be busy: a large layer over a slow line.
BUSY = 3600.0

#: Registries whose images have another name than their host (containerd registry.go DefaultHost).
_API_HOSTS = {"docker.io": "registry-1.docker.io"}

_WRITES = (UPLOAD_KINDS | {Kind.MANIFEST_PUT}) - {Kind.UPLOAD_STATUS}
_NEVER = float("-inf")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-")


@dataclass(slots=True, eq=False)
class Strand:
    """Legs of one client, and what they say together. It grows, and takes other strands in."""

    legs: list[Leg] = field(default_factory=list)
    started: float = float("inf")
    last_seen: float = _NEVER
    last: Leg | None = None
    """The leg that was seen last."""
    busy_until: float = _NEVER
    """Until when a leg without an answer keeps it alive."""
    host: str | None = None
    """Address of who addresses the registry; a token may be fetched from elsewhere."""
    any_host: str | None = None
    client: Client | None = None
    """Of who addresses the registry; a token may be fetched by another program."""
    any_client: Client | None = None
    connections: set[str] = field(default_factory=set)
    """The kept-alive connections on which it addressed the registry."""
    registries: set[str] = field(default_factory=set)
    """Host names: a wrong Location changes scheme and port, not the operation."""
    addresses: set[tuple[str, int, str]] = field(default_factory=set)
    """Whom it addressed, by the name that images have: with the port, unless that goes without
    saying, and the prefix. Sessions are asked where an answer led, right or wrong."""
    realms: set[Url] = field(default_factory=set)
    """Token endpoints that were asked, or named by a challenge."""
    hosts: set[str] = field(default_factory=set)
    led_to: set[str] = field(default_factory=set)
    """Host names that these legs were told to go to: realms, upload Locations, redirects."""
    written: str | None = None
    """The first repository that was written to, or that a token to push was asked for."""
    read: str | None = None
    kinds: set[Kind] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)
    tag: str | None = None
    """The first tag that was asked for or written."""
    manifest_found: bool = False
    manifest_refused: bool = False
    """The answer was no, and not that somebody has to log in first."""
    done: Leg | None = None
    """The last manifest that was put in place under a tag."""
    tagged: set[str | None] = field(default_factory=set)
    """Digests of the manifests that were put under a tag."""
    push_token_at: float | None = None
    """When the first token to push was granted, one for a mount not counted."""
    mount_token_at: float | None = None
    """When the first token was granted that also reads the repository of a mount."""
    push_token_until: float = _NEVER
    token_refused_at: float = _NEVER
    challenged_at: float = _NEVER
    """When it was last told to log in."""
    ping_at: float | None = None
    """When the registry answered its ping."""
    traces: dict[str, str] = field(default_factory=dict)
    """Leg id → the trace that it was part of."""
    is_login: bool = False

    @property
    def client_host(self) -> str | None:
        return self.host or self.any_host

    @property
    def repository(self) -> str | None:
        return self.written or self.read

    @property
    def family(self) -> Family:
        client = self.client or self.any_client
        return client.family if client else Family.UNKNOWN

    @property
    def patience(self) -> float:
        """Seconds of silence after which nothing more is expected of it."""
        return max(SILENCE, HABITS[self.family].grace)

    @property
    def writes(self) -> bool:
        return bool(self.kinds & _WRITES)

    @property
    def reads_only(self) -> bool:
        return self.written is None and not self.writes

    @property
    def trace(self) -> str | None:
        """The one trace of all its legs; a mesh that gives each request its own says nothing."""
        named = set(self.traces.values())
        return min(named) if len(named) == 1 and len(self.traces) > 1 else None

    @property
    def only_fetches(self) -> bool:
        return self.reads_only and bool(self.kinds & _FETCHES)

    @property
    def only_resolves(self) -> bool:
        """It asked for the right to read, and for nothing but a manifest then."""
        return self.reads_only and Kind.TOKEN in self.kinds and not self.kinds & BLOB_KINDS

    @property
    def only_looks_for_blobs(self) -> bool:
        """containers/image asks other repositories for a blob to mount while it pushes."""
        return self.kinds <= _LOOKING and Kind.BLOB_HEAD in self.kinds

    @property
    def found_no_manifest(self) -> bool:
        """It asked for one by tag, and was told that it is not there; nothing else went wrong."""
        refused = [leg for leg in self.legs if leg.refused and not leg.is_challenge]
        lost = bool(refused) and all(
            leg.kind in MANIFEST_KINDS and leg.status == 404 for leg in refused
        )
        return lost and self.tag is not None and not self.manifest_found and self.reads_only

    @property
    def got_no_manifest(self) -> bool:
        """It was refused, or is not there."""
        return self.reads_only and self.manifest_refused and not self.manifest_found

    def was_read_by(self, moment: float) -> bool:
        """A pull that found its manifest and what it wanted of it: who asks for the tag then is at
        another. A build asks again for each of its stages."""
        if not self.reads_only or not self.manifest_found or self.family is Family.BUILDKIT:
            return False
        if Kind.BLOB_GET in self.kinds:
            return self.idle_at(moment) > 0.0
        return self.family in CONTAINERD_RESOLVER and self.idle_at(moment) > AT_ONCE

    @property
    def may_be_whole(self) -> bool:
        """A pull that lacks nothing that it asked for."""
        read = self.reads_only and self.manifest_found
        return read and self.last is not None and self.last.succeeded

    @property
    def got_no_token(self) -> bool:
        """The last thing it heard is that it gets none."""
        last = self.last
        refused = last is not None and last.kind is Kind.TOKEN and last.status in {401, 403}
        return last is not None and refused and not is_first_form(last)

    def gave_up_by(self, moment: float) -> bool:
        """It failed, and its client has stopped trying."""
        if self.last is None or not (self.got_no_manifest or _is_error(self.last)):
            return False
        waited = self.idle_at(moment)
        habits, status = HABITS[self.family], self.last.status or 0
        never_waits = self.client is not None and self.family in CONTAINERD_RESOLVER
        if never_waits and 400 <= status < 500 and status not in {408, 429}:
            return waited > AT_ONCE
        return waited > (habits.throttled_grace if status == 429 else habits.grace)

    def idle_at(self, moment: float) -> float:
        """Seconds since it was last heard of, or had to be waited for."""
        return moment - max(self.last_seen, self.busy_until)

    def silent_at(self, moment: float) -> bool:
        return self.idle_at(moment) > self.patience

    def add(self, leg: Leg) -> None:
        self.legs.append(leg)
        self.kinds.add(leg.kind)
        self.started = min(self.started, leg.started)
        self._see(leg)
        if leg.in_flight:
            self.busy_until = max(self.busy_until, leg.started + BUSY)
        self.any_host = self.any_host or leg.exchange.connection.client_host
        if leg.endpoint:
            self.host = self.host or leg.exchange.connection.client_host
        self._add_places(leg)
        self._add_client(leg)
        if leg.kind is Kind.TOKEN:
            self._add_token(leg)
        if leg.kind is Kind.PING and leg.status is not None and leg.status < 500:
            self.ping_at = leg.started if self.ping_at is None else self.ping_at
        if leg.bearer and leg.status == 401:
            self.token_refused_at = max(self.token_refused_at, leg.started)
        if leg.is_challenge:
            self.challenged_at = max(self.challenged_at, leg.last_seen)
        if leg.digest:
            self.digests.add(leg.digest)
        if leg.kind in MANIFEST_KINDS:
            self._add_manifest(leg)

    def _see(self, leg: Leg) -> None:
        seen = leg.last_seen
        if seen > self.last_seen:
            self.last_seen, self.last = seen, leg

    def _add_places(self, leg: Leg) -> None:
        named = realms_in(leg)
        self.realms.update(named)
        self.hosts.add(leg.url.host)
        self.led_to.update(realm.host for realm in named)
        if leg.location:
            self.led_to.add(leg.location.host)
        if leg.kind is Kind.STORAGE and (told := referrer(leg)) is not None:
            self.registries.add(told.host)
        if leg.kind is Kind.TOKEN:
            self.realms.add(bare(leg.url))
        if leg.endpoint:
            self.registries.add(leg.url.host)
            if leg.exchange.connection.id:
                self.connections.add(leg.exchange.connection.id)
            if leg.endpoint.route is not Route.UPLOAD:
                self._add_address(leg.url.host, leg.url.port, leg.endpoint.prefix)
            # A mirror is asked in the registry's name (containerd resolver.go addNamespace).
            if (namesake := leg.url.param("ns")) is not None:
                host, _, port = namesake.partition(":")
                host = _API_HOSTS.get(host, host)
                self.registries.add(host)
                known = port.isdecimal() and len(port) <= 5
                self._add_address(host, int(port) if known else 443, "")
        written, read = repositories_of(leg)
        self.written = self.written or written
        self.read = self.read or read

    def _add_address(self, host: str, port: int, prefix: str) -> None:
        self.addresses.add((host, 0 if port in {80, 443} else port, prefix))

    def _add_client(self, leg: Leg) -> None:
        known = leg.client is not None and leg.client.family is not Family.UNKNOWN
        if leg.endpoint and (self.client is None or (known and self._is_nobody(self.client))):
            self.client = leg.client
        if self.any_client is None or (known and self._is_nobody(self.any_client)):
            self.any_client = leg.client

    @staticmethod
    def _is_nobody(client: Client) -> bool:
        return client.family is Family.UNKNOWN

    def _add_token(self, leg: Leg) -> None:
        if leg.token_reply and leg.token_reply.token and wants_push(leg):
            granted = leg.last_seen
            if _is_for_mount(leg):
                self.mount_token_at = _first(self.mount_token_at, granted)
            else:
                self.push_token_at = _first(self.push_token_at, granted)
            self.push_token_until = max(self.push_token_until, granted + leg.token_reply.lifetime)

    def _add_manifest(self, leg: Leg) -> None:
        if leg.tag and not is_attachment(leg.tag):
            self.tag = self.tag or leg.tag
        self.manifest_found = self.manifest_found or leg.succeeded
        if leg.tag and leg.refused and not leg.is_challenge:
            self.manifest_refused = True
        if leg.manifest:
            self.digests.update(d.digest for d in referenced(leg.manifest) if d.digest)
        if leg.kind is Kind.MANIFEST_PUT and leg.succeeded and leg.tag:
            self.tagged.add(leg.digest)
            if self.done is None or leg.started >= self.done.started:
                self.done = leg

    def take(self, other: Strand) -> None:
        """Everything of the other, which is not used any more."""
        self.legs += other.legs
        self.started = min(self.started, other.started)
        if other.last is not None:
            self._see(other.last)
        self.busy_until = max(self.busy_until, other.busy_until)
        self.host = self.host or other.host
        self.any_host = self.any_host or other.any_host
        self.client = self.client or other.client
        self.any_client = self.any_client or other.any_client
        for mine, others in (
            (self.connections, other.connections),
            (self.registries, other.registries),
            (self.hosts, other.hosts),
            (self.led_to, other.led_to),
            (self.digests, other.digests),
        ):
            mine |= others
        self.addresses |= other.addresses
        self.realms |= other.realms
        self.kinds |= other.kinds
        self.tagged |= other.tagged
        self.traces |= other.traces
        self.written = self.written or other.written
        self.read = self.read or other.read
        self.tag = self.tag or other.tag
        self.manifest_found = self.manifest_found or other.manifest_found
        self.manifest_refused = self.manifest_refused or other.manifest_refused
        if other.done and (self.done is None or other.done.started >= self.done.started):
            self.done = other.done
        self.push_token_at = _first(self.push_token_at, other.push_token_at)
        self.mount_token_at = _first(self.mount_token_at, other.mount_token_at)
        self.push_token_until = max(self.push_token_until, other.push_token_until)
        self.token_refused_at = max(self.token_refused_at, other.token_refused_at)
        self.challenged_at = max(self.challenged_at, other.challenged_at)
        self.ping_at = _first(self.ping_at, other.ping_at)
        self.is_login = self.is_login or other.is_login


def _is_error(leg: Leg) -> bool:
    """No answer that a client goes on from as a matter of course."""
    asked = leg.status == 404 and leg.kind in _QUESTIONS
    return leg.refused and not (leg.is_challenge or asked or is_first_form(leg))


#: To these, "not there" is an answer like another: signatures, caches, what is still to be pushed.
_QUESTIONS = frozenset(
    {Kind.MANIFEST_HEAD, Kind.MANIFEST_GET, Kind.BLOB_HEAD, Kind.REFERRERS, Kind.TAGS}
)
_FETCHES = frozenset({Kind.MANIFEST_GET, Kind.BLOB_GET})
_LOOKING = frozenset({Kind.BLOB_HEAD, Kind.STORAGE, Kind.TOKEN})


def _first(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)


def is_attachment(tag: str) -> bool:
    """``sha256-<hex>``, ``….sig``, ``….att``, ``….sbom``: what belongs to another manifest.

    distribution-spec "Referrers Tag Schema"; cosign pkg/oci/remote/remote.go suffixTag.
    """
    algorithm, _, rest = tag.partition("-")
    hexes = rest.partition(".")[0]
    return algorithm in {"sha256", "sha512"} and len(hexes) >= 64 and hexes.isalnum()


def wants_push(leg: Leg) -> bool:
    """Whether a token leg asks for the right to push."""
    scopes = leg.token_request.scopes if leg.token_request else ()
    return any("push" in scope.actions for scope in scopes)


def is_first_form(leg: Leg) -> bool:
    """containerd asks for a token with POST first, and with GET where that is not known (core/
    remotes/docker/authorizer.go doBearerAuth): the refusal of the first form is never the last."""
    goes_on = leg.client is not None and leg.client.family in CONTAINERD_RESOLVER
    refused = leg.status in {400, 401, 404, 405}
    return leg.kind is Kind.TOKEN and leg.method == "POST" and goes_on and refused


def _is_for_mount(leg: Leg) -> bool:
    """Whether a token is for several repositories: containerd and buildkit fetch another one, in
    the middle of a push, to mount from a second repository (containerd
    core/remotes/docker/pusher.go, ContextWithAppendPullRepositoryScope)."""
    scopes = leg.token_request.scopes if leg.token_request else ()
    return len({scope.name for scope in scopes if scope.type == "repository"}) > 1


def repository_of(legs: Iterable[Leg]) -> str | None:
    """The repository that these legs write to, else the one that they read."""
    first_read = None
    for leg in legs:
        written, read = repositories_of(leg)
        if written:
            return written
        first_read = first_read or read
    return first_read


def repositories_of(leg: Leg) -> tuple[str | None, str | None]:
    """The repository that this leg writes to, and the one that it reads."""
    if leg.kind is Kind.TOKEN:
        return _asked_for(leg)
    endpoint: Endpoint | None = leg.endpoint or referring_endpoint(leg)
    if endpoint is not None and endpoint.repository:
        if leg.kind in UPLOAD_KINDS or leg.kind is Kind.MANIFEST_PUT:
            return endpoint.repository, None
        return None, endpoint.repository
    return (leg.state.name if leg.state and leg.state.name else None), None


def _asked_for(leg: Leg) -> tuple[str | None, str | None]:
    written = read = None
    for scope in leg.token_request.scopes if leg.token_request else ():
        if scope.type == "repository" and "push" in scope.actions:
            written = written or scope.name
        elif scope.type == "repository":
            read = read or scope.name
    return written, read


# --- tied by exact keys


def strands(legs: Sequence[Leg], sources: Mapping[str, str]) -> list[Strand]:
    """The strands of these legs (in the order in which they began), cut where one ends."""
    parents = {leg.id: leg.id for leg in legs}

    def root(name: str) -> str:
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    brought = _brought(legs)
    uses = _uses(legs, brought)
    next_use = _next_uses(legs, brought)
    second_try = _second_tries(legs)
    traces = _traces(legs)
    first_with: dict[tuple[object, ...], str] = {}
    for leg in legs:
        for other in (sources.get(leg.id), next_use.get(leg.id), second_try.get(leg.id)):
            if other in parents:
                parents[root(leg.id)] = root(other)
        for key in _keys(leg, uses, traces.get(leg.id, "")):
            parents[root(leg.id)] = root(first_with.setdefault(key, leg.id))
    together: dict[str, list[Leg]] = {}
    for leg in legs:
        together.setdefault(root(leg.id), []).append(leg)
    pieces = [piece for tied in together.values() for piece in _cut(tied, sources)]
    if traces:
        for piece in pieces:
            piece.traces = {leg.id: traces[leg.id] for leg in piece.legs if leg.id in traces}
    return pieces


def _brought(legs: Iterable[Leg]) -> dict[str, int]:
    """Token → how many replies brought it."""
    brought: dict[str, int] = {}
    for leg in legs:
        if leg.token_reply and leg.token_reply.token:
            sha = leg.token_reply.token.sha256
            brought[sha] = brought.get(sha, 0) + 1
    return brought


def _next_uses(legs: Sequence[Leg], brought: Mapping[str, int]) -> dict[str, str]:
    """Token leg → the first use of its token after it, for tokens that are given several times."""
    uses: dict[tuple[str, str | None, str], str] = {}
    following: dict[str, str] = {}
    for leg in reversed(legs):
        if leg.bearer and leg.endpoint and brought.get(leg.bearer.sha256, 0) > 1:
            uses[leg.bearer.sha256, leg.repository, _host(leg)] = leg.id
        elif leg.token_reply and leg.token_reply.token:
            sha, wanted = leg.token_reply.token.sha256, repository_of([leg])
            if (use := uses.get((sha, wanted, _host(leg)))) is not None:
                following[leg.id] = use
    return following


def _second_tries(legs: Iterable[Leg]) -> dict[str, str]:
    """A request that had to fail → the one that its client sends in its place: for a token in the
    other form (containerd core/remotes/docker/authorizer.go, buildkit util/resolver/authorizer.go),
    and of a build, whose connections others share, the same with a token."""
    waiting: dict[tuple[object, ...], list[Leg]] = {}
    second: dict[str, str] = {}
    for leg in legs:
        if leg.kind is not Kind.TOKEN and not _is_build(leg):
            continue
        wish = _wish(leg)
        if wish is None:
            continue
        tries = waiting.get(wish, [])
        first = next((t for t in tries if t.last_seen <= leg.started and _differ(t, leg)), None)
        if first is not None:
            second[first.id] = leg.id
            tries.remove(first)
        elif leg.status in {400, 401, 404, 405} and len(tries) < _MOST_TRIES:
            waiting.setdefault(wish, tries).append(leg)
    return second


#: First tries of one kind that wait for their second one at the same time.
_MOST_TRIES = 64


def _wish(leg: Leg) -> tuple[object, ...] | None:
    """What is asked for, in words that the second try has too."""
    if leg.kind is Kind.TOKEN:
        product = leg.client.product if leg.client else ""
        scopes = leg.token_request.scopes if leg.token_request else ()
        return _host(leg), product, bare(leg.url), frozenset(scopes)
    if leg.endpoint and (leg.bearer or leg.is_challenge):
        return _host(leg), leg.method, leg.url
    return None


def _differ(first: Leg, second: Leg) -> bool:
    if first.kind is Kind.TOKEN:
        at_once = second.started - first.last_seen <= AT_ONCE
        return first.method != second.method and (at_once or first.method == "POST")
    return first.bearer is None and second.bearer is not None


def _is_build(leg: Leg) -> bool:
    return leg.client is not None and leg.client.family is Family.BUILDKIT


_Uses = dict[str, list[tuple[str, str]]]


def _uses(legs: Iterable[Leg], brought: Mapping[str, int]) -> _Uses:
    """Token → the repositories it was used for, each with the client's address.

    A token that several replies brought ties its uses to nothing: ghcr.io and others give the same
    one each time, and then it says no more than whose it is.
    """
    uses: _Uses = {}
    for leg in legs:
        if not (leg.bearer and leg.endpoint and leg.repository):
            continue
        if brought.get(leg.bearer.sha256, 0) <= 1:
            known = uses.setdefault(leg.bearer.sha256, [])
            use = (leg.repository, _host(leg))
            if use not in known[-8:]:
                known.append(use)
    return uses


def _keys(leg: Leg, uses: _Uses, trace: str) -> list[tuple[object, ...]]:
    """What ties this leg to others for certain."""
    keys: list[tuple[object, ...]] = []
    if leg.session and leg.kind in UPLOAD_KINDS:
        keys.append(("session", leg.session, _host(leg)))
    if leg.token_reply and leg.token_reply.token:
        sha = leg.token_reply.token.sha256
        use = _use_of(leg, uses.get(sha, []))
        if use is not None:
            keys.append(("token", sha, *use))
    if leg.endpoint is None or not leg.repository:
        return keys
    if leg.bearer and leg.bearer.sha256 in uses:
        keys.append(("token", leg.bearer.sha256, leg.repository, _host(leg)))
    if trace:
        keys.append(("trace", trace, leg.repository, _host(leg)))
    if leg.exchange.connection.id and (sharer := _sharer(leg, trace)) is not None:
        connection = leg.exchange.connection.id, leg.url.host, leg.url.port
        keys.append(("connection", *connection, leg.repository, *sharer))
    return keys


def _traces(legs: Iterable[Leg]) -> dict[str, str]:
    """Leg id → the trace that its request is part of (W3C Trace Context 3.2.2): one build."""
    traces: dict[str, str] = {}
    for leg in legs:
        told = leg.exchange.request.headers.get("traceparent") if leg.endpoint else None
        if told is not None and (match := _TRACEPARENT.match(told)) is not None:
            traces[leg.id] = match[1]
    return traces


def _sharer(leg: Leg, trace: str) -> tuple[str, ...] | None:
    """Who uses this connection, as far as it is one push's; None where it says nothing.

    All builds of one buildkitd share theirs (resolver.go), each with its own token. Who opens one
    for each request has this from a proxy in front, which others use too.
    """
    if leg.client is None:
        return ()
    if leg.client.connection_per_request:
        return None
    if not _is_build(leg):
        return (leg.client.product,)
    who = trace or (leg.bearer.sha256 if leg.bearer else "")
    return (who,) if who or not leg.is_challenge else None


def _use_of(leg: Leg, uses: list[tuple[str, str]]) -> tuple[str, str] | None:
    """The use that this token was fetched for: of the repository it was asked for, by the same
    client or, since buildkit lets its caller fetch it, by another."""
    wanted = repository_of([leg])
    fitting = [use for use in uses if wanted is None or use[0] == wanted]
    own = [use for use in fitting if use[1] == _host(leg)]
    return next(iter(own or fitting), None)


def _host(leg: Leg) -> str:
    return leg.exchange.connection.client_host or ""


# --- cut into operations


def _cut(legs: Iterable[Leg], sources: Mapping[str, str]) -> list[Strand]:
    """The legs of a strand in pieces: what ties them may serve several operations in turn.

    A redirect is followed where it was given, however late, and an upload goes on where it was
    opened: signed URLs and sessions are kept until they end.
    """
    pieces = [Strand()]
    place: dict[str, Strand] = {}
    for leg in sorted(legs, key=by_start):
        piece = pieces[-1]
        silent = piece.silent_at(leg.started) and not any(
            place.get(name) is piece for name in (sources.get(leg.id), leg.session) if name
        )
        if piece.legs and (silent or _begins_anew(leg, piece)):
            pieces.append(piece := Strand())
        piece.add(leg)
        place[leg.id] = piece
        if leg.session:
            place[leg.session] = piece
    result = pieces[:1]
    for piece in pieces[1:]:
        if _goes_on(piece, result[-1]):
            result[-1].take(piece)
        else:
            result.append(piece)
    return result


def _begins_anew(leg: Leg, piece: Strand) -> bool:
    if piece.done is not None:
        return leg.started >= piece.done.last_seen and leg.kind in _BEGINNINGS
    # One pull after another: each asks for its own tag, or once more for one that was not there.
    reading = leg.kind in {Kind.MANIFEST_HEAD, Kind.MANIFEST_GET} and piece.reads_only
    if not reading or None in {leg.tag, piece.tag} or is_attachment(leg.tag or ""):
        return False
    if piece.gave_up_by(leg.started) or piece.was_read_by(leg.started - AT_ONCE):
        return True
    return leg.tag != piece.tag and piece.manifest_found


_BEGINNINGS = BLOB_KINDS | MANIFEST_KINDS | {Kind.TOKEN}


def _goes_on(piece: Strand, before: Strand) -> bool:
    """Whether what came after a finished manifest is still the same push."""
    if before.done is None or before.silent_at(piece.started):
        return False
    return tags_again(piece, before) or _fills(piece, before.done)


def tags_again(piece: Strand, before: Strand) -> bool:
    """The same manifest under more tags, and nothing else."""
    return (
        before.done is not None
        and piece.tagged == {before.done.digest}
        and not piece.kinds & BLOB_KINDS
    )


def _fills(piece: Strand, done: Leg) -> bool:
    """Blobs after the manifest that lists them (cosign pkg/oci/remote/write.go)."""
    listed = {d.digest for d in referenced(done.manifest)} if done.manifest else set()
    blobs_only = bool(piece.kinds & UPLOAD_KINDS) and not piece.kinds & MANIFEST_KINDS
    return blobs_only and piece.digests <= listed
