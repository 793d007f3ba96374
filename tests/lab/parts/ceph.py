"""The storage: Ceph's S3 gateway on one monitor and one in-memory OSD.

A real S3: it checks presigned signatures and applies bucket policies to them, which the
one-process imitations do not.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from .. import process, world
from ..settings import Settings

_FOLDER = world.STATE / "ceph"
_CONF = _FOLDER / "ceph.conf"
_KEYRING = _FOLDER / "keyring"
_MONMAP = _FOLDER / "monmap"
_MONITOR = f"v2:{world.S3_ADDRESS}:3300/0"

# The gateway can't log in when all authentication is `none`, so cephx it is. No manager daemon
# is needed. One keyring serves everybody.
_CONF_TEXT = """\
[global]
fsid = {fsid}
mon_host = {monitor}
public_addr = {address}
keyring = {folder}/keyring
run_dir = {folder}
log_file = {folder}/$name.log
admin_socket = {folder}/$name.asok
mon_data = {folder}/mon
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
rgw_frontends = beast endpoint={address}:{port}
"""


def start(settings: Settings) -> None:
    """Bring Ceph up once; then make the bucket as the settings want it.

    Also start or stop the second gateway, which serves the same bucket.
    """
    if not process.listens(world.S3_ADDRESS, world.S3_PORT):
        _start_cluster()
        _start_gateway()
    client = _client()
    _make_bucket(client)
    if policy := settings.storage.get("policy"):
        statements = {"Version": "2012-10-17", "Statement": list(policy)}
        client.put_bucket_policy(Bucket=world.BUCKET, Policy=json.dumps(statements))
    else:
        client.delete_bucket_policy(Bucket=world.BUCKET)
    if size := settings.storage.get("lose_above"):
        _delete(above=size)
    process.stop("other-radosgw")
    if environment := settings.storage.get("other"):
        _start_other_gateway(environment)


def empty() -> None:
    """Forget everything the registry stored, so that no push finds its layers there already."""
    _client().delete_bucket_policy(Bucket=world.BUCKET)
    _delete(above=-1)


def _delete(above: int) -> None:
    """Delete the objects that are bigger; a layer is bigger than a manifest or a configuration."""
    client = _client()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=world.BUCKET):
        for entry in page.get("Contents", []):
            if entry["Size"] > above:
                client.delete_object(Bucket=world.BUCKET, Key=entry["Key"])


def _start_cluster() -> None:
    for name in ("radosgw", "ceph-osd", "ceph-mon"):
        process.stop(name)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir()
    fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
    text = _CONF_TEXT.format(
        fsid=fsid,
        monitor=_MONITOR,
        address=world.S3_ADDRESS,
        port=world.S3_PORT,
        folder=_FOLDER,
    )
    _CONF.write_text(text)

    _add_key("mon.", "mon=allow *")
    _add_key("client.admin", "mon=allow *", "osd=allow *", "mgr=allow *")
    _add_key("osd.0", "mon=allow profile osd", "osd=allow *")
    _add_key("client.rgw", "mon=allow rw", "osd=allow rwx")
    process.run(
        ["monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[{_MONITOR}]", str(_MONMAP)]
    )
    monitor = ["ceph-mon", "-c", str(_CONF), "-i", "a"]
    process.run([*monitor, "--mkfs", "--monmap", str(_MONMAP), "--keyring", str(_KEYRING)])
    process.start("ceph-mon", [*monitor, "-f"], lambda: process.listens(world.S3_ADDRESS, 3300))
    # The same UUID twice, or the OSD stays "booting" for ever.
    _ceph("osd", "new", osd, "0")
    (_FOLDER / "osd").mkdir(exist_ok=True)
    daemon = ["ceph-osd", "-c", str(_CONF), "-i", "0"]
    process.run([*daemon, "--mkfs", "--osd-uuid", osd])
    process.start("ceph-osd", [*daemon, "-f"], lambda: " 1 up" in _ceph("osd", "stat"), seconds=60)


def _start_other_gateway(environment: Mapping[str, str]) -> None:
    frontend = f"beast endpoint={world.S3_ADDRESS}:{world.OTHER_S3_PORT}"
    gateway = ["radosgw", "-c", str(_CONF), "-n", "client.rgw", "-f"]
    gateway += [f"--rgw-frontends={frontend}", f"--admin-socket={_FOLDER}/other.asok"]
    process.start(
        "other-radosgw",
        [*gateway, f"--log-file={_FOLDER}/other.log", f"--pid-file={_FOLDER}/other.pid"],
        lambda: process.listens(world.S3_ADDRESS, world.OTHER_S3_PORT),
        seconds=60,
        environment=environment,
    )


def _start_gateway() -> None:
    gateway = ["radosgw", "-c", str(_CONF), "-n", "client.rgw", "-f"]
    process.start(
        "radosgw",
        gateway,
        lambda: process.listens(world.S3_ADDRESS, world.S3_PORT),
        seconds=60,
    )
    user = ["radosgw-admin", "-c", str(_CONF), "-n", "client.rgw", "user", "create"]
    user += ["--uid=registry", "--display-name=registry"]
    user += [f"--access-key={world.S3_ACCESS_KEY}", f"--secret-key={world.S3_SECRET_KEY}"]
    process.run(user)


def _add_key(who: str, *capabilities: str) -> None:
    command = ["ceph-authtool", str(_KEYRING), "--gen-key", "-n", who]
    if not _KEYRING.exists():
        command.append("--create-keyring")
    for capability in capabilities:
        command += ["--cap", *capability.split("=", 1)]
    process.run(command)


def _ceph(*words: str) -> str:
    return process.run(["ceph", "-c", str(_CONF), *words])


def _make_bucket(client: BaseClient) -> None:
    try:
        client.create_bucket(Bucket=world.BUCKET)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyExists":
            raise


def _client() -> BaseClient:
    return boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://s3.test:{world.S3_PORT}",
        aws_access_key_id=world.S3_ACCESS_KEY,
        aws_secret_access_key=world.S3_SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}),
    )
