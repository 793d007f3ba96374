"""What the registry itself answers."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.registry.blob_unknown_on_pull import blob_unknown_on_pull
from regtrace.diagnose.rules.registry.deletion_unsupported import deletion_unsupported
from regtrace.diagnose.rules.registry.digest_invalid import digest_invalid
from regtrace.diagnose.rules.registry.manifest_accept_too_narrow import manifest_accept_too_narrow
from regtrace.diagnose.rules.registry.manifest_invalid import manifest_invalid
from regtrace.diagnose.rules.registry.manifest_not_there_for_build import (
    manifest_not_there_for_build,
)
from regtrace.diagnose.rules.registry.manifest_references_missing_blob import (
    manifest_references_missing_blob,
)
from regtrace.diagnose.rules.registry.manifest_type_rejected import manifest_type_rejected
from regtrace.diagnose.rules.registry.manifest_unknown import manifest_unknown
from regtrace.diagnose.rules.registry.mount_refused_and_fatal import mount_refused_and_fatal
from regtrace.diagnose.rules.registry.name_invalid import name_invalid
from regtrace.diagnose.rules.registry.platform_not_in_index import platform_not_in_index
from regtrace.diagnose.rules.registry.policy_violation import policy_violation
from regtrace.diagnose.rules.registry.push_to_cache_registry import push_to_cache_registry
from regtrace.diagnose.rules.registry.quota_exceeded import quota_exceeded
from regtrace.diagnose.rules.registry.rate_limit_nearly_used_up import rate_limit_nearly_used_up
from regtrace.diagnose.rules.registry.rate_limited import rate_limited
from regtrace.diagnose.rules.registry.registry_read_only import registry_read_only
from regtrace.diagnose.rules.registry.registry_unhealthy import registry_unhealthy
from regtrace.diagnose.rules.registry.repository_unknown import repository_unknown
from regtrace.diagnose.rules.registry.schema1_push_refused import schema1_push_refused
from regtrace.diagnose.rules.registry.schema1_served import schema1_served
from regtrace.diagnose.rules.registry.size_invalid import size_invalid
from regtrace.diagnose.rules.registry.stale_blob_cache_after_gc import stale_blob_cache_after_gc
from regtrace.diagnose.rules.registry.storage_backend_error import storage_backend_error
from regtrace.diagnose.rules.registry.storage_full_or_denied import storage_full_or_denied
from regtrace.diagnose.rules.registry.tag_immutable import tag_immutable
from regtrace.diagnose.rules.registry.tags_list_oddities import tags_list_oddities
from regtrace.diagnose.rules.registry.v1_fallback import v1_fallback

RULES: tuple[Rule, ...] = (
    registry_read_only,
    push_to_cache_registry,
    storage_full_or_denied,
    storage_backend_error,
    registry_unhealthy,
    manifest_invalid,
    manifest_references_missing_blob,
    manifest_unknown,
    manifest_accept_too_narrow,
    manifest_type_rejected,
    schema1_served,
    schema1_push_refused,
    tag_immutable,
    policy_violation,
    name_invalid,
    repository_unknown,
    quota_exceeded,
    rate_limited,
    stale_blob_cache_after_gc,
    blob_unknown_on_pull,
    digest_invalid,
    size_invalid,
    mount_refused_and_fatal,
    platform_not_in_index,
    tags_list_oddities,
    v1_fallback,
    deletion_unsupported,
    rate_limit_nearly_used_up,
    manifest_not_there_for_build,
)
