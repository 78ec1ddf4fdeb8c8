"""A profile that another process owns, over its socket: `api.ProfileApi` again, a file for each family of calls.

All of them stand on `line.RemoteLine`; `profile.RemoteProfile` puts them together.
"""

from __future__ import annotations

from .line import ConnectionLost
from .profile import RemoteProfile

__all__ = ["ConnectionLost", "RemoteProfile"]
