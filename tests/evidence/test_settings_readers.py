"""Each kind of configuration file says what it says, and where; hostile ones are told in a line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from regtrace.evidence.config import kinds
from regtrace.evidence.config.keyfiles import parse_key_file, read_key_file
from regtrace.evidence.config.kinds import Kind
from regtrace.evidence.config.nginxfile import read_nginx
from regtrace.evidence.config.rubyfile import read_ruby
from regtrace.evidence.config.secrets import is_secret
from regtrace.evidence.config.setup import Read, read_files
from regtrace.evidence.config.text import MOST, Unreadable
from regtrace.evidence.config.yamlfile import read_yaml
from regtrace.wire.settings import Setting
from settings_examples import NOW, certificate, private_key, read_example


def values(settings: object) -> dict[str, str]:
    return {key: each.text for key, each in settings}  # type: ignore[attr-defined]


def fault(read: Read) -> str:
    (said,) = read.faults
    assert "\n" not in said
    return said


# --- gitlab.rb


def test_literals_of_gitlab_rb_with_their_lines() -> None:
    settings = read_ruby(
        """\
# registry['storage_delete_enabled'] = false
external_url "https://gitlab.example.com"
registry_external_url 'https://registry.example.com:5050'  # where clients go
registry['storage'] = {
  's3' => {
    'bucket' => 'my-bucket', :region => "eu-west-1",
    chunksize: 52_428_800, # bytes
    'v4auth' => true,
    'rootdirectory' => nil,
  },
  "redirect" => { "disable" => false }
}
gitlab_rails['registry_issuer'] = 'it''s'
nginx['listen_addresses'] = ['*', "[::]"]
registry['cidrs'] = %w(10.0.0.0/8 172.16.0.0/12)
""",
        "gitlab.rb",
    )
    assert values(settings) == {
        "external_url": "https://gitlab.example.com",
        "registry_external_url": "https://registry.example.com:5050",
        "registry.storage.s3.bucket": "my-bucket",
        "registry.storage.s3.region": "eu-west-1",
        "registry.storage.s3.chunksize": "52428800",
        "registry.storage.s3.v4auth": "true",
        "registry.storage.redirect.disable": "false",
        "gitlab_rails.registry_issuer": "",
        "nginx.listen_addresses.0": "*",
        "nginx.listen_addresses.1": "[::]",
        "registry.cidrs.0": "10.0.0.0/8",
        "registry.cidrs.1": "172.16.0.0/12",
    }
    region = settings.said["registry.storage.s3.region"]
    assert (region.line, region.name) == (6, "registry['storage']['s3']['region']")
    # Two literals side by side are one in Ruby; here they count as not readable.
    assert settings.unreadable("gitlab_rails.registry_issuer")


@pytest.mark.parametrize(
    "value",
    [
        "ENV['ADDR']",
        "File.read('/run/secrets/addr')",
        '"#{host}:5000"',
        "'a' + 'b'",
        "'a' if true",
        "{ 'a' => ENV['B'] }",
        "`id`",
        "%x(id)",
        "<<~EOS\nregistry['debug_addr'] = ':5001'\nEOS",
    ],
)
def test_what_has_to_be_worked_out_is_not_readable(value: str) -> None:
    text = f"registry['registry_http_addr'] = {value}\nregistry['log_level'] = 'info'\n"
    settings = read_ruby(text, "gitlab.rb")
    assert settings.unreadable("registry.registry_http_addr")
    assert settings.get("registry.registry_http_addr") is None
    assert settings.text("registry.log_level") == "info"
    assert settings.get("registry.debug_addr") is None


def test_what_stands_in_a_condition_is_not_readable() -> None:
    text = """\
if node['fqdn'] == 'a'
  registry['log_level'] = 'debug'
end
registry['registry_http_addr'] = 'localhost:5000'
"""
    settings = read_ruby(text, "gitlab.rb")
    assert settings.unreadable("registry.log_level")
    assert settings.text("registry.registry_http_addr") == "localhost:5000"


def test_the_last_assignment_counts() -> None:
    text = """\
