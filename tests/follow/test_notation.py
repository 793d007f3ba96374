"""The notation of traffic: what a line leaves out, what may be changed, what can't be read."""

from __future__ import annotations

import re

import pytest

from regtrace.wire import notation
from regtrace.wire.challenge import parse_challenges
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Body, Exchange
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.notation import BEGINNING, NotationError, read_names, read_notation
from regtrace.wire.storage import Vendor


def only(text: str) -> Exchange:
    return read_notation(text)[-1]


def leg(text: str) -> Leg:
    return decode(only(text))


def test_the_story_of_the_documentation_can_be_read() -> None:
    text = notation.__doc__ or ""
    story = text.partition("A story\n")[2].partition("::\n\n")[2].partition("Legs\n")[0]
    kinds = [decode(exchange).kind for exchange in read_notation(story)]
    assert Kind.OTHER not in kinds
    assert len(kinds) == 11


def test_equal_texts_give_equal_exchanges() -> None:
    text = "token push team/app -> 200\nHEAD blob L1 -> 307 s3\nHEAD s3 L1 -> 403"
    assert read_notation(text) == read_notation(text)


def test_ids_are_line_numbers() -> None:
    assert [e.id for e in read_notation("\nGET /v2/ -> 401\n\nGET tags -> 200")] == [
        "line-2",
        "line-4",
    ]


def test_time_goes_on_line_by_line() -> None:
    first, second, third, fourth = read_notation(
        "GET /v2/ -> 200\n& GET /v2/ took=2s -> 200\n+3s GET /v2/ -> 200\n+1s\nGET /v2/ -> 200"
    )
    assert first.started == BEGINNING
    assert second.started == pytest.approx(BEGINNING + 0.001)
    assert third.started == pytest.approx(second.started + 2 + 0.01 + 3)
    assert fourth.started == pytest.approx(third.started + 0.05 + 0.01 + 1)


def test_a_401_has_a_challenge_for_what_was_asked() -> None:
    refused = leg("POST uploads in=other/app -> 401")
    assert str(refused.challenges[0].scopes[0]) == "repository:other/app:pull,push"
    assert leg("HEAD blob L1 -> 401 insufficient_scope").challenges[0].error == "insufficient_scope"
    assert leg("GET /v2/ -> 401 none").challenges == ()


def test_a_token_may_grant_something_else_to_somebody_else() -> None:
    story = 'token push team/app access="pull a/b push c" aud=x iss=y -> 200'
    reply = leg(story).token_reply
    assert reply is not None
    assert reply.token is not None
    jwt = reply.token.jwt
    assert jwt is not None
    granted = [str(scope) for scope in jwt.access or ()]
    assert granted == ["repository:a/b:pull", "repository:c:push"]
    assert (jwt.audience, jwt.issuer, jwt.subject) == (("x",), "y", "alice")


def test_a_token_says_what_it_grants_and_is_carried() -> None:
    story = "token push,pull team/app grant=pull lives=60 clock=+30s -> 200\nPOST uploads -> 202"
    asked, started = map(decode, read_notation(story))
    reply = asked.token_reply
    assert reply is not None
    assert reply.token is not None
    assert reply.token.jwt is not None
    assert [str(scope) for scope in reply.token.jwt.access or ()] == ["repository:team/app:pull"]
    assert reply.token.jwt.issued == int(BEGINNING) + 30
    assert reply.lifetime == 60
    assert started.bearer == reply.token
    assert leg("token opaque push team/app -> 200").token_reply.token.jwt is None  # type: ignore[union-attr]


def test_a_session_goes_where_the_last_location_said() -> None:
    legs = list(
        map(decode, read_notation("POST uploads -> 202\nPATCH u1 L1 -> 202\nPUT u1 L1 -> 201"))
    )
    assert len({each.session for each in legs}) == 1
    assert [each.state.offset for each in legs if each.state] == [0, 0, 1_000_000]
    assert legs[2].digest == read_names("HEAD blob L1 -> 200")["L1"]
    moved = only(
        "POST uploads -> 202\n < Location: http://registry.test:80/x/uploads/1\nPATCH u1 -> 202"
    )
    assert (moved.request.scheme, moved.request.target) == ("http", "/x/uploads/1")


