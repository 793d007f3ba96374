"""Lists that a registry gives: the tags of a repository."""

from __future__ import annotations

from regtrace.wire.coding import decoded
from regtrace.wire.exchange import Response
from regtrace.wire.jsontext import parse_json

#: A list of 10,000 tags has some 500 kB.
_LONGEST = 4 * 1024 * 1024
_MOST_TAGS = 10_000


def read_tags(response: Response) -> tuple[str, ...] | None:
    """The tags in an answer to ``tags/list`` (distribution-spec, "Listing Tags"), none where they
    are ``null``; None when the body is something else, or wasn't kept."""
    kept = response.body.kept
    content = parse_json(decoded(response.headers, kept) if kept else None, _LONGEST)
    if not isinstance(content, dict) or "tags" not in content:
        return None
    tags = content["tags"]
    listed = tags[:_MOST_TAGS] if isinstance(tags, list) else []
    return tuple(tag for tag in listed if isinstance(tag, str))