registry['storage'] = { 's3' => { 'region' => 'a', 'bucket' => 'b' } }
registry['storage'] = { 'filesystem' => { 'rootdirectory' => '/r' } }
registry['log_level'] = 'debug'
registry['log_level'] = ENV['LEVEL']
"""
    settings = read_ruby(text, "gitlab.rb")
    assert settings.get("registry.storage.s3.region") is None
    assert settings.text("registry.storage.filesystem.rootdirectory") == "/r"
    assert settings.unreadable("registry.log_level")


@pytest.mark.parametrize(
    "text",
    [
        "registry['a'] = {",
        "registry['a'] = '",
        "registry['a'] = [1,",
        "registry['a'] = " + "[" * 500,
    ],
)
def test_a_torn_gitlab_rb_ends(text: str) -> None:
    assert read_ruby(text, "gitlab.rb").unreadable("registry.a")


# --- YAML


def test_anchors_and_merge_keys_are_followed() -> None:
    settings = read_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n", "f")
    assert values(settings) == {
        "a.x": "1",
        "a.y": "2",
        "b.x": "1",
        "b.y": "3",
        "c.x": "1",
        "c.y": "2",
    }


def bomb() -> str:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (bomb().encode(), "aliases counted each time, so it is not read"),
        (b"a: &a [*a]\n", "aliases counted each time, so it is not read"),
        (b"a: " + b"[" * 100, "levels deep, so it is not read"),
        (b"a: " + b"[" * 100_000, "config.yml, line 1: "),
        (b"x: 1\n" * (MOST // 5 + 10), "so it is no configuration file"),
        (b"\x7fELF\0\0", "holds zero bytes"),
        (b"a: \xff\n", "line 1: is not UTF-8"),
        (b"version: 0.1\nstorage: {\n", "no valid YAML"),
        (b"a: \x1b[2J\n", "control character"),
        (b"just a sentence\n", "is no mapping"),
        (b"color: red\n", "say which with --kind"),
    ],
)
def test_a_hostile_file_is_told_in_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_bytes(content)
    assert says in fault(read_files([str(path)], now=NOW))


def test_what_is_no_file_is_told_in_one_line(tmp_path: Path) -> None:
    assert "can't be read" in fault(read_files([str(tmp_path / "absent.yml")], now=NOW))
    assert "is no regular file" in fault(read_files(["/dev/zero"], now=NOW))
    assert "holds no file" in fault(read_files([str(tmp_path)], now=NOW))


# --- nginx

_NGINX = """\
http {
  client_max_body_size 5g;
  proxy_set_header Host $http_host;
  upstream registries { server 10.0.0.1:5000; server unix:/run/r.sock backup; }
  server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name registry.example.com;
    location /v2/ {
      proxy_pass http://registries;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
    location / { proxy_pass http://registries; include inherit.conf; }
  }
}
"""


def test_a_location_inherits_headers_only_when_it_sets_none() -> None:
    first, second = read_nginx(
        {"nginx.conf": _NGINX, "conf.d/inherit.conf": "proxy_read_timeout 900;"}, "nginx.conf"
    ).fronts
    assert first.settings.get("header.host") is None
    assert first.settings.text("header.x-forwarded-proto") == "$scheme"
    assert first.settings.text("client_max_body_size") == "5g"
    assert second.settings.text("header.host") == "$http_host"
    timeout = second.settings.get("proxy_read_timeout")
    assert timeout
    assert (timeout.source, timeout.line, timeout.text) == ("conf.d/inherit.conf", 1, "900")
    assert [each.text for each in first.upstreams] == ["10.0.0.1:5000"]
    assert [(each.port, each.tls) for each in first.listens] == [(443, True), (443, True)]


def test_includes_that_were_not_given_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.conf").write_text("proxy_read_timeout 900;")
    text = (
        "server { listen 80; server_name registry.test;"
        f" location / {{ proxy_pass http://a:5000; include {tmp_path}/*.conf; }} }}"
    )
    (front,) = read_nginx({"nginx.conf": text}, "nginx.conf").fronts
    assert front.settings.get("proxy_read_timeout") is None


def test_files_that_include_each_other_end() -> None:
    files = {"a.conf": "include b.conf;", "b.conf": "include a.conf;"}
    assert read_nginx(files, "a.conf").fronts == ()


@pytest.mark.parametrize(
    "text", ["server { listen 80; ", "server { listen 80; }}", "server {" * 5000]
)
def test_what_nginx_would_refuse_is_told(text: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_nginx({"nginx.conf": text}, "nginx.conf")
    assert str(refused.value).startswith("nginx.conf")
    assert "\n" not in str(refused.value)


def test_what_is_included_counts_where_it_is_included(tmp_path: Path) -> None:
    """Alone, the server would have nginx's limit of 1 MB; in its place it has none."""
    (tmp_path / "nginx.conf").write_text(
        "events {} http { client_max_body_size 0; include conf.d/*.conf; }"
    )
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "registry.conf").write_text(
        "server { listen 443 ssl; server_name registry.test;"
        " location /v2/ { proxy_pass http://127.0.0.1:5000; } }"
    )
    (tmp_path / "conf.d" / "limits.conf").write_text("proxy_read_timeout 900s;\n")
    files = ["nginx.conf", "conf.d/registry.conf", "conf.d/limits.conf"]
    assert read_files([str(tmp_path / name) for name in files], now=NOW).faults == []
    (front,) = read_files([str(tmp_path)], now=NOW).setup.fronts
    assert front.settings.text("client_max_body_size") == "0"
    assert front.whole
    alone = read_files([str(tmp_path / "conf.d" / "registry.conf")], now=NOW)
    assert [each.whole for each in alone.setup.fronts] == [False]


