"""RT227: GitHub does not let this account or workflow use the package."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, is_somebody_elses, said
from regtrace.diagnose.facts.tokens import somebody_logged_in
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
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.registry import Registry
from regtrace.wire.term import Term, TermKind, plain

_WORDS = ("permission_denied", "installation not allowed")


@rule(
    number="RT227",
    slug="ghcr-package-forbidden",
    title="GitHub does not let this login use the package {repository} (403)",
    cause=(
        "The login at ghcr.io is good, but it may not do this with {repository}. In GitHub Actions"
        " the job's GITHUB_TOKEN lacks packages: write, or the package was made by hand or from"
        " another repository and does not know this one."
    ),
    fix=(
        "In the workflow, give the job permissions: packages: write (and contents: read).",
        (
            "In the package's settings, under Manage Actions access, add the repository with role"
            " Write; or link the package to it by the label org.opencontainers.image.source."
        ),
        (
            "Elsewhere log in with a classic personal access token that has write:packages, allowed"
            " for the organization by single sign-on: docker login ghcr.io."
        ),
        "Check the organization's settings under Packages and Actions, Workflow permissions.",
    ),
    references=(
        "https://docs.github.com/en/packages/managing-github-packages-using-github-actions-workflows/publishing-and-installing-a-package-with-github-actions",
        "https://docs.github.com/en/packages/learn-github-packages/configuring-a-packages-access-control-and-visibility",
        "https://github.com/docker/build-push-action/issues/981",
    ),
    owner=Owner.USER,
    needs=frozenset(Kind),
    explains=frozenset({"account-not-permitted", "token-grants-less-than-asked"}),
    fires="""
client docker/24.0.7
registry https://ghcr.io
realm https://ghcr.io/token service=ghcr.io
GET /v2/                     -> 401
token push,pull team/app opaque -> 200
POST uploads                 -> 403 DENIED "permission_denied: write_package"
""",
    silent="""
client docker/24.0.7
registry https://ghcr.io
realm https://ghcr.io/token service=ghcr.io
GET /v2/                     -> 401
token push,pull team/app opaque -> 200
POST uploads                 -> 403 nginx
""",
    also_fires=(
        """
client buildkit/0.12
registry https://ghcr.io
realm https://ghcr.io/token service=ghcr.io
HEAD blob L1                 -> 401
token push,pull team/app opaque -> 200
HEAD blob L1                 -> 403
""",
    ),
    also_silent=(
        """
client docker/24.0.7
registry https://ghcr.io
realm https://ghcr.io/token service=ghcr.io
GET /v2/                     -> 401
token anonymous pull team/app opaque -> 200
GET manifest 1               -> 403 DENIED "requested access to the resource is denied"
""",
    ),
)
def ghcr_package_forbidden(operation: Operation, facts: Facts) -> Verdict:
    if facts.product is not Registry.GHCR or not somebody_logged_in(facts.legs):
        return DOES_NOT_APPLY
    forbidden = [fatal.leg for fatal in facts.fatal if _is_forbidden(fatal.leg)]
    if not forbidden:
        return PASSES
    first = forbidden[0]
    told = any(words in said(first) for words in _WORDS)
    evidence = [Evidence(first, "response.status", "forbidden, for a login that was accepted")]
    if told:
        evidence.append(Evidence(first, "response.body", "GitHub's own word for it"))
    return Fails(
        legs=tuple(forbidden),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if told else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "repository": Term(TermKind.REPOSITORY, operation.repository)
            if operation.repository
            else plain("in question")
        },
        count=len(forbidden),
    )


def _is_forbidden(leg: Leg) -> bool:
    """403 in the registry's voice, or to a HEAD, which has none."""
    if leg.endpoint is None or leg.status != 403 or is_somebody_elses(leg):
        return False
    return leg.method == "HEAD" or "DENIED" in codes(leg) or any(w in said(leg) for w in _WORDS)
