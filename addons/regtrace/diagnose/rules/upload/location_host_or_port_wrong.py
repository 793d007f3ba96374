"""RT302: the registry sends an upload to a host or port where the client finds no registry."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, is_somebody_elses
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
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain

#: What another service says to a path that it does not know.
_NOT_HERE = frozenset({400, 403, 404, 405, 501})


@rule(
    number="RT302",
    slug="location-host-or-port-wrong",
    title="The registry sends uploads to {target}, which is not where clients reach it",
    cause=(
        "The client asked {registry}, but the Location of its upload leads to {target}. {outcome}"
        " The registry builds this address from the Host header that its reverse proxy passes on;"
        " that proxy passes none, or one without the port, so the layer never arrives and docker"
        " says Retrying again and again."
    ),
    fix=(
        (
            "nginx: set proxy_set_header Host $http_host; in the location of the registry"
            " ($host would drop the port), and proxy_set_header X-Forwarded-Proto $scheme; beside"
            " it. Apache: ProxyPreserveHost On. Others: pass on X-Forwarded-Host with the port."
        ),
        "Or tell the registry its address: http.host: https://NAME:PORT in its config.yml.",
        "Or let it answer without one: http.relativeurls: true in its config.yml.",
    ),
    check=("curl -si -X POST -H 'Authorization: Bearer TOKEN' {uploads} | grep -i ^location",),
    references=(
        "https://distribution.github.io/distribution/recipes/nginx/",
        "https://distribution.github.io/distribution/about/configuration/#http",
        "https://github.com/distribution/distribution/issues/2225",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK}),
    explains=frozenset(
        {
            "redirect-changes-upload-method",
            "upload-session-unknown",
            "plain-http-to-tls-port",
            "method-blocked-by-middlebox",
            "vhost-not-found",
            "waf-block",
            "tcp-refused-or-timeout",
            "dns-failure",
            "ipv6-path-broken",
            "no-proxy-missing-for-internal-registry",
            "proxy-refuses-connect",
            "upstream-certificate-rejected-by-mitm",
            "registry-certificate-name-mismatch",
            "server-speaks-http-on-tls-port",
            "traffic-bypasses-mitm",
        }
    ),
    fires="""
client docker/20.10.24
registry https://registry.test:5050
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://registry.test/v2/team/app/blobs/uploads/u1?_state=x
PATCH u1 L1                  -> 404 nginx
""",
    silent="""
client docker/20.10.24
registry https://registry.test:5050
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://registry.test/v2/team/app/blobs/uploads/u1?_state=x
PATCH u1 L1                  -> 413 nginx    # another fault, of whoever listens there
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://registry-0.svc:5000/v2/team/app/blobs/uploads/u1?_state=x
CONNECT registry-0.svc:5000  -> ! [Errno -2] Name or service not known
+5s POST uploads             -> 202
  < Location: https://registry-0.svc:5000/v2/team/app/blobs/uploads/u2?_state=x
CONNECT registry-0.svc:5000  -> ! [Errno -2] Name or service not known
""",
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: http://192.0.2.77:5000/v2/team/app/blobs/uploads/u1?_state=x
PATCH u1 L1 sent=0B          -> ! [Errno 111] Connect call failed ('192.0.2.77', 5000)
""",
        # Clients ask no proxy for a loopback address: only the retry loop is seen.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: http://127.0.0.1:5000/v2/team/app/blobs/uploads/u1?_state=x
+5s POST uploads             -> 202
  < Location: http://127.0.0.1:5000/v2/team/app/blobs/uploads/u2?_state=x
+10s POST uploads            -> 202
  < Location: http://127.0.0.1:5000/v2/team/app/blobs/uploads/u3?_state=x
""",
    ),
    also_silent=(
        # A product that takes uploads elsewhere on purpose.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://uploads.example.com/v2/team/app/blobs/uploads/u1?_state=x
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 500
""",
        # The same, where the capture ends.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < Location: https://uploads.example.com/v2/team/app/blobs/uploads/u1?_state=x
