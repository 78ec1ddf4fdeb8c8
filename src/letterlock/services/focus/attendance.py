"""One device of one member in one conference, while it has a session: its dialog, its MSRP session, its outlet."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...codec import cpim, iscomposing
from ...codec.msrp import MsrpUri
from ...codec.sdp import MEDIA_TYPE as SDP
from ...codec.sdp import Connection, Origin, SessionDescription, encode_sdp
from ...errors import FocusError
from ...ids import Instant, Number
from ...msrp import Session as MsrpSession
from ...sip.effects import Body
from ...sip.msrp_media import (
    Agreement,
    Fingerprint,
    MsrpMedia,
    Setup,
    agree,
    answer_description,
    answering_setup,
    offer_description,
    read_answer,
    read_offer,
)
from ...sip.session import Session
from .msrp_wire import Wire
from .outlet import Outlet
from .room import Room

__all__ = ["Attendance", "Media"]

_CHUNK, _RELAYED_CHUNK = 1 << 20, 2048
"""Between us and a device a message goes in one chunk, as long as nothing interrupts it; relays hold whole chunks."""


@dataclass(frozen=True, slots=True)
class Media:
    """Our side of one session: what we offer, or answer with. `max_size` is the largest message that we take."""

    local: MsrpUri
    max_size: int
    fingerprints: tuple[Fingerprint, ...] = ()

    def offer(self) -> Body:
        """We are connected to (RFC 6135): what a device sends through a relay comes over the relay's connection to us, and
        over one of ours it would not."""
        description = offer_description(self._media(Setup.PASSIVE), self._origin())
        return Body(SDP, encode_sdp(description))

    def answered(self, description: SessionDescription) -> Agreement:
        """What the answer to our offer comes to. Raises ProtocolError."""
        return agree(self._media(Setup.PASSIVE), read_answer(description), offerer=True)

    def answer(self, description: SessionDescription) -> tuple[Agreement, Body]:
        """Our answer to an offer. Raises ProtocolError when it offers nothing for us: 488."""
        offered = read_offer(description)
        local = self._media(answering_setup(offered.setup, reachable=True))
        agreement = agree(local, offered, offerer=False)
        return agreement, Body(SDP, encode_sdp(answer_description(description, local, self._origin())))

    def session(self, agreement: Agreement | None) -> MsrpSession:
        """For the table of MSRP sessions. Before the peer's path is known its place is held by ours: the device may come
        before its answer does."""
        path = (self.local,) if agreement is None else agreement.peer.path
        chunk = _CHUNK if len(path) == 1 else _RELAYED_CHUNK
        return MsrpSession(self.local, path, (cpim.MEDIA_TYPE, iscomposing.MEDIA_TYPE), self.max_size, chunk)

    def _media(self, setup: Setup) -> MsrpMedia:
        port = self.local.port or 0
        return MsrpMedia(
            path=(self.local,),
            address=self.local.host.strip("[]"),
            port=port,
            accept_types=(cpim.MEDIA_TYPE, iscomposing.MEDIA_TYPE),
            accept_wrapped_types=("*",),
            max_size=self.max_size,
            setup=setup,
            cema=True,
            fingerprints=self.fingerprints,
        )

    def _origin(self) -> Origin:
        host = self.local.host.strip("[]")
        return Origin("-", 1, 1, Connection(host, "IP6" if ":" in host else "IP4"))


@dataclass(slots=True, eq=False)
class Attendance:
    """`outlet` is there once both the dialog and the MSRP session are. `used` is when something last went through it.

    `sent` are the names of messages that are not acknowledged, and their positions.
    """

    room: Room
    number: Number
    session: Session
    media: Media
    used: Instant
    device: str = ""
    agreement: Agreement | None = None
    established: bool = False
    wire: Wire | None = None
    outlet: Outlet | None = None
    over: bool = False
    answered: bool = False
    fetching: bool = False
    sent: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The MSRP session."""
        return self.media.local.session or ""

    @property
    def ready(self) -> bool:
        return self.established and self.wire is not None and self.agreement is not None and not self.over

    def check(self) -> None:
        """Raises FocusError when the room has no such member any more."""
        if self.number not in self.room.conference.members:
            raise FocusError("not a member", code="focus.not_member", status=403)
