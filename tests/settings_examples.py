"""Files in one text: each begins after ``==> NAME <==``. Keys and certificates are words.

``certificate of key A``, ``certificate of key A, from 2015-01-01 to 2018-01-01``, ``private key A``
and ``service account with key A`` stand for real ones, made here; a letter is always the same key.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from regtrace.evidence.config.keyfiles import parse_key_file
from regtrace.evidence.config.setup import Read, read_texts
from regtrace.wire.settings import KeyFile, Setting

#: When the files are read: 2026-11-26.
NOW = datetime(2026, 11, 26, tzinfo=timezone.utc).timestamp()

_HEAD = re.compile(r"^==> (.+) <==\n", re.MULTILINE)
_CERTIFICATE = re.compile(r"certificate of key (\w)(?:, from (\S+) to (\S+))?\s*")
_KEY = re.compile(r"private key (\w)\s*")
_ACCOUNT = re.compile(r"service account with key (\w)\s*")


def files_of(example: str) -> dict[str, str]:
    """Name → text."""
    parts = _HEAD.split(example.lstrip("\n"))[1:]
    return dict(zip(parts[::2], map(_real, parts[1::2]), strict=True))


def read_example(example: str) -> Read:
    """What these files say."""
    files = files_of(example)
    given = {name: text for name, text in files.items() if not name.endswith((".crt", ".key"))}
    given = {name: text for name, text in given.items() if not name.startswith("/etc/registry")}

    def read_key(setting: Setting) -> KeyFile:
        text = files.get(setting.text)
        if text is None:
            return KeyFile(setting=setting, shown=setting.text, missing=True)
        return parse_key_file(setting, text)

    return read_texts(given, now=NOW, read_key=read_key)


def certificate(letter: str, begins: str = "2020-01-01", ends: str = "2099-01-01") -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example")])
    key = _key(letter)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.fromisoformat(begins))
        .not_valid_after(datetime.fromisoformat(ends))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def private_key(letter: str) -> str:
    pem = _key(letter).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


@lru_cache
def _key(letter: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(ord(letter), ec.SECP256R1())


def _real(text: str) -> str:
    if match := _CERTIFICATE.fullmatch(text):
        return certificate(match[1], match[2] or "2020-01-01", match[3] or "2099-01-01")
    if match := _KEY.fullmatch(text):
        return private_key(match[1])
    if match := _ACCOUNT.fullmatch(text):
        return json.dumps({"type": "service_account", "private_key": private_key(match[1])})
    return text
