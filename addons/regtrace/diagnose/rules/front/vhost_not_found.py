"""RT616: what answers at the registry's address knows no registry."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import (
    is_head_of_page,
    is_registrys_own,
    is_somebody_elses,
)
from regtrace.diagnose.facts.fronts import ended_by, front, front_owner, speaks
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
from regtrace.wire.term import host


@rule(
    number="RT616",
    slug="vhost-not-found",
    title="At {server} nothing answers for /v2/: there is no registry behind this address (404)",
    cause=(
        "Every registry answers /v2/ with 200 or 401; here it is 404, in words that are not a"
        " registry's. {front} does not route this name or path to the registry, or the port is"
        " that of a product's web pages and not of its registry."
    ),
    fix=(
        (
            "In the proxy or ingress, route the host {server} with the path /v2/ (all of it) to the"
            " registry's port: a Host() rule in Traefik, server_name in nginx, the host of the"
            " Ingress."
        ),
        (
            "Nexus: push to the repository's own connector port, or set up path-based routing, and"
            " enable the realm Docker Bearer Token. Artifactory: write the repository into the"
            " name, or set up its reverse proxy. GitLab: use registry_external_url."
        ),
        "Check the name and port of the image: docker tag IMAGE HOST:PORT/NAME.",
    ),
    check=("curl -si https://{server}/v2/ | head -n 5",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support",
        "https://help.sonatype.com/en/docker-registry.html",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(Kind) - {Kind.TOKEN, Kind.STORAGE, Kind.CONNECT},
    explains=frozenset({"manifest-unknown", "v1-fallback"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 404 nginx
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 404 NAME_UNKNOWN
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 404
  < -Docker-Distribution-Api-Version
  << 404 page not found
""",
        """
client docker/20.10.24
GET /v2/                     -> 404
  < -Docker-Distribution-Api-Version
  << default backend - 404
POST uploads                 -> 404
  < -Docker-Distribution-Api-Version
  << default backend - 404
""",
        """
client containerd/1.7.2
HEAD blob L1                 -> 404
  < -Docker-Distribution-Api-Version
  <<
POST uploads                 -> 404 nginx
""",
        # containerd asks by HEAD, and gives up.
        """
client containerd/1.7.2
HEAD manifest 1              -> 404 nginx
""",
    ),
    also_silent=(
        # A registry's own: it has no such tag.
        """
client containerd/1.7.2
HEAD manifest 1              -> 404
""",
        # One that names no type and no version (go-containerregistry): Go calls its JSON plain text.
        """
client containerd/1.7.2
HEAD manifest 1              -> 404
  < Content-Type: text/plain; charset=utf-8
  < -Docker-Distribution-Api-Version
""",
        # The name is at fault.
        """
repository Team/App
client containerd/1.7.2
HEAD manifest 1              -> 404 nginx
GET manifest 1               -> 404 nginx
""",
        # A registry that does not know the repository.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 404 NAME_UNKNOWN
""",
        # There is a registry, and only this path goes elsewhere.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 404 nginx
""",
        # An old registry's first form, asked for before the second.
        """
client docker/20.10.24
GET /v1/_ping                -> 404
GET /v2/                     -> 401
""",
    ),
)
def vhost_not_found(operation: Operation, facts: Facts) -> Verdict:
    if not any(_is_nobodys(leg) for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = ended_by(facts, lambda leg: _is_nobodys(leg) and not speaks(facts, leg.url.authority))
    if not legs:
        return PASSES
    first = legs[0]
    told = [leg for leg in legs if not is_head_of_page(leg)]
    where = "response.body" if told else "response.header.Content-Type"
    return Fails(
        legs=legs,
        evidence=(
            Evidence(first, "response.status", "nothing is known by this path"),
            Evidence((told or legs)[0], where, "said by what is no registry"),
        ),
        confidence=Confidence.CERTAIN if told else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={"server": host(first.url.authority), "front": front(first)},
        count=len(legs),
        owner=front_owner(first),
    )


def _is_nobodys(leg: Leg) -> bool:
    """A 404 that no registry says: of any page; of /v2/ in whatever form but its own. Of a name that
    breaks the grammar a registry's own router says it, too."""
    if leg.status != 404 or leg.endpoint is None or not leg.endpoint.name_valid:
        return False
    if is_somebody_elses(leg) or is_head_of_page(leg):
        return True
    return leg.kind is Kind.PING and not is_registrys_own(leg)
