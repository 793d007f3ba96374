"""A small notation of registry traffic, which compiles to exchanges.

Examples and tests are written in it. What a line leaves out is what a correct push would have
shown: headers, tokens, Locations, digests, error bodies, times. ``read_notation`` gives the
exchanges, ``read_names`` what the names stand for. The same text always gives the same exchanges.

A story
-------
::

    client docker/20.10.24                          # who speaks, until the next client line
    GET /v2/                         -> 401         # with a challenge
    token push,pull team/app         -> 200         # a JWT that grants it; later legs carry it
    HEAD blob L1                     -> 404
    POST uploads                     -> 202         # opens session u1
    & POST uploads                   -> 202         # u2, together with the line above
    PATCH u1 L1                      -> 202         # its body is all of L1
    PUT u1 L1                        -> 201
    HEAD blob L1                     -> 307 s3      # to a presigned URL
    HEAD s3 L1                       -> 403         # the client follows it
      < Server: MinIO                               # a header of the answer, set or replaced
    +5s PATCH u2 5MB                 -> 413 nginx sent=1MB
    PUT manifest 1 [cfg L1 L2]       -> 201

Legs
----
One line each: ``WHAT -> ANSWER``. A line begins when the one above has ended. In front may stand,
in this order: ``+5s`` to wait, ``&`` to begin together with the line above, ``NAME:`` for another
client than the last one declared.

What is asked:

=====================================  =========================================================
``GET /any/path``, ``GET https://…``   a path of the registry, or any URL
``HEAD blob L1``                       also GET, DELETE; ``range=100-`` asks for a part;
                                       ``body=L9`` or ``body=5kB`` is what comes instead
``POST uploads``                       ``mount=L1 from=other/app``, ``digest=L1``
``PATCH u1 L1``, ``PATCH u1 5MB``      an upload session; of 5MB the content is not known
``PUT u1 L1``                          the commit; ``body=L1`` sends the blob with it
``GET u1``, ``DELETE u1``              asks how far it is, cancels it
``PUT manifest 1 [cfg L1 L2]``         by tag; also HEAD, GET, DELETE. ``@M1`` is by digest
``GET referrers M1``, ``GET tags``     under ``/v2/<repository>/``
``HEAD s3 L1``                         what a redirect to this storage named: also ``minio``,
                                       ``ceph``, ``r2``, ``gcs``, ``azure``, ``cloudfront``,
                                       ``oss``, ``swift``, or one that was declared
``token push,pull team/app``           any number of such pairs; none is a login. ``anonymous``,
                                       ``POST`` (the OAuth form), ``grant=pull`` or ``grant=none``
                                       (less than asked), ``access="pull other/app"`` (something
                                       else), ``lives=60``, ``opaque``, ``for=CLIENT``; of the
                                       JWT ``aud=NAME``, ``iss=NAME``
``CONNECT auth.test:443``              a tunnel, only with ``!``
=====================================  =========================================================

What is answered:

=====================================  =========================================================
``200``                                with what belongs to it
``404 NAME_UNKNOWN "no such name"``    the registry's error code and message
``401 insufficient_scope``             the challenge's error; ``401 none``: without a challenge
``202 u7``                             the name of the session that it opens
``307 s3``, ``307 https://…``          a redirect
``403 AccessDenied "no such key"``     of a storage: its error code and message
``502 nginx``                          a page of nginx, in place of the registry
``! server closed connection``         the transport broke, before an answer or (``200 ! …``) in it
``! server-tls: certificate expired``  of CONNECT: ``server-connect`` (when not said),
                                       ``server-tls`` or ``client-tls``
``?``                                  not answered yet
=====================================  =========================================================

On any leg: ``in=other/app`` (repository), ``took=30s``, ``sent=1MB`` (of the request's body, when
it was cut; ``sent=all`` when only the answer was), ``c=2`` (a connection by name; ``c=*2`` one
that clients share, ``c=?`` not recorded), ``server=10.1.1.1`` (who was connected),
``through=proxy.corp:3128`` (another proxy on the way out; with ``unanswered``, it was not reached,
or what it said was no proxy's answer), ``clock=+120s`` (the server's clock is wrong), ``no-auth``
(without credentials; a ping carries some with ``auth`` only: ``GET /v2/ auth``, the second half of
a login), ``http2`` (over HTTP/2).

Indented lines below a leg change it, ``>`` what was sent, ``<`` what came back::

    POST uploads -> 202
      > Expect: 100-continue        # set, or replaced
      > +Cookie: a=b                # added, also to one of that name
      < -Range                      # removed
      < Location: http://registry.test/v2/team/app/blobs/uploads/x
      << a body                     # no comment: all of this line is the body

Several ``<<`` lines are joined; ``<<`` alone is an empty body, ``<< ?`` one not recorded. A
changed Location is where ``PATCH u1`` goes next.

Declarations
------------
They hold from their line on.

=======================================  =======================================================
``client docker/24.0.7 from 10.0.0.7``   its User-Agent is filled in for ``docker``,
                                         ``docker-containerd``, ``containerd``, ``buildkit``,
                                         ``podman``, ``skopeo``, ``crane``, ``kaniko``,
                                         ``regctl``, ``oras``, ``jib``, ``dotnet``; ``"any text"``
                                         is taken as it is, ``-`` sends none. Every client has an
                                         address of its own; ``from ?`` is not recorded
``client A = skopeo/1.14``               a client with a name, for ``A: HEAD …``
``registry https://registry.test:5050``  ``basic`` (no tokens) or ``open`` (no login at all)
``realm https://auth.test/token``        ``service=NAME``
``repository team/app``                  where legs go that name none
``storage own https://s3.test/bucket``   where ``307 own`` leads; signs and answers like ``s3``,
                                         or as ``signed=gcs`` says; ``s3-v2`` signs as of old
``blob L1 5MB``                          its size; 1 MB when not declared, ``cfg…`` 1 kB
``image M1 = cfg L1 L2``                 a manifest by name; ``docker`` instead of OCI types,
                                         ``subject=M0``. The first blob is the config
``index I1 = M1 M2``                     an image index; ``M1:linux/amd64`` names a platform
=======================================  =======================================================

Names like ``L1`` need no declaration. ``#`` begins a comment.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from http import HTTPStatus
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from regtrace.wire.client import Client, Family, read_client
from regtrace.wire.exchange import Body, Connection, Exchange, Headers, Request, Response
from regtrace.wire.url import Url, parse_url

#: When every story begins: 2026-01-15 12:00:00 UTC.
BEGINNING = 1_768_478_400.0

#: Seconds that a leg takes, and between the end of one and the beginning of the next.
_TAKES, _GAP, _TOGETHER = 0.05, 0.01, 0.001

_MEDIA = "application/vnd.oci.image."
_DOCKER_MEDIA = "application/vnd.docker."


class NotationError(ValueError):
    """A line that can't be read. The message names the line and what was expected."""


