"""Where a profile that somebody names lies."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError

__all__ = ["DEFAULT_PROFILE", "profile_folder"]

DEFAULT_PROFILE = "default"
"""Of whoever names none."""


def profile_folder(profile: str, data: Path) -> Path:
    """A name means a folder under the data directory; anything with a slash is a path. Raises InputError."""
    if "/" in profile:
        return Path(profile).expanduser()
    if not profile or profile.startswith(".") or "\0" in profile:
        raise InputError(
            f"not a profile name: {profile!r}", code="input.profile", hint="a name like ana, or a path with a slash"
        )
    return data / "profiles" / profile
