"""The profile's store: encrypted records on disk, one owner, one transaction per commit."""

from __future__ import annotations

from .lock import ProfileLock
from .store import Prepared, Store

__all__ = ["Prepared", "ProfileLock", "Store"]
