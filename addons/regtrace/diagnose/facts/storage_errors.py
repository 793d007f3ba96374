"""Why a storage refused, read alike wherever it says so: to the client after a redirect, or to the
registry, which passes it on in its own error.

Where nothing in an answer says why (a HEAD has no body), the signature's own words, its times
against the storage's clock, and the storage's other answers in the same operation do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from regtrace.diagnose.facts.answers import codes, is_somebody_elses, received, said, sent
from regtrace.diagnose.facts.hops import begins_in, expired_for
from regtrace.diagnose.rule import Confidence, Evidence, Fails, Owner
from regtrace.follow.life import Fate
from regtrace.follow.story import Chain, Transfer
from regtrace.wire.layout import bucket_and_key, is_storage_layout, region_of_host
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.presigned import Presigned
from regtrace.wire.storage import Vendor
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.testimony import Testimony, Told

if TYPE_CHECKING:
    from regtrace.diagnose.facts import Facts


class Reason(str, Enum):
    DENIED = "denied"
    """The signer was recognised and may not do this."""
    SIGNATURE = "signature"
    """The signature does not fit the request, or the secret is wrong."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    SKEWED = "skewed"
    """The signer's clock is too far from the storage's."""
    SESSION_TOKEN = "session-token"
    """The temporary credentials that signed have ended, or are unknown."""
    REGION = "region"
    MOVED = "moved"
    """The bucket is at another endpoint."""
    OLD_SIGNATURE = "old-signature"
    """Signature version 2, where only version 4 is accepted."""
    ACCESS_KEY = "access-key"
    """The storage does not know the key that signed."""
    METHOD = "method"
    """Signed for another method."""
    NO_BUCKET = "no-bucket"
    NO_OBJECT = "no-object"
    ENCRYPTION_KEY = "encryption-key"
    THROTTLED = "throttled"
    TWO_LOGINS = "two-logins"
    """An Authorization header beside a signed URL."""
    NETWORK_RULE = "network-rule"
    SUSPENDED = "suspended"
    """The storage's user is switched off."""
    OVER_QUOTA = "over-quota"
    UNEVEN_PARTS = "uneven-parts"


#: Codes of S3 and who imitates it, GCS, Azure, OSS and CloudFront (lower case) → what they mean.
#: docs.aws.amazon.com AmazonS3 API "Error responses"; cloud.google.com/storage/docs/xml-api/
#: reference-status; learn.microsoft.com "Blob Storage error codes"; ceph rgw_common.cc.
_CODES = {
    "accessdenied": Reason.DENIED,
    "allaccessdisabled": Reason.DENIED,
    "authorizationpermissionmismatch": Reason.DENIED,
    "authorizationresourcetypemismatch": Reason.DENIED,
    "authorizationservicemismatch": Reason.DENIED,
    "insufficientaccountpermissions": Reason.DENIED,
    "signaturedoesnotmatch": Reason.SIGNATURE,
    "authenticationfailed": Reason.SIGNATURE,
    "invalidauthenticationinfo": Reason.SIGNATURE,
    "requesttimetooskewed": Reason.SKEWED,
    "expiredtoken": Reason.SESSION_TOKEN,
    "invalidtoken": Reason.SESSION_TOKEN,
    "tokenrefreshrequired": Reason.SESSION_TOKEN,
    "securitytokenexpired": Reason.SESSION_TOKEN,
    "invalidsecuritytoken": Reason.SESSION_TOKEN,
    "illegallocationconstraintexception": Reason.REGION,
    "permanentredirect": Reason.MOVED,
    "temporaryredirect": Reason.MOVED,
    "invalidaccesskeyid": Reason.ACCESS_KEY,
    "missingkey": Reason.ACCESS_KEY,
    "invalidkey": Reason.ACCESS_KEY,
    "nosuchbucket": Reason.NO_BUCKET,
    "containernotfound": Reason.NO_BUCKET,
    "nosuchkey": Reason.NO_OBJECT,
    "blobnotfound": Reason.NO_OBJECT,
    "slowdown": Reason.THROTTLED,
    "slowdownread": Reason.THROTTLED,
    "slowdownwrite": Reason.THROTTLED,
    "serverbusy": Reason.THROTTLED,
    "authorizationfailure": Reason.NETWORK_RULE,
    "authorizationsourceipmismatch": Reason.NETWORK_RULE,
    "authorizationprotocolmismatch": Reason.NETWORK_RULE,
    "usersuspended": Reason.SUSPENDED,
    "accountsizeoverquota": Reason.OVER_QUOTA,
}

