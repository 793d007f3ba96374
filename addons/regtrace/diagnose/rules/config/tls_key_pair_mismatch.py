"""RT021: TLS certificate and key are no pair, so the server does not start."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import not_read, wrongs
from regtrace.diagnose.config.traffic import unless_good
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, NotSeen, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT021",
    slug="tls-key-pair-mismatch",
    title="{key} is not the key of the certificate in {certificate}",
    cause=(
        "The public key in {certificate} is another than that of {key}. The registry or nginx does"
        " not start with them: private key does not match public key, key values mismatch."
    ),
    fix=(
        (
            "Put the certificate beside the key that it was made for. In a chain the server's own"
            " certificate must come first."
        ),
    ),
    check=(
        "openssl x509 -in {certificate} -noout -pubkey | sha256sum",
        "openssl pkey -in {key} -pubout | sha256sum",
    ),
    references=("https://nginx.org/en/docs/http/configuring_https_servers.html#chains",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("tcp-refused-or-timeout",),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":443", tls: {certificate: tls.crt, key: tls.key}}
==> tls.crt <==
certificate of key A
==> tls.key <==
private key B
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":443", tls: {certificate: tls.crt, key: tls.key}}
==> tls.crt <==
certificate of key A
==> tls.key <==
private key A
""",
    against=unless_good("the registry answered in this capture, so it runs with other files"),
)
def tls_key_pair_mismatch(setup: SetUp) -> Verdict:
    pairs = [
        (each.settings.get("http.tls.certificate"), each.settings.get("http.tls.key"))
        for each in setup.registries
    ]
    pairs += [
        (front.settings.get("ssl_certificate"), front.settings.get("ssl_certificate_key"))
        for front in setup.fronts
    ]
    found = []
    unread: NotSeen | None = None
    for certificate, key in pairs:
        if certificate is None or key is None:
            continue
        shown, private = setup.key_file(certificate), setup.key_file(key)
        for file in (shown, private):
            if file is None or not file.keys:
                unread = unread or not_read(file, "whether they are a pair is not known")
        if shown and private and shown.keys and private.keys and not shown.keys & private.keys:
            found.append(
                Wrong(
                    spots=(Spot(certificate, "the certificate"), Spot(key, "its key, it says")),
                    fields={"certificate": plain(shown.shown), "key": plain(private.shown)},
                )
            )
    if found:
        return wrongs(found)
    return unread or (PASSES if any(all(pair) for pair in pairs) else DOES_NOT_APPLY)
