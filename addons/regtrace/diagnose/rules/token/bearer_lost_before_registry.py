"""RT219: the client sends its token, and the registry answers as if none had come."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_registrys_own
from regtrace.diagnose.facts.tokens import SAY_ERRORS, Refusal
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
from regtrace.wire.term import Term, TermKind, host


@rule(
    number="RT219",
    slug="bearer-lost-before-registry",
    title="The token does not reach the registry behind {registry}",
    cause=(
        "The client sent its token, and the registry's challenge has no error in it: distribution"
        " answers so when no Bearer token came. A proxy in front drops the Authorization header or"
        " writes its own over it. One other thing looks the same: distribution 3 answers so to a token"
        " whose signature is wrong although it knows the key."
    ),
    fix=(
        (
            "Pass the header through in every proxy in front. nginx: remove proxy_set_header"
            " Authorization, and any auth_basic for the registry's location. Apache: no"
            " AuthType for it, and CGIPassAuth On where a script stands between. Forward-auth:"
            " exempt the path /v2/ from it."
        ),
        (
            "If no proxy touches it, compare the token server's signing key with"
            " auth.token.rootcertbundle of the registry."
        ),
    ),
    check=("curl -i -H 'Authorization: Bearer x' {ping} | grep -i ^www-authenticate",),
    references=(
        "https://distribution.github.io/distribution/spec/auth/token/",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_set_header",
        "https://github.com/distribution/distribution/issues/3010",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(Kind),
    explains=frozenset({"auth-loop"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test",scope="repository:team/app:pull,push"
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test",scope="repository:team/app:pull,push",error="invalid_token"
""",
    also_fires=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token                        -> 200
GET /v2/ auth                -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
""",
    ),
    also_silent=(
        """
client docker/20.10.24
realm https://registry.test/service/token service=harbor-registry
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401    # Harbor never says error=
  < WWW-Authenticate: Bearer realm="https://registry.test/service/token",service="harbor-registry"
""",
        """
client podman/4.9
POST uploads                 -> 202    # the capture began after the token
  > Authorization: Bearer opaque
PATCH u1 L1 took=150s        -> 202
  > Authorization: Bearer opaque
PUT u1 L1                    -> 401
  > Authorization: Bearer opaque
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app grant=none -> 200
POST uploads                 -> 401    # grants nothing: that is reason enough
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test",scope="repository:team/app:pull,push"
""",
    ),
)
def bearer_lost_before_registry(operation: Operation, facts: Facts) -> Verdict:
    refusals = [r for r in facts.fatal_refusals if r.challenge and r.leg.status == 401]
    if not refusals:
        return DOES_NOT_APPLY
    lost = [refusal for refusal in refusals if _looks_unseen(refusal, facts)]
    if not lost:
        return PASSES
    first = lost[0]
    proof = facts.proof(first.token)
    proved = proof is not None and first.is_signed_by(proof)
    return Fails(
        legs=tuple(refusal.leg for refusal in lost),
        evidence=(
            Evidence(first.leg, "request.header.Authorization", "the client sent a token"),
            Evidence(first.leg, "response.header.WWW-Authenticate", "no error: none has come"),
        ),
        confidence=Confidence.CERTAIN if proved else Confidence.LIKELY,
        transfer=facts.transfer_of(first.leg),
        fields={
            "registry": host(first.leg.url.authority),
            "ping": Term(TermKind.URL, f"{first.leg.url.origin}/v2/"),
        },
        count=len(lost),
    )


def _looks_unseen(refusal: Refusal, facts: Facts) -> bool:
    """A good token, as far as can be read, and a registry that would say so if it weren't. One that
    can't be read and was taken before may have run out."""
    # A registry that nothing names may be any product, if its tokens aren't distribution's.
    known = refusal.jwt is not None or facts.product is not None
    speaks = known and facts.product in SAY_ERRORS and is_registrys_own(refusal.leg)
    good = refusal.in_order and (refusal.jwt is not None or refusal.accepted is None)
    return refusal.error is None and speaks and good and not refusal.lacks