#: Code (lower case; empty: any), words beside it, and what both mean: codes that alone say little.
_PHRASES = (
    ("accessdenied", "request has expired", Reason.EXPIRED),
    ("accessdenied", "not yet valid", Reason.NOT_YET_VALID),
    ("accessdenied", "kms:", Reason.ENCRYPTION_KEY),
    ("accessdenied", "ciphertext", Reason.ENCRYPTION_KEY),
    ("accessdenied", "master key", Reason.ENCRYPTION_KEY),
    ("invalidargument", "only one auth mechanism", Reason.TWO_LOGINS),
    ("invalidargument", "credential access key has length", Reason.ACCESS_KEY),
    ("invalidrequest", "aws4-hmac-sha256", Reason.OLD_SIGNATURE),
    ("authorizationqueryparameterserror", "region", Reason.REGION),
    ("authorizationheadermalformed", "region", Reason.REGION),
    ("", "all non-trailing parts must have the same length", Reason.UNEVEN_PARTS),
    ("", "reduce your request rate", Reason.THROTTLED),
    ("", "temp url invalid", Reason.SIGNATURE),
    ("", "does not have storage.", Reason.DENIED),
)

#: Drivers of distribution that store elsewhere → whose storage.
_DRIVERS = {
    "s3aws": Vendor.S3,
    "s3goamz": Vendor.S3,
    "gcs": Vendor.GCS,
    "azure": Vendor.AZURE,
    "swift": Vendor.SWIFT,
    "oss": Vendor.OSS,
    "cos": Vendor.COS,
}

#: Those whose refusals have rules of their own.
OTHERS_THAN_S3 = frozenset(
    {Vendor.GCS, Vendor.AZURE, Vendor.CLOUDFRONT, Vendor.OSS, Vendor.COS, Vendor.SWIFT}
)

#: What the storage says of one object holds for all that the same key asks of it.
_OF_THE_KEY = frozenset(
    {
        Reason.DENIED,
        Reason.SIGNATURE,
        Reason.SKEWED,
        Reason.SESSION_TOKEN,
        Reason.REGION,
        Reason.OLD_SIGNATURE,
        Reason.ACCESS_KEY,
        Reason.NO_BUCKET,
        Reason.SUSPENDED,
    }
)

#: What the storage says of one URL, and not of another one of the same object.
_OF_ONE_URL = frozenset({None, Reason.EXPIRED, Reason.NOT_YET_VALID, Reason.TWO_LOGINS})

#: Seconds that a signature may begin in the future; S3, MinIO and GCS allow as many.
TOLERANCE = 15 * 60

#: Vendors that say the same of a wrong signature and of one whose time is over.
_SAY_ONE_OF_BOTH = frozenset({Vendor.AZURE, Vendor.SWIFT})


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageRefusal:
    """A storage's refusal, and why, as far as that is known."""

    leg: Leg
    """The leg that failed by it: the storage's own answer, or the registry's that passes it on."""
    redirect: Leg | None
    """What sent the client to the storage; None where that was not seen, or the registry asked."""
    transfer: Transfer | None
    vendor: Vendor | None
    reason: Reason | None
    code: str | None = None
    """The storage's code, as written; None where it was not said."""
    told_by: Leg
    """The answer that tells the reason: this one, or another of the same storage."""
    where: str
    """The place in that answer."""
    sure: Confidence

    @property
    def logged(self) -> bool:
        """Its reason stands in the registry's log alone."""
        return self.where == LOGGED

    @property
    def nested(self) -> bool:
        """The registry asked the storage itself."""
        return self.leg.kind is not Kind.STORAGE

    @property
    def is_s3(self) -> bool:
        """From S3, or from who speaks as it does."""
        return self.vendor not in OTHERS_THAN_S3

    @property
    def place(self) -> Term:
        """Which storage, for a sentence."""
        return plain("its storage") if self.nested else host(self.leg.url.authority)

    @property
    def bucket(self) -> Term:
        """The bucket, or a word to fill in; S3 names it in the host or first in the path."""
        if self.nested:
            return plain("BUCKET")
        return Term(TermKind.BUCKET, bucket_and_key(self.leg.url)[0] or "BUCKET")

    def evidence(self, why: str) -> tuple[Evidence, ...]:
        """How the client came there, that it was refused, and what says why."""
        answer = "the registry passes a refusal on" if self.nested else "the storage's refusal"
        rows = [Evidence(self.leg, "response.status", answer)]
        if self.redirect:
            sender = "storage" if self.redirect.kind is Kind.STORAGE else "registry"
            why_here = f"the {sender} sent the client here"
            rows.insert(0, Evidence(self.redirect, "response.header.Location", why_here))
        # What stands in the log is shown with every finding on its leg.
        if not self.logged and (self.told_by.id, self.where) != (self.leg.id, "response.status"):
            rows.append(Evidence(self.told_by, self.where, why))
        return tuple(rows)


