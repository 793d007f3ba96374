"""RT015: clients come over https and are sent for tokens over http."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import lacks_front, realms, tls_for_clients
from regtrace.diagnose.config.traffic import Ruling, Traffic, by_realm
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import host


def _against(wrong: Wrong, traffic: Traffic) -> Ruling | None:
    return by_realm(wrong.spots[0].setting.text, traffic)


@check(
    number="RT015",
    slug="realm-without-tls",
    title="Clients are sent to {realm} for tokens over plain http",
    cause=(
        "Clients reach the registry over https, but auth.token.realm begins with http://. They would"
        " send user and password in the clear; most often the token server does not answer there at"
        " all, or answers with a redirect that loses the credentials."
    ),
    fix=("Let auth.token.realm begin with https://, and restart the registry.",),
    references=("https://distribution.github.io/distribution/about/configuration/#token",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("realm-scheme-downgrade", "realm-unreachable"),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":443", tls: {certificate: tls.crt, key: tls.key}}
auth: {token: {realm: "http://auth.example.com/token"}}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":443", tls: {certificate: tls.crt, key: tls.key}}
auth: {token: {realm: "https://auth.example.com/token"}}
""",
    against=_against,
)
def realm_without_tls(setup: SetUp) -> Verdict:
    said = realms(setup)
    plain_ones = [(side, realm) for side, realm in said if realm.url and realm.url.scheme == "http"]
    if not plain_ones:
        return PASSES if said else DOES_NOT_APPLY
    found = tuple(
        Wrong(
            spots=(Spot(realm, "where clients get their tokens"), Spot(tls, "clients use https")),
            fields={"realm": host(realm.url.authority)},
        )
        for side, realm in plain_ones
        if realm.url and (tls := tls_for_clients(setup, side))
    )
    return found or lacks_front("whether clients come over https is not known")
