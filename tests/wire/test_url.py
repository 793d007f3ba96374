"""URLs that mean the same compare equal, whoever wrote them; those that don't, don't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.url import ADDED_BY_CLIENTS, MAX_URL, Url, parse_url

UPLOAD = "https://registry.test/v2/team/app/blobs/uploads/u1"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{UPLOAD}?a=1&b=2", f"{UPLOAD}?b=2&a=1"),
        (f"{UPLOAD}?a=2&a=1", f"{UPLOAD}?a=1&a=2"),
        (f"{UPLOAD}?_state=a%2Bb%3D", f"{UPLOAD}?_state=a%2bb="),
        (f"{UPLOAD}?a=x%20y", f"{UPLOAD}?a=x+y"),
        (f"{UPLOAD}?a", f"{UPLOAD}?a="),
        (f"{UPLOAD}?", UPLOAD),
        (f"{UPLOAD}#part", UPLOAD),
        ("https://registry.test:443/v2/", "https://registry.test/v2/"),
        ("http://registry.test:80/v2/", "http://registry.test/v2/"),
        ("HTTPS://Registry.TEST/v2/", "https://registry.test/v2/"),
        ("https://registry.test./v2/", "https://registry.test/v2/"),
        ("https://registry.test", "https://registry.test/"),
        (" https://registry.test/v2/\n", "https://registry.test/v2/"),
        ("https://ann:made-up@registry.test/v2/", "https://registry.test/v2/"),
        ("https://registry.test/v2/x/blobs/sha256%3Aab", "https://registry.test/v2/x/blobs/sha256:ab"),
        ("https://registry.test/%7Eann", "https://registry.test/~ann"),
        ("https://[2001:DB8:0:0::1]/v2/", "https://[2001:db8::1]:443/v2/"),
        ("https://[::ffff:192.0.2.1]/", "https://[::ffff:c000:201]/"),
        ("https://bücher.test/v2/", "https://xn--bcher-kva.test/v2/"),
        ("https://BÜCHER.test/v2/", "https://xn--bcher-kva.test/v2/"),
        ("https://registry.test/a/../v2/./x", "https://registry.test/v2/x"),
        ("https://registry.test/../../v2/", "https://registry.test/v2/"),
        ("https://registry.test/v2/x/..", "https://registry.test/v2/"),
        ("https://registry.test/v2/.", "https://registry.test/v2/"),
    ],
)  # fmt: skip
def test_the_same_in_other_words(one: str, other: str) -> None:
    assert parse_url(one) is not None
    assert parse_url(one) == parse_url(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (UPLOAD, UPLOAD.replace("https", "http")),
        (UPLOAD, UPLOAD.replace("registry.test", "registry.test:5000")),
        (UPLOAD, UPLOAD + "/"),
        (UPLOAD, UPLOAD.upper().replace("HTTPS", "https")),
        (f"{UPLOAD}?a=1", f"{UPLOAD}?a=1&a=1"),
        (f"{UPLOAD}?a=x%2By", f"{UPLOAD}?a=x+y"),
        (f"{UPLOAD}?a=1", f"{UPLOAD}?A=1"),
        ("https://registry.test//v2/", "https://registry.test/v2/"),
        ("https://registry.test/a/%2E%2E/b", "https://registry.test/b"),
        ("https://registry.test/.well-known", "https://registry.test/well-known"),
    ],
)
def test_what_is_not_the_same(one: str, other: str) -> None:
    assert parse_url(one) != parse_url(other)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/v2/x/blobs/uploads/u2", "https://registry.test:5000/v2/x/blobs/uploads/u2"),
        ("u2?a=1", "https://registry.test:5000/v2/team/blobs/uploads/u2?a=1"),
        ("../../manifests/1", "https://registry.test:5000/v2/team/manifests/1"),
        ("../../../../../../../x", "https://registry.test:5000/x"),
        ("?a=1", "https://registry.test:5000/v2/team/blobs/uploads/u1?a=1"),
        ("", "https://registry.test:5000/v2/team/blobs/uploads/u1?b=2"),
        ("//cdn.test/x", "https://cdn.test/x"),
        ("http://cdn.test/a/../b", "http://cdn.test/b"),
        ("https:///x", None),
        ("https:x", None),
        ("javascript:alert(1)", None),
        ("mailto:ann@registry.test", None),
    ],
)
def test_a_location_is_resolved(location: str, expected: str | None) -> None:
    base = "https://registry.test:5000/v2/team/blobs/uploads/u1?b=2"
    assert parse_url(location, base) == (parse_url(expected) if expected else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/v2/",
        "registry.test/v2/",
        "//registry.test/v2/",
        "https://",
        "https:///v2/",
        "https://:443/",
        "https://registry.test:99999/",
        "https://registry.test:-1/",
        "https://registry.test:٣/",
        "https://registry.test:https/",
        "https://[::1/",
        "https://[1:2]/",
        "https://[v1.x:y]/",
        "https://a\u2100b.test/",  # a sign that would become a slash (CVE-2019-9636)
        "ftp://registry.test/",
        "file:///etc/passwd",
        "unix:/var/run/docker.sock",
        "https://registry.test/" + "a" * MAX_URL,
    ],
)
def test_what_is_no_url(text: str) -> None:
    assert parse_url(text) is None


def test_the_parts() -> None:
    url = parse_url("https://ann:made-up@[::1]:5000/v2/a%20b/?ns=docker.io&Digest=x&digest=y")
    assert url == Url(
        "https", "::1", 5000, "/v2/a b/", (("Digest", "x"), ("digest", "y"), ("ns", "docker.io"))
    )
    assert (url.authority, url.origin) == ("[::1]:5000", "https://[::1]:5000")
    assert (url.param("DIGEST"), url.params("digest"), url.param("none")) == ("x", ("x", "y"), None)
    assert url.without(ADDED_BY_CLIENTS).query == (("Digest", "x"),)
    assert "made-up" not in repr(url)


def test_a_query_of_a_thousand_pairs_is_one_text() -> None:
    query = "&".join(f"a{number}=1" for number in range(1000))
    url = parse_url(f"{UPLOAD}?{query}")
    assert url is not None
    assert url.query == (("", query),)


PIECES = st.sampled_from(
    [
        *"https:// http: // / .. . % %2e %ff : [ ] @ ? & = # é xn-- registry.test :443 ::1".split(),
        *("\\", "\n", "\x00", "\u2100", "\ud800"),
    ]
)
TEXT = st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join)


@given(TEXT, st.none() | TEXT)
def test_any_text_is_a_url_or_none(text: str, base: str | None) -> None:
    url = parse_url(text, base)
    if url is not None:
        assert url.host
        assert url.scheme in {"http", "https"}
        assert url.path.startswith("/")
        assert hash(url) == hash(parse_url(text, base))


NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


@given(NAMES, st.lists(NAMES, max_size=4), st.lists(st.tuples(NAMES, NAMES), max_size=5))
def test_the_canonical_form_of_a_plain_url_is_itself(
    host: str, path: list[str], query: list[tuple[str, str]]
) -> None:
    text = "&".join(f"{key}={value}" for key, value in query)
    url = parse_url(f"https://h{host}.test/{'/'.join(path)}?{text}")
    assert url == Url(
        "https", f"h{host}.test".lower(), 443, "/" + "/".join(path), tuple(sorted(query))
    )
