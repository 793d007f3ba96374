"""RT714: the registry has the image, and its policy does not let it be pulled."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, said
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation, OperationKind
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.registry import Registry
from regtrace.wire.term import Term, TermKind, host, plain

_READS = (Kind.MANIFEST_GET, Kind.MANIFEST_HEAD, Kind.BLOB_GET, Kind.BLOB_HEAD)

#: Harbor's scanning and signing; JFrog Xray; Sonatype's firewall.
_WORDS = (
    "cannot be pulled due to configured policy",
    "is not signed",
    "download blocking policy",
    "blocked by xray",
    "quarantined",
)


@rule(
    number="RT714",
    slug="policy-violation",
    title="The policy of {registry} blocks {repository}",
    cause=(
        "{registry} has the image and refuses to hand it out: its project's policy asks for a scan"
        " without grave findings, or for a signature. {effect}"
    ),
    fix=(
        (
            "See why: in Harbor the artifact's page (Vulnerabilities, and Signed by), in Artifactory"
            " the Xray violations of the image."
        ),
        "Scan the image, rebuild it on a patched base, or sign it (cosign sign, notation sign).",
        (
            "If the finding is accepted, put the CVE on the project's allowlist, or lift the policy:"
            " Harbor project, Configuration, Deployment security."
        ),
    ),
    references=(
        "https://goharbor.io/docs/main/working-with-projects/project-configuration/",
        "https://github.com/goharbor/harbor/issues/19408",
    ),
    owner=Owner.USER,
    needs=frozenset(_READS),
    fires="""
client docker/20.10.24
registry https://harbor.test
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 412 PROJECTPOLICYVIOLATION "current image with 3 vulnerabilities cannot be pulled due to configured policy"
""",
    silent="""
client docker/20.10.24
registry https://harbor.test
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 412 PRECONDITION "the registry is being upgraded"
""",
    also_fires=(
        """
client containerd/2.1.0
realm https://harbor.test/service/token service=harbor-registry
registry https://harbor.test
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 412    # a HEAD has no text
""",
    ),
)
def policy_violation(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_READS)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _says_so(leg) or _may_be(leg, facts)]
    if not legs:
        return PASSES
    first = legs[0]
    certain = any(map(_says_so, legs))
    pushes = operation.kind is OperationKind.PUSH
    return Fails(
        legs=tuple(legs),
        evidence=shown_by(first, "the registry refused to hand it out"),
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "repository": Term(TermKind.REPOSITORY, first.repository or ""),
            "effect": plain(_ON_PUSH if pushes else _ON_PULL),
        },
        count=tries(facts, legs),
    )


_ON_PULL = "The client is not at fault, and other clients are refused too."
_ON_PUSH = (
    "The push fails because its client looks at the old image under this tag first, and may not."
)


def _says_so(leg: Leg) -> bool:
    named = "PROJECTPOLICYVIOLATION" in codes(leg)
    return named or (leg.status in {403, 412} and any(words in said(leg) for words in _WORDS))


def _may_be(leg: Leg, facts: Facts) -> bool:
    """Harbor's 412 to a HEAD, which nothing else there answers to a read."""
    return leg.status == 412 and leg.method == "HEAD" and facts.product is Registry.HARBOR
