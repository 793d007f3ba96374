"""The authority: what it may sign for, as OpenSSL judges it, and what it leaves on the disk."""

from __future__ import annotations

import datetime
import ipaddress
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from mitmproxy import certs
from mitmproxy.test import taddons

from regtrace.setup import authority
from regtrace.setup.refused import Refused

_OPENSSL_ON_NAMES = re.compile(r"permitted subtree violation|excluded subtree violation")


def _signed(made: authority.Authority, tmp_path: Path, *names: str) -> str:
    """What OpenSSL says of a certificate that mitmproxy makes with this authority."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl")
    store = certs.CertStore.from_store(made.folder, "mitmproxy", 2048)
    sans = [_general_name(name) for name in names]
    leaf = store.get_cert(names[0], sans).cert.to_pem()
    (tmp_path / "leaf.pem").write_bytes(leaf)
    command = ["openssl", "verify", "-purpose", "sslserver"]
    command += ["-CAfile", str(made.certificate), str(tmp_path / "leaf.pem")]
    done = subprocess.run(command, capture_output=True, text=True)
    return "ok" if done.returncode == 0 else done.stdout + done.stderr


def _general_name(name: str) -> x509.GeneralName:
    if name.replace(".", "").isdigit() or ":" in name:
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


@pytest.mark.parametrize(
    "names",
    [("registry.test",), ("a.s3.test",), ("s3.test",), ("registry.test", "x.registry.test")],
)
def test_it_signs_for_its_hosts(tmp_path: Path, names: tuple[str, ...]) -> None:
    made = authority.create(tmp_path / "ca", ["registry.test:5050", "*.s3.test"])

    assert _signed(made, tmp_path, *names) == "ok"


@pytest.mark.parametrize(
    "names",
    [
        ("other.test",),
        ("registry.test", "other.test"),
        ("notregistry.test",),
        ("10.0.0.1",),
        ("::1",),
    ],
)
def test_openssl_refuses_what_it_signs_for_others(tmp_path: Path, names: tuple[str, ...]) -> None:
    made = authority.create(tmp_path / "ca", ["registry.test:5050", "*.s3.test"])

    assert _OPENSSL_ON_NAMES.search(_signed(made, tmp_path, *names))


def test_one_of_addresses_signs_for_no_name_and_no_other_address(tmp_path: Path) -> None:
    made = authority.create(tmp_path / "ca", ["10.0.0.1:5000", "[fd00::1]:5000"])

    # Without a name from the client, mitmproxy adds the address that it listens on.
    assert _signed(made, tmp_path, "127.0.0.1", "10.0.0.1") == "ok"
    assert _signed(made, tmp_path, "fd00::1") == "ok"
    assert made.hosts == ("10.0.0.1", "fd00::1")
    for other in ("10.0.0.2", "fd00::2", "registry.test"):
        assert _OPENSSL_ON_NAMES.search(_signed(made, tmp_path, other)), other


def test_without_hosts_it_signs_for_all(tmp_path: Path) -> None:
    made = authority.create(tmp_path / "ca")

    assert made.hosts == ()
    assert _signed(made, tmp_path, "other.test", "10.0.0.1") == "ok"


def test_its_certificate_lasts_a_week_and_can_make_no_further_authority(tmp_path: Path) -> None:
    made = authority.create(tmp_path / "ca", ["registry.test"])

    certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    limits = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    now = datetime.datetime.now(datetime.timezone.utc)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    assert limits.critical
    assert datetime.timedelta(days=6.9) < made.expires - now <= datetime.timedelta(days=7)
    assert made.not_before < now
    assert b"PRIVATE" not in made.certificate.read_bytes()


def test_only_its_owner_reads_the_key(tmp_path: Path) -> None:
    made = authority.create(tmp_path / "ca")

    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((made.folder / "mitmproxy-ca.pem").stat().st_mode) == 0o600


def test_what_is_loaded_is_what_was_made(tmp_path: Path) -> None:
    made = authority.create(tmp_path / "ca", ["Registry.TEST:443", "registry.test", "*.s3.test"])

    assert authority.load(made.folder) == made
    assert made.hosts == ("registry.test", "s3.test")


def test_mitmproxys_own_authority_can_be_loaded_too(tmp_path: Path) -> None:
    certs.CertStore.create_store(tmp_path, "mitmproxy", 2048)

    loaded = authority.load(tmp_path)

    assert loaded.hosts == ()
    assert (loaded.expires - loaded.not_before).days > 3000


def test_mitmproxy_takes_its_options_and_lets_others_pass_sealed(tmp_path: Path) -> None:
    made = authority.create(tmp_path / "ca", ["registry.test", "*.s3.test", "10.0.0.1"])

    options = yaml.safe_load((made.folder / "config.yaml").read_text())
    with taddons.context() as context:
        context.options.update(**options)
        assert context.options.upstream_cert is False
        allowed = context.options.allow_hosts
    looked_into = {
        address: any(re.search(pattern, address) for pattern in allowed)
        for address in (
            "registry.test:5050",
            "bucket.s3.test:443",
            "10.0.0.1:5000",
            "other.test:443",
            "evilregistry.test:443",
            "registry.test.evil:443",
            "10.0.0.11:443",
        )
    }
    assert list(looked_into.values()) == [True, True, True, False, False, False, False]


@pytest.mark.parametrize(
    "host", ["https://registry.test", "a b", "", "*", "*.com", "-a.test", "café.test", "a..b"]
)
def test_what_is_no_host_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(Refused, match="is no host"):
        authority.create(tmp_path / "ca", [host])

    assert not (tmp_path / "ca").exists()


def test_a_second_one_in_the_same_folder_is_refused_and_the_first_stays(tmp_path: Path) -> None:
    made = authority.create(tmp_path / "ca")
    key = (made.folder / "mitmproxy-ca.pem").read_bytes()

    with pytest.raises(Refused, match="already"):
        authority.create(tmp_path / "ca")

    assert (made.folder / "mitmproxy-ca.pem").read_bytes() == key


def test_a_folder_that_can_not_be_made_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Refused, match=r"can't be written: Not a directory"):
        authority.create(tmp_path / "file" / "ca")


def test_an_authority_in_a_folder_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="regtrace ca create"):
        authority.load(tmp_path)


def test_the_bundle_holds_the_system_s_roots_and_the_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = authority.create(tmp_path / "roots").certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    made = authority.create(tmp_path / "ca")

    authority.bundle(made, tmp_path / "bundle.pem")

    held = x509.load_pem_x509_certificates((tmp_path / "bundle.pem").read_bytes())
    pems = [each.public_bytes(serialization.Encoding.PEM) for each in held]
    assert pems == [roots.read_bytes(), made.certificate.read_bytes()]


@pytest.mark.parametrize("days", [0, -1, 91])
def test_it_may_not_live_longer_than_a_case(tmp_path: Path, days: int) -> None:
    with pytest.raises(Refused, match="from 1 to 90 days"):
        authority.create(tmp_path / "ca", days=days)