def read_notation(text: str, *, beginning: float = BEGINNING) -> tuple[Exchange, ...]:
    """The exchanges of a story, in the order of its lines; ``line-7`` is the id of line 7's.

    ``beginning``: when it begins, epoch seconds UTC. Raises :class:`NotationError`.
    """
    return tuple(_read(text, beginning).exchanges)


def read_names(text: str) -> dict[str, str]:
    """What the names in a story stand for: blob, image or index → its digest."""
    story = _read(text)
    images = {name: _digest(image.body) for name, image in story.images.items()}
    return {name: _named_digest(name) for name in story.blobs} | images


def _read(text: str, beginning: float = BEGINNING) -> _Story:
    story = _Story(beginning)
    for line in _lines(text):
        try:
            story.take(line)
        except NotationError as fault:
            raise NotationError(f"line {line.number}: {fault}: {line.text!r}") from None
    return story


# --- lines


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    changes: tuple[str, ...] = ()
    """The indented lines below."""


_COMMENT = re.compile(r"(^|\s)#(\s.*)?$")


def _lines(text: str) -> Iterator[_Line]:
    current: _Line | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line[:1] in {"<", ">"}:
            if current is None:
                raise NotationError(f"line {number}: nothing to change above it: {line!r}")
            change = line if line[:2] in {"<<", ">>"} else _COMMENT.sub("", line).strip()
            current = replace(current, changes=(*current.changes, change))
        elif line := _COMMENT.sub("", line).strip():
            if current:
                yield current
            current = _Line(number, line)
    if current:
        yield current


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as fault:
        raise NotationError(f"a quote is not closed ({fault})") from None


_OPTION = re.compile(r"([a-z]+)=(.*)", re.DOTALL)


def _options(words: Iterable[str], allowed: frozenset[str]) -> tuple[list[str], dict[str, str]]:
    """Plain words, and ``name=value`` options."""
    plain: list[str] = []
    options: dict[str, str] = {}
    for word in words:
        match = _OPTION.fullmatch(word)
        if match is None:
            plain.append(word)
        elif match[1] not in allowed:
            raise NotationError(f"no option {match[1]}=; there are {', '.join(sorted(allowed))}")
        else:
            options[match[1]] = match[2]
    return plain, options


_UNITS = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "MiB": 2**20}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kKMG]?i?B)")


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None or match[2] not in _UNITS:
        raise NotationError(f"{text!r} is no size; write 5MB, 12kB or 300B")
    return int(float(match[1]) * _UNITS[match[2]])


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([+-]?[0-9]+(?:\.[0-9]+)?)s", text)
    if match is None:
        raise NotationError(f"{text!r} is no time; write 5s or 0.2s")
    return float(match[1])


# --- what names stand for


