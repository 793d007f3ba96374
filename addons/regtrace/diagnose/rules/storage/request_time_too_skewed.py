"""RT407: the storage finds the signer's clock too far from its own."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.clocks import in_words
from regtrace.diagnose.facts.hops import begins_in
from regtrace.diagnose.facts.lateness import whose_clock
from regtrace.diagnose.facts.storage_errors import Reason, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import plain


@rule(
    number="RT407",
    slug="request-time-too-skewed",
    title="The clocks of the registry and its storage are too far apart (RequestTimeTooSkewed)",
    cause=(
        "Each request to the storage is signed with a time. {storage} answers RequestTimeTooSkewed:"
        " that time differs from its own by more than the quarter of an hour that is allowed."
        " {difference}"
    ),
    fix=(
        (
            "Set the clock of the registry's machine by NTP: chronyc tracking shows how far it is"
            " off, systemctl enable --now chrony (or systemd-timesyncd) keeps it right."
        ),
        "If that clock is right, set the clock of the storage's machines.",
        (
            "If only URLs older than a quarter of an hour are refused, the storage applies this"
            " rule to signed URLs by mistake: update it, or raise its allowed skew."
        ),
    ),
    check=("timedatectl", "chronyc tracking"),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        "https://github.com/gaul/s3proxy/issues/648",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    explains=frozenset({"storage-403-on-head", "storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 ceph clock=+1200s
GET ceph L1                  -> 403 RequestTimeTooSkewed
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 ceph
GET ceph L1                  -> 403 AccessDenied
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"s3aws: RequestTimeTooSkewed: The difference between the request time and the server's time is too large."}]}
""",
    ),
)
def request_time_too_skewed(operation: Operation, facts: Facts) -> Verdict:
    skewed = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.reason is Reason.SKEWED and refusal.is_s3
    ]
    if not skewed:
        return PASSES if facts.storage_refusals else DOES_NOT_APPLY
    first = skewed[0]
    owner = whose_clock(facts, first)
    apart = begins_in(first.leg)
    said = f"Here they are {in_words(abs(apart))} apart." if apart is not None else ""
    return fails_by(
        skewed,
        "the storage's own code",
        {
            "storage": first.place if not first.nested else plain("The storage"),
            "difference": plain(said or "The registry passes that answer on."),
        },
        owner=owner,
    )
