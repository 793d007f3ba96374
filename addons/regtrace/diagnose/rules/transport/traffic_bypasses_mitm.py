"""RT115: an operation that did not end well, and part of it went past this proxy."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Severity,
    Verdict,
    rule,
)
from regtrace.follow.life import Ending
from regtrace.follow.story import Blind, Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import host, plain

#: What went past → the place in the last leg before it that shows so.
_PAST = {
    Blind.TOKEN: ("the token", "request.header.Authorization"),
    Blind.REDIRECT: ("the redirect to the storage", "response.header.Location"),
    Blind.UPLOAD: ("the rest of an upload", "response.header.Location"),
}


@rule(
    number="RT115",
    slug="traffic-bypasses-mitm",
    title="Part of the traffic with {server} did not pass through this proxy: {what}",
    cause=(
        "The client went on where this proxy could not see it. Its proxy settings leave some hosts"
        " out, or another program that has none (a credential helper, a buildkit container) did"
        " that step. What failed there is not in the capture."
    ),
    fix=(
        (
            "For the test, empty NO_PROXY, and set both HTTP_PROXY and HTTPS_PROXY where the daemon"
            " has its proxy from; restart it."
        ),
        (
            "Give the same settings to the builder: docker buildx create --driver-opt"
            " env.HTTPS_PROXY=http://HOST:PORT, and to the shell that runs credential helpers."
        ),
        "If a registry is called localhost, push to the machine's own name instead.",
    ),
    check=("systemctl show --property=Environment docker",),
    references=(
        "https://docs.docker.com/engine/daemon/proxy/",
        "https://github.com/moby/buildkit/issues/2454",
    ),
    owner=Owner.INTERCEPTION,
    severity=Severity.NOTE,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
registry http://localhost:5000
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
""",
    silent="""
client docker/20.10.24
registry http://registry.test:5000
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
""",
)
def traffic_bypasses_mitm(operation: Operation, facts: Facts) -> Verdict:
    spots = [spot for spot in operation.unseen if spot.blind in _PAST]
    if not spots:
        return DOES_NOT_APPLY
    if operation.ending is Ending.OK:
        return PASSES  # it went another way, and well
    first = spots[0]
    what, where = _PAST[first.blind]
    return Fails(
        legs=tuple(spot.leg for spot in spots),
        evidence=(Evidence(first.leg, where, "the last that this proxy saw of it"),),
        confidence=Confidence.LIKELY,
        fields={"server": host(first.leg.url.authority), "what": plain(what)},
        count=len(spots),
    )
