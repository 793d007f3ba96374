"""Lines of logs are joined to the legs that they speak of, and to no others."""

from __future__ import annotations

import io
import json
from datetime import datetime, timezone

import pytest

from regtrace.evidence.hearing import Heard, lacks
from regtrace.evidence.reading import Count
from regtrace.evidence.registry_log import Join
from regtrace.wire import testimony
from regtrace.wire.decode import decode
from regtrace.wire.leg import Leg
from regtrace.wire.notation import BEGINNING, read_notation
from regtrace.wire.testimony import Told

STORY = """
client docker/20.10.24
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN "unknown error"
+5s POST uploads             -> 500 UNKNOWN "unknown error"
POST uploads                 -> 202
"""
WRONG_SECRET = "s3aws: SignatureDoesNotMatch: the key is wrong"


def legs(story: str = STORY) -> list[Leg]:
    return [decode(exchange) for exchange in read_notation(story)]


def line(seconds: float, *, uri: str = "/v2/team/app/blobs/uploads/", **more: object) -> bytes:
    """As distribution writes it, so many seconds after the story began."""
    content = {
        "err.code": "unknown",
        "err.message": "unknown error",
        "err.detail": WRONG_SECRET,
        "http.request.method": "POST",
        "http.request.uri": uri,
        "http.request.id": f"1de353ad-74a3-432e-9211-{int(seconds * 1000) % 10**12:012d}",
        "http.response.status": 500,
        "level": "error",
        "time": moment(seconds),
        **more,
    }
    return json.dumps({k: v for k, v in content.items() if v is not None}).encode() + b"\n"


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(BEGINNING + seconds, tz=timezone.utc).isoformat()


def access(seconds: float, status: int = 500, agent: str = "-") -> bytes:
    when = datetime.fromtimestamp(BEGINNING + seconds, tz=timezone.utc)
    clf = when.strftime("%d/%b/%Y:%H:%M:%S +0000")
    request = "POST /v2/team/app/blobs/uploads/ HTTP/1.1"
    return f'10.0.0.1 - - [{clf}] "{request}" {status} 87 "" "{agent}"\n'.encode()


def joined(
    log: list[bytes], told: list[Leg]
) -> tuple[dict[str, tuple[testimony.Testimony, ...]], Count]:
    join = Join(told)
    count = join.read(io.BytesIO(b"".join(log)), "/var/log/registry.log")
    return dict(join.joined.testimonies().by_leg), count


def test_a_line_goes_to_the_leg_that_it_was_written_for() -> None:
    told = legs()
    by_leg, count = joined([line(0.1), line(5.2)], told)
    assert set(by_leg) == {told[1].id, told[2].id}
    (said,) = by_leg[told[1].id]
    assert said.said == f"unknown: unknown error: {WRONG_SECRET}"
    assert said.told == {Told.STORAGE}
    assert (said.file, said.line, said.source) == ("registry.log", 1, "registry-log")
    assert by_leg[told[2].id][0].line == 2
    assert (count.lines, count.joined, count.ambiguous) == (2, 2, [])


def test_the_registrys_clock_may_be_wrong() -> None:
    """Its own Date header says by how much."""
    told = legs(STORY.replace("-> 500", "clock=+20s -> 500").replace("-> 202", "clock=+20s -> 202"))
    by_leg, _ = joined([line(20.1)], told)
    assert set(by_leg) == {told[1].id}


def test_a_line_that_fits_two_legs_goes_to_none_and_is_counted() -> None:
    told = legs(STORY.replace("+5s ", ""))
    by_leg, count = joined([line(0.1)], told)
    assert by_leg == {}
    assert count.ambiguous == [1]
    spots = list(lacks(Heard(counts=(("registry.log", count),), asked=2)))
    assert any("lines 1 of registry.log" in what and "alike" in why for what, why, _ in spots)


def test_two_lines_that_fit_two_legs_go_to_them_in_their_order() -> None:
    told = legs(STORY.replace("+5s ", ""))
    log = [line(0.1), line(0.4, **{"err.detail": "s3aws: NoSuchBucket: x"})]
    by_leg, count = joined(log, told)
    assert count.ambiguous == []
    assert "SignatureDoesNotMatch" in by_leg[told[1].id][0].said
    assert "NoSuchBucket" in by_leg[told[2].id][0].said
    assert by_leg[told[1].id][0].joined_by == "method, path and time, in their order"


