"""What changes from one run to the next without meaning anything, taken out of a text.

Tokens, sessions, signatures and digests are other ones in every run; a repository may be another on
purpose. Two texts are compared without them.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from regtrace.report.model import Operation

# Each looks only so far from where it begins, or a long hostile text would take its square.
_DIGEST = re.compile(r"\b[a-z0-9]{1,20}(?:[+._-][a-z0-9]{1,20}){0,3}:[0-9a-f]{32,128}")
_OBJECT = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{64}\b")
_HEX = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|[0-9a-f]{32,}")
_OF_A_RUN = re.compile(
    r"\b(client-id|cookie|credentials|key-id|object|password|path|session|signature|state|token"
    r"|url|user|value)-\d+(?:\([^()]{0,200}\))?"
)
"""Labels of what is secret: the redactor's, see ``redact/redactor.py``."""
_NAMES = re.compile(
    r"\b(address|bucket|capture|client|digest|host|name|repository|scope|service|tag)-\d+\b"
)
"""Labels of names: two reports number them each for itself."""


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9._-]){re.escape(name)}(?![A-Za-z0-9._-])")


class Masks:
    """Of one side: what its own registry, repository and reference are called, and whether its
    labels mean the same on the other."""

    def __init__(self, operation: Operation, *, labels_shared: bool) -> None:
        authority = (operation.registry or "").partition("/")[0]
        host, _, port = authority.rpartition(":")
        if host and port in {"80", "443"}:
            authority = host  # URLs leave it out
        named = {"repository": operation.repository, "registry": authority}
        self._own = {word: _word(name) for word, name in named.items() if name}
        self._reference = operation.reference
        self._labels_shared = labels_shared

    def text(self, text: str) -> str:
        """The text with a word such as ``<token>`` for all of that."""
        for word, own in self._own.items():
            text = own.sub(f"<{word}>", text)
        text = _OBJECT.sub("/<digest>", text)
        text = _DIGEST.sub("<digest>", text)
        text = _HEX.sub("<id>", text)
        text = _OF_A_RUN.sub(r"<\1>", text)
        return text if self._labels_shared else _NAMES.sub(r"<\1>", text)

    def place(self, url: str) -> str:
        """Scheme, host, path and the names in the query of a URL."""
        try:
            parts = urlsplit(url)
            names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
        except ValueError:
            return self.text(url)
        path = parts.path
        if self._reference and path.endswith(f"/manifests/{self._reference}"):
            path = path[: -len(self._reference)] + "<reference>"
        query = f"?{'&'.join(names)}" if names else ""
        return self.text(f"{parts.scheme}://{parts.netloc}{path}{query}")
