"""RT703: the registry could not use its own disk: full, forbidden, read-only or damaged."""

from __future__ import annotations

from collections.abc import Iterable

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.disk import DiskFault, disk_fault, fault_in_words
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import BLOB_KINDS, MANIFEST_KINDS, Kind, Leg
from regtrace.wire.term import host, plain
from regtrace.wire.testimony import Told

_KINDS = (*BLOB_KINDS, *MANIFEST_KINDS, Kind.PING, Kind.TAGS)

#: What is wrong, and what to do about it first.
_WORDS = {
    DiskFault.FULL: (
        "its disk is full (ENOSPC)",
        (
            "Free space on the registry's disk (df -h and df -i: files can run out too), delete old"
            " tags and run registry garbage-collect, or enlarge the volume."
        ),
    ),
    DiskFault.QUOTA: (
        "the disk quota of its user or directory is used up (EDQUOT)",
        (
            "Raise the quota of the registry's user or directory (repquota -a), or delete old tags and"
            " run registry garbage-collect."
        ),
    ),
    DiskFault.DENIED: (
        "it may not write there (EACCES)",
        (
            "Give the directory to the user that the registry runs as: chown -R UID on it; with SELinux"
            " mount the volume with :Z; on Kubernetes set fsGroup in the securityContext."
        ),
    ),
    DiskFault.READ_ONLY: (
        "its file system is read-only (EROFS)",
        (
            "Mount the volume writable (a :ro volume, readOnly: true or readOnlyRootFilesystem); if the"
            " kernel did it after an error, see dmesg and run fsck."
        ),
    ),
    DiskFault.DAMAGED: (
        "its disk fails or its file system is damaged (EIO)",
        (
            "See dmesg on the registry's machine for errors of the disk, run fsck, and restore what is"
            " damaged from a backup."
        ),
    ),
    DiskFault.FILES: (
        "it has too many files open (EMFILE)",
        (
            "Raise the limit of open files of the registry: LimitNOFILE= in its unit, ulimits: nofile in"
            " compose.yaml."
        ),
    ),
    DiskFault.STALE: (
        "its network file system lost the directory (ESTALE)",
        "Mount the network file system again (umount, mount) and restart the registry.",
    ),
    DiskFault.TOO_LARGE: (
        "the file is larger than its file system or its limits allow (EFBIG)",
        (
            "Use a file system for large files (ext4, xfs) and set LimitFSIZE=infinity in the registry's"
            " unit."
        ),
    ),
}


@rule(
    number="RT703",
    slug="storage-full-or-denied",
    title="The registry {registry} can't use its own disk: {fault}",
    cause=(
        "{registry} answered with an error of its file system: {fault}. The request is right; no"
        " client can mend this. docker shows received unexpected HTTP status: 500 Internal Server"
        " Error and tries again in vain."
    ),
    fix=(
        "{remedy}",
        "Then push again; layers that were stored are not sent a second time.",
    ),
    check=("docker exec REGISTRY sh -c 'id; df -h /var/lib/registry; ls -ldn /var/lib/registry'",),
    references=(
        "https://distribution.github.io/distribution/about/garbage-collection/",
        "https://distribution.github.io/distribution/storage-drivers/filesystem/",
        "https://github.com/distribution/distribution/issues/971",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(_KINDS),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"filesystem","Enclosed":{"Op":"mkdir","Path":"/var/lib/registry/docker","Err":13}}}]}
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"filesystem","Enclosed":{"Op":"mkdir","Path":"/var/lib/registry/docker","Err":71}}}]}
""",
    also_fires=(
        """
client containerd/2.1.0
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1            -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"filesystem: write /var/lib/registry/docker/registry/v2/repositories/team/app/_uploads/u/data: no space left on device"}]}
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","message":"open /data/x: read-only file system"}]}
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 403 DENIED "permission denied"    # of the user, not of a file
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","detail":{"Op":"mkdir","Path":"/var/lib/registry","Err":28}}]}
+5s POST uploads             -> 202    # somebody made room
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def storage_full_or_denied(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_KINDS)
    if not refused:
        return DOES_NOT_APPLY
    by_wire = {leg.id: fault for leg in refused if (fault := disk_fault(leg)) is not None}
    faults = {**_by_log(facts, refused), **by_wire}
    legs = [leg for leg in refused if leg.id in faults]
    if not legs:
        return PASSES
    first = legs[0]
    what, remedy = _WORDS[faults[first.id]]
    return Fails(
        legs=tuple(legs),
        evidence=shown_by(first, "the registry failed, not the request"),
        confidence=Confidence.CERTAIN if first.id in by_wire else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "fault": plain(what),
            "remedy": plain(remedy),
        },
        count=tries(facts, legs),
    )


def _by_log(facts: Facts, refused: Iterable[Leg]) -> dict[str, DiskFault]:
    """Leg → what its registry's log says of its disk, where the registry failed."""
    lines = ((leg, said) for leg in refused for said in facts.testimony(leg))
    return {
        leg.id: fault
        for leg, said in lines
        if (leg.status or 0) >= 500
        and Told.DISK in said.told
        and (fault := fault_in_words(said.said.lower())) is not None
    }
