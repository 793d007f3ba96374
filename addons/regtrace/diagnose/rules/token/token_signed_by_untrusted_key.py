"""RT213: the registry does not trust the key that signed the token."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.tokens import Refusal
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
from regtrace.wire.signature import Proof
from regtrace.wire.signature import Verdict as Judged
from regtrace.wire.term import Term, host, plain
from regtrace.wire.testimony import TOKEN_FAULTS, Told

_UNPROVED = {
    True: "Its audience and its times are right, so what is left is its signature (or its issuer).",
    False: "The token is opaque, so what the registry dislikes about it can't be seen.",
}
_LOGGED = "The registry's log says why: it can't trace the signature to a key that it trusts."
_PROVED = {
    Judged.UNTRUSTED: "None of the keys that the registry trusts is the one that the token names.",
    Judged.BAD_SIGNATURE: "The token names a trusted key, but that key did not sign it.",
    Judged.UNSUPPORTED: "It is signed in a way that no public key can prove.",
    Judged.SIGNED: "A trusted key signed it, but the certificate in it has run out.",
}
_MISNAMED = (
    "A trusted key did sign it, but the token gives that key another name than the registry"
    " computes: a kid of the other distribution version, or a wrong x5c."
)


@rule(
    number="RT213",
    slug="token-signed-by-untrusted-key",
    title="{registry} does not trust the key that signed its token",
    cause=(
        "The token server {server} gave a token, and the registry calls it invalid_token. {why}"
        " {named}Nobody can log in, pull or push until both use one pair of keys."
    ),
    fix=(
        (
            "Give the registry the certificate that belongs to the token server's signing key:"
            " auth.token.rootcertbundle (or auth.token.jwks) in its config.yml, and restart it."
            " GitLab: registry['internal_key'] and the registry's rootcertbundle are one pair."
            " Harbor: run ./prepare again, then docker compose up -d."
        ),
        (
            "If the keys are a pair, let the token carry its certificate in x5c, or name the key as"
            " the registry does: distribution 2 wants kid in libtrust's form, distribution 3 the"
            " JWK thumbprint (RFC 7638)."
        ),
        "With several replicas, give each the same key; else logins fail now and then.",
        "If issuer is what differs, set auth.token.issuer to what the token says in iss.",
    ),
    check=(
        "openssl x509 -noout -pubkey -in rootcertbundle.pem",
        "openssl pkey -pubout -in signing.key",
    ),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#token",
        "https://distribution.github.io/distribution/spec/auth/jwt/",
        "https://github.com/distribution/distribution/issues/3149",
        "https://github.com/distribution/distribution/issues/4299",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    explains=frozenset({"auth-loop"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401 invalid_token
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app grant=pull -> 200
POST uploads                 -> 401 insufficient_scope
""",
    also_fires=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token                        -> 200
GET /v2/ auth                -> 401 invalid_token
""",
        """
client containerd/2.1.4
HEAD manifest 1              -> 401
token POST pull team/app opaque -> 200
HEAD manifest 1              -> 401 invalid_token
token POST pull team/app opaque -> 200
HEAD manifest 1              -> 401 invalid_token
""",
    ),
    also_silent=(
        # The registry does not say its time; by this proxy's the token was over when it came.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app clock=-600s -> 200
POST uploads                 -> 401 invalid_token
  < -Date
""",
        """
client containerd/2.1.4
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 401 invalid_token    # one replica of two
token pull team/app          -> 200
HEAD manifest 1              -> 200
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app aud=other -> 200
POST uploads                 -> 401 invalid_token
""",
    ),
)
def token_signed_by_untrusted_key(operation: Operation, facts: Facts) -> Verdict:
    refusals = [refusal for refusal in facts.fatal_refusals if refusal.is_invalid]
    if not refusals:
        return DOES_NOT_APPLY
    tokens = {refusal.token.sha256: refusal.token for refusal in refusals}
    proofs = {sha256: facts.proof(token) for sha256, token in tokens.items()}
    bad = [
        refusal
        for refusal in refusals
        if _is_logged(facts, refusal)
        or (
            refusal.in_order
            and not _is_cleared(refusal, proofs[refusal.token.sha256])
            and not facts.told(refusal.leg) & TOKEN_FAULTS
        )
    ]
    if not bad:
        return PASSES
    first = bad[0]
    proof = proofs[first.token.sha256]
    proved = proof is not None and proof.verdict is not Judged.OPAQUE
    evidence = [
        first.shows("the token, with the name of its key"),
        Evidence(first.leg, "response.header.WWW-Authenticate", "the registry calls it invalid"),
    ]
    if first.accepted:
        why = "a request that was taken with the same token: replicas differ"
        evidence.append(Evidence(first.accepted, "response.status", why))
    return Fails(
        legs=tuple(refusal.leg for refusal in bad),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if _is_logged(facts, first) else _confidence(first, proved),
        transfer=facts.transfer_of(first.leg),
        fields={
            "registry": host(first.leg.url.authority),
            "server": _server(first),
            "why": plain(
                _LOGGED
                if _is_logged(facts, first) and not proved
                else _why(first, proof if proved else None)
            ),
            "named": plain(_key_name(first)),
        },
        count=len(bad),
    )


def _is_logged(facts: Facts, refusal: Refusal) -> bool:
    """The registry's log says which of a token's faults it is."""
    return Told.UNTRUSTED_KEY in facts.told(refusal.leg)


def _is_cleared(refusal: Refusal, proof: Proof | None) -> bool:
    return proof is not None and refusal.is_signed_by(proof)


def _confidence(refusal: Refusal, proved: bool) -> Confidence:
    if proved:
        return Confidence.CERTAIN
    fresh = refusal.jwt is not None and refusal.accepted is None
    return Confidence.LIKELY if fresh else Confidence.POSSIBLE


def _why(refusal: Refusal, proof: Proof | None) -> str:
    if proof is None:
        return _UNPROVED[refusal.jwt is not None]
    return _MISNAMED if proof.signer else _PROVED[proof.verdict]


def _key_name(refusal: Refusal) -> str:
    if refusal.jwt is None:
        return ""
    header = refusal.jwt.header
    if header.x5c:
        return "The token brings its certificate along (x5c). "
    return "The token names its key by kid only. " if header.kid else "The token names no key. "


def _server(refusal: Refusal) -> Term:
    if refusal.grant:
        return host(refusal.grant.leg.url.authority)
    return plain("which this proxy did not see")
