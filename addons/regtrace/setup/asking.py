"""Asks a registry what a client would ask, and keeps each answer as an exchange.

The rules that judge captures judge these exchanges too. Nothing is written to the registry unless
it is allowed, and an upload session that was opened is cancelled. A redirect is followed once, and
no login goes along with it.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from regtrace import __version__
from regtrace.report.visible import visible
from regtrace.setup.link import BROKEN, OK, WARNING, Link
from regtrace.setup.places import place_of
from regtrace.setup.roots import trusting
from regtrace.wire.challenge import Challenge, parse_challenges
from regtrace.wire.exchange import (
    Body,
    Connection,
    Exchange,
    Headers,
    Request,
    Response,
    ServerCertificate,
)
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.proxy_settings import ProxySettings
from regtrace.wire.token import read_token_reply
from regtrace.wire.url import DEFAULT_PORTS, parse_url

#: Seconds to connect, and between two pieces of an answer; bytes of one that are read.
_CONNECT, _READ, _MOST = 10.0, 20.0, 1024 * 1024
_TIMEOUT = urllib3.Timeout(connect=_CONNECT, read=_READ)
AGENT = f"regtrace-doctor/{__version__}"

ReadCertificate = Callable[[bytes], "ServerCertificate | None"]


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str = field(repr=False)

    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(slots=True)
class Asking:
    """One who asks, with trust and proxy of its own; what it heard is in ``exchanges``."""

    settings: ProxySettings
    roots: Path
    read_certificate: ReadCertificate
    exchanges: list[Exchange] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def ask(self, method: str, url: str, *, authorization: str = "", referer: str = "") -> Exchange:
        """Ask once. Never raises for what the network does: the exchange holds its error."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        said = {"User-Agent": AGENT, "Accept": "*/*", "Host": parts.netloc.rpartition("@")[2]}
        if method == "POST":
            said["Content-Length"] = "0"
        if referer:
            said["Referer"] = referer
        if authorization:
            said["Authorization"] = authorization
        started = time.time()
        request = Request(
            method=method,
            scheme=parts.scheme,
            host=host,
            port=port,
            target=target,
            headers=Headers(said.items()),
            started=started,
            ended=started,
        )
        number = str(next(self._numbers))
        try:
            heard = self._heard(request, url, said, number)
        except (HTTPError, OSError, http.client.HTTPException, ValueError) as fault:
            heard = self._broken(request, fault, number)
        self.exchanges.append(heard)
        return heard

    def _heard(self, request: Request, url: str, said: dict[str, str], number: str) -> Exchange:
        with self._manager(request) as manager:
            answer = manager.urlopen(
                request.method,
                url,
                headers=said,
                redirect=False,
                retries=False,
                timeout=_TIMEOUT,
                preload_content=False,
                decode_content=False,
            )
            began = time.time()
            where = self._connection(answer, request)
            content = answer.read(_MOST + 1)
            answer.close()
        whole = len(content) <= _MOST
        response = Response(
            status=answer.status,
            reason=answer.reason or "",
            headers=Headers(answer.headers.iteritems()),
            body=Body.of(content) if whole else Body(None, None, None, complete=False),
            started=began,
            ended=time.time(),
        )
        return Exchange(id=number, request=request, response=response, connection=where)

    def _proxy(self, request: Request) -> str:
        return self.settings.proxy_for(request.scheme, request.host, request.port)

    def _manager(self, request: Request) -> urllib3.PoolManager:
        context = trusting(self.roots)
        proxy = self._proxy(request)
        if not proxy:
            return urllib3.PoolManager(ssl_context=context)
        whole = proxy if "://" in proxy else f"http://{proxy}"
        scheme, _, rest = whole.partition("://")
        login, _, place = rest.split("/", 1)[0].rpartition("@")
        return urllib3.ProxyManager(
            f"{scheme}://{place}",
            ssl_context=context,
            proxy_ssl_context=context if scheme == "https" else None,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=login) if login else None,
        )

    def _broken(self, request: Request, fault: Exception, number: str) -> Exchange:
        reason = in_mitmproxys_words(fault, request)
        unreached = isinstance(
            fault, (NewConnectionError, NameResolutionError, ConnectTimeoutError, ProxyError)
        )
        proxy, certificate = self._proxy(request), None
        if isinstance(fault, SSLError) and not proxy:
            certificate = self._rejected(request.host, request.port)
        through_answered = not proxy or not unreached or reason.startswith(_REFUSES)
        if unreached and request.scheme == "https":
            # As a proxy sees it: the client asks for a tunnel, and gets none.
            headers = request.headers.only({"user-agent"})
            request = Request(
                method="CONNECT",
                scheme="https",
                host=request.host,
                port=request.port,
                target="/",
                headers=headers,
                started=request.started,
                ended=request.ended,
            )
        return Exchange(
            id=number,
            request=request,
            error=reason,
            error_at=time.time(),
            tunnel="server-connect" if request.method == "CONNECT" else None,
            connection=Connection(
                id="doctor",
                certificate=certificate,
                through=place_of(proxy) if proxy else None,
                through_answered=through_answered,
            ),
        )

    def _connection(self, answer: urllib3.BaseHTTPResponse, request: Request) -> Connection:
        proxy = self._proxy(request)
        through = place_of(proxy) if proxy else None
        sock = getattr(getattr(answer, "connection", None), "sock", None)
        try:
            peer = sock.getpeername() if sock and not through else (None, None)
            shown = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
        except (OSError, ValueError):
            return Connection(id="doctor", through=through)
        pem = ssl.DER_cert_to_PEM_cert(shown).encode() if shown else None
        return Connection(
            id="doctor",
            server_host=peer[0],
            server_port=peer[1],
            certificate=self.read_certificate(pem) if pem else None,
            through=through,
        )

    def _rejected(self, host: str, port: int) -> ServerCertificate | None:
        """The certificate that was not accepted, to be read; nothing is sent."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with (
                socket.create_connection((host, port), _CONNECT) as sock,
                context.wrap_socket(sock, server_hostname=host) as tls,
            ):
                shown = tls.getpeercert(binary_form=True)
        except (OSError, ValueError):
            return None
        return self.read_certificate(ssl.DER_cert_to_PEM_cert(shown).encode()) if shown else None


_REFUSES = "Upstream proxy refused HTTP CONNECT request: "


def in_mitmproxys_words(fault: Exception, request: Request) -> str:
    """What mitmproxy says of the same fault; wire/transport.py knows these words."""
    place = f"('{request.host}', {request.port})"
    cause = _innermost(fault)
    if isinstance(fault, ProxyError):
        if "Tunnel connection failed" in str(cause):
            status = str(cause).partition("Tunnel connection failed: ")[2]
            return f"{_REFUSES}{status}"
        return f"the proxy can't be reached: {cause}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"Certificate verify failed: {cause.verify_message}"
    if isinstance(cause, socket.gaierror):
        return str(cause)
    if isinstance(fault, (ConnectTimeoutError, ReadTimeoutError)) or isinstance(
        cause, TimeoutError
    ):
        return f"timed out: {place}"
    if isinstance(cause, ConnectionResetError) or isinstance(fault, ProtocolError):
        return "server closed connection"
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError):
        return f"[Errno {cause.errno}] {cause.strerror}: Connect call failed {place}"
    return str(cause)


def _innermost(fault: BaseException) -> BaseException:
    """What it all began with; urllib3 wraps it twice."""
    for _ in range(8):
        inner = fault.__cause__ or fault.__context__
        held = next((arg for arg in fault.args if isinstance(arg, BaseException)), None)
        if inner is None and held is None:
            break
        fault = inner or held or fault
    return fault


# --- what is asked


@dataclass(frozen=True, slots=True)
class Wishes:
    """How far the probe may go."""

    login: Login | None = None
    blob: tuple[str, str] | None = None
    """Repository and digest of a blob that is read."""
    upload: str = ""
    """Repository in which an upload session may be opened, and is cancelled."""


@dataclass(slots=True)
class Probe:
    """One visit to a registry. ``base``: ``https://registry.example.com``."""

    base: str
    asking: Asking
    wishes: Wishes
    challenge: Challenge | None = None
    links: list[Link] = field(default_factory=list)
    """What became of each step."""

    def visit(self) -> None:
        ping = self.asking.ask("GET", f"{self.base}/v2/")
        if ping.response is None:
            self._say("/v2/", BROKEN, f"{self.base}: {ping.error}")
            return
        if ping.response.status in {200, 401}:
            self._say("/v2/", OK, f"answered {ping.response.status}")
        else:
            fix = "look who answers there: a registry says 200 or 401"
            self._say("/v2/", BROKEN, f"answered {ping.response.status}", fix)
        self.challenge = _bearer(ping)
        catalog = self.asking.ask("GET", f"{self.base}/v2/_catalog?n=1")
        status = catalog.response.status if catalog.response else catalog.error
        self._say("/v2/_catalog", OK if catalog.response else BROKEN, f"answered {status}")
        self._enter(ping)
        if self.wishes.blob:
            self._read(*self.wishes.blob)
        if self.wishes.upload:
            self._upload(self.wishes.upload)

    def _say(self, name: str, state: str, said: str, fix: str = "") -> None:
        self.links.append(Link(name, state, visible(said, limit=400), fix))

    # The way in.

    def _enter(self, ping: Exchange) -> None:
        """Show that it works: a token, or a password, and the first door again."""
        if ping.response is None or ping.response.status != 401:
            return
        if self.challenge is not None:
            self._say_realm(self.challenge)
        elif not ping.response.headers.all("www-authenticate"):
            self._say(
                "challenge",
                BROKEN,
                "a 401 without WWW-Authenticate: no client knows how to log in",
                "let the reverse proxy pass the header",
            )
        entry = self._authorization("")
        if entry:
            answer = self.asking.ask("GET", f"{self.base}/v2/", authorization=entry)
            status = answer.response.status if answer.response else answer.error
            self._say("login", OK if status == 200 else BROKEN, f"/v2/ with it answered {status}")

    def _say_realm(self, challenge: Challenge) -> None:
        realm = parse_url(challenge.realm or "")
        said = f"{challenge.realm}, service {challenge.service or '(none)'}"
        if realm is None:
            fix = "set auth.token.realm to the whole URL of the token server"
            self._say("realm", BROKEN, f"the challenge names no URL: {said}", fix)
        elif realm.scheme == "http" and self.base.startswith("https:"):
            fix = "set auth.token.realm to its https address"
            self._say("realm", BROKEN, f"passwords would go without TLS: {said}", fix)
        elif challenge.service is None:
            self._say("realm", WARNING, f"no service is named: {said}", "set auth.token.service")
        else:
            self._say("realm", OK, said)

    def _authorization(self, scope: str) -> str:
        """What opens this scope; empty when nothing does."""
        login = self.wishes.login
        if self.challenge is None:
            return login.basic() if login else ""
        realm = self.challenge.realm or ""
        if parse_url(realm) is None:
            return ""
        asked = {"service": self.challenge.service or "", "scope": scope}
        if login:
            asked["account"] = login.user
        query = urlencode({name: value for name, value in asked.items() if value})
        # A password goes over TLS only; what is wrong with such a realm is seen without one.
        safe = realm.lower().startswith("https://") or self.base.startswith("http://")
        basic = login.basic() if login and safe else ""
        url = f"{realm}{'&' if '?' in realm else '?'}{query}"
        answer = self.asking.ask("GET", url, authorization=basic)
        status = answer.response.status if answer.response else 0
        if status in {401, 403} and not basic:
            # That strangers get no token is how it ought to be: nothing for the rules to judge.
            self.asking.exchanges.remove(answer)
            self._say("token server", OK, f"it answers, and wants a login ({status})")
            return ""
        reply = read_token_reply((answer.response.body.kept if answer.response else b"") or b"")
        token = reply.token.raw if reply and reply.token and status == 200 else ""
        who = "for the user" if basic else "for nobody in particular"
        what = f"a token {who}{f', {scope}' if scope else ''}"
        said = f"it gave {what}" if token else f"it gave no token: {answer.error or status}"
        self._say("token server", OK if token else BROKEN, said)
        return f"Bearer {token}" if token else ""

    # The storage, and uploads.

    def _read(self, repository: str, digest: str) -> None:
        """A blob's head; where it is kept elsewhere, one step on."""
        url = f"{self.base}/v2/{repository}/blobs/{digest}"
        entry = self._authorization(f"repository:{repository}:pull")
        answer = self.asking.ask("HEAD", url, authorization=entry)
        target = _location(answer, url)
        status = answer.response.status if answer.response else 0
        if not 300 <= status < 400:
            state = OK if status == 200 else BROKEN
            fix = "" if state == OK else "name a blob that is there, and log in with --user"
            self._say("blob", state, f"the registry answered {answer.error or status}", fix)
            return
        if not target:
            self._say("blob", BROKEN, f"{status} without a Location that can be followed")
            return
        stored = self.asking.ask("HEAD", target, referer=url)
        reached = stored.response.status if stored.response else 0
        self._say(
            "storage",
            OK if reached == 200 else BROKEN,
            f"{urlsplit(target).netloc} answered {stored.error or reached}",
        )

    def _upload(self, repository: str) -> None:
        url = f"{self.base}/v2/{repository}/blobs/uploads/"
        entry = self._authorization(f"repository:{repository}:pull,push")
        opened = self.asking.ask("POST", url, authorization=entry)
        session = _location(opened, url)
        status = opened.response.status if opened.response else 0
        if status != 202 or not session:
            said = opened.error or (f"{status} without a Location" if status == 202 else status)
            self._say("upload", BROKEN, f"no session was opened: {said}")
            return
        self._say_session(session, url)
        # A login belongs to one place: elsewhere it is shown only that the address is wrong.
        here = urlsplit(url)
        own = urlsplit(session)._replace(scheme=here.scheme, netloc=here.netloc).geturl()
        if own != session:
            self.asking.ask("DELETE", session)
        if self._cancelled(own, entry):
            self._say("upload", OK, "the session is cancelled")
            return
        # Some registries cancel only for those who may delete.
        more = self._authorization(f"repository:{repository}:delete") if self.challenge else ""
        if more and self._cancelled(own, more):
            self._say("upload", OK, "the session is cancelled")
        else:
            self._say(
                "upload", WARNING, "the session could not be cancelled; the registry purges it"
            )

    def _cancelled(self, session: str, entry: str) -> bool:
        answer = self.asking.ask("DELETE", session, authorization=entry)
        return answer.response is not None and answer.response.status < 300

    def _say_session(self, session: str, url: str) -> None:
        there, here = parse_url(session), parse_url(url)
        if there is None or here is None or there.origin == here.origin:
            self._say("upload", OK, "a session was opened, and its address is the registry's own")
            return
        lost = (
            there.scheme != here.scheme
            or there.host == here.host
            or reach(there.host) is not Reach.PUBLIC
        )
        self._say(
            "upload",
            BROKEN if lost else WARNING,
            f"the session's address is at {there.origin}, not {here.origin}",
            "let the reverse proxy send Host and X-Forwarded-Proto, or set http.host",
        )


def _bearer(answer: Exchange) -> Challenge | None:
    fields = answer.response.headers.all("www-authenticate") if answer.response else ()
    return next((c for c in parse_challenges(fields) if c.scheme == "bearer"), None)


def _location(answer: Exchange, base: str) -> str:
    """Where it points, if that can be asked."""
    said = answer.response.headers.get("location") if answer.response else None
    if not said:
        return ""
    url = parse_url(said, base)
    return urljoin(base, said.strip()) if url else ""
