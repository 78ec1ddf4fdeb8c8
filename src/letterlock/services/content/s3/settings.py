"""Which bucket, where, and with which access key: what an operator says, checked before anything is sent."""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ....codec.addresses import is_loopback
from ....errors import InputError
from .signature import AccessKey

__all__ = ["BucketSettings", "access_key_of", "bucket_settings"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_LINE = re.compile(r"[ \t]*([a-z_]+)[ \t]*=[ \t]*(\S+)[ \t]*", re.ASCII)
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """A place in a bucket that is one content server's alone. `authorities` may vouch for its server beside those of the
    system, in PEM. `public_origin` is how clients reach the bucket, where that is another way than ours."""

    bucket: str
    prefix: str
    origin: str
    region: str
    key: AccessKey
    public_origin: str
    authorities: str | None = None
    part_bytes: int = 8 * _MIB
    """Of a multipart upload, at least 5 MiB (S3): what a killed server may lose of an upload."""
    attempts: int = 4
    first_pause_s: float = 0.2
    connect_s: float = 10.0
    stall_s: float = 60.0

    @property
    def host(self) -> str:
        return self.origin.partition("://")[2]

    def path(self, key: str) -> str:
        """Of an object in a URL, not encoded yet."""
        return f"/{self.bucket}/{self.prefix}{self.prefix and '/'}{key}"


def bucket_settings(
    url: str,
    key: AccessKey,
    *,
    endpoint: str | None = None,
    region: str = "us-east-1",
    public_endpoint: str | None = None,
    ca_file: str | None = None,
) -> BucketSettings:
    """The settings behind `s3://BUCKET/PREFIX`; without an endpoint it is Amazon's. Raises InputError."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/")
    if not url.startswith("s3://") or not _BUCKET.fullmatch(bucket) or not (_PREFIX.fullmatch(prefix) or not prefix):
        raise InputError(
            "not the address of a bucket", code="input.blobs", hint="write s3://BUCKET or s3://BUCKET/PREFIX"
        )
    if not _REGION.fullmatch(region):
        raise InputError("not the name of a region", code="input.blobs", hint="as us-east-1")
    origin = _origin(endpoint or f"https://s3.{region}.amazonaws.com")
    public = origin if public_endpoint is None else _origin(public_endpoint)
    return BucketSettings(
        bucket, prefix, origin, region, key, public, None if ca_file is None else _authorities(ca_file)
    )


def access_key_of(key_file: str | None, environment: Mapping[str, str]) -> AccessKey:
    """The key in a file that its owner alone can read, in the form of AWS's own (`aws_access_key_id = ...`); without a
    file, that of AWS's variables. Raises InputError."""
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    if key_file is None:
        found = {name: environment.get(name.upper(), "") for name in names}
    else:
        lines = (_LINE.fullmatch(line) for line in _private(Path(key_file)).splitlines())
        found = {line[1]: line[2] for line in lines if line}
    if not found.get(names[0]) or not found.get(names[1]):
        raise InputError(
            "no access key for the bucket",
            code="input.s3_key",
            hint="a file with aws_access_key_id = ... and aws_secret_access_key = ..., mode 0600: --s3-key-file FILE",
        )
    return AccessKey(found[names[0]], found[names[1]], found.get(names[2], ""))


def _authorities(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            found = file.read(1 << 20)
        ssl.create_default_context().load_verify_locations(cadata=found)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} has no certificates", code="input.s3_ca", hint="a file in PEM") from error
    return found


def _private(path: Path) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise InputError(f"others can read {path}", code="input.s3_key", hint=f"chmod 600 {path}")
            return file.read(65_536)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "not text"
        raise InputError(f"{path}: {reason}", code="input.s3_key") from error


def _origin(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InputError("not the address of an S3 server", code="input.blobs", hint="write https://HOST") from error
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.username:
        raise InputError("not the address of an S3 server", code="input.blobs", hint="write https://HOST")
    if parts.scheme == "http" and not is_loopback(host):
        # SR-19: requests are signed, but what they carry can be read, and answers forged.
        raise InputError("an S3 server on another machine needs https", code="input.blobs", hint="write https://HOST")
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port and port != default else "")
