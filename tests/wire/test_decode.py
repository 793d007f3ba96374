"""What an exchange is: the order of recognition, what a leg carries, and that anything is a leg."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jwts import jwt

from regtrace.wire.answerer import Answerer
from regtrace.wire.decode import Role, decode, url_of
from regtrace.wire.exchange import Body, Exchange, Headers, Request, Response
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.registry import Product, Registry

HEX = "c1b0e21e84e3936fbbbed6040a3d61df01018339c6b6b1dc2e670259da38fee7"
DIGEST = f"sha256:{HEX}"
DOCKER = "docker/24.0.7 go/go1.20"
BEARER = 'Bearer realm="https://auth.test/token",service="registry.test"'
VOICE = {"Docker-Distribution-Api-Version": "registry/2.0"}
S3 = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAMADEUP%2F20261123%2Feu%2Fs3%2F"
    "aws4_request&X-Amz-Date=20261123T194500Z&X-Amz-Expires=1200&X-Amz-Signature=00ff"
)
OCI = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": {"mediaType": "x", "digest": DIGEST, "size": 2},
        "layers": [],
    }
).encode()
MANIFEST_DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()


def exchange(
    line: str,
    status: int | None = None,
    answer: dict[str, str] | None = None,
    body: bytes | Body = b"",
    *,
    sent: bytes | Body = b"",
    **headers: str,
) -> Exchange:
    """``GET /v2/`` or ``GET https://host/path``, what was sent with it, and its answer."""
    method, _, url = line.partition(" ")
    scheme, host, target = "https", "registry.test", url
    if "://" in url:
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        target = slash + path
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    response = None
    if status is not None:
        kept = body if isinstance(body, Body) else Body.of(body)
        response = Response(status=status, headers=Headers((answer or {}).items()), body=kept)
    return Exchange(
        id="1",
        request=Request(
            method=method,
            scheme=scheme,
            host=host,
            port=443,
            target=target,
            headers=Headers(fields),
            body=sent if isinstance(sent, Body) else Body.of(sent),
        ),
        response=response,
    )