def _sha(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _named_digest(name: str) -> str:
    """A digest for a name; one that is written out stands for itself."""
    return name if name.startswith("sha256:") else f"sha256:{_sha(name)}"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _hashed(body: Body) -> Body:
    """As a proxy records it: what is kept has a digest too."""
    return replace(body, digest=_digest(body.kept)) if body.kept else body


@dataclass(frozen=True, slots=True)
class _Image:
    body: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return _digest(self.body)


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _agents(product: str, version: str) -> str:
    """The whole User-Agent behind ``product/version``, as these programs send it."""
    docker = (
        f"docker/{version} go/go1.21.5 git-commit/311b9ff kernel/6.1.0 os/linux arch/amd64{{}}"
        f" UpstreamClient(Docker-Client/{version} \\(linux\\))"
    )
    known = {
        "docker": docker.format(""),
        "docker-containerd": docker.format(
            " containerd-client/2.1.4+unknown storage-driver/overlayfs"
        ),
        "podman": f"containers/{version} (github.com/containers/image)",
        "crane": f"crane/{version} go-containerregistry/{version}",
        "regctl": f"regclient/regctl ({version})",
        "jib": f"jib {version} jib-maven-plugin Google-HTTP-Java-Client/1.42.3 (gzip)",
        "dotnet": f".NET Container Library v{version}",
    }
    return known.get(product, f"{product}/{version}")


# --- who and where


@dataclass(slots=True)
class _Speaker:
    """A client process: what it sends with every request, and what it was given."""

    name: str
    agent: str | None
    address: str | None
    client: Client | None
    tokens: dict[str, str] = field(default_factory=dict)
    """Repository → Bearer token; empty name: the last one."""

    @property
    def family(self) -> Family:
        return self.client.family if self.client else Family.UNKNOWN

    @property
    def connection_per_request(self) -> bool:
        return self.client is not None and self.client.connection_per_request

    def token_for(self, repository: str | None) -> str | None:
        return self.tokens.get(repository or "") or self.tokens.get("")


@dataclass(frozen=True, slots=True)
class _Registry:
    url: Url
    auth: str = "bearer"


@dataclass(frozen=True, slots=True)
class _Storage:
    base: str
    signed: str


_STORAGES = {
    "s3": _Storage("https://registry-bucket.s3.eu-central-1.amazonaws.com", "s3"),
    "s3-v2": _Storage("https://registry-bucket.s3.amazonaws.com", "s3-v2"),
    "minio": _Storage("https://minio.example.com:9000/registry", "minio"),
    "ceph": _Storage("https://rgw.example.com/registry", "ceph"),
    "r2": _Storage("https://0123456789abcdef.r2.cloudflarestorage.com/registry", "r2"),
    "gcs": _Storage("https://storage.googleapis.com/registry-bucket", "gcs"),
    "azure": _Storage("https://registry.blob.core.windows.net/container", "azure"),
    "cloudfront": _Storage("https://d111111abcdef8.cloudfront.net", "cloudfront"),
    "oss": _Storage("https://registry.oss-eu-central-1.aliyuncs.com", "oss"),
    "swift": _Storage("https://swift.example.com/v1/AUTH_registry/container", "swift"),
}

#: Storages that sign as S3 does.
_LIKE_S3 = frozenset({"s3", "minio", "ceph", "r2"})


def _signed_url(storage: _Storage, digest: str, method: str, now: float, count: int) -> str:
    """A presigned URL of distribution's layout, valid for 20 minutes; no two are equal."""
    hexes = digest.partition(":")[2]
    path = f"/docker/registry/v2/blobs/sha256/{hexes[:2]}/{hexes}/data"
    moment = datetime.fromtimestamp(now, timezone.utc)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    signature = _sha("signature", digest, method, str(count))
    queries = {
        "s3": {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"AKIAIOSFODNN7EXAMPLE/{day}/eu-central-1/s3/aws4_request",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": "1200",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": signature,
        },
        "gcs": {
            "X-Goog-Algorithm": "GOOG4-RSA-SHA256",
            "X-Goog-Credential": f"r@p.iam.gserviceaccount.com/{day}/auto/storage/goog4_request",
            "X-Goog-Date": stamp,
            "X-Goog-Expires": "1200",
            "X-Goog-SignedHeaders": "host",
            "X-Goog-Signature": signature,
        },
        "azure": {
            "sv": "2022-11-02",
            "se": datetime.fromtimestamp(now + 1200, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sr": "b",
            "sp": "r",
            "sig": base64.b64encode(bytes.fromhex(signature)).decode(),
        },
        "cloudfront": {
            "Expires": str(int(now + 1200)),
            "Signature": signature,
            "Key-Pair-Id": "K2JCJMDEHXQW5F",
        },
        "s3-v2": {
            "AWSAccessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "Expires": str(int(now + 1200)),
            "Signature": signature,
        },
        "oss": {
            "OSSAccessKeyId": "LTAI5EXAMPLEEXAMPLE",
            "Expires": str(int(now + 1200)),
            "Signature": signature,
        },
        "swift": {"temp_url_sig": signature, "temp_url_expires": str(int(now + 1200))},
    }
    kind = "s3" if storage.signed in _LIKE_S3 else storage.signed
    return f"{storage.base}{path}?{urlencode(queries[kind])}"


@dataclass(slots=True)
class _Session:
    """An upload session: where its next request goes."""

    name: str
    uuid: str
    repository: str
    location: str
    stored: int = 0


# --- a leg while it is put together


@dataclass(slots=True)
class _Draft:
    speaker: _Speaker
    method: str
    url: Url
    target: str
    """Path and query as they will be sent."""
    about: str
    """What is asked: the word of the notation (``blob``, ``uploads``, ``session``, …)."""
    started: float = 0.0
    seconds: float = _TAKES
    repository: str | None = None
    digest: str | None = None
    session: _Session | None = None
    storage: str = ""
    """How the storage signs."""
    image: _Image | None = None
    granted: str | None = None
    """The token that a 200 brings."""
    sent: list[tuple[str, str]] = field(default_factory=list)
    sent_body: Body = field(default_factory=Body)
    status: int | None = None
    error: str | None = None
    tunnel: str | None = None
    received: list[tuple[str, str]] = field(default_factory=list)
    received_body: Body = field(default_factory=Body)

    @property
    def address(self) -> str:
        return f"{self.url.origin}{self.target}"


_LEG = re.compile(
    r"(?:\+(?P<wait>[0-9.]+s)\s+)?(?P<together>&\s*)?(?:(?P<who>\w+):\s+)?"
    r"(?P<ask>\S.*?)\s+->\s*(?P<answer>.*)"
)
_LEG_OPTIONS = frozenset(
    {"in", "took", "sent", "c", "server", "through", "clock", "mount", "from", "digest", "body"}
    | {"range", "grant", "lives", "for", "access", "aud", "iss"}
)
_FLAGS = frozenset({"http2", "unanswered"})
_CONTENTS = re.compile(r"\[([^\]]*)\]")
_CODE = re.compile(r"[A-Z][A-Z_]{3,}")
_CAMEL = re.compile(r"[A-Z][A-Za-z]+")
_TUNNEL = re.compile(r"(server-connect|server-tls|client-tls):\s*(.*)")


class _Story:
    """What has been told so far: the state that the next line stands on."""

    def __init__(self, beginning: float) -> None:
        self.exchanges: list[Exchange] = []
        self.blobs: dict[str, int] = {}
        self.images: dict[str, _Image] = {}
        self._sizes: dict[str, int] = {}
        self._clock = beginning
        self._began = beginning
        self._speakers: dict[str, _Speaker] = {}
        self._speaker: _Speaker | None = None
        self._registry = _Registry(Url("https", "registry.test", 443, ""))
        self._realm = "https://auth.test/token"
        self._service = "registry.test"
        self._repository = "team/app"
        self._storages = dict(_STORAGES)
        self._sessions: dict[str, _Session] = {}
        self._tags: dict[tuple[str, str, str], _Image] = {}
        self._redirects: dict[tuple[str, str, str], tuple[str, str]] = {}
        self._basic: set[str] = set()

    def take(self, line: _Line) -> None:
        head, _, rest = line.text.partition(" ")
        if " ->" in line.text:
            self._leg(line)
        elif line.changes:
            raise NotationError("only a leg can be changed by < and >")
        elif (wait := re.fullmatch(r"\+([0-9.]+s)", line.text)) is not None:
            self._clock += _seconds(wait[1])
        elif (declare := _DECLARATIONS.get(head)) is not None:
            declare(self, rest.strip())
        else:
            known = ", ".join(sorted(_DECLARATIONS))
            raise NotationError(f"expected 'WHAT -> ANSWER', or one of {known}")

    # --- declarations

    def declare_client(self, text: str) -> None:
        words = _words(text)
        name = words[0] if words[1:2] == ["="] else ""
        agent, *rest = words[2:] if name else words or [""]
        if not agent or (rest and (len(rest) != 2 or rest[0] != "from")):
            raise NotationError("expected 'client [NAME =] PRODUCT/VERSION [from ADDRESS]'")
        address = rest[1] if rest else f"10.0.0.{len(self._speakers) + 1}"
        product, slash, version = agent.partition("/")
        if slash and " " not in agent:
            agent = _agents(product, version)
        headers = Headers([("User-Agent", agent)])
        name = name or f"client {len(self._speakers) + 1}"
        self._speaker = self._speakers[name] = _Speaker(
            name,
            None if agent == "-" else agent,
            None if address == "?" else address,
            None if agent == "-" else read_client(headers),
        )

    def declare_registry(self, text: str) -> None:
        address, _, auth = text.partition(" ")
        if auth and auth not in {"bearer", "basic", "open"}:
            raise NotationError("a registry is bearer, basic or open")
        url = _url(address)
        self._registry = _Registry(replace(url, path=url.path.rstrip("/")), auth or "bearer")

    def declare_realm(self, text: str) -> None:
        plain, options = _options(_words(text), frozenset({"service"}))
        self._realm = plain[0] if plain else self._realm
        self._service = options.get("service", self._service)

    def declare_repository(self, text: str) -> None:
        self._repository = text

    def declare_storage(self, text: str) -> None:
        plain, options = _options(_words(text), frozenset({"signed"}))
        signed = options.get("signed", "s3")
        if len(plain) != 2 or signed not in _STORAGES:
            raise NotationError(
                f"expected 'storage NAME URL [signed=KIND]', KIND of {', '.join(_STORAGES)}"
            )
        self._storages[plain[0]] = _Storage(plain[1].rstrip("/"), signed)

    def declare_blob(self, text: str) -> None:
        name, _, size = text.partition(" ")
        self._set_size(name, _size(size.strip()))

    def declare_image(self, text: str) -> None:
        name, contents, options = self._named(text, "image NAME = CONFIG LAYER …")
        docker = contents[-1:] == ["docker"]
        blobs = contents[:-1] if docker else contents
        self.images[name] = self._image_of(blobs, docker, options.get("subject"))

    def declare_index(self, text: str) -> None:
        name, contents, _ = self._named(text, "index NAME = IMAGE IMAGE …")
        body = {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}index.v1+json",
            "manifests": [self._entry(*child.split(":", 1)) for child in contents],
        }
        self.images[name] = _Image(json.dumps(body).encode(), f"{_MEDIA}index.v1+json")

    def _entry(self, name: str, platform: str = "") -> dict[str, object]:
        image = self._known_image(name)
        entry = _descriptor(image.media_type, image.digest, len(image.body))
        if platform:
            words = ("os", "architecture", "variant")
            entry["platform"] = dict(zip(words, platform.split("/"), strict=False))
        return entry

    def _named(self, text: str, form: str) -> tuple[str, list[str], dict[str, str]]:
        plain, options = _options(_words(text), frozenset({"subject"}))
        if len(plain) < 3 or plain[1] != "=":
            raise NotationError(f"expected '{form}'")
        return plain[0], plain[2:], options

    # --- names

    def _blob(self, name: str) -> str:
        if name.startswith("sha256:"):
            return name
        if name not in self.blobs:
            self._set_size(name, 1000 if name.startswith("cfg") else 1_000_000)
        return _named_digest(name)

    def _set_size(self, name: str, size: int) -> None:
        self.blobs[name] = size
        self._sizes[_named_digest(name)] = size

    def _blob_size(self, digest: str) -> int:
        return self._sizes.get(digest, 1_000_000)

    def _known_image(self, name: str) -> _Image:
        if name not in self.images:
            raise NotationError(f"no image or index is called {name}; declare it: image {name} = …")
        return self.images[name]

    def _image_of(self, blobs: list[str], docker: bool, subject: str | None = None) -> _Image:
        manifest, config, layer = (
            (
                f"{_DOCKER_MEDIA}distribution.manifest.v2+json",
                f"{_DOCKER_MEDIA}container.image.v1+json",
                f"{_DOCKER_MEDIA}image.rootfs.diff.tar.gzip",
            )
            if docker
            else (f"{_MEDIA}manifest.v1+json", f"{_MEDIA}config.v1+json", f"{_MEDIA}layer.v1.tar")
        )
        parts = [(digest, self._blob_size(digest)) for digest in map(self._blob, blobs)]
        if not parts:
            raise NotationError("an image has a config at least: [cfg L1]")
        body: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": manifest,
            "config": _descriptor(config, *parts[0]),
            "layers": [_descriptor(layer, *part) for part in parts[1:]],
        }
        if subject:
            of = self._known_image(subject)
            body["subject"] = _descriptor(of.media_type, of.digest, len(of.body))
        return _Image(json.dumps(body).encode(), manifest)

    # --- legs

    def _leg(self, line: _Line) -> None:
        match = _LEG.fullmatch(line.text)
        if match is None:
            raise NotationError("expected 'WHAT -> ANSWER'")
        speaker = self._speaker_called(match["who"])
        contents = _CONTENTS.search(match["ask"])
        ask = _CONTENTS.sub(" ", match["ask"])
        answer, bang, error = match["answer"].partition("!")
        asked, options = _options(_words(ask), _LEG_OPTIONS)
        answered, more = _options(_words(answer), _LEG_OPTIONS)
        options |= more
        auth = "auth" in asked or not ("no-auth" in asked or asked[1:] == ["/v2/"])
        options |= dict.fromkeys(_FLAGS.intersection(asked), "")
        asked = [word for word in asked if word not in {"auth", "no-auth", *_FLAGS}]

        blobs = contents[1].split() if contents else None
        draft = self._asked(speaker, asked, options, blobs)
        self._set_times(draft, match["wait"], bool(match["together"]), options)
        self._fill_request(draft, options, auth)
        self._set_answer(draft, answered, error.strip() if bang else None)
        self._fill_answer(draft, answered, options)
        _apply(draft, line.changes)
        self._remember(draft, answered, options)
        self.exchanges.append(self._exchange(draft, line.number, options))

    def _speaker_called(self, name: str | None) -> _Speaker:
        if name is not None and name not in self._speakers:
            raise NotationError(f"no client is called {name}; declare it: client {name} = …")
        if name is None and self._speaker is None:
            self.declare_client("docker/24.0.7")
        speaker = self._speaker if name is None else self._speakers[name]
        assert speaker is not None
        return speaker

    def _asked(
        self,
        speaker: _Speaker,
        words: list[str],
        options: Mapping[str, str],
        blobs: list[str] | None,
    ) -> _Draft:
        """Where the request goes."""
        if words[:1] == ["token"]:
            return self._token(speaker, words[1:], options)
        if len(words) < 2:
            raise NotationError("expected a method and what it asks for: HEAD blob L1")
        method, about, *rest = words
        if method == "CONNECT":
            url = _url(f"https://{about}")
            return _Draft(speaker, method, url, "", "tunnel")
        if about.startswith(("http://", "https://")):
            return self._absolute(speaker, method, about)
        if about.startswith("/"):
            return self._at_registry(speaker, method, about, "ping" if about == "/v2/" else "other")
        repository = options.get("in", self._repository)
        if about in self._sessions:
            return self._in_session(speaker, method, self._sessions[about], rest, options)
        if about in self._storages and rest:
            return self._at_storage(speaker, method, about, self._blob(rest[0]))
        draft = self._in_repository(speaker, method, repository, words[1:], options, blobs)
        if draft is None:
            raise NotationError(
                f"{' '.join(words[1:])!r} is nothing to ask for; known are /path, URL, blob,"
                f" uploads, manifest, referrers, tags, a session ({', '.join(self._sessions)}),"
                f" a storage ({', '.join(self._storages)})"
            )
        draft.repository = repository
        return draft

    def _in_repository(
        self,
        speaker: _Speaker,
        method: str,
        repository: str,
        words: list[str],
        options: Mapping[str, str],
        blobs: list[str] | None,
    ) -> _Draft | None:
        """A path under ``/v2/<repository>/``, or None when these words mean none."""
        base = f"/v2/{quote(repository)}"
        match words:
            case ["blob", name]:
                digest = self._blob(name)
                draft = self._at_registry(speaker, method, f"{base}/blobs/{digest}", "blob")
                draft.digest = digest
                return draft
            case ["uploads"]:
                return self._start(speaker, method, f"{base}/blobs/uploads/", options)
            case ["manifest", reference, *image]:
                return self._manifest(speaker, method, repository, [reference, *image], blobs)
            case ["referrers", image]:
                digest = self._known_image(image.lstrip("@")).digest
                path = f"{base}/referrers/{digest}"
                return self._at_registry(speaker, method, path, "referrers")
            case ["tags"]:
                return self._at_registry(speaker, method, f"{base}/tags/list", "tags")
        return None

    def _at_registry(self, speaker: _Speaker, method: str, path: str, about: str) -> _Draft:
        url = self._registry.url
        return _Draft(speaker, method, url, url.path + path, about)

    def _absolute(self, speaker: _Speaker, method: str, address: str) -> _Draft:
        url = _url(address)
        target = "/" + address.split("://", 1)[1].partition("/")[2]
        at_registry = url.authority == self._registry.url.authority
        return _Draft(speaker, method, url, target, "other" if at_registry else "elsewhere")

    def _start(
        self, speaker: _Speaker, method: str, path: str, options: Mapping[str, str]
    ) -> _Draft:
        query = {key: options[key] for key in ("mount", "from", "digest") if key in options}
        for key in {"mount", "digest"} & query.keys():
            query[key] = self._blob(query[key])
        path += f"?{urlencode(query)}" if query else ""
        draft = self._at_registry(speaker, method, path, "uploads")
        draft.digest = query.get("mount") or query.get("digest")
        return draft

    def _in_session(
        self,
        speaker: _Speaker,
        method: str,
        session: _Session,
        words: list[str],
        options: Mapping[str, str],
    ) -> _Draft:
        draft = self._absolute(speaker, method, session.location)
        draft.about, draft.session, draft.repository = "session", session, session.repository
        if method == "PATCH" and words:
            draft.sent_body = self._content(words[0])
        elif method == "PUT" and words:
            draft.digest = self._blob(words[0])
            # Go's clients encode the whole query anew, its keys sorted.
            joint = "&" if "?" in draft.target else "?"
            draft.target += f"{joint}digest={quote(draft.digest)}"
            if "body" in options:
                draft.sent_body = self._content(options["body"])
        return draft

    def _content(self, word: str) -> Body:
        """A streamed body: a whole blob by name, or so many bytes of something."""
        if word[:1].isdigit():
            return Body(None, _size(word))
        digest = self._blob(word)
        return Body(None, self._blob_size(digest), digest)

    def _manifest(
        self,
        speaker: _Speaker,
        method: str,
        repository: str,
        words: list[str],
        blobs: list[str] | None,
    ) -> _Draft:
        reference = words[0]
        image: _Image | None = None
        if blobs is not None:
            image = self._image_of(blobs, docker=speaker.family is Family.DOCKER)
        elif len(words) > 1:
            image = self._known_image(words[1])
        elif reference.startswith("@"):
            image = self._known_image(reference[1:])
        else:
            image = self._tags.get((self._registry.url.origin, repository, reference))
        image = image or self._image_of(["cfg", "L1"], docker=speaker.family is Family.DOCKER)
        last = image.digest if reference.startswith("@") else reference
        path = f"/v2/{quote(repository)}/manifests/{last}"
        draft = self._at_registry(speaker, method, path, "manifest")
        draft.image, draft.digest = image, image.digest
        return draft

    def _at_storage(self, speaker: _Speaker, method: str, name: str, digest: str) -> _Draft:
        told = self._redirects.get((name, digest, method)) or self._redirects.get(
            (name, digest, "")
        )
        if told is None:
            url = _signed_url(self._storages[name], digest, method, self._clock, 0)
            told = (url, "")
        draft = self._absolute(speaker, method, told[0])
        draft.about, draft.digest = "storage", digest
        draft.storage = self._storages[name].signed
        # Go names the redirecting URL, except on the way from https to http (client.go).
        downgraded = told[1].startswith("https") and draft.url.scheme == "http"
        if told[1] and speaker.family is not Family.JIB and not downgraded:
            draft.sent.append(("Referer", told[1]))
        return draft

    def _token(self, speaker: _Speaker, words: list[str], options: Mapping[str, str]) -> _Draft:
        flags = {"anonymous", "POST", "opaque"}
        pairs = [word for word in words if word not in flags]
        scopes = _pairs(pairs)
        query = [("service", self._service)]
        query += [("scope", f"repository:{name}:{actions}") for actions, name in scopes]
        url = _url(self._realm)
        draft = _Draft(speaker, "GET", url, url.path, "token")
        if "POST" in words:
            draft.method = "POST"
            form = [("grant_type", "password"), *query, ("username", "alice"), ("password", "pw")]
            draft.sent_body = Body.of(urlencode(form).encode())
            draft.sent.append(("Content-Type", "application/x-www-form-urlencoded"))
        else:
            named = [] if "anonymous" in words else [("account", "alice")]
            draft.target += f"?{urlencode(named + query)}"
        if "POST" not in words and "anonymous" not in words:
            draft.sent.append(("Authorization", _BASIC))
        if "opaque" in words:
            draft.granted = "opaque" + _sha("token", str(len(self.exchanges)))[:32]
        else:
            user = "" if "anonymous" in words else "alice"
            draft.granted = self._granted(scopes, user, options)
        return draft

    def _granted(self, scopes: list[tuple[str, str]], user: str, options: Mapping[str, str]) -> str:
        serial = str(len(self.exchanges))
        allowed = options.get("grant")
        if "access" in options:
            scopes = _pairs(_words(options["access"]))
        access = [
            {"type": "repository", "name": name, "actions": sorted(_cut_down(actions, allowed))}
            for actions, name in scopes
        ]
        now = int(self._clock + _seconds(options.get("clock", "0s")))
        claims = {
            "iss": options.get("iss", "token-server"),
            "sub": user,
            "aud": options.get("aud", self._service),
            "exp": now + int(options.get("lives", "300")),
            "nbf": now,
            "iat": now,
            "jti": _sha("jti", serial)[:32],
            "access": [entry for entry in access if entry["actions"]],
        }
        header = {"typ": "JWT", "alg": "RS256", "kid": "KEYS:TEST"}
        parts = [json.dumps(part).encode() for part in (header, claims)]
        parts.append(hashlib.sha256(parts[1]).digest())
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)

    # --- the request

    def _set_times(
        self, draft: _Draft, wait: str | None, together: bool, options: Mapping[str, str]
    ) -> None:
        if together and self.exchanges:
            draft.started = self._began + _TOGETHER
        else:
            draft.started = self._clock
        draft.started += _seconds(wait) if wait else 0.0
        draft.seconds = _seconds(options["took"]) if "took" in options else _TAKES
        self._began = draft.started
        self._clock = max(self._clock, draft.started + draft.seconds + _GAP)

    def _fill_request(self, draft: _Draft, options: Mapping[str, str], auth: bool) -> None:
        host = draft.url.authority if draft.url.port not in {80, 443} else draft.url.host
        fields = [("Host", host)]
        speaker = draft.speaker
        if speaker.agent:
            fields.append(("User-Agent", speaker.agent))
        if draft.about == "manifest" and draft.method == "PUT" and draft.image:
            draft.sent_body = Body.of(draft.image.body)
            fields.append(("Content-Type", draft.image.media_type))
        if draft.method in {"POST", "PATCH", "PUT"}:
            chunked = draft.method == "PATCH" and speaker.family in {Family.DOCKER, Family.JIB}
            size = ("Content-Length", str(draft.sent_body.size))
            fields.append(("Transfer-Encoding", "chunked") if chunked else size)
        if "range" in options:
            fields.append(("Range", f"bytes={options['range']}"))
        if auth and draft.about not in {"token", "storage", "elsewhere", "tunnel"}:
            fields += self._credentials(draft)
        if speaker.family is Family.CONTAINERS_IMAGE:
            fields.append(("Docker-Distribution-API-Version", "registry/2.0"))
        if speaker.connection_per_request:
            fields.append(("Connection", "close"))
        draft.sent = fields + draft.sent

    def _credentials(self, draft: _Draft) -> list[tuple[str, str]]:
        if self._registry.auth == "basic":
            return [("Authorization", _BASIC)] if draft.speaker.name in self._basic else []
        token = draft.speaker.token_for(draft.repository)
        if token is None or self._registry.auth == "open":
            return []
        return [("Authorization", f"Bearer {token}")]

    # --- the answer

    def _set_answer(self, draft: _Draft, words: list[str], error: str | None) -> None:
        if words == ["?"]:
            return
        draft.error = error
        if words:
            if not re.fullmatch("[1-5][0-9]{2}", words[0]):
                raise NotationError(f"{words[0]!r} is no status, '! error' or '?'")
            draft.status = int(words[0])
        elif error is None:
            raise NotationError("no answer; write a status, '! error' or '?'")
        if draft.about == "tunnel":
            if error is None:
                raise NotationError("a tunnel that opened is no leg; write CONNECT … -> ! why")
            match = _TUNNEL.fullmatch(error)
            draft.tunnel, draft.error = (match[1], match[2]) if match else ("server-connect", error)

    def _fill_answer(self, draft: _Draft, words: list[str], options: Mapping[str, str]) -> None:
        if draft.status is None:
            return
        now = draft.started + draft.seconds + _seconds(options.get("clock", "0s"))
        date = datetime.fromtimestamp(now, timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
        draft.received.append(("Date", date))
        if "nginx" in words:
            self._front_page(draft)
        elif draft.about == "storage":
            self._storage_answer(draft, words, options)
        elif draft.about == "token":
            self._token_answer(draft, options)
        elif draft.about == "elsewhere" and 300 <= draft.status < 400:
            self._redirect(draft, words, options)
        elif draft.about != "elsewhere":
            draft.received.append(("Docker-Distribution-API-Version", "registry/2.0"))
            self._registry_answer(draft, words, options)
        if all(name != "Content-Length" for name, _ in draft.received):
            draft.received.append(("Content-Length", str(draft.received_body.size)))
        if draft.method == "HEAD":
            draft.received_body = Body()

    def _front_page(self, draft: _Draft) -> None:
        title = f"{draft.status} {_reason(draft.status)}"
        page = (
            f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
            "</center>\r\n<hr><center>nginx/1.25.3</center>\r\n</body>\r\n</html>\r\n"
        )
        draft.received += [("Server", "nginx/1.25.3"), ("Content-Type", "text/html")]
        draft.received_body = Body.of(page.encode())

    def _storage_answer(self, draft: _Draft, words: list[str], options: Mapping[str, str]) -> None:
        assert draft.status is not None
        assert draft.digest is not None
        draft.received += _STORAGE_HEADERS[draft.storage]
        if draft.status < 300:
            self._send_blob(draft, draft.digest, options)
        elif draft.status < 400 and words[1:2] and words[1].startswith("http"):
            self._redirect(draft, words, options)
        else:
            self._storage_error(draft, words)

    def _storage_error(self, draft: _Draft, words: list[str]) -> None:
        codes = _AZURE_CODES if draft.storage == "azure" else _STORAGE_CODES
        named = next((word for word in words[1:] if _CAMEL.fullmatch(word)), None)
        code = named or codes.get(draft.status or 0, "InternalError")
        message = next((word for word in words[1:] if word != named), None)
        told = f"<Message>{escape(message)}</Message>" if message else ""
        xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>{told}</Error>'
        draft.received.append(("Content-Type", "application/xml"))
        # Azure says its code in a header, too; MinIO only where there is no body.
        if draft.storage == "azure":
            draft.received.append(("x-ms-error-code", code))
        elif draft.storage == "minio" and draft.method == "HEAD":
            draft.received.append(("x-minio-error-code", code))
        draft.received_body = Body.of(xml.encode())

    def _token_answer(self, draft: _Draft, options: Mapping[str, str]) -> None:
        assert draft.status is not None
        draft.received.append(("Content-Type", "application/json"))
        if draft.status == 200:
            lives = int(options.get("lives", "300"))
            reply: object = {"token": draft.granted, "expires_in": lives}
        else:
            reply = {"details": "incorrect username or password"}
        draft.received_body = Body.of(json.dumps(reply).encode())

    def _registry_answer(self, draft: _Draft, words: list[str], options: Mapping[str, str]) -> None:
        assert draft.status is not None
        if draft.status >= 400:
            self._registry_error(draft, words)
        elif draft.status >= 300:
            self._redirect(draft, words, options)
        elif draft.about == "uploads":
            self._upload_started(draft, words)
        elif draft.about == "session" and draft.session:
            self._upload_went_on(draft, draft.session)
        elif draft.about == "blob" and draft.digest:
            self._send_blob(draft, draft.digest, options)
        elif draft.about == "manifest" and draft.image:
            self._send_manifest(draft, draft.image)
        elif draft.method == "GET":
            draft.received.append(("Content-Type", "application/json"))
            draft.received_body = Body.of(_LISTS.get(draft.about, b"{}"))

    def _registry_error(self, draft: _Draft, words: list[str]) -> None:
        assert draft.status is not None
        if draft.status == 401 and self._registry.auth != "open" and "none" not in words:
            draft.received.append(("WWW-Authenticate", self._challenge(draft, words)))
        code = next((word for word in words[1:] if _CODE.fullmatch(word)), None)
        code = code or _default_code(draft)
        told = [word for word in words[2:] if word != code]
        message = told[0] if told else code.lower().replace("_", " ")
        draft.received.append(("Content-Type", "application/json"))
        errors = {"errors": [{"code": code, "message": message}]}
        draft.received_body = Body.of(json.dumps(errors).encode())

    def _challenge(self, draft: _Draft, words: list[str]) -> str:
        if self._registry.auth == "basic":
            self._basic.add(draft.speaker.name)
            return f'Basic realm="{self._service}"'
        challenge = f'Bearer realm="{self._realm}",service="{self._service}"'
        if draft.repository:
            writes = "pull,push" if draft.method in {"POST", "PATCH", "PUT"} else "pull"
            actions = "delete" if draft.method == "DELETE" else writes
            challenge += f',scope="repository:{draft.repository}:{actions}"'
        carried = any(value.startswith("Bearer") for _, value in draft.sent)
        named = next((word for word in words[1:] if "_" in word and word.islower()), None)
        if named or carried:
            challenge += f',error="{named or "invalid_token"}"'
        return challenge

    def _redirect(self, draft: _Draft, words: list[str], options: Mapping[str, str]) -> None:
        to = words[1] if len(words) > 1 else "s3"
        if not to.startswith(("http", "/")):
            if to not in self._storages or draft.digest is None:
                raise NotationError(
                    f"no storage is called {to}; known: {', '.join(self._storages)}, or a URL"
                )
            count = len(self.exchanges)
            now = draft.started + _seconds(options.get("clock", "0s"))
            to = _signed_url(self._storages[to], draft.digest, draft.method, now, count)
        draft.received.append(("Location", to))

    def _upload_started(self, draft: _Draft, words: list[str]) -> None:
        if draft.status == 201:
            self._stored(draft)
            return
        name = words[1] if len(words) > 1 else self._free_session()
        uuid = _sha("session", name, draft.repository or "")
        uuid = f"{uuid[:8]}-{uuid[8:12]}-4{uuid[13:16]}-8{uuid[17:20]}-{uuid[20:32]}"
        session = _Session(name, uuid, draft.repository or self._repository, "")
        draft.session = session
        self._upload_went_on(draft, session)

    def _free_session(self) -> str:
        return next(f"u{n}" for n in range(1, 10**6) if f"u{n}" not in self._sessions)

    def _upload_went_on(self, draft: _Draft, session: _Session) -> None:
        if draft.method == "PUT":
            self._stored(draft)
            return
        stored = session.stored + (draft.sent_body.size or 0)
        if draft.method != "DELETE":
            path = f"/v2/{session.repository}/blobs/uploads/{session.uuid}"
            state = _state(session.repository, session.uuid, stored)
            url = self._registry.url
            draft.received += [
                ("Location", f"{_plain(url)}{url.path}{path}?_state={state}"),
                ("Docker-Upload-UUID", session.uuid),
                ("Range", f"0-{max(stored - 1, 0)}"),
            ]

    def _stored(self, draft: _Draft) -> None:
        url = self._registry.url
        path = f"{url.path}/v2/{draft.repository}/blobs/{draft.digest}"
        draft.received += [
            ("Location", f"{_plain(url)}{path}"),
            ("Docker-Content-Digest", draft.digest or ""),
        ]

    def _send_blob(self, draft: _Draft, digest: str, options: Mapping[str, str]) -> None:
        size, part = self._blob_size(digest), options.get("range")
        whole = draft.status == 200
        if not whole and part:
            first, _, last = part.partition("-")
            to = int(last) if last else size - 1
            draft.received.append(("Content-Range", f"bytes {first}-{to}/{size}"))
            size = to - int(first) + 1
        draft.received += [
            ("Content-Type", "application/octet-stream"),
            ("Content-Length", str(size)),
        ]
        if draft.about == "blob":
            draft.received.append(("Docker-Content-Digest", digest))
        draft.received_body = Body(None, size, digest if whole else None)
        if "body" in options and draft.method == "GET":
            draft.received_body = self._content(options["body"])

    def _send_manifest(self, draft: _Draft, image: _Image) -> None:
        draft.received.append(("Docker-Content-Digest", image.digest))
        if draft.method == "PUT":
            url = self._registry.url
            path = f"{url.path}/v2/{draft.repository}/manifests/{image.digest}"
            draft.received.append(("Location", f"{_plain(url)}{path}"))
        elif draft.method in {"GET", "HEAD"}:
            draft.received.append(("Content-Type", image.media_type))
            draft.received.append(("Content-Length", str(len(image.body))))
            draft.received_body = Body.of(image.body)

    # --- what the next lines build on

    def _remember(self, draft: _Draft, words: list[str], options: Mapping[str, str]) -> None:
        status = draft.status or 0
        location = Headers(draft.received).get("Location")
        if draft.about == "manifest" and draft.method == "PUT" and status < 300 and draft.image:
            tag = draft.target.rpartition("/")[2]
            self._tags[self._registry.url.origin, draft.repository or "", tag] = draft.image
        if draft.about == "token" and status == 200 and draft.granted:
            self._hand_over(draft, options)
        if location and 300 <= status < 400 and draft.digest:
            name = next((w for w in words[1:] if w in self._storages), "")
            self._redirects[name, draft.digest, draft.method] = (location, draft.address)
            self._redirects[name, draft.digest, ""] = (location, draft.address)
        if draft.session and location and 200 <= status < 300 and draft.method != "PUT":
            base = _url(draft.address)
            if location.startswith("/"):
                location = f"{_plain(base)}{location}"
            draft.session.stored += draft.sent_body.size or 0
            draft.session.location = location
            self._sessions[draft.session.name] = draft.session

    def _hand_over(self, draft: _Draft, options: Mapping[str, str]) -> None:
        speaker = self._speaker_called(options["for"]) if "for" in options else draft.speaker
        token = draft.granted or ""
        text = draft.target + (draft.sent_body.kept or b"").decode()
        for name in re.findall(r"repository%3A(.*?)%3A", text):
            speaker.tokens[name.replace("%2F", "/")] = token
        speaker.tokens[""] = token

    def _exchange(self, draft: _Draft, line: int, options: Mapping[str, str]) -> Exchange:
        ends = draft.started + draft.seconds
        body, sent_at = draft.sent_body, draft.started + 0.4 * draft.seconds
        sent = options.get("sent")
        cut = sent or (draft.error and draft.status is None and body.size)
        if cut and sent != "all":
            size = _size(sent) if sent else body.size
            body = Body(None, size, None, complete=False)
        request = Request(
            method=draft.method,
            scheme=draft.url.scheme,
            host=draft.url.host,
            port=draft.url.port,
            target=draft.target or draft.url.authority,
            headers=Headers(draft.sent),
            body=_hashed(body),
            started=draft.started,
            ended=None if cut and sent != "all" else sent_at,
            version="HTTP/2.0" if "http2" in options else "HTTP/1.1",
        )
        response = None
        if draft.status is not None:
            came = draft.received_body
            if draft.error is not None:
                came = Body(None, came.size, None, complete=False)
            response = Response(
                status=draft.status,
                reason=_reason(draft.status),
                headers=Headers(draft.received),
                body=_hashed(came),
                started=draft.started + 0.8 * draft.seconds,
                ended=None if draft.error is not None else ends,
            )
        return Exchange(
            id=f"line-{line}",
            request=request,
            response=response,
            error=draft.error,
            error_at=ends if draft.error is not None else None,
            tunnel=draft.tunnel,
            connection=self._connection(draft, line, options),
        )

    def _connection(self, draft: _Draft, line: int, options: Mapping[str, str]) -> Connection:
        speaker = draft.speaker
        named = options.get("c")
        if named == "?" or (named is None and speaker.address is None):
            number = ""
        elif named is None and speaker.connection_per_request:
            number = f"connection-{line}"
        else:
            shared = named is not None and named.startswith("*")
            whose = None if shared else speaker.name
            number = "-".join(filter(None, [whose, draft.url.authority, named]))
        through, _, port = options.get("through", "").rpartition(":")
        if "through" in options and not (through and port.isdecimal()):
            raise NotationError("through= takes HOST:PORT")
        reached = draft.tunnel != "server-connect" and not through
        return Connection(
            id=number,
            client_host=speaker.address,
            server_host=options.get("server", "192.0.2.10") if reached else None,
            server_port=draft.url.port if reached else None,
            through=(through, int(port)) if through else None,
            through_answered="unanswered" not in options,
        )


_DECLARATIONS: dict[str, Callable[[_Story, str], None]] = {
    "client": _Story.declare_client,
    "registry": _Story.declare_registry,
    "realm": _Story.declare_realm,
    "repository": _Story.declare_repository,
    "storage": _Story.declare_storage,
    "blob": _Story.declare_blob,
    "image": _Story.declare_image,
    "index": _Story.declare_index,
}

_STORAGE_HEADERS = {
    "s3": [("Server", "AmazonS3"), ("x-amz-request-id", "4442587FB7D0A2F9")],
    "gcs": [("Server", "UploadServer"), ("x-guploader-uploadid", "ABPtcPq5N1mX4Vh0")],
    "azure": [
        ("Server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"),
        ("x-ms-request-id", "cf0b1a5e-901e-0042-3a31-2f8b4f000000"),
    ],
    "cloudfront": [("Via", "1.1 d111.cloudfront.net (CloudFront)"), ("X-Amz-Cf-Id", "k0mQ7fXw")],
    "s3-v2": [("Server", "AmazonS3"), ("x-amz-request-id", "4442587FB7D0A2F9")],
    "minio": [("Server", "MinIO"), ("x-amz-request-id", "17A3C0B1D2E3F405")],
    "ceph": [("x-amz-request-id", "tx000006d4438cefecc1128-006b04aebc-102a-default")],
    "r2": [("Server", "cloudflare"), ("CF-RAY", "8c1f2a3b4c5d6e7f-FRA")],
    "oss": [("Server", "AliyunOSS"), ("x-oss-request-id", "5C3D9175B6FC201293AD4890")],
    "swift": [("X-Trans-Id", "tx4a1f0b7c5d6e4f8a9b0c1-0065a5d2c0")],
}
_STORAGE_CODES = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}
_AZURE_CODES = {403: "AuthenticationFailed", 404: "BlobNotFound", 503: "ServerBusy"}
_BASIC = "Basic " + base64.b64encode(b"alice:pw").decode()
_LISTS = {
    "tags": b'{"name":"team/app","tags":["1"]}',
    "referrers": b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",'
    b'"manifests":[]}',
}
_CODES = {
    400: "UNSUPPORTED",
    401: "UNAUTHORIZED",
    403: "DENIED",
    405: "UNSUPPORTED",
    413: "SIZE_INVALID",
    416: "BLOB_UPLOAD_INVALID",
    429: "TOOMANYREQUESTS",
}
_UNKNOWN = {
    "blob": "BLOB_UNKNOWN",
    "manifest": "MANIFEST_UNKNOWN",
    "session": "BLOB_UPLOAD_UNKNOWN",
}


