"""RT422: the storage account is full."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
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
    number="RT422",
    slug="azure-account-over-quota",
    title="The Azure storage account is full (AccountSizeOverQuota)",
    cause=(
        "{storage} answered AccountSizeOverQuota: the whole account has reached its size. This is"
        " not the quota of a project or repository in the registry."
    ),
    fix=(
        "Raise the account's capacity limit in the Azure portal, or ask Azure support for it.",
        (
            "Delete images that nobody needs and run the registry's garbage collection: registry"
            " garbage-collect /etc/docker/registry/config.yml --delete-untagged."
        ),
    ),
    check=("az monitor metrics list --resource ACCOUNT_ID --metric UsedCapacity",),
    references=(
        "https://learn.microsoft.com/en-us/azure/storage/common/scalability-targets-standard-account",
        "https://github.com/goharbor/harbor/issues/18897",
    ),
    owner=Owner.STORAGE,
    needs=frozenset(Kind),
    explains=frozenset({"storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"azure: AccountSizeOverQuota"}]}
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 500
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"azure","Enclosed":{"Code":"AccountSizeOverQuota","StatusCode":409}}}]}
""",
    ),
)
def azure_account_over_quota(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    full = [each for each in facts.storage_refusals if each.reason is Reason.OVER_QUOTA]
    if not full:
        return PASSES
    first = full[0]
    place = plain("The registry's storage") if first.nested else first.place
    return fails_by(full, "the storage's own code", {"storage": place})
