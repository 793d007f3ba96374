"""What configuration files can be wrong in, before anybody pushes."""

from __future__ import annotations

from regtrace.diagnose.config.check import Check
from regtrace.diagnose.rules.config.daemon_insecure_registry import daemon_insecure_registry
from regtrace.diagnose.rules.config.daemon_mirror_malformed import daemon_mirror_malformed
from regtrace.diagnose.rules.config.daemon_no_proxy_lacks_registry import (
    daemon_no_proxy_lacks_registry,
)
from regtrace.diagnose.rules.config.daemon_proxies_misplaced import daemon_proxies_misplaced
from regtrace.diagnose.rules.config.daemon_proxy_for_http_only import daemon_proxy_for_http_only
from regtrace.diagnose.rules.config.debug_server_open import debug_server_open
from regtrace.diagnose.rules.config.delete_disabled import delete_disabled
from regtrace.diagnose.rules.config.front_body_limit import front_body_limit
from regtrace.diagnose.rules.config.front_buffers_uploads import front_buffers_uploads
from regtrace.diagnose.rules.config.front_cuts_path import front_cuts_path
from regtrace.diagnose.rules.config.front_drops_authorization import front_drops_authorization
from regtrace.diagnose.rules.config.front_lacks_forwarded_proto import front_lacks_forwarded_proto
from regtrace.diagnose.rules.config.front_lacks_host import front_lacks_host
from regtrace.diagnose.rules.config.front_port_taken import front_port_taken
from regtrace.diagnose.rules.config.front_timeout_short import front_timeout_short
from regtrace.diagnose.rules.config.front_upstream_not_listened import front_upstream_not_listened
from regtrace.diagnose.rules.config.front_upstream_scheme import front_upstream_scheme
from regtrace.diagnose.rules.config.gcs_key_file_unusable import gcs_key_file_unusable
from regtrace.diagnose.rules.config.gcs_over_http2 import gcs_over_http2
from regtrace.diagnose.rules.config.http_host_not_for_clients import http_host_not_for_clients
from regtrace.diagnose.rules.config.http_secret_not_shared import http_secret_not_shared
from regtrace.diagnose.rules.config.issuer_differs import issuer_differs
from regtrace.diagnose.rules.config.log_level_debug import log_level_debug
from regtrace.diagnose.rules.config.maintenance_read_only import maintenance_read_only
from regtrace.diagnose.rules.config.notifications_in_clear import notifications_in_clear
from regtrace.diagnose.rules.config.pull_through_cache import pull_through_cache
from regtrace.diagnose.rules.config.realm_not_for_clients import realm_not_for_clients
from regtrace.diagnose.rules.config.realm_not_the_token_server import realm_not_the_token_server
from regtrace.diagnose.rules.config.realm_without_tls import realm_without_tls
from regtrace.diagnose.rules.config.s3_bucket_in_host_name import s3_bucket_in_host_name
from regtrace.diagnose.rules.config.s3_certificate_unchecked import s3_certificate_unchecked
from regtrace.diagnose.rules.config.s3_chunk_size import s3_chunk_size
from regtrace.diagnose.rules.config.s3_endpoint_not_for_clients import s3_endpoint_not_for_clients
from regtrace.diagnose.rules.config.s3_region_differs import s3_region_differs
from regtrace.diagnose.rules.config.s3_signature_v2 import s3_signature_v2
from regtrace.diagnose.rules.config.s3_without_tls import s3_without_tls
from regtrace.diagnose.rules.config.schema1_enabled import schema1_enabled
from regtrace.diagnose.rules.config.service_differs import service_differs
from regtrace.diagnose.rules.config.storage_drivers_not_one import storage_drivers_not_one
from regtrace.diagnose.rules.config.storage_not_shared import storage_not_shared
from regtrace.diagnose.rules.config.tls_certificate_out_of_date import tls_certificate_out_of_date
from regtrace.diagnose.rules.config.tls_key_pair_mismatch import tls_key_pair_mismatch
from regtrace.diagnose.rules.config.token_certificate_out_of_date import (
    token_certificate_out_of_date,
)
from regtrace.diagnose.rules.config.token_key_pair_mismatch import token_key_pair_mismatch

CHECKS: tuple[Check, ...] = (
    token_key_pair_mismatch,
    token_certificate_out_of_date,
    issuer_differs,
    service_differs,
    realm_not_for_clients,
    realm_without_tls,
    realm_not_the_token_server,
    tls_certificate_out_of_date,
    tls_key_pair_mismatch,
    front_lacks_forwarded_proto,
    front_lacks_host,
    front_body_limit,
    front_buffers_uploads,
    front_timeout_short,
    front_upstream_not_listened,
    front_upstream_scheme,
    front_drops_authorization,
    front_cuts_path,
    front_port_taken,
    http_host_not_for_clients,
    http_secret_not_shared,
    debug_server_open,
    log_level_debug,
    s3_without_tls,
    maintenance_read_only,
    pull_through_cache,
    schema1_enabled,
    delete_disabled,
    notifications_in_clear,
    storage_drivers_not_one,
    s3_region_differs,
    s3_endpoint_not_for_clients,
    s3_chunk_size,
    s3_signature_v2,
    s3_bucket_in_host_name,
    s3_certificate_unchecked,
    gcs_key_file_unusable,
    gcs_over_http2,
    storage_not_shared,
    daemon_proxy_for_http_only,
    daemon_no_proxy_lacks_registry,
    daemon_mirror_malformed,
    daemon_proxies_misplaced,
    daemon_insecure_registry,
)
