"""The content server: files that clients upload and that whoever has the address downloads (RCC.07, rcs.md 2.6).

The bytes are opaque to it. See docs/content-server.md.
"""

from __future__ import annotations

from .http import ContentServer
from .limits import ContentLimits
from .stores import blob_store

__all__ = ["ContentLimits", "ContentServer", "blob_store"]
