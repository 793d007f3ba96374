"""RT306: a request of an upload does not bring back the ``_state`` that the registry gave it."""

from __future__ import annotations

from urllib.parse import unquote

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, is_somebody_elses
from regtrace.diagnose.facts.uploads import Doubt, Step
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import host, plain
from regtrace.wire.upload import read_state


@rule(
    number="RT306",
    slug="upload-state-lost",
    title="The _state of an upload was {damage} between {registry} and its client",
    cause=(
        "{registry} writes into the Location of each upload a query value, _state, and refuses to"
        " go on without it. {where}"
    ),
    fix=(
        (
            "In every proxy on the way, leave the Location of answers and the query of requests as"
            " they are: in nginx no proxy_redirect that rewrites queries, no rewrite, and proxy_pass"
            " without a path."
        ),
        (
            "In the client, use the Location byte for byte: the digest of the commit is added with &"
            " where it has a ? already, and nothing is decoded or encoded anew. Push with skopeo"
            " copy or crane push to see whether the client is to blame."
        ),
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put",
        "https://github.com/distribution/distribution/issues/1200",
    ),
    owner=Owner.CLIENT,
    needs=frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT}),
    explains=frozenset({"upload-session-unknown"}),
    fires="""
client "uploader/1.0"
repository team/app
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Docker-Upload-UUID: u1
  < Location: /v2/team/app/blobs/uploads/u1?_state=abc%3D
PUT https://registry.test/v2/team/app/blobs/uploads/u1?digest=sha256:0 -> 404 BLOB_UPLOAD_INVALID
""",
    silent="""
client "uploader/1.0"
repository team/app
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Docker-Upload-UUID: u1
  < Location: /v2/team/app/blobs/uploads/u1?_state=abc%3D
PUT https://registry.test/v2/team/app/blobs/uploads/u1?digest=sha256:0&_state=abc= -> 404 BLOB_UPLOAD_INVALID
""",
    also_fires=(
        # A proxy cut the query off the Location, before it came here.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: /v2/team/app/blobs/uploads/u1
PATCH u1 L1                  -> 404
  << {"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"blob upload invalid","detail":{}}]}
""",
        """
client "uploader/1.0"
repository team/app
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Docker-Upload-UUID: u1
  < Location: /v2/team/app/blobs/uploads/u1?_state=abc%3D
PATCH https://registry.test/v2/team/app/blobs/uploads/u1?_state=abc%253D -> 400 BLOB_UPLOAD_INVALID
""",
    ),
    also_silent=(
        # Sent without it by mistake, and then with it.
        """
client "uploader/1.0"
repository team/app
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Docker-Upload-UUID: u1
  < Location: /v2/team/app/blobs/uploads/u1?_state=abc
PATCH https://registry.test/v2/team/app/blobs/uploads/u1 -> 404 BLOB_UPLOAD_INVALID
PATCH https://registry.test/v2/team/app/blobs/uploads/u1?_state=abc -> 202
""",
    ),
)
def upload_state_lost(operation: Operation, facts: Facts) -> Verdict:
    followed = [step for step in facts.steps if step.after]
    if not followed:
        return DOES_NOT_APPLY
    if not facts.failed:
        return PASSES
    lost = [
        step
        for step in followed
        if _came_damaged(step) or (_is_damaged(step) and _was_missed(step))
    ]
    if not any(facts.is_fatal(step.end) for step in lost):
        return PASSES
    first = lost[0]
    assert first.after is not None
    return Fails(
        legs=tuple(step.end for step in lost),
        evidence=(
            Evidence(first.before, "response.header.Location", "the _state that was given"),
            Evidence(first.after.first, "request.url", "what came back of it"),
            *first.outcome,
        ),
        confidence=Confidence.CERTAIN,
        transfer=first.transfer,
        fields={
            "registry": host(first.before.url.authority),
            "damage": plain("altered" if _brought(first) else "lost"),
            "where": plain(_BEFORE if _came_damaged(first) else _AFTER),
        },
        count=len(lost),
        owner=Owner.FRONT_PROXY if _came_damaged(first) else None,
    )


_BEFORE = "The Location was damaged when it came here: a proxy before the registry rewrites it."
_AFTER = "The client, or something between it and this proxy, did not take the Location as it is."


def _announced(step: Step) -> str | None:
    return step.announced.param("_state") if step.announced else None


def _brought(step: Step) -> str | None:
    return step.after.first.url.param("_state") if step.after else None


def _came_damaged(step: Step) -> bool:
    """The registry misses its own signature, where the Location had none that can be read."""
    signed = step.announced is not None and read_state(_announced(step)) is not None
    given = not signed and _brought(step) == _announced(step)
    return given and step.doubt in {Doubt.SECRET, Doubt.UNREADABLE}


def _is_damaged(step: Step) -> bool:
    """Left out, cut, or encoded anew. Another value may come from an answer that was not seen."""
    given, brought = _announced(step), _brought(step)
    if given is None or brought is None or brought == given:
        return given is not None and brought is None
    return given.startswith(brought) or _bare(given) == _bare(brought)


def _bare(state: str) -> str:
    return unquote(state).rstrip("=")


def _was_missed(step: Step) -> bool:
    """The registry refused the upload as such: by its code, or in a body that was not kept."""
    if is_somebody_elses(step.end):
        return False
    said = codes(step.end)
    unknown = bool(said & {"BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN"})
    return unknown or (not said and step.end.status in {400, 404})
