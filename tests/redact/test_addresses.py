"""Addresses: a label says of what class one is and which are in its network, and no bit of it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.redact.addresses import is_made_up, made_up, place_of
from regtrace.redact.cases import Unkept, open_case
from regtrace.redact.copying import Copier
from regtrace.redact.holdings import Holdings
from regtrace.redact.redactor import Level, Redactor
from regtrace.redact.shapes import ADDRESS_KINDS, LABEL, is_label
from regtrace.wire.hosts import reach

CLASSES = [
    ("10.1.2.3", "private-address-1"),
    ("172.20.0.1", "private-address-1"),
    ("192.168.7.7", "private-address-1"),
    ("100.64.3.3", "private-address-1"),
    ("fd12:3456::1", "private-address-1"),
    ("::ffff:10.1.2.3", "private-address-1"),
    ("8.8.8.8", "public-address-1"),
    ("2600::1", "public-address-1"),
    ("::ffff:8.8.8.8", "public-address-1"),
    ("169.254.169.254", "link-local-address-1"),
    ("fe80::1", "link-local-address-1"),
    ("fe80::1%eth0", "link-local-address-1"),
    ("127.0.0.1", "127.0.0.1"),
    ("::1", "::1"),
    ("0.0.0.0", "0.0.0.0"),
]


@pytest.mark.parametrize(("address", "shown"), CLASSES)
def test_a_label_says_the_class(address: str, shown: str) -> None:
    assert Redactor(Level.VENDOR).address(address) == shown
    assert Redactor(Level.INTERNAL).address(address) == address


CLIENTS = [
    ("10.1.2.3", "client-1"),
    ("8.8.8.8", "public-client-1"),
    ("fe80::1", "link-local-client-1"),
    ("127.0.0.1", "127.0.0.1"),
    ("::1", "::1"),
]


@pytest.mark.parametrize(("address", "shown"), CLIENTS)
def test_a_client_of_a_private_network_is_the_usual_one(address: str, shown: str) -> None:
    assert Redactor(Level.VENDOR).client_address(address) == shown


def test_neighbours_have_one_network_and_a_value_has_one_label() -> None:
    redactor = Redactor(Level.VENDOR)
    assert redactor.client_address("10.1.2.3") == "client-1"
    assert redactor.client_address("10.1.3.3") == "client-2.2"
    said = "10.1.2.4 then 10.1.3.4:80 then [fd00:1::1]:80, fd00:1:0:0:9::1, fd00:1:0:1::1 10.1.3.4"
    assert redactor.prose(said) == (
        "private-address-1 then private-address-2.2:80 then private-address-3.3:80,"
        " private-address-4.3, private-address-5.4 private-address-2.2"
    )


def test_a_label_stays_what_it_is() -> None:
    redactor = Redactor(Level.VENDOR)
    once = redactor.prose("10.1.2.3 and 10.1.3.3.")
    assert once == "private-address-1 and private-address-2.2."
    assert redactor.prose(once) == once
    assert redactor.client_address("private-address-2.2") == "private-address-2.2"


@pytest.mark.parametrize("kind", sorted(ADDRESS_KINDS))
def test_each_class_is_a_label(kind: str) -> None:
    for label in (f"{kind}-1", f"{kind}-12.3"):
        assert is_label(label)
        assert [found[0] for found in LABEL.finditer(f"to {label}.")] == [label]


@pytest.mark.parametrize("text", ["token-3.2", "host-1.2", "private-address-1.2.a", "client-1."])
def test_only_an_address_has_a_network(text: str) -> None:
    assert not is_label(text)


def test_a_case_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtrace.redact.cases.root", lambda: tmp_path)
    first, again = (Redactor(Level.VENDOR, case=open_case("acme")) for _ in range(2))
    assert first.client_address("10.1.2.3") == "client-1"
    assert first.address("10.1.3.3") == "private-address-1.2"
    assert again.address("10.1.4.4") == "private-address-2.3"
    assert again.address("10.1.3.3") == "private-address-1.2"
    assert again.client_address("10.1.3.9") == "client-2.2"
    later = Redactor(Level.VENDOR, case=open_case("acme"))
    assert later.address("10.1.4.5") == "private-address-3.3"
    assert later.is_label("private-address-1.2")
    entry = open_case("acme").entry("private-address-1.2")
    assert entry is not None
    assert entry.value == "10.1.3.3"


def test_a_case_that_nobody_keeps_counts_them_too() -> None:
    redactor = Redactor(Level.VENDOR, case=Unkept())
    assert redactor.address("10.1.2.3") == "private-address-1"
    assert redactor.address("10.1.3.3") == "private-address-2.2"


HOSTILE = [
    "999.1.1.1",
    "unknown",
    "10.0.0.1:5000",
    "::1%<b>s3cret</b>",
    "fe80::1%\x1b[31m",
    "1",
    "-",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_what_is_no_plain_address_is_said(text: str) -> None:
    redactor = Redactor(Level.VENDOR)
    for shown in (redactor.client_address(text), redactor.address(text)):
        assert shown is not None
        assert is_label(shown)


@given(st.text(max_size=60) | st.ip_addresses().map(str))
def test_any_text_has_a_label_or_says_enough(text: str) -> None:
    shown = Redactor(Level.VENDOR).address(text)
    place = place_of(text)
    assert is_label(shown) or (place is not None and place.scope == "loopback" and shown == text)


@given(st.ip_addresses())
def test_a_made_up_address_is_of_the_same_class_family_and_network(address: object) -> None:
    redactor = Redactor(Level.VENDOR)
    redactor.address("10.9.9.9")
    copied = Copier(redactor).address(str(address))
    before, after = place_of(str(address)), place_of(copied)
    assert before is not None
    assert after is not None
    assert (before.scope, ip_address(copied).version) == (
        after.scope,
        ip_address(str(address)).version,
    )
    assert reach(copied) is reach(str(address)) or "::ffff:" in str(address)


@pytest.mark.parametrize("kind", sorted(ADDRESS_KINDS))
@pytest.mark.parametrize("family", [4, 6])
def test_a_made_up_address_stays_what_it_is(kind: str, family: int) -> None:
    holdings = Holdings()
    holdings.labelled = True
    redactor = Redactor(Level.VENDOR, holdings)
    for end in ("1", "254", "40000", "999999999.999999999"):
        made = made_up(f"{kind}-{end}", family)
        assert made is not None
        assert is_made_up(made)
        assert Copier(redactor).address(made) == made


@pytest.mark.parametrize("family", [4, 6])
def test_made_up_neighbours_stay_neighbours(family: int) -> None:
    def network(label: str) -> str:
        place = place_of(made_up(label, family) or "")
        assert place is not None
        return place.network

    assert network("private-address-1.2") == network("private-address-7.2")
    assert network("private-address-1.2") != network("private-address-2")
