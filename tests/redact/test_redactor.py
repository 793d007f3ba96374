"""Each handler by itself: given this value at this level, this is shown."""

from __future__ import annotations

import base64
import json

import pytest

from regtrace.redact.redactor import Level, Redactor
from regtrace.redact.shapes import is_common, is_word
from regtrace.wire.client import read_client
from regtrace.wire.exchange import Body, Exchange, Headers, Request, Response

PUBLIC, VENDOR, INTERNAL = Level.PUBLIC, Level.VENDOR, Level.INTERNAL
HEX = "ab" * 32
DIGEST = f"sha256:{HEX}"
UUID = "e2de57d9-efb0-4204-a8af-d3be1303fe54"
RANDOM = "q" + "Zx7" * 11


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


HEADERS = [
    (VENDOR, "Date", "Mon, 23 Nov 2026 20:25:16 GMT", "Mon, 23 Nov 2026 20:25:16 GMT"),
    (VENDOR, "Date", RANDOM, "value-1"),
    (VENDOR, "Retry-After", "120", "120"),
    (VENDOR, "Retry-After", "tomorrow", "value-1"),
    (VENDOR, "Content-Length", "12", "12"),
    (VENDOR, "Content-Type", "application/json; charset=utf-8", "application/json; charset=utf-8"),
    (VENDOR, "Content-Type", f"application/{RANDOM}", "value-1"),
    (VENDOR, "Docker-Content-Digest", DIGEST, DIGEST),
    (VENDOR, "Docker-Content-Digest", f"key:{HEX}", "value-1"),
    (VENDOR, "Docker-Upload-UUID", UUID, UUID),
    (VENDOR, "Docker-Upload-UUID", RANDOM, "session-1"),
    (VENDOR, "Docker-Distribution-Api-Version", "registry/2.0", "registry/2.0"),
    (VENDOR, "Range", "0-1023", "0-1023"),
    (VENDOR, "Range", "bytes=0--1", "bytes=0--1"),
    (VENDOR, "Server", "nginx/1.25.3 (Ubuntu)", "nginx/1.25.3 (Ubuntu)"),
    (VENDOR, "Server", RANDOM, "value-1"),
    (VENDOR, "X-Request-Id", "1a2b3c/4d+5e==", "1a2b3c/4d+5e=="),
    (VENDOR, "X-Amz-Bucket-Region", "eu-west-1", "eu-west-1"),
    (VENDOR, "X-Never-Heard-Of", "hello", "value-1"),
    (VENDOR, "X-JFrog-Art-Api", RANDOM, "value-1"),
    (VENDOR, "Host", "registry.test:5050", "registry.test:5050"),
    (PUBLIC, "Host", "registry.test:5050", "host-1:5050"),
    (PUBLIC, "Host", "localhost:5000", "localhost:5000"),
    (PUBLIC, "Host", "127.0.0.1.corp.test", "host-1"),
    (VENDOR, "Authorization", "Bearer abc", "Bearer token-1"),
    (VENDOR, "Authorization", f"Basic {packed('bob:pw')}", "Basic user-1:password-1"),
    (INTERNAL, "Authorization", f"Basic {packed('bob:pw')}", "Basic bob:password-1"),
    (VENDOR, "Authorization", f"Basic {packed('AWS:pw')}", "Basic AWS:password-1"),
    (VENDOR, "Authorization", "Basic !!!", "Basic credentials-1"),
    (VENDOR, "Authorization", RANDOM, "credentials-1"),
    (VENDOR, "Authorization", f"Hmac {RANDOM}", "credentials-1"),
    (VENDOR, "Authorization", "Negotiate YII", "Negotiate credentials-1"),
    (VENDOR, "Cookie", "AWSALB=abc; lang=de", "AWSALB=cookie-1; lang=cookie-2"),
    (VENDOR, "Cookie", RANDOM, "cookie-1"),
    (
        VENDOR,
        "Set-Cookie",
        "route=7; Path=/; Domain=corp.test; Secure; Max-Age=60",
        "route=cookie-1; Path=/; Secure; Max-Age=60",
    ),
    (VENDOR, "User-Agent", "docker/27.3.1 go/go1.22", "docker/27.3.1"),
    (VENDOR, "User-Agent", f"{RANDOM}/1.0", "value-1/1.0"),
    (VENDOR, "X-Forwarded-Proto", "https", "https"),
    (VENDOR, "X-Forwarded-For", "203.0.113.7, 10.0.0.9", "public-client-1, client-1.2"),
    (VENDOR, "Via", "1.1 cache.corp (squid/5.7)", "1.1 cache.corp (squid/5.7)"),
    (PUBLIC, "Via", "1.1 cache.corp (squid/5.7)", "1.1 host-1 (squid/5.7)"),
    (VENDOR, "Location", "/v2/a/b/blobs/uploads/" + UUID, "/v2/a/b/blobs/uploads/" + UUID),
    (PUBLIC, "Location", "/v2/a/b/tags/list?n=5", "/v2/repository-1/tags/list?n=5"),
    (VENDOR, "Location", "https://u:p@h.test/", "https://credentials-1@h.test:443"),
    (VENDOR, "Location", "ftp://h.test/x", "url-1"),
    (VENDOR, "Link", "</v2/_catalog?n=5&last=a>; rel=next", "</v2/_catalog?last=a&n=5>; rel=next"),
    (
        VENDOR,
        "WWW-Authenticate",
        f'Bearer realm="https://auth.test/token",service="r.test",error="invalid_token",x="{RANDOM}"',
        (
            'Bearer realm="https://auth.test:443/token",service="r.test",error="invalid_token",'
            'x="value-1"'
        ),
    ),
    (VENDOR, "WWW-Authenticate", f"{RANDOM} realm=x", 'value-1 realm="x"'),
    (
        VENDOR,
        "X-Registry-Auth",
        packed(json.dumps({"username": "u", "password": "p", "serveraddress": "r.test"})),
        "credentials-1 (password,serveraddress,username) for r.test",
    ),
]


