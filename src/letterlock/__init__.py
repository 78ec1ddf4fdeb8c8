"""Letterlock: end-to-end-encrypted RCS conversations.

`from letterlock import Client` is the paved path. The import is lazy, because everything from
`letterlock.engine` down runs on the bare standard library with an injected crypto provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import LetterlockError, NotEncrypted
from .version import __version__

if TYPE_CHECKING:
    from .client import Client as Client

__all__ = ["Client", "LetterlockError", "NotEncrypted", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from .client import Client

        return Client
    raise AttributeError(f"module 'letterlock' has no attribute {name!r}")
