"""Where a profile lies on the disk, and how it is unlocked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..errors import InputError, StoreError
from ..keystore import KeyFile, Passphrase, Unlock
from ..net.own_sockets import MAX_SOCKET_PATH, socket_of

__all__ = ["MAX_SOCKET_PATH", "ProfilePaths", "socket_of", "unlock_with"]


@dataclass(frozen=True, slots=True)
class ProfilePaths:
    """The files of one profile. Nothing else of it is anywhere, but for the generation number's second place."""

    folder: Path
    state: Path
    """Outside the profile: where the second copy of the generation number lies (SR-06)."""

    @classmethod
    def of(cls, profile: str | os.PathLike[str], state: Path | None = None) -> ProfilePaths:
        """A name (`ana`) means a folder in the user's data directory; anything with a slash, or a Path, is a path.

        Raises InputError for a name that would leave that directory.
        """
        if isinstance(profile, str) and "/" not in profile:
            if not profile or profile.startswith(".") or "\0" in profile:
                raise InputError(f"not a profile name: {profile!r}", code="input.profile")
            folder = platformdirs.user_data_path("letterlock") / "profiles" / profile
        else:
            folder = Path(profile)
        return cls(folder.expanduser().absolute(), state or platformdirs.user_state_path("letterlock") / "generations")

    @property
    def store(self) -> Path:
        return self.folder / "store.db"

    @property
    def lock(self) -> Path:
        return self.folder / "owner.lock"

    @property
    def key(self) -> Path:
        return self.folder / "key.json"

    @property
    def socket(self) -> Path:
        """The owner's socket: in the profile, or where its path is short enough, always the same for a profile."""
        return socket_of(self.folder, "owner")

    def exists(self) -> bool:
        """Whether a profile was set up here, at least in part."""
        return self.key.exists()

    def make(self) -> None:
        """Make the folder, for this user only."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the profile folder cannot be made: {error.strerror}", code="store.io") from error


def unlock_with(passphrase: str | None, key_file: str | os.PathLike[str] | None) -> Unlock | None:
    """What opens the profile: what the caller gave, else LETTERLOCK_PASSPHRASE or LETTERLOCK_KEY_FILE; None if nothing.

    Raises InputError when the caller gave both.
    """
    if passphrase is not None and key_file is not None:
        raise InputError("a passphrase and a key file are two ways; give one", code="input.unlock")
    if passphrase is None and key_file is None:
        passphrase = os.environ.get("LETTERLOCK_PASSPHRASE")
        key_file = os.environ.get("LETTERLOCK_KEY_FILE")
    if passphrase is not None:
        return Passphrase(passphrase)
    if key_file is not None:
        return KeyFile(Path(key_file).expanduser())
    return None