def test_a_copied_tree_is_not_left(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "a.crt").write_text(certificate("A"))
    setting = Setting("http.tls.certificate", "../a.crt", str(tmp_path / "tree" / "c.yml"), 1)
    assert read_key_file(setting, tmp_path / "tree", tmp_path / "tree").missing


def test_a_server_that_leads_to_no_registry_is_passed_over() -> None:
    read = read_example(
        """
==> nginx.conf <==
server { listen 443 ssl; server_name www.example.com; location / { proxy_pass http://app:8080; } }
"""
    )
    assert read.setup.fronts == ()


# --- the other kinds


def test_environment_goes_over_the_file() -> None:
    read = read_example(
        """
==> config.yml <==
version: 0.1
storage: {s3: {region: us-east-1, bucket: b}}
==> registry.env <==
# what the unit sets
export REGISTRY_STORAGE_S3_REGION="eu-west-1"
REGISTRY_HTTP_SECRET=made-up-secret-value
"""
    )
    (registry,) = read.setup.registries
    region = registry.storage("region")
    assert region
    assert (region.text, region.source, region.line) == ("eu-west-1", "registry.env", 2)
    secret = registry.settings.get("http.secret")
    assert secret
    assert secret.secret


def test_compose_in_either_notation() -> None:
    read = read_example(
        """
==> compose.yaml <==
x-common: &common {REGISTRY_LOG_LEVEL: debug}
services:
  web: {image: "nginx:1"}
  one:
    image: registry:2
    environment: {<<: *common, REGISTRY_HTTP_ADDR: "0.0.0.0:5000"}
  two:
    image: ghcr.io/distribution/distribution:3
    scale: 2
    environment: ["REGISTRY_HTTP_SECRET=made-up-secret-value", "OTHER=1"]
"""
    )
    one, two = read.setup.registries
    assert one.settings.text("http.addr") == "0.0.0.0:5000"
    assert one.settings.text("log.level") == "debug"
    assert two.count == 2
    secret = two.settings.get("http.secret")
    assert secret
    assert secret.secret
    assert ("compose.yaml, line 10", "made-up-secret-value") in read.secrets


def test_systemd_drop_in() -> None:
    read = read_example(
        """
==> http-proxy.conf <==
[Service]
Environment="HTTP_PROXY=http://user:made-up-pass@proxy.example.com:3128" NO_PROXY=a,b
Environment=https_proxy=http://proxy.example.com:3128
"""
    )
    (daemon,) = read.setup.daemons
    assert daemon.settings.text("no-proxy") == "a,b"
    assert daemon.settings.text("https-proxy") == "http://proxy.example.com:3128"
    assert ("http-proxy.conf, line 2", "made-up-pass") in read.secrets


def test_the_harbor_chart_stores_where_its_type_says() -> None:
    read = read_example(
        """
==> values.yaml <==
externalURL: https://core.harbor.example
expose: {type: ingress, ingress: {className: nginx, annotations: {}}}
persistence:
  imageChartStorage:
    type: s3
    disableredirect: true
    s3: {region: us-west-1, bucket: bucketname}
    gcs: {bucket: other}
registry: {replicas: 2}
"""
    )
    (registry,) = read.setup.registries
    assert registry.driver == "s3"
    assert registry.count == 2
    assert registry.settings.flag("storage.redirect.disable")
    realm = registry.settings.text("auth.token.realm")
    assert realm == "https://core.harbor.example/service/token"
    (front,) = read.setup.fronts
    assert front.kind == "ingress"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("version: 0.1\nstorage: {inmemory: }\nhttp: {addr: ':5000'}", Kind.REGISTRY),
        ("services: {a: {image: b}}", Kind.COMPOSE),
        ("configData: {version: 0.1}\nreplicaCount: 1", Kind.HELM_REGISTRY),
        ("global: {hosts: {domain: a}}\nregistry: {log: {level: info}}", Kind.HELM_GITLAB),
        ("externalURL: https://a\nexpose: {type: ingress}", Kind.HELM_HARBOR),
        ("hostname: a\ndata_volume: /data", Kind.HARBOR),
        ("production: {registry: {issuer: a}}", Kind.GITLAB_YML),
        ('{"registry-mirrors": []}\n{', None),
    ],
)
def test_the_kind_is_seen_from_the_content(text: str, kind: Kind | None) -> None:
    if kind is None:
        assert kinds.of_text(text, "daemon.json") is None
    else:
        assert kinds.of_tree(read_yaml(text, "f")) is kind


