"""RT614: a firewall or an access rule before the registry answers 403 with a page of its own."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_error_page, is_head_of_page, where_it_names_itself
from regtrace.diagnose.facts.fronts import ended_by, front, front_owner, speaks
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
from regtrace.wire.leg import BLOB_KINDS, MANIFEST_KINDS, Kind, Leg
from regtrace.wire.term import host, plain

_KINDS = BLOB_KINDS | MANIFEST_KINDS | {Kind.PING, Kind.TAGS, Kind.CATALOG}
_BODIES = frozenset({"POST", "PATCH", "PUT"})


@rule(
    number="RT614",
    slug="waf-block",
    title="{front} blocks the {leg} request to {registry} with a {status} page of its own",
    cause=(
        "The refusal is an HTML page; registries say no in JSON. So it comes from something before"
        " {registry}, and is about the request itself, not about the user's rights: logging in"
        " again does not help. {pattern}"
    ),
    fix=(
        (
            "Find the blocked request in the firewall's log by its time, and exclude /v2/ from the"
            " rule that it names: for AWS WAF SizeRestrictions_BODY (bodies over 8 KB), for"
            " ModSecurity SecRuleEngine Off in the location of /v2/, for Cloudflare a WAF exception."
        ),
        "Check deny, allow and limit_except in the proxy, and lists of countries or addresses.",
        "Push once from inside, past that proxy: if it works, the registry and the login are fine.",
    ),
    references=(
        "https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html",
        "https://github.com/linode/apl-core/issues/1259",
    ),
    owner=Owner.FRONT_PROXY,
    needs=_KINDS,
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 403 nginx
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 403 DENIED
""",
    also_fires=(
        """
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1 sent=16kB  -> 403
  < Server: awselb/2.0
  < -Docker-Distribution-Api-Version
  << <html><head><title>403 Forbidden</title></head><center><h1>403 Forbidden</h1></center></html>
""",
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
PUT manifest 1 [cfg L1]      -> 406 nginx
""",
        """
client docker/20.10.24
GET /v2/                     -> 403 nginx
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 403 nginx
""",
    ),
    also_silent=(
        # A read that was refused, and was only a question.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 403 nginx
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def waf_block(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _KINDS for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = ended_by(facts, _is_blocked)
    if not legs:
        return PASSES
    first = legs[0]
    others_pass = speaks(facts, first.url.authority)
    sends = first.method in _BODIES
    return Fails(
        legs=legs,
        evidence=(
            Evidence(first, "response.status", "refused"),
            Evidence(first, where_it_names_itself(first), "by a page that is not the registry's"),
        ),
        confidence=Confidence.LIKELY if others_pass and sends else Confidence.POSSIBLE,
        transfer=facts.transfer_of(first),
        fields={
            "front": front(first),
            "leg": plain(first.kind.value),
            "registry": host(first.url.authority),
            "status": plain(first.status),
            "pattern": plain(_pattern(others_pass=others_pass, sends=sends)),
        },
        count=len(legs),
        owner=front_owner(first),
    )


def _is_blocked(leg: Leg) -> bool:
    page = is_error_page(leg) or is_head_of_page(leg)
    # A product whose own web server writes HTML, as its headers or its host say.
    own = leg.product is not None and leg.answerer is None
    return leg.kind in _KINDS and leg.status in {403, 406} and page and not own


def _pattern(*, others_pass: bool, sends: bool) -> str:
    if others_pass and sends:
        return "Other requests pass, so it looks at what is sent: a web application firewall."
    if others_pass:
        return "Other requests pass, so a rule there is about this path or this method."
    return "No other request passed: a rule there is about the client's address, or all of /v2/."
