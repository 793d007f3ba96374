"""RT404: the registry hands out a URL for GET to a client that asked with HEAD."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.storage_errors import Reason, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import host, plain


@rule(
    number="RT404",
    slug="presigned-method-mismatch",
    title="The registry answers HEAD with a URL that is signed for GET",
    cause=(
        "The method is part of a signature. {registry} answered a HEAD with a redirect to"
        " {storage} whose signature holds for GET only, so the storage refuses the HEAD with 403;"
        " {proof}. containerd and buildkit give up there; clients that use GET get through."
    ),
    fix=(
        (
            "Update the registry to a release that signs HEAD by itself, or that answers HEAD"
            " without a redirect (CNCF distribution signs each method)."
        ),
        "Until then, switch its redirects off (distribution: storage.redirect.disable: true).",
    ),
    references=(
        "https://github.com/moby/moby/issues/50065",
        "https://github.com/pulp/pulp_container/issues/579",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.STORAGE}),
    explains=frozenset({"storage-403-on-head"}),
    fires="""
client containerd/1.7.2
HEAD blob L1                 -> 401
token pull team/app          -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 200
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 403
""",
    silent="""
client containerd/1.7.2
HEAD blob L1                 -> 401
token pull team/app          -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 403
""",
    also_fires=(
        """
client containerd/1.7.2
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 307 https://b.s3.eu-central-1.amazonaws.com/o?X-Amz-Credential=a&X-Amz-Signature=b&x-id=GetObject
HEAD https://b.s3.eu-central-1.amazonaws.com/o?X-Amz-Credential=a&X-Amz-Signature=b&x-id=GetObject -> 403
  < Server: AmazonS3
""",
    ),
    also_silent=(
        """
client containerd/1.7.2
HEAD blob L1                 -> 401
token pull team/app          -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 200
HEAD blob L2                 -> 307 s3
HEAD s3 L2                   -> 403    # signed for HEAD; it is this object that may not be read
""",
    ),
)
def presigned_method_mismatch(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = [each for each in facts.storage_refusals if each.reason is Reason.METHOD]
    if not refused:
        return PASSES
    first = refused[0]
    proof = "a GET of the same object was answered in the same operation"
    if first.sure is not Confidence.CERTAIN:
        proof = "with GET the same key does read, or the URL names GetObject as what it is for"
    read = [
        Evidence(leg, "response.status", "the same object by GET: allowed")
        for leg in facts.legs
        if leg.kind is Kind.STORAGE
        and leg.method == "GET"
        and leg.succeeded
        and (leg.url.authority, leg.url.path) == (first.leg.url.authority, first.leg.url.path)
    ]
    source = first.redirect
    return fails_by(
        refused,
        "the signed URL",
        {
            "registry": host(source.url.authority) if source else plain("The registry"),
            "storage": first.place,
            "proof": plain(proof),
        },
        *read[:1],
    )