def read_storage_refusals(facts: Facts) -> tuple[StorageRefusal, ...]:
    """Every refusal that no later success made good: those that the operation ended by first."""
    refusals = [
        refusal
        for transfer, chain in facts.chains
        if not facts.succeeded_later(chain.first)
        and (refusal := _read(transfer, chain, facts)) is not None
    ]
    told = _told_by_others(refusals, facts.legs)
    return tuple(sorted(told, key=lambda each: (not facts.is_fatal(each.leg), each.leg.started)))


def _read(transfer: Transfer | None, chain: Chain, facts: Facts) -> StorageRefusal | None:
    leg = chain.last
    if leg.kind is Kind.STORAGE:
        before = chain.legs[-2] if len(chain.legs) > 1 else None
        return _by_storage(transfer, before, leg) if _is_storages(leg) else None
    # What a registry could not do at once, it may have done at the client's next try.
    done = transfer is not None and transfer.fate is not Fate.FAILED
    if done:
        return None
    by_wire, said = _by_registry(transfer, leg), facts.testimony(leg)
    if by_wire is not None and by_wire.reason is not None:
        return by_wire
    return _by_log(transfer, leg, by_wire, said) or by_wire


def _is_storages(leg: Leg) -> bool:
    """A refusal in the storage's own voice: not a proxy's page, not a challenge of a registry."""
    refused = (leg.status or 0) >= 400 or leg.leads_nowhere
    if leg.broken or not refused or leg.is_challenge:
        return False
    return not is_anothers_page(leg)


def is_anothers_page(leg: Leg) -> bool:
    """An HTML page, told by its type on HEAD: S3, GCS and Azure answer in XML. CloudFront and Swift
    have pages of their own."""
    headers = received(leg)
    typed = (headers.get("Content-Type") or "").lower().startswith("text/html")
    page = typed or (leg.error is not None and leg.error.dialect == "html")
    return page and "X-Amz-Cf-Id" not in headers and "X-Trans-Id" not in headers


def refused_by_s3(facts: Facts, reason: Reason, *, logged: bool = False) -> list[StorageRefusal]:
    """What S3, or who speaks as it does, refused the client for this reason; with ``logged`` also
    what it refused the registry, as its log says."""
    return [
        refusal
        for refusal in facts.storage_refusals
        if refusal.reason is reason
        and refusal.is_s3
        and (not refusal.nested or (logged and refusal.logged))
    ]


def fails_by(
    refusals: Sequence[StorageRefusal],
    why: str,
    fields: Mapping[str, Term],
    *evidence: Evidence,
    owner: Owner | None = None,
) -> Fails:
    """The answer of a rule for these refusals; ``why``: what the place that tells the reason shows.

    The first one stands for all: they are of one reason.
    """
    first = refusals[0]
    rows = {(row.leg.id, row.where): row for row in (*first.evidence(why), *evidence)}
    return Fails(
        legs=tuple(refusal.leg for refusal in refusals),
        evidence=tuple(rows.values()),
        confidence=first.sure,
        transfer=first.transfer,
        fields=fields,
        count=len(refusals),
        owner=owner,
    )