def _default_code(draft: _Draft) -> str:
    if draft.status == 404:
        return _UNKNOWN.get(draft.about, "NAME_UNKNOWN")
    if draft.status == 400 and draft.about in {"session", "manifest"}:
        return "DIGEST_INVALID" if draft.about == "session" else "MANIFEST_INVALID"
    return _CODES.get(draft.status or 0, "UNKNOWN")


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Actions and the repository that they are on: ``push,pull team/app pull base/app``."""
    if len(words) % 2:
        raise NotationError("expected pairs: push,pull team/app pull base/app")
    return list(zip(words[::2], words[1::2], strict=True))


def _cut_down(actions: str, allowed: str | None) -> set[str]:
    wanted = set(actions.split(","))
    return wanted if allowed is None else wanted & set(allowed.split(","))


def _state(repository: str, uuid: str, offset: int) -> str:
    """distribution's ``_state``: 32 bytes of HMAC, and JSON (registry/handlers/hmac.go)."""
    state = {
        "Name": repository,
        "UUID": uuid,
        "Offset": offset,
        "StartedAt": "2026-01-15T12:00:00Z",
    }
    packed = hashlib.sha256(uuid.encode()).digest() + json.dumps(state).encode()
    return quote(base64.urlsafe_b64encode(packed).decode())


