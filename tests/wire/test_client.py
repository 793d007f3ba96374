"""Given this User-Agent, this is the client and what to expect of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.client import HABITS, Client, Family, read_client
from regtrace.wire.exchange import Headers

DOCKER = (
    "docker/20.10.24 go/go1.19.7 git-commit/5d6db84 kernel/5.15.0-91-generic os/linux arch/amd64"
)
UPSTREAM = r"UpstreamClient(Docker-Client/20.10.24 \(linux\))"


def read(agent: str, *more: tuple[str, str]) -> Client | None:
    return read_client(Headers([("User-Agent", agent), *more]))


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        (
            f"{DOCKER} {UPSTREAM}",
            Client(
                "docker",
                "20.10.24",
                upstream="Docker-Client/20.10.24",
                os="linux",
                arch="amd64",
                family=Family.DOCKER,
            ),
        ),
        (
            f"{DOCKER} containerd-client/2.1.4+unknown storage-driver/overlayfs {UPSTREAM}",
            Client(
                "docker",
                "20.10.24",
                library="containerd-client/2.1.4+unknown",
                upstream="Docker-Client/20.10.24",
                os="linux",
                arch="amd64",
                family=Family.DOCKER_CONTAINERD,
            ),
        ),
        # What called docker says nothing about docker itself.
        (
            r"docker/28.0.0 UpstreamClient(go-containerregistry/1 os/x \(windows\))",
            Client("docker", "28.0.0", upstream="go-containerregistry/1", family=Family.DOCKER),
        ),
        (
            "Docker-Client/24.0.7 (linux)",
            Client("Docker-Client", "24.0.7", os="linux", family=Family.DOCKER_CLI),
        ),
        ("containerd/v2.0.1", Client("containerd", "2.0.1", family=Family.CONTAINERD)),
        ("buildkit/v0.12-dev", Client("buildkit", "0.12-dev", family=Family.BUILDKIT)),
        (
            "containers/5.30.0 (github.com/containers/image)",
            Client("containers", "5.30.0", family=Family.CONTAINERS_IMAGE),
        ),
        ("skopeo/1.14.2", Client("skopeo", "1.14.2", family=Family.CONTAINERS_IMAGE)),
        ("Buildah/1.33.7", Client("Buildah", "1.33.7", family=Family.CONTAINERS_IMAGE)),
        ("libpod/4.9.3", Client("libpod", "4.9.3", family=Family.CONTAINERS_IMAGE)),
        (
            "cri-o/1.29.1 go/go1.21 os/linux arch/arm64",
            Client("cri-o", "1.29.1", os="linux", arch="arm64", family=Family.CONTAINERS_IMAGE),
        ),
        (
            "crane/v0.19.0 go-containerregistry/v0.19.0",
            Client("crane", "0.19.0", "go-containerregistry/0.19.0", family=Family.GGCR),
        ),
        (
            "go-containerregistry/v0.19.0",
            Client("go-containerregistry", "0.19.0", family=Family.GGCR),
        ),
        (
            "terraform-provider go-containerregistry",
            Client("terraform-provider", None, "go-containerregistry", family=Family.GGCR),
        ),
        (
            "cosign/v2.2.3 (linux; amd64) go-containerregistry/v0.18.0",
            Client(
                "cosign",
                "2.2.3",
                "go-containerregistry/0.18.0",
                os="linux",
                arch="amd64",
                family=Family.GGCR,
            ),
        ),
        ("kaniko/v1.20.0", Client("kaniko", "1.20.0", family=Family.GGCR)),
        (
            "kaniko/v1.20.0,google-cloud-build",
            Client("kaniko", "1.20.0", upstream="google-cloud-build", family=Family.GGCR),
        ),
        ("ko/0.15.1", Client("ko", "0.15.1", family=Family.GGCR)),
        (
            "regclient/regctl (v0.5.7)",
            Client("regctl", "0.5.7", "regclient", family=Family.REGCLIENT),
        ),
        ("regclient/v0.5.7", Client("regclient", None, "regclient", family=Family.REGCLIENT)),
        ("oras/1.1.0", Client("oras", "1.1.0", family=Family.ORAS)),
        ("oras-go", Client("oras-go", family=Family.ORAS)),
        ("Helm/3.14.0", Client("Helm", "3.14.0", family=Family.ORAS)),
        ("notation/1.1.0", Client("notation", "1.1.0", family=Family.ORAS)),
        (
            "jib 3.4.0 jib-maven-plugin Google-HTTP-Java-Client/1.42.3 (gzip)",
            Client("jib", "3.4.0", "jib-maven-plugin", family=Family.JIB),
        ),
        (
            "jib 3.4.0 jib-gradle-plugin skaffold Google-HTTP-Java-Client/1.42.3 (gzip)",
            Client("jib", "3.4.0", "jib-gradle-plugin", "skaffold", family=Family.JIB),
        ),
        ("jib", Client("jib", family=Family.JIB)),
        (
            ".NET Container Library v8.0.100",
            Client(".NET Container Library", "8.0.100", family=Family.DOTNET),
        ),
        ("Artifactory/7.77.3", Client("Artifactory", "7.77.3", family=Family.REPLICATION)),
        ("harbor-registry-client", Client("harbor-registry-client", family=Family.REPLICATION)),
        ("Nexus/3.65.0-02 (OSS)", Client("Nexus", "3.65.0-02", family=Family.REPLICATION)),
        ("Go-http-client/2.0", Client("Go-http-client", "2.0")),
        ("curl/8.5.0", Client("curl", "8.5.0")),
    ],
)
def test_every_family(agent: str, client: Client) -> None:
    assert read(agent) == client


def test_containers_image_by_its_request_header() -> None:
    header = ("docker-distribution-api-version", "registry/2.0")
    assert read_client(Headers([header])) == Client(
        "containers/image", family=Family.CONTAINERS_IMAGE
    )
    assert read("mytool/1.0", header) == Client("mytool", "1.0", family=Family.CONTAINERS_IMAGE)
    assert read("skopeo/1.14.2", header) == read("skopeo/1.14.2")
    assert read("crane/v1", header) == read("crane/v1")


@pytest.mark.parametrize("agent", ["", "  ", "(comment only)", "\x1b[31m", "<b>", "é"])
def test_nothing_readable(agent: str) -> None:
    assert read(agent) is None


@pytest.mark.parametrize(
    ("agent", "version"),
    [("docker/<b>1</b>", None), ("docker/1\x1b[0m", None), ("docker/" + "1" * 65, None)],
)
def test_an_unreadable_version_is_left_out(agent: str, version: str | None) -> None:
    client = read(agent)
    assert client is not None
    assert (client.product, client.version) == ("docker", version)


@pytest.mark.parametrize(
    ("agent", "each"),
    [
        ("docker/20.10.24", True),
        ("docker/29.3.1", True),
        ("docker/29.4.0", False),
        ("docker/30.0.0-rc.1", False),
        ("docker/dev", True),
        ("docker/28.1.0 containerd-client/2.0", False),
        ("Docker-Client/29.4.0 (linux)", True),
        ("jib 3.4.0 jib-maven-plugin", True),
        ("buildkit/v0.12", False),
        ("curl/8.5.0", False),
    ],
)
def test_a_connection_per_request(agent: str, each: bool) -> None:
    client = read(agent)
    assert client is not None
    assert client.connection_per_request is each


def test_habits() -> None:
    assert set(HABITS) == set(Family)
    assert {family for family in Family if HABITS[family].pings} == {
        Family.DOCKER,
        Family.DOCKER_CLI,
        Family.CONTAINERS_IMAGE,
        Family.GGCR,
        Family.JIB,
        Family.DOCTOR,
    }
    assert HABITS[Family.DOCKER].grace == 25
    assert not HABITS[Family.DOCKER].head_may_end
    assert HABITS[Family.CONTAINERS_IMAGE].throttled_grace == 65
    assert Client("x").habits is HABITS[Family.UNKNOWN]


AGENTS = st.text() | st.lists(
    st.sampled_from(
        ["docker", "/", "1.0", " ", "(", ")", "\\", ";", ",", "os/", "jib ", "regclient/"]
    )
    | st.text(max_size=3)
).map("".join)


@given(AGENTS)
def test_any_text_is_survived_and_only_plain_words_come_out(agent: str) -> None:
    client = read(agent)
    words = [] if client is None else [client.product, client.version, client.library]
    words += [] if client is None else [client.upstream, client.os, client.arch]
    for word in filter(None, words):
        assert len(word) <= 128
        assert all(" " <= letter <= "~" and letter not in "<>&\"'`|*[]()" for letter in word)
