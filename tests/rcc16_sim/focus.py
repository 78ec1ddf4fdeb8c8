"""The conversation focus: the real ordering logic (services/focus/mls), and the places where it can lie.

The honest part is what an edge does around `OrderedGroup`: it writes what was accepted by compare-and-swap, changes the
roster in the same step, hands out deliveries and answers. Whatever goes to or comes from a member passes the lies of
the seed, which may alter it, keep it, or add to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from letterlock.conversation_seam import Conversation, Packet, PacketHeader
from letterlock.errors import DecodeError, InputError
from letterlock.ids import GroupId, MessageId, Number
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.wire.content_types import APPLICATION_TYPES, CLIENT_CONTROL, GROUP_INFO, SERVER_CONTROL
from letterlock.rcc16.wire.control import (
    ClientMessage,
    ControlLimits,
    EpochIdentifier,
    decode_client_message,
    decode_epoch_identifier,
)
from letterlock.rcc16.wire.group_ids import mls_group_id
from letterlock.rcc16.wire.message_ids import new_message_id
from letterlock.rcc16.wire.packet_headers import authenticator_of, control_headers, era_of_headers
from letterlock.rcc16.wire.reasons import encode_negative_receipt
from letterlock.services.focus.mls.leaves import Terms
from letterlock.services.focus.mls.logic import OrderedGroup
from letterlock.services.focus.mls.outcome import Accepted, Delivery, Refused
from letterlock.services.focus.mls.state import Snapshot

from .carrier import Mail

if TYPE_CHECKING:
    from .lies import Lie
    from .world import World

__all__ = ["CONTROL", "Focus", "Room"]

CONTROL = ControlLimits(max_size=16 << 20, max_roster=1_000, max_page=200)
_PAGE = 50
_IMDN = "message/imdn+xml"
_WRITE_MS = 20
"""Between a judgement and its transaction: two commits may be judged in the same state."""


@dataclass
class Room:
    """One RCS group: who is in it, and its MLS group as the focus has it."""

    conversation: Conversation
    order: OrderedGroup
    roster: set[Number]
    snapshot: Snapshot | None = None
    data: dict[int, bytes] = field(default_factory=dict)
    """What was handed on of each accepted request, by its serial."""


class Focus:
    """See the module. `lies` are asked in their order; `honest` silences all of them."""

    def __init__(self, world: World, terms: Terms) -> None:
        self.world = world
        self.rooms: dict[GroupId, Room] = {}
        self.lies: list[Lie] = []
        self.honest = False
        self.counts: Counter[str] = Counter()
        self.accepted: list[tuple[GroupId, int, int, str]] = []
        """Everything accepted: (group, era, epoch that it led to, control id)."""
        self._terms = terms

    def open_room(self, group: GroupId, members: Iterable[Number]) -> Room:
        """An RCS group is created; nothing is encrypted yet."""
        room = Room(Conversation(group=group), OrderedGroup(self._terms, mls_group_id(group)), set(members))
        self.rooms[group] = room
        return room

    # --- up ----------------------------------------------------------------------------------------------------
    def take(self, sender: Number, packet: Packet) -> None:
        """A packet of a member."""
        group = packet.conversation.group
        assert group is not None
        room = self.rooms[group]
        if sender not in room.roster and not self._leaves(packet):
            self.counts["from outside"] += 1
            return
        if not self.honest:
            for lie in self.lies:
                if lie.up(self, room, sender, packet):
                    return
        self.handle(room, sender, packet)

    def handle(self, room: Room, sender: Number, packet: Packet) -> None:
        """As an honest focus does."""
        if packet.content_type == CLIENT_CONTROL:
            self._control(room, sender, packet)
        elif packet.content_type == GROUP_INFO:
            self._pull(room, sender, packet)
        elif packet.content_type in APPLICATION_TYPES:
            self._application(room, sender, packet)
        elif packet.content_type == _IMDN:
            refused = room.order.judge_receipt(era_of_headers(packet.headers))
            if refused is None:
                self.fan_out(room, sender, packet)
        else:
            self.fan_out(room, sender, packet)

    def _leaves(self, packet: Packet) -> bool:
        return False

    def _control(self, room: Room, sender: Number, packet: Packet) -> None:
        try:
            request = decode_client_message(packet.body, OURS.control_numbers, CONTROL)
        except DecodeError:
            self.counts["undecodable"] += 1
            return
        self.decide(room, sender, packet, request)

    def decide(self, room: Room, sender: Number, packet: Packet, request: ClientMessage) -> None:
        """Judge now, write a little later; whoever was overtaken meanwhile is judged anew."""
        outcome = room.order.judge(request, packet.message_id, sender, frozenset(room.roster), self.world.agenda.now)
        if isinstance(outcome, Refused):
            self.refuse(room, sender, packet.message_id, outcome)
        elif isinstance(outcome, Accepted):
            self.world.agenda.after(_WRITE_MS, lambda: self._write(room, sender, packet, request, outcome))
        else:
            self.counts["repeated"] += 1
            self._accept(room, sender, outcome.acceptance)

    def _write(self, room: Room, sender: Number, packet: Packet, request: ClientMessage, outcome: Accepted) -> None:
        try:
            room.order.install(outcome)
        except InputError:
            self.counts["overtaken"] += 1
            self.decide(room, sender, packet, request)
            return
        self.counts[f"accepted {request.operation.name.lower()}"] += 1
        where = outcome.record.epoch
        if outcome.record.data is not None:
            room.data[outcome.record.serial] = outcome.record.data
        if room.conversation.group is not None and outcome.snapshot is not None:
            self.accepted.append((room.conversation.group, where.era, where.epoch, request.message_id))
            self.world.watch.accepted(room, where, outcome)
        room.snapshot = outcome.snapshot or room.snapshot
        room.roster |= set(outcome.roster.added)
        room.roster -= set(outcome.roster.removed)
        self._accept(room, sender, outcome.acceptance)
        for delivery in outcome.deliveries:
            self.deliver(room, delivery, but=sender)
        if outcome.roster.left:
            room.roster.discard(sender)

    def _pull(self, room: Room, sender: Number, packet: Packet) -> None:
        try:
            known: EpochIdentifier | None = decode_epoch_identifier(packet.body) if packet.body else None
        except DecodeError:
            known = None
        plan = room.order.plan_pull(sender, known, max_messages=_PAGE)
        if isinstance(plan, Refused):
            self.refuse(room, sender, packet.message_id, plan)
            return
        state, snapshot = room.order.state, room.snapshot
        assert state is not None and snapshot is not None
        data = {record.serial: room.data[record.serial] for record in plan.records}
        body = room.order.answer_pull(snapshot, plan, data, CONTROL)
        headers = control_headers(state.at.era, state.at.authenticator)
        self.counts["pulls"] += 1
        self.post(sender, self.packet(room, GROUP_INFO, body, headers, to=sender))

    def _application(self, room: Room, sender: Number, packet: Packet) -> None:
        era, authenticator = era_of_headers(packet.headers), authenticator_of(packet.headers)
        refused = room.order.judge_application(sender, era, authenticator, packet.body, self.world.agenda.now)
        if refused is not None:
            self.refuse(room, sender, packet.message_id, refused)
            return
        self.counts["letters"] += 1
        self.fan_out(room, sender, packet)

    # --- down ----------------------------------------------------------------------------------------------------
    def packet(
        self,
        room: Room,
        content_type: str,
        body: bytes,
        headers: tuple[PacketHeader, ...] = (),
        *,
        to: Number | None = None,
        message_id: MessageId | None = None,
    ) -> Packet:
        """One of the focus's own."""
        return Packet(room.conversation, to, message_id or new_message_id(self.world.rng), content_type, headers, body)

    def fan_out(self, room: Room, sender: Number, packet: Packet) -> None:
        """To all others, or to the one that it names."""
        for number in sorted(room.roster):
            if number != sender and packet.to in (None, number):
                self.post(number, packet, sender)

    def deliver(self, room: Room, delivery: Delivery, *, but: Number | None) -> None:
        headers = control_headers(delivery.at.era, delivery.at.authenticator)
        packet = self.packet(room, SERVER_CONTROL, delivery.data, headers, message_id=MessageId(delivery.message_id))
        for number in delivery.recipients:
            if number != but:
                self.post(number, packet)

    def refuse(self, room: Room, sender: Number, message_id: str, refused: Refused) -> None:
        self.counts[f"refused {refused.reason.name.lower()}"] += 1
        self.world.watch.refused(sender, refused)
        body = encode_negative_receipt(message_id, "2026-11-23T05:00:00Z", refused.reason)
        self.post(sender, self.packet(room, _IMDN, body, to=sender))

    def _accept(self, room: Room, sender: Number, acceptance: bytes) -> None:
        self.post(sender, self.packet(room, SERVER_CONTROL, acceptance, to=sender))

    def post(self, to: Number, packet: Packet, sender: Number | None = None) -> None:
        """Past the lies, then on its way."""
        mails: list[Mail] = [Mail(packet, sender)]
        if not self.honest:
            for lie in self.lies:
                mails = [made for mail in mails for made in (lie.down(self, to, mail) if not mail.forged else [mail])]
        self.send(to, mails)

    def send(self, to: Number, mails: Iterable[Mail]) -> None:
        """On its way, as it is."""
        phone = self.world.phones.get(to)
        for mail in mails:
            if mail.forged:
                self.counts[f"lie {mail.forged}"] += 1
                self.world.lies_told[mail.forged] += 1
            if phone is not None:
                self.world.carrier.down(phone, mail)