# --- the order of recognition ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "role", "kind"),
    [
        ("GET /v2/token?service=registry.test", Role.REALM, Kind.TOKEN),
        ("GET /v2/auth", Role.REALM, Kind.TOKEN),
        ("POST /v2/x/manifests/1", Role.REALM, Kind.TOKEN),
        ("PATCH https://uploads.test/artifacts-uploads/p/AF2a", Role.UPLOAD, Kind.UPLOAD_CHUNK),
        ("PUT https://uploads.test/?digest=" + DIGEST, Role.UPLOAD, Kind.UPLOAD_COMMIT),
        ("GET https://uploads.test/u", Role.UPLOAD, Kind.UPLOAD_STATUS),
        ("HEAD https://uploads.test/u", Role.UPLOAD, Kind.UPLOAD_STATUS),
        ("DELETE https://uploads.test/u", Role.UPLOAD, Kind.UPLOAD_CANCEL),
        ("OPTIONS https://uploads.test/u", Role.UPLOAD, Kind.OTHER),
        (f"PUT /v2/x/blobs/{DIGEST}", Role.UPLOAD, Kind.UPLOAD_COMMIT),
        ("GET https://cdn.test/anything", Role.STORAGE, Kind.STORAGE),
        ("GET /v2/x/manifests/1", Role.STORAGE, Kind.STORAGE),
    ],
)
def test_what_was_announced_comes_first(line: str, role: Role, kind: Kind) -> None:
    assert decode(exchange(line), role).kind is kind


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"GET https://s3.test/b/docker/registry/v2/blobs/sha256/c1/{HEX}/data", Kind.STORAGE),
        (f"GET /docker/registry/v2/repositories/x/_layers/sha256/{HEX}/link", Kind.STORAGE),
        (f"HEAD https://cdn01.quay.test/sha256/c1/{HEX}", Kind.STORAGE),
        (f"GET https://b.s3.amazonaws.com/0a1b?{S3}", Kind.STORAGE),
        (f"PUT https://b.s3.amazonaws.com/0a1b?{S3}", Kind.OTHER),
        (f"GET /v2/docker/registry/v2/blobs/{DIGEST}", Kind.BLOB_GET),
        (f"GET /v2/x/blobs/{DIGEST}?{S3}", Kind.BLOB_GET),
        ("GET https://auth.test/token?service=r&scope=repository:x:pull", Kind.TOKEN),
        ("GET /v2/token?service=r&scope=repository:x:pull", Kind.TOKEN),
        ("GET /v2/x/tags/list?service=r&scope=repository:x:pull", Kind.TAGS),
        ("GET https://git.test/app.git/info/refs?service=git-upload-pack", Kind.OTHER),
        ("POST /v2/x/blobs/uploads/", Kind.UPLOAD_START),
        ("POST /v2/x/blobs/uploads", Kind.UPLOAD_START),
        (f"POST /v2/x/blobs/uploads/?digest={DIGEST}", Kind.UPLOAD_START),
        (f"POST /v2/x/blobs/uploads/?mount={DIGEST}&from=y", Kind.MOUNT),
        (f"POST /v2/x/blobs/uploads/?mount={DIGEST}", Kind.MOUNT),
        ("POST /v2/x/blobs/uploads/?from=y", Kind.UPLOAD_START),
        ("PATCH /v2/x/blobs/uploads/u", Kind.UPLOAD_CHUNK),
        (f"PUT /v2/x/blobs/uploads/u?digest={DIGEST}", Kind.UPLOAD_COMMIT),
        ("GET /v2/x/blobs/uploads/u", Kind.UPLOAD_STATUS),
        ("DELETE /v2/x/blobs/uploads/u", Kind.UPLOAD_CANCEL),
        ("POST /v2/x/blobs/uploads/u", Kind.OTHER),
        (f"HEAD /v2/x/blobs/{DIGEST}", Kind.BLOB_HEAD),
        (f"HEAD /v2/x/blobs/sha256%3A{HEX}", Kind.BLOB_HEAD),
        (f"DELETE /v2/x/blobs/{DIGEST}", Kind.BLOB_DELETE),
        (f"PUT /v2/x/blobs/{DIGEST}", Kind.OTHER),
        ("HEAD /v2/x/manifests/1", Kind.MANIFEST_HEAD),
        ("GET /v2/x/manifests/1", Kind.MANIFEST_GET),
        ("PUT /v2/x/manifests/1", Kind.MANIFEST_PUT),
        (f"DELETE /v2/x/manifests/{DIGEST}", Kind.MANIFEST_DELETE),
        (f"GET /v2/x/referrers/{DIGEST}", Kind.REFERRERS),
        ("GET /artifactory/api/docker/dock/v2/x/manifests/1", Kind.MANIFEST_GET),
        ("GET /repository/dock/v2/x/manifests/1", Kind.MANIFEST_GET),
        ("BREW /v2/x/manifests/1", Kind.OTHER),
        # What other products have below /v2/.
        ("GET https://hub.docker.com/v2/repositories/library/alpine/tags/?page=2", Kind.OTHER),
        ("POST https://hub.docker.com/v2/users/login/", Kind.OTHER),
        ("GET https://hub.docker.com/v2/namespaces/team/repositories/app", Kind.OTHER),
        ("GET https://npm.test/v2/@team%2Fapp", Kind.OTHER),
        ("GET https://npm.test/app/-/app-1.0.0.tgz", Kind.OTHER),
        ("GET https://api.test/v2/users/manifests", Kind.OTHER),
        ("GET https://api.test/api/v2/pokemon/ditto", Kind.OTHER),
        ("GET https://api.test/v2/blobs/uploads/", Kind.OTHER),
        ("GET https://api.test/", Kind.OTHER),
    ],
)
def test_what_the_request_alone_says(line: str, kind: Kind) -> None:
    assert decode(exchange(line)).kind is kind


