"""RT508: a cache gives answers that were meant for one request only."""

from __future__ import annotations

from collections.abc import Iterator

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.content import from_cache
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


@rule(
    number="RT508",
    slug="cached-auth-answer",
    title="A cache before {registry} repeats an old {what}",
    cause=(
        "The answer of {registry} came out of a cache, as its header {header} shows. {harm} Such"
        " answers hold for one client and a few minutes, and must not be kept."
    ),
    fix=(
        (
            "Let the cache or CDN keep nothing but 200 answers of blobs and of manifests by digest:"
            " nginx proxy_cache_valid 200 only; and proxy_no_cache for the rest; CDN: no caching of"
            " 3xx and 401 under /v2/, and none of requests with Authorization."
        ),
        "Purge what it holds of /v2/, then try again.",
    ),
    check=("curl -sI https://{registry}/v2/ | grep -i -e ^age -e cache",),
    references=(
        "https://www.rfc-editor.org/rfc/rfc9111#section-3.5",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_cache_valid",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(Kind),
    explains=frozenset(
        {"presigned-url-expired", "storage-403-on-head", "auth-loop", "s3-access-denied"}
    ),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 401
  < Age: 30
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 403
  < Age: 30
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 307 s3
  < X-Cache: Hit from cloudfront
+1800s GET s3 L1             -> 403
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
  < X-Cache: HIT
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
  < Age: 300
GET blob L1                  -> 307 s3
  < X-Cache: Miss from cloudfront
GET s3 L1                    -> 200
  < X-Cache: Hit from cloudfront
""",
    ),
)
def cached_auth_answer(operation: Operation, facts: Facts) -> Verdict:
    if not facts.fatal or not any(from_cache(leg) for leg in facts.legs):
        return DOES_NOT_APPLY
    harmed = [*_old_redirects(facts), *_old_challenges(facts)]
    if not harmed:
        return PASSES
    cached, failed = harmed[0]
    header = from_cache(cached) or "Age"
    redirect = cached is not failed
    return Fails(
        legs=tuple(failed for _, failed in harmed),
        evidence=(
            Evidence(cached, f"response.header.{header}", "a cache gave this answer"),
            Evidence(failed, "response.status", "what came of it"),
        ),
        confidence=Confidence.LIKELY if redirect else Confidence.CERTAIN,
        transfer=facts.transfer_of(failed),
        fields={
            "registry": host(cached.url.authority),
            "what": plain("redirect" if redirect else "demand for a login"),
            "header": plain(header),
            "harm": plain(_REDIRECT if redirect else _CHALLENGE),
        },
        count=len(harmed),
    )


_REDIRECT = "It sends the client to a signed URL of the storage that was made for somebody before."
_CHALLENGE = "It demands a login from a client that had sent its token."


def _old_redirects(facts: Facts) -> Iterator[tuple[Leg, Leg]]:
    """A redirect out of a cache, and the storage's refusal of what it led to."""
    for hop in facts.hops:
        refused = hop.storage.status in {400, 401, 403} and facts.is_fatal(hop.storage)
        if refused and from_cache(hop.redirect):
            yield hop.redirect, hop.storage


def _old_challenges(facts: Facts) -> Iterator[tuple[Leg, Leg]]:
    for fatal in facts.fatal:
        leg = fatal.leg
        if leg.status == 401 and leg.credentials and leg.endpoint and from_cache(leg):
            yield leg, leg