def test_two_requests_of_the_log_within_one_leg_are_not_told_apart() -> None:
    """Another client asked the same, past the proxy."""
    told = legs()
    other = line(0.3, **{"err.detail": "filesystem: mkdir /x: read-only file system"})
    by_leg, count = joined([line(0.1), other], told)
    assert by_leg == {}
    assert count.ambiguous == [1, 2]


def test_legs_beside_each_other_are_not_put_in_order() -> None:
    """Which of two uploads at once a line belongs to, its time can't say."""
    told = legs("""
client docker/20.10.24
token push,pull team/app     -> 200
POST uploads took=1s         -> 500 UNKNOWN
& POST uploads took=1s       -> 500 UNKNOWN
""")
    by_leg, count = joined([line(0.2), line(0.4, **{"err.detail": "unexpected EOF"})], told)
    assert by_leg == {}
    assert count.ambiguous == [1, 2]
    # Of requests of which the log says the same, it does not matter.
    by_leg, count = joined([line(0.2), line(0.4)], told)
    assert len(by_leg) == 2


def test_a_request_id_of_the_wire_decides() -> None:
    story = STORY.replace("+5s ", "").replace(
        'UNKNOWN "unknown error"\nPOST',
        'UNKNOWN "unknown error"\n  < X-Request-Id: 01JDABCDEF99\nPOST',
        1,
    )
    told = legs(story)
    named = [leg for leg in told if leg.exchange.response.headers.get("X-Request-Id")]  # type: ignore[union-attr]
    by_leg, count = joined([line(0.1, correlation_id="01JDABCDEF99")], told)
    assert set(by_leg) == {named[0].id}
    assert by_leg[named[0].id][0].joined_by == "the request's id"
    assert count.ambiguous == []


def test_a_line_without_a_path_is_found_by_the_id() -> None:
    """Harbor's core names a request by its id alone."""
    told = legs(STORY.replace("-> 202", "-> 403 DENIED\n  < X-Request-Id: 7ee5cbd1-33f3-4ab4-9cb1"))
    core = (
        f"Jan 15 12:00:06 172.18.0.1 core[1]: {moment(6)[:19]}Z [ERROR] [/lib/http/error.go:56]"
        '[requestID="7ee5cbd1-33f3-4ab4-9cb1" traceID=""]: {"errors":[{"code":"DENIED","message":'
        '"adding 1.0 MiB of storage resource, which when updated to current usage of 9 GiB will'
        ' exceed the configured upper limit of 9 GiB."}]}\n'
    )
    by_leg, _ = joined([core.encode()], told)
    (said,) = by_leg[told[3].id]
    assert said.told == {Told.QUOTA}
    assert said.said.startswith("DENIED: adding 1.0 MiB")


@pytest.mark.parametrize(
    "other",
    [
        line(0.1, uri="/v2/other/app/blobs/uploads/"),
        line(3600),
        line(0.1, **{"http.request.method": "GET"}),
        line(0.1, **{"http.response.status": 404}),
        line(0.1, **{"http.request.useragent": "skopeo/1.9.3"}),
    ],
    ids=["path", "time", "method", "status", "agent"],
)
def test_lines_of_other_requests_go_nowhere(other: bytes) -> None:
    assert joined([other], legs())[0] == {}


def test_what_stands_just_before_a_line_may_be_its_reason() -> None:
    """distribution writes what it dislikes about a token without the request."""
    told = legs("""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401 invalid_token
""")
    then = told[2].started - BEGINNING
    dislikes = {
        "level": "info",
        "msg": "token signed by untrusted key with ID: ABCD",
        "time": moment(then),
    }
    log = [
        json.dumps(dislikes).encode() + b"\n",
        line(then + 0.001, msg="error authorizing context: invalid token", **_NO_ERROR),
    ]
    by_leg, _ = joined(log, told)
    told_of = {meaning for said in by_leg[told[2].id] for meaning in said.told}
    assert told_of == {Told.UNTRUSTED_KEY, Told.INVALID_TOKEN}
    # A second later it belongs to somebody else.
    log[1] = line(then + 1, msg="error authorizing context: invalid token", **_NO_ERROR)
    by_leg, _ = joined(log, told)
    assert [said.told for said in by_leg[told[2].id]] == [{Told.INVALID_TOKEN}]


_NO_ERROR = {
    "err.code": None,
    "err.message": None,
    "err.detail": None,
    "http.response.status": None,
}


def test_an_access_log_tells_only_what_differs() -> None:
    """That the registry said 500 is on the wire already."""
    assert joined([access(0)], legs())[0] == {}


