"""What members send to the focus's MLS groups, and what they are told: between the messages of a conference and `Ordering`.

The transport's OK says that a request arrived, never that it was accepted: that is told by a message of its own, an
acceptance or a negative receipt with a server's reason (rcc16.md 4.5).
"""

from __future__ import annotations

from collections.abc import Callable

from ....conversation_seam import PacketHeader
from ....errors import FocusError
from ....ids import Instant, Number, Rng
from ....rcc16.wire.message_ids import new_message_id
from ....rcc16.wire.packet_headers import authenticator_of, era_of_headers
from ....rcc16.wire.reasons import ServerReason
from ..conference import Change
from ..distribution import Distribution, Kind
from ..focus_message import FocusMessage
from ..journal import Entry
from ..room import Room
from ..rooms import Rooms
from ..roster import address_of
from .ordering import Ordered, Ordering
from .outcome import Refused
from .packets import refusal_packet

__all__ = ["Desk"]

_NO_MLS = Refused(ServerReason.ENCRYPTION_NOT_AVAILABLE, "focus.mls.off", "this focus orders no MLS groups")


class Desk:
    """`hand_out` gives kept messages to those who are there; `reshaped` is told of a roster that changed with a tree, and
    what to give to those who are gone. `ordering` None: this focus has no trust anchors, and orders nothing."""

    def __init__(
        self,
        ordering: Ordering | None,
        rooms: Rooms,
        domain: str,
        clock: Callable[[], Instant],
        rng: Rng,
        reshaped: Callable[[Room, Change, bytes], None],
        hand_out: Callable[[Room, Entry, bytes], None],
    ) -> None:
        self._ordering = ordering
        self._rooms = rooms
        self._domain = domain
        self._clock = clock
        self._rng = rng
        self._hand_out = hand_out
        self._reshaped = reshaped

    async def request(self, room: Room, sender: Number, device: str, message: Distribution) -> Callable[[], None]:
        """A change of the MLS group. What is given back tells everybody: call it when the sender has the transport's answer,
        for its session may end with it. Raises FocusError, StoreError: nothing has changed, and nothing is told."""
        self._rooms.spend_control(sender, pull=False)
        if self._ordering is None:
            await self._refuse(room, sender, message, _NO_MLS)
            return _nothing
        body = message.content.content.content()
        outcome = await self._ordering.control(room, sender, device, message.message_id, body)
        if isinstance(outcome, Refused):
            await self._refuse(room, sender, message, outcome)
            return _nothing
        return lambda: self._tell(room, outcome)

    def _tell(self, room: Room, outcome: Ordered) -> None:
        for entry, data in outcome.entries:
            self._hand_out(room, entry, data)
        if outcome.change is not None:
            self._reshaped(room, outcome.change, outcome.farewell)

    async def pull(self, room: Room, requester: Number, message: Distribution) -> bytes | None:
        """What a member missed, for the session that asked; None when it was refused. Raises FocusError, StoreError."""
        self._rooms.spend_control(requester, pull=True)
        answer: bytes | Refused = _NO_MLS
        if self._ordering is not None:
            body = message.content.content.content()
            answer = await self._ordering.pull(room, requester, message.message_id, body)
        if isinstance(answer, Refused):
            await self._refuse(room, requester, message, answer)
            return None
        return answer

    async def passes(self, room: Room, sender: Number, message: Distribution) -> bool:
        """Whether a message may go to the members; if not, its sender is told why. Raises FocusError for what is not
        encrypted where everything has to be: no member could tell it from a downgrade (our choice); StoreError."""
        refused = None
        if message.kind is Kind.ENCRYPTED:
            refused = await self._encrypted(room, sender, message)
        elif message.kind is Kind.RECEIPT and self._ordering is not None:
            refused = await self._ordering.may_pass_receipt(room, era_of_headers(_headers(message)))
        elif message.kind in (Kind.PLAIN, Kind.GROUP_DATA) and room.encrypted:
            raise FocusError("this group is encrypted", code="focus.mls.plain", status=403)
        if refused is not None:
            await self._refuse(room, sender, message, refused)
        return refused is None

    async def _encrypted(self, room: Room, sender: Number, message: Distribution) -> Refused | None:
        if self._ordering is None:
            return _NO_MLS
        headers = _headers(message)
        era, authenticator = era_of_headers(headers), authenticator_of(headers)
        return await self._ordering.may_pass(room, sender, era, authenticator, message.content.content.content())

    async def _refuse(self, room: Room, sender: Number, message: Distribution, refused: Refused) -> None:
        """Out of band, to all of the sender's devices: the one that asked may have another session by now."""
        packet_id = new_message_id(self._rng)
        address = address_of(room.conference.name, self._domain)
        packet = refusal_packet(
            address, packet_id, message.message_id, message.content.date_time, refused.reason, self._clock()
        )
        told = FocusMessage(sender, "", packet_id, packet, recipient=sender)
        self._hand_out(room, await self._rooms.answer(room, told), packet)


def _nothing() -> None:
    """There is nothing to tell."""


def _headers(message: Distribution) -> tuple[PacketHeader, ...]:
    return tuple(PacketHeader(each.namespace, each.local, each.value) for each in message.content.headers)
