"""The profile that this process owns: `api.ProfileApi` on top of engine, driver and store, a file for each family of calls.

All of them stand on `core.LocalCore`; `profile.LocalProfile` puts them together and runs them.
"""

from __future__ import annotations

from .profile import LocalProfile

__all__ = ["LocalProfile"]