@pytest.mark.parametrize(
    ("storage", "vendor"),
    [
        ("s3", Vendor.S3),
        ("s3-v2", Vendor.S3),
        ("minio", Vendor.MINIO),
        ("ceph", Vendor.CEPH),
        ("r2", Vendor.R2),
        ("gcs", Vendor.GCS),
        ("azure", Vendor.AZURE),
        ("cloudfront", Vendor.CLOUDFRONT),
        ("oss", Vendor.OSS),
        ("swift", Vendor.SWIFT),
    ],
)
def test_storages_are_signed_in_their_way(storage: str, vendor: Vendor) -> None:
    hop = leg(f"client crane/0.19.1\nGET blob L1 -> 307 {storage}\nGET {storage} L1 -> 200")
    assert hop.kind is Kind.STORAGE
    assert hop.presigned is not None
    assert hop.vendor is vendor
    assert hop.exchange.request.headers.get("Referer")
    assert not hop.exchange.request.headers.get("Authorization")


def test_a_storage_says_why_it_refuses() -> None:
    story = 'HEAD blob L1 -> 307 {0}\n{1} {0} L1 -> 403 AccessDenied "no & never"'
    said = leg(story.format("s3", "GET")).error
    assert said is not None
    assert (said.code, said.message) == ("AccessDenied", "no & never")
    for storage, code in (("azure", "AccessDenied"), ("minio", "AccessDenied"), ("s3", None)):
        bare = leg(story.format(storage, "HEAD")).error
        assert bare is not None
        assert bare.code == code


def test_a_registry_signs_by_its_own_clock() -> None:
    hop = leg("HEAD blob L1 -> 307 s3 clock=+60s\nHEAD s3 L1 -> 200")
    assert hop.presigned is not None
    assert hop.presigned.signed_at == pytest.approx(BEGINNING + 60, abs=1)


def test_a_storage_of_ones_own() -> None:
    story = (
        "storage minio http://minio.test:9000/bucket\nGET blob L1 -> 307 minio\nGET minio L1 -> 403"
    )
    assert only(story).request.host == "minio.test"


def test_manifests_are_real() -> None:
    put = leg("client crane/0.19.1\nblob L1 5MB\nPUT manifest 1 [cfg L1] -> 201")
    assert put.manifest is not None
    assert [layer.size for layer in put.manifest.layers] == [5_000_000]
    assert put.digest == put.exchange.response.headers.get("Docker-Content-Digest")  # type: ignore[union-attr]
    docker = leg("client docker/24.0.7\nPUT manifest 1 [cfg L1] -> 201")
    assert "docker" in (docker.exchange.request.headers.get("Content-Type") or "")


def test_what_was_put_under_a_tag_is_what_is_read() -> None:
    put, got = map(decode, read_notation("PUT manifest 1 [cfg L7] -> 201\nGET manifest 1 -> 200"))
    assert got.digest == put.digest


def test_images_by_name() -> None:
    story = (
        "image M1 = cfg L1\nindex I1 = M1\nimage S1 = cfgS sig subject=M1\nPUT manifest @I1 -> 201"
    )
    names = read_names(story)
    assert leg(story).digest == names["I1"]
    assert leg(story).manifest.manifests[0].digest == names["M1"]  # type: ignore[union-attr]


def test_errors_of_the_registry_and_of_what_stands_before_it() -> None:
    assert leg("HEAD blob L1 -> 404").error is not None
    assert leg("GET manifest 9 -> 404").error.codes == ("MANIFEST_UNKNOWN",)  # type: ignore[union-attr]
    told = leg('PUT manifest 1 -> 400 TAG_INVALID "immutable"').error
    assert told is not None
    assert (told.code, told.message) == ("TAG_INVALID", "immutable")
    assert leg("GET tags -> 502 nginx").answerer is not None
    assert leg("GET s3 L1 -> 403 SignatureDoesNotMatch").error.codes == ("SignatureDoesNotMatch",)  # type: ignore[union-attr]


def test_what_breaks() -> None:
    broken = only("POST uploads -> 202\nPATCH u1 5MB -> ! server closed connection")
    assert (broken.response, broken.error) == (None, "server closed connection")
    assert broken.request.ended is None
    cut = only("GET blob L1 -> 200 ! server closed connection")
    assert cut.response is not None
    assert not cut.response.body.complete
    early = only("POST uploads -> 202\nPATCH u1 5MB -> 413 nginx sent=1MB")
    assert early.request.body == Body(None, 1_000_000, None, complete=False)
    assert only("GET /v2/ -> ?").response is None
    tunnel = only("CONNECT auth.test:443 -> ! client-tls: unknown ca")
    assert (tunnel.tunnel, tunnel.error) == ("client-tls", "unknown ca")


