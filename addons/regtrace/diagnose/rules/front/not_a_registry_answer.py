"""RT617: a web page with status 200 comes where a registry answers in JSON."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.fronts import ended_by, front_owner
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
from regtrace.wire.term import host, plain


@rule(
    number="RT617",
    slug="not-a-registry-answer",
    title="What answers for {server} is a web page, not a registry",
    cause=(
        "The {leg} request got {status} and an HTML page. A registry never sends one: a firewall's"
        " block page, the login page of a network or a portal, or a web application that answers"
        " every path stands in its place. Clients say: missing or empty Content-Type header,"
        " unexpected media type text/html, or invalid character '<'."
    ),
    fix=(
        ("Open https://{server}/v2/ in a browser on the same machine: the page says whose it is."),
        (
            "If it is a filter or a network's login, log in there, or have {server} allowed; set"
            " HTTPS_PROXY where a proxy is prescribed."
        ),
        (
            "If it is your own web server, route /v2/ to the registry before the rule that answers"
            " all other paths; exempt it from single sign-on."
        ),
        "If it is a mirror, take it out of registry-mirrors in /etc/docker/daemon.json.",
    ),
    check=("curl -si https://{server}/v2/ | head -n 20",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support",
        "https://github.com/containerd/containerd/issues/7400",
    ),
    owner=Owner.NETWORK,
    needs=frozenset(Kind),
    explains=frozenset(
        {
            "manifest-content-type-wrong",
            "content-digest-header-missing",
            "head-or-blob-without-length",
        }
    ),
    fires="""
client docker/20.10.24
GET /v2/                     -> 200
  < Content-Type: text/html
  < -Docker-Distribution-Api-Version
  << <html><head><title>Access to this site is restricted</title></head></html>
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 200
  < Content-Type: text/html
  < -Docker-Distribution-Api-Version
  << true
""",
    also_fires=(
        """
client containerd/1.7.2
GET manifest 1 [cfg L1]      -> 200
  < Content-Type: text/html
  < -Docker-Distribution-Api-Version
  << <!doctype html><title>Sign in</title>
""",
        # Single sign-on before the registry.
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 302 https://sso.test/login
GET https://sso.test/login   -> 200
  < Content-Type: text/html
  << <!doctype html><html><title>Sign in</title></html>
""",
        # A web application that answers every path.
        """
client podman/5.29
GET /v2/                     -> 200
  < -Docker-Distribution-Api-Version
  << <!doctype html><html><div id="app"></div></html>
HEAD blob L1                 -> 404
  < -Docker-Distribution-Api-Version
POST uploads                 -> 202
  < -Docker-Distribution-Api-Version
  < -Location
  << <!doctype html><html><div id="app"></div></html>
""",
    ),
    also_silent=(
        # An artifact may be a web page.
        """
client oras/1.2.0
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200
  < Content-Type: text/html
  << <!doctype html><html></html>
""",
    ),
)
def not_a_registry_answer(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.is_page for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = ended_by(facts, lambda leg: leg.is_page)
    if not legs:
        return PASSES
    first = legs[0]
    asked = facts.asked_by(first)
    sent_away = Evidence(asked, "response.header.Location", "the client was sent elsewhere")
    return Fails(
        legs=legs,
        evidence=(
            *([sent_away] if asked is not first else []),
            Evidence(first, "response.status", "as if all were well"),
            Evidence(first, "response.body", "a web page"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "server": host(asked.url.authority),
            "leg": plain(asked.kind.value),
            "status": plain(first.status),
        },
        count=len(legs),
        # Who redirects /v2/ to a login has the name of the registry; a filter takes its place.
        owner=front_owner(first) if first.answerer or asked is not first else None,
    )
