"""Which store a name means: a folder, or a bucket of S3."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ...errors import InputError
from ..http import system_now
from .blobs import BlobStore
from .folder import FolderBlobs

__all__ = ["blob_store"]


def blob_store(
    name: str,
    folder: Path,
    *,
    endpoint: str | None = None,
    region: str = "us-east-1",
    key_file: str | None = None,
    ca_file: str | None = None,
    public_endpoint: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> BlobStore:
    """The store of a path, `file:PATH` or `s3://BUCKET/PREFIX`; the rest is about a bucket. `folder` is the server's own.

    Raises InputError.
    """
    if not name.startswith("s3://"):
        if "://" in name:
            raise InputError(
                "not a store that files can be kept in", code="input.blobs", hint="give a folder, or s3://BUCKET/PREFIX"
            )
        return FolderBlobs(Path(name.removeprefix("file:")))
    # Here, because only operators of a bucket need the driver.
    from .s3.settings import access_key_of, bucket_settings
    from .s3.store import BucketBlobs

    settings = bucket_settings(
        name,
        access_key_of(key_file, environment),
        endpoint=endpoint,
        region=region,
        public_endpoint=public_endpoint,
        ca_file=ca_file,
    )
    return BucketBlobs(settings, str(folder), now=system_now, rng=os.urandom)
