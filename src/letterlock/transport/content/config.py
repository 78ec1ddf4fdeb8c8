"""What a client of content servers is told: the server, every bound and time in one value, and the state of a transfer."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...codec.ft_http import FileLimits
from ...codec.xml import XmlLimits

__all__ = ["ContentSettings", "DownloadState", "Downloaded", "ServerAccount", "UploadState"]

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """Where this device uploads, and as whom."""

    url: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContentSettings:
    """Sizes, times and counts of transfers. The defaults are for phones and desks."""

    block: int = 256 * 1024
    max_file: int = 16 * 1024 * _MIB
    max_document: int = 65_536
    max_name: int = 255
    max_url: int = 4096
    connect_s: float = 15.0
    stall_s: float = 60.0
    """Without a byte in either direction for so long, a connection is given up."""
    attempts: int = 6
    """In a row without progress."""
    progress: int = 64 * 1024
    """Bytes that count as progress: a server that sends one byte at a time does not keep us for ever."""
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    longest_retry_after_s: float = 900.0
    """Asked to wait for longer, a transfer ends and can be resumed later."""
    redirects: int = 3

    @property
    def documents(self) -> FileLimits:
        return FileLimits(XmlLimits(self.max_document, 8, 64), self.max_file, self.max_name, self.max_url)


@dataclass(frozen=True, slots=True)
class UploadState:
    """All that an upload needs to go on after a restart. `begun`: the server may have heard of it.

    `size` and `modified_ns` are those of the file when the upload was made: a file that was changed is not continued.
    `name` and `content_type` are shown to the server and to whoever gets its document.
    """

    tid: str
    path: str
    size: int
    modified_ns: int
    name: str
    content_type: str
    thumbnail: str | None = None
    thumbnail_type: str = ""
    begun: bool = False


@dataclass(frozen=True, slots=True)
class DownloadState:
    """All that a download needs to go on after a restart. The bytes so far are in `part`, and are counted there.

    `size` and `sha256` None: nobody has said. `tag` is what the server called this very version of the file, and
    `announced` the digest by its own word.
    """

    url: str = field(repr=False)
    target: str
    part: str
    size: int | None
    sha256: bytes | None = None
    tag: str = ""
    announced: bytes | None = None


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that is whole, and where it is. `checked`: its SHA-256 was compared with what was announced."""

    path: str
    size: int
    sha256: bytes
    checked: bool
