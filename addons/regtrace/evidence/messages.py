"""What clients print when a push or pull fails, and what it can mean: a table, and its reader.

One message stands for several faults, since clients print the answer and not its cause. Each entry
names the rules that may be behind it, likeliest first, and the leg that decides between them.
Sources: moby distribution/errors.go and registry/client, containerd core/remotes/docker,
containers/image docker/, google/go-containerregistry transport/error.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Characters of a message that are looked at: it may quote a whole page.
MOST = 8_000


@dataclass(frozen=True, slots=True)
class Candidate:
    slug: str
    """Of a rule in the catalogue."""
    when: str
    """What must be on the wire for it."""


@dataclass(frozen=True, slots=True)
class Message:
    pattern: re.Pattern[str]
    """Searched for in the message, without case."""
    sense: str
    """What the client says by it, in other words."""
    candidates: tuple[Candidate, ...]
    decides: str
    """The leg of a capture that tells the candidates apart."""


@dataclass(frozen=True, slots=True)
class Sense:
    """An entry that fits a message."""

    message: Message
    said: str
    """The part of the message that it knows."""


def _entry(pattern: str, sense: str, decides: str, *candidates: tuple[str, str]) -> Message:
    return Message(
        re.compile(pattern, re.IGNORECASE),
        sense,
        tuple(Candidate(slug, when) for slug, when in candidates),
        decides,
    )


_ON_STORAGE = "the HEAD that followed the registry's 307, at the storage's host"
_ON_UPLOAD = "the POST, PATCH or PUT of the upload that was answered so"
_ON_TOKEN = "the request to the token server (the realm of the first 401) and its answer"
_ON_REFUSAL = "the registry's last 401, with its WWW-Authenticate, and the token that was sent"
_ON_TUNNEL = "the CONNECT or the TLS handshake, which only a running proxy sees"

#: The more particular before the more general: the first that fit come first in an answer.
MESSAGES: tuple[Message, ...] = (
    _entry(
        r"error parsing HTTP 403 response body: unexpected end of JSON",
        "A 403 without a body, where the client expected JSON: most often to a HEAD, so the answer"
        " of a storage, not of the registry.",
        _ON_STORAGE,
        ("storage-403-on-head", "the storage answers 403 without saying more"),
        ("s3-access-denied", "the storage names AccessDenied, at this or at another object"),
        ("presigned-url-expired", "the storage's Date is after the end of the signed URL"),
        ("s3-signature-mismatch", "a GET of the same object says SignatureDoesNotMatch"),
        ("presigned-method-mismatch", "GET of the same object is let through, HEAD is not"),
        ("s3-invalid-access-key", "the storage does not know the key in X-Amz-Credential"),
        ("request-time-too-skewed", "the storage's clock is far from the registry's"),
        ("ecr-authorization-expired", "the registry is ECR and the login older than 12 hours"),
        ("ecr-iam-denied", "the registry is ECR and itself answers 403"),
    ),
    _entry(
        r"error parsing HTTP 400 response body: unexpected end of JSON",
        "A 400 without a body, where the client expected JSON: a HEAD that a storage refused.",
        _ON_STORAGE,
        ("s3-wrong-region", "the region in X-Amz-Credential is not the bucket's"),
        ("s3-session-token-expired", "the URL carries X-Amz-Security-Token"),
        ("s3-sigv2-rejected", "the URL is signed by version 2 (AWSAccessKeyId=, Signature=)"),
        ("double-authentication", "the request to the storage also has an Authorization header"),
    ),
    _entry(
        r"error parsing HTTP 429|toomanyrequests|429 Too Many Requests"
        r"|reached your pull rate limit",
        "Somebody counts requests, and these were too many.",
        "the leg with 429: its Server, Retry-After and RateLimit headers",
        ("rate-limited", "the registry, its token server or a proxy answers 429"),
        ("storage-throttled", "the storage answers 429 or 503 SlowDown"),
    ),
    _entry(
        r"(?:413|Request Entity Too Large|Payload Too Large)",
        "A reverse proxy limits the size of what a client may send.",
        "the PATCH or PUT with 413: who answered, and after how many bytes",
        ("body-too-large", "the answer is the reverse proxy's own page"),
        ("quota-exceeded", "the registry's own error envelope speaks of a quota"),
    ),
    _entry(
        r"(?:400 Bad Request"
        r"|HTTP 400 response body).{0,400}plain HTTP request was sent to HTTPS port",
        "The client spoke plain HTTP to a port that expects TLS.",
        "the upload's Location, or the realm, that begins with http://",
        ("location-scheme-downgrade", "the Location of the upload begins with http://"),
        ("realm-scheme-downgrade", "the realm of the challenge begins with http://"),
        ("plain-http-to-tls-port", "the client itself was told to use http"),
    ),
    _entry(
        r"error parsing HTTP \d{3} response body: invalid character 'M'|Method not allowed",
        "The registry does not allow writing at all.",
        _ON_UPLOAD,
        ("registry-read-only", "405 with the line Method not allowed"),
        ("push-to-cache-registry", "405 UNSUPPORTED: the registry is a pull-through cache"),
        ("method-blocked-by-middlebox", "405 with the page of a proxy or firewall"),
    ),
    _entry(
        r"<Code>AccessDenied</Code>",
        "The storage refuses to let the client read.",
        _ON_STORAGE,
        ("s3-access-denied", "the signature is in order"),
        ("presigned-url-expired", "its Message is Request has expired"),
        ("kms-key-denied", "its Message speaks of kms"),
    ),
    _entry(
        r"error parsing HTTP \d{3} response body: invalid character '<'|StatusCode: \d{3}, <",
        "A page in HTML or XML came where the registry answers in JSON: something before the"
        " registry, or its storage, answered.",
        "the leg with that status: its Server header and its page",
        ("gateway-error-page", "502, 503 or 504 with a proxy's page"),
        ("body-too-large", "413 with a proxy's page"),
        ("method-blocked-by-middlebox", "403 or 405 to PATCH, PUT or DELETE alone"),
        ("waf-block", "403 with the page of a firewall"),
        ("length-required", "411"),
        ("vhost-not-found", "404 with the page of a web server"),
        ("s3-access-denied", "403 with <Error> in XML, from the storage"),
        ("s3-signature-mismatch", "403 with <Code>SignatureDoesNotMatch</Code>"),
    ),
    _entry(
        r"failed to fetch (?:anonymous|oauth) token|unable to retrieve auth token"
        r"|Requesting bearer token|unable to decode token response",
        "The token server did not give a token.",
        _ON_TOKEN,
        ("token-bad-credentials", "it answers 401 to a user name and password"),
        ("token-endpoint-denied", "it answers 403"),
        ("realm-unreachable", "nothing answers at the realm's address"),
        ("realm-internal-host", "the realm names a host that only the registry's network knows"),
        ("token-endpoint-not-a-token-server", "it answers with a page (invalid character '<')"),
        ("anonymous-where-login-needed", "no credentials were sent"),
        ("token-server-error", "it answers 5xx"),
        ("token-missing-in-answer", "it answers 200 without a token"),
        ("realm-scheme-downgrade", "502: the realm begins with http:// at a port with TLS"),
        ("rate-limited", "it answers 429"),
    ),
    _entry(
        r"insufficient_scope",
        "The token does not grant what this request needs, and the client asked twice in vain.",
        _ON_REFUSAL,
        (
            "token-grants-less-than-asked",
            "the token's access lacks push or pull of this repository",
        ),
        ("multi-scope-collapsed", "several scopes were asked for and only one is in the token"),
        ("token-names-other-repository", "the token names another repository"),
        ("token-asked-for-too-little", "the token was never asked for with the scope it lacks"),
        ("mount-refused-and-fatal", "the POST has mount= and from="),
        ("account-not-permitted", "the account is known and may not do this"),
    ),
    _entry(
        r"invalid_token",
        "The registry got a token and finds it no good.",
        _ON_REFUSAL,
        ("token-signed-by-untrusted-key", "nothing readable in the token is wrong"),
        ("token-clock-skew", "nbf is ahead, or exp behind, the registry's Date"),
        ("token-audience-mismatch", "aud is not the service of the challenge"),
        ("token-issuer-mismatch", "the registry's log says: token from untrusted issuer"),
    ),
    _entry(
        r"no basic auth credentials",
        "The registry asks for a user name and password, and the client has none for this host.",
        "the first 401 and its WWW-Authenticate",
        ("basic-auth-not-sent", "the challenge is Basic and no Authorization came"),
        ("basic-challenge-from-proxy", "the Basic challenge is a reverse proxy's"),
    ),
    _entry(
        r"requested access to the resource is denied|pull access denied|push access denied",
        "The registry refuses this account, or nobody, this repository.",
        _ON_REFUSAL,
        ("token-grants-less-than-asked", "the token's access lacks what was asked for"),
        ("anonymous-where-login-needed", "the token was fetched without credentials"),
        ("account-not-permitted", "the registry itself says DENIED"),
        ("token-names-other-repository", "the token names another repository"),
        ("repository-unknown", "the repository does not exist, and the registry hides that"),
        ("token-pat-scope-too-small", "a personal access token without write rights was used"),
        ("quota-exceeded", "DENIED with words about a quota"),
        ("policy-violation", "DENIED with words about a policy"),
        ("ghcr-package-forbidden", "the registry is ghcr.io"),
        ("gar-gcr-denied-or-misnamed", "the registry is Google's"),
        ("ecr-iam-denied", "the registry is ECR"),
    ),
    _entry(
        r"unauthorized: authentication required|invalid username/password|unauthorized: incorrect"
        r"|HTTP Basic: Access denied|unauthorized(?:$|:\s*$)|401 Unauthorized",
        "The registry or its token server does not accept who asks.",
        _ON_REFUSAL,
        ("token-bad-credentials", "the token server answers 401"),
        ("token-signed-by-untrusted-key", "the registry answers invalid_token to a sound token"),
        ("token-clock-skew", "the token is not valid at the registry's Date"),
        ("token-missing-in-answer", "the token server's answer has no token in it"),
        ("token-expired-during-upload", "the 401 comes at a late PATCH or PUT"),
        ("bearer-lost-before-registry", "the 401 has no error= although a Bearer was sent"),
        ("token-audience-mismatch", "aud is not the service of the challenge"),
        ("location-scheme-downgrade", "the upload goes on at http://, without its token"),
        ("basic-challenge-from-proxy", "the 401 is a reverse proxy's"),
        ("upload-credential-dropped-cross-host", "the upload goes on at another host"),
    ),
    _entry(
        r"blob upload (?:unknown|invalid)",
        "The registry does not know the upload session that the client goes on with.",
        "the 202 that gave the Location, and the PATCH or PUT that was refused",
        ("upload-secret-mismatch", "_state comes back as it was given, and is refused"),
        ("upload-session-unknown", "404 for a session that was just given"),
        ("upload-state-lost", "_state is missing in the request"),
        ("location-path-prefix-lost", "the Location lacks the path before /v2/"),
        ("location-host-or-port-wrong", "the Location leads elsewhere"),
        ("query-or-path-mangled-by-proxy", "the URL changed on its way"),
    ),
    _entry(
        r"Stored credentials invalid or expired|login attempt to \S{1,400} failed",
        "The login was refused.",
        _ON_TOKEN,
        ("token-bad-credentials", "the token server, or the registry, answers 401"),
        ("token-server-error", "it answers 5xx"),
    ),
    _entry(
        r"manifest unknown|manifest for \S{1,400} not found|: not found$",
        "There is no manifest of that name.",
        "the manifest's HEAD or GET with 404, and who answered it",
        ("manifest-unknown", "the registry says MANIFEST_UNKNOWN"),
        ("manifest-not-there-for-build", "a build asked with HEAD, and was answered 404"),
        ("repository-unknown", "the registry says NAME_UNKNOWN"),
        ("name-invalid", "the name breaks the registry's grammar"),
        ("manifest-accept-too-narrow", "the same name is found with another Accept"),
        ("vhost-not-found", "the 404 is a web server's page"),
    ),
    _entry(
        r"manifest blob unknown|MANIFEST_BLOB_UNKNOWN|blobs and/or manifests are missing",
        "The manifest names something that the registry has not got.",
        "the manifest's PUT with 404 or 400, and the digests in its body",
        ("manifest-references-missing-blob", "a blob or child of the manifest was not stored"),
        ("stale-blob-cache-after-gc", "its HEAD said 200 before"),
    ),
    _entry(
        r"manifest invalid|MANIFEST_INVALID|Uploading manifest (?:list )?failed",
        "The registry does not take this manifest.",
        "the manifest's PUT and the error in its answer",
        ("manifest-invalid", "400 MANIFEST_INVALID"),
        ("manifest-type-rejected", "415, or an error about the media type"),
        ("schema1-push-refused", "the manifest is of schema 1"),
        ("manifest-references-missing-blob", "MANIFEST_BLOB_UNKNOWN beside it"),
    ),
    _entry(
        r"unknown blob|blob unknown",
        "The registry, or its storage, has not got the layer.",
        "the blob's GET or HEAD with 404, and whose answer it is",
        ("blob-unknown-on-pull", "the registry says BLOB_UNKNOWN"),
        ("blob-missing-in-storage", "the registry redirects and the storage answers 404"),
        ("manifest-references-missing-blob", "it was the manifest's PUT"),
    ),
    _entry(
        r"no matching manifest for|no match for platform",
        "The image has no variant for this machine's system and processor.",
        "the index, with the platforms in it",
        ("platform-not-in-index", "the platform is not among those of the index"),
    ),
    _entry(
        r"filesystem layer verification failed|unexpected commit digest|Digest did not match"
        r"|failed size validation|got digest \S{1,200} expected",
        "Other bytes came than were asked for.",
        "the layer's GET: its length, its coding, and the digest of what came",
        ("blob-digest-mismatch", "all bytes came, with another digest"),
        ("blob-truncated", "fewer bytes came than were announced"),
        ("content-coding-on-blob", "the answer has Content-Encoding"),
        ("head-or-blob-without-length", "the answer has no Content-Length"),
    ),
    _entry(
        r"digest invalid|provided digest did not match|DIGEST_INVALID",
        "The registry got other bytes than the digest says.",
        "the upload's PUT, and the bytes of its PATCH",
        ("digest-invalid", "400 DIGEST_INVALID"),
    ),
    _entry(
        r"server gave HTTP response to HTTPS client"
        r"|first record does not look like a TLS handshake",
        "The client expected TLS and got plain HTTP.",
        _ON_TUNNEL + ": the message names the URL, which may be the realm's",
        ("server-speaks-http-on-tls-port", "the registry's port does not speak TLS"),
        ("realm-wrong-port", "the URL is the realm's"),
        ("location-host-or-port-wrong", "the URL is the upload's Location"),
    ),
    _entry(
        r"x509: certificate signed by unknown authority|self.signed certificate",
        "The client does not know who signed the certificate that it was shown.",
        _ON_TUNNEL,
        ("client-does-not-trust-mitm-ca", "regtrace's proxy is on the way and its CA is not known"),
        ("upstream-certificate-rejected-by-mitm", "the proxy does not trust the registry"),
        ("storage-host-blocked-or-inspected", "the host is the storage's"),
    ),
    _entry(
        r"x509: certificate has expired|certificate is not yet valid",
        "The certificate is not valid now, by this machine's clock.",
        _ON_TUNNEL,
        ("registry-certificate-expired", "the registry's own certificate is over"),
        ("upstream-certificate-rejected-by-mitm", "the proxy refused it"),
    ),
    _entry(
        r"x509: certificate is (?:valid for|not valid for)|doesn't contain any IP SANs"
        r"|relies on legacy Common Name",
        "The certificate is for other names.",
        _ON_TUNNEL,
        ("registry-certificate-name-mismatch", "the name is not among those of the certificate"),
    ),
    _entry(
        r"remote error: tls: (?:bad certificate|certificate required)|No required SSL certificate",
        "The server wants a certificate from the client.",
        _ON_TUNNEL,
        ("client-certificate-required-tls", "the handshake ends with that alert"),
        ("client-certificate-required-http", "400 with nginx's page about it"),
    ),
    _entry(
        r"/v1/_ping",
        "The client fell back to the protocol of before 2015: the real error was one request"
        " before.",
        "the request to /v2/ before it",
        ("v1-fallback", "/v2/ failed and /v1/ was asked"),
    ),
    _entry(
        r"(?:at destination|token): invalid character '<'",
        "A web page came where JSON belongs.",
        _ON_TOKEN,
        ("token-endpoint-not-a-token-server", "the token server answers 200 with a page"),
        ("not-a-registry-answer", "the registry's host answers with a page"),
    ),
    _entry(
        r"unexpected status: 400 Bad Request",
        "The server did not understand the request at all.",
        "the leg with 400 and its body",
        ("plain-http-to-tls-port", "Client sent an HTTP request to an HTTPS server"),
        ("s3-wrong-region", "it is a storage's HEAD"),
        ("name-invalid", "the registry says NAME_INVALID"),
    ),
    _entry(
        r"(?:: |\")unsupported\W*$|The operation is unsupported",
        "The registry does not do this at all.",
        _ON_UPLOAD,
        ("push-to-cache-registry", "405 UNSUPPORTED to the start of an upload"),
        ("registry-read-only", "405 with Method not allowed"),
        ("manifest-type-rejected", "it was the manifest's PUT"),
    ),
    _entry(
        r"missing or empty Content-Type|unexpected media type text/html"
        r"|unsupported.{0,40}text/html",
        "A web page came where a manifest belongs.",
        "the manifest's GET, with its Content-Type",
        ("not-a-registry-answer", "the answer is a page"),
        ("manifest-content-type-wrong", "it is a manifest under a wrong type"),
        ("vhost-not-found", "another web server answered"),
    ),
    _entry(
        r"no Location header in response|missing Location",
        "The registry took the upload and did not say where it goes on.",
        "the upload's POST with 202, without Location",
        ("location-missing", "202 without Location"),
    ),
    _entry(
        r"unexpected status(?: code)?(?: from HEAD request to)?:?(?: https?://\S{1,2000}:?)? ?403"
        r"|unexpected status from HEAD request to|Error fetching blob: invalid status code",
        "A HEAD or GET was refused at the end of its redirects; the URL says whether by the"
        " registry"
        " or by its storage.",
        _ON_STORAGE,
        ("storage-403-on-head", "403 without a body, at the storage"),
        ("s3-access-denied", "the storage says AccessDenied"),
        ("s3-signature-mismatch", "the storage says SignatureDoesNotMatch"),
        ("presigned-method-mismatch", "HEAD is refused and GET is not"),
        ("presigned-url-expired", "the URL was over"),
        ("blob-unknown-on-pull", "404 by the registry itself"),
        ("blob-missing-in-storage", "404 by the storage"),
        ("storage-endpoint-unreachable", "502: the proxy does not reach the storage's host"),
    ),
    _entry(
        r"HEAD responses have no body, use GET for details",
        "A HEAD was refused; why is not in its answer.",
        "that HEAD, and the GET of the same URL",
        ("storage-403-on-head", "the URL is the storage's"),
        ("storage-backend-error", "500 by the registry"),
        ("token-grants-less-than-asked", "401 or 403 by the registry"),
    ),
    _entry(
        r"no space left on device",
        "A disk is full: the registry's, if the registry says so; else the client's own.",
        _ON_UPLOAD,
        ("storage-full-or-denied", "500 with these words in its body, or in the registry's log"),
    ),
    _entry(
        r"(?:received unexpected HTTP status|unexpected status(?: code)?):? ?(?:50[234]|52\d)"
        r"|50[234] (?:Bad Gateway|Service Unavailable|Gateway Time-?out)|(?:^|: )Bad Gateway\W*$",
        "A proxy answers in the registry's place: it got no answer itself.",
        "the leg with that status: its Server header says which proxy",
        ("gateway-error-page", "a reverse proxy's page"),
        ("tcp-refused-or-timeout", "regtrace's own proxy could not connect"),
        ("upstream-certificate-rejected-by-mitm", "regtrace's own proxy refused a certificate"),
        ("realm-unreachable", "the URL is the token server's"),
        ("location-host-or-port-wrong", "the URL is the upload's, at an inner address"),
        ("registry-unhealthy", "503 in the registry's own envelope"),
        ("fixed-time-upload-cut", "always after the same number of seconds"),
        ("gcs-backend-http2-502", "502 from a registry on Google Cloud Storage"),
    ),
    _entry(
        r"(?:received unexpected HTTP status|unexpected status(?: code)?):? ?500"
        r"|500 (?:\(?Internal Server Error)",
        "The registry could not do it; the cause is behind it, and no request is at fault.",
        "the leg with 500: the error in its body, and the registry's own log (--registry-log)",
        ("storage-backend-error", "the body names a storage driver"),
        ("storage-full-or-denied", "the body, or the log, has a file system's words"),
        ("s3-invalid-access-key", "the log says InvalidAccessKeyId"),
        ("s3-signature-mismatch", "the log says SignatureDoesNotMatch"),
        ("storage-no-such-bucket", "the log says NoSuchBucket"),
        ("request-time-too-skewed", "the log says RequestTimeTooSkewed"),
        ("s3-chunk-unexpected-eof", "the body, or the log, says unexpected EOF"),
        ("schema1-push-refused", "it was the PUT of a schema 1 manifest"),
    ),
    _entry(
        r"tag is immutable|configured as immutable|412 Precondition Failed|immutable tag"
        r"|overwrite .{0,80}immutable",
        "The tag is there already and may not be moved.",
        "the manifest's PUT with 412 or 409",
        ("tag-immutable", "the registry says so"),
    ),
    _entry(
        r"exceed(?:s|ed)? .{0,60}(?:quota|upper limit)|quota",
        "The project's share of the storage is used up.",
        "the manifest's PUT or the upload with 403 or 413",
        ("quota-exceeded", "the registry says so"),
    ),
    _entry(
        r"no such host|server misbehaving|Temporary failure in name resolution",
        "A name has no address here.",
        _ON_TUNNEL + "; the message says which name",
        ("dns-failure", "the registry's name"),
        ("realm-internal-host", "the realm's name"),
        ("storage-endpoint-unreachable", "the storage's name"),
        ("location-host-or-port-wrong", "the name in the upload's Location"),
    ),
    _entry(
        r"connection refused|i/o timeout|no route to host|network is unreachable"
        r"|context deadline exceeded|Client\.Timeout exceeded",
        "No connection, or no answer in time.",
        _ON_TUNNEL + "; the message says which address",
        ("tcp-refused-or-timeout", "the registry's address"),
        ("realm-unreachable", "the realm's address"),
        ("storage-endpoint-unreachable", "the storage's address"),
        ("ipv6-path-broken", "only its IPv6 address"),
        ("no-proxy-missing-for-internal-registry", "the proxy can't reach what the client can"),
        ("answer-too-late-for-client", "the answer came after the client had gone"),
    ),
    _entry(
        r"proxyconnect tcp|/v2/\"?: (?:Forbidden|Proxy Authentication Required"
        r"|Service Unavailable)",
        "The proxy does not let the client out to this host.",
        _ON_TUNNEL,
        ("proxy-refuses-connect", "the CONNECT was answered with an error"),
    ),
    _entry(
        r"stream error: stream ID|http2: |GOAWAY",
        "HTTP/2 broke in the middle.",
        "the leg that ended so, and how many bytes had passed",
        ("http2-stream-broken", "the stream was reset"),
        ("upload-reset-midway", "while a layer was being sent"),
    ),
    _entry(
        r"unexpected EOF|connection reset by peer|broken pipe|Retrying in \d+ second|(?:^|: )EOF$",
        "The connection ended before the answer; the client tries again and then gives up.",
        "the PATCH or PUT that broke off: after how many seconds and bytes, and where it went",
        ("upload-reset-midway", "it ended in the middle of the body"),
        ("fixed-time-upload-cut", "always after the same number of seconds"),
        ("location-scheme-downgrade", "the Location begins with http://"),
        ("location-host-or-port-wrong", "the Location leads to an inner address"),
        ("upload-answer-lacks-range", "docker prints EOF where the 202 has no Range"),
        ("s3-chunk-unexpected-eof", "500 with the words unexpected EOF"),
        ("blob-truncated", "it was a GET"),
        ("no-proxy-missing-for-internal-registry", "the proxy can't reach what the client can"),
    ),
    _entry(
        r"^(?:denied|unauthorized|unknown):\s*$",
        "401, 403 or another error without a body.",
        _ON_STORAGE,
        ("storage-403-on-head", "403 from the storage"),
        ("ecr-authorization-expired", "403 from ECR to a HEAD"),
        ("bearer-lost-before-registry", "401 although a token was sent"),
    ),
    _entry(
        r"error parsing HTTP 401 response body|checking whether a blob \S{1,200} exists",
        "The registry refused to say whether it has a layer.",
        _ON_REFUSAL,
        ("challenge-missing", "401 without WWW-Authenticate"),
        ("token-signed-by-untrusted-key", "401 invalid_token"),
        ("bearer-lost-before-registry", "401 although a token was sent"),
    ),
    _entry(
        r"received unexpected HTTP status: 20\d",
        "The answer is a success, but not the one that belongs to this request.",
        _ON_UPLOAD,
        ("location-scheme-downgrade", "the PUT was redirected and became a GET"),
        ("redirect-changes-upload-method", "a 301 or 302 changed its method"),
        ("not-a-registry-answer", "something else answered"),
    ),
    _entry(
        r"pinging container registry",
        "The registry's first answer, to /v2/, is no registry's.",
        "the request to /v2/, or the CONNECT before it",
        ("upstream-certificate-rejected-by-mitm", "the proxy refused the registry's certificate"),
        ("registry-certificate-expired", "that certificate is over"),
        ("registry-certificate-name-mismatch", "that certificate is for other names"),
        ("server-speaks-http-on-tls-port", "the registry speaks plain HTTP"),
        ("tcp-refused-or-timeout", "nothing listens there"),
        ("gateway-error-page", "a reverse proxy's page"),
        ("challenge-missing", "it answers 401 without WWW-Authenticate"),
        ("client-certificate-required-http", "400: nginx wants a certificate from the client"),
        ("plain-http-to-tls-port", "400: plain HTTP to a port with TLS"),
    ),
)


def senses(message: str) -> Iterator[Sense]:
    """The entries that fit this message, the most particular first."""
    text = message[:MOST].strip()
    for entry in MESSAGES:
        match = entry.pattern.search(text)
        if match:
            yield Sense(entry, match[0])
