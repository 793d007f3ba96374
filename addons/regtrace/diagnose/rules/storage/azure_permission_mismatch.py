"""RT420: Azure knows the signer, whose rights don't cover the read."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
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
    number="RT420",
    slug="azure-permission-mismatch",
    title="The registry's identity may not read blobs in Azure (AuthorizationPermissionMismatch)",
    cause=("{storage} accepted who signed the URL, and refused what it asks for: {why}."),
    fix=(
        (
            "Grant the registry's managed identity or service principal the role Storage Blob Data"
            " Contributor (to read alone, Storage Blob Data Reader) on the account or container;"
            " Owner and Contributor are no data roles."
        ),
        "With user delegation keys, grant Storage Blob Delegator on the account too.",
        "Wait up to ten minutes: roles take their time to spread.",
    ),
    check=("az role assignment list --assignee PRINCIPAL --all -o table",),
    references=(
        "https://learn.microsoft.com/en-us/rest/api/storageservices/sas-error-codes",
        "https://learn.microsoft.com/en-us/azure/storage/blobs/assign-azure-role-data-access",
    ),
    owner=Owner.STORAGE,
    needs=frozenset({Kind.STORAGE}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 azure
GET azure L1                 -> 403 AuthorizationPermissionMismatch
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 azure
GET azure L1                 -> 403 AuthorizationFailure
""",
)
def azure_permission_mismatch(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.reason is Reason.DENIED and refusal.vendor is Vendor.AZURE and not refusal.nested
    ]
    if not refused:
        return PASSES
    first = refused[0]
    allowed = first.leg.presigned.permissions if first.leg.presigned else None
    unread = allowed is not None and "r" not in allowed
    why = "its identity has no role that covers reading blobs"
    if unread:
        why = "the signature's permissions (sp) leave out reading (r)"
    return fails_by(
        refused,
        "the storage's own code",
        {"storage": first.place, "why": plain(why)},
        *([Evidence(first.leg, "request.url", "what the signature allows")] if unread else []),
        owner=Owner.REGISTRY if unread else None,
    )
