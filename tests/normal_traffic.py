"""What looks like a failure and is normal: stories that end well, in the notation.

The numbers are those of the list of normal traffic that the project works from.
"""

from __future__ import annotations

PING = "GET /v2/ -> 401\ntoken push,pull team/app -> 200\n"
PULL = "GET /v2/ -> 401\ntoken pull team/app -> 200\n"
DONE = "HEAD blob cfg -> 200\nPUT manifest 1 [cfg L1] -> 201\n"
UPLOAD = "POST uploads -> 202\nPATCH u1 L1 -> 202\nPUT u1 L1 -> 201\n"
READ = "GET manifest 1 [cfg L1] -> 200\n"

#: The packed empty tar that docker pushes for a layer without files.
EMPTY_LAYER = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"

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
    "J21 chunked, sized, and all at once": (
        "client containerd/2.1.0\n"
        + PING
        + "POST uploads -> 202\nPUT u1 L1 body=L1 -> 201\nPOST uploads -> 202\n"
        "PATCH u2 cfg -> 202\n  > -Content-Length\n  > Transfer-Encoding: chunked\n"
        "PUT u2 cfg -> 201\nPUT manifest 1 [cfg L1] -> 201\n"
    ),
    "J23 once unavailable": (
        "client crane/0.19.1\n"
        + PING
        + "POST uploads -> 202\nPATCH u1 L1 -> 503\n+1s "
        + UPLOAD.replace("u1", "u2")
        + DONE
    ),
    "J23 once throttled": (
        "client containerd/2.1.0\n" + PULL + "GET manifest 1 -> 429\n+1s " + READ
    ),
    "J24 the empty layer": (
        "client docker/24.0.7\n"
        f"blob {EMPTY_LAYER} 32B\n" + PING + f"HEAD blob {EMPTY_LAYER} -> 200\n" + DONE
    ),
}

#: The client that a story's first client line names can be any of these.
CLIENTS = (
    "docker/20.10.24",
    "docker/29.4.0",
    "docker-containerd/29.1.0",
    "containerd/2.1.0",
    "buildkit/0.23",
    "podman/5.29.2",
    "skopeo/1.14.2",
    "crane/0.19.1",
    "kaniko/1.23.0",
    "regctl/v0.8.0",
    "oras/1.2.0",
    "jib/3.4.0",
    "dotnet/8.0.100",
)
