"""RT303: the registry sends an upload to a path that its proxy does not know."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.uploads import Step
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
from regtrace.wire.endpoint import Endpoint, Route, parse_endpoint
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host, plain

_NOT_HERE = frozenset({400, 401, 403, 404, 405})


@rule(
    number="RT303",
    slug="location-path-prefix-lost",
    title="The registry sends uploads to a path that leads nowhere at {registry}",
    cause=(
        "The client asked for {uploads}, but the Location of its upload has another path before"
        " the upload's id: a proxy in front of the registry adds or removes a part of the path on"
        " the way in, and does not undo it in the Location on the way out. The next request of the"
        " upload gets {status}."
    ),
    fix=(
        (
            "Let the proxy pass the path on as it comes: in nginx proxy_pass without a path behind"
            " the address, and no rewrite. Give the registry a host name or a port of its own."
        ),
        (
            "If the prefix must stay, tell the registry of it: http.prefix in distribution's"
            " config.yml, X-JFrog-Override-Base-Url for Artifactory, ext_endpoint or external_url"
            " for others."
        ),
    ),
    check=("curl -si -X POST -H 'Authorization: Bearer TOKEN' {uploads} | grep -i ^location",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#http",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK}),
    explains=frozenset(
        {
            "upload-session-unknown",
            "method-blocked-by-middlebox",
            "waf-block",
            "vhost-not-found",
            "repository-unknown",
            "name-invalid",
        }
    ),
    fires="""
client docker/20.10.24
registry https://registry.test/artifactory/api/docker/hub
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://registry.test/v2/team/app/blobs/uploads/u1
PATCH u1 L1                  -> 404 nginx
""",
    silent="""
client docker/20.10.24
registry https://registry.test/artifactory/api/docker/hub
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://registry.test/artifactory/api/docker/hub/v2/team/app/blobs/uploads/u1
PATCH u1 L1                  -> 404 nginx
""",
    also_fires=(
        # Doubled: the proxy puts the prefix before what has it already.
        """
client skopeo/1.14
registry https://registry.test/hub
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://registry.test/hub/hub/v2/team/app/blobs/uploads/u1
PATCH u1 L1                  -> 404 nginx
""",
        # A part of the name that only the proxy knows.
        """
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
  < Location: /v2/app/blobs/uploads/u1
PUT u1 L1 body=L1            -> 404 NAME_UNKNOWN
""",
    ),
    also_silent=(
        # Artifact Registry has paths of its own for uploads.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: /artifacts-uploads/namespaces/team/repositories/app/uploads/u1
PATCH u1 L1                  -> 404 nginx
""",
    ),
)
def location_path_prefix_lost(operation: Operation, facts: Facts) -> Verdict:
    other = [step for step in facts.steps if _has_another_path(step)]
    if not other:
        return DOES_NOT_APPLY
    lost = [step for step in other if step.after and step.end.status in _NOT_HERE]
    if not facts.failed or not lost or any(step.went_well for step in other):
        return PASSES
    first = lost[0]
    return Fails(
        legs=tuple(step.end for step in lost),
        evidence=(
            Evidence(first.before, "request.url", "the path that the client came by"),
            Evidence(first.before, "response.header.Location", "the path that it was sent to"),
            *first.outcome,
        ),
        confidence=Confidence.CERTAIN,
        transfer=first.transfer,
        fields={
            "registry": host(first.before.url.authority),
            "uploads": Term(
                TermKind.URL, f"{first.before.url.origin}{first.before.exchange.request.target}"
            ),
            "status": plain(first.end.status),
        },
        count=len(lost),
    )


def _has_another_path(step: Step) -> bool:
    """At the same host, under another prefix or another name."""
    asked, told = step.before.endpoint, step.announced
    if asked is None or told is None or step.leaves:
        return False
    leads_to: Endpoint | None = parse_endpoint(told.path)
    return (
        leads_to is not None
        and leads_to.route is Route.UPLOAD
        and (leads_to.prefix, leads_to.repository) != (asked.prefix, asked.repository)
    )
