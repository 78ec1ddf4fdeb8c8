"""Our side of MSRP sessions: where devices come to, and the connections that we make to those who cannot come.

A device names the address, so it is this machine only unless the operator says more (SR-14).
"""

from __future__ import annotations

import ipaddress

from ...errors import FocusError, ProtocolError
from ...ids import Rng
from ...msrp import SessionTable, new_session_id
from .attendance import Attendance, Media
from .msrp import MsrpPort

__all__ = ["Reach"]


class Reach:
    """`networks` are those in which we connect to devices; `max_size` is the largest message that we take."""

    def __init__(self, networks: tuple[str, ...], max_size: int, rng: Rng) -> None:
        self.networks = tuple(ipaddress.ip_network(each) for each in networks)
        self._max_size = max_size
        self._rng = rng
        self._port: MsrpPort | None = None

    def use(self, port: MsrpPort) -> None:
        """Where devices come to."""
        self._port = port

    @property
    def sessions(self) -> SessionTable:
        return self._msrp.sessions

    def media(self, secure: bool | None) -> Media:
        """Our side of a new session. Raises ProtocolError when it cannot be as the offer wants it: 488."""
        local = self._msrp.local(new_session_id(self._rng), secure)
        if local is None:
            raise ProtocolError("one side has TLS and the other has not", code="sip.media.tls")
        tls = self._msrp.tls
        return Media(local, self._max_size, (tls.fingerprint,) if tls is not None and local.secure else ())

    async def connect(self, attendance: Attendance) -> None:
        """The device cannot connect, or would not: we do, where the operator lets us.

        Raises FocusError, OSError, TimeoutError, ValueError.
        """
        agreement = attendance.agreement
        assert agreement is not None
        address = ipaddress.ip_address(agreement.address)
        if not any(address in each for each in self.networks):
            raise FocusError("this address is out of bounds", code="focus.reach", status=488)
        peer = agreement.peer.fingerprints if agreement.peer.secure else None
        wire = await self._msrp.connect(agreement.address, agreement.port, peer)
        if attendance.over:
            wire.close()
            return
        wire.open_session(attendance.id)

    @property
    def _msrp(self) -> MsrpPort:
        assert self._port is not None, "not started"
        return self._port
