"""What stands before the registry: limits, time-outs, pages in its place."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.front.answer_too_late_for_client import answer_too_late_for_client
from regtrace.diagnose.rules.front.body_too_large import body_too_large
from regtrace.diagnose.rules.front.cdn_challenge_page import cdn_challenge_page
from regtrace.diagnose.rules.front.client_certificate_required_http import (
    client_certificate_required_http,
)
from regtrace.diagnose.rules.front.cloudflare_400_on_large_upload import (
    cloudflare_400_on_large_upload,
)
from regtrace.diagnose.rules.front.fixed_time_upload_cut import fixed_time_upload_cut
from regtrace.diagnose.rules.front.gateway_error_page import gateway_error_page
from regtrace.diagnose.rules.front.gcs_backend_http2_502 import gcs_backend_http2_502
from regtrace.diagnose.rules.front.http10_upstream_426 import http10_upstream_426
from regtrace.diagnose.rules.front.length_required import length_required
from regtrace.diagnose.rules.front.method_blocked_by_middlebox import method_blocked_by_middlebox
from regtrace.diagnose.rules.front.misdirected_421 import misdirected_421
from regtrace.diagnose.rules.front.not_a_registry_answer import not_a_registry_answer
from regtrace.diagnose.rules.front.plain_http_to_tls_port import plain_http_to_tls_port
from regtrace.diagnose.rules.front.s3_chunk_unexpected_eof import s3_chunk_unexpected_eof
from regtrace.diagnose.rules.front.upload_reset_midway import upload_reset_midway
from regtrace.diagnose.rules.front.vhost_not_found import vhost_not_found
from regtrace.diagnose.rules.front.waf_block import waf_block

RULES: tuple[Rule, ...] = (
    body_too_large,
    cloudflare_400_on_large_upload,
    length_required,
    plain_http_to_tls_port,
    client_certificate_required_http,
    method_blocked_by_middlebox,
    http10_upstream_426,
    misdirected_421,
    gateway_error_page,
    gcs_backend_http2_502,
    fixed_time_upload_cut,
    upload_reset_midway,
    s3_chunk_unexpected_eof,
    waf_block,
    cdn_challenge_page,
    vhost_not_found,
    not_a_registry_answer,
    answer_too_late_for_client,
)
