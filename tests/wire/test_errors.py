"""What refusals say, in every dialect. All keys and tokens are made up."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.coding import MOST_DECODED
from regtrace.wire.errors import (
    ErrorBody,
    ErrorItem,
    is_registry_voice,
    is_web_page,
    read_error,
)
from regtrace.wire.exchange import Headers

DIGEST = "sha256:" + "c" * 64
NGINX = (
    "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n<center>"
    "<h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx/1.25.3</center>\r\n"
    "</body>\r\n</html>\r\n"
)


def read(
    body: bytes | str | None, status: int = 403, method: str = "GET", **headers: str
) -> ErrorBody:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    content = body.encode() if isinstance(body, str) else body
    error = read_error(status, Headers(fields), content, method)
    assert error is not None
    return error


def envelope(code: str, message: str = "", **more: Any) -> str:
    return json.dumps({"errors": [{"code": code, "message": message, **more}]})


# --- the registry's own voice ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detail", "source"),
    [
        ({"DriverName": "filesystem", "Enclosed": {"Op": "mkdir", "Err": 28}}, "distribution 2.x"),
        ("filesystem: mkdir /var/lib/registry: no space left on device", "distribution 3.x"),
        (
            [{"Type": "repository", "Class": "", "Name": "team/app", "Action": "push"}],
            "distribution, UNAUTHORIZED",
        ),
        (DIGEST, "distribution, MANIFEST_BLOB_UNKNOWN"),
        ({"digest": DIGEST}, "other registries"),
        (None, "none"),
    ],
)
def test_the_envelope_keeps_its_detail_in_every_dialect(detail: object, source: str) -> None:
    error = read(envelope("UNKNOWN", "unknown error", detail=detail), 500)
    assert error.dialect == "oci", source
    assert error.items == (ErrorItem("UNKNOWN", "unknown error", detail),)


def test_codes_compare_in_upper_case() -> None:
    assert read(envelope("manifest_unknown"), 404).code == "MANIFEST_UNKNOWN"
    assert read(envelope("METHOD NOT ALLOWED"), 405).code == "METHOD NOT ALLOWED"


def test_every_error_of_an_envelope() -> None:
    error = read('{"errors":[{"code":"DENIED"},{"code":"UNAUTHORIZED","message":"log in"}, 7]}')
    assert error.codes == ("DENIED", "UNAUTHORIZED")
    assert error.message == "log in"


def test_a_detail_is_cut_to_a_size_that_can_be_shown() -> None:
    deep: object = "bottom"
    for _ in range(100):
        deep = [deep]
    error = read(envelope("UNKNOWN", "m" * 9000, detail={"deep": deep, "wide": [0] * 9000}))
    (item,) = error.items
    assert len(item.message) == 2000
    assert "bottom" not in json.dumps(item.detail)
    assert len(item.detail["wide"]) == 256


@pytest.mark.parametrize(
    ("headers", "body", "voice"),
    [
        ({"Docker-Distribution-Api-Version": "registry/2.0"}, b"", True),
        ({"Docker-Distribution-API-Version": "registry/2.0"}, b"Method not allowed\n", True),
        # nginx with the header of distribution's recipe, which it adds to its own pages too.
        ({"Docker-Distribution-API-Version": "registry/2.0"}, NGINX.encode(), False),
        ({}, envelope("DENIED").encode(), True),
        ({}, NGINX.encode(), False),
        ({}, b'{"details":"incorrect username or password"}', False),
        ({}, b'{"errors":[{"status":401,"message":"Unauthorized"}]}', False),
        ({}, None, False),
    ],
)
def test_the_registrys_voice(headers: dict[str, str], body: bytes | None, voice: bool) -> None:
    fields = Headers(headers.items())
    assert is_registry_voice(fields, read_error(403, fields, body, "GET")) is voice


@pytest.mark.parametrize(
    ("headers", "body", "page"),
    [
        ({"Content-Type": "text/html"}, NGINX.encode(), True),
        ({}, b"\xef\xbb\xbf\n<!DOCTYPE html>\n<head>", True),
        ({"Content-Encoding": "gzip"}, gzip.compress(NGINX.encode(), mtime=0), True),
        ({"Content-Type": "text/html; charset=utf-8"}, b"true", False),  # Quay's ping
        ({"Content-Type": "text/html"}, b"", False),
        ({"Content-Type": "text/html"}, None, False),
        ({}, b'{"note":"<html>"}', False),
        ({}, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", False),
    ],
)
def test_a_web_page_is_known_by_its_bytes(
    headers: dict[str, str], body: bytes | None, page: bool
) -> None:
    assert is_web_page(Headers(headers.items()), body) is page


# --- other JSON --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ('{"details":"incorrect username or password"}', None, "incorrect username or password"),
        ('{"errors":[{"status":401,"message":"Bad props"}]}', None, "Bad props"),
        (
            '{"error":"invalid_grant","error_description":"expired"}',
            "invalid_grant",
            "expired",
        ),
        ('{"error":"no such user"}', None, "no such user"),
        (
            '{"error":{"code":403,"message":"Denied","status":"PERMISSION_DENIED"}}',
            "PERMISSION_DENIED",
            "Denied",
        ),
        (
            '{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}',
            "10000",
            "Authentication error",
        ),
        ('{"message":"no Route matched with those values"}', None, "no Route matched with those"),
        ('{"Message":"User is not authorized"}', None, "User is not authorized"),
        ('{"status":404,"error":"NotFound","path":"/v2/"}', "NotFound", ""),
        ('{"errors":["first","second"]}', None, "first"),
        ('{"detail":"Not found."}', None, "Not found."),
        ("{}", None, ""),
        ('{"errors":[]}', None, ""),
        ("[]", None, ""),
    ],
)
def test_json_that_is_not_the_envelope(body: str, code: str | None, message: str) -> None:
    error = read(body, Content_Type="application/json")
    assert error.dialect == "json"
    assert error.code == code
    assert error.message.startswith(message)


# --- stores ------------------------------------------------------------------------------------


def xml(*children: str, root: str = "Error") -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{"".join(children)}</{root}>'


def code(name: str, message: str = "") -> str:
    return f"<Code>{name}</Code><Message>{message}</Message>"


@pytest.mark.parametrize(
    ("body", "expected", "fields"),
    [
        pytest.param(
            xml(
                code("AccessDenied", "Request has expired"),
                "<X-Amz-Expires>1200</X-Amz-Expires><Expires>2026-11-23T20:05:00Z</Expires>",
                "<ServerTime>2026-11-23T20:06:00Z</ServerTime><RequestId>4442</RequestId>",
                "<HostId>made/up=</HostId>",
            ),
            "AccessDenied",
            {"Expires": "2026-11-23T20:05:00Z", "ServerTime": "2026-11-23T20:06:00Z"},
            id="s3-expired",
        ),
        pytest.param(
            xml(
                code("RequestTimeTooSkewed"),
                "<RequestTime>20261123T194500Z</RequestTime>",
                "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>",
            ),
            "RequestTimeTooSkewed",
            {"MaxAllowedSkewMilliseconds": "900000", "RequestTime": "20261123T194500Z"},
            id="s3-skew",
        ),
        pytest.param(
            xml(
                code("SignatureDoesNotMatch"),
                "<AWSAccessKeyId>AKIAMADEUP</AWSAccessKeyId>",
                "<StringToSign>AWS4-HMAC-SHA256\n20261123T194500Z\nscope\n00ff</StringToSign>",
                "<CanonicalRequest>GET\n/bucket/object\nX-Amz-Date=x\nhost:minio:9000\n\nhost"
                "</CanonicalRequest>",
            ),
            "SignatureDoesNotMatch",
            {
                "StringToSign": "AWS4-HMAC-SHA256",
                "CanonicalRequest": "GET",
                "SignedHost": "minio:9000",
            },
            id="s3-v4-mismatch",
        ),
        pytest.param(
            xml(
                code("SignatureDoesNotMatch"),
                "<StringToSign>GET\n\n\n1795464300\n/b/o</StringToSign>",
            ),
            "SignatureDoesNotMatch",
            {"StringToSign": "GET"},
            id="s3-v2-mismatch",
        ),
        pytest.param(
            xml(code("AuthorizationHeaderMalformed"), "<Region>eu-west-1</Region>"),
            "AuthorizationHeaderMalformed",
            {"Region": "eu-west-1"},
            id="s3-region",
        ),
        pytest.param(
            xml(code("NoSuchKey"), "<Key>docker/registry/v2/x</Key>", "<BucketName>b</BucketName>"),
            "NoSuchKey",
            {"Key": "docker/registry/v2/x", "BucketName": "b"},
            id="ceph-no-such-key",
        ),
        pytest.param(
            xml(
                code("NoSuchKey"), root='Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
            ).replace('</Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/">', "</Error>"),
            "NoSuchKey",
            {},
            id="a-namespace",
        ),
        pytest.param(
            xml(code("MissingKey", "Missing Key-Pair-Id query parameter")),
            "MissingKey",
            {},
            id="cloudfront",
        ),
        pytest.param(
            xml(code("ExpiredToken", "Invalid argument."), "<Details>Request expired</Details>"),
            "ExpiredToken",
            {"Details": "Request expired"},
            id="gcs",
        ),
        pytest.param(
            "\ufeff"
            + xml(
                code("AuthenticationFailed", "Server failed to authenticate.\nRequestId:6e5a"),
                "<AuthenticationErrorDetail>Signature did not match. String to sign used was r"
                "\n2026-11-23T19:45:00Z</AuthenticationErrorDetail>",
            ),
            "AuthenticationFailed",
            {"AuthenticationErrorDetail": ("Signature did not match. String to sign used was r")},
            id="azure-with-a-byte-order-mark",
        ),
        pytest.param(
            xml(code("AccessDenied", "Request has expired."), "<RequestId>5C3D</RequestId>"),
            "AccessDenied",
            {"RequestId": "5C3D"},
            id="oss",
        ),
        pytest.param(
            "<ErrorResponse><Error>" + code("SlowDown") + "</Error></ErrorResponse>",
            "SlowDown",
            {},
            id="an-envelope",
        ),
        pytest.param(
            '<m:error xmlns:m="urn:x"><m:code>ServerBusy</m:code></m:error>',
            "ServerBusy",
            {},
            id="lower-case",
        ),
    ],
)
def test_the_xml_of_every_store(body: str, expected: str, fields: dict[str, str]) -> None:
    error = read(body, Content_Type="application/xml")
    assert error.dialect == "storage-xml"
    assert error.code == expected
    assert {name: error.element(name) for name in fields} == fields


def test_what_s3_echoes_of_a_forwarded_credential_is_not_a_field() -> None:
    body = xml(
        code("InvalidArgument", "Only one auth mechanism allowed"),
        "<ArgumentName>Authorization</ArgumentName>",
        "<ArgumentValue>Bearer made-up-token</ArgumentValue>",
    )
    error = read(body, 400)
    assert error.element("ArgumentName") == "Authorization"
    assert "made-up-token" not in repr(error)


def test_a_head_speaks_through_its_headers() -> None:
    azure = read(b"", 403, "HEAD", x_ms_error_code="AuthorizationFailure")
    minio = read(
        None,
        403,
        "HEAD",
        X_Minio_Error_Code="SignatureDoesNotMatch",
        X_Minio_Error_Desc="The request signature does not match",
    )
    region = read(None, 400, "HEAD", x_amz_bucket_region="eu-west-1")
    assert (azure.dialect, azure.code) == ("empty", "AuthorizationFailure")
    assert (minio.dialect, minio.code) == ("empty", "SignatureDoesNotMatch")
    assert minio.message == "The request signature does not match"
    assert (region.code, region.header_region) == (None, "eu-west-1")


def test_a_code_that_header_and_body_repeat_is_said_once() -> None:
    error = read(xml(code("BlobNotFound")), 404, x_ms_error_code="BlobNotFound")
    assert error.codes == ("BlobNotFound",)


def test_a_redirect_says_nothing_unless_a_store_explains_it() -> None:
    moved = xml(code("PermanentRedirect"), "<Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint>")
    assert read(moved, 301).element("Endpoint") == "b.s3.eu-west-1.amazonaws.com"
    assert read_error(307, Headers(), b"<html>Temporary Redirect</html>", "GET") is None
    assert read_error(307, Headers(), b"", "HEAD") is None
    assert read_error(200, Headers(), moved.encode(), "GET") is None


# --- pages, lines, nothing ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (NGINX, "413 Request Entity Too Large"),
        ("<!DOCTYPE html>\n<html><title>\n Just a\n moment... </title>", "Just a moment..."),
        ("<html><body><h1>503 Service <b>Unavailable</b></h1>", "503 Service Unavailable"),
        (
            "<html><h1>Unauthorized</h1><p>401 Unauthorized: Temp URL invalid</p></html>",
            "Unauthorized",
        ),
        ('<?xml version="1.0"?><!DOCTYPE html><html><title>A &amp; B</title></html>', "A & B"),
        ("<HTML><HEAD></HEAD></HTML>", None),
        ("<html><title>" + "x" * 10_000, "x" * 200),
    ],
)
def test_an_html_page_and_its_title(body: str, title: str | None) -> None:
    error = read(body, 413)
    assert (error.dialect, error.title) == ("html", title)


@pytest.mark.parametrize(
    "body",
    [
        "Not Authorized\n",
        "404 page not found\n",
        "Client sent an HTTP request to an HTTPS server.\n",
        '"quoted"',
        "{not json",
        "<not xml",
        "<a><b></a>",
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><Error><Code>&a;</Code></Error>',
    ],
)
def test_a_line_of_text(body: str) -> None:
    error = read(body, 400, Content_Type="text/plain")
    assert (error.dialect, error.items) == ("text", ())
    assert error.text == body.strip()


def test_an_empty_body_is_not_an_unrecorded_one() -> None:
    assert read(b"").dialect == "empty"
    assert read(b" \r\n").dialect == "empty"
    assert read(None).dialect == "unrecorded"
    assert read(None, method="HEAD").dialect == "empty"


def test_the_text_is_bounded() -> None:
    assert len(read("x" * 1_000_000).text) == 4096
    assert read('{"errors":[' + " " * 1_000_000 + "]}").dialect == "text"


# --- packed bodies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(envelope("DENIED").encode(), mtime=0)),
        ("x-gzip", gzip.compress(envelope("DENIED").encode(), mtime=0)),
        ("deflate", zlib.compress(envelope("DENIED").encode())),
        ("gzip", envelope("DENIED").encode()),
        ("br", envelope("DENIED").encode()),
    ],
)
def test_a_packed_body_is_read_whether_or_not_it_was_unpacked(coding: str, body: bytes) -> None:
    assert read(body, Content_Encoding=coding).code == "DENIED"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", b"\x0b\x02\x80packed\x03"),
        ("zstd", b"\x28\xb5\x2f\xfd\x00\x58packed"),
        ("gzip", gzip.compress(b"damaged", mtime=0)[:4] + b"\x00" * 20),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_unrecorded(coding: str, body: bytes) -> None:
    error = read(body, Content_Encoding=coding)
    assert (error.dialect, error.text) == ("unrecorded", "")


def test_a_bomb_stays_small() -> None:
    bomb = gzip.compress(b"<" * (2 * MOST_DECODED))
    error = read(bomb, Content_Encoding="gzip")
    assert len(error.text) <= 4096


# --- strangers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 250_000,
        b'{"errors":' * 25_000,
        b"<a>" * 80_000,
        b"<Error>" * 30_000,
        b"<html>" + b"<title" * 40_000,
        b"<html><title>" + b"<" * 200_000,
        b"<html>" + b"<h1 " * 60_000,
        b"<center>" * 30_000,
        b"(squid/" * 30_000,
        b"(" + b"squid-" * 40_000,
        b'{"errors":[{"code":"X","message":"\\ud800"}]}',
        b'<?xml version="1.0" encoding="no-such"?><Error/>',
        b"<Error><!-- c --><?pi?><Code/></Error>",
        b"\x00\xff\xfe",
    ],
)
def test_a_hostile_body_costs_little_and_never_raises(hostile: bytes) -> None:
    error = read(hostile, Content_Type="text/html")
    json.dumps([error.text, error.title, error.message, error.codes]).encode()
    error.message.encode()


STARTS = st.sampled_from(
    [b"", b"{", b'{"errors":[', b"<", b"<Error>", b"<html><title>", b"\x1f\x8b"]
)
CODINGS = st.sampled_from(["", "gzip", "deflate", "br", "gzip, gzip"])


@given(
    st.integers(),
    STARTS,
    st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace")),
    CODINGS,
    st.text(),
)
def test_any_answer_is_read(
    status: int, start: bytes, rest: bytes, coding: str, server: str
) -> None:
    headers = Headers([("Content-Encoding", coding), ("Server", server)])
    error = read_error(status, headers, start + rest, "GET")
    assert isinstance(error, ErrorBody | None)
    assert is_registry_voice(headers, error) in {True, False}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["code", "detail", "x"]), inner)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["errors", "error", "code", "message", "details"]), JSON))
def test_any_json_answer_is_read(content: object) -> None:
    error = read(json.dumps(content), 400)
    assert all(isinstance(item.code, str) for item in error.items)
