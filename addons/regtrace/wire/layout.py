"""What the path of a storage URL names: the blob's digest, the bucket, the object's key."""

from __future__ import annotations

import re

from regtrace.wire.endpoint import is_digest
from regtrace.wire.url import Url

#: The end of a path that names the blob: a repository (255), a digest (135) and fixed words.
_TAIL = 1024

#: distribution registry/storage/paths.go, below any root directory or bucket.
_TREE = re.compile(
    r"/docker/registry/v2/(?:"
    r"blobs/(?P<algorithm>[a-z0-9+._-]+)/(?P<start>[0-9a-f]{2})/(?P<hex>(?P=start)[0-9a-f]{30,})/data"
    r"|repositories/.+/(?:_layers|_manifests/revisions|_manifests/tags/[^/]+/index)"
    r"/(?P<link_algorithm>[a-z0-9+._-]+)/(?P<link_hex>[0-9a-f]{32,})/link"
    r"|repositories/.+/(?:_manifests/tags/[^/]+/current/link"
    r"|_uploads/[^/]+/(?:data|startedat|hashstates/[^/]+/[0-9]+))"
    r")\Z"
)

#: Quay, digest/digest_tools.py: content_path.
_QUAY = re.compile(
    r"/(?P<algorithm>sha256|sha512)/(?P<start>[0-9a-f]{2})/(?P<hex>(?P=start)[0-9a-f]{62,})\Z"
)

#: OCI image layouts and zot.
_OCI = re.compile(r"/blobs/(?P<algorithm>sha256|sha512)/(?P<hex>[0-9a-f]{64,})\Z")

#: GHCR and registry.k8s.io (``sha256:<hex>``), Artifactory's repository paths (``sha256__<hex>``).
_LEAF = re.compile(r"/(?P<algorithm>sha256|sha512)(?::|__)(?P<hex>[0-9a-f]{64,})\Z")


def digest_in_path(path: str) -> str | None:
    """The digest that a storage path (percent-decoded) names; None when it names none.

    Known layouts: distribution, Quay, GHCR, registry.k8s.io, OCI image layouts, Artifactory's
    repository paths. Two leading digits that disagree with the digest make it none. ECR, Artifact
    Registry, ACR and Artifactory's own store have opaque paths.
    """
    tail = path[-_TAIL:]
    for layout in (_TREE, _QUAY, _OCI, _LEAF):
        match = layout.search(tail)
        if match:
            found = match.groupdict()
            algorithm = found.get("algorithm") or found.get("link_algorithm")
            digest = f"{algorithm}:{found.get('hex') or found.get('link_hex')}"
            return digest if algorithm and is_digest(digest) else None
    return None


def is_storage_layout(path: str) -> bool:
    """Whether this path lies in the tree of distribution or Quay, and can't be a registry route.

    Asked before a path is read as a route, since distribution's tree has ``/v2/`` in it.
    """
    tail = path[-_TAIL:]
    return _TREE.search(tail) is not None or _QUAY.search(tail) is not None


_VIRTUAL_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,62})\.(?:s3[.-][a-z0-9.-]*amazonaws\.com(?:\.cn)?"
    r"|oss-[a-z0-9-]+\.aliyuncs\.com|cos\.[a-z0-9-]+\.myqcloud\.com)\Z"
)


def bucket_and_key(url: Url) -> tuple[str | None, str | None]:
    """The bucket and the object's key of an S3 URL; path style unless the host is AWS's own, or of
    a cloud that has no other style (Alibaba's OSS, Tencent's COS).

    Amazon S3 User Guide, "Methods for accessing a general purpose bucket".
    """
    path = url.path.lstrip("/")
    virtual = _VIRTUAL_HOST.match(url.host)
    if virtual:
        return virtual["bucket"], path or None
    bucket, _, key = path.partition("/")
    return bucket or None, key or None


_COMPASS = r"(?:central|(?:north|south)?(?:east|west)|north|south)"
_REGION_NAME = rf"(?:us|eu|ap|ca|sa|me|af|cn|il|mx)(?:-gov|-iso[a-z]?)?-{_COMPASS}-[0-9]"
_REGION = re.compile(
    rf"(?:^|\.)s3(?:-fips|-r-w)?(?:\.dualstack)?[.-](?P<region>{_REGION_NAME})\.amazonaws\.com(?:\.cn)?\Z"
)


def is_region(text: str) -> bool:
    """Whether this has the form of a region of Amazon's: ``eu-central-1``, ``us-gov-west-1``."""
    return re.fullmatch(_REGION_NAME, text) is not None


def region_of_host(host: str) -> str | None:
    """The region that an S3 endpoint of Amazon's own names; None when it names none."""
    match = _REGION.search(host)
    return match["region"] if match else None