# --- by the storage itself


def _by_storage(transfer: Transfer | None, before: Leg | None, leg: Leg) -> StorageRefusal:
    reason, code, where = _in_its_words(leg)
    sure = Confidence.CERTAIN
    if _came_with_login(leg) and reason in _WITH_TWO_LOGINS:
        sure = sure if reason is Reason.TWO_LOGINS else Confidence.LIKELY
        reason, where = Reason.TWO_LOGINS, "request.header.Authorization"
    elif _leaves_time_open(leg, reason) and (late := _by_time(leg)) is not None:
        reason, where = late, "response.header.Date"
    elif reason is Reason.DENIED and leg.presigned and expired_for(leg) is None:
        sure = Confidence.LIKELY  # its time may be over: that can't be told without a Date
    elif before is not None and before.vendor in _LIKE_S3 and reason in {None, Reason.SIGNATURE}:
        reason = Reason.MOVED  # another host than the one that was signed for
    elif reason is None:
        reason, where, sure = _by_other_signs(leg)
    return StorageRefusal(
        leg=leg,
        redirect=before,
        transfer=transfer,
        vendor=leg.vendor,
        reason=reason,
        code=code,
        told_by=leg,
        where=where,
        sure=sure,
    )


_LIKE_S3 = frozenset({Vendor.S3, Vendor.MINIO, Vendor.CEPH, Vendor.R2})
_WITH_TWO_LOGINS = frozenset({None, Reason.TWO_LOGINS, Reason.SIGNATURE, Reason.DENIED})


def _in_its_words(leg: Leg) -> tuple[Reason | None, str | None, str]:
    """Reason, code, and where it is said."""
    error = leg.error
    if error is None:
        return None, None, "response.status"
    code = error.code
    details = (error.element(name) or "" for name in ("Details", "AuthenticationErrorDetail"))
    words = "\n".join((said(leg), *(text.lower() for text in details)))
    reason = _meaning(code or "", words)
    if reason is Reason.SESSION_TOKEN and leg.vendor is Vendor.GCS:
        reason = Reason.EXPIRED  # of the signed URL: GCS has no other token in it
    told = error.element("Region")
    signed = leg.presigned.region if leg.presigned else None
    if reason is None and told and signed and told != signed:
        reason = Reason.REGION
    if code and code == error.header_code and not error.items:
        return reason, code, f"response.header.{_code_header(leg)}"
    return reason, code, "response.body" if error.text else "response.status"


def _code_header(leg: Leg) -> str:
    names = ("x-ms-error-code", "x-minio-error-code")
    return next((name for name in names if name in received(leg)), names[0])


def _meaning(code: str, words: str) -> Reason | None:
    """What a code (as written) and the words beside it (lower case) mean."""
    code = code.lower()
    if code.startswith("kms."):
        return Reason.ENCRYPTION_KEY
    for of, phrase, reason in _PHRASES:
        if of in {"", code} and phrase in words:
            return reason
    return _CODES.get(code)


def _came_with_login(leg: Leg) -> bool:
    signed = leg.presigned is not None and "Authorization" in sent(leg)
    return signed and leg.status in {400, 401, 403}


def _leaves_time_open(leg: Leg, reason: Reason | None) -> bool:
    """Whether these words are said of a URL whose time is over, too: Ceph and others say no more
    than AccessDenied then."""
    if leg.status not in {400, 401, 403}:
        return False
    vague = reason is Reason.SIGNATURE and leg.vendor in _SAY_ONE_OF_BOTH
    return vague or reason in {None, Reason.DENIED}


def _by_time(leg: Leg) -> Reason | None:
    over, ahead = expired_for(leg), begins_in(leg)
    if over is not None and over > 0:
        return Reason.EXPIRED
    tolerance = 1 if leg.vendor in {Vendor.AZURE, Vendor.CLOUDFRONT} else TOLERANCE
    return Reason.NOT_YET_VALID if ahead is not None and ahead > tolerance else None


