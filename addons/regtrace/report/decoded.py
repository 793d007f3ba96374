"""What a leg says, for the report: decoded, in the field's own words, every value redacted."""

from __future__ import annotations

from typing import Any

from regtrace.redact.redactor import Redactor
from regtrace.wire.leg import Leg


def decoded(leg: Leg, redactor: Redactor) -> dict[str, Any]:
    """What a leg says, in the field's own words; only what is known is there."""
    shown: dict[str, Any] = {
        "repository": redactor.repository(leg.repository) if leg.repository else None,
        "reference": redactor.reference(leg.tag) if leg.tag else None,
        "digest": redactor.digest(leg.digest),
        "session": redactor.session(leg.session) if leg.session else None,
        "vendor": leg.vendor.value if leg.vendor else None,
        "location": redactor.url(leg.location) if leg.location else None,
        "answered_by": leg.answerer.product if leg.answerer else None,
        "credentials": leg.credentials.scheme if leg.credentials else None,
        "token": redactor.token(leg.bearer.sha256) if leg.bearer else None,
        "challenges": [
            redactor.challenges(value)
            for value in (
                leg.exchange.response.headers.all("WWW-Authenticate")
                if leg.exchange.response
                else ()
            )
        ],
        "asked": [redactor.scope(str(scope)) for scope in leg.token_request.scopes]
        if leg.token_request
        else [],
        "granted": _granted(leg, redactor),
        "issued_token": _issued(leg, redactor),
        "signature": _signature(leg, redactor),
        "upload": {"offset": leg.state.offset, "started": leg.state.started_at}
        if leg.state
        else None,
        "manifest": {
            "media_type": redactor.header("Content-Type", leg.manifest.media_type or "") or None,
            "layers": len(leg.manifest.layers),
        }
        if leg.manifest
        else None,
        "error": {
            "code": redactor.code(leg.error.code) if leg.error.code else None,
            "message": redactor.prose(leg.error.message),
            "dialect": leg.error.dialect,
        }
        if leg.error
        else None,
        "tunnel": redactor.word(leg.exchange.tunnel) if leg.exchange.tunnel else None,
    }
    return {key: value for key, value in shown.items() if value not in (None, [], "")}


def _granted(leg: Leg, redactor: Redactor) -> list[str]:
    token = leg.token_reply.token if leg.token_reply else None
    access = token.jwt.access if token and token.jwt else None
    return [redactor.scope(str(scope)) for scope in access or ()]


def _issued(leg: Leg, redactor: Redactor) -> dict[str, Any] | None:
    token = leg.token_reply.token if leg.token_reply else None
    if token is None:
        return None
    jwt = token.jwt
    return {
        "label": redactor.token(token.sha256),
        "kind": "jwt" if jwt else "opaque",
        "issuer": redactor.service(jwt.issuer) if jwt and jwt.issuer else None,
        "audience": [redactor.service(name) for name in jwt.audience] if jwt else [],
        "not_before": jwt.not_before if jwt else None,
        "expires": jwt.expires if jwt else None,
    }


def _signature(leg: Leg, redactor: Redactor) -> dict[str, Any] | None:
    signature = leg.presigned
    if signature is None:
        return None
    return {
        "scheme": signature.scheme,
        "signed_at": signature.signed_at,
        "expires_at": signature.expires_at,
        "region": redactor.word(signature.region) if signature.region else None,
        "signed_headers": [redactor.word(name) for name in signature.signed_headers],
    }
