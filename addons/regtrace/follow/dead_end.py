"""Manifests at which a pull must end, although they came with a 200.

A client says nothing of why it stops, so that it did stop counts too: one that went on, or that
has a right to stop there, is at no dead end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from regtrace.follow.story import Transfer, by_start
from regtrace.wire.client import Client, Family
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.platform import fits

#: Whose User-Agent names the machine that the image is for.
_NAME_PLATFORM = frozenset({Family.DOCKER, Family.DOCKER_CONTAINERD})

#: Who takes a manifest's type from its Content-Type alone, and goes no further with another's
#: (containerd core/remotes/docker/resolver.go, distribution manifests.go UnmarshalManifest).
_TRUST_TYPE = frozenset({Family.DOCKER, Family.DOCKER_CONTAINERD, Family.CONTAINERD})

#: The first version without schema 1: docker 26 reads it only when told to; containerd 2.0.
_WITHOUT_SCHEMA1 = {Family.DOCKER: 26, Family.DOCKER_CONTAINERD: 26, Family.CONTAINERD: 2}

_READS = frozenset({Kind.MANIFEST_GET, Kind.MANIFEST_HEAD})
_TYPES = (
    "application/vnd.docker.distribution.manifest.",
    "application/vnd.oci.image.",
    "application/vnd.oci.artifact.",
)
_SCHEMA1 = re.compile(r"application/vnd\.docker\.distribution\.manifest\.v1\+\w+")


def dead_end(client: Client | None, transfers: Iterable[Transfer]) -> Leg | None:
    """The last thing that a pull asked for, when it is a manifest that its client can't use."""
    legs = [leg for transfer in transfers for leg in transfer.legs]
    last = max(legs, key=by_start, default=None)
    if client is None or last is None or last.kind not in _READS or not last.succeeded:
        return None
    useless = (
        lacks_platform(last, client)
        or (is_schema1(last) and is_too_new_for_schema1(client))
        or (is_mislabelled(last) and client.family in _TRUST_TYPE)
    )
    return last if useless else None


def lacks_platform(leg: Leg, client: Client | None) -> bool:
    """An index without an entry for the machine that the client names."""
    manifest = leg.manifest
    if manifest is None or manifest.kind != "index" or client is None:
        return False
    if client.family not in _NAME_PLATFORM or client.os is None or client.arch is None:
        return False
    images = [entry for entry in manifest.manifests if not entry.is_attestation]
    return not any(fits(client.os, client.arch, entry) for entry in images)


def is_schema1(leg: Leg) -> bool:
    """A manifest of Docker's first schema, by its body or, of a HEAD, by its Content-Type."""
    if leg.manifest is not None:
        return leg.manifest.kind == "schema1"
    return _SCHEMA1.match(_type(leg)) is not None


def is_too_new_for_schema1(client: Client | None) -> bool:
    first = _WITHOUT_SCHEMA1.get(client.family) if client else None
    number = re.match(r"[0-9]{1,4}", (client.version or "") if client else "")
    return first is not None and number is not None and int(number[0]) >= first


def is_mislabelled(leg: Leg) -> bool:
    """A manifest whose Content-Type is not a manifest's."""
    if leg.kind not in _READS or not leg.succeeded:
        return False
    there = leg.manifest is not None or leg.method == "HEAD"
    return there and not _type(leg).startswith(_TYPES)


def _type(leg: Leg) -> str:
    response = leg.exchange.response
    named = response.headers.get("Content-Type") if response else None
    return (named or "").partition(";")[0].strip().lower()
