"""Digests, lengths and types of what passed."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.content.blob_digest_mismatch import blob_digest_mismatch
from regtrace.diagnose.rules.content.blob_truncated import blob_truncated
from regtrace.diagnose.rules.content.cached_auth_answer import cached_auth_answer
from regtrace.diagnose.rules.content.content_coding_on_blob import content_coding_on_blob
from regtrace.diagnose.rules.content.content_digest_header_missing import (
    content_digest_header_missing,
)
from regtrace.diagnose.rules.content.content_digest_header_wrong import content_digest_header_wrong
from regtrace.diagnose.rules.content.head_or_blob_without_length import head_or_blob_without_length
from regtrace.diagnose.rules.content.manifest_content_type_wrong import manifest_content_type_wrong

RULES: tuple[Rule, ...] = (
    blob_digest_mismatch,
    blob_truncated,
    content_coding_on_blob,
    content_digest_header_wrong,
    content_digest_header_missing,
    head_or_blob_without_length,
    manifest_content_type_wrong,
    cached_auth_answer,
)
