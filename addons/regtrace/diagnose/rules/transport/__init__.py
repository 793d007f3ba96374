"""Names, connections, TLS, and this proxy itself."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.transport.client_certificate_required_tls import (
    client_certificate_required_tls,
)
from regtrace.diagnose.rules.transport.client_does_not_trust_mitm_ca import (
    client_does_not_trust_mitm_ca,
)
from regtrace.diagnose.rules.transport.dns_failure import dns_failure
from regtrace.diagnose.rules.transport.http2_stream_broken import http2_stream_broken
from regtrace.diagnose.rules.transport.ipv6_path_broken import ipv6_path_broken
from regtrace.diagnose.rules.transport.mitm_altering_traffic import mitm_altering_traffic
from regtrace.diagnose.rules.transport.no_proxy_missing_for_internal_registry import (
    no_proxy_missing_for_internal_registry,
)
from regtrace.diagnose.rules.transport.proxy_refuses_connect import proxy_refuses_connect
from regtrace.diagnose.rules.transport.registry_certificate_expired import (
    registry_certificate_expired,
)
from regtrace.diagnose.rules.transport.registry_certificate_name_mismatch import (
    registry_certificate_name_mismatch,
)
from regtrace.diagnose.rules.transport.server_speaks_http_on_tls_port import (
    server_speaks_http_on_tls_port,
)
from regtrace.diagnose.rules.transport.shaped_by_interception import shaped_by_interception
from regtrace.diagnose.rules.transport.tcp_refused_or_timeout import tcp_refused_or_timeout
from regtrace.diagnose.rules.transport.tls_version_or_sni import tls_version_or_sni
from regtrace.diagnose.rules.transport.traffic_bypasses_mitm import traffic_bypasses_mitm
from regtrace.diagnose.rules.transport.upstream_certificate_rejected_by_mitm import (
    upstream_certificate_rejected_by_mitm,
)
from regtrace.diagnose.rules.transport.upstream_proxy_unreachable import upstream_proxy_unreachable

RULES: tuple[Rule, ...] = (
    client_does_not_trust_mitm_ca,
    upstream_certificate_rejected_by_mitm,
    registry_certificate_expired,
    registry_certificate_name_mismatch,
    client_certificate_required_tls,
    server_speaks_http_on_tls_port,
    tls_version_or_sni,
    proxy_refuses_connect,
    mitm_altering_traffic,
    http2_stream_broken,
    no_proxy_missing_for_internal_registry,
    dns_failure,
    tcp_refused_or_timeout,
    ipv6_path_broken,
    traffic_bypasses_mitm,
    shaped_by_interception,
    upstream_proxy_unreachable,
)