@pytest.mark.parametrize(("level", "name", "value", "shown"), HEADERS)
def test_header(level: Level, name: str, value: str, shown: str) -> None:
    assert Redactor(level).header(name, value) == shown


URLS = [
    (
        VENDOR,
        "https://r.test/v2/team/app/manifests/1.2",
        "https://r.test:443/v2/team/app/manifests/1.2",
    ),
    (
        PUBLIC,
        "https://r.test/v2/team/app/manifests/1.2",
        "https://host-1:443/v2/repository-1/manifests/tag-1",
    ),
    (
        PUBLIC,
        f"https://r.test/v2/a/blobs/{DIGEST}",
        f"https://host-1:443/v2/repository-1/blobs/{DIGEST}",
    ),
    (VENDOR, "https://r.test/v2/a/blobs/key:abc", "https://r.test:443/v2/a/blobs/digest-1"),
    (
        VENDOR,
        f"https://r.test/v2/a/blobs/uploads/{RANDOM}",
        "https://r.test:443/v2/a/blobs/uploads/session-1",
    ),
    (VENDOR, "https://r.test/v2/A_b/tags/list", "https://r.test:443/v2/A_b/tags/list"),
    (VENDOR, "https://r.test/v2/a%0Ab/tags/list", "https://r.test:443/v2/repository-1/tags/list"),
    (
        VENDOR,
        "https://a.test/auth/realms/docker-v2/token",
        "https://a.test:443/auth/realms/docker-v2/token",
    ),
    (VENDOR, f"https://a.test/hook/{RANDOM}", "https://a.test:443/path-1"),
    (PUBLIC, "https://a.test/acme/token", "https://host-1:443/path-1"),
    (
        PUBLIC,
        f"https://s.test/bucket/base/docker/registry/v2/blobs/sha256/ab/{HEX}/data",
        f"https://host-1:443/bucket-1/object-1/docker/registry/v2/blobs/sha256/ab/{HEX}/data",
    ),
    (
        PUBLIC,
        "https://s.test/b/docker/registry/v2/repositories/team/app/_manifests/tags/t/current/link",
        (
            "https://host-1:443/bucket-1/docker/registry/v2/repositories/repository-1/_manifests/tags/tag-1"
            "/current/link"
        ),
    ),
    (VENDOR, f"https://s.test/{RANDOM}", "https://s.test:443/path-1"),
    (VENDOR, f"https://r.test/?{RANDOM}", "https://r.test:443/?value-1="),
    (VENDOR, "https://r.test/?flavour=sweet", "https://r.test:443/?flavour=value-1"),
    (VENDOR, f"https://r.test/?digest={RANDOM}", "https://r.test:443/?digest=value-1"),
    (VENDOR, "https://r.test/?n=abc", "https://r.test:443/?n=value-1"),
    (
        VENDOR,
        "https://r.test/?account=bob&client_id=docker",
        "https://r.test:443/?account=user-1&client_id=docker",
    ),
    (INTERNAL, "https://r.test/?account=bob", "https://r.test:443/?account=bob"),
    (
        VENDOR,
        "https://r.test/?scope=repository:a/b:pull",
        "https://r.test:443/?scope=repository:a/b:pull",
    ),
    (
        PUBLIC,
        "https://r.test/?scope=repository:a/b:pull",
        "https://host-1:443/?scope=repository:repository-1:pull",
    ),
    (VENDOR, f"https://r.test/?scope={RANDOM}", "https://r.test:443/?scope=scope-1"),
    (
        VENDOR,
        "https://r.test/?verify=1795468516-abc",
        "https://r.test:443/?verify=1795468516-signature-1",
    ),
    (
        VENDOR,
        "https://r.test/?X-Amz-Credential=A/B/20261123/us-east-1/s3/aws4_request",
        "https://r.test:443/?X-Amz-Credential=key-id-1/20261123/us-east-1/s3/aws4_request",
    ),
    (
        VENDOR,
        "https://r.test/?X-Amz-Credential=AB",
        "https://r.test:443/?X-Amz-Credential=key-id-1",
    ),
    (
        VENDOR,
        "https://r.test/?sig=abc&se=2026-11-23",
        "https://r.test:443/?se=2026-11-23&sig=signature-1",
    ),
    (VENDOR, "https://r.test/%zz?a=%zz", "https://r.test:443/path-1?a=value-1"),
]


