"""RT049: the registry sends a password with its notifications over plain http."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import is_loopback
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import host


@check(
    number="RT049",
    slug="notifications-in-clear",
    title="The registry sends credentials to {endpoint} over plain http",
    cause=(
        "The notifications to {endpoint} carry an Authorization header, and their URL begins with"
        " http://. Whoever is on the way reads it."
    ),
    fix=("Let the url of this endpoint in notifications begin with https://.",),
    references=("https://distribution.github.io/distribution/about/notifications/",),
    owner=Owner.REGISTRY,
    severity=Severity.WARNING,
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
notifications:
  endpoints:
    - name: audit
      url: http://audit.example.com/registry
      headers: {Authorization: [Bearer made-up-token-of-an-example]}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
notifications:
  endpoints:
    - name: audit
      url: https://audit.example.com/registry
      headers: {Authorization: [Bearer made-up-token-of-an-example]}
""",
)
def notifications_in_clear(setup: SetUp) -> Verdict:
    found = []
    some = False
    for side in setup.registries:
        for number in side.settings.below("notifications.endpoints"):
            endpoint = f"notifications.endpoints.{number}"
            url = side.settings.get(f"{endpoint}.url")
            header = side.settings.there(f"{endpoint}.headers.Authorization")
            some = True
            if url and url.url and header and url.url.scheme == "http":
                if is_loopback(url.url.host):
                    continue
                fields = {"endpoint": host(url.url.authority)}
                spots = (Spot(url, "where it is sent"), Spot(header, "what is sent along"))
                found.append(Wrong(spots=spots, fields=fields))
    return tuple(found) or (PASSES if some else DOES_NOT_APPLY)
