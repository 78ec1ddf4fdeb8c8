"""What a member's phone would send if somebody had tampered with its program: messages that break one rule each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from letterlock.conversation_seam import Conversation, Packet
from letterlock.errors import InvalidRcc16
from letterlock.ids import MessageId, Number
from letterlock.mls.group.group import CommitOptions, Group
from letterlock.mls.group.results import PendingCommit
from letterlock.mls.wire.proposals import Proposal
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.conversation.posting import letter_packet
from letterlock.rcc16.conversation.step import Work
from letterlock.rcc16.rules import Rule
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.content_types import SERVER_CONTROL
from letterlock.rcc16.wire.control import CommitBundle, encode_server_message
from letterlock.rcc16.wire.packet_headers import control_headers
from letterlock.rcc16.wire.secret_payload import SecretPayload, encode_content, encode_secret_payload, text_entity

from .world import Phone

__all__ = ["bundle_packet", "commit_packet", "group_of", "letter", "raising", "working"]


@contextmanager
def working(phone: Phone, conversation: Conversation) -> Iterator[Work]:
    """A step of this phone that does what the test wants; what it changed is kept."""
    work = Work.on(phone.protocol._core, phone.state, conversation, phone.world.now, phone.rng)
    yield work
    phone.state.apply(work.finish().writes)


def group_of(work: Work) -> Group:
    group = work.group()
    assert group is not None
    return group


def letter(
    phone: Phone,
    conversation: Conversation,
    text: str = "crooked",
    *,
    message_id: str = "crooked-1",
    bound_id: str = "",
    bound_era: int = 0,
    generation: int | None = None,
    payload_type: int = 1,
) -> Packet:
    """An application message whose bound id, bound era or counter may be another one than it says."""
    with working(phone, conversation) as work:
        group = group_of(work)
        era = work.chat.moment.era
        counter = group.next_generation() if generation is None else generation
        payload = SecretPayload(counter, encode_content((), text_entity(text)), payload_type)
        data = encode_authenticated_data(MessageId(bound_id or message_id), bound_era or era)
        body = group.encrypt(encode_secret_payload(payload), rng=phone.rng, authenticated_data=data)
        return letter_packet(work, MessageId(message_id), body, era, group.epoch_authenticator, None)


def commit_packet(
    phone: Phone,
    conversation: Conversation,
    proposals: Sequence[Proposal] = (),
    *,
    control_id: str = "control-1",
    bound_id: str = "",
    bound_era: int = 0,
    public: bool = True,
    **options: Any,
) -> tuple[Packet, PendingCommit]:
    """A commit as the focus hands it on."""
    with working(phone, conversation) as work:
        group = group_of(work)
        era, base = work.chat.moment.era, group.epoch_authenticator
        data = encode_authenticated_data(MessageId(bound_id or control_id), bound_era or era)
        chosen = CommitOptions(authenticated_data=data, public=public, tree_in_welcome=False, **options)
        pending = group.commit(proposals, options=chosen, rng=phone.rng, now=phone.world.now)
        bundle = CommitBundle(pending.message, b"", b"", pending.epoch_authenticator)
        return bundle_packet(conversation, control_id, bundle, era, base), pending


def bundle_packet(
    conversation: Conversation, control_id: str, bundle: CommitBundle, era: int, authenticator: bytes
) -> Packet:
    body = encode_server_message(bundle, OURS.control_numbers)
    headers = control_headers(era, authenticator)
    return Packet(conversation, None, MessageId(control_id), SERVER_CONTROL, headers, body, ("negative-delivery",))


def raising(phone: Phone, packet: Packet, sender: Number | None) -> Callable[[], None]:
    """The act of taking a packet in, which raises the first rule that refused something in it; a machine does not."""

    def act() -> None:
        found: list[InvalidRcc16] = []
        fail = Rule.fail

        def noting(self: Rule, what: str) -> None:
            try:
                fail(self, what)
            except InvalidRcc16 as error:
                found.append(error)
                raise

        Rule.fail = noting  # type: ignore[method-assign]
        try:
            phone.receive(packet, sender)
        finally:
            Rule.fail = fail  # type: ignore[method-assign]
        if found:
            raise found[0]

    return act


def renamed(packet: Packet, **changes: Any) -> Packet:
    return replace(packet, **changes)
