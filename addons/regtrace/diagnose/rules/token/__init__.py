"""Tokens, realms and challenges."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.token.account_not_permitted import account_not_permitted
from regtrace.diagnose.rules.token.acr_firewall import acr_firewall
from regtrace.diagnose.rules.token.anonymous_where_login_needed import anonymous_where_login_needed
from regtrace.diagnose.rules.token.auth_loop import auth_loop
from regtrace.diagnose.rules.token.basic_auth_not_sent import basic_auth_not_sent
from regtrace.diagnose.rules.token.basic_challenge_from_proxy import basic_challenge_from_proxy
from regtrace.diagnose.rules.token.bearer_lost_before_registry import bearer_lost_before_registry
from regtrace.diagnose.rules.token.challenge_duplicated import challenge_duplicated
from regtrace.diagnose.rules.token.challenge_missing import challenge_missing
from regtrace.diagnose.rules.token.ecr_authorization_expired import ecr_authorization_expired
from regtrace.diagnose.rules.token.ecr_iam_denied import ecr_iam_denied
from regtrace.diagnose.rules.token.gar_gcr_denied_or_misnamed import gar_gcr_denied_or_misnamed
from regtrace.diagnose.rules.token.ghcr_package_forbidden import ghcr_package_forbidden
from regtrace.diagnose.rules.token.multi_scope_collapsed import multi_scope_collapsed
from regtrace.diagnose.rules.token.realm_internal_host import realm_internal_host
from regtrace.diagnose.rules.token.realm_mismatch import realm_mismatch
from regtrace.diagnose.rules.token.realm_scheme_downgrade import realm_scheme_downgrade
from regtrace.diagnose.rules.token.realm_unreachable import realm_unreachable
from regtrace.diagnose.rules.token.realm_wrong_port import realm_wrong_port
from regtrace.diagnose.rules.token.token_asked_for_too_little import token_asked_for_too_little
from regtrace.diagnose.rules.token.token_audience_mismatch import token_audience_mismatch
from regtrace.diagnose.rules.token.token_bad_credentials import token_bad_credentials
from regtrace.diagnose.rules.token.token_clock_skew import token_clock_skew
from regtrace.diagnose.rules.token.token_endpoint_denied import token_endpoint_denied
from regtrace.diagnose.rules.token.token_endpoint_not_a_token_server import (
    token_endpoint_not_a_token_server,
)
from regtrace.diagnose.rules.token.token_expired_during_upload import token_expired_during_upload
from regtrace.diagnose.rules.token.token_grants_less_than_asked import token_grants_less_than_asked
from regtrace.diagnose.rules.token.token_issuer_mismatch import token_issuer_mismatch
from regtrace.diagnose.rules.token.token_missing_in_answer import token_missing_in_answer
from regtrace.diagnose.rules.token.token_names_other_repository import token_names_other_repository
from regtrace.diagnose.rules.token.token_pat_scope_too_small import token_pat_scope_too_small
from regtrace.diagnose.rules.token.token_server_error import token_server_error
from regtrace.diagnose.rules.token.token_signed_by_untrusted_key import (
    token_signed_by_untrusted_key,
)

RULES: tuple[Rule, ...] = (
    realm_unreachable,
    realm_internal_host,
    realm_scheme_downgrade,
    realm_wrong_port,
    token_endpoint_not_a_token_server,
    token_missing_in_answer,
    token_bad_credentials,
    token_pat_scope_too_small,
    token_endpoint_denied,
    token_grants_less_than_asked,
    token_names_other_repository,
    multi_scope_collapsed,
    token_signed_by_untrusted_key,
    token_audience_mismatch,
    token_issuer_mismatch,
    token_expired_during_upload,
    token_clock_skew,
    auth_loop,
    bearer_lost_before_registry,
    basic_challenge_from_proxy,
    challenge_duplicated,
    challenge_missing,
    anonymous_where_login_needed,
    basic_auth_not_sent,
    ecr_authorization_expired,
    ecr_iam_denied,
    ghcr_package_forbidden,
    gar_gcr_denied_or_misnamed,
    acr_firewall,
    realm_mismatch,
    token_server_error,
    account_not_permitted,
    token_asked_for_too_little,
)
