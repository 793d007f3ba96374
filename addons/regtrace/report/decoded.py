"""What a leg says, in the field's own words: as it stood on the wire, then as it may be shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from regtrace.redact.redactor import Redactor
from regtrace.report.header_names import header_mask, header_names
from regtrace.wire.leg import Leg
from regtrace.wire.url import Url


def said(leg: Leg) -> dict[str, Any]:
    """What a leg says, as it stood on the wire; only what is known is there, all of it plain."""
    response = leg.exchange.response
    known = {
        "repository": leg.repository,
        "reference": leg.tag,
        "digest": leg.digest,
        "session": leg.session,
        "vendor": leg.vendor and leg.vendor.value,
        "location": leg.location and plain_url(leg.location),
        "answered_by": leg.answerer and leg.answerer.product,
        "credentials": leg.credentials and leg.credentials.scheme,
        "token": leg.bearer and leg.bearer.sha256,
        "challenges": response.headers.all("WWW-Authenticate") if response else (),
        "asked": tuple(map(str, leg.token_request.scopes)) if leg.token_request else (),
        "granted": _granted(leg),
        "issued_token": _issued(leg),
        "signature": _signature(leg),
        "upload": leg.state and {"offset": leg.state.offset, "started": leg.state.started_at},
        "manifest": leg.manifest and (leg.manifest.media_type or "", len(leg.manifest.layers)),
        "error": leg.error and (leg.error.code or "", leg.error.message, leg.error.dialect),
        "tunnel": leg.exchange.tunnel,
        "request_headers": header_mask(leg.exchange.request.headers) or None,
        "response_headers": (header_mask(response.headers) or None) if response else None,
    }
    return {key: value for key, value in known.items() if value not in _NOTHING}


_NOTHING = (None, (), "")


def plain_url(url: Url) -> tuple[Any, ...]:
    return url.scheme, url.host, url.port, url.path, url.query


def _granted(leg: Leg) -> tuple[str, ...]:
    token = leg.token_reply.token if leg.token_reply else None
    access = token.jwt.access if token and token.jwt else None
    return tuple(map(str, access or ()))


def _issued(leg: Leg) -> dict[str, Any] | None:
    token = leg.token_reply.token if leg.token_reply else None
    if token is None:
        return None
    jwt = token.jwt
    return {
        "label": token.sha256,
        "kind": "jwt" if jwt else "opaque",
        "issuer": jwt.issuer if jwt else None,
        "audience": tuple(jwt.audience) if jwt else (),
        "not_before": jwt.not_before if jwt else None,
        "expires": jwt.expires if jwt else None,
    }


def _signature(leg: Leg) -> dict[str, Any] | None:
    signature = leg.presigned
    if signature is None:
        return None
    return {
        "scheme": signature.scheme,
        "signed_at": signature.signed_at,
        "expires_at": signature.expires_at,
        "region": signature.region,
        "signed_headers": tuple(signature.signed_headers),
    }


def decoded(said: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """The same for the report: every value through its handler, nothing that says nothing.

    Sorted by key, as in JSON: a form made of the JSON later is the same byte for byte.
    """
    shown = {key: _SHOWN[key](redactor, said[key]) for key in KEYS if key in said}
    return {key: value for key, value in shown.items() if value not in (None, [], "")}


def _as_it_is(_: Redactor, value: Any) -> Any:
    """A word of ours, a number."""
    return value


def _shown_token(redactor: Redactor, token: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **token,
        "label": redactor.token(token["label"]),
        "issuer": redactor.service(token["issuer"]) if token["issuer"] else None,
        "audience": [redactor.service(name) for name in token["audience"]],
    }


def _shown_signature(redactor: Redactor, signature: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **signature,
        "region": redactor.word(signature["region"]) if signature["region"] else None,
        "signed_headers": [redactor.word(name) for name in signature["signed_headers"]],
    }


def _shown_manifest(redactor: Redactor, manifest: tuple[str, int]) -> dict[str, Any]:
    media_type, layers = manifest
    return {"media_type": redactor.header("Content-Type", media_type) or None, "layers": layers}


def _shown_error(redactor: Redactor, error: tuple[str, str, str]) -> dict[str, Any]:
    code, message, dialect = error
    return {
        "code": redactor.code(code) if code else None,
        "message": redactor.prose(message),
        "dialect": dialect,
    }


_SHOWN: dict[str, Callable[[Redactor, Any], Any]] = {
    "repository": lambda redactor, name: redactor.repository(name),
    "reference": lambda redactor, tag: redactor.reference(tag),
    "digest": lambda redactor, digest: redactor.digest(digest),
    "session": lambda redactor, session: redactor.session(session),
    "vendor": _as_it_is,
    "location": lambda redactor, url: redactor.url(Url(*url)),
    "answered_by": _as_it_is,
    "credentials": _as_it_is,
    "token": lambda redactor, sha256: redactor.token(sha256),
    "challenges": lambda redactor, values: [redactor.challenges(value) for value in values],
    "asked": lambda redactor, scopes: [redactor.scope(scope) for scope in scopes],
    "granted": lambda redactor, scopes: [redactor.scope(scope) for scope in scopes],
    "issued_token": _shown_token,
    "signature": _shown_signature,
    "upload": _as_it_is,
    "manifest": _shown_manifest,
    "error": _shown_error,
    "tunnel": lambda redactor, tunnel: redactor.word(tunnel),
    "request_headers": lambda _, mask: list(header_names(mask)),
    "response_headers": lambda _, mask: list(header_names(mask)),
}

KEYS = tuple(sorted(_SHOWN))
"""All that a leg may say."""
