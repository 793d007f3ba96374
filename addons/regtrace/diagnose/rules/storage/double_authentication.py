"""RT417: a signed URL and an Authorization header in one request."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import sent
from regtrace.diagnose.facts.storage_errors import Reason, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Severity,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain


@rule(
    number="RT417",
    slug="double-authentication",
    title="The request to the storage carries an Authorization header beside the signed URL",
    cause=(
        "The URL to {storage} is signed, which is all the login that a storage wants. {who} {effect}"
    ),
    fix=(
        (
            "Update the client: it must drop the Authorization header when a redirect leads to"
            " another host, port or scheme."
        ),
        (
            "If a proxy adds the header, or follows the redirect by itself, let it pass redirects"
            " to the client and set no Authorization for the storage's host."
        ),
        (
            "Until then, set storage.redirect.disable: true in the registry's config.yml, or give"
            " the storage a host name that is not the registry's, nor below it."
        ),
    ),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        "https://github.com/open-policy-agent/opa/issues/6580",
        "https://github.com/containerd/containerd/issues/10374",
    ),
    owner=Owner.CLIENT,
    needs=frozenset({Kind.STORAGE}),
    explains=frozenset({"storage-403-on-head", "gcs-signed-url-refused", "azure-sas-refused"}),
    fires="""
client oras/1.0.0
GET manifest 1               -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 400 InvalidArgument "Only one auth mechanism allowed"
  > Authorization: Basic eDp5
""",
    silent="""
client oras/1.0.0
GET manifest 1               -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 400 InvalidRequest "Something else"
""",
    also_fires=(
        """
client oras/1.0.0
GET manifest 1               -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 azure
GET azure L1                 -> 403 AuthenticationFailed
  > Authorization: Basic eDp5
""",
        """
client oras/1.0.0
GET manifest 1               -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio
GET minio L1                 -> 200    # it went well, and gave the token away
  > Authorization: Basic eDp5
GET blob cfg                 -> 200
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 https://blobs.registry.test/L1
GET https://blobs.registry.test/L1 -> 200    # a blob host of the registry's own wants the token
  > Authorization: Basic eDp5
""",
    ),
)
def double_authentication(operation: Operation, facts: Facts) -> Verdict:
    hops = [leg for leg in facts.legs if leg.kind is Kind.STORAGE]
    if not hops:
        return DOES_NOT_APPLY
    refused = [each for each in facts.storage_refusals if each.reason is Reason.TWO_LOGINS]
    if refused:
        first = refused[0]
        seen = "Authorization" in sent(first.leg)
        added = "Something behind this proxy added an Authorization header to it."
        return fails_by(
            refused,
            "what was sent besides the signature" if seen else "the storage's own words",
            {
                "storage": first.place,
                "who": plain("The client sent an Authorization header besides." if seen else added),
                "effect": plain("Storages refuse two logins in one request."),
            },
            owner=None if seen else Owner.FRONT_PROXY,
        )
    leaks = [hop.storage for hop in facts.hops if _gives_away(hop.redirect, hop.storage)]
    if not leaks:
        return PASSES
    return Fails(
        legs=tuple(leaks),
        evidence=(
            Evidence(leaks[0], "request.header.Authorization", "sent on to another host"),
            Evidence(leaks[0], "request.url", "which is signed and needs none"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(leaks[0]),
        fields={
            "storage": host(leaks[0].url.authority),
            "who": plain("The client sent an Authorization header besides."),
            "effect": plain(
                "The storage did not mind; but it, and whoever reads its logs, now has the"
                " registry's token."
            ),
        },
        count=len(leaks),
        severity=Severity.WARNING,
    )


def _gives_away(redirect: Leg, leg: Leg) -> bool:
    """Credentials for the registry, sent to a host that is neither the registry's nor below it."""
    if leg.presigned is None or "Authorization" not in sent(leg) or not leg.succeeded:
        return False
    registry = redirect.url.host
    return leg.url.host != registry and not leg.url.host.endswith(f".{registry}")