@pytest.mark.parametrize(("level", "url", "shown"), URLS)
def test_url(level: Level, url: str, shown: str) -> None:
    assert Redactor(level).url_text(url) == shown


PROSE = [
    (VENDOR, "requested access to the resource is denied", None),
    (VENDOR, "Basic authentication failed for s3:ListMultipartUploadParts", None),
    (VENDOR, f"blob {DIGEST} in {UUID} unknown", None),
    (VENDOR, "took 12:30:45, v1.2.3, 1024 bytes", None),
    (VENDOR, f"bad token {RANDOM}", "bad token value-1"),
    (VENDOR, "password=Ab1x!", "password=value-1"),
    (VENDOR, "Bearer Zz1Zz1", "Bearer value-1"),
    (VENDOR, "connect to 198.51.100.7:443 failed", "connect to public-address-1:443 failed"),
    (VENDOR, "connect to [2001:db8::1]:443 failed", "connect to public-address-1:443 failed"),
    (VENDOR, "peer ('2001:db8::1', 443)", "peer ('public-address-1', 443)"),
    (VENDOR, "dial 127.0.0.1:5000: refused", "dial 127.0.0.1:5000: refused"),
    (INTERNAL, "connect to 198.51.100.7 failed", "connect to 198.51.100.7 failed"),
    (
        VENDOR,
        "see https://u:p@h.test/x?sig=abc.",
        "see https://credentials-1@h.test:443/x?sig=signature-1.",
    ),
    (VENDOR, "mail bob@corp.test", "mail user-1"),
    (PUBLIC, "no such host registry.corp.test:5050", "no such host host-1:5050"),
    (PUBLIC, "name team/app is unknown", "name name-1 is unknown"),
]


