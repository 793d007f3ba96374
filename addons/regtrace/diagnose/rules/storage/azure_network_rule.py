"""RT421: the storage account does not let this client's network in."""

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
    number="RT421",
    slug="azure-network-rule",
    title="The Azure storage account lets in only some networks, and not this client's",
    cause=("The registry itself was reachable, but {storage} refuses the client: {why}."),
    fix=(
        (
            "Allow the client's subnet or public address in the account's networking rules: az"
            " storage account network-rule add --account-name ACCOUNT --ip-address ADDRESS."
        ),
        (
            "With private endpoints, make *.blob.core.windows.net resolve to the private address"
            " for the client (a private DNS zone linked to its network)."
        ),
        (
            "With Azure Container Registry, switch on dedicated data endpoints and allow"
            " REGISTRY.REGION.data.azurecr.io in the firewall."
        ),
    ),
    check=("az storage account show --name ACCOUNT --query networkRuleSet",),
    references=(
        "https://learn.microsoft.com/en-us/rest/api/storageservices/sas-error-codes",
        (
            "https://learn.microsoft.com/en-us/azure/container-registry/"
            "container-registry-firewall-access-rules"
        ),
        (
            "https://learn.microsoft.com/en-us/azure/container-registry/"
            "container-registry-dedicated-data-endpoints"
        ),
    ),
    owner=Owner.STORAGE,
    needs=frozenset({Kind.STORAGE}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 azure
GET azure L1                 -> 403 AuthorizationFailure
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 azure
GET azure L1                 -> 403 AuthenticationFailed
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
HEAD blob L1                 -> 307 azure
HEAD azure L1                -> 403 AuthorizationProtocolMismatch
""",
    ),
)
def azure_network_rule(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.reason is Reason.NETWORK_RULE and not refusal.nested
    ]
    if not refused:
        return PASSES
    first = refused[0]
    return fails_by(
        refused,
        "the storage's own code",
        {"storage": first.place, "why": plain(_WHY.get((first.code or "").lower(), _FIREWALL))},
    )


_FIREWALL = "its firewall or private endpoint does not let this network in"
_WHY = {
    "authorizationsourceipmismatch": "the signature names the addresses that may use it (sip)",
    "authorizationprotocolmismatch": "the signature allows https only (spr), and http was used",
}
