"""Where an upload goes on: Locations, sessions, offsets."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.upload.location_host_or_port_wrong import location_host_or_port_wrong
from regtrace.diagnose.rules.upload.location_missing import location_missing
from regtrace.diagnose.rules.upload.location_path_prefix_lost import location_path_prefix_lost
from regtrace.diagnose.rules.upload.location_scheme_downgrade import location_scheme_downgrade
from regtrace.diagnose.rules.upload.query_or_path_mangled_by_proxy import (
    query_or_path_mangled_by_proxy,
)
from regtrace.diagnose.rules.upload.redirect_changes_upload_method import (
    redirect_changes_upload_method,
)
from regtrace.diagnose.rules.upload.upload_answer_lacks_range import upload_answer_lacks_range
from regtrace.diagnose.rules.upload.upload_credential_dropped_cross_host import (
    upload_credential_dropped_cross_host,
)
from regtrace.diagnose.rules.upload.upload_offset_conflict import upload_offset_conflict
from regtrace.diagnose.rules.upload.upload_secret_mismatch import upload_secret_mismatch
from regtrace.diagnose.rules.upload.upload_session_unknown import upload_session_unknown
from regtrace.diagnose.rules.upload.upload_state_lost import upload_state_lost

RULES: tuple[Rule, ...] = (
    location_scheme_downgrade,
    location_host_or_port_wrong,
    location_path_prefix_lost,
    location_missing,
    redirect_changes_upload_method,
    upload_state_lost,
    upload_secret_mismatch,
    upload_session_unknown,
    upload_offset_conflict,
    upload_answer_lacks_range,
    upload_credential_dropped_cross_host,
    query_or_path_mangled_by_proxy,
)