def test_a_front_may_change_the_registrys_answer() -> None:
    told = legs("""
client docker/20.10.24
token push,pull team/app     -> 200
POST uploads took=4s         -> 504 nginx
""")
    by_leg, _ = joined([access(4, status=202)], told)
    assert by_leg[told[1].id][0].said == "answered 202"


def test_a_local_time_without_its_zone_is_taken_for_any_zone() -> None:
    """nginx's error log has the machine's own time."""
    told = legs("""
client docker/20.10.24
token push,pull team/app     -> 200
POST uploads                 -> 502 nginx
""")
    here = datetime.fromtimestamp(BEGINNING + 2 * 3600, tz=timezone.utc)
    text = (
        f"{here:%Y/%m/%d %H:%M:%S} [error] 71#71: *1 connect() failed (111: Connection refused) "
        'while connecting to upstream, client: 10.0.0.9, server: registry.test, request: "POST'
        ' /v2/team/app/blobs/uploads/ HTTP/1.1", upstream:'
        ' "http://[::1]:5000/v2/team/app/blobs/uploads/", host: "registry.test"\n'
    )
    by_leg, _ = joined([text.encode()], told)
    (said,) = by_leg[told[1].id]
    assert said.source == "front-log"
    assert said.told == {Told.UPSTREAM_REFUSED}
    assert said.said.endswith("while connecting to upstream (http://[::1]:5000)")


def test_gitlabs_refusal_is_found_by_the_id_of_the_token_request() -> None:
    """Written from the documented format of auth_json.log and production_json.log."""
    told = legs("""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 403
  < X-Request-Id: 01JDC4ZV7Q8K9
""")
    asked = told[1]
    refusal = {
        "severity": "WARN",
        "time": moment(asked.started - BEGINNING),
        "correlation_id": "01JDC4ZV7Q8K9",
        "message": "Denied container registry permissions",
        "scope_type": "repository",
        "requested_project_path": "team/app",
        "requested_actions": ["push"],
        "authorized_actions": [],
        "username": "mallory",
        "user_id": 7,
    }
    join = Join(told)
    join.read(io.BytesIO(json.dumps(refusal).encode()), "auth_json.log")
    (said,) = join.joined.testimonies().by_leg[asked.id]
    assert said.source == "token-log"
    assert said.told == {Told.ACCESS_FORBIDDEN}
    assert "requested_actions [push]" in said.said
    assert "mallory" not in said.said
    assert join.joined.users == {"mallory"}
    # Without an id on the wire, by the repository that was asked for, and the time.
    refusal["correlation_id"] = "another"
    without = legs("client docker/20.10.24\nGET /v2/ -> 401\ntoken push,pull team/app -> 403")
    join = Join(without)
    join.read(io.BytesIO(json.dumps(refusal).encode()), "auth_json.log")
    (said,) = join.joined.testimonies().by_leg[without[1].id]
    assert said.joined_by == "repository and time"


def test_a_start_without_secret_is_told_of_the_registry() -> None:
    start = {
        "level": "warning",
        "msg": "No HTTP secret provided - generated random secret.",
        "time": moment(0),
    }
    join = Join(legs())
    join.read(io.BytesIO(json.dumps(start).encode()), "-")
    (said,) = join.joined.testimonies().general
    assert said.told == {Told.SECRET_MADE_UP}
    assert said.file == "standard input"


def test_a_panic_goes_to_the_one_leg_that_broke_then() -> None:
    told = legs()
    when = datetime.fromtimestamp(BEGINNING, tz=timezone.utc)
    panic = (
        f"{when:%Y/%m/%d %H:%M:%S} http: panic serving 10.0.0.1:5: runtime error\ngoroutine 7:\n"
    )
    by_leg, _ = joined([panic.encode()], told)
    assert by_leg[told[1].id][0].told == {Told.PANIC}


def test_lines_of_another_day_are_told_so() -> None:
    _, count = joined([line(86_400)], legs())
    (what, why, effect) = next(lacks(Heard(counts=(("r.log", count),), asked=2)))
    assert what == "what r.log says of the requests that failed"
    assert "86394 s later" in why or "86395 s later" in why
    assert effect == "the verdict rests on the traffic alone"


def test_lines_that_no_one_can_read_are_counted() -> None:
    _, count = joined([b"??? /v2/team/app/blobs/uploads/ ???\n", line(0.1)], legs())
    assert (count.unreadable, count.joined) == (1, 1)
