"""Which registry answers, by its headers, its host, its challenge or its paths."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.challenge import Challenge, parse_challenges
from regtrace.wire.exchange import Headers
from regtrace.wire.registry import Product, Registry, read_registry
from regtrace.wire.url import Url, parse_url

STATE = urlsafe_b64encode(
    b"\0" * 32 + json.dumps({"Name": "x", "UUID": "u", "Offset": 0}).encode()
).decode()


def read(
    url: str = "https://registry.test/v2/", challenge: str = "", **headers: str
) -> Product | None:
    parsed = parse_url(url)
    assert parsed is not None
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return read_registry(parsed, Headers(fields), parse_challenges([challenge]))


@pytest.mark.parametrize(
    ("name", "value", "registry", "version"),
    [
        ("Gitlab-Container-Registry-Version", "4.9.0-gitlab", Registry.GITLAB, "4.9.0-gitlab"),
        ("Gitlab-Container-Registry-Version", "v3.57.0", Registry.GITLAB, "3.57.0"),
        ("X-JFrog-Version", "Artifactory/7.98.9 79809900", Registry.ARTIFACTORY, "7.98.9"),
        ("Server", "Artifactory/6.23.41", Registry.ARTIFACTORY, "6.23.41"),
        ("X-Artifactory-Id", "fee86edeb04e8db3:-8000", Registry.ARTIFACTORY, None),
        ("Server", "Nexus/3.90.2-06 (COMMUNITY)", Registry.NEXUS, "3.90.2-06"),
        ("X-Gcr-Using-Artifact-Registry", "true", Registry.GCR, None),
        ("docker-ratelimit-source", "192.0.2.1", Registry.DOCKER_HUB, None),
        ("X-Harbor-Csrf-Token", "made-up", Registry.HARBOR, None),
        ("X-Registry-Supports-Signatures", "1", Registry.OPENSHIFT, None),
        ("Server", "AzureContainerRegistry", Registry.ACR, None),
    ],
)
def test_what_a_registry_says_of_itself(
    name: str, value: str, registry: Registry, version: str | None
) -> None:
    assert read(**{name: value}) == Product(registry, version)


@pytest.mark.parametrize(
    ("host", "registry"),
    [
        ("registry-1.docker.io", Registry.DOCKER_HUB),
        ("index.docker.io", Registry.DOCKER_HUB),
        ("ghcr.io", Registry.GHCR),
        ("registry.gitlab.com", Registry.GITLAB),
        ("quay.io", Registry.QUAY),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Registry.ECR),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Registry.ECR),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Registry.ECR),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", Registry.ECR),
        ("public.ecr.aws", Registry.ECR_PUBLIC),
        ("team.azurecr.io", Registry.ACR),
        ("mcr.microsoft.com", Registry.MCR),
        ("europe-west1-docker.pkg.dev", Registry.GAR),
        ("gcr.io", Registry.GCR),
        ("eu.gcr.io", Registry.GCR),
        ("team.jfrog.io", Registry.ARTIFACTORY),
        ("registry.k8s.io", Registry.K8S),
        ("registry.cn-hangzhou.aliyuncs.com", Registry.ALIYUN),
        ("swr.cn-north-4.myhuaweicloud.com", Registry.HUAWEI),
        ("fra.ocir.io", Registry.OCIR),
        ("notdocker.io", None),
        ("docker.io.evil.test", None),
        ("dkr.ecr.eu-west-1.amazonaws.com", None),
        ("images.s3.eu-west-1.amazonaws.com", None),
        ("registry.test", None),
        ("192.0.2.1", None),
    ],
)
def test_where_a_hosted_registry_lives(host: str, registry: Registry | None) -> None:
    found = read(f"https://{host}/v2/")
    assert (found.registry if found else None) == registry


@pytest.mark.parametrize(
    ("challenge", "registry"),
    [
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
            Registry.DOCKER_HUB,
        ),
        ('Bearer realm="https://ghcr.io/token",service="ghcr.io"', Registry.GHCR),
        ('Bearer realm="https://quay.corp.test/v2/auth",service="quay.corp.test"', Registry.QUAY),
        (
            'Bearer realm="https://h.test/service/token",service="harbor-registry"',
            Registry.HARBOR,
        ),
        ('Basic realm="harbor"', Registry.HARBOR),
        (
            'Bearer realm="https://gitlab.test/jwt/auth",service="container_registry"',
            Registry.GITLAB,
        ),
        (
            (
                'Basic realm="https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/",'
                'service="ecr.amazonaws.com"'
            ),
            Registry.ECR,
        ),
        (
            'Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws"',
            Registry.ECR_PUBLIC,
        ),
        (
            'Bearer realm="https://r.azurecr.io/oauth2/token",service="r.azurecr.io"',
            Registry.ACR,
        ),
        (
            'Bearer realm="https://eu-docker.pkg.dev/v2/token",service="eu-docker.pkg.dev"',
            Registry.GAR,
        ),
        ('Bearer realm="https://gcr.io/v2/token",service=gcr.io', Registry.GCR),
        (
            'Bearer realm="https://h.test/artifactory/api/docker/dock/v2/token",service="h.test"',
            Registry.ARTIFACTORY,
        ),
        ('Basic realm="Artifactory Realm"', Registry.ARTIFACTORY),
        ('BASIC realm="Sonatype Nexus Repository Manager"', Registry.NEXUS),
        ('Bearer realm="https://h.test/repository/dock/v2/token",service="h"', Registry.NEXUS),
        ('bearer realm="https://z.test/zot/auth/token",service="z.test"', Registry.ZOT),
        (
            (
                'Bearer realm="https://h.test/v2/token",service="container_registry",scope="*", '
                'Basic realm="Gitea Container Registry"'
            ),
            Registry.GITEA,
        ),
        ('Basic realm="Registry Realm"', None),
        ('Bearer realm="https://h.test/v2/token",service="h.test"', None),
        ('Bearer realm="https://[broken/v2/auth",service="h.test"', None),
        ('Bearer realm="https://auth.test/auth",service="registry.test"', None),
        ("Negotiate", None),
        ("", None),
    ],
)
def test_how_a_registry_asks_for_a_login(challenge: str, registry: Registry | None) -> None:
    found = read(challenge=challenge)
    assert (found.registry if found else None) == registry


def test_what_a_registry_says_is_believed_before_its_host_and_that_before_its_challenge() -> None:
    hub = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"'
    assert read(challenge=hub, Server="Nexus/3.68.0-04 (OSS)") == Product(
        Registry.NEXUS, "3.68.0-04"
    )
    assert read("https://team.jfrog.io/v2/", hub) == Product(Registry.ARTIFACTORY)


@pytest.mark.parametrize(
    ("path", "registry"),
    [
        ("/artifactory/api/docker/dock/v2/x/manifests/1", Registry.ARTIFACTORY),
        ("/repository/dock/v2/x/manifests/1", Registry.NEXUS),
        ("/v2/repository/dock/v2/x/manifests/1", None),
    ],
)
def test_the_paths_of_products_with_many_registries(path: str, registry: Registry | None) -> None:
    found = read(f"https://h.test{path}")
    assert (found.registry if found else None) == registry


def test_the_upload_state_of_distribution() -> None:
    upload = f"https://registry.test/v2/x/blobs/uploads/u?_state={STATE}"
    assert read(upload) == Product(Registry.DISTRIBUTION)
    assert read(Location=f"/v2/x/blobs/uploads/u?_state={STATE.replace('=', '%3D')}&a=b") == (
        Product(Registry.DISTRIBUTION)
    )
    assert read(upload.replace("_state=", "_state=!")) is None
    assert read(Location="/v2/x/blobs/uploads/u?_state=made-up") is None
    assert read(Docker_Distribution_Api_Version="registry/2.0", Server="nginx") is None


WORDS = st.text() | st.sampled_from(["https://auth.docker.io/v2/auth", "http://[", "harbor"])


@given(WORDS, WORDS, WORDS, st.sampled_from(["Server", "X-JFrog-Version", "Location"]), WORDS)
def test_any_answer_is_somebodys_or_nobodys(
    host: str, path: str, realm: str, name: str, value: str
) -> None:
    url = Url("https", host, 443, path, (("_state", value),))
    challenges = (Challenge("bearer", realm, value),)
    found = read_registry(url, Headers([(name, value)]), challenges)
    assert isinstance(found, Product | None)
