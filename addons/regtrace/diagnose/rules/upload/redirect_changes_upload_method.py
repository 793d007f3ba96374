"""RT305: a redirect makes a GET of an upload, and nothing is written."""

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
from regtrace.follow.life import Fate
from regtrace.follow.story import Chain, Operation
from regtrace.wire.leg import UPLOAD_KINDS, Kind, Leg
from regtrace.wire.term import host, plain

_WRITE = UPLOAD_KINDS | {Kind.MANIFEST_PUT}


@rule(
    number="RT305",
    slug="redirect-changes-upload-method",
    title="A redirect ({code}) at {server} turns the upload into a GET, so nothing is written",
    cause=(
        "{server} answers the {leg} leg with a {code} redirect. After 301, 302 and 303"
        " clients go on with GET, without the body, and get {status}. Such redirects come from"
        " rules that lead from http to https, to another name, or away from a slash at the end of"
        " the path."
    ),
    fix=(
        (
            "Send clients to the right address at once: set X-Forwarded-Proto and Host in the"
            " proxy, or http.host: https://NAME in the registry's config.yml, so that upload"
            " Locations need no redirect; push to the name that is redirected to."
        ),
        "Take /v2/ out of the redirecting rule, and keep the slash at the end of /blobs/uploads/.",
        "If a redirect must be, use 308 or 307: they keep the method.",
    ),
    check=("curl -si -X POST https://{server}/v2/NAME/blobs/uploads/ | head -n 5",),
    references=(
        "https://www.rfc-editor.org/rfc/rfc9110#section-15.4.2",
        "https://github.com/moby/moby/issues/34657",
    ),
    owner=Owner.FRONT_PROXY,
    needs=_WRITE,
    explains=frozenset({"method-blocked-by-middlebox", "vhost-not-found", "not-a-registry-answer"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 301 https://registry.test/v2/team/app/blobs/uploads
GET https://registry.test/v2/team/app/blobs/uploads -> 405 nginx
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 308 https://registry.test/v2/team/app/blobs/uploads
POST https://registry.test/v2/team/app/blobs/uploads -> 405 nginx
""",
    also_fires=(
        # What the GET is answered with does not matter.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 302 https://registry.example.com/v2/team/app/blobs/uploads/x
GET https://registry.example.com/v2/team/app/blobs/uploads/x -> 204
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
PUT manifest 1 [cfg L1]      -> 302 https://registry.example.com/v2/team/app/manifests/1
GET https://registry.example.com/v2/team/app/manifests/1 -> 404 nginx
""",
    ),
    also_silent=(
        # A blob that lies elsewhere is read by GET, as it should be.
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 302 s3
GET s3 L1                    -> 403
""",
    ),
)
def redirect_changes_upload_method(operation: Operation, facts: Facts) -> Verdict:
    redirected = [
        (transfer, chain)
        for transfer, chain in facts.chains
        if chain.first.kind in _WRITE and len(chain.legs) > 1
    ]
    if not redirected:
        return DOES_NOT_APPLY
    turned = [
        (transfer, chain)
        for transfer, chain in redirected
        if chain.became_a_read and transfer is not None and transfer.fate is Fate.FAILED
    ]
    if not turned:
        return PASSES
    transfer, chain = turned[0]
    redirect = _turning_point(chain)
    return Fails(
        legs=tuple(leg for _, chain in turned for leg in (_turning_point(chain), chain.last)),
        evidence=(
            Evidence(redirect, "response.status", "a redirect that does not keep the method"),
            Evidence(redirect, "response.header.Location", "the client went there with GET"),
            Evidence(chain.last, "response.status", "what the GET was answered with"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=transfer,
        fields={
            "server": host(redirect.url.authority),
            "code": plain(redirect.status),
            "leg": plain(chain.first.kind.value),
            "status": plain(chain.last.status or "no answer"),
        },
        count=len(turned),
    )


def _turning_point(chain: Chain) -> Leg:
    """The redirect after which the method was GET."""
    pairs = zip(chain.legs, chain.legs[1:], strict=False)
    return next(leg for leg, after in pairs if after.method in {"GET", "HEAD"})
