"""RT419: Azure does not accept the registry's shared access signature."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.lateness import read_lateness
from regtrace.diagnose.facts.storage_errors import Reason, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Evidence,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.storage import Vendor
from regtrace.wire.term import plain


@rule(
    number="RT419",
    slug="azure-sas-refused",
    title="Azure does not accept the registry's signed URL (AuthenticationFailed)",
    cause=(
        "The registry sent the client to {storage} with a shared access signature, and Azure could"
        " not authenticate it. {why}"
    ),
    fix=(
        (
            "If the storage account's keys were rotated, put the new one into storage.azure."
            "accountkey of the registry's config.yml and restart it."
        ),
        "Set the clock of the registry's machine by NTP: the signature's times are exact.",
        "Let no proxy before the storage change the URL's path or query.",
    ),
    references=(
        "https://learn.microsoft.com/en-us/rest/api/storageservices/sas-error-codes",
        "https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes",
        "https://distribution.github.io/distribution/storage-drivers/azure/",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.STORAGE}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 azure
HEAD azure L1                -> 403 AuthenticationFailed
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 azure
HEAD azure L1                -> 403 AuthorizationFailure
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 azure
+1800s GET azure L1          -> 403
""",
    ),
)
def azure_sas_refused(operation: Operation, facts: Facts) -> Verdict:
    at_azure = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.vendor is Vendor.AZURE and not refusal.nested
    ]
    if not at_azure:
        return DOES_NOT_APPLY
    refused = [
        refusal
        for refusal in at_azure
        if refusal.reason in {Reason.SIGNATURE, Reason.EXPIRED, Reason.NOT_YET_VALID}
    ]
    if not refused:
        return PASSES
    first = refused[0]
    owner = Owner.REGISTRY
    why = "By the storage's clock it was in its time; so it was signed with a key that is not its."
    if first.reason is not Reason.SIGNATURE:
        late = read_lateness(facts, first)
        owner, why = late.owner, f"It was used outside its time. {late.sentence}"
    return fails_by(
        refused,
        "the storage's own code and time",
        {"storage": first.place, "why": plain(why)},
        Evidence(first.leg, "request.url", "since when and until when it was signed"),
        owner=owner,
    )