@pytest.mark.parametrize(
    ("line", "status", "answer", "agent", "kind"),
    [
        ("GET /v2/", 200, {"Content-Type": "text/html"}, "curl/8.5.0", Kind.OTHER),
        ("GET /v2/", 404, {}, "Mozilla/5.0", Kind.OTHER),
        ("GET /v2/", None, {}, "", Kind.OTHER),
        ("GET /v2/_catalog", 200, {}, "curl/8.5.0", Kind.OTHER),
        ("GET /v2/", 200, VOICE, "curl/8.5.0", Kind.PING),
        ("GET /v2/", 401, {"WWW-Authenticate": BEARER}, "curl/8.5.0", Kind.PING),
        ("GET /v2/", 502, {}, DOCKER, Kind.PING),
        ("GET /v2/", None, {}, DOCKER, Kind.PING),
        ("HEAD /v2/", 200, {}, DOCKER, Kind.PING),
        ("GET /v2", 301, {}, DOCKER, Kind.PING),
        ("POST /v2/", 405, VOICE, DOCKER, Kind.OTHER),
        ("GET /v2/_catalog?n=100", 200, VOICE, "curl/8.5.0", Kind.CATALOG),
        ("GET /v2/app/manifests/site.json", 404, {}, "Mozilla/5.0 (X11)", Kind.OTHER),
        ("GET /v2/app/manifests/1", 200, VOICE, "Mozilla/5.0 (X11)", Kind.MANIFEST_GET),
        ("GET /v1/_ping", 404, {}, DOCKER, Kind.OTHER),
        ("GET /v2/_oci/ext/discover", 404, VOICE, DOCKER, Kind.OTHER),
    ],
)
def test_a_root_is_a_registrys_when_something_else_says_so(
    line: str, status: int | None, answer: dict[str, str], agent: str, kind: Kind
) -> None:
    assert decode(exchange(line, status, answer, User_Agent=agent)).kind is kind


@pytest.mark.parametrize(
    ("method", "referer", "kind"),
    [
        ("GET", f"https://pkg.test/v2/p/r/blobs/{DIGEST}", Kind.STORAGE),
        ("HEAD", "https://pkg.test/v2/p/r/manifests/1", Kind.STORAGE),
        ("PUT", f"https://pkg.test/v2/p/r/blobs/{DIGEST}", Kind.OTHER),
        ("GET", "https://pkg.test/v2/", Kind.OTHER),
        ("GET", "https://pkg.test/", Kind.OTHER),
        ("GET", "https://[", Kind.OTHER),
    ],
)
def test_who_was_sent_on_by_a_registry_is_at_its_storage(
    method: str, referer: str, kind: Kind
) -> None:
    """Artifact Registry's downloads: a path that says nothing, and no signature."""
    line = f"{method} https://pkg.test/artifacts-downloads/namespaces/p/downloads/AF2a"
    assert decode(exchange(line, Referer=referer)).kind is kind


def test_a_root_with_the_registrys_error_is_its_ping() -> None:
    body = json.dumps({"errors": [{"code": "UNAUTHORIZED"}]}).encode()
    assert decode(exchange("GET /v2/", 401, {}, body)).kind is Kind.PING


@pytest.mark.parametrize("role", [None, *Role])
def test_a_tunnel_is_a_connect_whatever_it_leads_to(role: Role | None) -> None:
    leg = decode(exchange("CONNECT https://registry.test/"), role)
    assert leg.kind is Kind.CONNECT
    broken = exchange("GET https://registry-1.docker.io/v2/")
    failed = Exchange(id="1", request=broken.request, tunnel="client-tls", error="no trust")
    leg = decode(failed, role)
    assert leg.kind is Kind.CONNECT
    assert leg.broken
    assert leg.product == Product(Registry.DOCKER_HUB)


# --- what a leg carries ------------------------------------------------------------------------


def test_a_refused_ping() -> None:
    leg = decode(
        exchange("GET /v2/", 401, {"WWW-Authenticate": BEARER, **VOICE}, b"{}", User_Agent=DOCKER)
    )
    assert leg.challenges[0].service == "registry.test"
    assert (leg.refused, leg.succeeded, leg.answerer) == (True, False, None)
    assert leg.registry == "registry.test:443"


def test_a_registry_is_named_and_what_lives_beside_it_is_not() -> None:
    hub = decode(exchange("GET https://registry-1.docker.io/v2/library/x/manifests/1"))
    assert hub.product == Product(Registry.DOCKER_HUB)
    nexus = decode(exchange("GET /v2/x/tags/list", 200, {"Server": "Nexus/3.90.2-06 (OSS)"}))
    assert nexus.product == Product(Registry.NEXUS, "3.90.2-06")
    assert decode(exchange("GET https://ghcr.io/token?service=ghcr.io&account=a")).product is None
    assert decode(exchange(f"GET https://b.jfrog.io/sha256/c1/{HEX}")).product is None
    assert decode(exchange("GET https://quay.io/api/v1/user/")).product is None


