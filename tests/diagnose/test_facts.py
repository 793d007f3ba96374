"""The arithmetic that rules share: clocks, tokens, upload steps, hops, what was fatal."""

from __future__ import annotations

import pytest

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import said
from regtrace.diagnose.facts.transport import Part, is_inside
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation


def facts(story: str) -> Facts:
    (operation,) = tell([decode(exchange) for exchange in read_notation(story)])
    return Facts(operation)


PULL = """
client docker/20.10.24
GET /v2/                     -> 401
token pull,push team/app grant=pull clock=+90s -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 200 clock=-30s
"""


def test_each_server_has_its_clock_with_an_error_bar() -> None:
    clocks = facts(PULL).clocks
    assert clocks["auth.test:443"].least <= 90 <= clocks["auth.test:443"].most
    assert clocks["registry.test:443"].least <= 0 <= clocks["registry.test:443"].most
    storage = clocks["registry-bucket.s3.eu-central-1.amazonaws.com:443"]
    assert storage.least <= -30 <= storage.most
    assert all(clock.most - clock.least < 1.2 for clock in clocks.values())


def test_a_cached_answer_tells_no_time() -> None:
    story = "client docker/20.10.24\nGET /v2/ -> 401\n  < Age: 40\n"
    assert facts(story).clocks == {}


def test_a_clock_that_was_set_in_between_is_what_most_answers_say() -> None:
    story = "client crane/0.19\nregistry https://registry.test open\n" + "\n".join(
        f"HEAD blob L{n} -> 404 clock={'+500s' if n == 1 else '+0s'}" for n in range(5)
    )
    (clock,) = facts(story).clocks.values()
    assert clock.least <= 0 <= clock.most


def test_what_a_token_was_asked_for_and_what_it_lacks() -> None:
    (grant,) = facts(PULL).grants
    assert [str(scope) for scope in grant.asked] == ["repository:team/app:pull,push"]
    assert [str(scope) for scope in grant.lacks] == ["repository:team/app:push"]
    assert [leg.id for leg in grant.uses] == ["line-5", "line-6"]
    assert grant.lives == pytest.approx(300, abs=2)


def test_an_opaque_token_lacks_nothing_and_lives_as_long_as_the_reply_says() -> None:
    (grant,) = facts(PULL.replace("grant=pull", "opaque lives=120")).grants
    assert grant.granted is None
    assert grant.lacks == ()
    assert grant.lives == 120


def test_who_refused_which_token_and_why() -> None:
    (refusal,) = facts(
        """
        client docker/20.10.24
        GET /v2/                     -> 401
        token push,pull team/app grant=pull -> 200
        POST uploads                 -> 401 insufficient_scope
        """
    ).refusals
    assert refusal.error == "insufficient_scope"
    assert refusal.grant is not None
    assert refusal.grant.leg.id == "line-4"


def test_the_steps_of_an_upload() -> None:
    steps = facts(
        """
        client docker/20.10.24
        GET /v2/                     -> 401
        token push,pull team/app     -> 200
        POST uploads                 -> 202
        PATCH u1 L1                  -> 202
        PUT u1 L1                    -> 404
        """
    ).steps
    assert [(s.before.id, s.after and s.after.first.id, s.went_well) for s in steps] == [
        ("line-5", "line-6", True),
        ("line-6", "line-7", False),
    ]


def test_a_session_that_was_left_has_no_next_step() -> None:
    steps = facts(
        """
        client docker/20.10.24
        GET /v2/                     -> 401
        token push,pull team/app     -> 200
        POST uploads                 -> 202
        +5s POST uploads             -> 202
        PATCH u2 L1                  -> 500
        """
    ).steps
    by_leg = {step.before.id: step.after and step.after.first.id for step in steps}
    assert by_leg == {"line-5": None, "line-6": "line-7"}


@pytest.mark.parametrize(
    ("clock", "in_time", "expired"),
    [("0s", True, False), ("+1300s", False, True), ("-600s", False, False)],
)
def test_a_signature_is_judged_by_the_clock_of_the_storage(
    clock: str, in_time: bool, expired: bool
) -> None:
    (hop,) = facts(
        f"""
        client docker/20.10.24
        GET /v2/                     -> 401
        token pull team/app          -> 200
        GET manifest 1 [cfg L1]      -> 200
        GET blob L1                  -> 307 s3
        GET s3 L1                    -> 403 clock={clock}
        """
    ).hops
    assert hop.in_time is in_time
    assert hop.expired_for is not None
    assert (hop.expired_for > 0) is expired


def test_what_was_cut_off_as_a_victim_is_not_fatal() -> None:
    fatal = facts(
        """
        client docker/20.10.24
        GET /v2/                     -> 401
        token push,pull team/app     -> 200
        POST uploads                 -> 202
        & POST uploads               -> 202
        PATCH u1 L1                  -> 500
        PATCH u2 L2                  -> ! Client disconnected.
        """
    ).fatal
    assert [each.leg.id for each in fatal] == ["line-7"]


def test_nothing_is_fatal_in_what_went_well() -> None:
    assert facts(PULL).fatal == ()


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("GET /v2/ -> 401\nCONNECT auth.test:443 -> ! timed out", Part.TOKEN_SERVER),
        ("CONNECT registry.test:443 -> ! timed out", Part.UNKNOWN),
        ("GET /v2/ -> ! timed out", Part.REGISTRY),
        (
            (
                "GET /v2/ -> 401\ntoken pull team/app -> 200\nGET blob L1 -> 307 s3\n"
                "GET s3 L1 -> ! timed out"
            ),
            Part.STORAGE,
        ),
    ],
)
def test_whose_host_could_not_be_reached(line: str, part: Part) -> None:
    (breakage,) = facts(f"client docker/20.10.24\n{line}").breakages
    assert breakage.part is part


def test_a_public_name_with_a_private_address_is_inside() -> None:
    story = "client docker/20.10.24\nregistry https://registry.example.com\nGET /v2/ -> 401"
    assert not is_inside(facts(story).legs[0])
    assert is_inside(facts(f"{story} server=10.1.1.1").legs[0])


def test_the_tries_of_one_request() -> None:
    told = facts(
        """
        client docker/20.10.24
        GET /v2/                     -> 401
        token push,pull team/app     -> 200
        POST uploads                 -> 503
        +5s POST uploads             -> 503
        +10s POST uploads            -> 503
        """
    )
    assert [leg.id for leg in told.attempts(told.legs[-1])] == ["line-5", "line-6", "line-7"]


def test_a_refusal_without_a_body_says_nothing() -> None:
    """Then no finding points at words."""
    told = facts("client docker/24.0.7\nGET /v2/ -> 401\ntoken push,pull team/app -> 403\n  <<\n")
    assert said(told.fatal[0].leg) == ""
