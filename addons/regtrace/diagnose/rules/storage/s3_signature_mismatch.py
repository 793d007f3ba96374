"""RT403: the storage computes another signature than the registry did."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import sent
from regtrace.diagnose.facts.storage_errors import Reason, StorageRefusal, fails_by, refused_by_s3
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import REGISTRY_KINDS, Kind
from regtrace.wire.term import plain


@rule(
    number="RT403",
    slug="s3-signature-mismatch",
    title="The storage does not accept the registry's signature (SignatureDoesNotMatch)",
    cause=(
        "{storage} computed the signature of this request and got another one than the registry."
        " {why}"
    ),
    fix=(
        (
            "{first} give the registry the secret that belongs to its key id (storage.s3.secretkey in"
            " config.yml, or REGISTRY_STORAGE_S3_SECRETKEY), and restart it."
        ),
        (
            "If a reverse proxy stands before {storage}, let it pass the Host header, the path and"
            " the query unchanged: nginx proxy_set_header Host $http_host; and proxy_pass without"
            " a path."
        ),
        (
            "Set storage.s3.regionendpoint (distribution 3: redirectendpoint) in the registry's"
            " config.yml to the very name and port by which clients reach the storage."
        ),
        "Until it is mended, set storage.redirect.disable: true: the registry then reads for all.",
    ),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html",
        "https://distribution.github.io/distribution/storage-drivers/s3/",
        "https://github.com/distribution/distribution/issues/3139",
    ),
    owner=Owner.STORAGE,
    needs=REGISTRY_KINDS | {Kind.STORAGE},
    explains=frozenset({"storage-403-on-head", "storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio
GET minio L1                 -> 403 SignatureDoesNotMatch
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio
GET minio L1                 -> 403 AccessDenied
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 minio
HEAD minio L1                -> 403 SignatureDoesNotMatch
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 ceph
GET ceph L1                  -> 403
  << <Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>GET
  << /registry/x
  << X-Amz-Date=y
  << host:rgw.internal:7480
  <<
  << host
  << UNSIGNED-PAYLOAD</CanonicalRequest></Error>
""",
    ),
)
def s3_signature_mismatch(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = refused_by_s3(facts, Reason.SIGNATURE, logged=True)
    if not refused:
        return PASSES
    first = refused[0]
    owner, why = _who_changed_it(first)
    return fails_by(
        refused,
        "the storage's own code",
        {
            "storage": first.place,
            "why": plain(why),
            "first": plain("First of all" if first.nested else "If every object is refused,"),
        },
        owner=owner,
    )


def _who_changed_it(refusal: StorageRefusal) -> tuple[Owner, str]:
    if refusal.nested:
        return Owner.REGISTRY, (
            "It refused the registry itself, so no client is at fault: most often the registry's"
            " secret key is wrong; or a proxy between it and the storage changes its requests."
        )
    seen = refusal.told_by.error.element("SignedHost") if refusal.told_by.error else None
    asked = sent(refusal.told_by).get("Host")
    if seen and asked and seen.lower() != asked.lower():
        return Owner.FRONT_PROXY, (
            "Its answer names another Host than the client sent: a proxy on the way to the storage"
            " rewrites that header."
        )
    announced = refusal.redirect.location if refusal.redirect else None
    if announced is not None and announced != refusal.leg.url:
        return Owner.CLIENT, (
            "The client asked for another URL than the one that the registry gave it: it, or"
            " something before this proxy, changed the signed path or query."
        )
    return Owner.STORAGE, (
        "The client asked for exactly the URL that it was given. So the Host or the path is"
        " rewritten on the way to the storage, the registry signs for another name than clients"
        " use, or its secret key is wrong."
    )