def test_a_token_and_its_reply() -> None:
    raw = jwt({"access": [{"type": "repository", "name": "x", "actions": ["pull"]}]})
    reply = json.dumps({"token": raw, "expires_in": 300}).encode()
    packed = gzip.compress(reply)
    for body, answer in ((reply, {}), (packed, {"Content-Encoding": "gzip"})):
        leg = decode(
            exchange(
                "GET https://auth.test/token?service=r&scope=repository:x:push", 200, answer, body
            )
        )
        assert leg.token_request is not None
        assert leg.token_reply is not None
        assert leg.token_reply.token is not None
        assert leg.token_reply.token.raw == raw
        assert leg.endpoint is None
    refused = decode(exchange("GET https://auth.test/token?service=r&account=ann", 401, {}, reply))
    assert refused.token_reply is None
    announced = decode(exchange("GET https://auth.test/", 200, {}, reply), Role.REALM)
    assert announced.token_request is not None
    assert announced.token_reply is not None


def test_a_blob_that_asks_for_a_token_in_its_query_is_no_token_request() -> None:
    leg = decode(exchange(f"GET /v2/x/blobs/{DIGEST}?service=r&scope=repository:x:pull"))
    assert leg.token_request is None


def test_a_redirect_to_a_store() -> None:
    target = f"https://b.s3.amazonaws.com/k?{S3}"
    leg = decode(exchange(f"HEAD /v2/x/blobs/{DIGEST}", 307, {"Location": target}))
    assert leg.redirects
    assert leg.location is not None
    assert leg.location.host == "b.s3.amazonaws.com"
    assert leg.presigned is None
    hop = decode(exchange(f"HEAD {target}", 403, {"x-amz-request-id": "tx00-made-up"}))
    assert hop.presigned is not None
    assert hop.vendor is not None
    assert hop.endpoint is None


@pytest.mark.parametrize(
    "location",
    ["https://[broken", "", "javascript:alert(1)", "https:///v2/x", "\x00", "http://h:99999/"],
)
def test_a_location_that_leads_nowhere(location: str) -> None:
    leg = decode(exchange(f"HEAD /v2/x/blobs/{DIGEST}", 307, {"Location": location}))
    assert leg.location is None or leg.location.host == "registry.test"
    assert leg.kind is Kind.BLOB_HEAD


@pytest.mark.parametrize(
    ("location", "range_", "session"),
    [
        ("/v2/x/blobs/uploads/u1?_state=a", "0-0", "u1"),
        ("https://registry.test/v2/x/blobs/uploads/u1", "bytes=0--1", "u1"),
        ("uploads/u1", "0-1023", "u1"),
        ("/artifacts-uploads/namespaces/p/repositories/r/uploads/u1", "0-0", "u1"),
        ("/upload/u1", "", None),
    ],
)
def test_the_session_that_a_post_opens(location: str, range_: str, session: str | None) -> None:
    answer = {"Location": location, "Range": range_}
    leg = decode(exchange("POST /v2/x/blobs/uploads/", 202, answer))
    assert (leg.session, leg.repository) == (session, "x")
    named = decode(
        exchange("POST /v2/x/blobs/uploads/", 202, {**answer, "Docker-Upload-UUID": "u9"})
    )
    assert named.session == "u9"


def test_a_chunk_at_an_announced_url_of_another_shape() -> None:
    line = "PATCH https://uploads.test/artifacts-uploads/p/uploads/AF2a"
    leg = decode(exchange(line, 202, {"Location": "AF2b"}), Role.UPLOAD)
    assert (leg.session, leg.endpoint, leg.repository) == ("AF2a", None, None)
    assert leg.location is not None
    assert leg.location.path == "/artifacts-uploads/p/uploads/AF2b"


def test_a_refused_post_has_no_session() -> None:
    leg = decode(exchange("POST /v2/x/blobs/uploads/", 403))
    assert (leg.session, leg.location) == (None, None)


@pytest.mark.parametrize(
    ("query", "digest"),
    [
        (f"?digest={DIGEST}", DIGEST),
        (f"?_state=a&digest=sha256%3A{HEX}", DIGEST),
        (f"?mount={DIGEST}&from=y", DIGEST),
        ("?digest=sha256:short", None),
        ("?digest=", None),
        ("", None),
    ],
)
def test_the_digest_of_an_upload(query: str, digest: str | None) -> None:
    method, path = ("POST", "uploads/") if "mount" in query else ("PUT", "uploads/u")
    assert decode(exchange(f"{method} /v2/x/blobs/{path}{query}")).digest == digest


