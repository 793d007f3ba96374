"""Signed storage URLs of every scheme, for the tests of what reads them. All keys are made up."""

from __future__ import annotations

import json
from base64 import b64encode

from regtrace.wire.presigned import Presigned
from regtrace.wire.url import Url, parse_url

#: 2026-11-23 19:45:00 UTC, when all of these URLs were signed, and 20 minutes later.
SIGNED = 1795463100
ENDS = SIGNED + 1200

S3_V4 = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAMADEUPMADEUP%2F20261123%2Feu-west-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20261123T194500Z&X-Amz-Expires=1200&X-Amz-SignedHeaders=host&X-Amz-Signature=00ff"
)
S3_V4_READ = Presigned(
    scheme="s3-v4",
    key_id="AKIAMADEUPMADEUP",
    signed_at=SIGNED,
    expires_at=ENDS,
    region="eu-west-1",
    service="s3",
    signed_headers=("host",),
)
S3_V2 = f"AWSAccessKeyId=AKIAMADEUPMADEUP&Expires={ENDS}&Signature=made%2Bup%3D"
CLOUDFRONT = f"Expires={ENDS}&Signature=made-up__&Key-Pair-Id=APKAMADEUP"
POLICY = {
    "Statement": [
        {
            "Resource": "https://d111.cloudfront.net/*",
            "Condition": {
                "DateLessThan": {"AWS:EpochTime": ENDS},
                "DateGreaterThan": {"AWS:EpochTime": SIGNED},
                "IpAddress": {"AWS:SourceIp": "192.0.2.0/24"},
            },
        }
    ]
}
SAS = (
    "sv=2024-11-04&sr=b&sp=r&st=2026-11-23T19%3A45%3A00Z&se=2026-11-23T20%3A05%3A00Z"
    "&spr=https&sig=made%2Bup%3D"
)


def cloudfront_policy(policy: object) -> str:
    plain = b64encode(json.dumps(policy).encode()).decode()
    return plain.translate(str.maketrans("+=/", "-_~"))


def url(text: str) -> Url:
    parsed = parse_url(text)
    assert parsed is not None
    return parsed


def signed(query: str, host: str = "store.test") -> Url:
    return url(f"https://{host}/bucket/object?{query}")
