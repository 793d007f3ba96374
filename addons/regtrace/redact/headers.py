"""Header fields as they may be shown: one handler for each field, a label for every other one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from regtrace.redact import grammar
from regtrace.redact.secrets import METHOD_USERS, unpacked
from regtrace.redact.shapes import is_word, token_prefix, user_and_password
from regtrace.wire.challenge import parse_challenges
from regtrace.wire.client import read_client
from regtrace.wire.exchange import Headers
from regtrace.wire.jsontext import parse_json

if TYPE_CHECKING:
    from regtrace.redact.redactor import Redactor

_MOST_JSON = 64 * 1024
_SIGNED = re.compile(r"(Credential|SignedHeaders|Signature)=([^\s,]+)")
_LINK = re.compile(r"\s*<([^<>]*)>\s*(;\s*rel=\"?[a-z]{1,16}\"?)?.*", re.DOTALL)
#: Attributes of a cookie that are the protocol's own words (RFC 6265); stickiness shows in them.
_ATTRIBUTE = re.compile(
    r"(?:secure|httponly|partitioned|max-age=-?\d{1,12}|samesite=[a-z]{3,6}|path=/(?:v2/?)?"
    r"|expires=[A-Za-z0-9 :,-]{10,40})",
    re.IGNORECASE,
)


def header(redactor: Redactor, name: str, value: str) -> str:
    """One header field's value."""
    lowered, value = name.lower(), value.strip()
    if not value or redactor.is_label(value):
        return value
    handler = _HANDLERS.get(lowered)
    if handler is not None:
        return handler(redactor, value)
    if grammar.obeys_header(lowered, value) and redactor.is_harmless(value):
        return value
    return redactor.label("value", value)


def challenges(
    redactor: Redactor,
    value: str,
    *,
    url: Callable[[str], str] | None = None,
    told: Callable[[str], str] | None = None,
) -> str:
    """Each challenge with its realm, service, scope and error; other parameters are labels. ``url``
    and ``told`` show a realm and a sentence otherwise than for a report."""
    shown_as = _Shown(redactor, url or redactor.url_text, told or redactor.prose)
    shown = []
    for challenge in parse_challenges([value]):
        scheme = challenge.scheme
        named = scheme in grammar.SCHEMES
        params = ",".join(
            f'{_param_name(redactor, key)}="{_quoted(_challenge_param(shown_as, key, text))}"'
            for key, text in challenge.params
        )
        name = scheme.title() if named else redactor.label("value", scheme)
        shown.append(f"{name} {params}".rstrip())
    return ", ".join(shown)


def _param_name(redactor: Redactor, key: str) -> str:
    return key if is_word(key) and redactor.is_harmless(key) else redactor.label("value", key)


class _Shown(NamedTuple):
    redactor: Redactor
    url: Callable[[str], str]
    told: Callable[[str], str]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _challenge_param(shown: _Shown, key: str, value: str) -> str:
    redactor = shown.redactor
    if not value or redactor.is_label(value):
        return value
    if key == "realm":
        is_url = value.startswith(("http://", "https://", "/"))
        return shown.url(value) if is_url else shown.told(value)
    if key == "scope":
        return redactor.scope(value)
    if key == "service":
        return redactor.service(value)
    if key in {"error", "error_description"}:
        return shown.told(value)
    if key == "charset" and value.upper() == "UTF-8":
        return value
    return redactor.label("value", value)


def authorization(redactor: Redactor, value: str) -> str:
    """The scheme and labels: of Basic the user too, of AWS's the scope and the signed headers."""
    scheme, blank, rest = value.strip().partition(" ")
    rest, lowered = rest.strip(), scheme.lower()
    if lowered not in grammar.SCHEMES or not blank:
        return redactor.label("credentials", value)
    if lowered == "basic":
        return f"{scheme} {_basic(redactor, rest)}"
    if lowered == "bearer":
        return f"{scheme} {redactor.label('token', rest)}"
    signed = _SIGNED.findall(rest)
    if lowered != "aws4-hmac-sha256" or not signed:
        return f"{scheme} {redactor.label('credentials', rest)}"
    keys = {
        "Credential": "x-amz-credential",
        "SignedHeaders": "x-amz-signedheaders",
        "Signature": "x-amz-signature",
    }
    return f"{scheme} " + ", ".join(
        f"{key}={redactor.query(keys[key], text)}" for key, text in signed
    )


