"""RT615: a CDN wants to see a browser, and sends a challenge in the registry's place."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received
from regtrace.diagnose.facts.fronts import ended_by
from regtrace.diagnose.rule import (
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
from regtrace.wire.term import host

#: Header → the values that announce a page for people.
_MARKS = (
    ("cf-mitigated", frozenset({"challenge"})),
    ("x-amzn-waf-action", frozenset({"challenge", "captcha"})),
)
_TITLES = ("just a moment", "checking your browser")


@rule(
    number="RT615",
    slug="cdn-challenge-page",
    title="The CDN before {server} asks whether the client is a human",
    cause=(
        "A bot protection before {server} answers with a page that only a browser can solve. No"
        " container client can, so it sees an error, or HTML where it expects JSON."
    ),
    fix=(
        (
            "Cloudflare: add a rule that skips bot protection, security level and managed challenges"
            " for the registry's host (and its token server), or take its DNS record out of the"
            " proxy (grey cloud)."
        ),
        "AWS WAF: exclude /v2/ and the token path from the rules with Challenge or CAPTCHA.",
        "If it meets machines of a data centre only, allow their addresses.",
    ),
    check=("curl -si https://{server}/v2/ | grep -i -e cf-mitigated -e x-amzn-waf-action",),
    references=(
        "https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/",
        "https://docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge.html",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(Kind),
    explains=frozenset(
        {
            "waf-block",
            "gateway-error-page",
            "method-blocked-by-middlebox",
            "location-missing",
            "not-a-registry-answer",
            "token-endpoint-denied",
            "token-endpoint-not-a-token-server",
            "token-missing-in-answer",
            "rate-limited",
        }
    ),
    fires="""
client docker/20.10.24
GET /v2/                     -> 403 nginx
  < cf-mitigated: challenge
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 403 nginx
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 503
  < Server: cloudflare
  << <html><head><title>Just a moment...</title></head></html>
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < x-amzn-waf-action: challenge
  < -Docker-Distribution-Api-Version
  < -Location
  << <html></html>
""",
    ),
)
def cdn_challenge_page(operation: Operation, facts: Facts) -> Verdict:
    legs = ended_by(facts, lambda leg: _mark(leg) is not None)
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=legs,
        evidence=(
            Evidence(first, "response.status", "not the registry's own answer"),
            Evidence(first, _mark(first) or "response.body", "it is a challenge for a browser"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"server": host(first.url.authority)},
        count=len(legs),
    )


def _mark(leg: Leg) -> str | None:
    """The place that shows it to be a challenge."""
    for name, values in _MARKS:
        if (received(leg).get(name) or "").lower() in values:
            return f"response.header.{name}"
    title = (leg.error.title or "").lower() if leg.error else ""
    return "response.body" if title.startswith(_TITLES) else None
