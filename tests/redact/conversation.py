"""A made-up conversation with every kind of secret in its place, and what is told of it.

Every secret here is computed, so that no scanner takes one for real. ``told`` is everything that
regtrace could ever say of the conversation: the report in each format, and every place of every
leg that a rule may point to.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from regtrace.diagnose.rule import Evidence
from regtrace.follow.story import Operation
from regtrace.follow.tracker import Tracker
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import build as building
from regtrace.report import model
from regtrace.report.build import build
from regtrace.report.decoded import decoded
from regtrace.report.decoded import said as said_by
from regtrace.report.output import FORMATS
from regtrace.report.telling import Telling
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Body, Connection, Exchange, Headers, Request, Response
from regtrace.wire.term import Term, TermKind

START = 1_795_465_515.0
HOST, AUTH, STORE = "registry-qx7w.corp.test", "auth-qx7w.corp.test", "s3-qx7w.corp.test"
REPOSITORY, TAG, BUCKET = "team-zq7x/app-kw9v", "release-jx5q", "bucket-vq3z"
SESSION = "e2de57d9-efb0-4204-a8af-d3be1303fe54"
DIGEST = "sha256:" + hashlib.sha256(b"layer").hexdigest()
CONFIG = "sha256:" + hashlib.sha256(b"config").hexdigest()
REQUEST_ID = "tx00000a1b2c3d4e5f60718-0065f1a2b3-1a2b-default"
CLIENT, PEER4, PEER6 = "203.0.113.77", "198.51.100.23", "2001:db8:77::1f"

SECRETS: dict[str, str] = {}
"""What no level shows."""
PEOPLE: dict[str, str] = {}
"""What only ``internal`` shows."""
NAMES = (HOST, AUTH, STORE, REPOSITORY, TAG, BUCKET)
"""What ``public`` does not show."""


def made(name: str, length: int = 40, start: str = "") -> str:
    """A made-up secret that is looked for in everything that is told."""
    digest = hashlib.sha512(name.encode()).digest()
    value = start + base64.b64encode(digest, b"qZ").decode()[: length - len(start)]
    SECRETS[name] = value
    return value


def person(name: str) -> str:
    PEOPLE[name] = value = f"{name}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return value


def basic(user: str, password: str) -> str:
    packed = base64.b64encode(f"{user}:{password}".encode()).decode()
    SECRETS[f"basic of {user}"] = packed
    return f"Basic {packed}"


def jwt(name: str, subject: str) -> str:
    def part(content: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    claims = {
        "iss": "issuer-of-corp",
        "sub": subject,
        "aud": HOST,
        "exp": int(START) + 300,
        "nbf": int(START) - 10,
        "iat": int(START),
        "jti": made(f"{name} jti", 24),
        "access": [{"type": "repository", "name": REPOSITORY, "actions": ["pull", "push"]}],
    }
    head = part({"alg": "RS256", "typ": "JWT", "kid": made(f"{name} kid", 24)})
    SECRETS[name] = token = f"{head}.{part(claims)}.{made(f'{name} signature', 86)}"
    return token


def state(offset: int, name: str) -> str:
    mac = made(f"{name} mac", 32).encode()
    fields = {
        "Name": REPOSITORY,
        "UUID": SESSION,
        "Offset": offset,
        "StartedAt": "2026-11-23T20:25:15Z",
    }
    packed = base64.urlsafe_b64encode(mac + json.dumps(fields).encode()).decode()
    SECRETS[name] = packed
    return packed


class _Recorder:
    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def add(
        self,
        method: str,
        url: str,
        status: int | None,
        *,
        sends: Iterable[tuple[str, str]] = (),
        gets: Iterable[tuple[str, str]] = (),
        form: str | None = None,
        body: bytes = b"",
        error: str | None = None,
        agent: str = "docker/27.3.1 go/go1.22.7 UpstreamClient(Docker-Client/27.3.1)",
    ) -> None:
        number = len(self.exchanges)
        scheme, _, rest = url.partition("://")
        host, slash, target = rest.partition("/")
        started = START + number
        headers = [("Host", host), ("User-Agent", agent), *sends]
        if form is not None:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        response = None
        if status is not None:
            response = Response(
                status=status,
                headers=Headers([("Date", "Mon, 23 Nov 2026 20:25:16 GMT"), *gets]),
                body=Body.of(body),
                started=started + 0.1,
                ended=started + 0.2,
            )
        self.exchanges.append(
            Exchange(
                id=f"exchange-{number}",
                request=Request(
                    method=method,
                    scheme=scheme,
                    host=host,
                    port=443,
                    target=slash + target,
                    headers=Headers(headers),
                    body=Body.of((form or "").encode()),
                    started=started,
                    ended=started,
                ),
                response=response,
                error=error,
                error_at=started + 0.2 if error else None,
                connection=Connection(id=f"tcp-{number // 3}", client_host=CLIENT),
            )
        )


def conversation() -> list[Exchange]:
    """A push that fails, with logins of every kind around it."""
    talk = _Recorder()
    registry = f"https://{HOST}"
    api = f"{registry}/v2/{REPOSITORY}"
    # Plain words: only the search for what the capture holds can find it in a sentence.
    user, password = person("alice"), "hazel-otter-quilt-ember"
    SECRETS["passphrase"] = password
    realm_user, realm_password = person("realm"), made("realm password", 20)
    challenge = (
        f'Bearer realm="https://{realm_user}:{realm_password}@{AUTH}/jwt/auth",service="{HOST}",'
        f'scope="repository:{REPOSITORY}:pull,push",nonce="{made("nonce", 24)}"'
    )
    talk.add(
        "GET",
        f"{registry}/v2/",
        401,
        gets=[
            ("WWW-Authenticate", challenge),
            ("Set-Cookie", f"AWSALB={made('set-cookie')}; Path=/; Domain=corp.test; HttpOnly"),
            ("Docker-Distribution-Api-Version", "registry/2.0"),
        ],
    )
    token = jwt("registry token", person("subject"))
    asked = f"account={user}&scope=repository%3A{REPOSITORY}%3Apull%2Cpush&service={HOST}"
    reply = {"token": token, "expires_in": 300, "refresh_token": made("refresh token", 60)}
    talk.add(
        "GET",
        f"https://{AUTH}/jwt/auth?{asked}",
        200,
        sends=[("Authorization", basic(user, password))],
        gets=[("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        body=gzip.compress(json.dumps(reply).encode()),
    )
    _other_logins(talk)
    bearer = ("Authorization", f"Bearer {token}")
    products = [
        ("X-JFrog-Art-Api", made("artifactory key", 64)),
        ("X-Vault-Token", made("vault token", 60, "hvs" + ".")),
        ("X-Api-Key", made("api key")),
        ("X-Never-Heard-Of", made("unknown header")),
        ("Cookie", f"JSESSIONID={made('session cookie')}; lang={made('second cookie', 20)}"),
        ("Proxy-Authorization", basic(person("proxyuser"), made("proxy password"))),
        ("X-Forwarded-For", f"{CLIENT}, {PEER4}"),
    ]
    first, second = state(0, "first state"), state(3180, "second state")
    session = f"{api}/blobs/uploads/{SESSION}"
    talk.add(
        "POST",
        f"{api}/blobs/uploads/",
        202,
        sends=[bearer, *products],
        gets=[("Location", f"{session}?_state={first}"), ("Docker-Upload-UUID", SESSION)],
    )
    talk.add(
        "PATCH",
        f"{session}?_state={first}",
        202,
        sends=[bearer],
        gets=[("Location", f"{session}?_state={second}"), ("Range", "0-3179")],
    )
    talk.add(
        "PUT",
        f"{session}?_state={second}&digest={DIGEST}",
        201,
        sends=[bearer],
        gets=[("Location", f"{api}/blobs/{DIGEST}"), ("Docker-Content-Digest", DIGEST)],
    )
    opaque = made("opaque session", 80)
    talk.add(
        "POST",
        f"{api}/blobs/uploads/",
        202,
        sends=[bearer],
        gets=[
            ("Location", f"{registry}/artifacts-uploads/ns/{made('opaque path')}/uploads/{opaque}")
        ],
    )
    _redirects(talk, api, bearer)
    _failures(talk, api, bearer, user, password, token)
    return talk.exchanges


def _other_logins(talk: _Recorder) -> None:
    scope = f"scope=repository%3A{REPOSITORY}%3Apull&service={HOST}"
    talk.add(
        "POST",
        f"https://{AUTH}/oauth2/token",
        200,
        form=f"grant_type=password&username={person('formuser')}&password={made('form password')}"
        f"&client_secret={made('client secret')}&{scope}&client_id=docker",
        gets=[("Content-Type", "application/json")],
        body=json.dumps({"access_token": made("opaque token", 120), "expires_in": 60}).encode(),
    )
    ecr = base64.b64encode(f"AWS:{made('ecr password', 200)}".encode()).decode()
    SECRETS["ecr token"] = ecr
    data = {"authorizationData": [{"authorizationToken": ecr, "expiresAt": 1.7e9}]}
    talk.add(
        "POST",
        "https://api.ecr.eu-west-1.amazonaws.com/",
        200,
        sends=[
            (
                "Authorization",
                (
                    f"AWS4-HMAC-SHA256 Credential={made('ecr key id', 20)}/20261123/eu-west-1/ecr"
                    f"/aws4_request, SignedHeaders=host;x-amz-date, Signature={made('ecr sig', 64)}"
                ),
            ),
            ("X-Amz-Security-Token", made("ecr session token", 300)),
        ],
        gets=[("Content-Type", "application/x-amz-json-1.1")],
        body=json.dumps(data).encode(),
    )
    talk.add(
        "POST",
        "https://unit.azurecr.io/oauth2/exchange",
        200,
        form=f"grant_type=access_token&service=unit.azurecr.io&tenant=common"
        f"&access_token={jwt('entra token', person('entra'))}",
        gets=[("Content-Type", "application/json")],
        body=json.dumps({"refresh_token": jwt("acr refresh", person("acr"))}).encode(),
    )
    gitlab = made("gitlab job token", 40, "glcbt" + "-64_")
    talk.add(
        "GET",
        f"https://{AUTH}/jwt/auth?{scope}",
        200,
        sends=[
            ("Authorization", basic("gitlab-ci-token", gitlab)),
            ("JOB-TOKEN", made("job token", 40, "glcbt" + "-")),
            ("PRIVATE-TOKEN", made("private token", 40, "glpat" + "-")),
        ],
        body=json.dumps({"token": made("gitlab registry token", 80)}).encode(),
    )
    github = made("github token", 40, "ghp" + "_")
    talk.add(
        "GET",
        f"https://{AUTH}/token?{scope}",
        200,
        sends=[("Authorization", basic(person("octo"), github))],
        body=json.dumps({"token": base64.b64encode(github.encode()).decode()}).encode(),
    )
    login = {"username": person("apiuser"), "password": made("api password")}
    login["serveraddress"] = HOST
    packed = base64.urlsafe_b64encode(json.dumps(login).encode()).decode()
    SECRETS["x-registry-auth"] = packed
    talk.add(
        "POST",
        f"https://{HOST}/v1/images/{made('v1 path')}/push",
        200,
        sends=[("X-Registry-Auth", packed), bearerless()],
    )


def bearerless() -> tuple[str, str]:
    """An ``Authorization`` that is nothing but its secret."""
    return "Authorization", made("bare authorization")


def presigned() -> dict[str, str]:
    """Storage URLs by their scheme, as redirects carry them."""
    key = f"docker/registry/v2/blobs/sha256/{DIGEST[7:9]}/{DIGEST[7:]}/data"
    path = f"https://{STORE}/{BUCKET}/{key}"
    policy = {"Statement": [{"Condition": {"DateLessThan": {"AWS:EpochTime": 1795469999}}}]}
    packed = base64.b64encode(json.dumps(policy).encode()).decode()
    SECRETS["cloudfront policy"] = cloudfront = packed.translate(str.maketrans("+=/", "-_~"))
    return {
        "s3-v4": f"{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
        f"{made('minio/key id', 20)}%2F20261123%2Feu-west-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20261123T202516Z&X-Amz-Expires=1200&X-Amz-SignedHeaders=host"
        f"&X-Amz-Security-Token={made('s3 session token', 200)}"
        f"&X-Amz-Signature={made('s3 v4 signature', 64)}&x-id=GetObject",
        "s3-v2": f"{path}?AWSAccessKeyId={made('s3 v2 key id', 20)}&Expires=1795466716"
        f"&Signature={made('s3 v2 signature', 28)}",
        "gcs-v4": f"{path}?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential="
        f"{made('gcs account', 24)}%40p.iam.test%2F20261123%2Fauto%2Fstorage%2Fgoog4_request"
        "&X-Goog-Date=20261123T202516Z&X-Goog-Expires=600&X-Goog-SignedHeaders=host"
        f"&X-Goog-Signature={made('gcs signature', 200)}",
        "azure-sas": f"https://{STORE}/{made('azure object')}?sv=2023-11-03&sr=b&sp=r"
        f"&se=2026-11-23T20%3A55%3A16Z&spr=https&skoid={made('skoid', 30)}"
        f"&sig={made('azure signature', 43)}%3D",
        "cloudfront": f"{path}?Policy={cloudfront}&Signature={made('cf signature', 300)}"
        "&Key-Pair-Id=K2ABCDEFGH1234",
        "cloudflare": f"{path}?verify=1795468516-{made('verify', 43)}%3D",
        "unknown": f"{path}?{made('bare key', 30)}&flavour={made('unknown value', 30)}",
    }


def _redirects(talk: _Recorder, api: str, bearer: tuple[str, str]) -> None:
    for number, location in enumerate(presigned().values()):
        digest = "sha256:" + hashlib.sha256(b"%d" % number).hexdigest()
        blob = f"{api}/blobs/{digest}"
        talk.add("HEAD", blob, 307, sends=[bearer], gets=[("Location", location)])
        talk.add(
            "HEAD",
            location,
            200,
            sends=[("Referer", f"https://u:{made('referer password', 20)}@{HOST}/v2/?{_odd()}")],
            gets=[("x-amz-request-id", REQUEST_ID), ("Server", "AmazonS3")],
        )


def _odd() -> str:
    return f"token={made('token in referer', 30)}"


def _failures(
    talk: _Recorder, api: str, bearer: tuple[str, str], user: str, password: str, token: str
) -> None:
    signed = presigned()["s3-v4"]
    talk.add("GET", f"{api}/blobs/{DIGEST}", 307, sends=[bearer], gets=[("Location", signed)])
    echo = (
        "<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated"
        f" does not match</Message><AWSAccessKeyId>{made('echoed key', 20)}</AWSAccessKeyId>"
        f"<StringToSign>AWS4-HMAC-SHA256\n20261123T202516Z\n{made('echoed hash', 64)}"
        f"</StringToSign><SignatureProvided>{made('echoed signature', 64)}</SignatureProvided>"
        f"<Token-0>{made('echoed token', 120)}</Token-0><RequestId>{REQUEST_ID}</RequestId></Error>"
    )
    talk.add(
        "GET",
        signed,
        403,
        gets=[
            ("Content-Type", "application/xml"),
            ("x-amz-request-id", REQUEST_ID),
            ("x-amz-bucket-region", "eu-west-1"),
            ("Retry-After", made("retry-after")),
            ("Server", made("server", 30)),
            ("ETag", made("etag")),
            ("x-ms-error-code", made("header code", 30)),
            ("Link", f"<{api}/tags/list?last={TAG}&token={made('link token', 30)}>; rel=next"),
            ("Via", f"1.1 {AUTH} (squid/5.7)"),
        ],
        body=echo.encode(),
    )
    config = {
        "architecture": "amd64",
        "rootfs": {"diff_ids": [DIGEST]},
        "config": {"Env": [f"DB_PASSWORD={made('image password', 20)}"]},
    }
    talk.add(
        "GET",
        f"{api}/blobs/{CONFIG}",
        200,
        sends=[bearer],
        gets=[("Content-Type", "application/vnd.oci.image.config.v1+json")],
        body=json.dumps(config).encode(),
    )
    said = (
        f"no access for {user} with {password} from {PEER4} or [{PEER6}]:443:"
        f" Bearer {token} pushed to {HOST}/{REPOSITORY}"
    )
    errors = {"errors": [{"code": made("error code", 30), "message": said}]}
    kind = f"application/vnd.{made('media type', 30).lower()}+json"
    talk.add(
        "PUT",
        f"{api}/manifests/{TAG}",
        403,
        sends=[bearer, ("Content-Type", kind)],
        gets=[("Content-Type", "application/json"), ("X-Request-Id", REQUEST_ID)],
        body=json.dumps(errors).encode(),
        agent=f"{made('agent', 30)}/{made('version', 30)}",
    )
    talk.add("HEAD", f"{api}/blobs/key:{made('digest that is none', 30)}", 404, sends=[bearer])
    talk.add("HEAD", f"{api}/manifests/{made('tag', 40, 'ghp' + '_')}", 404, sends=[bearer])
    talk.add("GET", f"https://{HOST}/{made('front path')}/v2/{REPOSITORY}/tags/list", 404)
    talk.add(made("method", 20), f"{api}/tags/list?client_id={made('client id', 30)}", 405)
    talk.add(
        "PUT",
        f"{api}/manifests/{TAG}",
        None,
        sends=[bearer],
        error=f"server closed connection: {PEER4}:443, {PEER6}, {HOST}, {password}",
    )


EXCHANGES = conversation()
CAPTURE_NAME = f"push-{made('capture name', 30)}.mitm"


def operations(exchanges: Iterable[Exchange] = EXCHANGES) -> tuple[Operation, ...]:
    tracker = Tracker()
    for exchange in exchanges:
        tracker.feed(decode(exchange))
    return tracker.finish()


def report(level: Level, exchanges: Iterable[Exchange] = EXCHANGES) -> model.Report:
    return build(
        map(Telling.of, operations(exchanges)),
        capture=model.Capture(CAPTURE_NAME, "file", len(EXCHANGES), None, None),
        redactor=Redactor(level),
    )


def told(level: Level) -> str:
    """Everything that could be said of the conversation at this level."""
    said = [render(report(level)) for render in FORMATS.values()]
    redactor = Redactor(level)
    for exchange in EXCHANGES:
        redactor.learn(exchange)
    for exchange in EXCHANGES:
        leg = decode(exchange)
        said.append(json.dumps(decoded(said_by(leg), redactor)))
        said += [building._value(Evidence(leg, place, ""), redactor) for place in _places(exchange)]
    for kind in (TermKind.PLAIN, TermKind.DIGEST, TermKind.URL, TermKind.OBJECT_KEY):
        said += [redactor.term(Term(kind, value)) for value in SECRETS.values()]
    return "\n".join(said)


def _places(exchange: Exchange) -> list[str]:
    places = ["request.url", "response.status", "response.body", "request.body.size", "error"]
    places += [f"request.header.{name}" for name, _ in exchange.request.headers]
    if exchange.response:
        places += [f"response.header.{name}" for name, _ in exchange.response.headers]
    return places


def leaks(text: str, level: Level) -> set[str]:
    """What of the conversation stands in this text and must not at this level."""
    hidden = dict(SECRETS)
    if level is not Level.INTERNAL:
        hidden.update(PEOPLE, client=CLIENT, peer=PEER4, six=PEER6)
    if level is Level.PUBLIC:
        hidden.update((name, name) for name in NAMES)
    gate = Gate()
    for name, value in hidden.items():
        gate.taint(name, value)
    return set(gate.leaks(text)) | {name for name, value in hidden.items() if value in text}
