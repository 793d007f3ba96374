"""RT061: the engine asks an internal registry through the proxy."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import at, clients_urls, host_and_port, lacks_registry
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.settings import Setting, SetUp
from regtrace.wire.term import host


@check(
    number="RT061",
    slug="daemon-no-proxy-lacks-registry",
    title="The container engine asks {registry} through its proxy",
    cause=(
        "{registry} is a private name or address, and it is not in no-proxy. The engine asks the"
        " proxy for it, which most often can't reach it, or refuses to."
    ),
    fix=(
        (
            "Add {registry} to no-proxy (drop-in: Environment=NO_PROXY=...), without a scheme, and restart"
            " Docker: systemctl daemon-reload && systemctl restart docker."
        ),
    ),
    check=("docker info | grep -i proxy",),
    references=("https://docs.docker.com/engine/daemon/proxy/",),
    owner=Owner.CLIENT,
    severity=Severity.WARNING,
    leads_to=("no-proxy-missing-for-internal-registry", "proxy-refuses-connect"),
    fires="""
==> http-proxy.conf <==
[Service]
Environment="HTTPS_PROXY=http://proxy.example.com:3128" "NO_PROXY=localhost,127.0.0.1"
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {host: "https://registry.corp"}
""",
    silent="""
==> http-proxy.conf <==
[Service]
Environment="HTTPS_PROXY=http://proxy.example.com:3128" "NO_PROXY=localhost,127.0.0.1,.corp"
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {host: "https://registry.corp"}
""",
)
def daemon_no_proxy_lacks_registry(setup: SetUp) -> Verdict:
    proxies = [each for daemon in setup.daemons if (each := daemon.settings.get("https-proxy"))]
    if not proxies:
        return DOES_NOT_APPLY
    said = [each for daemon in setup.daemons if (each := daemon.settings.get("no-proxy"))]
    exempt = [word.strip() for each in said for word in each.text.split(",") if word.strip()]
    hosts = dict.fromkeys(clients_urls(setup))
    if not hosts:
        return lacks_registry("whether its registries are asked through the proxy is not known")
    # Where the proxy itself is private, it may well reach what is.
    proxy_is_near = proxies[0].url is not None and reach(proxies[0].url.host) is not Reach.PUBLIC
    return (
        tuple(
            Wrong(
                spots=(
                    Spot(proxies[0], "what it is asked through"),
                    *at(_first(said), "exceptions"),
                ),
                fields={"registry": host(name)},
                confidence=Confidence.POSSIBLE if proxy_is_near else Confidence.LIKELY,
                severity=Severity.NOTE if proxy_is_near else None,
            )
            for name in hosts
            if reach(name) is Reach.PRIVATE and not any(covers(word, name) for word in exempt)
        )
        or PASSES
    )


def covers(word: str, name: str) -> bool:
    """Whether an entry of NO_PROXY is for this host, as Go reads it (x/net/http/httpproxy)."""
    word = word.lower()
    if word == "*":
        return True
    if "/" in word:
        try:
            return ip_address(name) in ip_network(word, strict=False)
        except ValueError:
            return False
    entry = host_and_port(word)[0].removeprefix("*")
    if entry.startswith("."):
        return name.endswith(entry)
    return name == entry or name.endswith(f".{entry}")


def _first(said: list[Setting]) -> Setting | None:
    return said[0] if said else None