@pytest.mark.parametrize(("level", "said", "shown"), PROSE)
def test_prose(level: Level, said: str, shown: str | None) -> None:
    assert Redactor(level).prose(said) == (said if shown is None else shown)


def test_a_value_has_one_label_everywhere() -> None:
    redactor = Redactor(PUBLIC)
    assert redactor.host("r.test:5000") == "host-1:5000"
    assert redactor.service("r.test:5000") == "host-1:5000"
    assert redactor.registry("r.test:5000/acme") == "host-1:5000/path-1"
    assert redactor.header("Host", "r.test") == "host-1"
    assert redactor.header("Authorization", "Bearer secret-of-mine") == "Bearer token-1"
    assert redactor.query("access_token", "secret-of-mine") == "token-1"
    assert redactor.client_address("203.0.113.7") == "public-client-1"
    assert redactor.prose("from 203.0.113.7") == "from public-client-1"


def test_a_label_stays_a_label() -> None:
    redactor = Redactor(PUBLIC)
    once = redactor.url_text("https://r.test/v2/team/app/blobs/uploads/xyz?sig=abc")
    assert redactor.url_text(once) == once


def test_a_user_agent_may_say_anything() -> None:
    redactor = Redactor(VENDOR)
    client = read_client(Headers([("User-Agent", f"{RANDOM}/{RANDOM}")]))
    assert client is not None
    assert redactor.client(client) == ("value-1", "value-1")


def login(user: str, password: str, said: str) -> Exchange:
    basic = ("Authorization", f"Basic {packed(f'{user}:{password}')}")
    return Exchange(
        id="1",
        request=Request(
            method="GET",
            scheme="https",
            host="r.test",
            port=443,
            target="/v2/team/app/tags/list",
            headers=Headers([basic]),
        ),
        response=Response(status=403, body=Body.of(said.encode())),
    )


def test_sentences_lose_the_secrets_and_users_of_the_capture() -> None:
    redactor = Redactor(VENDOR)
    redactor.learn(login("walter", "hazel-otter-quilt", ""))
    said = redactor.prose("walter may not use hazel-otter-quilt here")
    assert said == "user-1 may not use password-1 here"


def test_a_password_that_is_a_name_or_a_word_stays_in_its_place() -> None:
    """To replace it would tell the reader that it is the password."""
    redactor = Redactor(VENDOR)
    redactor.learn(login("walter", "team/app", ""))
    redactor.learn(login("walter", "repository", ""))
    redactor.learn(login("walter", "app", ""))
    assert redactor.repository("team/app") == "team/app"
    assert redactor.prose("repository team/app unknown") == "repository team/app unknown"


@pytest.mark.parametrize(
    "text",
    """us-east-1 eu-central-003 aws4_request MANIFEST_BLOB_UNKNOWN SignatureDoesNotMatch
    AuthorizationPermissionMismatch InvalidAccessKeyId container_registry oauth2 docker-v2
    application/vnd.oci.image.manifest.v1+json storage.redirect.disable x-amz-content-sha256
    gitlab-ci-token AWSALB JSESSIONID _gitlab_session""".split(),
)
def test_words(text: str) -> None:
    assert is_word(text)


@pytest.mark.parametrize(
    "text",
    [RANDOM, HEX, UUID, "a b", "", "kJ8sLq", "wJalrXUtnFEMIbPxRfiCY", "9f86d081884c", "x" * 80],
)
def test_no_words(text: str) -> None:
    assert not is_word(text)


@pytest.mark.parametrize(
    "text",
    ["registry", "container_registry", "team/app", "20261123", "short", "https://a.test/token"],
)
def test_too_common_to_be_looked_for(text: str) -> None:
    assert is_common(text)


@pytest.mark.parametrize("text", ["hunter22", "hazel-otter-quilt", "Tr0ub4dor", "a" * 21])
def test_looked_for(text: str) -> None:
    assert not is_common(text)
