"""RT311: an upload goes on at another address, to which the client does not bring its token."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.uploads import Step
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
from regtrace.wire.term import Term, TermKind


@rule(
    number="RT311",
    slug="upload-credential-dropped-cross-host",
    title="The upload goes on at {target}, where the client does not bring its credentials",
    cause=(
        "The client logged in at {registry}, but the Location of its upload leads to {target}."
        " Clients give a token only to the scheme and host that they got it for, so the next"
        " request went without Authorization and was refused (401)."
    ),
    fix=(
        (
            "Let the Location lead to the address that clients use: nginx proxy_set_header Host"
            " $http_host; and X-Forwarded-Proto https; or http.host: https://NAME:PORT in the"
            " registry's config.yml; or http.relativeurls: true."
        ),
        "Or push to the name that the Location has, with its scheme: docker tag, docker login.",
    ),
    check=("curl -si -X POST -H 'Authorization: Bearer TOKEN' {uploads} | grep -i ^location",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#http",
        "https://github.com/containerd/containerd/blob/main/core/remotes/docker/pusher.go",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT}),
    explains=frozenset(
        {"anonymous-where-login-needed", "basic-auth-not-sent", "challenge-missing"}
    ),
    fires="""
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
  < Location: https://hub.example.com/v2/team/app/blobs/uploads/u1?_state=x
PUT u1 L1 body=L1 no-auth    -> 401
""",
    silent="""
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
  < Location: https://hub.example.com/v2/team/app/blobs/uploads/u1?_state=x
PUT u1 L1 body=L1            -> 401
""",
    also_silent=(
        # It logs in there too, and goes on.
        """
client oras/1.2.0
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://hub.example.com/v2/team/app/blobs/uploads/u1?_state=x
PUT u1 L1 body=L1 no-auth    -> 401
token push,pull team/app     -> 200
PUT u1 L1 body=L1            -> 201
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def upload_credential_dropped_cross_host(operation: Operation, facts: Facts) -> Verdict:
    moved = [step for step in facts.steps if step.after and _moves(step)]
    if not moved:
        return DOES_NOT_APPLY
    refused = [step for step in moved if _came_without_credentials(step)]
    if not any(facts.is_fatal(step.end) for step in refused):
        return PASSES
    first = refused[0]
    return Fails(
        legs=tuple(step.end for step in refused),
        evidence=(
            Evidence(first.before, "request.header.Authorization", "here the client was logged in"),
            Evidence(first.before, "response.header.Location", "it was sent to another address"),
            Evidence(first.end, "response.status", "where it came without credentials"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=first.transfer,
        fields={
            "registry": Term(TermKind.URL, first.before.url.origin),
            "target": Term(TermKind.URL, first.end.url.origin),
            "uploads": Term(
                TermKind.URL, f"{first.before.url.origin}{first.before.exchange.request.target}"
            ),
        },
        count=len(refused),
    )


def _moves(step: Step) -> bool:
    told, asked = step.announced, step.before.url
    return told is not None and (step.leaves or told.scheme != asked.scheme)


def _came_without_credentials(step: Step) -> bool:
    return step.end.status == 401 and bool(step.before.credentials) and not step.end.credentials
