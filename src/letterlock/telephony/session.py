"""TelephonyMessagingSession: a profile of ours as the session of an application."""

from __future__ import annotations

import os
from types import TracebackType
from typing import ClassVar

from ..client import Client, Environment
from .errors import SessionError, SessionErrorCode, rcs_errors
from .handles import CellularServiceID, CellularServiceState
from .mms import MMSService
from .rcs import RCSService
from .sms import SMSService

__all__ = ["TelephonyMessagingSession"]


class TelephonyMessagingSession:
    """The entry: `async with TelephonyMessagingSession.open("ana")`, or `TelephonyMessagingSession(client)`.

    While one session is entered in a process, `shared()` gives it everywhere. A client that was given stays its owner's
    to close.
    """

    _entered: ClassVar[list[TelephonyMessagingSession]] = []

    def __init__(self, client: Client) -> None:
        self.client = client
        """For all that Apple has no name for: verifying, security states, edits, encryption begun and ended."""
        self._owns = False

    @classmethod
    def open(
        cls,
        profile: str | os.PathLike[str],
        *,
        passphrase: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        environment: Environment | None = None,
    ) -> TelephonyMessagingSession:
        """A session of the profile with this name or path; as `Client.open`, which entering it does."""
        session = cls(Client.open(profile, passphrase=passphrase, key_file=key_file, environment=environment))
        session._owns = True
        return session

    @classmethod
    def shared(cls) -> TelephonyMessagingSession:
        """The session that is entered in this process. Raises SessionError when none is, or several are."""
        if len(cls._entered) != 1:
            raise SessionError(
                SessionErrorCode.INVALID_SESSION,
                f"{len(cls._entered) or 'no'} sessions are open here",
                hint="async with TelephonyMessagingSession.open(profile) as session",
            )
        return cls._entered[0]

    async def __aenter__(self) -> TelephonyMessagingSession:
        with rcs_errors():
            if self._owns:
                await self.client.__aenter__()
        self._entered.append(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.remove(self)
        if self._owns:
            await self.client.close()

    # --- lines -------------------------------------------------------------------------------------------------
    @property
    def is_configured_for_carrier_messaging(self) -> bool:
        """Always: a profile is set up before it can be opened."""
        return True

    async def cellular_services(self) -> tuple[CellularServiceState, ...]:
        """The line of this profile: one."""
        with rcs_errors():
            me = self.client.me
            return (CellularServiceState(CellularServiceID(me.number), me.name or me.number),)

    # --- services ----------------------------------------------------------------------------------------------
    @property
    def rcs_service(self) -> RCSService:
        """RCS."""
        return RCSService(self.client, self._line)

    @property
    def sms_service(self) -> SMSService:
        """SMS."""
        return SMSService(self.client, self._line)

    @property
    def mms_service(self) -> MMSService:
        """MMS, which is not there."""
        return MMSService()

    @property
    def _line(self) -> CellularServiceID:
        with rcs_errors():
            return CellularServiceID(self.client.number)
