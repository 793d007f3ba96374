"""RT301: the registry answers https with an http Location, because nobody told it about TLS."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
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
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host

_ANNOUNCES = frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK})


@rule(
    number="RT301",
    slug="location-scheme-downgrade",
    title="The registry sends uploads from https to http (wrong scheme in Location)",
    cause=(
        "The client speaks https to {registry}, but the Location of its upload begins with http://."
        " TLS ends at a reverse proxy that does not tell the registry so: the header"
        " X-Forwarded-Proto: https is missing or overwritten. The next request of the upload goes"
        " to the wrong place, and the layer never arrives."
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
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK}),
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
)
def location_scheme_downgrade(operation: Operation, facts: Facts) -> Verdict:
    announcing = [leg for leg in facts.legs if leg.kind in _ANNOUNCES and leg.succeeded]
    if not announcing:
        return DOES_NOT_APPLY
    if operation.ending is Ending.OK:
        return PASSES  # the next step went another way than through this proxy, and well
    downgraded = [leg for leg in announcing if _downgrades(leg)]
    harmed = [leg for leg in downgraded if not any(n.succeeded for n in _next_steps(leg, facts))]
    if not harmed:
        return PASSES
    first = harmed[0]
    evidence = [
        Evidence(first, "request.url", "the client came over https"),
        Evidence(first, "response.header.Location", "and was told to go on over http"),
    ]
    after = [leg for leg in _next_steps(first, facts) if leg.refused]
    if after:
        where = "error" if after[0].broken else "response.status"
        evidence.append(Evidence(after[0], where, "what became of the next step"))
    return Fails(
        legs=tuple(after[:1] or harmed[:1]),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if after else Confidence.LIKELY,
        fields={
            "registry": host(first.url.authority),
            "uploads": Term(TermKind.URL, f"{first.url.origin}{first.exchange.request.target}"),
        },
        count=len(harmed),
    )


def _downgrades(leg: Leg) -> bool:
    target = leg.location
    return (
        leg.url.scheme == "https"
        and target is not None
        and target.scheme == "http"
        and target.host == leg.url.host
    )


def _next_steps(leg: Leg, facts: Facts) -> list[Leg]:
    """Later requests to the session that this answer opened or went on with."""
    return [
        later
        for later in facts.legs
        if later.session == leg.session and later.started > leg.started and leg.session
    ]
