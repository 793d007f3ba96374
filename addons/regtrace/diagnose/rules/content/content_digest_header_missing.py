"""RT505: Docker-Content-Digest is missing, and the client stopped there."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received
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
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import host


@rule(
    number="RT505",
    slug="content-digest-header-missing",
    title="{registry} leaves out Docker-Content-Digest, and the client stopped there",
    cause=(
        "The last thing that came was an answer about a manifest without the header"
        " Docker-Content-Digest, and the client asked for nothing more. The specification allows"
        " that, and docker, containerd and podman do without; other clients and libraries need the"
        " header to know which manifest it is."
    ),
    fix=(
        (
            "Let the proxies before the registry pass Docker-Content-Digest on (nginx does, unless"
            " proxy_hide_header or a cache drops it; CDNs and gateways need it on their list)."
        ),
        "If the registry itself does not send it, update it, or use a client that does without.",
    ),
    check=("curl -sI https://{registry}/v2/REPOSITORY/manifests/TAG | grep -i content-digest",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests",
        "https://github.com/distribution/distribution/issues/3848",
    ),
    owner=Owner.FRONT_PROXY,
    severity=Severity.WARNING,
    needs=frozenset({Kind.MANIFEST_HEAD}),
    fires="""
client "sync-tool/1.0"
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD manifest 1              -> 200
  < -Docker-Content-Digest
""",
    silent="""
client "sync-tool/1.0"
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD manifest 1              -> 200
""",
    also_fires=(
        """
client "sync-tool/1.0"
GET /v2/                     -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
  < -Docker-Content-Digest
""",
    ),
    also_silent=(
        """
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
  < -Docker-Content-Digest
GET manifest 1 [cfg L1]      -> 200    # it counts the digest of the body instead
  < -Docker-Content-Digest
GET blob L1                  -> 200
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 201    # the push is done
  < -Docker-Content-Digest
""",
    ),
)
def content_digest_header_missing(operation: Operation, facts: Facts) -> Verdict:
    heads = operation.legs_of_kind(Kind.MANIFEST_HEAD)
    if not heads or facts.failed:
        return DOES_NOT_APPLY
    last = heads[-1]
    went_on = any(leg.started > last.started for t in operation.transfers for leg in t.legs)
    if went_on or last.status != 200 or "Docker-Content-Digest" in received(last):
        return PASSES
    # A push had more to do; a pull may have wanted to know no more than that it is there.
    unfinished = operation.ending is Ending.INCOMPLETE
    return Fails(
        legs=(last,),
        evidence=(
            Evidence(last, "response.status", "the manifest is there, and nothing came after"),
            Evidence(last, "response.header.Docker-Content-Digest", "it is not among the headers"),
        ),
        confidence=Confidence.POSSIBLE,
        transfer=facts.transfer_of(last),
        fields={"registry": host(last.url.authority)},
        severity=None if unfinished else Severity.NOTE,
    )
