"""RT057: the key of the service account at Google can't be used."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import not_read
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT057",
    slug="gcs-key-file-unusable",
    title="The key file of the service account, {keyfile}, can't be used",
    cause=(
        "storage.gcs.keyfile names {keyfile}, which {problem}. The registry does not start with it,"
        " or can't sign the URLs that it redirects clients to."
    ),
    fix=(
        (
            "Make a new JSON key of the service account (gcloud iam service-accounts keys create) and put"
            " it at {keyfile}, readable by the registry's user; restart the registry."
        ),
    ),
    references=("https://distribution.github.io/distribution/storage-drivers/gcs/",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("gcs-signed-url-refused", "storage-backend-error"),
    fires="""
==> config.yml <==
version: 0.1
storage: {gcs: {bucket: registry, keyfile: /etc/registry/gcs.json}}
==> /etc/registry/gcs.json <==
{"type": "authorized_user", "client_id": "made-up"}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {gcs: {bucket: registry, keyfile: /etc/registry/gcs.json}}
==> /etc/registry/gcs.json <==
service account with key A
""",
    also_silent=(
        # The machine's own service account is used.
        """
==> config.yml <==
version: 0.1
storage: {gcs: {bucket: registry}}
""",
    ),
)
def gcs_key_file_unusable(setup: SetUp) -> Verdict:
    named = [
        each
        for side in setup.registries
        if side.driver == "gcs" and (each := side.storage("keyfile"))
    ]
    found = []
    for setting in named:
        file = setup.key_file(setting)
        if file is None or file.missing:
            return not_read(file, "whether the registry can sign URLs is not known")
        if file.problem:
            fields = {"keyfile": plain(file.shown), "problem": plain(file.problem)}
            found.append(Wrong(spots=(Spot(setting, "the key of the account"),), fields=fields))
    return tuple(found) or (PASSES if named else DOES_NOT_APPLY)
