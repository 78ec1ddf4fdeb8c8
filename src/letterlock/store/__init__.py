"""The profile's store: encrypted records on disk, one owner, one transaction per commit."""

from __future__ import annotations

from .lock import ProfileLock
from .prepared import Prepared
from .store import OLD_COPY, Store

__all__ = ["OLD_COPY", "Prepared", "ProfileLock", "Store"]
