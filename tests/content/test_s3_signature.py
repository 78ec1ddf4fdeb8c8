"""Signature Version 4: the examples of the S3 API reference, "Authenticating Requests (AWS Signature Version 4)"."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from letterlock.services.content.s3.signature import EMPTY_SHA256, AccessKey, Resource, presigned, signed

KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = int(datetime(2013, 5, 24, tzinfo=UTC).timestamp() * 1000)
ORIGIN = "https://examplebucket.s3.amazonaws.com"
PUT = b"Welcome to Amazon S3."


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body", "signature"),
    [
        (
            "GET",
            "/test.txt",
            {},
            {"Range": "bytes=0-9"},
            b"",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            {},
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            PUT,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/",
            {"lifecycle": ""},
            {},
            b"",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/",
            {"prefix": "J", "max-keys": "2"},
            {},
            b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_requests(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes, signature: str
) -> None:
    resource = Resource(ORIGIN, path, query)
    found = signed(KEY, "us-east-1", method, resource, headers, hashlib.sha256(body).hexdigest(), NOW)
    assert found["authorization"].rpartition("Signature=")[2] == signature
    assert hashlib.sha256(b"").hexdigest() == EMPTY_SHA256


def test_an_address() -> None:
    found = presigned(KEY, "us-east-1", Resource(ORIGIN, "/test.txt"), 86_400, NOW)
    expected = (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
        "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    assert sorted(found.replace("?", "&").split("&")) == sorted(expected.replace("?", "&").split("&"))


def test_sr10_a_key_is_not_shown() -> None:
    """SR-10: neither secret nor token of temporary credentials; the token goes along in requests and addresses."""
    key = AccessKey(KEY.id, KEY.secret, "token-of-a-session")
    assert KEY.secret not in repr(key) and "token-of-a-session" not in repr(key)
    resource = Resource(ORIGIN, "/x")
    assert signed(key, "r", "GET", resource, {}, EMPTY_SHA256, NOW)["x-amz-security-token"] == "token-of-a-session"
    assert "X-Amz-Security-Token=token-of-a-session" in presigned(key, "r", resource, 1, NOW)
