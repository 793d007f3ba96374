"""RT117: the upstream proxy, through which this one goes out, can't be used at all."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.transport import Failure, in_words, read_failure
from regtrace.wire.url import authority_of

#: What the network makes of a proxy whose address may be right. The rest comes of a wrong setting.
_ON_THE_NETWORK = frozenset(
    {Failure.REFUSED, Failure.UNREACHABLE, Failure.TIMEOUT, Failure.CUT, Failure.TLS_ALERT}
)
_WORDS = {
    Failure.CUT: "it hung up before it answered",
    Failure.OTHER: "what it answered is not HTTP",
}


@rule(
    number="RT117",
    slug="upstream-proxy-unreachable",
    title="The upstream proxy {proxy} can't be used: {reason}",
    cause=(
        "Traffic to {server} leaves through another proxy, {proxy}, and failed before that one"
        " passed anything on: {reason}. {server} itself was not asked, so nothing is known of it."
        " The client sees only a gateway error."
    ),
    fix=(
        (
            "Check the proxy's address where it is set: --mode upstream: of mitmdump,"
            " --upstream-proxy of regtrace run and regtrace gateway, or HTTPS_PROXY, which these"
            " read."
        ),
        (
            "Write http:// before the address unless the proxy itself speaks TLS. If it does, and"
            " its certificate is not accepted, trust its authority: mitmdump --set"
            " ssl_verify_upstream_trusted_ca=FILE, or --upstream-ca FILE."
        ),
        "If the address is right, ask who runs the proxy whether it is up and lets you in.",
        (
            "If {server} can be reached without it, go there directly: mitmdump --mode regular, or"
            " NO_PROXY with this host for regtrace run and regtrace gateway."
        ),
    ),
    check=("curl -v -x {proxy} {url}",),
    references=(
        "https://docs.mitmproxy.org/stable/concepts/modes/#upstream-proxy",
        "https://docs.docker.com/engine/daemon/proxy/",
    ),
    owner=Owner.NETWORK,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
GET /v2/ through=proxy.corp:3128 unanswered -> ! [Errno 111] Connect call failed ('192.0.2.30', 3128)
""",
    silent="""
client docker/20.10.24
GET /v2/ through=proxy.corp:3128 -> ! server closed connection
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/ through=proxy.corp:3128 unanswered -> ! [Errno -2] Name or service not known
""",
        """
client docker/20.10.24
GET /v2/ through=proxy.corp:3128 unanswered -> ! Certificate verify failed: self-signed certificate
""",
        """
client docker/20.10.24
GET /v2/ through=proxy.corp:3128 unanswered -> ! connection closed
""",
        """
client docker/20.10.24
GET /v2/ through=proxy.corp:22 unanswered -> ! Error connecting to proxy.corp:22: Bad HTTP response line: b'SSH-2.0-x'
""",
        # It went down while the push was at work; the realm is not to blame.
        """
client docker/20.10.24
registry https://registry.example.com
realm https://auth.internal/token
GET /v2/ through=proxy.corp:3128 -> 401
token push,pull team/app through=proxy.corp:3128 unanswered -> ! [Errno 111] Connect call failed ('192.0.2.30', 3128)
""",
    ),
    also_silent=(
        # Behind the proxy, the server's own faults are its own.
        """
client docker/20.10.24
GET /v2/ through=proxy.corp:3128 -> ! Certificate verify failed: self-signed certificate
""",
        """
client docker/20.10.24
GET /v2/ through=proxy.corp:3128 unanswered -> ! Client disconnected.
""",
        """
client docker/20.10.24
GET /v2/ through=proxy.corp:3128 unanswered -> ! [Errno 111] Connect call failed ('192.0.2.30', 3128)
+5s GET /v2/ through=proxy.corp:3128 -> 401    # it was only starting
""",
    ),
)
def upstream_proxy_unreachable(operation: Operation, facts: Facts) -> Verdict:
    legs = [
        fatal.leg for fatal in facts.fatal if fatal.leg.failure is Failure.UPSTREAM_PROXY_UNREACHED
    ]
    if not legs:
        return DOES_NOT_APPLY
    first = legs[0]
    failure = read_failure(first.exchange.error or "")
    return Fails(
        legs=tuple(legs),
        evidence=(Evidence(first, "error", "what became of the way to the proxy"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "server": host(first.url.authority),
            "proxy": host(authority_of(*(first.exchange.connection.through or ("", 0)))),
            "url": Term(TermKind.URL, f"{first.url.origin}/v2/"),
            "reason": plain(_WORDS.get(failure) or in_words(failure)),
        },
        count=len(legs),
        owner=Owner.NETWORK if failure in _ON_THE_NETWORK else Owner.INTERCEPTION,
    )