def _url(text: str) -> Url:
    url = parse_url(text)
    if url is None:
        raise NotationError(f"{text!r} is no URL; write https://host:port/path")
    return url


def _plain(url: Url) -> str:
    """The origin as servers write it: without a port that goes without saying."""
    usual = (url.scheme, url.port) in {("http", 80), ("https", 443)}
    return f"{url.scheme}://{url.host}" if usual else url.origin


def _reason(status: int | None) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""


# --- changes below a leg


_CHANGE = re.compile(r"([<>])\s*([+-]?)([A-Za-z0-9-]+)(?::\s*(.*))?")


def _apply(draft: _Draft, changes: tuple[str, ...]) -> None:
    bodies: dict[str, list[str]] = {}
    for text in changes:
        if text.startswith((">>", "<<")):
            bodies.setdefault(text[0], []).append(text[2:].removeprefix(" "))
        else:
            _change_header(draft, text)
    for side, lines in bodies.items():
        body = Body.unrecorded() if lines == ["?"] else Body.of("\n".join(lines).encode())
        if side == ">":
            draft.sent_body = body
        else:
            draft.received_body = body
        length = (
            f"{side} Content-Length: {body.size}" if body.complete else f"{side} -Content-Length"
        )
        _change_header(draft, length)


def _change_header(draft: _Draft, text: str) -> None:
    match = _CHANGE.fullmatch(text)
    if match is None or (match[4] is None) != (match[2] == "-"):
        raise NotationError(f"{text!r} is no change; write '< Name: value', '< -Name' or '<< body'")
    side, sign, name, value = match.groups()
    fields = draft.sent if side == ">" else draft.received
    if side == "<" and draft.status is None:
        raise NotationError(f"there is no answer to change: {text!r}")
    if sign != "+":
        fields[:] = [pair for pair in fields if pair[0].lower() != name.lower()]
    if sign != "-":
        fields.append((name, value))
