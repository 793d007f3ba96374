"""JWTs for the tests: made up, and signed by nobody."""

from __future__ import annotations

import base64
import json
from typing import Any


def segment(value: Any) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def jwt(claims: Any, header: Any = None) -> str:
    return f"{segment(header or {'alg': 'RS256', 'typ': 'JWT'})}.{segment(claims)}.c2lnbmF0dXJl"