def _by_other_signs(leg: Leg) -> tuple[Reason | None, str, Confidence]:
    """Where the answer itself does not say: its status, its headers and the signature."""
    region = received(leg).get("x-amz-bucket-region")
    signed = leg.presigned.region if leg.presigned else None
    if region and signed and region != signed:
        return Reason.REGION, "response.header.x-amz-bucket-region", Confidence.CERTAIN
    if leg.status == 429:
        return Reason.THROTTLED, "response.status", Confidence.CERTAIN
    if leg.status in {400, 401} and leg.presigned and _is_silent(leg):
        return _by_signature(leg, leg.presigned), "request.url", Confidence.LIKELY
    if leg.leads_nowhere:
        reason: Reason | None = Reason.MOVED
    else:
        reason = None if codes(leg) else _BY_STATUS.get(leg.status or 0)
    return reason, "response.status", Confidence.LIKELY


_BY_STATUS = {404: Reason.NO_OBJECT, 503: Reason.THROTTLED}


def _by_signature(leg: Leg, signature: Presigned) -> Reason | None:
    """What is wrong with a signature besides its value, where S3 answers 400; Swift has 401."""
    if leg.status == 401:
        return Reason.SIGNATURE if signature.scheme == "swift" else None
    region = region_of_host(leg.url.host)
    if signature.scheme == "s3-v2":
        return Reason.OLD_SIGNATURE
    if region and signature.region and region != signature.region:
        return Reason.REGION
    return Reason.SESSION_TOKEN if signature.session_token else None


def _is_silent(leg: Leg) -> bool:
    return leg.error is None or leg.error.dialect in {"empty", "unrecorded"}


# --- by other answers of the same storage


def _told_by_others(
    refusals: Iterable[StorageRefusal], legs: Iterable[Leg]
) -> Iterator[StorageRefusal]:
    """Bodyless refusals, with the reason that another answer gives: of the same object (containerd
    reads the body of a refused HEAD by a GET), or to the same key."""
    refusals = tuple(refusals)
    objects: dict[tuple[str, str], StorageRefusal] = {}
    keys: dict[tuple[str, str], StorageRefusal] = {}
    for refusal in refusals:
        if refusal.code and refusal.reason not in _OF_ONE_URL and not refusal.nested:
            objects.setdefault(_object(refusal.leg), refusal)
            if refusal.reason in _OF_THE_KEY:
                keys.setdefault(_key(refusal.leg), refusal)
    reads = [
        leg for leg in legs if (leg.kind, leg.method) == (Kind.STORAGE, "GET") and leg.succeeded
    ]
    read = frozenset(place for leg in reads for place in (_object(leg), _key(leg)))
    for refusal in refusals:
        leg = refusal.leg
        same = objects.get(_object(leg))
        if refusal.sure is Confidence.CERTAIN or refusal.nested or not _is_silent(leg):
            yield refusal
        elif same is not None:
            yield _borrowed(refusal, same, Confidence.CERTAIN)
        elif refusal.reason is not None:
            yield refusal
        elif (sure := _signed_for_get(leg, read)) is not None:
            yield replace(refusal, reason=Reason.METHOD, where="request.url", sure=sure)
        elif (other := keys.get(_key(leg))) is not None:
            yield _borrowed(refusal, other, Confidence.LIKELY)
        else:
            yield refusal


def _object(leg: Leg) -> tuple[str, str]:
    return leg.url.authority, leg.url.path


def _key(leg: Leg) -> tuple[str, str]:
    """Never equal to an object's place, whose path begins with a slash."""
    key = leg.presigned.key_id if leg.presigned else None
    return leg.url.authority, f"key {key}"


def _borrowed(to: StorageRefusal, of: StorageRefusal, sure: Confidence) -> StorageRefusal:
    return replace(of, leg=to.leg, redirect=to.redirect, transfer=to.transfer, sure=sure)


def _signed_for_get(leg: Leg, read: frozenset[tuple[str, str]]) -> Confidence | None:
    """How surely a refused HEAD was signed as a GET; None: nothing says so.

    ``read``: the objects, and the keys, that a GET has read. ``x-id`` is how AWS' newer SDKs name
    the operation that they sign; distribution signs each method by itself (s3-aws driver).
    """
    if leg.method != "HEAD" or leg.status != 403 or leg.presigned is None:
        return None
    if _object(leg) in read:
        return Confidence.CERTAIN
    others = _key(leg) in read and not is_storage_layout(leg.url.path)
    return Confidence.LIKELY if others or leg.url.param("x-id") == "GetObject" else None


