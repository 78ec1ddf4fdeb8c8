"""Files that are encrypted as they stream (docs/spec/files.md): what a chat that goes by `signal` sends and receives.

`Sealer` makes a sealed file chunk by chunk, and with it a `Seal`; `Opener` opens any chunk by itself. `FilePointer` is
what a recipient gets: the seal, where the file is, and what it is called. The edge is `client/files/sealed.py`.
"""

from __future__ import annotations

from .layout import CHUNK, HEADER, MAX_SIZE, Layout
from .opener import Opener, check_digest, check_sealed_size
from .pointer import (
    CONTENT_TYPE,
    MAX_THUMBNAIL,
    Dimensions,
    FilePointer,
    RemoteSeal,
    ThumbnailPointer,
    decode_pointer,
    encode_pointer,
)
from .seal import Seal, encode_seal, read_seal
from .sealer import Sealer
from .whole import open_bytes, seal_bytes

__all__ = [
    "CHUNK",
    "CONTENT_TYPE",
    "HEADER",
    "MAX_SIZE",
    "MAX_THUMBNAIL",
    "Dimensions",
    "FilePointer",
    "Layout",
    "Opener",
    "RemoteSeal",
    "Seal",
    "Sealer",
    "ThumbnailPointer",
    "check_digest",
    "check_sealed_size",
    "decode_pointer",
    "encode_pointer",
    "encode_seal",
    "open_bytes",
    "read_seal",
    "seal_bytes",
]
