"""What the focus, the key distribution server and the carrier can lie about; each kind is one class.

A lie is asked about every packet on its way up to the focus (`up`) and down to a member (`down`, and `down_pair` in a
chat of two), about every claim of key packages, and may begin something of its own. What it makes is marked with its
kind: `forged` must have no effect that anybody authenticates; `harmless` is genuine, at a wrong time or place.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

from letterlock.conversation_seam import Conversation, Packet, PacketHeader
from letterlock.errors import LetterlockError
from letterlock.ids import GroupId, MessageId, Number
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.welcome import GroupInfo
from letterlock.rcc16.choices import OURS, Revision
from letterlock.rcc16.conversation.records import load_chat
from letterlock.rcc16.wire.content_types import (
    APPLICATION,
    APPLICATION_TYPES,
    CLIENT_CONTROL,
    GROUP_INFO,
    SERVER_CONTROL,
)
from letterlock.rcc16.wire.control import (
    Accepted,
    CommitBundle,
    EndReason,
    EnhancedGroupInfo,
    EpochIdentifier,
    GroupInfoMessage,
    Operation,
    ServerMessage,
    decode_client_message,
    decode_enhanced_group_info,
    decode_server_message,
    encode_enhanced_group_info,
    encode_server_message,
)
from letterlock.rcc16.wire.extensions import end_mls_extension
from letterlock.rcc16.wire.message_ids import new_message_id
from letterlock.rcc16.wire.packet_headers import (
    DERIVED_CONTENT_SIGNATURE,
    NAMESPACE,
    ORIGINAL_MESSAGE_ID,
    application_headers,
    control_headers,
    find_header,
)
from letterlock.rcc16.wire.reasons import ServerReason, encode_negative_receipt
from letterlock.services.focus.mls.logic import OrderedGroup
from rcc16.certificates import lab_policy

from .attacker import (
    MALLORY,
    altered,
    found_group,
    join_from_outside,
    key_package,
    mallory,
    rogue,
    twin,
)
from .carrier import Mail
from .focus import CONTROL, Focus, Room
from .people import START

if TYPE_CHECKING:
    from .world import World

__all__ = ["LIES", "NUMBERS", "Lie", "Spontaneous", "enhanced", "read_package", "server_message", "written"]

_IMDN = "message/imdn+xml"
NUMBERS = OURS.control_numbers


class Lie:
    """A focus that tells the truth. `share` of what it could alter it does alter."""

    kind = ""
    share = 0.3

    def __init__(self, random: Random, share: float | None = None) -> None:
        self.random = random
        if share is not None:
            self.share = share

    def rng(self, n: int) -> bytes:
        return self.random.randbytes(n)

    def now(self) -> bool:
        """Whether to lie this time."""
        return self.random.random() < self.share

    def begin(self, world: World) -> None:
        """The seed begins."""

    def end(self, world: World) -> None:
        """From now on everybody is honest."""

    def up(self, focus: Focus, room: Room, sender: Number, packet: Packet) -> bool:
        """True: the focus does nothing else with it."""
        return False

    def down(self, focus: Focus, to: Number, mail: Mail) -> list[Mail]:
        """What is delivered instead."""
        return self.tampered(focus.world, to, mail)

    def down_pair(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        return self.tampered(world, to, mail)

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        """Of any packet, in a group or a chat of two."""
        return [mail]

    def claim(self, world: World, claimer: Number, of: Number, package: bytes) -> bytes:
        """The key package that is handed out instead."""
        return package

    def forged(
        self, mail: Mail, *, harmless: bool = False, sender: Number | bool | None = True, **changes: object
    ) -> Mail:
        """The mail with other fields of its packet, marked."""
        asserted = mail.sender if sender is True else sender or None
        return Mail(replace(mail.packet, **changes), asserted, self.kind, harmless)  # type: ignore[arg-type]


def server_message(packet: Packet) -> ServerMessage | None:
    if packet.content_type != SERVER_CONTROL:
        return None
    try:
        return decode_server_message(packet.body, NUMBERS, CONTROL)
    except LetterlockError:
        return None


def enhanced(packet: Packet) -> EnhancedGroupInfo | None:
    if packet.content_type != GROUP_INFO:
        return None
    try:
        return decode_enhanced_group_info(packet.body, NUMBERS, CONTROL)
    except LetterlockError:
        return None


def written(message: ServerMessage) -> bytes:
    return encode_server_message(message, NUMBERS)


# --- about commits --------------------------------------------------------------------------------------------
class ForgedCommit(Lie):
    """A commit or Welcome with a bit changed comes first, the genuine one after it."""

    kind = "forged-commit"

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        message = server_message(mail.packet)
        if not isinstance(message, CommitBundle) or not self.now():
            return [mail]
        size = len(message.handshake)
        # A Welcome has entries for others too, which are nothing to this reader; its end is read by everybody.
        late = message.ratchet_tree or self.random.random() < 0.5
        handshake = altered(message.handshake, self.rng, max(0, size - 120) if late else 0)
        return [self.forged(mail, body=written(replace(message, handshake=handshake))), mail]


class ForgedTag(Lie):
    """Only the membership tag, the last 32 bytes of a commit, is another one."""

    kind = "forged-tag"
    share = 0.5

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        message = server_message(mail.packet)
        if not isinstance(message, CommitBundle) or message.ratchet_tree or not self.now():
            return [mail]
        size = len(message.handshake)
        return [
            self.forged(
                mail, body=written(replace(message, handshake=altered(message.handshake, self.rng, size - 32)))
            ),
            mail,
        ]


class ReplayedCommit(Lie):
    """Commits, Welcomes, letters and receipts of before, again, in any order."""

    kind = "replayed"
    share = 0.2

    def __init__(self, random: Random, share: float | None = None) -> None:
        super().__init__(random, share)
        self._kept: dict[tuple[Number, Conversation], list[Mail]] = {}

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        kept = self._kept.setdefault((to, mail.packet.conversation), [])
        again = [self.forged(self.random.choice(kept), harmless=True)] if kept and self.now() else []
        kept.append(mail)
        return [mail, *again]


class RepeatedUnderNewId(Lie):
    """A letter that was delivered comes once more under a fresh message id."""

    kind = "repeated-letter"

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        if mail.packet.content_type not in APPLICATION_TYPES or not self.now():
            return [mail]
        return [mail, self.forged(mail, message_id=new_message_id(self.rng))]


class SplitView(Lie):
    """For one epoch two commits are accepted, each told to one half of the members."""

    kind = "split-view"

    def __init__(self, random: Random, share: float | None = None) -> None:
        super().__init__(random, share)
        self._half: set[Number] = set()
        self._shadow: Room | None = None
        self._busy = False

    def begin(self, world: World) -> None:
        world.split = True

    def up(self, focus: Focus, room: Room, sender: Number, packet: Packet) -> bool:
        if self._busy:
            return False
        state = room.order.state
        if (
            self._shadow is None
            and packet.content_type == CLIENT_CONTROL
            and state is not None
            and room.snapshot is not None
        ):
            if len(room.roster) < 3 or not self.now():
                return False
            others = sorted(room.roster - {sender})
            self.random.shuffle(others)
            self._half = set(others[: len(others) // 2])
            order = OrderedGroup.stored(focus._terms, state, room.snapshot, focus.world.agenda.now)
            self._shadow = Room(room.conversation, order, set(room.roster), room.snapshot, dict(room.data))
            focus.world.lies_told[self.kind] += 1
        if self._shadow is None or sender not in self._half or packet.content_type not in (CLIENT_CONTROL, GROUP_INFO):
            return False
        focus.handle(self._shadow, sender, packet)
        return True

    def down(self, focus: Focus, to: Number, mail: Mail) -> list[Mail]:
        """Each half is told of its own commits alone. Letters and receipts go everywhere."""
        if self._shadow is None or mail.packet.content_type != SERVER_CONTROL or mail.sender is not None:
            return [mail]
        message = server_message(mail.packet)
        if isinstance(message, Accepted) or not isinstance(message, CommitBundle):
            return [mail]
        shadow = self._shadow.order.state
        mine = shadow is not None and any(one.message_id == mail.packet.message_id for one in shadow.history[-6:])
        real = any(
            one.message_id == mail.packet.message_id
            for room in focus.rooms.values()
            if room.order.state is not None
            for one in room.order.state.history[-6:]
        )
        if mine == real:
            return [mail]
        return [mail] if mine == (to in self._half) else []


class ForgedAcceptance(Lie):
    """ "Accepted", to a commit that nobody else ever sees."""

    kind = "forged-acceptance"

    def up(self, focus: Focus, room: Room, sender: Number, packet: Packet) -> bool:
        if packet.content_type != CLIENT_CONTROL or room.order.state is None or not self.now():
            return False
        request = decode_client_message(packet.body, NUMBERS, CONTROL)
        if request.operation is Operation.PROPOSAL:
            return False
        group = decode_epoch(request.group_info)
        if group is None:
            return False
        where = EpochIdentifier(request.era, group, request.epoch_authenticator)
        body = written(Accepted(request.message_id, where))
        focus.send(sender, [Mail(focus.packet(room, SERVER_CONTROL, body, to=sender), None, self.kind, harmless=True)])
        return True


class ForgedAcceptanceOfAnother(Lie):
    """ "Accepted", with the authenticator of a state that the committer did not make."""

    kind = "forged-acceptance-of-another"

    def up(self, focus: Focus, room: Room, sender: Number, packet: Packet) -> bool:
        if packet.content_type != CLIENT_CONTROL or room.order.state is None or not self.now():
            return False
        request = decode_client_message(packet.body, NUMBERS, CONTROL)
        epoch = decode_epoch(request.group_info)
        if epoch is None:
            return False
        body = written(Accepted(request.message_id, EpochIdentifier(request.era, epoch, self.rng(32))))
        focus.send(sender, [Mail(focus.packet(room, SERVER_CONTROL, body, to=sender), None, self.kind)])
        return True


class SwappedCommitId(Lie):
    """A commit under another control id than the one that is bound to it."""

    kind = "swapped-commit-id"

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        message = server_message(mail.packet)
        if not isinstance(message, CommitBundle) or message.ratchet_tree or not self.now():
            return [mail]
        return [self.forged(mail, message_id=new_message_id(self.rng)), mail]


def decode_epoch(group_info: bytes) -> int | None:
    try:
        message = decode_message(group_info, lab_policy().proposal_types, 1 << 24)
    except LetterlockError:
        return None
    context = getattr(message, "group_context", None)
    return None if context is None else int(context.epoch)


# --- about where the group stands --------------------------------------------------------------------------------
class StaleEpoch(Lie):
    """An answer of long ago to who asks where the group is; commits come late or not at all."""

    kind = "stale-epoch"
    share = 0.6

    def __init__(self, random: Random, share: float | None = None) -> None:
        super().__init__(random, share)
        self._first: dict[Conversation, Packet] = {}

    def down(self, focus: Focus, to: Number, mail: Mail) -> list[Mail]:
        packet = mail.packet
        if packet.content_type == GROUP_INFO:
            first = self._first.setdefault(packet.conversation, packet)
            if first is not packet and self.now():
                return [self.forged(mail, harmless=True, body=first.body, headers=first.headers)]
        if isinstance(server_message(packet), CommitBundle) and self.random.random() < 0.2:
            focus.world.lies_told[self.kind] += 1
            return []
        return [mail]


class WrongGroupInfo(Lie):
    """A GroupInfo with a bit changed, or of a group that Mallory made by the same name."""

    kind = "wrong-group-info"
    share = 0.6

    def down(self, focus: Focus, to: Number, mail: Mail) -> list[Mail]:
        info = enhanced(mail.packet)
        if info is None or not self.now():
            return [mail]
        if self.random.random() < 0.5:
            group_info = altered(info.group_info.group_info, self.rng)
            changed = replace(
                info, group_info=replace(info.group_info, group_info=group_info), messages=(), page_end=None
            )
            if waits_for_word(focus, to, mail):
                return [self.forged(mail, harmless=True, body=encode_enhanced_group_info(changed, NUMBERS))]
        else:
            era = info.latest.era + self.random.randrange(2)
            room = focus.rooms[group_of(mail.packet)]
            made = found_group(mallory(), room.order.group_id, era, [], new_message_id(self.rng), self.rng)
            where = EpochIdentifier(era, made.group.epoch, made.group.epoch_authenticator)
            changed = EnhancedGroupInfo(
                where, GroupInfoMessage(made.group_info, made.tree, where.authenticator), (), None
            )
        return [self.forged(mail, body=encode_enhanced_group_info(changed, NUMBERS))]


def waits_for_word(focus: Focus, to: Number, mail: Mail) -> bool:
    """Whether it has a commit out: then where the group stands, which is true here, tells it what came of that."""
    chat = load_chat(focus.world.phones[to].records, mail.packet.conversation)
    return chat is not None and chat.operation is not None


class WrongTree(Lie):
    """A tree with a bit changed, in a Welcome's bundle and in answers."""

    kind = "wrong-tree"

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        message, info = server_message(mail.packet), enhanced(mail.packet)
        if isinstance(message, CommitBundle) and message.ratchet_tree and self.now():
            tree = altered(message.ratchet_tree, self.rng)
            return [self.forged(mail, body=written(replace(message, ratchet_tree=tree)))]
        if info is not None and self.now():
            tree = altered(info.group_info.ratchet_tree, self.rng)
            changed = replace(info, group_info=replace(info.group_info, ratchet_tree=tree))
            return [self.forged(mail, harmless=True, body=encode_enhanced_group_info(changed, NUMBERS))]
        return [mail]


