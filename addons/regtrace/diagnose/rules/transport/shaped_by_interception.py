"""RT116: an operation that failed where this proxy is not as transparent as a wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import sent
from regtrace.diagnose.facts.fronts import ended_by, is_being_sent, is_cut_short, read_cut, seconds
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Severity,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import UPLOAD_KINDS, Kind, Leg
from regtrace.wire.term import host, plain

#: Bytes, and bytes in a second, from which on the proxy may be what is slow, and not the line: over
#: HTTP/2 mitmproxy passes on some 100 MB/s on a good machine.
_MUCH, _FAST = 100e6, 20e6
#: Answers by which servers say that a request took too long.
_TOO_LATE = frozenset({408, 504})


@rule(
    number="RT116",
    slug="shaped-by-interception",
    title="This proxy may have changed how the {leg} leg at {server} ended: {how}",
    cause="{why} Whether it would have ended otherwise without this proxy, the capture can't show.",
    fix=(
        "{test}",
        "Do the same once without this proxy, and compare what the client prints.",
    ),
    references=(
        "https://www.rfc-editor.org/rfc/rfc9112#section-9.6",
        "https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1",
        "https://github.com/mitmproxy/mitmproxy/issues/1721",
    ),
    owner=Owner.INTERCEPTION,
    severity=Severity.NOTE,
    needs=UPLOAD_KINDS | {Kind.MANIFEST_PUT, Kind.BLOB_GET, Kind.STORAGE},
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! server closed connection
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1 sent=all         -> ! server closed connection
""",
    also_fires=(
        """
client crane/0.20.2
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 413 nginx
  > Expect: 100-continue
""",
        """
client docker/29.1.0
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 1800MB took=60.2s http2 -> ! server closed connection
+5s POST uploads             -> 202
PATCH u2 1900MB took=60.1s http2 -> ! server closed connection
""",
    ),
    also_silent=(
        # The client's own doing.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! Client disconnected.
""",
        # A limit of time, and a line that is slower than the proxy.
        """
client docker/29.1.0
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 90MB took=60.2s http2 -> ! server closed connection
+5s POST uploads             -> 202
PATCH u2 88MB took=60.1s http2 -> ! server closed connection
""",
        # It went well the next time.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! server closed connection
+5s POST uploads             -> 202
PATCH u2 L1                  -> 202
PUT u2 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def shaped_by_interception(operation: Operation, facts: Facts) -> Verdict:
    for face in _FACES:
        legs = _ended_so(facts, face)
        if legs:
            return _fails(facts, face, legs)
    return DOES_NOT_APPLY


@dataclass(frozen=True, slots=True)
class _Face:
    """One way in which the proxy is noticed. ``fits``: whether it may be so in this leg, and whether
    the operation ended by a limit of time."""

    fits: Callable[[Leg, bool], bool]
    how: str
    why: str
    test: str
    where: str
    shows: str


def _ended_so(facts: Facts, face: _Face) -> tuple[Leg, ...]:
    is_cut_by_time = read_cut(facts) is not None
    return ended_by(facts, lambda leg: face.fits(leg, is_cut_by_time))


def _fails(facts: Facts, face: _Face, legs: tuple[Leg, ...]) -> Fails:
    first = legs[0]
    return Fails(
        legs=legs,
        evidence=(Evidence(first, face.where, face.shows),),
        confidence=Confidence.POSSIBLE,
        transfer=facts.transfer_of(first),
        fields={
            "leg": plain(first.kind.value),
            "server": host(first.url.authority),
            "how": plain(face.how),
            "why": plain(face.why),
            "test": plain(face.test),
        },
        count=len(legs),
    )


def _went_on_without_the_server(leg: Leg, is_cut_by_time: bool) -> bool:
    refused = leg.status is not None and leg.status >= 400
    return (
        "Expect" in sent(leg) and bool(leg.exchange.request.body.size) and (refused or leg.broken)
    )


def _may_have_been_refused(leg: Leg, is_cut_by_time: bool) -> bool:
    return not is_cut_by_time and leg.broken and is_cut_short(leg) and is_being_sent(leg)


def _was_slowed(leg: Leg, is_cut_by_time: bool) -> bool:
    exchange = leg.exchange
    came = exchange.response.body.size if exchange.response else 0
    passed = max(exchange.request.body.size or 0, came or 0)
    is_fast = passed >= _MUCH and passed >= _FAST * seconds(leg)
    ran_out = is_cut_by_time or leg.left_by_client or leg.status in _TOO_LATE
    return exchange.request.version.startswith("HTTP/2") and is_fast and ran_out


_FACES = (
    _Face(
        _went_on_without_the_server,
        how="it answered Expect: 100-continue in the server's place",
        why=(
            "The client wanted to hear from the server whether to send the body at all. mitmproxy"
            " says so by itself and takes the header out, so the body was on its way before the"
            " server could refuse it."
        ),
        test="Without this proxy such a client hears of a refusal before it has sent the body.",
        where="request.header.Expect",
        shows="the client waited for the server's word, and got this proxy's",
    ),
    _Face(
        _may_have_been_refused,
        how="a refusal that comes before the body's end can get lost in it",
        why=(
            "A server may refuse an upload (413, 401, 403) while the client still sends. When it"
            " closes the connection at once behind that, mitmproxy mostly tells of a closed"
            " connection, to the client and to this capture, and not of the refusal."
        ),
        test=(
            "Look in the access log of the server, and of each proxy before it, at this second: a"
            " status from 400 on is the answer that got lost."
        ),
        where="error",
        shows="all that this proxy tells of what the server said",
    ),
    _Face(
        _was_slowed,
        how="it is slower over HTTP/2",
        why=(
            "Large bodies over HTTP/2 pass mitmproxy several times slower than they would without"
            " it, and this one ran out of time."
        ),
        test="Record once more with mitmdump --set http2=false, which is faster.",
        where="request.body.size",
        shows="so much had passed by then",
    ),
)
