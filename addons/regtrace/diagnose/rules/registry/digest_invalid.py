"""RT721: what arrived at the registry does not have the digest that it was announced with."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, said
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
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
from regtrace.wire.term import Term, TermKind, host, plain

_KINDS = (Kind.UPLOAD_START, Kind.UPLOAD_COMMIT, Kind.MANIFEST_PUT)

#: The SHA-256 of nothing.
_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@rule(
    number="RT721",
    slug="digest-invalid",
    title="{registry} received other bytes than the digest says{where}",
    cause=(
        "{registry} counted the digest of what arrived and found another than the one asked for,"
        " {digest}. {proof}"
    ),
    fix=(
        "{remedy}",
        (
            "Push once past every proxy (directly to the registry's own port): if it works then, a"
            " proxy between changes what passes."
        ),
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs",
        "https://github.com/distribution/distribution/issues/2098",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(_KINDS),
    fires="""
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 400 DIGEST_INVALID
""",
    silent="""
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 400 SIZE_INVALID
""",
    also_fires=(
        """
client skopeo/1.14.2
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PATCH u1 L9                  -> 202    # other bytes than announced left the client
PUT u1 L1                    -> 400 DIGEST_INVALID
""",
        """
client containerd/2.1.0
image M1 = cfg L1
HEAD blob L1                 -> 200
PUT manifest @M1             -> 400 DIGEST_INVALID
""",
        """
client regctl/v0.8.0
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 1MB                 -> 202    # in chunks: the sum of all is not known here
PATCH u1 1MB                 -> 202
PUT u1 L1                    -> 400 DIGEST_INVALID
""",
    ),
)
def digest_invalid(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_KINDS)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if "DIGEST_INVALID" in codes(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    transfer = facts.transfer_of(first)
    intact = transfer.digest_verified if transfer else None
    told = _NO_DIGEST if _has_no_digest(first) else _PLACES[intact]
    if _NOTHING in said(first) and intact is not None:
        told = _ARRIVED_EMPTY
    where, proof, owner, remedy = told
    carrier = _carrier(facts, first)
    evidence = shown_by(first, "the registry's verdict on what arrived")
    if intact is not None and carrier is not None:
        why = f"these bytes, as they left the client, {'have' if intact else 'lack'} the digest"
        evidence = (*evidence, Evidence(carrier, "request.body.size", why))
    digest = first.digest or ""
    return Fails(
        legs=tuple(legs),
        evidence=evidence,
        confidence=Confidence.CERTAIN,
        transfer=transfer,
        fields={
            "registry": host(first.url.authority),
            "digest": Term(TermKind.DIGEST, digest) if digest else plain("which it does not name"),
            "where": plain(where),
            "proof": plain(proof),
            "remedy": plain(remedy),
        },
        count=tries(facts, legs),
        owner=owner,
    )


_Told = tuple[str, str, Owner, str]

#: By whether the bytes that left the client had the digest → where the damage lies.
_PLACES: dict[bool | None, _Told] = {
    True: (
        ": they were changed behind this proxy",
        (
            "The bytes that left the client have exactly this digest, so they were damaged behind this"
            " proxy: by another proxy on the way, or in the registry's storage."
        ),
        Owner.REGISTRY,
        (
            "Look behind this proxy: switch off buffering, compression, scanning and rewriting of bodies"
            " on /v2/ in every proxy there, and check the registry's disk, its free space and its log."
        ),
    ),
    False: (
        ": the client sent others",
        (
            "The bytes that left the client do not have this digest, so the client announced one thing"
            " and sent another, or something between it and this proxy changed them."
        ),
        Owner.CLIENT,
        (
            "Clear what the client keeps of the image and build or pull it anew (docker builder prune;"
            " podman system prune; containerd: ctr content prune references)."
        ),
    ),
    None: (
        "",
        (
            "The bytes were not seen here in one piece, so it is not known on which side of this proxy"
            " they were damaged."
        ),
        Owner.REGISTRY,
        (
            "Push again; if it fails again, clear what the client keeps of the image and build it anew,"
            " then look at the proxies between."
        ),
    ),
}
_NO_DIGEST: _Told = (
    ": the request names no digest",
    (
        "The commit's URL has no digest in it, or one that can't be read: the query was lost on its way"
        " or the client did not add it."
    ),
    Owner.FRONT_PROXY,
    (
        "Let every proxy pass the query of a URL on unchanged (nginx: proxy_pass without a path;"
        " no rewrite that ends in ?)."
    ),
)
_ARRIVED_EMPTY: _Told = (
    ": nothing arrived",
    (
        "The registry names the digest of an empty body: it received no bytes, although the client"
        " sent some."
    ),
    Owner.FRONT_PROXY,
    (
        "Let every proxy behind this one pass bodies of unknown length on (Transfer-Encoding: chunked;"
        " nginx: proxy_http_version 1.1 and proxy_request_buffering off)."
    ),
)


def _has_no_digest(leg: Leg) -> bool:
    return leg.kind is Kind.UPLOAD_COMMIT and leg.digest is None


def _carrier(facts: Facts, leg: Leg) -> Leg | None:
    """The request that carried the bytes: this one, or the last chunk before it."""
    if leg.exchange.request.body.size:
        return leg
    transfer = facts.transfer_of(leg)
    chunks = (
        [c.last for c in transfer.chains if c.first.kind is Kind.UPLOAD_CHUNK] if transfer else []
    )
    return chunks[-1] if chunks else None