def group_of(packet: Packet) -> GroupId:
    assert packet.conversation.group is not None
    return packet.conversation.group


# --- about who is in it --------------------------------------------------------------------------------------------
class Spontaneous(Lie):
    """Something that nobody asked for, a few times in the middle of the seed."""

    times = 4

    def begin(self, world: World) -> None:
        self._ended = False
        span = world.plan.chaos_ms
        for _ in range(self.times):
            world.agenda.after(self.random.randrange(span // 10, span), lambda: self._strike(world))

    def end(self, world: World) -> None:
        self._ended = True

    def _strike(self, world: World) -> None:
        if self._ended:
            return
        for room in world.focus.rooms.values():
            if room.order.state is not None and room.snapshot is not None:
                self.strike(world.focus, room)

    def strike(self, focus: Focus, room: Room) -> None:
        """Do it."""

    def tell(self, focus: Focus, room: Room, packet: Packet, sender: Number | None, to: Iterable[Number]) -> None:
        for number in sorted(to):
            focus.send(number, [Mail(packet, sender, self.kind)])


class Ghost(Spontaneous):
    """Mallory comes in by herself: the focus has all that an external commit takes; or makes a new era around all."""

    kind = "ghost"

    def strike(self, focus: Focus, room: Room) -> None:
        state, snapshot = room.order.state, room.snapshot
        assert state is not None and snapshot is not None
        message_id = new_message_id(self.rng)
        if self.random.random() < 0.6:
            _, commit = join_from_outside(
                mallory(), snapshot.group_info, snapshot.tree, state.at.era, message_id, self.rng
            )
            body = written(CommitBundle(commit, b"", b"", b""))
            headers = control_headers(state.at.era, state.at.authenticator)
            packet = focus.packet(room, SERVER_CONTROL, body, headers, message_id=message_id)
            self.tell(focus, room, packet, self.random.choice((None, MALLORY)), room.roster)
            return
        members = [number for number in sorted(room.roster - {MALLORY}) if focus.world.kds.pools.get(number)]
        packages = [focus.world.kds.pools[number][-1] for number in members]
        era = state.at.era + 1
        made = found_group(mallory(), room.order.group_id, era, packages, message_id, self.rng)
        body = written(CommitBundle(made.welcome, made.tree, b"", made.group.epoch_authenticator))
        headers = control_headers(era, made.group.epoch_authenticator)
        packet = focus.packet(room, SERVER_CONTROL, body, headers, message_id=message_id)
        # Who holds no group has nothing to judge by whose Welcome comes first: it is shown who is in it, and that is all.
        holding = [number for number in members if holds_group(focus, room, number)]
        self.tell(focus, room, packet, self.random.choice((None, MALLORY)), holding)


def holds_group(focus: Focus, room: Room, number: Number) -> bool:
    phone = focus.world.phones.get(number)
    chat = None if phone is None else load_chat(phone.records, room.conversation)
    return chat is not None and chat.group is not None


class NonMember(Spontaneous):
    """A letter, a proposal and a commit from Mallory's own group of the same name."""

    kind = "non-member"

    def strike(self, focus: Focus, room: Room) -> None:
        state = room.order.state
        assert state is not None
        message_id = new_message_id(self.rng)
        made = found_group(mallory(), room.order.group_id, state.at.era, [], message_id, self.rng)
        victim = self.random.choice(sorted(room.roster))
        letter = made.group.encrypt(b"from nobody", rng=self.rng)
        headers = application_headers(state.at.era, state.at.authenticator)
        sender = self.random.choice((MALLORY, victim, sorted(room.roster)[0]))
        self.tell(focus, room, focus.packet(room, APPLICATION, letter, headers), sender, room.roster)
        bundle = written(CommitBundle(made.commit, b"", b"", b""))
        headers = control_headers(state.at.era, state.at.authenticator)
        packet = focus.packet(room, SERVER_CONTROL, bundle, headers, message_id=message_id)
        self.tell(focus, room, packet, None, room.roster)


class GhostInRoster(Lie):
    """The RCS roster has somebody whom nobody invited; commits that leave Mallory out are refused."""

    kind = "ghost-in-roster"

    def begin(self, world: World) -> None:
        def add() -> None:
            if not world.focus.honest:
                for room in world.focus.rooms.values():
                    room.roster.add(MALLORY)
                world.lies_told[self.kind] += 1

        world.agenda.after(world.plan.chaos_ms // 3, add)
        world.kds.pools[MALLORY] = [key_package(mallory(), self.rng)]

    def end(self, world: World) -> None:
        for room in world.focus.rooms.values():
            room.roster.discard(MALLORY)


class SwappedCredential(Lie):
    """A key package of Mallory's, for a claim of somebody else's."""

    kind = "swapped-credential"
    share = 0.15

    def claim(self, world: World, claimer: Number, of: Number, package: bytes) -> bytes:
        if not self.now():
            return package
        world.lies_told[self.kind] += 1
        return key_package(mallory(), self.rng)


class OtherParticipant(Lie):
    """A key package for the claimed number by another participant key: a man in the middle with a certificate."""

    kind = "substituted-key"
    share = 0.1

    def claim(self, world: World, claimer: Number, of: Number, package: bytes) -> bytes:
        if not self.now() or (world.plan.verified and world.agenda.now < START + 60_000):
            return package
        world.lies_told[self.kind] += 1
        world.lied_keys.add((of, twin(of).participant.spki))
        return key_package(twin(of), self.rng)


class RoguePath(Lie):
    """A key package whose certificates lead to an authority that nobody trusts."""

    kind = "rogue-authority"
    share = 0.15

    def claim(self, world: World, claimer: Number, of: Number, package: bytes) -> bytes:
        if not self.now():
            return package
        world.lies_told[self.kind] += 1
        return key_package(rogue(of), self.rng)


class AlteredPackage(Lie):
    """The genuine key package with an encryption key of the server's in it."""

    kind = "altered-package"
    share = 0.15

    def claim(self, world: World, claimer: Number, of: Number, package: bytes) -> bytes:
        if not self.now():
            return package
        world.lies_told[self.kind] += 1
        genuine, other = read_package(package), read_package(key_package(mallory(), self.rng))
        if self.random.random() < 0.5:
            return package.replace(genuine.init_key, other.init_key)
        world.attackers_keys.add(other.leaf_node.encryption_key)
        return package.replace(genuine.leaf_node.encryption_key, other.leaf_node.encryption_key)


def read_package(data: bytes) -> KeyPackage:
    found = decode_message(data, lab_policy().proposal_types, 1 << 20)
    assert isinstance(found, KeyPackage)
    return found


# --- about what was delivered -------------------------------------------------------------------------------------
class WithheldWelcome(Lie):
    """Whoever is added never hears of it."""

    kind = "withheld-welcome"
    share = 0.5

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        message = server_message(mail.packet)
        if isinstance(message, CommitBundle) and message.ratchet_tree and self.now():
            world.lies_told[self.kind] += 1
            return []
        return [mail]


class WithheldMessages(Lie):
    """One member gets nothing of some others."""

    kind = "withheld-messages"

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        if mail.packet.content_type in (*APPLICATION_TYPES, _IMDN) and self.now():
            world.lies_told[self.kind] += 1
            return []
        return [mail]


class ForgedReceipts(Lie):
    """Receipts without a signature, with one for another message, with one that does not hold; before the true one."""

    kind = "forged-receipts"
    share = 0.5

    def __init__(self, random: Random, share: float | None = None) -> None:
        super().__init__(random, share)
        self._signed: list[Mail] = []

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        packet = mail.packet
        if packet.content_type == APPLICATION and mail.sender is not None and self.now():
            # As if `to` had read it already.
            body = _positive(packet.message_id)
            made = Packet(packet.conversation, None, new_message_id(self.rng), _IMDN, (), body)
            world.focus.send(mail.sender, [Mail(made, to, self.kind)])
            for signed in self._signed[-3:]:
                if signed.sender == to and packet.message_id.encode() not in signed.packet.body:
                    made = replace(signed.packet, body=body, message_id=signed.packet.message_id)
                    world.focus.send(mail.sender, [Mail(made, to, self.kind)])
        if packet.content_type != _IMDN:
            return [mail]
        signature = find_header(packet.headers, DERIVED_CONTENT_SIGNATURE)
        if signature is None:
            return [mail]
        self._signed.append(mail)
        if not self.now():
            return [mail]
        raw = base64.b64decode(signature)
        # Not in the membership tag at the end: where the epoch is over nobody can check that any more.
        other = base64.b64encode(altered(raw, self.rng, len(raw) - 100, len(raw) - 33)).decode()
        headers = tuple(
            PacketHeader(NAMESPACE, one.name, other) if one.value == signature else one for one in packet.headers
        )
        return [self.forged(mail, headers=headers), mail]


def _positive(message_id: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><imdn xmlns="urn:ietf:params:xml:ns:imdn">'
        f"<message-id>{message_id}</message-id><datetime>2026-11-23T05:00:00Z</datetime>"
        "<delivery-notification><status><delivered/></status></delivery-notification></imdn>"
    ).encode()


class ForgedFailures(Lie):
    """ "Could not be decrypted", unsigned, for every letter that was: as often as it is sent again."""

    kind = "forged-failures"
    share = 0.5

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        if mail.packet.content_type == APPLICATION and mail.sender is not None and self.now():
            body = encode_negative_receipt(mail.packet.message_id, "2026-11-23T05:00:00Z", None)
            made = Packet(mail.packet.conversation, None, new_message_id(self.rng), _IMDN, (), body)
            if made.conversation.group is not None:
                world.focus.send(mail.sender, [Mail(made, to, self.kind)])
        return [mail]


class SwappedSender(Lie):
    """A letter, a receipt or a commit under somebody else's name."""

    kind = "swapped-sender"

    def down(self, focus: Focus, to: Number, mail: Mail) -> list[Mail]:
        if mail.sender is None or not self.now():
            return [mail]
        if mail.packet.content_type != _IMDN and mail.packet.content_type not in APPLICATION_TYPES:
            return [mail]
        room = focus.rooms[group_of(mail.packet)]
        others = sorted(room.roster - {mail.sender, to})
        return [self.forged(mail, sender=self.random.choice(others)), mail] if others else [mail]


class SwappedId(Lie):
    """A letter under another message id: the one that a user would be shown as delivered, or deleted."""

    kind = "swapped-id"

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        if mail.packet.content_type not in APPLICATION_TYPES or not self.now():
            return [mail]
        return [self.forged(mail, message_id=new_message_id(self.rng)), mail]


class SwappedRoot(Lie):
    """A new letter as if it repeated one that was read before: whoever believes that never shows it."""

    kind = "swapped-root"

    def __init__(self, random: Random, share: float | None = None) -> None:
        super().__init__(random, share)
        self._before: dict[tuple[Number, Number | None], str] = {}

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        if mail.packet.content_type != APPLICATION:
            return [mail]
        before = self._before.setdefault((to, mail.sender), mail.packet.message_id)
        if before == mail.packet.message_id or not self.now():
            return [mail]
        headers = (*mail.packet.headers, PacketHeader(NAMESPACE, ORIGINAL_MESSAGE_ID, before))
        return [self.forged(mail, harmless=True, headers=headers)]


class AlteredLetter(Lie):
    """A ciphertext with a bit changed."""

    kind = "altered-letter"

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        if mail.packet.content_type not in APPLICATION_TYPES or not self.now():
            return [mail]
        return [self.forged(mail, body=altered(mail.packet.body, self.rng)), mail]


class Reflected(Lie):
    """What a member sent comes back to it, as its own or as somebody else's."""

    kind = "reflected"
    share = 0.2

    def up(self, focus: Focus, room: Room, sender: Number, packet: Packet) -> bool:
        if packet.content_type != CLIENT_CONTROL and self.now():
            as_whom = self.random.choice(sorted(room.roster))
            focus.send(sender, [Mail(packet, self.random.choice((sender, as_whom)), self.kind)])
        return False


# --- downgrade ----------------------------------------------------------------------------------------------------
class ForgedEnd(Spontaneous):
    """end_mls from the focus's own hand: an answer with it, server reasons that say so, a group of Mallory's with it."""

    kind = "forged-end"
    times = 6

    def strike(self, focus: Focus, room: Room) -> None:
        state = room.order.state
        assert state is not None
        if self.random.random() < 0.5:
            reason = self.random.choice(
                (
                    ServerReason.MLS_GROUP_HAS_END_MLS,
                    ServerReason.ENCRYPTION_NOT_AVAILABLE,
                    ServerReason.MLS_GROUP_NOT_FOUND,
                    ServerReason.ERA_ADVANCEMENT_QUOTA_REACHED,
                )
            )
            for number in sorted(room.roster):
                phone = focus.world.phones.get(number)
                known = [] if phone is None else [*phone.outbox][-2:]
                for message_id in [*known, MessageId("nothing-of-yours")]:
                    body = encode_negative_receipt(message_id, "2026-11-23T05:00:00Z", reason)
                    focus.send(number, [Mail(focus.packet(room, _IMDN, body, to=number), None, self.kind)])
            return
        end = end_mls_extension(EndReason.UNSET, Revision.V3)
        era = state.at.era + self.random.randrange(2)
        made = found_group(mallory(), room.order.group_id, era, [], new_message_id(self.rng), self.rng, (end,))
        where = EpochIdentifier(era, made.group.epoch, made.group.epoch_authenticator)
        info = GroupInfoMessage(made.group_info, made.tree, where.authenticator)
        headers = control_headers(era, where.authenticator)
        answer = encode_enhanced_group_info(EnhancedGroupInfo(where, info, (), None), NUMBERS)
        self.tell(focus, room, focus.packet(room, GROUP_INFO, answer, headers), None, room.roster)
        self.tell(focus, room, focus.packet(room, SERVER_CONTROL, written(info), headers), None, room.roster)

    def down(self, focus: Focus, to: Number, mail: Mail) -> list[Mail]:
        """Who asks where the group is hears that it is ended."""
        info = enhanced(mail.packet)
        if info is None or not self.now():
            return [mail]
        room = focus.rooms[group_of(mail.packet)]
        end = end_mls_extension(EndReason.UNSET, Revision.V3)
        if self.random.random() < 0.5:
            body = encode_enhanced_group_info(with_end(info, end), NUMBERS)
            return [self.forged(mail, harmless=waits_for_word(focus, to, mail), body=body)]
        made = found_group(
            mallory(), room.order.group_id, info.latest.era, [], new_message_id(self.rng), self.rng, (end,)
        )
        where = EpochIdentifier(info.latest.era, info.latest.epoch + 1, made.group.epoch_authenticator)
        changed = EnhancedGroupInfo(where, GroupInfoMessage(made.group_info, made.tree, where.authenticator), (), None)
        return [self.forged(mail, body=encode_enhanced_group_info(changed, NUMBERS))]


def with_end(info: EnhancedGroupInfo, end: Extension) -> EnhancedGroupInfo:
    """The genuine GroupInfo with end_mls put into it; its signature does not hold any more."""
    found = decode_message(info.group_info.group_info, lab_policy().proposal_types, 1 << 24)
    assert isinstance(found, GroupInfo)
    context = replace(found.group_context, extensions=(*found.group_context.extensions, end))
    made = encode_message(replace(found, group_context=context))
    return replace(info, group_info=replace(info.group_info, group_info=made), messages=(), page_end=None)


class StrippedCapability(Lie):
    """ "Nobody of that number has keys", and content in the clear as if from a member."""

    kind = "stripped-capability"

    def begin(self, world: World) -> None:
        """The pools are gone for a while."""
        self._kept = {number: list(pool) for number, pool in world.kds.pools.items()}

        def strip() -> None:
            for number in list(world.kds.pools):
                if self.random.random() < 0.5:
                    world.kds.pools[number] = []
            world.lies_told[self.kind] += 1

        world.agenda.after(self.random.choice((0, world.plan.chaos_ms // 3)), strip)

    def end(self, world: World) -> None:
        for number, pool in world.kds.pools.items():
            if not pool:
                world.kds.pools[number] = self._kept.get(number, [])

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        if mail.packet.content_type != APPLICATION or not self.now():
            return [mail]
        body = b"Content-Type: text/plain\r\n\r\nin the clear"
        return [
            self.forged(mail, content_type="text/plain", body=body, message_id=new_message_id(self.rng), headers=()),
            self.forged(mail, body=body, message_id=new_message_id(self.rng)),
            mail,
        ]


class StrippedHeaders(Lie):
    """A letter without the headers that name its epoch."""

    kind = "stripped-headers"

    def tampered(self, world: World, to: Number, mail: Mail) -> list[Mail]:
        if mail.packet.content_type != APPLICATION or not self.now():
            return [mail]
        return [self.forged(mail, headers=()), mail]


LIES: Final[tuple[type[Lie], ...]] = (
    StaleEpoch,
    ForgedCommit,
    Ghost,
    SwappedCredential,
    WithheldWelcome,
    ForgedEnd,
    ReplayedCommit,
    SplitView,
    WithheldMessages,
    ForgedReceipts,
    ForgedAcceptance,
    ForgedAcceptanceOfAnother,
    WrongGroupInfo,
    WrongTree,
    NonMember,
    OtherParticipant,
    Reflected,
    StrippedCapability,
    GhostInRoster,
    SwappedSender,
    SwappedId,
    SwappedCommitId,
    ForgedFailures,
    SwappedRoot,
    AlteredLetter,
    RepeatedUnderNewId,
    RoguePath,
    AlteredPackage,
    ForgedTag,
    StrippedHeaders,
)
