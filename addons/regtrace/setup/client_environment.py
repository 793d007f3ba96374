"""What a container client without a daemon needs to pass a proxy and to trust it: its environment.

Nothing outside of that process changes. What can't work this way (a daemon or another user does
the work, or the program asks no environment) is refused, with the way that does.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Programs that drop the environment before they run another one.
_DROPS = ("sudo", "doas", "su", "pkexec", "ssh")
_ELSEWHERE = {
    "ctr": (
        "containerd 2 pushes and pulls inside the daemon, where this environment does not reach:"
        " add --local behind 'ctr images push' or pull"
    ),
    "buildctl": (
        "buildkitd does the push, in an environment of its own; only the token request is seen"
    ),
    "crictl": "the daemon does the pull, in an environment of its own; nothing will be seen",
}
_NO_GO_TRUST = ("darwin", "win32", "cygwin")


def refusal(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Why this command can't be followed by its environment; None when it can."""
    name = _name(command)
    if name in _DROPS:
        return (
            f"{name} runs the client without this environment; put regtrace behind it:"
            f" {name} … regtrace run -- CLIENT …"
        )
    remote = environment.get("CONTAINER_HOST")
    if name in {"podman", "podman-remote"} and (remote or _is_remote(command)):
        return (
            "podman's service does the work, in an environment of its own; unset CONTAINER_HOST"
            " and leave out --remote, or use regtrace gateway"
        )
    return None


def warnings(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """What may be missing with this command here."""
    found = []
    name = _name(command)
    if name in _ELSEWHERE and not ("--local" in command and name == "ctr"):
        found.append(f"{name}: {_ELSEWHERE[name]}")
    if sys.platform in _NO_GO_TRUST:
        found.append(
            "programs in Go ask the system's store here, not SSL_CERT_FILE; if the client does not"
            " trust the proxy, use regtrace gateway"
        )
    if name == "jib" or name == "java":
        found.append("Java has a store of its own: import the proxy's CA with keytool")
    for word in command[1:]:
        host = word.split("://", 1)[-1].split("/", 1)[0]
        if host.split(":")[0] in {"localhost", "127.0.0.1"} or host.startswith("[::1]"):
            found.append(
                f"{host}: Go never uses a proxy for loopback names, so nothing of it will be seen;"
                " use the machine's own name, or regtrace gateway"
            )
            break
    return found


def environment_for(
    environment: Mapping[str, str], proxy: str, bundle: Path, certificate: Path
) -> dict[str, str]:
    """The client's environment. ``bundle`` is the system's roots with the proxy's authority,
    ``certificate`` that alone."""
    # Go and most others read either spelling, curl only the small one for http.
    dropped = {"no_proxy", "all_proxy", "http_proxy", "https_proxy"}
    kept = {name: value for name, value in environment.items() if name.lower() not in dropped}
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy)
    # Go, OpenSSL; curl; Python's requests. Node has its own roots and adds to them.
    trusts = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
    return {
        **kept,
        **proxies,
        **dict.fromkeys(trusts, str(bundle)),
        "NODE_EXTRA_CA_CERTS": str(certificate),
    }


def changes(proxy: str) -> list[str]:
    """The same, to be read."""
    return [
        f"HTTP_PROXY={proxy} HTTPS_PROXY={proxy} (both spellings)",
        "NO_PROXY, ALL_PROXY: unset",
        "SSL_CERT_FILE, CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE: the system's roots and this run's",
        "NODE_EXTRA_CA_CERTS: the authority of this run",
    ]


def _name(command: Sequence[str]) -> str:
    return Path(command[0]).name.removesuffix(".exe")


def _is_remote(command: Sequence[str]) -> bool:
    words = [word.partition("=")[0] for word in command[1:4]]
    return any(word in {"--remote", "-r", "--url", "--connection", "-c"} for word in words)
