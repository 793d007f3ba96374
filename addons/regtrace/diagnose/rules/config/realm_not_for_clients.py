"""RT014: clients are sent for tokens to a name that only the registry's own machine or cluster knows."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import is_clusters_own, is_public, realms
from regtrace.diagnose.config.traffic import Ruling, Traffic, by_realm
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.settings import SetUp
from regtrace.wire.term import Term, TermKind


def _against(wrong: Wrong, traffic: Traffic) -> Ruling | None:
    return by_realm(wrong.spots[0].setting.text, traffic)


@check(
    number="RT014",
    slug="realm-not-for-clients",
    title="Clients are sent to {realm} for tokens, which they can't reach",
    cause=(
        "auth.token.realm is the address that the client, not the registry, gets its token from."
        " {realm} is known only where the registry runs: a loopback address, a name without a"
        " domain, a cluster's own name, or a private one while the registry is public."
    ),
    fix=(
        (
            "Set auth.token.realm to the URL by which clients reach the token server, such as"
            " https://gitlab.example.com/jwt/auth (gitlab.rb: external_url; Harbor: external_url or"
            " externalURL), and restart the registry."
        ),
    ),
    references=("https://distribution.github.io/distribution/about/configuration/#token",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("realm-internal-host", "realm-unreachable"),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "http://gitlab:8080/jwt/auth"}}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://gitlab.example.com/jwt/auth"}}
""",
    also_fires=(
        # Without scheme and host, as of GitLab without an external_url.
        """
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: /jwt/auth}}
""",
        # Private, and the registry is public.
        """
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {host: "https://registry.example.com"}
auth: {token: {realm: "https://10.1.2.3/jwt/auth"}}
""",
    ),
    also_silent=(
        # Everything is private.
        """
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {host: "https://registry.corp"}
auth: {token: {realm: "https://gitlab.corp/jwt/auth"}}
""",
    ),
    against=_against,
)
def realm_not_for_clients(setup: SetUp) -> Verdict:
    said = [realm for _, realm in realms(setup)]
    found = []
    for realm in said:
        url = realm.url
        private = url is not None and reach(url.host) is Reach.PRIVATE and is_public(setup)
        if url is None or is_clusters_own(url.host) or private:
            found.append(
                Wrong(
                    spots=(Spot(realm, "where clients get their tokens"),),
                    fields={"realm": Term(TermKind.SERVICE, url.origin if url else realm.text)},
                    confidence=Confidence.LIKELY if url else Confidence.CERTAIN,
                )
            )
    return tuple(found) or (PASSES if said else DOES_NOT_APPLY)
