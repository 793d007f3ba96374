"""What looks like a failure and is normal: the push or pull is ok, and no attempt is made up.

The numbers are those of the list of normal traffic that the project works from.
"""

from __future__ import annotations

import pytest
from retelling import operations_of

from regtrace.follow.life import Ending, Fate

PING = "GET /v2/ -> 401\ntoken push,pull team/app -> 200\n"
PULL = "GET /v2/ -> 401\ntoken pull team/app -> 200\n"
DONE = "HEAD blob cfg -> 200\nPUT manifest 1 [cfg L1] -> 201\n"
UPLOAD = "POST uploads -> 202\nPATCH u1 L1 -> 202\nPUT u1 L1 -> 201\n"
READ = "GET manifest 1 [cfg L1] -> 200\n"

STORIES = {
    "J1 ping 401": "client docker/24.0.7\n" + PING + DONE,
    "J2 a 401 in the middle": (
        "client containerd/1.7.20\nHEAD blob L1 -> 401\ntoken pull team/app -> 200\n"
        "HEAD blob L1 -> 404\nPOST uploads -> 401 insufficient_scope\n"
        "token push,pull team/app -> 200\n" + UPLOAD.replace("PATCH u1 L1 -> 202\n", "") + DONE
    ),
    "J3 manifest is not there yet": (
        "client crane/0.19.1\n" + PING + "HEAD manifest 1 -> 404 NAME_UNKNOWN\n" + DONE
    ),
    "J4 blob is not there yet": (
        "client crane/0.19.1\n" + PING + "HEAD blob L1 -> 404\n" + UPLOAD + DONE
    ),
    "J5 mount declined": (
        "client crane/0.19.1\n"
        + PING
        + UPLOAD.replace("uploads ->", "uploads mount=L1 from=a/b ->")
        + DONE
    ),
    "J6 no attachments": (
        "client containerd/2.1.0\nimage M1 = cfg L1\n"
        + READ.replace("GET manifest 1", "GET manifest 1")
        + "GET blob L1 -> 200\nGET referrers M1 -> 404\n"
        + f"GET /v2/team/app/manifests/sha256-{'0' * 64} -> 404\n"
    ),
    "J7 redirect to the storage": (
        "client docker/24.0.7\n" + PULL + READ + "GET blob L1 -> 307 s3\nGET s3 L1 -> 200\n"
    ),
    "J8 mount refused, then uploaded": (
        "client docker/24.0.7\n" + PING + "POST uploads mount=L1 from=a/b -> 401\n" + UPLOAD + DONE
    ),
    "J9 token by POST refused": (
        "client containerd/1.7.20\nHEAD blob cfg -> 401\n"
        "token POST push,pull team/app -> 404\ntoken push,pull team/app -> 200\n" + DONE
    ),
    "J10 https fails, http works": (
        "client crane/0.19.1\nCONNECT registry.test:443 -> ! server-tls: wrong version number\n"
        "registry http://registry.test open\nGET /v2/ -> 200\n" + DONE
    ),
    "J11 session cancelled": (
        "client skopeo/1.14.2\n"
        + PING
        + "POST uploads mount=L1 from=a/b -> 202\nDELETE u1 -> 401\n"
        + UPLOAD.replace("u1", "u2")
        + DONE
    ),
    "J12 HEAD not allowed": (
        "client containerd/1.7.20\nHEAD manifest 1 -> 405\n" + READ + "GET blob L1 -> 200\n"
    ),
    "J13 HEAD without a digest": (
        "client docker/24.0.7\n"
        + PULL
        + "HEAD manifest 1 -> 200\n  < -Docker-Content-Digest\n"
        + READ
    ),
    "J14 mirror fails": (
        "client containerd/1.7.20\nregistry https://mirror.test open\n"
        "HEAD https://mirror.test/v2/team/app/manifests/1?ns=registry.test -> 502\n"
        "registry https://registry.test open\nHEAD manifest 1 -> 200\n" + READ
    ),
    "J15 chunk out of step": (
        "client regctl/v0.8.0\ntoken push,pull team/app -> 200\nPOST uploads -> 202\n"
        "PATCH u1 1MB -> 416\nGET u1 -> 204\nPATCH u1 1MB -> 202\nPUT u1 L1 -> 201\n" + DONE
    ),
    "J16 a parallel download is dropped": (
        "client containerd/2.1.0\n" + READ + "GET blob L1 took=2s -> 200\n"
        "& GET blob L1 c=2 took=1s -> ! client disconnected\n"
    ),
    "J17 parts, and a server that ignores Range": (
        "client podman/5.29.2\n" + PULL + READ + "GET blob L1 range=0-99 -> 206\n"
        "GET blob L1 range=100- -> 200\n"
    ),
    "J18 not modified": (
        "client docker/24.0.7\n" + PULL + "GET manifest 1 -> 304\n  > If-None-Match: x\n"
    ),
    "J19 realm under another host and path": (
        "realm https://registry.test/v2/token service=container_registry\nclient docker/24.0.7\n"
        + PING
        + UPLOAD
        + DONE
    ),
    "J20 Location on another host": (
        "client crane/0.19.1\n" + PING + "POST uploads -> 202\n"
        "  < Location: https://uploads.test/artifacts-uploads/namespaces/x/uploads/abc\n"
        "  < -Docker-Upload-UUID\n"
        "PATCH u1 L1 -> 202\n"
        "  < Location: https://uploads.test/artifacts-uploads/namespaces/x/uploads/abc\n"
        "  < -Docker-Upload-UUID\n"
        "PUT u1 L1 -> 201\n" + DONE
    ),
    "J22 anonymous pull": (
        "client docker/24.0.7\nGET /v2/ -> 401\ntoken anonymous pull team/app -> 200\n" + READ
    ),
    "J25 no digest in the answer": (
        "client docker/24.0.7\n" + PING + DONE + "  < -Docker-Content-Digest\n"
    ),
    "J26 v1 is not there": "client docker/24.0.7\nGET /v1/_ping -> 404\n" + PING + DONE,
    "J28 no tags": "client crane/0.19.1\n" + PULL + "GET tags -> 404 NAME_UNKNOWN\n",
    "J30 login": "client docker/24.0.7\nGET /v2/ -> 401\ntoken -> 200\nGET /v2/ auth -> 200\n",
}


