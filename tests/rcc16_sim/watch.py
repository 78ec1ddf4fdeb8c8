"""What has to hold, looked at while it happens and at the end. `findings` is empty in a run in which all held."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from letterlock.conversation_seam import (
    Conversation,
    Ended,
    KeysSeen,
    LetterReceipt,
    LetterReceived,
    MetadataChanged,
    Progress,
    RosterChanged,
    Secured,
)
from letterlock.ids import MessageId, Number
from letterlock.mls.wire.leaf_node import LeafNode, LeafNodeSource
from letterlock.rcc16.conversation.chat import Chat
from letterlock.rcc16.conversation.members import device_id
from letterlock.rcc16.conversation.records import load_chat
from letterlock.rcc16.wire.control import EpochIdentifier
from letterlock.rcc16.wire.reasons import ServerReason
from letterlock.rcc16.wire.secret_payload import text_entity
from letterlock.services.focus.mls.outcome import Accepted, Refused

from .carrier import MARK, Mail

if TYPE_CHECKING:
    from .focus import Room
    from .phone import Phone
    from .world import World

__all__ = ["Watch"]

_SENT_AGAIN_MOST = 3
"""For one member, in the hours of a seed: twice an hour is allowed (rcc16.md 5.6)."""
_OWN_BUG = frozenset({ServerReason.UNPARSABLE_COMMIT, ServerReason.INVALID_INPUT, ServerReason.INVALID_COMMIT})


class Watch:
    """See the module."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.findings: list[str] = []
        self.own_bugs: Counter[str] = Counter()
        self._heard: dict[Number, set[MessageId]] = defaultdict(set)
        self._roots: dict[Number, Counter[MessageId]] = defaultdict(Counter)
        self._epochs: dict[tuple[bytes, int, int], bytes] = {}
        self._generations: dict[tuple[bytes, int, int], bytes] = {}

    def broken(self, what: str, *details: object) -> None:
        self.findings.append(" ".join((f"{what}:", *map(str, details))))

    # --- while it happens ----------------------------------------------------------------------------------------
    def received(
        self,
        phone: Phone,
        mail: Mail,
        before: tuple[int, int, bool],
        after: tuple[int, int, bool],
        progress: Progress,
    ) -> None:
        """A phone has taken something in."""
        for notice in progress.notices:
            match notice:
                case LetterReceived():
                    self._letter(phone, notice)
                case LetterReceipt():
                    self._receipt(phone, notice)
                case Ended():
                    self._ended(phone, notice)
                case _:
                    pass
        if not mail.forged or mail.harmless:
            return
        effects = [
            type(notice).__name__
            for notice in progress.notices
            if isinstance(
                notice, LetterReceived | LetterReceipt | RosterChanged | MetadataChanged | Secured | Ended | KeysSeen
            )
        ]
        if effects or after != before:
            self.broken(
                "something forged was believed",
                mail.forged,
                phone.number,
                mail.packet.content_type,
                before,
                after,
                effects,
            )

    def _letter(self, phone: Phone, notice: LetterReceived) -> None:
        """Really written by its sender, with these words, and read once (SR-03, SR-05)."""
        world = self.world
        if notice.message_id in self._heard[phone.number]:
            self.broken("a letter was read twice", phone.number, notice.message_id)
        self._heard[phone.number].add(notice.message_id)
        self._roots[phone.number][notice.root] += 1
        sender = world.phones.get(notice.sender)
        written = None if sender is None else sender.letters.get(notice.root)
        if written is None:
            self.broken("a letter that its sender never wrote", phone.number, notice.sender, notice.message_id)
            return
        if notice.message_id not in written.ids:
            self.broken("a letter under an id that it never had", phone.number, notice.sender, notice.message_id)
        if notice.entity != text_entity(f"{MARK.decode()} {written.text}"):
            self.broken("other words than were written", phone.number, notice.sender, notice.message_id)
        if notice.conversation != written.conversation and notice.conversation.group is not None:
            self.broken("a letter of another conversation", phone.number, notice.message_id)
        world.counts["read"] += 1

    def _receipt(self, phone: Phone, notice: LetterReceipt) -> None:
        """The member has read it."""
        self.world.counts["receipts"] += 1
        if notice.message_id not in self._heard[notice.member]:
            self.broken("a receipt for what was not read", phone.number, notice.member, notice.message_id)

    def _ended(self, phone: Phone, notice: Ended) -> None:
        """Somebody's user asked for it, and a cause is told (SR-01)."""
        if not notice.reason:
            self.broken("encryption ended without a cause", phone.number)
        if notice.conversation not in self.world.asked_to_end:
            self.broken("encryption ended though nobody asked for it", phone.number, notice.by, notice.reason)

    def sealed(self, phone: Phone, authenticator: bytes, leaf: int, generation: int, body: bytes) -> None:
        """A phone sends a ciphertext: the key of it never made another one (SR-06)."""
        known = self._generations.setdefault((authenticator, leaf, generation), body)
        if known != body:
            self.broken("one key for two letters", phone.number, f"leaf {leaf}", f"generation {generation}")

    def addressed(self, phone: Phone, conversation: Conversation) -> None:
        """Where the key of a contact was compared, letters go to that key and to no other (SR-04)."""
        chat = chat_of(phone, conversation)
        for device in () if chat is None else chat.members:
            if phone.verified.get(device.number, device.spki) != device.spki:
                self.broken("a letter for another key than the one that was compared", phone.number, device.number)

    def accepted(self, room: Room, where: EpochIdentifier, outcome: Accepted) -> None:
        """The focus took a commit: at most one for each epoch."""
        added = () if outcome.staged is None else outcome.staged.effects.added
        founded = () if outcome.founded is None else outcome.founded.members()
        for _, leaf in (*added, *founded):
            self._leaf(leaf)
        group = room.order.group_id
        known = self._epochs.setdefault((group, where.era, where.epoch), where.authenticator)
        if known != where.authenticator and not self.world.split:
            self.broken("two commits for one epoch", where.era, where.epoch)

    def _leaf(self, leaf: LeafNode) -> None:
        """Who is added comes in with a leaf of its own, the encryption key in it too (SR-12)."""
        known = self.world.devices.get(device_id(leaf.signature_key))
        if known is None or leaf.leaf_node_source != LeafNodeSource.KEY_PACKAGE:
            return
        if leaf.encryption_key in self.world.attackers_keys:
            self.broken("a leaf with somebody else's encryption key", known[0])

    def refused(self, sender: Number, refused: Refused) -> None:
        """What an honest phone sends is no nonsense, if it was not lied to before."""
        if refused.reason in _OWN_BUG:
            self.own_bugs[f"{refused.reason.name} {refused.rule}"] += 1

    # --- at the end ------------------------------------------------------------------------------------------------
    def at_the_end(self) -> None:
        world = self.world
        for finding in world.carrier.wire.plaintext:
            self.broken("plaintext on the wire", finding)
        for finding in world.carrier.wire.two_ciphertexts:
            self.broken("one message id for two ciphertexts", finding)
        for phone in world.phones.values():
            for written in phone.letters.values():
                if len(written.ids) > _SENT_AGAIN_MOST * max(1, len(written.expected)) + 4:
                    self.broken("a letter was sent again too often", phone.number, f"{len(written.ids)} times")
        for room in world.focus.rooms.values():
            self._agreed(room)

    def _agreed(self, room: Room) -> None:
        """All who are in it hold the same group, and it is the one that the focus holds; or they say why not."""
        world, conversation = self.world, room.conversation
        state = room.order.state
        if state is None:
            self.broken("no group at the end")
            return
        for number in sorted(room.roster & world.phones.keys()):
            phone = world.phones[number]
            chat = chat_of(phone, conversation)
            if chat is None or chat.group is None:
                self._stopped(phone, conversation, "holds no group")
                continue
            ours = (chat.group.era, chat.epoch, chat.authenticator)
            if ours != (state.at.era, state.at.epoch, state.at.authenticator):
                self._stopped(phone, conversation, f"holds {ours[:2]}, the focus {state.at.era, state.at.epoch}")
            self.leaves(phone, chat)
            certified = {one.number for one in chat.members}
            if ours[0] == state.at.era and not chat.ended and certified != room.roster:
                self._stopped(phone, conversation, f"{sorted(certified ^ room.roster)} differ from the roster")

    def leaves(self, phone: Phone, chat: Chat) -> None:
        """Nobody is in the group whom nobody honest let in, unseen (SR-04)."""
        world = self.world
        for device in chat.members:
            known = world.devices.get(device.device)
            if known is not None and known[0] == device.number and known[1] == device.spki:
                if device.number not in world.invited:
                    self.broken("a ghost", phone.number, device.number)
            elif (device.number, device.spki) not in phone.keys_seen or device.number not in world.invited:
                self.broken("a ghost", phone.number, device.number, "with a key that nobody has seen")
            elif known is None and (device.number, device.spki) not in world.lied_keys:
                self.broken("a ghost", phone.number, device.number, "from nowhere")

    def _stopped(self, phone: Phone, conversation: Conversation, what: str) -> None:
        why = phone.stalled.get(conversation)
        if why is not None and self.world.focus.lies:
            self.world.stops[f"stalled {why}"] += 1
            return
        chat = chat_of(phone, conversation)
        health = "" if chat is None else chat.health.state.label
        self.broken("not in agreement at the end", phone.number, what, health, why or "")


def chat_of(phone: Phone, conversation: Conversation) -> Chat | None:
    """The record of the protocol itself."""
    found: Chat | None = load_chat(phone.records, conversation)
    return found
