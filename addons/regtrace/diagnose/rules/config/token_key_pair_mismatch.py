"""RT010: the registry trusts another key than the one that signs the tokens."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import lacks_token_side, not_read
from regtrace.diagnose.config.traffic import unless_trusted
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT010",
    slug="token-key-pair-mismatch",
    title="{certificate} is not the certificate of the key that signs the tokens",
    cause=(
        "The registry accepts tokens that a key in {certificate} (auth.token.rootcertbundle) signed."
        " The token server signs with {key}, whose public key is not among them. Every token is"
        " refused, whoever logs in."
    ),
    fix=(
        (
            "Make {certificate} of the token server's key: openssl req -x509 -new -key KEY -days 3650"
            " -subj /CN=ISSUER -out CERTIFICATE, where KEY is {key}, and restart the registry."
        ),
        "If a key was replaced on purpose, give both sides the new pair at the same time.",
    ),
    check=(
        "openssl x509 -in {certificate} -noout -pubkey | sha256sum",
        "openssl pkey -in {key} -pubout | sha256sum",
    ),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#token",
        "https://docs.gitlab.com/administration/packages/container_registry_troubleshooting/",
    ),
    owner=Owner.TOKEN_SERVER,
    severity=Severity.ERROR,
    leads_to=("token-signed-by-untrusted-key",),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth:
  token:
    realm: https://gitlab.example.com/jwt/auth
    service: container_registry
    issuer: gitlab-issuer
    rootcertbundle: /certs/registry.crt
==> gitlab.yml <==
production:
  registry: {issuer: gitlab-issuer, key: /certs/registry.key}
==> /certs/registry.crt <==
certificate of key A
==> /certs/registry.key <==
private key B
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth:
  token:
    realm: https://gitlab.example.com/jwt/auth
    service: container_registry
    issuer: gitlab-issuer
    rootcertbundle: /certs/registry.crt
==> gitlab.yml <==
production:
  registry: {issuer: gitlab-issuer, key: /certs/registry.key}
==> /certs/registry.crt <==
certificate of key A
==> /certs/registry.key <==
private key A
""",
    against=unless_trusted,
)
def token_key_pair_mismatch(setup: SetUp) -> Verdict:
    bundles = [each.settings.get("auth.token.rootcertbundle") for each in setup.registries]
    keys = [side.settings.get("key") for side in setup.token_sides]
    named = [each for each in bundles if each]
    signing = next((each for each in keys if each), None)
    if not named:
        return DOES_NOT_APPLY
    if signing is None:
        return lacks_token_side("whether the token's key and certificate are a pair is not known")
    key = setup.key_file(signing)
    found = []
    for setting in named:
        bundle = setup.key_file(setting)
        for file in (bundle, key):
            if file is None or not file.keys:
                return not_read(
                    file, "whether the token's key and certificate are a pair is not known"
                )
        if bundle and key and not bundle.keys & key.keys:
            found.append(
                Wrong(
                    spots=(
                        Spot(setting, "the certificate that the registry trusts"),
                        Spot(signing, "the key that signs"),
                    ),
                    fields={"certificate": plain(bundle.shown), "key": plain(key.shown)},
                )
            )
    return tuple(found) or PASSES
