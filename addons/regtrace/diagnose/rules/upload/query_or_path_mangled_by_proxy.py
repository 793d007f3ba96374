"""RT312: a proxy writes the URL of an upload anew, and the registry does not recognise it."""

from __future__ import annotations

import re

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received, said
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
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain

#: What is encoded twice, or a slash that became two.
_TWICE = re.compile(r"%25[0-9A-Fa-f]{2}|[^:]//")
#: Characters of a Location that are looked at.
_LONGEST = 8192


@rule(
    number="RT312",
    slug="query-or-path-mangled-by-proxy",
    title="A proxy before {registry} alters the URLs of uploads",
    cause=(
        "The URL of an upload has to come back to the registry byte for byte. {story} A rule that"
        " rewrites, decodes or encodes URLs stands in a proxy or firewall between here and"
        " {registry}."
    ),
    fix=(
        (
            "nginx: no rewrite for /v2/, and proxy_pass without a path behind the address"
            " (proxy_pass http://registry:5000;), so that the URL is passed on as it came."
        ),
        "Apache: AllowEncodedSlashes NoDecode, and ProxyPass ... nocanon.",
        "Exclude /v2/ from the URL normalisation of a web application firewall or CDN.",
    ),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
        "https://httpd.apache.org/docs/2.4/mod/core.html#allowencodedslashes",
        "https://github.com/goharbor/harbor/issues/19787",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT}),
    explains=frozenset({"upload-state-lost", "upload-session-unknown"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404
  << {"errors":[{"code":"NOT_FOUND","message":"un-recognized request: PATCH /v2/team/app/blobs/uploads/u1%3Fx"}]}
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404
  << {"errors":[{"code":"NOT_FOUND","message":"repository team/app not found"}]}
""",
    also_fires=(
        # The registry read a _state that is no base64, and was sent one.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404
  << {"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"blob upload invalid","detail":298}]}
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://registry.test/v2/team/app/blobs/uploads/u1?_state=abc%253D
PATCH u1 L1                  -> 404 BLOB_UPLOAD_INVALID
""",
    ),
    also_silent=(
        # Odd, and it works.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://registry.test/v2/team/app/blobs/uploads/u1?token=a%252Fb
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 500
""",
    ),
)
def query_or_path_mangled_by_proxy(operation: Operation, facts: Facts) -> Verdict:
    followed = [step for step in facts.steps if step.after]
    if not followed:
        return DOES_NOT_APPLY
    mangled = [step for step in followed if step.lost and _story(step)]
    if not any(facts.is_fatal(step.end) for step in mangled):
        return PASSES
    first = mangled[0]
    return Fails(
        legs=tuple(step.end for step in mangled),
        evidence=(
            Evidence(first.before, "response.header.Location", "the URL as it arrived here"),
            Evidence(first.end, "response.body", "what the registry made of it"),
        ),
        confidence=Confidence.LIKELY if _is_encoded_twice(first.before) else Confidence.CERTAIN,
        transfer=first.transfer,
        fields={
            "registry": host(first.before.url.authority),
            "story": plain(_story(first)),
        },
        count=len(mangled),
    )


def _story(step: Step) -> str:
    """How it shows; empty where it does not."""
    text = said(step.end)
    if "un-recognized request" in text or "unrecognized request" in text:
        return "The client sent what it was given, and the registry got what it does not recognise."
    if step.keeps_state and step.doubt is Doubt.UNREADABLE:
        return (
            "The registry got a _state that is damaged, although the client sent what it was given."
        )
    if step.end.status in {400, 404} and _is_encoded_twice(step.before):
        return "The Location came here encoded twice, or with a slash too many."
    return ""


def _is_encoded_twice(leg: Leg) -> bool:
    return _TWICE.search((received(leg).get("Location") or "")[:_LONGEST]) is not None