def _basic(redactor: Redactor, encoded: str) -> str:
    """``user-1:password-1``. What kind of token stands in the password's place is kept."""
    pair = user_and_password(encoded)
    if pair is None:
        return redactor.label("credentials", encoded)
    user, password = pair
    kind = token_prefix(password)
    shown = user if user in METHOD_USERS else redactor.user(user) if user else ""
    return f"{shown}:{redactor.label('password', password)}" + (f" ({kind}...)" if kind else "")


def _cookies(redactor: Redactor, value: str) -> str:
    return "; ".join(_cookie(redactor, part.strip()) for part in value.split(";"))


def _cookie(redactor: Redactor, text: str) -> str:
    name, equals, value = text.partition("=")
    if not equals:
        return redactor.label("cookie", text)
    shown = name if is_word(name) and redactor.is_harmless(name) else redactor.label("value", name)
    return f"{shown}={redactor.label('cookie', value)}" if value else f"{shown}="


def _set_cookie(redactor: Redactor, value: str) -> str:
    """The name and those attributes that decide whether the client sends it back."""
    first, *attributes = [part.strip() for part in value.split(";")]
    kept = [attribute for attribute in attributes if _ATTRIBUTE.fullmatch(attribute)]
    return "; ".join([_cookie(redactor, first), *kept])


def _registry_auth(redactor: Redactor, value: str) -> str:
    """Docker's API: which server, and which fields the login has."""
    login = parse_json(unpacked(value), _MOST_JSON)
    if not isinstance(login, dict):
        return redactor.label("credentials", value)
    fields = ",".join(sorted(key for key in login if is_word(key) and login[key]))
    server = login.get("serveraddress")
    host = f" for {redactor.service(server)}" if isinstance(server, str) and server else ""
    return f"{redactor.label('credentials', value)} ({fields}){host}"


def _user_agent(redactor: Redactor, value: str) -> str:
    client = read_client(Headers([("User-Agent", value)]))
    if client is None:
        return redactor.label("value", value)
    product, version = redactor.client(client)
    return f"{product}/{version}" if version else product or ""


def _link(redactor: Redactor, value: str) -> str:
    match = _LINK.fullmatch(value)
    if match is None:
        return redactor.label("value", value)
    return f"<{redactor.url_text(match[1])}>{match[2] or ''}"


def _etag(redactor: Redactor, value: str) -> str:
    return value if grammar.ETAG.fullmatch(value) else redactor.label("value", value)


def _addresses(redactor: Redactor, value: str) -> str:
    return ", ".join(redactor.client_address(part.strip()) or "" for part in value.split(","))


_Handler = Callable[["Redactor", str], str]

_HANDLERS: dict[str, _Handler] = {
    "authorization": authorization,
    "content-location": lambda redactor, value: redactor.url_text(value),
    "cookie": _cookies,
    "docker-upload-uuid": lambda redactor, value: redactor.session(value),
    "etag": _etag,
    "host": lambda redactor, value: redactor.host(value),
    "link": _link,
    "location": lambda redactor, value: redactor.url_text(value),
    "proxy-authenticate": challenges,
    "proxy-authorization": authorization,
    "referer": lambda redactor, value: redactor.url_text(value),
    "set-cookie": _set_cookie,
    "user-agent": _user_agent,
    "via": lambda redactor, value: redactor.prose(value),
    "www-authenticate": challenges,
    "x-forwarded-for": _addresses,
    "x-forwarded-host": lambda redactor, value: redactor.host(value),
    "x-minio-error-code": lambda redactor, value: redactor.code(value),
    "x-ms-error-code": lambda redactor, value: redactor.code(value),
    "x-registry-auth": _registry_auth,
    "x-registry-config": lambda redactor, value: redactor.label("credentials", value),
}
