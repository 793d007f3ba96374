"""How values look: credentials by their shape, words by theirs, and what no search can tell apart.

Only patterns and predicates; nothing here knows an exchange.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache

from regtrace.wire.coding import from_base64

#: Shorter values stand in honest text by chance: a password "admin" can't be looked for.
SHORTEST = 8

#: What the kinds of tokens begin with (docs of GitHub, GitLab, Docker Hub, Vault, npm).
_PREFIXES = (
    ("gh", "[pousr]_"),
    ("github_pat_", ""),
    ("dckr_", "[po]at_"),
    ("hv", r"[sbr]\."),
    ("npm_", ""),
    ("gl", "(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-"),
)
_TOKEN_PREFIX = re.compile("|".join(start + rest for start, rest in _PREFIXES))

#: Kinds of credentials and their shapes. Each begins with plain letters, which a search finds
#: fastest; what must stand before them is looked at behind them. A digit or capital is asked for
#: where a host or a repository might have such a name.
_JWT = ("a signed JWT", re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}"))
_KEY_ID = (
    "an AWS key id",
    re.compile(r"A(?:K|S)IA(?<![A-Z0-9]A[KS]IA)[A-Z0-9]{16}(?![A-Z0-9])"),
)
_ACCESS_TOKENS = tuple(
    (
        "a personal access token",
        re.compile(rf"{start}(?<!\w{start}){rest}(?=[\w-]*[A-Z0-9])[\w-]{{16,}}"),
    )
    for start, rest in _PREFIXES
)
_TOKENS = (_JWT, _KEY_ID, *_ACCESS_TOKENS)
_CREDENTIALS = (
    *_TOKENS,
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    (
        "a URL's signature",
        re.compile(r"=(?:(?<=signature=)|(?<=[?&_]sig=))[0-9a-z%+/_-]{24,}", re.IGNORECASE),
    ),
    ("an upload state", re.compile(r"_state=(?<=[?&]_state=)[\w-]{80,}")),
)
_BASIC = re.compile(r"asic(?<=[Bb]asic)\s+([A-Za-z0-9+/_-]{8,}={0,2})")

#: What labels say: kinds of secrets, which share one table, and of names.
SECRET_KINDS = frozenset("cookie credentials key-id password signature state token value".split())
NAME_KINDS = frozenset(
    """account address bucket capture client client-id digest host name object path repository scope
    service session tag url user""".split()
)
#: Of addresses a label says from where they can be reached; see addresses.py.
ADDRESS_KINDS = frozenset(
    ["client"]
    + [f"{scope}-{kind}" for scope in ("link-local", "public") for kind in ("address", "client")]
    + ["private-address"]
)
_KINDS = "|".join(sorted(SECRET_KINDS | NAME_KINDS | ADDRESS_KINDS, key=len, reverse=True))
_ADDRESSES = "|".join(sorted(ADDRESS_KINDS))
#: An address's label may name its network behind a dot.
#: A keyed label has a digit, so that no two words of somebody's password read as one.
LABEL = re.compile(
    rf"(?:(?:{_ADDRESSES})-[0-9]{{1,9}}\.[0-9]{{1,9}}"
    rf"|(?:{_KINDS})-(?:[0-9]{{1,9}}|(?=[a-z]*[2-7])[a-z2-7]{{8}}))(?![\w-])"
)
#: distribution signs an upload's state with so many bytes; a made-up one is a label and dots.
MAC_SIZE = 32

_WORD = re.compile(r"[A-Za-z0-9._:/+-]{1,100}")
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_RUN = re.compile(r"[A-Za-z0-9]+")
_LONGEST_PIECE = 24
_SHORT_PIECE = 3
_LONG_RUN = 12
_MOST_DIGITS = 4

_PLAIN_URL = re.compile(r"https?://[\w.:\[\]-]+(?:/[\w.-]{0,32}){0,4}")
#: A weak secret: one or two plain words, or a number as dates and sizes are. See is_common.
_COMMON = re.compile(r"(?=.{1,20}\Z)(?:[a-z]+|[A-Z]+|[A-Z][a-z]+)(?:[-_./ ][a-z]+)?|[0-9]{1,14}")


def credentials_in(text: str) -> set[str]:
    """The kinds of credentials that stand in this text, by shape alone. One that was made of labels
    is none."""
    found = {kind for kind, shape in _CREDENTIALS if _stands_in(shape, text)}
    if any(_is_pair(match[1]) for match in _BASIC.finditer(text)):
        found.add("Basic credentials")
    return found


def tokens_in(text: str) -> set[str]:
    """The same in text whose blanks were taken out, where only tokens still have their shape."""
    return {kind for kind, shape in _TOKENS if _stands_in(shape, text)}


def _stands_in(shape: re.Pattern[str], text: str) -> bool:
    return any(
        label_in(match[0].partition("=")[2] or match[0]) is None for match in shape.finditer(text)
    )


def _is_pair(packed: str) -> bool:
    return user_and_password(packed) is not None and label_in(packed) is None


def is_label(text: str) -> bool:
    """Whether this has the form of a label, whoever gave it."""
    return LABEL.fullmatch(text) is not None


def label_in(value: str) -> str | None:
    """The label that this made-up value was made of; None for any other value.

    A redacted capture has credentials in their own form, so that they can still be decoded, with
    labels where their secrets stood.
    """
    value = value.strip().removeprefix("~").removesuffix("%3D")
    bare = value.removeprefix(token_prefix(value))
    if is_label(bare):
        return bare
    parts = value.split(".")
    if len(parts) == 3 and parts[0].startswith("eyJ"):
        return parts[2] if is_label(parts[2]) else None
    mac = from_base64(value)[:MAC_SIZE].rstrip(b".").decode("ascii", "replace")
    if is_label(mac):
        return mac
    pair = user_and_password(value) or tuple(value.split(":", 1))
    if len(pair) == 2:
        user, password = pair
        return label_in(password) if password else user if is_label(user) else None
    return None


def user_and_password(text: str) -> tuple[str, str] | None:
    """What Base64 of ``user:password`` holds; None when it holds no such thing."""
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        user, colon, password = raw.decode().partition(":")
    except ValueError:
        return None
    return (user, password) if colon and (user + password).isprintable() else None


def token_prefix(value: str) -> str:
    """``ghp_``, ``glcbt-``, …: which product made this token; empty when it does not say."""
    match = _TOKEN_PREFIX.match(value)
    return match[0] if match else ""


def is_common(value: str) -> bool:
    """Whether this secret can't be told from honest text.

    A password such as ``registry`` or ``container_registry``, a number of up to 14 digits, or a
    plain URL (``token_endpoint``) is said by every report. To refuse them all would help nobody,
    and to replace the word would betray it; so such a secret is kept out by the handlers alone,
    and not looked for.
    """
    return len(value) < SHORTEST or bool(_COMMON.fullmatch(value) or _PLAIN_URL.fullmatch(value))


@lru_cache(maxsize=1024)  # keys, hosts and folders come again and again
def is_word(text: str) -> bool:
    """Whether this reads as words that somebody chose: ``us-east-1``, ``MANIFEST_UNKNOWN``.

    Random text changes between capitals, small letters and digits far more often than words do.
    """
    if not _WORD.fullmatch(text.replace("_", "-")):
        return False
    pieces = _PIECE.findall(text)
    digits = [piece for piece in pieces if piece.isdigit()]
    return (
        all(map(_is_plain, _RUN.findall(text)))
        and all(len(piece) <= _LONGEST_PIECE for piece in pieces)
        and all(len(piece) <= _MOST_DIGITS for piece in digits)
        and sum(map(len, digits)) <= 2 * _MOST_DIGITS
        and not credentials_in(text)
    )


def _is_plain(run: str) -> bool:
    """An unbroken run such as ``SignatureDoesNotMatch`` or ``oauth2``: few changes, long pieces."""
    pieces = _PIECE.findall(run)
    short = sum(len(piece) < _SHORT_PIECE for piece in pieces)
    return short <= (1 if len(run) >= _LONG_RUN else 2)
