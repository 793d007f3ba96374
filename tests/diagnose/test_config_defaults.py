"""What the products ship or recommend is right: no check speaks on it.

The files are written here after the products' own ones, with their names and values: distribution
(cmd/registry/config-example.yml, recipes/nginx.md), the Linux package of GitLab (its templates for
nginx and the registry), gitlab.rb.template, docker-registry.helm, harbor.yml, harbor-helm.
"""

from __future__ import annotations

import pytest

from regtrace.diagnose.config.check import Outcome
from regtrace.diagnose.config.examine import examine_setup
from regtrace.diagnose.rules import CHECKS
from settings_examples import read_example

DEFAULTS = {
    "distribution's example": """
==> config.yml <==
version: 0.1
log: {fields: {service: registry}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: /var/lib/registry}
  tag: {concurrencylimit: 8}
http: {addr: ":5000", headers: {X-Content-Type-Options: [nosniff]}}
auth: {htpasswd: {realm: basic-realm, path: /etc/registry}}
health: {storagedriver: {enabled: true, interval: 10s, threshold: 3}}
""",
    "distribution's recipe for nginx": """
==> auth/nginx.conf <==
events { worker_connections 1024; }
http {
  upstream docker-registry { server registry:5000; }
  map $upstream_http_docker_distribution_api_version $version { '' 'registry/2.0'; }
  server {
    listen 443 ssl;
    server_name myregistrydomain.com;
    client_max_body_size 0;
    chunked_transfer_encoding on;
    location /v2/ {
      if ($http_user_agent ~ "^(docker/1.(3|4|5(?!.[0-9]-dev))|Go ).*$" ) { return 404; }
      auth_basic "Registry realm";
      add_header 'Docker-Distribution-Api-Version' $version always;
      proxy_pass http://docker-registry;
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout 900;
    }
  }
}
==> compose.yaml <==
services:
  nginx: {image: "nginx:alpine", ports: ["5043:443"]}
  registry: {image: "registry:2", volumes: ["./data:/var/lib/registry"]}
""",
    "GitLab's Linux package": """
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
registry_external_url 'https://registry.example.com'
# registry['registry_http_addr'] = "127.0.0.1:5000"
==> registry/config.yml <==
version: 0.1
log: {level: info, formatter: text, fields: {service: registry, environment: production}}
storage: {"filesystem":{"rootdirectory":"/srv"},"cache":{"blobdescriptor":"inmemory"}}
http:
  addr: 127.0.0.1:5000
  secret: "made-up-secret-of-an-example"
  headers: {X-Content-Type-Options: [nosniff]}
auth:
  token:
    realm: https://gitlab.example.com/jwt/auth
    service: container_registry
    issuer: omnibus-gitlab-issuer
    rootcertbundle: gitlab-registry.crt
    autoredirect: false
validation: {disabled: true}
==> gitlab-registry.conf <==
server {
  listen *:443 ssl;
  server_name registry.example.com;
  client_max_body_size 0;
  chunked_transfer_encoding on;
  location / {
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto https;
    proxy_set_header X-Forwarded-Ssl on;
    proxy_read_timeout 900;
    proxy_cache off;
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_http_version 1.1;
    proxy_pass http://127.0.0.1:5000;
  }
}
==> gitlab-registry.crt <==
certificate of key A
""",
    "GitLab's package behind another proxy": """
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
registry_external_url 'https://registry.example.com'
gitlab_rails['registry_api_url'] = "http://127.0.0.1:5000"
gitlab_rails['registry_issuer'] = "omnibus-gitlab-issuer"
registry['registry_http_addr'] = "127.0.0.1:5000"
registry['debug_addr'] = "localhost:5001"
registry['storage_delete_enabled'] = true
registry['compatibility_schema1_enabled'] = false
registry['storage'] = {
  's3' => { 'accesskey' => 'a', 'secretkey' => 'b', 'bucket' => 'c', 'region' => 'eu-west-1' },
  'redirect' => { 'disable' => false }
}
registry_nginx['listen_port'] = 80
registry_nginx['listen_https'] = false
registry_nginx['proxy_set_headers'] = { "X-Forwarded-Proto" => "https", "X-Forwarded-Ssl" => "on" }
""",
    "the docker-registry chart": """
==> values.yaml <==
replicaCount: 1
image: {repository: registry, tag: 2.8.1, pullPolicy: IfNotPresent}
service: {name: registry, type: ClusterIP, port: 5000}
ingress: {enabled: false, className: nginx, path: /, hosts: [chart-example.local], annotations: {}}
persistence: {accessMode: ReadWriteOnce, enabled: false, size: 10Gi}
storage: filesystem
secrets: {haSharedSecret: "", htpasswd: ""}
proxy: {enabled: false, remoteurl: "https://registry-1.docker.io"}
metrics: {enabled: false, port: 5001}
configData:
  version: 0.1
  log: {fields: {service: registry}}
  storage: {cache: {blobdescriptor: inmemory}}
  http:
    addr: :5000
    headers: {X-Content-Type-Options: [nosniff]}
    debug: {addr: ":5001", prometheus: {enabled: false, path: /metrics}}
garbageCollect: {enabled: false, deleteUntagged: true}
""",
    "harbor.yml": """
==> harbor.yml <==
hostname: reg.mydomain.com
http: {port: 80}
https: {port: 443, certificate: /your/tls.crt, private_key: /your/tls.key}
harbor_admin_password: made-up-password
data_volume: /data
log: {level: info, local: {rotate_count: 50, location: /var/log/harbor}}
_version: 2.15.0
proxy: {http_proxy: , https_proxy: , no_proxy: , components: [core, jobservice, trivy]}
upload_purging: {enabled: true, age: 168h}
==> /your/tls.crt <==
certificate of key A
==> /your/tls.key <==
private key A
""",
    "the registry that Harbor sets up": """
==> config.yml <==
version: 0.1
log: {level: info, fields: {service: registry}}
storage:
  cache: {layerinfo: redis}
  filesystem: {rootdirectory: /storage}
  maintenance: {uploadpurging: {enabled: true, age: 168h}}
  delete: {enabled: true}
redis: {addr: "redis:6379", password: made-up-password-0, db: 1}
http: {addr: ":5000", secret: placeholder, debug: {addr: ":9090", prometheus: {enabled: true}}}
auth: {htpasswd: {realm: harbor-registry-basic-realm, path: /etc/registry/passwd}}
validation: {disabled: true}
compatibility: {schema1: {enabled: true}}
""",
    "the Harbor chart": """
==> values.yaml <==
expose:
  type: ingress
  tls: {enabled: true, certSource: auto}
  ingress:
    hosts: {core: core.harbor.domain}
    className: ""
    annotations:
      nginx.ingress.kubernetes.io/ssl-redirect: "true"
      nginx.ingress.kubernetes.io/proxy-body-size: "0"
externalURL: https://core.harbor.domain
persistence:
  enabled: true
  imageChartStorage:
    disableredirect: false
    type: filesystem
    filesystem: {rootdirectory: /storage}
    s3: {region: us-west-1, bucket: bucketname}
    gcs: {bucket: bucketname, encodedkey: base64-encoded-json-key-file}
registry: {replicas: 1}
logLevel: info
""",
    "Docker's documented settings": """
==> daemon.json <==
{"log-driver": "json-file", "registry-mirrors": ["https://mirror.gcr.io"],
 "insecure-registries": ["127.0.0.0/8", "localhost:5000"],
 "proxies": {"http-proxy": "http://proxy.example.com:3128",
             "https-proxy": "https://proxy.example.com:3129",
             "no-proxy": "*.test.example.com,.example.org,127.0.0.0/8"}}
==> http-proxy.conf <==
[Service]
Environment="HTTP_PROXY=http://proxy.example.com:3128"
Environment="HTTPS_PROXY=https://proxy.example.com:3129"
Environment="NO_PROXY=localhost,127.0.0.1,docker-registry.example.com,.corp"
""",
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_no_check_speaks_on_what_the_products_ship(name: str) -> None:
    read = read_example(DEFAULTS[name])
    assert read.faults == []
    assert read.files
    wrong = [
        f"{each.check.slug}: {spot.setting.source}:{spot.setting.line}"
        for each in examine_setup(read.setup, CHECKS)
        if each.outcome is Outcome.WRONG
        for fault in each.wrong
        for spot in fault.spots
    ]
    assert wrong == []