""",
        # A reverse or transparent proxy: the client wrote another host than this proxy asked.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  > Host: hub.example.com
  < Location: https://hub.example.com/v2/team/app/blobs/uploads/u1?_state=x
PATCH u1 L1                  -> 404 nginx
""",
    ),
)
def location_host_or_port_wrong(operation: Operation, facts: Facts) -> Verdict:
    leaving = [step for step in facts.steps if _leaves(step)]
    if not leaving:
        return DOES_NOT_APPLY
    looping = any(facts.is_fatal(step.before) for step in leaving)
    astray = [step for step in leaving if _is_astray(step, facts, looping)]
    reached = {step.announced for step in leaving if step.went_well}
    if operation.ending is Ending.OK or not astray or reached:
        return PASSES
    tunnels = [leg for step in astray for leg in _tunnels(step, facts)]
    first = astray[0]
    legs = {leg.id: leg for leg in (*(step.end for step in astray), *tunnels)}
    proven = bool(tunnels) or (first.after is not None and first.end.broken)
    return Fails(
        legs=tuple(legs.values()),
        evidence=(
            Evidence(first.before, "request.url", "where the client reached the registry"),
            Evidence(first.before, "response.header.Location", "where it was told to go on"),
            *first.outcome,
            *(Evidence(leg, "error", "what became of the way there") for leg in tunnels[:1]),
        ),
        confidence=Confidence.CERTAIN if proven else Confidence.LIKELY,
        transfer=first.transfer,
        fields={
            "registry": host(first.before.url.authority),
            "target": host(first.announced.authority if first.announced else ""),
            "outcome": plain(_outcome(first, proven)),
            "uploads": Term(
                TermKind.URL, f"{first.before.url.origin}{first.before.exchange.request.target}"
            ),
        },
        count=len(legs),
    )


def _leaves(step: Step) -> bool:
    """To another host or port; a mere step down to http is told as that."""
    told, asked = step.announced, step.before.url
    if told is None or not step.leaves:
        return False
    return not (told.host == asked.host and (asked.scheme, told.scheme) == ("https", "http"))


def _is_astray(step: Step, facts: Facts, looping: bool) -> bool:
    """No registry was found there; or nobody was seen to arrive, where that is no surprise."""
    if step.after is None:
        return bool(_tunnels(step, facts)) or looping or _is_out_of_reach(step)
    end = step.end
    if end.broken:
        unreached = end.exchange.response is None and not end.exchange.request.body.size
        return unreached and not end.failed_at_proxy
    unknown = bool(codes(end) & {"BLOB_UPLOAD_UNKNOWN", "NAME_UNKNOWN"})
    return end.status in _NOT_HERE and (is_somebody_elses(end) or unknown)


def _tunnels(step: Step, facts: Facts) -> list[Leg]:
    """Tunnels to the announced host that could not be opened."""
    told = step.announced
    return [
        leg
        for leg in facts.legs
        if leg.kind is Kind.CONNECT
        and leg.refused
        and not leg.failed_at_proxy
        and leg.exchange.tunnel != "client-tls"
        and told is not None
        and leg.url.authority == told.authority
    ]


def _is_out_of_reach(step: Step) -> bool:
    """By its name alone: an inner address of a registry that has an outer one, or another port."""
    told, asked = step.announced, step.before.url
    if told is None:
        return False
    inner = reach(told.host) is Reach.LOOPBACK or (
        reach(told.host) is Reach.PRIVATE and reach(asked.host) is Reach.PUBLIC
    )
    return inner or (told.host == asked.host and told.scheme == asked.scheme)


def _outcome(step: Step, proven: bool) -> str:
    if proven:
        return "There it found nobody who answers."
    if step.after:
        return "There another service answers, which knows nothing of the upload."
    return "It was not seen to arrive there."
