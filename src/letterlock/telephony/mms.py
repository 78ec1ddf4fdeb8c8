"""MMSService: there is none. It says so as Apple's does on a line without MMS."""

from __future__ import annotations

from typing import NoReturn

from .errors import MMSError, MMSErrorCode
from .handles import CellularServiceID

__all__ = ["MMSService"]


class MMSService:
    """Not there: MMS is never encrypted, and what it carries goes by RCS. Raises MMSError (NOT_SUPPORTED)."""

    async def is_viable(self, service_id: CellularServiceID) -> bool:
        """False, on every line."""
        return False

    async def configuration(self, service_id: CellularServiceID) -> NoReturn:
        """NOT_SUPPORTED."""
        raise _none()

    async def send_message(self, message: object) -> NoReturn:
        """NOT_SUPPORTED."""
        raise _none()


def _none() -> MMSError:
    return MMSError(MMSErrorCode.NOT_SUPPORTED, "there is no MMS here", hint="send it by RCS")
