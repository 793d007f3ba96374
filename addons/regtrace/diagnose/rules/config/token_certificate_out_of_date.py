"""RT011: the certificate that tokens are checked with is over, or not valid yet."""

from __future__ import annotations

from regtrace.diagnose.config.check import Verdict, check
from regtrace.diagnose.config.lookups import out_of_date
from regtrace.diagnose.rule import Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT011",
    slug="token-certificate-out-of-date",
    title="The certificate for tokens in {certificate} is out of date",
    cause=(
        "{certificate} is valid from {begins} to {ends}. A token that brings its certificate along"
        " (x5c) is refused outside of these days. One that only names its key (kid), as GitLab's"
        " do, is still accepted."
    ),
    fix=("Renew {certificate} from the same key, on both sides, and restart the registry.",),
    check=("openssl x509 -in {certificate} -noout -dates",),
    references=("https://distribution.github.io/distribution/spec/auth/jwt/",),
    owner=Owner.REGISTRY,
    severity=Severity.WARNING,
    leads_to=("token-signed-by-untrusted-key",),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://auth.example.com/token", rootcertbundle: token.crt}}
==> token.crt <==
certificate of key A, from 2015-01-01 to 2018-01-01
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://auth.example.com/token", rootcertbundle: token.crt}}
==> token.crt <==
certificate of key A, from 2015-01-01 to 2099-01-01
""",
)
def token_certificate_out_of_date(setup: SetUp) -> Verdict:
    named = [each.settings.get("auth.token.rootcertbundle") for each in setup.registries]
    return out_of_date(setup, [each for each in named if each], "whether it is valid is not known")
