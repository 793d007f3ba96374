"""Which proxy a Go program takes: the table is Go's own (golang.org/x/net/http/httpproxy,
proxy_test.go UseProxyTests)."""

from __future__ import annotations

import pytest

from regtrace.wire.proxy_settings import ProxySettings, settings_of

_NO_PROXY = (
    "foobar.com, .barbaz.net, *.example.org, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80,"
    " 10.0.0.0/30, 2001:db8::52:0:1, [2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80,"
    " 2002:db8:a::45/64"
)


@pytest.mark.parametrize(
    ("host", "proxied"),
    [
        ("localhost", False),
        ("127.0.0.1", False),
        ("127.0.0.2", False),
        ("::1", False),
        ("::2", True),
        ("192.168.1.1", False),
        ("192.168.1.2", True),
        ("192.168.1.3", False),
        ("192.168.1.4", True),
        ("10.0.0.2", False),
        ("2001:db8::52:0:1", False),
        ("2001:db8::52:0:2", True),
        ("2001:db8::52:0:3", False),
        ("2002:db8:a::123", False),
        ("fe80::424b:c8be:1643:a1b6", True),
        ("barbaz.net", True),
        ("www.barbaz.net", False),
        ("foobar.com", False),
        ("FooBar.com", False),
        ("www.foobar.com", False),
        ("foofoobar.com", True),
        ("a.example.org", False),
        ("example.org", True),
        ("baz.com", True),
        ("localhost.net", True),
        ("local.localhost", True),
        ("barbarbaz.net", True),
    ],
)
def test_no_proxy_is_read_as_go_reads_it(host: str, proxied: bool) -> None:
    settings = ProxySettings("http://proxy", "http://secure", _NO_PROXY)

    assert bool(settings.proxy_for("http", host, 80)) is proxied


def test_a_star_leaves_every_host_out() -> None:
    assert ProxySettings("http://p", "http://p", "a, *").bypass("registry.example.com", 443) == "*"


def test_nonsense_in_no_proxy_leaves_nobody_out() -> None:
    settings = ProxySettings("http://p", "http://p", ",,:80,1.2.3.4/99,[::1")

    assert settings.bypass("registry.example.com", 443) == ""


def test_each_scheme_has_a_proxy_of_its_own() -> None:
    settings = settings_of({"HTTP_PROXY": "http://a", "https_proxy": "http://b"})

    assert settings.proxy_for("http", "registry.example.com", 80) == "http://a"
    assert settings.proxy_for("https", "registry.example.com", 443) == "http://b"


def test_the_name_with_capitals_counts_first() -> None:
    settings = settings_of({"HTTPS_PROXY": "http://a", "https_proxy": "http://b", "no_proxy": "c"})

    assert settings == ProxySettings("", "http://a", "c")