def test_a_manifest_put_is_named_by_what_was_sent() -> None:
    leg = decode(exchange("PUT /v2/x/manifests/1", 201, sent=MANIFEST, Content_Type=OCI))
    assert leg.manifest is not None
    assert leg.digest == MANIFEST_DIGEST
    other = {"Docker-Content-Digest": DIGEST}
    assert decode(exchange("PUT /v2/x/manifests/1", 201, other, sent=MANIFEST)).digest == (
        MANIFEST_DIGEST
    )
    streamed = Body(None, 10_000, DIGEST, complete=True)
    assert decode(exchange("PUT /v2/x/manifests/1", 201, other, sent=streamed)).digest == DIGEST
    assert decode(exchange("PUT /v2/x/manifests/1", 500, other, sent=streamed)).digest is None
    by_digest = decode(exchange(f"PUT /v2/x/manifests/{DIGEST}", sent=MANIFEST))
    assert by_digest.digest == DIGEST


def test_a_packed_manifest_is_read_and_named_by_what_it_unpacks_to() -> None:
    packed = {"Content-Type": OCI, "Content-Encoding": "gzip"}
    leg = decode(exchange("GET /v2/x/manifests/1", 200, packed, gzip.compress(MANIFEST)))
    assert leg.manifest is not None
    assert leg.digest == MANIFEST_DIGEST
    said = decode(
        exchange(
            "GET /v2/x/manifests/1",
            200,
            {**packed, "Docker-Content-Digest": DIGEST},
            gzip.compress(MANIFEST),
        )
    )
    assert said.digest == DIGEST
    head = decode(exchange("HEAD /v2/x/manifests/1", 200, {"Docker-Content-Digest": DIGEST}))
    assert (head.digest, head.manifest) == (DIGEST, None)


def test_the_digest_of_a_signed_schema_1_manifest_is_only_what_the_registry_says() -> None:
    schema1 = json.dumps({"schemaVersion": 1, "fsLayers": [{"blobSum": DIGEST}]}).encode()
    put = exchange("PUT /v2/x/manifests/1", 201, {"Docker-Content-Digest": DIGEST}, sent=schema1)
    assert decode(put).digest == DIGEST
    assert decode(exchange("PUT /v2/x/manifests/1", 400, sent=schema1)).digest is None
    assert decode(exchange("GET /v2/x/manifests/1", 200, {}, schema1)).digest is None


@pytest.mark.parametrize("named", [{}, {"Content-Type": "application/json"}])
def test_a_schema_1_manifest_is_one_by_its_shape_too(named: dict[str, str]) -> None:
    """A front may have taken its Content-Type away, or made a general one of it."""
    schema1 = json.dumps({"schemaVersion": 1, "fsLayers": [{"blobSum": DIGEST}]}).encode()
    for content, intact in ((schema1, None), (MANIFEST, False)):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        body = Body(content, len(content), digest)
        assert decode(exchange(f"GET /v2/x/manifests/{DIGEST}", 200, named, body)).intact is intact


def test_a_proxy_in_the_registrys_place() -> None:
    page = b"<html><head><title>413</title></head><center>nginx/1.25.3</center></html>"
    for body, answer in ((page, {}), (gzip.compress(page), {"Content-Encoding": "gzip"})):
        leg = decode(exchange("PATCH /v2/x/blobs/uploads/u", 413, answer, body))
        assert leg.answerer == Answerer("nginx", "1.25.3")
        assert leg.error is not None
        assert leg.error.dialect == "html"
    spoken = decode(exchange("PATCH /v2/x/blobs/uploads/u", 413, {**VOICE, "Server": "nginx"}))
    assert spoken.answerer is None


PAGE = b"<!doctype html><title>Sign in</title>"


@pytest.mark.parametrize(
    ("line", "body", "page"),
    [
        ("GET /v2/", PAGE, True),
        ("POST /v2/x/blobs/uploads/", PAGE, True),
        ("GET /v2/x/manifests/1", PAGE, True),
        (f"GET /v2/x/blobs/{DIGEST}", PAGE, False),  # an artifact may be one
        ("GET /v2/", b"true", False),
        ("GET /v2/x/manifests/1", MANIFEST, False),
    ],
)
def test_a_web_page_is_no_success(line: str, body: bytes, page: bool) -> None:
    leg = decode(exchange(line, 200, {"Content-Type": "text/html"}, body, User_Agent=DOCKER))
    assert leg.is_page is leg.refused is page
    assert leg.succeeded is not page


