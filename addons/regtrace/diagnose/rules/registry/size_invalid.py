"""RT722: the registry received another number of bytes than the request announced."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, sent
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
from regtrace.wire.term import host, plain
from regtrace.wire.upload import read_range

_KINDS = (Kind.UPLOAD_START, Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT)


@rule(
    number="RT722",
    slug="size-invalid",
    title="{registry} received another number of bytes than was announced",
    cause=(
        "{registry} compared the bytes that it received with the length or the range that the"
        " request names, and they differ. {proof} A client that counts wrongly does that, or a proxy"
        " that changes how a body is framed."
    ),
    fix=(
        "{remedy}",
        "If it goes on, update the client, or let it push layers in one piece instead of chunks.",
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks",
    ),
    owner=Owner.CLIENT,
    needs=frozenset(_KINDS),
    fires="""
client regctl/v0.8.0
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 1MB                 -> 400 SIZE_INVALID
  > Content-Range: 0-999999
""",
    silent="""
client regctl/v0.8.0
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 1MB                 -> 413 SIZE_INVALID    # too large for it, and no contradiction
  > Content-Range: 0-999999
""",
    also_fires=(
        """
client -
registry https://registry.test open
POST uploads                 -> 202
PATCH u1 1MB                 -> 400 BLOB_UPLOAD_INVALID
  > Content-Range: 0-1000000
""",
    ),
    also_silent=(
        """
client regctl/v0.8.0
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 1MB                 -> 416
  > Content-Range: 5-1000004
GET u1                       -> 204
PATCH u1 L1                  -> 202    # it went on from where it was
PUT u1 L1                    -> 201
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def size_invalid(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_KINDS)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _is_called_wrong(leg) or _contradicts_itself(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    by_client = _contradicts_itself(first)
    evidence = shown_by(first, "the registry's verdict on what arrived")
    if "Content-Range" in sent(first):
        evidence = (*evidence, Evidence(first, "request.header.Content-Range", "what was named"))
    evidence = (*evidence, Evidence(first, "request.body.size", "bytes that left the client"))
    return Fails(
        legs=tuple(legs),
        evidence=evidence,
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "proof": plain(_BY_CLIENT if by_client else _BEHIND),
            "remedy": plain(_REMEDIES[by_client]),
        },
        count=tries(facts, legs),
        owner=None if by_client else Owner.FRONT_PROXY,
    )


_BY_CLIENT = "The request names a range of another length than its body, as it left the client."
_BEHIND = "The request agrees with itself as it passed here."
_REMEDIES = {
    True: "Update the client, or whatever between it and this proxy repackages its requests.",
    False: (
        "Let the proxies behind this one pass bodies on as they come: nginx"
        " proxy_request_buffering off and proxy_http_version 1.1; no content filter on /v2/."
    ),
}


def _is_called_wrong(leg: Leg) -> bool:
    """413 with this code is a limit."""
    return leg.status == 400 and "SIZE_INVALID" in codes(leg)


def _contradicts_itself(leg: Leg) -> bool:
    """A refused chunk whose range spans another number of bytes than its body has."""
    span, body = read_range(sent(leg).get("Content-Range")), leg.exchange.request.body
    if span is None or leg.status not in {400, 416} or not body.complete or body.size is None:
        return False
    return span.size != body.size
