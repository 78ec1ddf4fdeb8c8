"""AWS Signature Version 4 for S3: of a request that we make, and of an address that somebody else may fetch for a while.

The form is that of "Authenticating Requests (AWS Signature Version 4)" in the S3 API reference. obstore signs too, but
neither the requests of a multipart upload nor the `response-*` parameters, which an address for strangers needs.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from ....ids import Instant

__all__ = ["EMPTY_SHA256", "AccessKey", "Resource", "presigned", "signed"]

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Who we are for the store. `session_token` is that of temporary credentials, empty for lasting ones."""

    id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a request is about: an origin (`https://host:port`), a path that is not encoded yet, and its query."""

    origin: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.origin.partition("://")[2]

    @property
    def url(self) -> str:
        query = _query(self.query)
        return f"{self.origin}{_path(self.path)}{query and '?'}{query}"


def signed(
    key: AccessKey, region: str, method: str, resource: Resource, headers: Mapping[str, str], sha256: str, now: Instant
) -> dict[str, str]:
    """All headers of a request whose body has this SHA-256, in hexadecimal: those given, and ours."""
    stamp = _stamp(now)
    given = {name.lower(): value for name, value in headers.items()}
    given |= {"host": resource.host, "x-amz-date": stamp, "x-amz-content-sha256": sha256}
    if key.session_token:
        given["x-amz-security-token"] = key.session_token
    names, signature = _signature(key, region, method, resource, given, sha256, stamp)
    credential = f"{key.id}/{_scope(stamp, region)}"
    given["authorization"] = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return given


def presigned(key: AccessKey, region: str, resource: Resource, seconds: int, now: Instant) -> str:
    """An address that anybody may GET, and do nothing else with, for so many seconds; of this resource alone."""
    stamp = _stamp(now)
    query = {
        **resource.query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{key.id}/{_scope(stamp, region)}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if key.session_token:
        query["X-Amz-Security-Token"] = key.session_token
    unsigned = Resource(resource.origin, resource.path, query)
    _, signature = _signature(key, region, "GET", unsigned, {"host": resource.host}, "UNSIGNED-PAYLOAD", stamp)
    return Resource(resource.origin, resource.path, {**query, "X-Amz-Signature": signature}).url


def _signature(
    key: AccessKey,
    region: str,
    method: str,
    resource: Resource,
    headers: Mapping[str, str],
    sha256: str,
    stamp: str,
) -> tuple[str, str]:
    """The names of the signed headers, and the signature."""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    request = f"{method}\n{_path(resource.path)}\n{_query(resource.query)}\n{lines}\n{names}\n{sha256}"
    scope = _scope(stamp, region)
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    return names, hmac.digest(secret, text.encode(), "sha256").hex()


def _scope(stamp: str, region: str) -> str:
    return f"{stamp[:8]}/{region}/s3/aws4_request"


def _stamp(now: Instant) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")


def _path(path: str) -> str:
    # S3 takes the path encoded once, unlike the other services.
    return quote(path, safe="/-_.~")


def _query(query: Mapping[str, str]) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)
