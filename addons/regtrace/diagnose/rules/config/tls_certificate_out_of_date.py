"""RT020: the certificate that clients are shown is over, or not valid yet."""

from __future__ import annotations

from regtrace.diagnose.config.check import Verdict, Wrong, check
from regtrace.diagnose.config.lookups import day, out_of_date
from regtrace.diagnose.config.traffic import Ruling, Traffic, refuted
from regtrace.diagnose.rule import Owner, Severity
from regtrace.wire.settings import SetUp


def _against(wrong: Wrong, traffic: Traffic) -> Ruling | None:
    """Only another certificate refutes it: this one may have been valid when the capture was made."""
    for leg in traffic.to_registry():
        shown = leg.exchange.connection.certificate
        if shown and day(shown.not_after) != wrong.fields["ends"].text:
            return refuted("the server showed another certificate", leg)
    return None


@check(
    number="RT020",
    slug="tls-certificate-out-of-date",
    title="The TLS certificate in {certificate} is out of date",
    cause=(
        "{certificate} is valid from {begins} to {ends}. Clients break the connection off before"
        " they ask anything; docker says x509: certificate has expired or is not yet valid."
    ),
    fix=("Renew {certificate}, and reload the server that uses it.",),
    check=("openssl x509 -in {certificate} -noout -dates",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#tls",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate",
    ),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("registry-certificate-expired",),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":443", tls: {certificate: tls.crt, key: tls.key}}
==> tls.crt <==
certificate of key A, from 2015-01-01 to 2018-01-01
==> tls.key <==
private key A
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":443", tls: {certificate: tls.crt, key: tls.key}}
==> tls.crt <==
certificate of key A, from 2015-01-01 to 2099-01-01
==> tls.key <==
private key A
""",
    against=_against,
)
def tls_certificate_out_of_date(setup: SetUp) -> Verdict:
    named = [each.settings.get("http.tls.certificate") for each in setup.registries]
    named += [front.settings.get("ssl_certificate") for front in setup.fronts]
    return out_of_date(setup, [each for each in named if each], "whether it is valid is not known")
