"""What one message's body says, for a person who looks at a single flow: as YAML, redacted.

Only bodies that registries, token servers and stores send; of any other there is nothing to add.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import yaml

from regtrace.redact.redactor import Redactor
from regtrace.report.visible import size, visible
from regtrace.wire.exchange import Body
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.manifest import Descriptor, ImageConfig, Manifest, read_config
from regtrace.wire.scope import lacking

_BLOBS = frozenset({Kind.BLOB_GET, Kind.STORAGE, Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT})

#: An image configuration; a JSON blob that is longer is something else.
_LONGEST_CONFIG = 1024 * 1024


def explain_body(leg: Leg, *, of_request: bool, redactor: Redactor) -> tuple[str, str] | None:
    """What kind of body it is, and what it says; None when there is nothing to add."""
    redactor.learn(leg.exchange)
    response = leg.exchange.response
    body = leg.exchange.request.body if of_request else response.body if response else Body()
    said = _said(leg, body, of_request, redactor)
    if said is None:
        return None
    title, content = said
    kept = {key: value for key, value in content.items() if value not in (None, "", [], {})}
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=100)
    return title, visible(text, keep="\n")


def answer_in_a_line(leg: Leg, redactor: Redactor) -> str:
    """What the body of an answer says that is no error: ``granted: …; expires: …``."""
    body = leg.exchange.response.body if leg.exchange.response else Body()
    said = _said(leg, body, False, redactor)
    if said is not None:
        told = ((key, _in_a_line(value)) for key, value in said[1].items())
        return "; ".join(f"{key}: {value}" for key, value in told if value)
    if body.size == 0:
        return "(empty)"
    length = "of a length that was not recorded" if body.size is None else size(body.size)
    digest = redactor.digest(body.digest)
    return f"{length}, {digest}" if digest else length


def _in_a_line(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("platform") or value.get("digest") or "")
    if isinstance(value, list):
        return ", ".join(filter(None, map(_in_a_line, value)))
    return "" if value is None else str(value)


def _said(
    leg: Leg, body: Body, of_request: bool, redactor: Redactor
) -> tuple[str, dict[str, Any]] | None:
    if leg.manifest is not None and of_request == (leg.kind is Kind.MANIFEST_PUT):
        title = "Image index" if leg.manifest.kind == "index" else "Image manifest"
        return title, _manifest(leg.manifest, leg.digest, redactor)
    if of_request and leg.kind is Kind.TOKEN and leg.token_request is not None:
        return "Token request", _token_request(leg, redactor)
    if leg.kind in _BLOBS and body.kept and len(body.kept) <= _LONGEST_CONFIG:
        config = read_config(body.kept)
        if config is not None:
            return "Image configuration", _config(config, redactor)
    if of_request:
        return None
    if leg.token_reply is not None and leg.token_reply.token is not None:
        return "Registry token", _token(leg, redactor)
    if leg.error is not None and leg.error.items:
        stores = leg.error.dialect == "storage-xml"
        return ("Storage error" if stores else "Registry error"), _error(leg, redactor)
    return None


def _manifest(manifest: Manifest, digest: str | None, redactor: Redactor) -> dict[str, Any]:
    return {
        "digest": redactor.digest(digest),
        "media type": _word(manifest.media_type, redactor),
        "config": _descriptor(manifest.config, redactor) if manifest.config else None,
        "layers": _descriptors(manifest.layers, redactor),
        "manifests": _descriptors(manifest.manifests, redactor),
        "blobs": _descriptors(manifest.blobs, redactor),
        "subject": _descriptor(manifest.subject, redactor) if manifest.subject else None,
    }


def _descriptors(descriptors: Iterable[Descriptor], redactor: Redactor) -> list[dict[str, Any]]:
    return [_descriptor(descriptor, redactor) for descriptor in descriptors]


def _descriptor(descriptor: Descriptor, redactor: Redactor) -> dict[str, Any]:
    said = {
        "digest": redactor.digest(descriptor.digest),
        "size": size(descriptor.size) if descriptor.size is not None else None,
        "media type": _word(descriptor.media_type, redactor),
        "platform": _word(descriptor.platform, redactor),
        "what": "attestation" if descriptor.is_attestation else None,
        "fetched from elsewhere": True if descriptor.urls else None,
    }
    return {key: value for key, value in said.items() if value is not None}


def _config(config: ImageConfig, redactor: Redactor) -> dict[str, Any]:
    return {
        "platform": _word(f"{config.os or '?'}/{config.architecture or '?'}", redactor),
        "layers, uncompressed": [redactor.digest(digest) for digest in config.diff_ids],
        "steps of its history": config.history,
    }


def _token_request(leg: Leg, redactor: Redactor) -> dict[str, Any]:
    asked = leg.token_request
    if asked is None:
        return {}
    return {
        "service": redactor.service(asked.service) if asked.service else None,
        "asks for": [redactor.scope(str(scope)) for scope in asked.scopes],
        "logs in with": asked.credentials,
    }


def _token(leg: Leg, redactor: Redactor) -> dict[str, Any]:
    """The claims beside what was asked for: the difference is what most refusals come from."""
    reply, request = leg.token_reply, leg.token_request
    token = reply.token if reply else None
    if reply is None or token is None:
        return {}
    jwt = token.jwt
    asked = request.scopes if request else ()
    granted = jwt.access if jwt and jwt.access is not None else None
    return {
        "token": redactor.token(token.sha256),
        "asked for": [redactor.scope(str(scope)) for scope in asked],
        "granted": "the token does not say"
        if granted is None
        else [redactor.scope(str(scope)) for scope in granted] or "nothing",
        "asked for and not granted": [
            redactor.scope(str(scope)) for scope in lacking(asked, granted)
        ]
        if granted is not None
        else None,
        "issuer": redactor.service(jwt.issuer) if jwt and jwt.issuer else None,
        "audience": [redactor.service(name) for name in jwt.audience] if jwt else None,
        "not before": _moment(jwt.not_before) if jwt else None,
        "expires": _moment(jwt.expires) if jwt else None,
        "lives, by the reply": f"{reply.expires_in:g} s" if reply.expires_in is not None else None,
    }


def _error(leg: Leg, redactor: Redactor) -> dict[str, Any]:
    if leg.error is None:
        return {}
    return {
        "errors": [
            {"code": redactor.code(item.code), "message": redactor.prose(item.message)}
            for item in leg.error.items
        ],
        "says besides": {
            name: redactor.prose(text)
            for name, text in leg.error.fields
            if name in {"Region", "Endpoint", "ServerTime", "RequestTime", "Expires"}
        },
    }


def _word(text: str | None, redactor: Redactor) -> str | None:
    return redactor.prose(text) if text else None


def _moment(seconds: float | None) -> str | None:
    if seconds is None or not 0 <= seconds < 253_402_300_800:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
