"""Certificates and keys that settings name: whose pair they are, until when; never their bytes."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from regtrace.evidence.config.text import Unreadable, read_text
from regtrace.wire.jsontext import parse_json
from regtrace.wire.settings import KeyFile, Setting
from regtrace.wire.trusted_keys import REFUSALS, window

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END \1-----")
_MOST_BLOCKS = 400


def find(setting: Setting, folder: Path, root: Path | None) -> Path | None:
    """Where the file that this setting names is: below ``root`` in a copied tree, else beside the
    file that names it. None when it isn't there."""
    written = Path(setting.text)
    places = [root / str(written).lstrip("/")] if root else [folder / written]
    if root and not written.is_absolute():
        places.append(folder / written)
    try:
        found = next((place for place in places if place.is_file()), None)
        # A copied tree may be a stranger's: nothing outside of it is read for it.
        outside = found and root and not found.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):
        return None
    return None if outside else found


def read_key_file(setting: Setting, folder: Path, root: Path | None) -> KeyFile:
    """What the named file holds."""
    path = find(setting, folder, root)
    if path is None:
        return KeyFile(setting=setting, shown=setting.text, missing=True)
    try:
        text = read_text(path, "the file")
    except Unreadable as fault:
        return KeyFile(setting=setting, shown=setting.text, problem=str(fault))
    return parse_key_file(setting, text)


def parse_key_file(setting: Setting, text: str) -> KeyFile:
    try:
        if text.lstrip()[:1] == "{":
            return _service_account(setting, text)
        return _pem(setting, text)
    except REFUSALS as fault:
        words = " ".join(str(fault).partition(". ")[0].split())[:100]
        return KeyFile(setting=setting, shown=setting.text, problem=f"can't be decoded: {words}")


def _pem(setting: Setting, text: str) -> KeyFile:
    keys: set[str] = set()
    private = False
    validity: tuple[float, float] | None = None
    for block in list(_PEM.finditer(text))[:_MOST_BLOCKS]:
        pem = block[0].encode()
        if block[1] == "CERTIFICATE":
            certificate = x509.load_pem_x509_certificate(pem)
            validity = validity or window(certificate)
            keys.add(_fingerprint(certificate.public_key()))
        elif block[1].endswith("PRIVATE KEY"):
            keys.add(_fingerprint(load_pem_private_key(pem, password=None).public_key()))
            private = True
        elif block[1].endswith("PUBLIC KEY"):
            keys.add(_fingerprint(load_pem_public_key(pem)))
    if not keys:
        return KeyFile(
            setting=setting, shown=setting.text, problem="holds no certificate and no key in PEM"
        )
    return KeyFile(
        setting=setting,
        shown=setting.text,
        keys=frozenset(keys),
        private=private,
        not_before=validity[0] if validity else None,
        not_after=validity[1] if validity else None,
    )


def _service_account(setting: Setting, text: str) -> KeyFile:
    """Google's JSON key of a service account."""
    content = parse_json(text.encode(), len(text.encode()))
    key = content.get("private_key") if isinstance(content, dict) else None
    if not isinstance(key, str):
        return KeyFile(setting=setting, shown=setting.text, problem="is JSON without a private_key")
    public = load_pem_private_key(key.encode(), password=None).public_key()
    return KeyFile(
        setting=setting,
        shown=setting.text,
        keys=frozenset({_fingerprint(public)}),
        private=True,
    )


def _fingerprint(key: object) -> str:
    public_bytes = getattr(key, "public_bytes", None)
    if public_bytes is None:
        raise ValueError("a key of an unknown kind")
    return sha256(public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
