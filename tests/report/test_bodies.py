"""What one body says to a person who looks at a single flow."""

from __future__ import annotations

import pytest
import yaml

from regtrace.redact.redactor import Level, Redactor
from regtrace.report.bodies import answer_in_a_line, explain_body
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation

START = "client docker/20.10.24\nGET /v2/ -> 401\n"


def explained(story: str, *, of_request: bool = False) -> tuple[str, dict[str, object]]:
    leg = decode(read_notation(story)[-1])
    said = explain_body(leg, of_request=of_request, redactor=Redactor(Level.INTERNAL))
    assert said is not None
    return said[0], yaml.safe_load(said[1])


def test_a_manifest_names_its_layers() -> None:
    title, said = explained(
        START + "token push,pull team/app -> 200\nPUT manifest 1 [cfg L1 L2] -> 201",
        of_request=True,
    )
    assert title == "Image manifest"
    assert isinstance(said["layers"], list)
    assert len(said["layers"]) == 2
    assert said["layers"][0]["size"] == "1 MB"


def test_an_index_names_its_platforms() -> None:
    title, said = explained(
        START + "token pull team/app -> 200\nimage M1 = cfg L1\nindex I1 = M1\n"
        "HEAD manifest 1 I1 -> 200\nGET manifest @I1 -> 200"
    )
    assert title == "Image index"
    assert isinstance(said["manifests"], list)


def test_a_token_shows_what_it_lacks_beside_what_was_asked() -> None:
    title, said = explained(START + "token push,pull team/app grant=pull -> 200")
    assert title == "Registry token"
    assert said["asked for"] == ["repository:team/app:pull,push"]
    assert said["granted"] == ["repository:team/app:pull"]
    assert said["asked for and not granted"] == ["repository:team/app:push"]
    assert str(said["expires"]).endswith("UTC")


def test_a_token_is_never_shown() -> None:
    exchange = read_notation(START + "token push,pull team/app -> 200")[-1]
    leg = decode(exchange)
    assert leg.token_reply is not None
    assert leg.token_reply.token is not None
    said = explain_body(leg, of_request=False, redactor=Redactor(Level.INTERNAL))
    assert said is not None
    assert leg.token_reply.token.raw.split(".")[2] not in said[1]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ('GET manifest 1 -> 404 MANIFEST_UNKNOWN "manifest unknown"', "Registry error"),
        ("GET blob L1 -> 307 s3\nGET s3 L1 -> 403 AccessDenied", "Storage error"),
    ],
)
def test_an_error_has_its_code_and_message(line: str, title: str) -> None:
    named, said = explained(START + "token pull team/app -> 200\n" + line)
    assert named == title
    assert isinstance(said["errors"], list)
    assert said["errors"][0]["code"] in {"MANIFEST_UNKNOWN", "AccessDenied"}


def test_an_image_configuration_has_its_platform() -> None:
    body = '{"os": "linux", "architecture": "arm64", "rootfs": {"diff_ids": []}, "history": []}'
    title, said = explained(START + f"token pull team/app -> 200\nGET blob cfg -> 200\n  << {body}")
    assert title == "Image configuration"
    assert said["platform"] == "linux/arm64"


def test_of_other_bodies_there_is_nothing_to_add() -> None:
    leg = decode(read_notation(START)[-1])
    assert explain_body(leg, of_request=True, redactor=Redactor(Level.INTERNAL)) is None
    page = decode(read_notation("client curl/8\nGET https://example.com/ -> 200\n  << hello")[-1])
    assert explain_body(page, of_request=False, redactor=Redactor(Level.INTERNAL)) is None


def test_an_answer_in_a_line() -> None:
    story = START + "token push,pull team/app grant=pull -> 200"
    said = answer_in_a_line(decode(read_notation(story)[-1]), Redactor(Level.INTERNAL))
    assert "granted: repository:team/app:pull;" in said
    assert "asked for and not granted: repository:team/app:push;" in said
    assert "\n" not in said
