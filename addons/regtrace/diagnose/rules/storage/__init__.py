"""The object store that the registry redirects to."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.storage.azure_account_over_quota import azure_account_over_quota
from regtrace.diagnose.rules.storage.azure_network_rule import azure_network_rule
from regtrace.diagnose.rules.storage.azure_permission_mismatch import azure_permission_mismatch
from regtrace.diagnose.rules.storage.azure_sas_refused import azure_sas_refused
from regtrace.diagnose.rules.storage.blob_missing_in_storage import blob_missing_in_storage
from regtrace.diagnose.rules.storage.cloudfront_denied import cloudfront_denied
from regtrace.diagnose.rules.storage.double_authentication import double_authentication
from regtrace.diagnose.rules.storage.gcs_signed_url_refused import gcs_signed_url_refused
from regtrace.diagnose.rules.storage.kms_key_denied import kms_key_denied
from regtrace.diagnose.rules.storage.presigned_method_mismatch import presigned_method_mismatch
from regtrace.diagnose.rules.storage.presigned_url_expired import presigned_url_expired
from regtrace.diagnose.rules.storage.presigned_url_not_yet_valid import presigned_url_not_yet_valid
from regtrace.diagnose.rules.storage.r2_multipart_part_size import r2_multipart_part_size
from regtrace.diagnose.rules.storage.request_time_too_skewed import request_time_too_skewed
from regtrace.diagnose.rules.storage.s3_access_denied import s3_access_denied
from regtrace.diagnose.rules.storage.s3_invalid_access_key import s3_invalid_access_key
from regtrace.diagnose.rules.storage.s3_permanent_redirect import s3_permanent_redirect
from regtrace.diagnose.rules.storage.s3_session_token_expired import s3_session_token_expired
from regtrace.diagnose.rules.storage.s3_signature_mismatch import s3_signature_mismatch
from regtrace.diagnose.rules.storage.s3_sigv2_rejected import s3_sigv2_rejected
from regtrace.diagnose.rules.storage.s3_wrong_region import s3_wrong_region
from regtrace.diagnose.rules.storage.storage_403_on_head import storage_403_on_head
from regtrace.diagnose.rules.storage.storage_endpoint_unreachable import (
    storage_endpoint_unreachable,
)
from regtrace.diagnose.rules.storage.storage_host_blocked_or_inspected import (
    storage_host_blocked_or_inspected,
)
from regtrace.diagnose.rules.storage.storage_no_such_bucket import storage_no_such_bucket
from regtrace.diagnose.rules.storage.storage_throttled import storage_throttled
from regtrace.diagnose.rules.storage.swift_oss_rgw_refused import swift_oss_rgw_refused

RULES: tuple[Rule, ...] = (
    s3_invalid_access_key,
    s3_access_denied,
    s3_signature_mismatch,
    presigned_method_mismatch,
    presigned_url_expired,
    presigned_url_not_yet_valid,
    request_time_too_skewed,
    s3_session_token_expired,
    s3_wrong_region,
    s3_permanent_redirect,
    s3_sigv2_rejected,
    storage_403_on_head,
    storage_no_such_bucket,
    blob_missing_in_storage,
    kms_key_denied,
    storage_throttled,
    double_authentication,
    gcs_signed_url_refused,
    azure_sas_refused,
    azure_permission_mismatch,
    azure_network_rule,
    azure_account_over_quota,
    cloudfront_denied,
    swift_oss_rgw_refused,
    storage_endpoint_unreachable,
    storage_host_blocked_or_inspected,
    r2_multipart_part_size,
)