def test_lines_below_change_a_leg() -> None:
    changed = only(
        "POST uploads -> 202\n"
        "  > Expect: 100-continue   # comment\n"
        "  > -User-Agent\n"
        "  < +Set-Cookie: a=1\n"
        "  < +Set-Cookie: b=2\n"
        "  < -Range\n"
        "  << one # two\n"
        "  << three\n"
    )
    assert changed.response is not None
    assert changed.request.headers.get("Expect") == "100-continue"
    assert changed.request.headers.get("User-Agent") is None
    assert changed.response.headers.all("set-cookie") == ("a=1", "b=2")
    assert changed.response.headers.get("Range") is None
    assert changed.response.body.kept == b"one # two\nthree"
    assert changed.response.headers.get("Content-Length") == "15"


def test_clients_speak_as_they_do() -> None:
    assert leg("client docker/20.10.24\nGET /v2/ -> 401").client.family.value == "docker"  # type: ignore[union-attr]
    for name, family in {
        "docker-containerd": "docker-containerd",
        "containerd": "containerd",
        "buildkit": "buildkit",
        "podman": "containers-image",
        "skopeo": "containers-image",
        "crane": "ggcr",
        "kaniko": "ggcr",
        "regctl": "regclient",
        "oras": "oras",
        "jib": "jib",
        "dotnet": "dotnet",
    }.items():
        client = leg(f"client {name}/1.2.3\nGET /v2/ -> 401").client
        assert client is not None
        assert (client.family.value, client.version) == (family, "1.2.3")
    assert (
        leg('client "my tool"\nGET tags -> 200').exchange.request.headers.get("User-Agent")
        == "my tool"
    )
    assert leg("client -\nGET tags -> 200").client is None


def test_connections() -> None:
    ids = [
        e.connection.id
        for e in read_notation("client docker/20.10.24\nGET tags -> 200\nGET tags -> 200")
    ]
    assert len(set(ids)) == 2
    ids = [
        e.connection.id for e in read_notation("client crane/1\nGET tags -> 200\nGET tags -> 200")
    ]
    assert len(set(ids)) == 1
    unknown = only("client crane/1 from ?\nGET tags -> 200").connection
    assert (unknown.id, unknown.client_host) == ("", None)


def test_basic_and_open_registries() -> None:
    story = "registry https://r.test basic\nGET /v2/ -> 401\nHEAD blob L1 -> 200"
    first, second = read_notation(story)
    assert parse_challenges(first.response.headers.all("WWW-Authenticate"))[0].scheme == "basic"  # type: ignore[union-attr]
    assert (second.request.headers.get("Authorization") or "").startswith("Basic ")
    assert (
        only("registry https://r.test open\nHEAD blob L1 -> 200").request.headers.get(
            "Authorization"
        )
        is None
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("HEAD blob L1", "line 1: expected 'WHAT -> ANSWER'"),
        ("\nHEAD blub L1 -> 200", "line 2: 'blub L1' is nothing to ask for"),
        ("HEAD blob L1 -> 2000", "no status"),
        ("HEAD blob L1 ->", "no answer"),
        ("PUT u9 L1 -> 201", "nothing to ask for"),
        ("HEAD blob L1 took=5 -> 200", "is no time"),
        ("HEAD blob L1 tok=5s -> 200", "no option tok="),
        ("POST uploads -> 202\nPATCH u1 5XB -> 202", "is no size"),
        ("GET manifest @M1 -> 200", "declare it: image M1"),
        ("PUT manifest 1 [] -> 201", "has a config at least"),
        ("HEAD blob L1 -> 307 tape", "no storage is called tape"),
        ("CONNECT auth.test:443 -> 200", "a tunnel that opened is no leg"),
        ("B: GET /v2/ -> 200", "no client is called B"),
        ("client", "expected 'client"),
        ("client docker/1 of x", "expected 'client"),
        ("registry https://r.test digest", "bearer, basic or open"),
        ("registry nowhere", "is no URL"),
        ("token push -> 200", "expected pairs"),
        ('client "docker', "a quote is not closed"),
        ("< Server: x", "nothing to change above it"),
        ("client docker/1\n < Server: x", "only a leg can be changed"),
        ("GET /v2/ -> 200\n < Server", "is no change"),
        ("GET /v2/ -> ?\n < Server: x", "no answer to change"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, why: str) -> None:
    with pytest.raises(NotationError, match=re.escape(why)) as fault:
        read_notation(text)
    assert str(fault.value).startswith("line ")