def test_the_three_states_of_a_body() -> None:
    path = "PATCH /v2/x/blobs/uploads/u"
    streamed = Body(None, 5_000_000, DIGEST, complete=True)
    cut = Body(None, 100, None, complete=False)
    dialects = []
    for body in (Body(), streamed, cut, Body.unrecorded()):
        leg = decode(exchange(path, 500, {}, body, sent=body))
        assert leg.error is not None
        dialects.append(leg.error.dialect)
    assert dialects == ["empty", "unrecorded", "unrecorded", "unrecorded"]


def test_a_head_speaks_of_a_body_that_does_not_come() -> None:
    answer = {"Content-Length": "157", "Content-Type": "application/json", **VOICE}
    for body in (Body(), Body(None, 0, None, complete=True), Body.unrecorded()):
        leg = decode(exchange(f"HEAD /v2/x/blobs/{DIGEST}", 404, answer, body))
        assert leg.error is not None
        assert leg.error.dialect == "empty"


def test_a_url_keeps_its_form_when_it_can_not_be_read() -> None:
    request = Request(method="GET", scheme="foo", host="h", port=1, target="*?a=b")
    assert url_of(request).path == "*"
    assert decode(Exchange(id="1", request=request)).kind is Kind.OTHER


# --- anything is a leg -------------------------------------------------------------------------

NAMES = st.sampled_from(
    """
    WWW-Authenticate Authorization Location Content-Type Content-Encoding Range User-Agent Server
    Via Docker-Upload-UUID Docker-Content-Digest Docker-Distribution-Api-Version X-JFrog-Version
    x-ms-error-code Referer Link
    """.split()
)
VALUES = st.text() | st.sampled_from(
    [
        BEARER,
        f"Bearer {jwt({'access': []})}",
        "Basic OjpB",
        "gzip",
        OCI,
        DOCKER,
        f"https://h/?{S3}",
        "/v2/x/blobs/uploads/u?_state=AAAA",
        "application/x-www-form-urlencoded",
        "http://[",
        DIGEST,
    ]
)
HEADERS = st.lists(st.tuples(NAMES | st.text(max_size=8), VALUES), max_size=6).map(Headers)
CONTENT = st.binary() | st.sampled_from(
    [
        MANIFEST,
        gzip.compress(MANIFEST),
        b"<Error><Code>x</Code></Error>",
        b"<html><title>x",
        b'{"token":"a.b.c"}',
        b'{"errors":[{"code":"X"}]}',
        b"grant_type=password&service=r",
        b"\xff{",
    ]
)
BODIES = st.builds(Body.of, CONTENT) | st.sampled_from(
    [Body(), Body.unrecorded(), Body(None, 9, DIGEST), Body(None, 9, None, complete=False)]
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT"]) | st.text()
PARTS = st.sampled_from(
    f"""
    / v2 v1 blobs uploads manifests tags list _catalog referrers x docker/registry {DIGEST} {S3}
    ? & = digest mount service=r scope= repository:x:pull _state=AAAA token %2e % .. # ://
    """.split()
)
TARGETS = st.lists(PARTS | st.text(max_size=3), max_size=12).map("".join)
EXCHANGES = st.builds(
    Exchange,
    id=st.just("1"),
    request=st.builds(
        Request,
        method=METHODS,
        scheme=st.sampled_from(["http", "https"]) | st.text(max_size=5),
        host=st.sampled_from(["registry.test", "::1", "192.0.2.1", ""]) | st.text(max_size=9),
        port=st.integers(-1, 70_000),
        target=TARGETS | TARGETS.map("/{}".format),
        headers=HEADERS,
        body=BODIES,
        started=st.just(0.0),
    ),
    response=st.none()
    | st.builds(Response, status=st.integers(-1, 700), headers=HEADERS, body=BODIES),
    error=st.none() | st.text(),
    tunnel=st.none() | st.sampled_from(["server-connect", "server-tls", "client-tls", "?"]),
)


@settings(max_examples=400)
@given(EXCHANGES, st.none() | st.sampled_from(Role))
def test_any_exchange_is_a_leg(hostile: Exchange, role: Role | None) -> None:
    leg = decode(hostile, role)
    assert isinstance(leg, Leg)
    assert (leg.kind is Kind.CONNECT) == (
        hostile.tunnel is not None or hostile.request.method == "CONNECT"
    )
    assert decode(hostile, role) == leg
    everything: list[Any] = [leg.registry, leg.repository, leg.redirects, leg.refused, leg.ended]
    assert len(everything) == 5
    hash(leg.url)
