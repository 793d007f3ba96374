"""RT040: the registry gives clients an address of its own that they can't use."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import is_clusters_own, tls_for_clients
from regtrace.diagnose.config.traffic import by_upload_host
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import host, plain


@check(
    number="RT040",
    slug="http-host-not-for-clients",
    title="The registry tells clients to go on at {host}, which is not where they reach it",
    cause=(
        "http.host is the address that the registry writes into every Location. {host} {fault}, so"
        " uploads do not go on."
    ),
    fix=(
        (
            "Set http.host to the whole URL that clients use, such as https://registry.example.com:5050,"
            " or remove it and set http.relativeurls: true, and restart the registry."
        ),
    ),
    references=("https://distribution.github.io/distribution/about/configuration/#http",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("location-host-or-port-wrong", "location-scheme-downgrade"),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000", host: "http://localhost:5000"}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000", host: "https://registry.example.com"}
""",
    also_fires=(
        """
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000", host: "http://registry.example.com"}
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_read_timeout 900;
    }
}
""",
    ),
    against=by_upload_host,
)
def http_host_not_for_clients(setup: SetUp) -> Verdict:
    said = [(side, each) for side in setup.registries if (each := side.settings.get("http.host"))]
    found = []
    for side, each in said:
        url = each.url
        tls = tls_for_clients(setup, side)
        if url is None:
            fault = "is no URL with a scheme"
        elif is_clusters_own(url.host):
            fault = "is known only where the registry runs"
        elif url.scheme == "http" and tls:
            fault = "begins with http://, and clients use https"
        else:
            continue
        found.append(
            Wrong(
                spots=(Spot(each, "what every Location begins with"),),
                fields={"host": host(url.authority if url else each.text), "fault": plain(fault)},
            )
        )
    return tuple(found) or (PASSES if said else DOES_NOT_APPLY)
