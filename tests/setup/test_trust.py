"""Who is made to trust the authority where, on every system of the table, and back again."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import tomlkit
from machines import machine, on_its_own, tree

from regtrace.setup import authority, clients, stores, trust
from regtrace.setup.authority import Authority
from regtrace.setup.machine import Engine, Machine
from regtrace.setup.refused import Refused

_REGISTRY = "registry.test:5050"

_SYSTEMS = {
    "debian": "ID=debian\n",
    "ubuntu": "ID=ubuntu\nID_LIKE=debian\n",
    "mint": 'ID=linuxmint\nID_LIKE="ubuntu debian"\n',
    "alpine": "ID=alpine\n",
    "fedora": "ID=fedora\n",
    "rhel": 'ID="rhel"\nID_LIKE="fedora"\n',
    "rocky": 'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
    "amazon": 'ID="amzn"\nID_LIKE="fedora"\n',
    "tumbleweed": 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n',
    "sles": 'ID="sles"\nID_LIKE="suse"\n',
    "arch": "ID=arch\n",
    "manjaro": "ID=manjaro\nID_LIKE=arch\n",
}

# From the systems' own manuals: update-ca-certificates(8), update-ca-trust(8), trust(1).
_PLACES = {
    "debian": ("usr/local/share/ca-certificates", "update-ca-certificates"),
    "ubuntu": ("usr/local/share/ca-certificates", "update-ca-certificates"),
    "mint": ("usr/local/share/ca-certificates", "update-ca-certificates"),
    "alpine": ("usr/local/share/ca-certificates", "update-ca-certificates"),
    "fedora": ("etc/pki/ca-trust/source/anchors", "update-ca-trust"),
    "rhel": ("etc/pki/ca-trust/source/anchors", "update-ca-trust"),
    "rocky": ("etc/pki/ca-trust/source/anchors", "update-ca-trust"),
    "amazon": ("etc/pki/ca-trust/source/anchors", "update-ca-trust"),
    "tumbleweed": ("etc/pki/trust/anchors", "update-ca-certificates"),
    "sles": ("etc/pki/trust/anchors", "update-ca-certificates"),
    "arch": ("etc/ca-certificates/trust-source/anchors", "trust extract-compat"),
    "manjaro": ("etc/ca-certificates/trust-source/anchors", "trust extract-compat"),
}


@pytest.fixture
def made(tmp_path: Path) -> Authority:
    return authority.create(tmp_path / "ca", ["registry.test"])


@pytest.mark.parametrize("name", _SYSTEMS)
def test_each_system_s_store_gets_it_and_is_as_before_afterwards(
    name: str, tmp_path: Path, made: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = on_its_own(monkeypatch, tmp_path / "state")
    root = tmp_path / "root"
    here = machine(root, release=_SYSTEMS[name])
    before = tree(root)
    folder, apply = _PLACES[name]

    trust.install(here.journal, trust.system_plan(here, made))
    (file,) = (root / folder).iterdir()
    assert file.suffix == ".crt"
    assert file.read_bytes() == made.certificate.read_bytes()
    assert [" ".join(words) for words in commands.ran] == [apply]
    _, problems = trust.remove(here.journal, trust.SYSTEM)

    assert problems == ()
    assert tree(root) == before
    assert len(commands.ran) == 2
    assert apply in " ".join(commands.ran[1])


def test_debians_hooks_are_told_the_name_of_what_has_gone(tmp_path: Path, made: Authority) -> None:
    here = machine(tmp_path / "root", release=_SYSTEMS["debian"])

    plan = trust.system_plan(here, made)

    assert plan.undo[:2] == ("sh", "-c")
    assert f"-/etc/ssl/certs/{plan.edits[0].path.stem}.pem" in plan.undo[2]


@pytest.mark.parametrize(
    ("platform", "do", "undo"),
    [
        ("darwin", "security add-trusted-cert -d -r trustRoot", "security delete-certificate"),
        ("win32", "certutil -f -addstore Root", "certutil -delstore Root"),
    ],
)
def test_a_store_without_files_gets_it_by_command(
    platform: str, do: str, undo: str, tmp_path: Path, made: Authority
) -> None:
    here = machine(tmp_path / "root", platform=platform)

    plan = trust.system_plan(here, made)

    assert " ".join(plan.do).startswith(do)
    assert str(plan.edits[0].path) in plan.do
    assert " ".join(plan.undo).startswith(undo)
    # Both name a certificate by its SHA-1, 40 hex digits.
    assert any(len(word) == 40 and int(word, 16) for word in plan.undo)


def test_nixos_is_told_what_to_write_itself(tmp_path: Path, made: Authority) -> None:
    here = machine(tmp_path / "root", release="ID=nixos\n")

    with pytest.raises(Refused, match=r"security\.pki\.certificateFiles"):
        trust.system_plan(here, made)


def test_an_unknown_system_is_refused_by_its_name(tmp_path: Path, made: Authority) -> None:
    here = machine(tmp_path / "root", release="ID=plan9\n")

    with pytest.raises(Refused, match="plan9"):
        stores.store_of(here)


def test_the_system_s_store_is_root_s(tmp_path: Path, made: Authority) -> None:
    here = machine(tmp_path / "root", release=_SYSTEMS["debian"], is_root=False)

    with pytest.raises(Refused, match="run this with sudo"):
        trust.system_plan(here, made)


def test_root_s_clients_get_it_for_one_registry(tmp_path: Path, made: Authority) -> None:
    here = machine(tmp_path, programs=["docker", "podman", "nerdctl"])

    plan = trust.plan(here, made, _REGISTRY)

    assert [str(edit.path.relative_to(tmp_path)) for edit in plan.edits] == [
        f"etc/docker/certs.d/{_REGISTRY}/regtrace.crt",
        f"etc/containers/certs.d/{_REGISTRY}/regtrace.crt",
        f"etc/containerd/certs.d/{_REGISTRY}/regtrace.crt",
    ]


def test_without_root_podman_gets_it_at_home_and_docker_says_that_it_needs_root(
    tmp_path: Path, made: Authority
) -> None:
    here = machine(tmp_path, programs=["docker", "podman"], is_root=False)

    plan = trust.plan(here, made, _REGISTRY, ["containers"])
    assert plan.edits[0].path == (
        here.home / ".config/containers/certs.d" / _REGISTRY / "regtrace.crt"
    )
    with pytest.raises(Refused, match=r"/etc/docker/certs\.d.*only root may write.*sudo"):
        trust.plan(here, made, _REGISTRY)


def test_where_no_client_is_it_says_so(tmp_path: Path, made: Authority) -> None:
    with pytest.raises(Refused, match="--client"):
        trust.plan(machine(tmp_path), made, _REGISTRY)


@pytest.mark.parametrize(
    ("engine", "folder"),
    [
        (Engine.ROOTLESS, ".config/docker"),
        (Engine.DESKTOP, ".docker"),
        (Engine.COLIMA, ".docker"),
    ],
)
def test_an_engine_of_a_user_reads_it_at_home(
    engine: Engine, folder: str, tmp_path: Path, made: Authority
) -> None:
    here = _with_engine(engine, tmp_path)
    assert here.engine() is engine

    plan = trust.plan(here, made, _REGISTRY, ["docker"])

    assert plan.edits[0].path == here.home / folder / "certs.d" / _REGISTRY / "regtrace.crt"


def test_a_snap_is_told_what_to_do(tmp_path: Path, made: Authority) -> None:
    here = _with_engine(Engine.SNAP, tmp_path)

    with pytest.raises(Refused, match=r"/var/snap/docker/current/etc/docker/certs\.d"):
        trust.plan(here, made, _REGISTRY, ["docker"])


def _with_engine(engine: Engine, root: Path) -> Machine:
    if engine is Engine.SNAP:
        (root / "var/snap/docker").mkdir(parents=True)
        return machine(root)
    addresses = {
        Engine.ROOTLESS: "unix:///run/user/1000/docker.sock",
        Engine.DESKTOP: "unix:///home/me/.docker/desktop/docker.sock",
        Engine.COLIMA: "unix:///Users/me/.colima/default/docker.sock",
    }
    return machine(root, is_root=False, environment={"DOCKER_HOST": addresses[engine]})


def test_the_context_that_docker_uses_tells_the_engine(tmp_path: Path) -> None:
    here = machine(tmp_path)
    (here.home / ".docker").mkdir()
    (here.home / ".docker/config.json").write_text('{"currentContext": "desktop-linux"}')

    assert here.engine() is Engine.DESKTOP


@pytest.mark.parametrize("folder", [_REGISTRY, "registry.test_5050_", "_default"])
def test_containerd_s_own_settings_get_one_more_authority(
    folder: str, tmp_path: Path, made: Authority
) -> None:
    here = machine(tmp_path)
    place = tmp_path / "etc/containerd/certs.d" / folder
    place.mkdir(parents=True)
    (place / "hosts.toml").write_text(
        '# ours\nserver = "https://registry.test:5050"\nca = "/etc/corp.crt"\n\n'
        '[host."https://mirror.test"]\n  capabilities = ["pull"]\n'
    )

    plan = trust.plan(here, made, _REGISTRY, ["containerd"])

    certificate, hosts = plan.edits
    assert (certificate.path.parent, hosts.path) == (place, place / "hosts.toml")
    read = tomlkit.parse(hosts.content.decode()).unwrap()
    assert read["ca"] == ["/etc/corp.crt", str(certificate.path)]
    assert read["host"]["https://mirror.test"] == {
        "capabilities": ["pull"],
        "ca": [str(certificate.path)],
    }
    assert hosts.content.startswith(b"# ours\n")


def test_buildkit_s_settings_keep_what_they_say(tmp_path: Path, made: Authority) -> None:
    here = machine(tmp_path)
    (tmp_path / "etc/buildkit").mkdir()
    (tmp_path / "etc/buildkit/buildkitd.toml").write_text(
        'debug = true\n[registry."docker.io"]\n  mirrors = ["mirror.test"]\n'
    )

    plan = trust.plan(here, made, _REGISTRY, ["buildkit"])

    certificate, settings = plan.edits
    assert tomlkit.parse(settings.content.decode()).unwrap() == {
        "debug": True,
        "registry": {
            "docker.io": {"mirrors": ["mirror.test"]},
            _REGISTRY: {"ca": [str(certificate.path)]},
        },
    }
    assert "restart buildkitd" in plan.places[0].note


def test_settings_that_are_no_toml_are_refused(tmp_path: Path, made: Authority) -> None:
    here = machine(tmp_path)
    (tmp_path / "etc/buildkit").mkdir()
    (tmp_path / "etc/buildkit/buildkitd.toml").write_text("this is [not")

    with pytest.raises(Refused, match="is no TOML"):
        trust.plan(here, made, _REGISTRY, ["buildkit"])


def test_whoever_read_it_at_its_start_must_be_restarted_to_forget_it(
    tmp_path: Path, made: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_its_own(monkeypatch, tmp_path / "state")
    here = machine(tmp_path / "root", release=_SYSTEMS["debian"])
    desktop = _with_engine(Engine.DESKTOP, tmp_path / "root")

    def after(plan: trust.Plan) -> str:
        return " ".join(trust.restarts(plan.registry, trust.install(here.journal, plan)))

    assert "Docker engine" in after(trust.system_plan(here, made))
    assert "restart buildkitd" in after(trust.plan(here, made, _REGISTRY, ["buildkit"]))
    assert "Docker Desktop" in after(trust.plan(desktop, made, _REGISTRY, ["docker"]))
    assert after(trust.plan(here, made, "other.test", ["docker"])) == ""


def test_settings_changed_twice_have_the_authority_once(
    tmp_path: Path, made: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_its_own(monkeypatch, tmp_path / "state")
    here = machine(tmp_path / "root")

    trust.install(here.journal, trust.plan(here, made, _REGISTRY, ["buildkit"]))
    again = trust.install(here.journal, trust.plan(here, made, _REGISTRY, ["buildkit"]))

    assert again == ()


def test_an_expired_authority_is_refused(tmp_path: Path, made: Authority) -> None:
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    expired = Authority(
        made.folder,
        made.certificate,
        made.hosts,
        made.not_before,
        yesterday,
        made.fingerprint,
    )

    with pytest.raises(Refused, match="expired on"):
        trust.plan(machine(tmp_path), expired, _REGISTRY, ["docker"])


def test_an_authority_for_other_hosts_is_warned_of(tmp_path: Path, made: Authority) -> None:
    assert trust.warnings(made, _REGISTRY) == ()
    assert trust.warnings(made, "deep.registry.test") == ()
    (warning,) = trust.warnings(made, "otherregistry.test:5050")
    assert "may not sign for otherregistry.test:5050" in warning


def test_one_for_every_host_is_warned_of(tmp_path: Path) -> None:
    (warning,) = trust.warnings(authority.create(tmp_path / "free"), _REGISTRY)

    assert "every host" in warning


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("registry.test:5050", "registry.test:5050"),
        ("Registry.Test", "registry.test"),
        ("10.0.0.1:5000", "10.0.0.1:5000"),
        ("[fd00::1]:5000", "[fd00::1]:5000"),
        ("fd00::1", "[fd00::1]"),
    ],
)
def test_a_registry_is_named_as_in_an_image(said: str, name: str) -> None:
    assert clients.registry_name(said) == name


@pytest.mark.parametrize("said", ["registry.test:0", "registry.test:65536"])
def test_a_port_that_does_not_exist_is_refused(said: str) -> None:
    with pytest.raises(Refused, match="port that does not exist"):
        clients.registry_name(said)


def test_a_release_file_that_is_damaged_says_nothing(tmp_path: Path) -> None:
    assert machine(tmp_path, release='ID="debian').release() == ()


@pytest.mark.parametrize("said", ["https://registry.test", "../../etc", "a/b", "", ".."])
def test_what_is_no_registry_is_refused(said: str) -> None:
    with pytest.raises(Refused, match="is no host"):
        clients.registry_name(said)