# --- by the registry, which asked the storage itself


_WORD = re.compile(r"\b[A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)?\b")

_DRIVER_NAME = re.compile(rf"\b({'|'.join(_DRIVERS)})(?:_v2)?: ")

#: Where a reason stands that only the registry's log tells.
LOGGED = "registry-log"

#: Reasons that are said in words which no part of a registry but a storage uses.
_UNMISTAKABLE = frozenset({Reason.SKEWED, Reason.THROTTLED, Reason.OVER_QUOTA, Reason.UNEVEN_PARTS})


def _by_registry(transfer: Transfer | None, leg: Leg) -> StorageRefusal | None:
    """From the ``detail`` of a registry's 5xx. distribution 2.x has ``DriverName`` and what its
    driver's error says of itself there, often nothing; 3.x a string ``s3aws: Code: message``."""
    if leg.endpoint is None or leg.error is None or (leg.status or 0) < 500:
        return None
    if leg.error.dialect not in {"oci", "json", "text"}:
        return None
    details = [item.detail for item in leg.error.items]
    text = "\n".join((leg.error.text, *(word for each in details for word in _texts(each))))
    code = next((word for word in _WORD.findall(text) if _is_code(word)), None)
    reason = _meaning(code or "", text.lower())
    if reason is None and any(_is_path_not_found(each) for each in details):
        reason = Reason.NO_OBJECT
    vendor = next(filter(None, map(_vendor_of, details)), None)
    if vendor is None and reason not in _UNMISTAKABLE:
        return None
    return StorageRefusal(
        leg=leg,
        redirect=None,
        transfer=transfer,
        vendor=vendor,
        reason=reason,
        code=code,
        told_by=leg,
        where="response.body",
        sure=Confidence.CERTAIN,
    )


def _by_log(
    transfer: Transfer | None,
    leg: Leg,
    by_wire: StorageRefusal | None,
    said: Iterable[Testimony],
) -> StorageRefusal | None:
    """What the wire leaves open, from the words of the storage that the registry's log keeps. With
    the driver's name on the wire as well it is certain; from the log alone, likely."""
    if leg.endpoint is None or (leg.status or 0) < 500 or is_somebody_elses(leg):
        return None
    for line in said:
        if Told.STORAGE not in line.told:
            continue
        driver = _DRIVER_NAME.search(line.said)
        code = next((word for word in _WORD.findall(line.said) if _is_code(word)), None)
        reason = _meaning(code or "", line.said.lower())
        if reason is None and "path not found: " in line.said.lower():
            reason = Reason.NO_OBJECT
        if driver is None or reason is None:
            continue
        return StorageRefusal(
            leg=leg,
            redirect=None,
            transfer=transfer,
            vendor=_DRIVERS[driver[1]],
            reason=reason,
            code=code,
            told_by=leg,
            where=LOGGED,
            sure=Confidence.CERTAIN if by_wire is not None else Confidence.LIKELY,
        )
    return None


def _is_code(word: str) -> bool:
    return word.lower() in _CODES or word.startswith("KMS.")


def _vendor_of(detail: Any) -> Vendor | None:
    """Whose storage it is, by the driver that an error's ``detail`` names; None for a disk."""
    driver: Any = None
    if isinstance(detail, dict):
        driver = detail.get("DriverName") or detail.get("driver")
    elif isinstance(detail, str):
        driver = detail.partition(": ")[0]
    return _DRIVERS.get(driver.lower()) if isinstance(driver, str) else None


def _is_path_not_found(detail: Any) -> bool:
    """distribution's PathNotFoundError, in 2.x as an object (registry/storage/driver)."""
    if isinstance(detail, dict):
        return "Path" in detail and "Enclosed" not in detail
    return isinstance(detail, str) and ": path not found: " in detail.lower()


def _texts(value: Any) -> Iterator[str]:
    """Every text in JSON data, whose depth the decoder has bounded."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
