"""RT062: a mirror is written in a way that Docker does not take."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import Setting, SetUp
from regtrace.wire.term import host, plain


@check(
    number="RT062",
    slug="daemon-mirror-malformed",
    title="Docker does not take {mirror} as a mirror: {fault}",
    cause=(
        "An entry of registry-mirrors is a URL of scheme and host, and nothing else. With this one"
        " dockerd does not start: invalid mirror. Mirrors are asked for images of Docker Hub only."
    ),
    fix=(
        "Write it like https://mirror.example.com, and restart Docker: systemctl restart docker.",
    ),
    check=("dockerd --validate --config-file /etc/docker/daemon.json",),
    references=("https://docs.docker.com/docker-hub/image-library/mirror/",),
    owner=Owner.CLIENT,
    severity=Severity.ERROR,
    fires="""
==> daemon.json <==
{"registry-mirrors": ["mirror.example.com"]}
""",
    silent="""
==> daemon.json <==
{"registry-mirrors": ["https://mirror.example.com"]}
""",
    also_fires=(
        """
==> daemon.json <==
{"registry-mirrors": ["https://mirror.example.com/v2/library"]}
""",
    ),
)
def daemon_mirror_malformed(setup: SetUp) -> Verdict:
    mirrors = [
        each for daemon in setup.daemons for each in daemon.settings.items("registry-mirrors")
    ]
    found = []
    for each in mirrors:
        fault = _fault(each)
        if fault:
            name = each.url.authority if each.url else each.text
            spots = (Spot(each, "what Docker does not take"),)
            found.append(Wrong(spots=spots, fields={"mirror": host(name), "fault": plain(fault)}))
    return tuple(found) or (PASSES if mirrors else DOES_NOT_APPLY)


def _fault(mirror: Setting) -> str | None:
    """moby registry/config.go, ValidateMirror."""
    url = mirror.url
    if url is None or url.scheme not in {"http", "https"}:
        return "it has no scheme"
    if url.path not in {"", "/"} or url.query or "#" in mirror.text:
        return "there is a path behind the host"
    return "it has a user and a password" if "@" in mirror.text else None
