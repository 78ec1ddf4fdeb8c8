"""The profile's store: encrypted records on disk, one owner, one transaction per commit."""

from __future__ import annotations

from .lock import ProfileLock
from .store import OLD_COPY, Prepared, Store

__all__ = ["OLD_COPY", "Prepared", "ProfileLock", "Store"]