def test_the_kind_of_what_is_no_tree() -> None:
    assert kinds.of_text("external_url 'https://a'\n", "x") is Kind.GITLAB_RB
    assert kinds.of_text("  server {\n listen 80; }\n", "x") is Kind.NGINX
    assert kinds.of_text("[Service]\nEnvironment=A=b\n", "x") is Kind.SYSTEMD
    assert kinds.of_text("# x\nREGISTRY_LOG_LEVEL=info\n", "x") is Kind.ENVIRONMENT


# --- secrets, keys


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("storage.s3.accesskey", "LABACCESSKEY0MADEUP0", True),
        ("storage.s3.secretkey", "x", True),
        ("storage.azure.accountkey", "x", True),
        ("http.secret", "x", True),
        ("redis.password", "x", True),
        ("registry['http_secret']", "x", True),
        ("notifications.endpoints.0.headers.Authorization.0", "Bearer x", True),
        ("services.r.environment.0", "REGISTRY_HTTP_SECRET=x", True),
        ("harbor_admin_password", "x", True),
        ("auth.token.realm", "https://a/token", False),
        ("auth.token.issuer", "a", False),
        ("auth.htpasswd.path", "/etc/htpasswd", False),
        ("https.private_key", "/data/key.pem", False),
        ("expose.tls.secret.secretName", "tls", False),
        ("storage.s3.region", "us-east-1", False),
    ],
)
def test_secrets_by_their_names(name: str, value: str, secret: bool) -> None:
    assert is_secret(name, value) is secret


def test_a_key_file_is_found_below_the_root(tmp_path: Path) -> None:
    setting = Setting("auth.token.rootcertbundle", "/certs/a.crt", "config.yml", 1)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "a.crt").write_text(certificate("A"))
    assert read_key_file(setting, tmp_path, tmp_path).keys
    assert read_key_file(setting, tmp_path, None).missing


def test_a_pair_has_one_public_key() -> None:
    setting = Setting("x", "x", "f", 1)
    shown = parse_key_file(setting, certificate("A"))
    assert shown.keys == parse_key_file(setting, private_key("A")).keys
    assert shown.keys != parse_key_file(setting, private_key("B")).keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        '{"private_key": "x"}',
        "{",
    ],
)
def test_a_broken_key_file_is_a_problem_and_no_crash(text: str) -> None:
    assert parse_key_file(Setting("x", "x", "f", 1), text).problem


@pytest.mark.parametrize(
    "driver", ["inmemory: {}", "filesystem:", "filesystem: {rootdirectory: /r}"]
)
def test_a_driver_without_parameters_is_one(driver: str) -> None:
    read = read_example(f"==> config.yml <==\nversion: 0.1\nstorage:\n  {driver}\n")
    (registry,) = read.setup.registries
    assert registry.driver == driver.partition(":")[0]
    assert registry.settings.there("http.tls") is None


def test_large_files_take_seconds_only(tmp_path: Path) -> None:
    """None of these may take the square of its size: each would then take minutes."""
    texts = {
        "many.rb": "".join(f"registry['a{n}'] = 'x'\n" for n in range(40_000)),
        "heredoc.rb": "registry['a'] = 1\n" + "".join(f"x = <<A{n}\n" for n in range(80_000)),
        "proxy.conf": '[Service]\nEnvironment="NO_PROXY=' + "a," * 400_000 + '" A=b\n',
        "locations.conf": "server { listen 80; server_name registry.test;"
        + "".join(f"location /v2/{n} {{ proxy_pass http://a:5000; }}" for n in range(8000))
        + "}",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    began = time.monotonic()
    assert read_files([str(tmp_path / name) for name in texts], now=NOW).faults == []
    assert time.monotonic() - began < 60
