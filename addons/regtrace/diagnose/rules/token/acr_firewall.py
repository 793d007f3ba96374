"""RT229: Azure's registry lets only certain networks in."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import said
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
from regtrace.wire.term import host


@rule(
    number="RT229",
    slug="acr-firewall",
    title="The firewall of {registry} does not let this client's address in",
    cause=(
        "The registry's network rules refuse the public address that the request came from; the"
        " answer names it. The login is not the point: no request from there is let in. A proxy or"
        " a changed way out (VPN, NAT) makes the address another than expected."
    ),
    fix=(
        (
            "Add the address that the answer names: az acr network-rule add --name REGISTRY"
            " --ip-address ADDRESS (Premium tier), or Networking, Selected networks in the portal."
        ),
        (
            "From inside Azure use a private endpoint, and make sure that the registry's name"
            " resolves to it; for Azure's own services allow trusted services."
        ),
    ),
    check=("az acr check-health --name REGISTRY --yes",),
    references=(
        "https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks",
        "https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    explains=frozenset(
        {
            "account-not-permitted",
            "token-endpoint-denied",
            "token-bad-credentials",
            "token-grants-less-than-asked",
            "anonymous-where-login-needed",
        }
    ),
    fires="""
client docker/24.0.7
registry https://team.azurecr.io
realm https://team.azurecr.io/oauth2/token service=team.azurecr.io
GET /v2/                     -> 401
token push,pull team/app     -> 403
  << {"errors":[{"code":"DENIED","message":"client with IP '192.0.2.44' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."}]}
""",
    silent="""
client docker/24.0.7
registry https://team.azurecr.io
realm https://team.azurecr.io/oauth2/token service=team.azurecr.io
GET /v2/                     -> 401
token push,pull team/app     -> 403
  << {"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}
""",
    also_fires=(
        """
client containerd/2.1.4
registry https://team.azurecr.io
HEAD manifest 1              -> 403
GET manifest 1               -> 403 DENIED "client with IP '192.0.2.44' is not allowed access"
""",
    ),
)
def acr_firewall(operation: Operation, facts: Facts) -> Verdict:
    refused = [f.leg for f in facts.fatal if f.leg.status in {401, 403}]
    if not refused:
        return DOES_NOT_APPLY
    told = [leg for leg in refused if _names_address(said(leg))]
    if not told:
        return PASSES
    return Fails(
        legs=tuple(told),
        evidence=(
            Evidence(told[0], "response.status", "forbidden"),
            Evidence(told[0], "response.body", "names the address that is not allowed"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(told[0]),
        fields={"registry": host(facts.registry_host)},
        count=len(told),
    )


def _names_address(words: str) -> bool:
    return "client with ip" in words and "is not allowed access" in words