@pytest.mark.parametrize("name", STORIES)
def test_nothing_failed(name: str) -> None:
    operations = operations_of(STORIES[name])
    told = [op for op in operations if op.repository or op.kind.value == "login"]
    assert [op.ending for op in told] == [Ending.OK]
    transfers = told[0].transfers
    assert not [t for t in transfers if t.fate is Fate.FAILED]
    assert {t.attempts for t in transfers} <= {1}
    # What stands beside it did not fail either.
    assert not [op for op in operations if op.ending is Ending.FAILED]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_once_refused_then_done(status: int) -> None:
    """J23: the client's own retry, counted and no more."""
    operation = operations_of(
        "client crane/0.19.1\n"
        + PING
        + f"POST uploads -> 202\nPATCH u1 L1 -> {status}\n+1s "
        + UPLOAD.replace("u1", "u2")
        + DONE
    )[0]
    assert operation.ending is Ending.OK
    assert [t.attempts for t in operation.transfers if t.size == 1_000_000] == [2]


def test_a_diagnostic_read_after_a_refused_probe_adds_no_attempt() -> None:
    """J27: containerd asks with GET for what HEAD could not say."""
    operation = operations_of(
        "client containerd/2.3.4\ntoken pull team/app -> 200\n"
        "HEAD manifest 1 -> 403\nGET manifest 1 -> 403\n"
    )[0]
    assert operation.ending is Ending.FAILED
    assert [t.attempts for t in operation.transfers] == [1]
