"""Redirects, Locations and realms: which leg an earlier answer had announced."""

from __future__ import annotations

from retelling import check, legs_of, operations_of

from regtrace.follow.joins import realms_in, recognise, redirected_from
from regtrace.wire.leg import Kind


def sources(story: str) -> dict[str, str]:
    return redirected_from(recognise(legs_of(story)))


def test_a_redirect_is_followed_to_the_storage() -> None:
    story = "client docker/24.0.7\nGET blob L1 -> 307 s3\nGET s3 L1 -> 200"
    assert sources(story) == {"line-3": "line-2"}


def test_the_query_may_come_back_in_another_order() -> None:
    story = """
        client crane/0.19.1
        GET blob L1 -> 307 https://cdn.test/x?b=2&a=1&a=0
        GET https://cdn.test/x?a=0&a=1&b=2 -> 200
    """
    assert sources(story) == {"line-4": "line-3"}
    assert recognise(legs_of(story))[1].kind is Kind.STORAGE


def test_the_referer_joins_where_the_location_does_not() -> None:
    """The registry's Location was rewritten on its way; Go still names where it came from."""
    story = """
        client docker/24.0.7
        GET blob L1 -> 307 https://internal.test/L1
        GET s3 L1 -> 200
          > Referer: https://registry.test/v2/team/app/blobs/{digest}
    """
    digest = legs_of("GET blob L1 -> 200")[0].digest
    assert sources(story.replace("{digest}", digest or "")) == {"line-4": "line-3"}


def test_the_referer_names_the_repository_of_a_redirect_that_was_not_seen() -> None:
    digest = legs_of("GET blob L1 -> 200")[0].digest
    check(
        f"""
        client docker/24.0.7
        GET s3 L1 -> 403
          > Referer: https://registry.test/v2/team/app/blobs/{digest}
        """,
        """
        pull team/app: failed
          L1 failed
        """,
    )


def test_two_clients_are_sent_to_one_unsigned_url() -> None:
    story = """
        client A = crane/0.19.1
        client B = crane/0.19.1
        A: GET blob L1 -> 302 https://cdn.test/L1
        B: GET blob L1 -> 302 https://cdn.test/L1
        A: GET https://cdn.test/L1 -> 200
        B: GET https://cdn.test/L1 -> 200
    """
    assert sources(story) == {"line-6": "line-4", "line-7": "line-5"}


def test_a_hop_is_repeated_alone() -> None:
    """Go's transports do it after a 503; what comes later, unsigned, may be anybody's."""
    story = """
        client crane/0.19.1
        GET blob L1 -> 302 https://cdn.test/L1
        GET https://cdn.test/L1 -> 503
        +1s GET https://cdn.test/L1 -> 200
        +100s GET https://cdn.test/L1 -> 200
    """
    assert sources(story) == {"line-4": "line-3", "line-5": "line-3"}
    (transfer,) = operations_of(story)[0].transfers
    assert [[leg.status for leg in chain.legs] for chain in transfer.chains] == [[302, 503], [200]]
    assert transfer.fate.value == "downloaded"


def test_a_registry_that_a_ping_was_sent_on_to_is_asked_again() -> None:
    story = """
        client docker/24.0.7
        GET http://registry.test/v2/ -> 301 https://registry.test/v2/
        GET /v2/ -> 401
        GET /v2/ -> 401
    """
    assert sources(story) == {"line-4": "line-3"}


def test_two_hops_are_one_chain() -> None:
    story = """
        client crane/0.19.1
        GET blob L1 -> 302 https://one.test/L1
        GET https://one.test/L1 -> 302 https://two.test/L1
        GET https://two.test/L1 -> 200
    """
    transfer = operations_of(story)[0].transfers[0]
    assert [len(chain.legs) for chain in transfer.chains] == [3]


def test_a_realm_may_lie_under_v2() -> None:
    story = """
        realm https://registry.test/v2/token
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
    """
    operation = operations_of(story)[0]
    assert [leg.kind for leg in operation.legs][1] is Kind.TOKEN
    assert operation.ending.value == "ok"


def test_a_location_without_session_or_id_is_followed_by_its_url() -> None:
    story = """
        client crane/0.19.1
        POST uploads -> 202
          < Location: https://uploads.test/a?n=1
          < -Docker-Upload-UUID
        PATCH https://uploads.test/a?n=1 -> 202
          < Location: /b?n=2
        PUT https://uploads.test/b?n=2&digest=sha256:abc -> 201
    """
    legs = recognise(legs_of(story))
    assert [leg.kind.value for leg in legs] == ["upload-start", "upload-chunk", "upload-commit"]
    assert len({leg.session for leg in legs}) == 1


def test_only_a_bearer_challenge_names_a_token_server() -> None:
    """ECR's Basic realm is the URL of the registry itself."""
    (leg,) = legs_of('GET /v2/ -> 401\n  < WWW-Authenticate: Basic realm="https://r.test/"')
    assert realms_in(leg) == ()
    (leg,) = legs_of("GET /v2/ -> 401")
    assert [realm.host for realm in realms_in(leg)] == ["auth.test"]


def test_a_blob_at_the_storage_whose_redirect_was_not_seen() -> None:
    """The client says which registry sent it; if it does not, the blob says whose it is."""
    pull = """
        client crane/0.19.1
        GET /v2/ -> 401
        token pull team/app -> 200
        GET manifest 1 [cfg L1] -> 200
        GET s3 L1 -> 200
          > User-Agent: AGENT
          > Referer: REFERER
        GET blob cfg -> 200
    """
    digest = operations_of("HEAD blob L1 -> 200")[0].transfers[0].digest
    named = pull.replace("REFERER", f"https://registry.test/v2/team/app/blobs/{digest}")
    for story in (named, pull.replace("  > Referer: REFERER\n", "")):
        (operation,) = operations_of(story.replace("AGENT", "crane/0.19.1"))
        assert [transfer.digest for transfer in operation.transfers].count(digest) == 1
    someone = operations_of(
        pull.replace("AGENT", "curl/8.5.0").replace("  > Referer: REFERER\n", "")
    )
    assert len(someone) == 2
