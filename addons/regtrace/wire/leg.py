"""A leg: one exchange with its meaning. What a leg can be, and what was read from it.

Words as in the distribution specification. ``repository``, ``tag``, ``digest`` and ``session``
are what this exchange itself says; what it belongs to is found in ``follow``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from regtrace.wire.answerer import Answerer
from regtrace.wire.challenge import Challenge
from regtrace.wire.client import Client, Family
from regtrace.wire.coding import is_readable
from regtrace.wire.endpoint import Endpoint
from regtrace.wire.errors import ErrorBody
from regtrace.wire.exchange import Exchange
from regtrace.wire.manifest import Manifest
from regtrace.wire.presigned import Presigned
from regtrace.wire.registry import Product
from regtrace.wire.storage import Vendor
from regtrace.wire.token import Credentials, Token, TokenReply, TokenRequest
from regtrace.wire.transport import Failure, is_of_connecting, read_failure, upstream_status
from regtrace.wire.upload import UploadState
from regtrace.wire.url import Url


class Kind(str, Enum):
    PING = "ping"
    TOKEN = "token"
    BLOB_HEAD = "blob-head"
    BLOB_GET = "blob-get"
    BLOB_DELETE = "blob-delete"
    MOUNT = "mount"
    UPLOAD_START = "upload-start"
    UPLOAD_CHUNK = "upload-chunk"
    UPLOAD_COMMIT = "upload-commit"
    UPLOAD_STATUS = "upload-status"
    UPLOAD_CANCEL = "upload-cancel"
    MANIFEST_HEAD = "manifest-head"
    MANIFEST_GET = "manifest-get"
    MANIFEST_PUT = "manifest-put"
    MANIFEST_DELETE = "manifest-delete"
    TAGS = "tags"
    CATALOG = "catalog"
    REFERRERS = "referrers"
    STORAGE = "storage"
    CONNECT = "connect"
    OTHER = "other"


UPLOAD_KINDS = frozenset(
    {
        Kind.UPLOAD_START,
        Kind.UPLOAD_CHUNK,
        Kind.UPLOAD_COMMIT,
        Kind.UPLOAD_STATUS,
        Kind.UPLOAD_CANCEL,
        Kind.MOUNT,
    }
)
BLOB_KINDS = UPLOAD_KINDS | {Kind.BLOB_HEAD, Kind.BLOB_GET, Kind.BLOB_DELETE}
MANIFEST_KINDS = frozenset(
    {Kind.MANIFEST_HEAD, Kind.MANIFEST_GET, Kind.MANIFEST_PUT, Kind.MANIFEST_DELETE}
)

#: What a registry answers itself, and may have to ask its storage for.
REGISTRY_KINDS = BLOB_KINDS | MANIFEST_KINDS | {Kind.PING, Kind.TAGS, Kind.CATALOG}

_NEED_LENGTH = frozenset({Family.DOCKER, Family.CONTAINERS_IMAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    exchange: Exchange
    kind: Kind
    url: Url
    endpoint: Endpoint | None = None
    client: Client | None = None
    product: Product | None = None
    """The registry, when this leg tells which one it is."""
    bearer: Token | None = None
    """The Bearer token that this request carried."""
    credentials: Credentials | None = None
    challenges: tuple[Challenge, ...] = ()
    token_request: TokenRequest | None = None
    token_reply: TokenReply | None = None
    location: Url | None = None
    """Where the answer points: a redirect's target, or an upload session's next URL."""
    presigned: Presigned | None = None
    """The signature in this request's own URL."""
    vendor: Vendor | None = None
    digest: str | None = None
    """From the path, the query or the storage layout; of a manifest, also from its bytes."""
    session: str | None = None
    state: UploadState | None = None
    manifest: Manifest | None = None
    error: ErrorBody | None = None
    answerer: Answerer | None = None
    """Who answered, when it was not the registry's own voice."""
    is_page: bool = False
    """A 2xx with a web page where a registry answers in JSON, or with nothing: a portal's, or a
    filter's. (A blob may be one.)"""
    intact: bool | None = None
    """Whether the bytes that came are those that were asked for by digest; None: not known."""

    @property
    def id(self) -> str:
        return self.exchange.id

    @property
    def method(self) -> str:
        return self.exchange.request.method

    @property
    def status(self) -> int | None:
        return self.exchange.response.status if self.exchange.response else None

    @property
    def started(self) -> float:
        return self.exchange.started

    @property
    def ended(self) -> float | None:
        return self.exchange.ended

    @property
    def last_seen(self) -> float:
        """The latest moment that this leg is known to have been alive."""
        request = self.exchange.request
        return self.exchange.ended or request.ended or request.started

    @property
    def repository(self) -> str | None:
        return self.endpoint.repository if self.endpoint else None

    @property
    def tag(self) -> str | None:
        return self.endpoint.tag if self.endpoint else None

    @property
    def in_flight(self) -> bool:
        return self.exchange.response is None and self.exchange.error is None

    @property
    def broken(self) -> bool:
        """The transport failed: no complete answer came."""
        return self.exchange.error is not None

    @property
    def succeeded(self) -> bool:
        positive = self.status is not None and 200 <= self.status < 300
        return positive and not (self.broken or self.is_useless)

    @property
    def is_useless(self) -> bool:
        """A 2xx that clients take for a refusal: a web page, no token, other bytes than were asked
        for, or a blob without its length."""
        wrong = self.is_page or self.intact is False
        return wrong or self.brought_no_token or self.lacks_length

    @property
    def brought_no_token(self) -> bool:
        """A token server's 2xx in whose body, all of it known, there is no token: the page of
        something else, or JSON without one. Docker's clients take it for a refusal."""
        response, asked = self.exchange.response, self.token_request
        if asked is None or response is None or not 200 <= response.status < 300:
            return False
        reply = self.token_reply
        if response.body.kept is None or (reply and reply.token):
            return False
        if reply and reply.refresh and not asked.scopes:
            return False  # a login that is exchanged for one to keep (Azure's /oauth2/exchange)
        # CAS and other logins have a service= too; they are asked by browsers.
        known = self.client is not None and self.client.family is not Family.UNKNOWN
        return is_readable(response.headers) and bool(known or asked.scopes)

    @property
    def lacks_length(self) -> bool:
        """A blob's HEAD without a Content-Length, asked by a client that gives up on it (docker
        client/repository.go blobStatter.Stat, containers/image docker_client.go)."""
        asks = self.method == "HEAD" and self.kind in {Kind.BLOB_HEAD, Kind.STORAGE}
        response, client = self.exchange.response, self.client
        if not asks or response is None or client is None or response.status != 200:
            return False
        return client.family in _NEED_LENGTH and "Content-Length" not in response.headers

    @property
    def redirects(self) -> bool:
        return self.status in {301, 302, 303, 307, 308} and self.location is not None

    @property
    def leads_nowhere(self) -> bool:
        """A redirect that names no target, as S3's from a wrong endpoint."""
        status = self.status
        return status is not None and 300 <= status < 400 and status != 304 and not self.redirects

    @property
    def refused(self) -> bool:
        """Answered with a client or server error, or with a 2xx that is useless, or not at all."""
        negative = self.status is not None and self.status >= 400
        return negative or self.broken or self.is_useless

    @property
    def left_by_client(self) -> bool:
        """The client went away: while it waited or read, or in the middle of what it sent."""
        exchange = self.exchange
        if exchange.error is None:
            return False
        failure = self.failure
        unsent = exchange.request.ended is None and exchange.response is None
        return failure is Failure.LEFT or (failure is Failure.UNSENT and unsent)

    @property
    def failure(self) -> Failure | None:
        """How the transport failed; None when it did not."""
        error, connection = self.exchange.error, self.exchange.connection
        if error is None:
            return None
        if not connection.through_answered and is_of_connecting(error):
            return Failure.UPSTREAM_PROXY_UNREACHED
        return read_failure(error)

    @property
    def failed_at_proxy(self) -> bool:
        """Another proxy on the way out was not reached, or wants a login: of the server, and of its
        address, that tells nothing."""
        if self.failure is Failure.UPSTREAM_PROXY:
            return upstream_status(self.exchange.error or "") == 407
        return self.failure is Failure.UPSTREAM_PROXY_UNREACHED

    @property
    def is_challenge(self) -> bool:
        """A 401 to who has not said yet who he is: the beginning of a login, no refusal.

        A token server is never asked twice: who has an account sends it along at once. Nor is a
        storage by a signed URL: it is the login (Swift names a realm all the same).
        """
        asked_first = self.status == 401 and not self.credentials and self.kind is not Kind.TOKEN
        return asked_first and bool(self.challenges) and self.presigned is None

    @property
    def registry(self) -> str:
        """Which registry was addressed: host and port, and what stands before ``/v2/``."""
        return self.url.authority + (self.endpoint.prefix if self.endpoint else "")
