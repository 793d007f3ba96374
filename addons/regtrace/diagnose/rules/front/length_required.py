"""RT603: a proxy, or the storage, wants to know a body's length before it comes."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import said, sent
from regtrace.diagnose.facts.fronts import ended_by, front, front_owner
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
from regtrace.wire.leg import UPLOAD_KINDS, Kind, Leg
from regtrace.wire.term import plain

_CARRY_BODIES = UPLOAD_KINDS | {Kind.MANIFEST_PUT}


@rule(
    number="RT603",
    slug="length-required",
    title="{front} takes no upload without a length (411)",
    cause=(
        "docker packs a layer while it sends it, so it can't say beforehand how long it will be: it"
        " sends chunks (Transfer-Encoding: chunked), as HTTP/1.1 allows. {front} refuses that"
        " with 411 Length Required."
    ),
    fix=(
        (
            "nginx: use 1.3.9 or newer, chunked_transfer_encoding on; proxy_http_version 1.1; and"
            " proxy_request_buffering off; in the location of the registry."
        ),
        "Apache before the registry or before radosgw: use mod_proxy_http in place of FastCGI.",
        (
            "Other proxies and firewalls: allow chunked request bodies for /v2/, or push with a"
            " client that sends a length (docker with the containerd image store, crane)."
        ),
    ),
    references=(
        "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.12",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_request_buffering",
        "https://github.com/distribution/distribution/issues/1873",
    ),
    owner=Owner.FRONT_PROXY,
    needs=_CARRY_BODIES,
    explains=frozenset({"storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 411 nginx
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 400 nginx
""",
    also_fires=(
        # The storage's proxy said it to the registry.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"swift: HTTP Error: 411: 411 Length Required"}]}
""",
    ),
)
def length_required(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _CARRY_BODIES for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = ended_by(facts, lambda leg: _is_refused(leg) or _is_refused_behind(leg))
    if not legs:
        return PASSES
    first = legs[0]
    behind = _is_refused_behind(first)
    where = "response.body" if behind else "response.status"
    evidence = [Evidence(first, where, "a length is demanded")]
    if "Transfer-Encoding" in sent(first):
        why = "the body was announced without one"
        evidence.append(Evidence(first, "request.header.Transfer-Encoding", why))
    return Fails(
        legs=legs,
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"front": plain("The storage behind the registry") if behind else front(first)},
        count=len(legs),
        owner=Owner.STORAGE if behind else front_owner(first),
    )


def _is_refused(leg: Leg) -> bool:
    return leg.kind in _CARRY_BODIES and leg.status == 411


def _is_refused_behind(leg: Leg) -> bool:
    """The registry tells what its storage told it."""
    told = leg.kind in _CARRY_BODIES and leg.status == 500
    return told and ("411 length required" in said(leg) or "missingcontentlength" in said(leg))
