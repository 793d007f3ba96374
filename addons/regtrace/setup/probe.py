"""Which host a registry sends its clients to for their tokens: one request, without credentials."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from regtrace.report.visible import visible
from regtrace.setup.authority import named, system_roots
from regtrace.setup.refused import Refused
from regtrace.setup.roots import trusting
from regtrace.wire.challenge import parse_challenges

_SECONDS = 10


def hosts_of(registry: str) -> tuple[str, ...]:
    """The registry's host and, when it has one, its token server's. Raises Refused.

    The registry is asked for ``/v2/``, over HTTPS unless the URL says otherwise, and through the
    proxy that the environment names, if any.
    """
    url = registry if "://" in registry else f"https://{registry}"
    shown = visible(url, limit=120)
    try:
        parts = urlsplit(url)
        hosts = [parts.hostname or ""]
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError
    except ValueError:
        raise Refused(f"{shown}: is no URL of a registry") from None
    challenges = parse_challenges(_challenges(f"{parts.scheme}://{parts.netloc}/v2/", shown))
    realms = [each.realm for each in challenges if each.realm and "://" in each.realm]
    return named([*hosts, *(_host_in(realm, shown) for realm in realms)])


def _host_in(realm: str, shown: str) -> str:
    try:
        return urlsplit(realm).hostname or ""
    except ValueError:
        raise Refused(
            f"{shown}: announces a realm that is no URL ({visible(realm, limit=120)}); name the"
            " hosts yourself"
        ) from None


def _challenges(url: str, shown: str) -> list[str]:
    """The values of WWW-Authenticate in the answer."""
    context = trusting(system_roots())
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), _NoRedirects()
    )
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            return answer.headers.get_all("WWW-Authenticate") or []
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.headers.get_all("WWW-Authenticate") or []
    except (OSError, http.client.HTTPException, ValueError) as fault:
        reason = visible(str(getattr(fault, "reason", fault)), limit=200)
        raise Refused(
            f"{shown}: does not answer, so name the hosts yourself (registry, token server,"
            f" storage): {reason}"
        ) from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer too; where it leads is not the registry."""

    def redirect_request(self, *_: object) -> None:
        return None
