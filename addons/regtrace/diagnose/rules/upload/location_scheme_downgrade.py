"""RT301: the registry sends an upload from https to http, because nobody told it about TLS."""

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
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host


@rule(
    number="RT301",
    slug="location-scheme-downgrade",
    title="The registry sends uploads from https to http (wrong scheme in Location)",
    cause=(
        "The client speaks https to {registry}, but the Location of its upload begins with http://."
        " TLS ends at a reverse proxy that does not tell the registry so: the header"
        " X-Forwarded-Proto: https is missing or overwritten. The next request of the upload goes"
        " to the wrong place, docker says Retrying again and again, and the layer never arrives."
    ),
    fix=(
        (
            "nginx: set proxy_set_header X-Forwarded-Proto https; and proxy_set_header Host"
            " $http_host; in the location of the registry. Apache: RequestHeader set"
            " X-Forwarded-Proto https. Only the outermost proxy may set it; inner ones pass it on."
        ),
        "Or tell the registry its address: http.host: https://NAME in its config.yml.",
        "Or let it answer without one: http.relativeurls: true in its config.yml.",
    ),
    check=("curl -si -X POST -H 'Authorization: Bearer TOKEN' {uploads} | grep -i ^location",),
    references=(
        "https://distribution.github.io/distribution/recipes/nginx/",
        "https://distribution.github.io/distribution/about/configuration/#http",
        "https://github.com/distribution/distribution/issues/970",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK}),
    explains=frozenset(
        {
            "challenge-missing",
            "redirect-changes-upload-method",
            "upload-session-unknown",
            "upload-credential-dropped-cross-host",
            "plain-http-to-tls-port",
            "method-blocked-by-middlebox",
            "vhost-not-found",
            "waf-block",
            "gateway-error-page",
            "upload-reset-midway",
            "tcp-refused-or-timeout",
        }
    ),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: http://registry.test:5050/v2/team/app/blobs/uploads/u1?_state=x
PATCH u1 L1                  -> 400 nginx
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: /v2/team/app/blobs/uploads/u1?_state=x
PATCH u1 L1                  -> 400 nginx
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: http://registry.test/v2/team/app/blobs/uploads/u1?_state=x
PATCH u1 L1 no-auth          -> 301 https://registry.test/v2/team/app/blobs/uploads/u1?_state=x
GET https://registry.test/v2/team/app/blobs/uploads/u1?_state=x -> 204
+5s POST uploads             -> 202
  < Location: http://registry.test/v2/team/app/blobs/uploads/u2?_state=y
PATCH u2 L1 no-auth          -> 301 https://registry.test/v2/team/app/blobs/uploads/u2?_state=y
GET https://registry.test/v2/team/app/blobs/uploads/u2?_state=y -> 405 nginx
""",
        # containerd gives its token to the scheme that it got it for only.
        """
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
  < Location: http://registry.test/v2/team/app/blobs/uploads/u1?_state=x
PUT u1 L1 body=L1 no-auth    -> 401 none
""",
        # The client sends http:// past the proxy: only the retry loop is seen.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: http://registry.test/v2/team/app/blobs/uploads/u1?_state=x
+5s POST uploads             -> 202
  < Location: http://registry.test/v2/team/app/blobs/uploads/u2?_state=y
+10s POST uploads            -> 202
  < Location: http://registry.test/v2/team/app/blobs/uploads/u3?_state=z
""",
        """
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
  < Location: http://registry.test/v2/team/app/blobs/uploads/u1?_state=x
PUT u1 L1 body=L1 no-auth    -> 401
""",
    ),
    also_silent=(
        # The port of http is open too, and leads to the same registry.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: http://registry.test/v2/team/app/blobs/uploads/u1?_state=x
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 404
""",
    ),
)
def location_scheme_downgrade(operation: Operation, facts: Facts) -> Verdict:
    downgraded = [step for step in facts.steps if _downgrades(step)]
    if not downgraded:
        return DOES_NOT_APPLY
    # Where one of them went well, the way over http is open; where the push did, there was another.
    if operation.ending is Ending.OK or not all(step.lost for step in downgraded):
        return PASSES
    followed = [step for step in downgraded if step.after]
    first = (followed or downgraded)[0]
    return Fails(
        legs=tuple(step.end for step in downgraded),
        evidence=(
            Evidence(first.before, "request.url", "the client came over https"),
            Evidence(first.before, "response.header.Location", "and was told to go on over http"),
            *first.outcome,
        ),
        confidence=Confidence.CERTAIN if followed else Confidence.LIKELY,
        transfer=first.transfer,
        fields={
            "registry": host(first.before.url.authority),
            "uploads": Term(
                TermKind.URL, f"{first.before.url.origin}{first.before.exchange.request.target}"
            ),
        },
        count=len(downgraded),
    )


def _downgrades(step: Step) -> bool:
    asked, told = step.before.url, step.announced
    return (
        asked.scheme == "https"
        and told is not None
        and told.scheme == "http"
        and (told.host == asked.host)
    )
