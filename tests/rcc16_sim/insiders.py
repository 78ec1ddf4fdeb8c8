"""Lies that only a member can tell: somebody in the group who works with the focus and gives it what it lacks.

The insider is an ordinary phone whose store the focus reads: it has the membership key of the epoch, the message keys of
all members, and its own signature key. It has nobody else's signature key, and no later confirmation key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from letterlock.errors import LetterlockError
from letterlock.ids import MessageId, Number
from letterlock.mls.client import Client
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.group.group import Group
from letterlock.mls.protect.content import sign_content
from letterlock.mls.protect.private_message import ratchet_kind, seal_private
from letterlock.mls.protect.public_message import protect_public
from letterlock.mls.registries import PRIVATE_MESSAGE, PUBLIC_MESSAGE
from letterlock.mls.wire.commit import Commit
from letterlock.mls.wire.framing import (
    AuthenticatedContent,
    FramedContent,
    FramedContentAuthData,
    PublicMessage,
    Sender,
)
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import Add
from letterlock.rcc16.conversation.live import rows_of
from letterlock.rcc16.credentials.leaf import certified_number
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.content_types import APPLICATION, CLIENT_CONTROL
from letterlock.rcc16.wire.control import ClientMessage, CommitBundle, Operation, encode_client_message
from letterlock.rcc16.wire.message_ids import new_message_id
from letterlock.rcc16.wire.packet_headers import application_headers, control_headers
from letterlock.rcc16.wire.secret_payload import SecretPayload, encode_content, encode_secret_payload, text_entity
from rcc16.certificates import lab_policy

from .attacker import key_package, mallory
from .carrier import Mail
from .focus import Focus, Room
from .lies import NUMBERS, Lie, Spontaneous, read_package, server_message, written
from .people import EVERYBODY, enrolment
from .watch import chat_of
from .world import World

__all__ = ["INSIDER", "INSIDERS"]

INSIDER: Number = EVERYBODY[2]


@dataclass(frozen=True)
class Inside:
    """What the insider has of a room now."""

    client: Client
    group: Group
    era: int

    def letter(self, leaf: int, payload: bytes, authenticated_data: bytes, rng) -> bytes:  # type: ignore[no-untyped-def]
        """A PrivateMessage that names `leaf` as its sender, signed by the insider."""
        state, secrets = self.group.state, self.group._member.active()
        framed = FramedContent.build(
            group_id=state.group_id,
            epoch=state.epoch,
            sender=Sender.member(leaf),
            authenticated_data=authenticated_data,
            content=payload,
            types=self.client.policy.proposal_types,
        )
        signature = sign_content(state.suite, self.client.sign, PRIVATE_MESSAGE, framed, state.context.encoded)
        signed = AuthenticatedContent(PRIVATE_MESSAGE, framed, FramedContentAuthData(signature, None))
        key = secrets.messages.next_key(leaf, ratchet_kind(framed.content_type))
        return encode_message(seal_private(state.suite, signed, key, secrets.keys.sender_data_secret, 0, rng))


def inside(world: World, room: Room) -> Inside | None:
    """None while the insider is not where the focus is."""
    phone, state = world.phones.get(INSIDER), room.order.state
    if phone is None or state is None or INSIDER not in room.roster:
        return None
    chat, client = chat_of(phone, room.conversation), enrolment(INSIDER).client(phone.records, world.agenda.now)
    if chat is None or chat.group is None or client is None or chat.authenticator != state.at.authenticator:
        return None
    try:
        group = Group.load(client, rows_of(phone.records, room.conversation, chat.group.number))
    except LetterlockError:
        return None
    return None if group.pending is not None or list(group.proposals()) else Inside(client, group, chat.group.era)


class WrongCounter(Spontaneous):
    """A letter of the insider's whose counter is not its key's generation."""

    kind = "insider-counter"

    def strike(self, focus: Focus, room: Room) -> None:
        found = inside(focus.world, room)
        if found is None:
            return
        message_id = new_message_id(self.rng)
        counter = found.group.next_generation() + 1 + self.random.randrange(5)
        content = encode_content((), text_entity("out of step"))
        payload = encode_secret_payload(SecretPayload(counter, content))
        body = found.group.encrypt(
            payload, rng=self.rng, authenticated_data=encode_authenticated_data(message_id, found.era)
        )
        headers = application_headers(found.era, found.group.epoch_authenticator)
        packet = focus.packet(room, APPLICATION, body, headers, message_id=message_id)
        self.tell(focus, room, packet, INSIDER, room.roster - {INSIDER})


class Impersonation(Spontaneous):
    """A letter that names another member's leaf: every member can derive the message keys of all others."""

    kind = "insider-impersonates"

    def strike(self, focus: Focus, room: Room) -> None:
        found = inside(focus.world, room)
        others = sorted(room.roster - {INSIDER})
        if found is None or not others:
            return
        victim, message_id = self.random.choice(others), new_message_id(self.rng)
        leaf = next((i for i, leaf in found.group.members() if certified_number(leaf.credential) == victim), None)
        if leaf is None:
            return
        payload = encode_secret_payload(SecretPayload(0, encode_content((), text_entity("not from me"))))
        body = found.letter(leaf, payload, encode_authenticated_data(message_id, found.era), self.rng)
        headers = application_headers(found.era, found.group.epoch_authenticator)
        packet = focus.packet(room, APPLICATION, body, headers, message_id=message_id)
        self.tell(focus, room, packet, victim, room.roster - {INSIDER, victim})


