"""Names, addresses, made-up accounts and places of the laboratory's small world.

Everything here exists only inside the box (`box.py`): the addresses sit on its loopback
device, the names in its own /etc/hosts, the folders on its own tmpfs.
"""

from __future__ import annotations

from pathlib import Path

# Not 127.0.0.0/8: dockerd treats a registry that resolves there as insecure, and Go clients
# never use a proxy for it. Either would hide what the laboratory wants to show.
PROXY_ADDRESS = "10.77.0.2"
REGISTRY_ADDRESS = "10.77.0.10"
AUTH_ADDRESS = "10.77.0.11"
S3_ADDRESS = "10.77.0.12"

HOSTS = {
    "proxy.test": PROXY_ADDRESS,
    "registry.test": REGISTRY_ADDRESS,
    "auth.test": AUTH_ADDRESS,
    "s3.test": S3_ADDRESS,
}

PROXY_PORT = 8080
REGISTRY_PLAIN_PORT = 5000  # the registry behind something; the replica has the next one
FRONT_PORTS = {"registry": 5050, "nginx": 5443, "middlebox": 5444}  # what clients talk to, all TLS
AUTH_PORT = 5443
S3_PORT = 9000
OTHER_S3_PORT = 9002  # the second gateway
CLOSED_PORT = 5999  # nothing listens here

REALM = f"https://auth.test:{AUTH_PORT}/jwt/auth"
SERVICE = "container_registry"
ISSUER = "lab-token-server"

# All made up; they open nothing but the laboratory.
USER = "builder"
PASSWORD = "made-up-password"
S3_ACCESS_KEY = "LABACCESSKEY0MADEUP0"
S3_SECRET_KEY = "made/up/secret/key/of/the/lab/0123456789"
BUCKET = "registry"

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent.parent

# Inside the box only.
STATE = Path("/run/lab")
READY = STATE / "ready"
DISK = STATE / "disk"  # for a registry that does not store on S3
RUNS = STATE / "runs"
LOGS = STATE / "logs"
PIDS = STATE / "pids"
KEYS = STATE / "keys"
HOME = STATE / "home"
TEMP = STATE / "tmp"
