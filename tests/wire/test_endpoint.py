"""Given this path, this is the endpoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.endpoint import (
    MAX_PATH,
    Endpoint,
    Route,
    is_digest,
    is_name,
    is_tag,
    parse_endpoint,
)

DIGEST = "sha256:" + "ab" * 32
LONG_DIGEST = "sha512:" + "01" * 64
UUID = "6b3c9a93-af5d-473f-a4cd-60f0f1a0b5e5"


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v2/", Endpoint(Route.BASE)),
        ("/v2", Endpoint(Route.BASE)),
        ("/v2/_catalog", Endpoint(Route.CATALOG)),
        ("/v2/_oci/ext/discover", Endpoint(Route.EXTENSION)),
        ("/v2/_docker/x", Endpoint(Route.EXTENSION)),
        ("/v2/a/b/_oci/ext/discover", Endpoint(Route.EXTENSION, repository="a/b")),
        ("/v2/a/tags/list", Endpoint(Route.TAGS, repository="a")),
        ("/v2/a/b/c/manifests/v1.0", Endpoint(Route.MANIFEST, repository="a/b/c", tag="v1.0")),
        (f"/v2/a/manifests/{DIGEST}", Endpoint(Route.MANIFEST, repository="a", digest=DIGEST)),
        (f"/v2/a/referrers/{DIGEST}", Endpoint(Route.REFERRERS, repository="a", digest=DIGEST)),
        (f"/v2/a/blobs/{LONG_DIGEST}", Endpoint(Route.BLOB, repository="a", digest=LONG_DIGEST)),
        ("/v2/a/blobs/uploads/", Endpoint(Route.UPLOADS, repository="a")),
        (f"/v2/a/blobs/uploads/{UUID}", Endpoint(Route.UPLOAD, repository="a", session=UUID)),
        ("/v1/_ping", Endpoint(Route.V1)),
        ("/v1/search", Endpoint(Route.V1)),
        ("/v1/repositories/library/alpine/images", Endpoint(Route.V1)),
    ],
)
def test_every_route(path: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(path) == endpoint


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        (
            "/v2/a/blobs/uploads/manifests/x",
            Endpoint(Route.MANIFEST, repository="a/blobs/uploads", tag="x"),
        ),
        (
            f"/v2/a/manifests/blobs/uploads/{UUID}",
            Endpoint(Route.UPLOAD, repository="a/manifests", session=UUID),
        ),
        ("/v2/blobs/uploads/tags/list", Endpoint(Route.TAGS, repository="blobs/uploads")),
        ("/v2/a/manifests/tags/list", Endpoint(Route.TAGS, repository="a/manifests")),
        ("/v2/x/blobs/uploads/list", Endpoint(Route.UPLOAD, repository="x", session="list")),
        (
            f"/v2/x/blobs/uploads/{DIGEST}",
            Endpoint(Route.UPLOAD, repository="x", session=DIGEST),
        ),
        (
            f"/v2/x/blobs/uploads/blobs/{DIGEST}",
            Endpoint(Route.BLOB, repository="x/blobs/uploads", digest=DIGEST),
        ),
        ("/v2/foo/v2/bar/manifests/x", Endpoint(Route.MANIFEST, repository="foo/v2/bar", tag="x")),
        ("/v2/v2/manifests/v2", Endpoint(Route.MANIFEST, repository="v2", tag="v2")),
        (
            "/v2/docker/registry/v2/blobs/uploads/",
            Endpoint(Route.UPLOADS, repository="docker/registry/v2"),
        ),
        # A tag and a session may begin with "_", a name component may not.
        ("/v2/a/manifests/_x", Endpoint(Route.MANIFEST, repository="a", tag="_x")),
        ("/v2/a/blobs/uploads/_x=", Endpoint(Route.UPLOAD, repository="a", session="_x=")),
        (
            "/v2/a/_b/manifests/x",
            Endpoint(Route.MANIFEST, repository="a/_b", tag="x", name_valid=False),
        ),
        ("/v2/_a/tags/list", Endpoint(Route.TAGS, repository="_a", name_valid=False)),
        ("/v2/a/_oci/manifests/x", Endpoint(Route.EXTENSION, repository="a")),
    ],
)
def test_names_made_of_the_apis_own_words(path: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(path) == endpoint


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        (f"/v2/a/blobs/{DIGEST.replace(':', '%3A')}", parse_endpoint(f"/v2/a/blobs/{DIGEST}")),
        ("/v2/library%2Falpine/manifests/x", parse_endpoint("/v2/library/alpine/manifests/x")),
        ("/v2/a/blobs/uploads", parse_endpoint("/v2/a/blobs/uploads/")),
        (f"/v2/a/blobs/uploads/{UUID}/", parse_endpoint(f"/v2/a/blobs/uploads/{UUID}")),
        ("/v2/a/manifests/x/", parse_endpoint("/v2/a/manifests/x")),
    ],
)
def test_spelling_does_not_matter(path: str, endpoint: Endpoint | None) -> None:
    assert endpoint is not None
    assert parse_endpoint(path) == endpoint


@pytest.mark.parametrize(
    ("path", "prefix", "route"),
    [
        ("/artifactory/api/docker/local/v2/", "/artifactory/api/docker/local", Route.BASE),
        ("/repository/docker/v2/a/manifests/x", "/repository/docker", Route.MANIFEST),
        (f"/mirror/v2/a/blobs/{DIGEST}", "/mirror", Route.BLOB),
        ("/mirror/v2/_catalog", "/mirror", Route.CATALOG),
        # The first /v2/ that leaves something parsable.
        ("/api/v2/proxy/v2/a/b/tags/list", "/api", None),
        ("/api/v2/Proxy/v2/a/tags/list", "/api/v2/Proxy", Route.TAGS),
        ("/api/v2/proxy/v2/", "/api/v2/proxy", Route.BASE),
    ],
)
def test_a_registry_behind_a_path(path: str, prefix: str, route: Route | None) -> None:
    endpoint = parse_endpoint(path)
    assert endpoint is not None
    assert endpoint.prefix == prefix
    assert route is None or endpoint.route is route


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "/",
        "registry.example:443",
        "v2/a/manifests/x",
        # No repository.
        "/v2/tags/list",
        "/v2/manifests/x",
        "/v2/blobs/uploads/",
        f"/v2/blobs/uploads/{UUID}",
        f"/v2/blobs/{DIGEST}",
        "/v2//manifests/x",
        "/v2///manifests/x",
        # Nothing in the last place.
        "/v2/a/manifests/",
        "/v2/a/blobs/",
        "/v2/a/blobs/uploads//",
        # No digest at all.
        "/v2/a/blobs/latest",
        "/v2/a/referrers/latest",
        # Token servers.
        "/v2/token",
        "/v2/auth",
        "/artifactory/api/docker/local/v2/token",
        # Files of distribution in a bucket.
        f"/docker/registry/v2/blobs/sha256/ab/{'ab' * 32}/data",
        f"/bucket/docker/registry/v2/blobs/sha256/ab/{'ab' * 32}/data",
        "/docker/registry/v2/repositories/a/_manifests/tags/x/current/link",
        "/docker/registry/v2/repositories/manifests/_layers",
        # Docker Hub's own API, npm-like and others.
        "/v2/repositories/library/alpine/tags/",
        "/v2/repositories/library/alpine/tags/_x",
        "/v2/namespaces/library/repositories/alpine",
        "/v2/users/login",
        "/v2/@scope%2fpackage",
        "/api/v2",
        "/api/v2/_bulk/x",
        "/api/v2/Users/manifests/x",
        # Swift's storage is /v1/ too.
        "/v1/AUTH_demo/container/object",
        "/v1/",
        "/v1",
        "/v2/" + "a" * MAX_PATH + "/manifests/x",
    ],
)
def test_what_is_no_endpoint(path: str) -> None:
    assert parse_endpoint(path) is None


def test_a_bad_name_is_still_seen() -> None:
    endpoint = parse_endpoint("/v2/MyApp/blobs/uploads/")
    assert endpoint is not None
    assert (endpoint.route, endpoint.repository) == (Route.UPLOADS, "MyApp")
    assert not endpoint.name_valid
    assert endpoint.reference_valid


@pytest.mark.parametrize(
    "path", ["/v2/a/manifests/.x", "/v2/a/manifests/sha256:zz", f"/v2/a/blobs/{DIGEST}0"]
)
def test_a_bad_reference_is_still_seen(path: str) -> None:
    endpoint = parse_endpoint(path)
    assert endpoint is not None
    assert endpoint.name_valid
    assert not endpoint.reference_valid
    assert path.endswith(endpoint.tag or endpoint.digest or "?")


def test_openshift_signatures() -> None:
    assert parse_endpoint(f"/extensions/v2/a/b/signatures/{DIGEST}") == Endpoint(
        Route.EXTENSION, repository="a/b", digest=DIGEST
    )
    assert parse_endpoint("/extensions/v2/a/b/signatures/x") is None
    assert parse_endpoint("/extensions/v2/") is None


@pytest.mark.parametrize(
    "text", ["a", "0", "a/b", "library/alpine", "a.b", "a_b", "a__b", "a-b", "a---b", "v2/x"]
)
def test_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text",
    ["", "A", "_a", "-a", ".a", "a-", "a..b", "a___b", "a._b", "a//b", "/a", "a/", "ä", "a\n"],
)
def test_no_names(text: str) -> None:
    assert not is_name(text)


def test_a_name_has_255_characters_at_most() -> None:
    assert is_name("a" * 255)
    assert not is_name("a" * 256)


def test_tags() -> None:
    assert all(map(is_tag, ["latest", "_x", "1.0", "A-b_c.d", "x" * 128]))
    assert not any(map(is_tag, ["", ".x", "-x", "x" * 129, "a/b", "a:b", "a+b", "x\n"]))


@pytest.mark.parametrize(
    "text", [DIGEST, LONG_DIGEST, "sha384:" + "0" * 96, "tarsum.v1+sha256:0f", "blake3:Az09=_-"]
)
def test_digests(text: str) -> None:
    assert is_digest(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256:",
        "a:b:c",
        "sha256:" + "AB" * 32,
        "SHA256:" + "ab" * 32,
        "sha256:" + "zz" * 32,
        DIGEST[:-1],
        DIGEST + "0",
        DIGEST + "\n",
        "x:" + "0" * 300,
    ],
)
def test_no_digests(text: str) -> None:
    assert not is_digest(text)


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    parse_endpoint(text)
    parse_endpoint("/v2/" + text)
    is_name(text), is_tag(text), is_digest(text)


WORDS = st.sampled_from(
    ("v2", "a", "blobs", "uploads", "manifests", "tags", "list", "referrers", "_oci", "_catalog")
) | st.sampled_from(("", "B", "docker", "registry", "%2F", "%", DIGEST, "sha256%3Ax", "\ud800"))


@given(st.lists(WORDS, max_size=10))
def test_any_order_of_the_apis_words_is_survived(words: list[str]) -> None:
    endpoint = parse_endpoint("/" + "/".join(words))
    if endpoint and endpoint.repository is not None:
        assert endpoint.name_valid == is_name(endpoint.repository)
        assert endpoint.name_valid or not endpoint.prefix


NAMES = st.from_regex(
    r"[a-z0-9]{1,8}((\.|_|__|-)[a-z0-9]{1,8})?(/[a-z0-9]{1,8}){0,3}", fullmatch=True
)
TAGS = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}", fullmatch=True)


@given(name=NAMES, tag=TAGS, prefix=st.sampled_from(["", "/mirror"]))
def test_a_manifest_path_comes_back(name: str, tag: str, prefix: str) -> None:
    assert parse_endpoint(f"{prefix}/v2/{name}/manifests/{tag}") == Endpoint(
        Route.MANIFEST, prefix, name, tag=tag
    )
