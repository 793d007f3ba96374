"""RT425: the client can't reach the storage that the registry sends it to."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.hops import sent_to
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
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.transport import Failure

_UNREACHED = {
    Failure.DNS: "its name can't be resolved",
    Failure.REFUSED: "the connection is refused",
    Failure.UNREACHABLE: "there is no network route to it",
    Failure.TIMEOUT: "it does not answer",
}


@rule(
    number="RT425",
    slug="storage-endpoint-unreachable",
    title="The registry sends clients to a storage that they can't reach: {storage}",
    cause=(
        "The registry {registry} answered with a redirect to {storage}, and {reason}. {why} docker"
        " shows an error of the storage's host, although it only talked to the registry."
    ),
    fix=(
        (
            "Set storage.redirect.disable: true in the registry's config.yml (Harbor:"
            " storage_service.redirect.disable): the registry then reads for its clients."
        ),
        (
            "Or let it sign for a name that clients reach: storage.s3.regionendpoint, or in"
            " distribution 3 redirectendpoint."
        ),
        (
            "If the address is right, open the way to it: a firewall rule for {storage}, an S3"
            " gateway endpoint in the client's private network."
        ),
    ),
    check=("curl -v {origin}",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#redirect",
        "https://github.com/distribution/distribution/issues/2313",
        "https://github.com/goharbor/harbor/issues/20588",
    ),
    owner=Owner.NETWORK,
    needs=frozenset({Kind.STORAGE, Kind.CONNECT}),
    explains=frozenset(
        {
            "dns-failure",
            "tcp-refused-or-timeout",
            "no-proxy-missing-for-internal-registry",
        }
    ),
    fires="""
storage minio http://minio:9000/registry
client docker/20.10.24
registry https://registry.example.com
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio
GET minio L1                 -> ! [Errno -2] Name or service not known
""",
    silent="""
storage minio http://minio:9000/registry
client docker/20.10.24
registry https://registry.example.com
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio
GET minio L1                 -> 200
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
CONNECT registry-bucket.s3.eu-central-1.amazonaws.com:443 -> ! [Errno 110] Connection timed out
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 minio
HEAD minio L1                -> ! [Errno 111] Connect call failed ('192.0.2.9', 9000)
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> ! [Errno 110] Connection timed out
+5s GET blob L1              -> 307 s3
GET s3 L1                    -> 200
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 200 ! server closed connection
""",
    ),
)
def storage_endpoint_unreachable(operation: Operation, facts: Facts) -> Verdict:
    redirects = sent_to(facts.legs)
    if not redirects:
        return DOES_NOT_APPLY
    answered = {leg.url.authority for leg in facts.legs if leg.status is not None}
    failed = [
        leg
        for leg in facts.legs
        if leg.url.authority in redirects
        and leg.url.authority not in answered
        and leg.kind in {Kind.STORAGE, Kind.CONNECT}
        and leg.failure in _UNREACHED
    ]
    if not failed or operation.ending is Ending.OK:
        return PASSES
    failed.sort(key=lambda leg: not facts.is_fatal(leg))
    first = failed[0]
    redirect = redirects[first.url.authority]
    failure = first.failure or Failure.OTHER
    leaked = reach(first.url.host) is not Reach.PUBLIC and reach(redirect.url.host) is Reach.PUBLIC
    why = "Storage and registry are two hosts, and the client must reach both."
    if leaked:
        why = "That is an internal name or address, which only the registry's own network knows."
    owner = Owner.STORAGE if failure is Failure.REFUSED else Owner.NETWORK
    return Fails(
        legs=tuple(failed),
        evidence=(
            Evidence(redirect, "response.header.Location", "the registry sent the client here"),
            Evidence(first, "error", "what happened there"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(redirect),
        fields={
            "registry": host(redirect.url.authority),
            "storage": host(first.url.authority),
            "origin": Term(TermKind.URL, first.url.origin),
            "reason": plain(_UNREACHED[failure]),
            "why": plain(why),
        },
        count=len(failed),
        owner=Owner.REGISTRY if leaked else owner,
    )