class WrongConfirmation(Lie):
    """Commits of others with another confirmation tag, under a membership tag that holds."""

    kind = "insider-confirmation"
    share = 0.5

    def down(self, focus: Focus, to: Number, mail: Mail) -> list[Mail]:
        message = server_message(mail.packet)
        if not isinstance(message, CommitBundle) or to == INSIDER or not self.now():
            return [mail]
        room = focus.rooms[group_id(mail)]
        found = behind(focus.world, room)
        # Whoever is removed by a commit has no secrets of the epoch after it, and takes the signature for enough.
        if found is None or room.order.state is None or to not in room.order.state.members:
            return [mail]
        types = lab_policy().proposal_types
        try:
            handshake = decode_message(message.handshake, types, 1 << 24)
        except LetterlockError:
            return [mail]
        if not isinstance(handshake, PublicMessage) or not isinstance(handshake.content.content, Commit):
            return [mail]
        state, secrets = found.group.state, found.group._member.active()
        if handshake.content.epoch != state.epoch or handshake.auth.confirmation_tag is None:
            return [mail]
        tag = bytes([handshake.auth.confirmation_tag[0] ^ 1]) + handshake.auth.confirmation_tag[1:]
        signed = AuthenticatedContent(PUBLIC_MESSAGE, handshake.content, replace(handshake.auth, confirmation_tag=tag))
        made = protect_public(state.suite, signed, state.context.encoded, secrets.keys.membership_key)
        return [self.forged(mail, body=written(replace(message, handshake=encode_message(made)))), mail]


def group_id(mail: Mail):  # type: ignore[no-untyped-def]
    return mail.packet.conversation.group


def behind(world: World, room: Room) -> Inside | None:
    """What the insider has, wherever it is: a commit reaches it after the focus has taken it."""
    phone = world.phones.get(INSIDER)
    if phone is None:
        return None
    chat, client = chat_of(phone, room.conversation), enrolment(INSIDER).client(phone.records, world.agenda.now)
    if chat is None or chat.group is None or client is None:
        return None
    try:
        group = Group.load(client, rows_of(phone.records, room.conversation, chat.group.number))
    except LetterlockError:
        return None
    return Inside(client, group, chat.group.era)


class SecretGuest(Spontaneous):
    """The insider adds Mallory, and nobody to the RCS roster: an honest focus has to refuse that."""

    kind = "insider-adds"

    def strike(self, focus: Focus, room: Room) -> None:
        found = inside(focus.world, room)
        if found is None or any(leaf.signature_key == mallory().leaf.public for _, leaf in found.group.members()):
            return
        message_id = MessageId(new_message_id(self.rng))
        options = CommitOptions(
            path=False,
            authenticated_data=encode_authenticated_data(message_id, found.era),
            public=True,
            tree_in_welcome=False,
        )
        base = found.group.epoch_authenticator
        add = Add(read_package(key_package(mallory(), self.rng)))
        pending = found.group.commit([add], options=options, rng=self.rng, now=focus.world.agenda.now)
        request = ClientMessage(
            operation=Operation.COMMIT,
            era=found.era,
            message_id=message_id,
            commit=pending.message,
            group_info=pending.group_info(with_tree=False, external_pub=True),
            ratchet_tree=pending.staged.state.tree.encode(),
            welcome=pending.welcomes[0].message,
            base_epoch_authenticator=base,
            epoch_authenticator=pending.epoch_authenticator,
        )
        body = encode_client_message(request, NUMBERS)
        headers = control_headers(found.era, base)
        focus.world.lies_told[self.kind] += 1
        focus.handle(room, INSIDER, focus.packet(room, CLIENT_CONTROL, body, headers, message_id=message_id))


INSIDERS: tuple[type[Lie], ...] = (WrongCounter, Impersonation, WrongConfirmation, SecretGuest)
