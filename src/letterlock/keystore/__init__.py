"""The store's key, wrapped: by a passphrase, or by a key file that the user names (SR-11)."""

from __future__ import annotations

from .keyfile import KeyFile
from .keystore import Keystore, Passphrase, Unlock

__all__ = ["KeyFile", "Keystore", "Passphrase", "Unlock"]
