"""RT701: the registry is in maintenance and takes no writes."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_registrys_own, received, said
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host

_WRITES = (
    Kind.UPLOAD_START,
    Kind.MOUNT,
    Kind.UPLOAD_CHUNK,
    Kind.UPLOAD_COMMIT,
    Kind.MANIFEST_PUT,
    Kind.MANIFEST_DELETE,
    Kind.BLOB_DELETE,
)
_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: Harbor's middleware/readonly, Quay's endpoints/v2/errors.py, Azure's locks.
_WORDS = (
    "operation is disallowed on this registry, repository or image",
    "in read only mode",
    "in read-only mode",
    "currently read-only",
    "pushes to the registry are currently disabled",
)


@rule(
    number="RT701",
    slug="registry-read-only",
    title="The registry {registry} is read-only",
    cause=(
        "{registry} answers reads and refuses every write, or every one to this repository. It was"
        " set to read-only, usually for the time of a garbage collection or a migration, or it is"
        " locked. docker shows this as error parsing HTTP 405 response body."
    ),
    fix=(
        "Wait until the maintenance is over, then push again.",
        (
            "If nobody is working on it, switch it off: storage.maintenance.readonly.enabled: false"
            " in distribution's config.yml; Harbor: Administration, Configuration, Repository Read"
            " Only; Quay: REGISTRY_STATE: normal. Restart the registry. Azure: az acr repository"
            " update --name REGISTRY --repository NAME --write-enabled true."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#readonly",
        "https://github.com/distribution/distribution/issues/1718",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(_WRITES),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 405
  < Allow: GET, HEAD
  < Content-Type: text/plain; charset=utf-8
  << Method not allowed
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 405 nginx    # a proxy before it does not let POST through
  < Allow: GET, HEAD
  < Content-Type: text/plain; charset=utf-8
  << Method not allowed
""",
    also_fires=(
        """
client skopeo/1.14.2
registry https://harbor.test
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 403 DENIED "The system is in read only mode. Any modification is prohibited."
""",
        """
client containerd/2.1.0
HEAD blob L1                 -> 200
HEAD manifest 1              -> 404
PUT manifest 1 [cfg L1]      -> 405 DENIED "System is currently read-only. Pulls will succeed but all write operations are currently suspended."
""",
    ),
    also_silent=(
        """
client podman/5.29.2
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads mount=L1 from=a/b -> 202
DELETE u1                    -> 405    # a session that is not needed; the registry may refuse that
POST uploads                 -> 202
PATCH u2 L1                  -> 202
PUT u2 L1                    -> 201
PUT manifest 1 [cfg L1]      -> 201
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 405
  < Allow: GET, HEAD
  << Method not allowed
+30s POST uploads            -> 202    # the maintenance was over
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def registry_read_only(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_WRITES)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _has_no_writing_handler(leg) or _says_so(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    evidence = shown_by(first, "a write was refused")
    if "Allow" in received(first):
        why = "all that the registry does at this address"
        evidence = (*evidence, Evidence(first, "response.header.Allow", why))
    return Fails(
        legs=tuple(legs),
        evidence=evidence,
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"registry": host(first.url.authority)},
        count=tries(facts, legs),
    )


def _has_no_writing_handler(leg: Leg) -> bool:
    """distribution leaves its writing methods out (registry/handlers/blobupload.go), and Go's
    MethodHandler then names the others in ``Allow``."""
    allowed = {word.strip().upper() for word in (received(leg).get("Allow") or "").split(",")}
    bare = leg.error is not None and leg.error.dialect in {"text", "empty"}
    reads_only = allowed <= _READ_METHODS and "GET" in allowed
    return leg.status == 405 and reads_only and bare and is_registrys_own(leg)


def _says_so(leg: Leg) -> bool:
    return any(words in said(leg) for words in _WORDS)
