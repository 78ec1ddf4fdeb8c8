"""`Rcc16Protocol`: RCC.16 behind the seam of conversations.

Every method is one step: it reads the state, and gives what is to be written, sent, asked for and told. What happens in
a conversation is in `conversation`, certificates and key packages in `enrolment`. What others send never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..conversation_seam import (
    Change,
    Claimed,
    Conversation,
    ConversationView,
    HealthMoved,
    Letter,
    Packet,
    Progress,
)
from ..crypto.provider import CryptoProvider
from ..errors import InputError, LetterlockError
from ..ids import Instant, MessageId, Number, Rng
from ..seam import Staged, State, Writes
from .conversation import eras
from .conversation.changing import change
from .conversation.chat import Chat
from .conversation.claiming import look_at
from .conversation.described import describe
from .conversation.letters import seal
from .conversation.live import LiveGroups, row_names
from .conversation.operations import overdue
from .conversation.pins import trusted
from .conversation.receipts import show
from .conversation.receiving import IMDN, concerns, take_in
from .conversation.records import CHATS, CLAIMS, chat_key, load_chat, row_key
from .conversation.running import on_time, settle
from .conversation.settings import Settings
from .conversation.step import Core, Work
from .conversation.sweeping import sweep
from .conversation.trouble import suspect
from .conversation.viewing import view_of
from .conversation.withdrawn import look
from .enrolment.enrolment import Enrolment, Upkeep
from .wire.content_types import media_types

__all__ = ["Rcc16Protocol"]


class Rcc16Protocol:
    """One device. `enrolment` is its own; MLS groups are kept in memory between steps, but only as they are stored."""

    name = "rcc16"

    def __init__(self, crypto: CryptoProvider, enrolment: Enrolment, settings: Settings) -> None:
        self.enrolment = enrolment
        self.media_types = media_types(settings.choices)
        self._core = Core(crypto, enrolment.number, enrolment, settings, LiveGroups(settings.live_groups))

    # --- ourselves -----------------------------------------------------------------------------------------------
    def ready(self, state: State, now: Instant) -> bool:
        return self.enrolment.ready(state, now)

    def enrolled(
        self,
        state: State,
        request: str,
        chain: tuple[bytes, ...] | None,
        anchors: tuple[bytes, ...],
        now: Instant,
        rng: Rng,
    ) -> Progress:
        """A chain that does not hold counts as none. The anchors count by themselves: the authority that a new list
        withdraws may be the one that answered (rcc16.md 1.7)."""
        staged = Staged(state)
        self._adopt(staged, None, anchors, now)
        renewed = chain is not None and self._adopt(staged, chain, (), now)
        self._core.live.clear()
        progress = self._with_upkeep(staged, self.enrolment.upkeep(staged, now, rng))
        for key in list(state.scan(CHATS)):
            found = staged.get(key)
            if found is None:
                continue
            if renewed and found.group is not None:
                staged.put(key, replace(found, refreshes=True))  # the new certificate goes into every group (9.5.3)
            progress = _joined(progress, self._step(staged, found.conversation, now, rng, _judge_anew))
            staged.merge(progress.writes)
        return progress

    def _adopt(self, staged: Staged, chain: tuple[bytes, ...] | None, anchors: tuple[bytes, ...], now: Instant) -> bool:
        try:
            staged.merge(self.enrolment.adopt(staged, chain, anchors, now))
        except LetterlockError:
            return False
        return True

    def uploaded(self, state: State, request: str, stored: bool, now: Instant, rng: Rng) -> Progress:
        staged = Staged(state)
        staged.merge(self.enrolment.published(staged, request, stored, now))
        return self._with_upkeep(staged, self.enrolment.upkeep(staged, now, rng))

    def trust(self, state: State, number: Number, spki: bytes, verified: bool, now: Instant) -> Progress:
        staged = Staged(state)
        staged.merge(trusted(state, number, spki, verified))
        for key in list(state.scan(CHATS)):
            found = staged.get(key)
            if found is not None and found.blocked == "unpinned":
                staged.put(key, replace(found, blocked=""))
        return Progress(writes=staged.writes, wake_at=now)

    # --- conversations ----------------------------------------------------------------------------------------------
    def upgrade(
        self, state: State, conversation: Conversation, members: tuple[Number, ...], now: Instant, rng: Rng
    ) -> Progress:
        def act(work: Work) -> None:
            others = tuple(sorted({number for number in members if number != self._core.number}))
            if not others:
                raise InputError("there is nobody else to encrypt to", code="rcc16.input.members")
            came_back = work.chat.left
            work.update(roster=others, left=False)
            if came_back:
                suspect(work, "no-group", certain=True)  # back in the RCS group, and no Welcome has come
            elif work.chat.group is None and not work.chat.ended:
                work.update(wants=True, blocked="")

        return self._step(state, conversation, now, rng, act)

    def seal(self, state: State, conversation: Conversation, letter: Letter, now: Instant, rng: Rng) -> Progress:
        return self._step(state, conversation, now, rng, lambda work: seal(work, letter))

    def displayed(
        self, state: State, conversation: Conversation, message_id: MessageId, sender: Number, now: Instant, rng: Rng
    ) -> Progress:
        return self._step(state, conversation, now, rng, lambda work: show(work, message_id, sender))

    def receive(self, state: State, packet: Packet, sender: Number | None, now: Instant, rng: Rng) -> Progress:
        kind = packet.content_type.partition(";")[0].strip().lower()
        if kind not in self.media_types and kind != IMDN:
            return Progress()
        work = Work.on(self._core, state, packet.conversation, now, rng)
        if kind == IMDN and not (work.known and concerns(work, packet)):
            return Progress()
        work.unread.append((packet, sender))
        progress = settle(work, take_in)
        if not any(key.name.startswith(("rcc16-package", "rcc16-upkeep")) for key in progress.writes):
            return progress
        # A Welcome has used a key package, or could not be opened: there may have to be new ones.
        return self._with_upkeep(Staged(state), self.enrolment.upkeep(work.state, now, rng), progress)

    def network(
        self, state: State, conversation: Conversation, message_id: MessageId, accepted: bool, now: Instant, rng: Rng
    ) -> Progress:
        """Acceptance says nothing; a refusal of a commit is a silence that need not be waited for."""

        def act(work: Work) -> None:
            operation = work.chat.operation
            if not accepted and operation is not None and operation.control_id == message_id:
                overdue(work)

        return self._step(state, conversation, now, rng, act)

    def claimed(
        self, state: State, request: str, answers: Mapping[Number, Claimed], now: Instant, rng: Rng
    ) -> Progress:
        conversation = state.get(CLAIMS.key(request))
        if conversation is None:
            return Progress()

        def act(work: Work) -> None:
            work.state.delete(CLAIMS.key(request))
            operation = work.chat.operation
            if operation is not None and operation.request == request and work.client is not None:
                eras.answered(work, answers)

        return self._step(state, conversation, now, rng, act)

    def looked_up(self, state: State, number: Number, answer: Claimed, now: Instant, rng: Rng) -> tuple[Progress, bool]:
        work = Work.on(self._core, state, Conversation(peer=number), now, rng)
        found = look_at(work, number, answer)
        return work.finish(), found

    def change(self, state: State, conversation: Conversation, change_: Change, now: Instant, rng: Rng) -> Progress:
        return self._step(state, conversation, now, rng, lambda work: change(work, change_))

    def described(
        self,
        state: State,
        conversation: Conversation,
        subject: str | None,
        icon: str | None,
        now: Instant,
        rng: Rng,
    ) -> Progress:
        return self._step(state, conversation, now, rng, lambda work: describe(work, subject, icon))

    def on_timer(self, state: State, now: Instant, rng: Rng) -> Progress:
        staged = Staged(state)
        progress = self._with_upkeep(staged, self.enrolment.upkeep(staged, now, rng))
        for key in list(staged.scan(CHATS)):
            found = staged.get(key)
            if found is not None:
                progress = _joined(progress, self._step(staged, found.conversation, now, rng, on_time))
        sweep(staged, self._core.settings, now)
        return replace(progress, writes=dict(staged.writes))

    def view(self, state: State, conversation: Conversation) -> ConversationView | None:
        chat = load_chat(state, conversation)
        return None if chat is None else view_of(state, chat, self._core.number)

    def rolled_back(self, state: State) -> Writes:
        """The store is an old copy: no group key in it is used again, and no key package that a Welcome of the lost
        future may have used. Each conversation comes back by itself (SR-06)."""
        staged = Staged(state)
        staged.merge(self.enrolment.rolled_back(staged))
        self._core.live.clear()
        for key in list(state.scan(CHATS)):
            chat = staged.get(key)
            if chat is not None:
                _forget_groups(staged, chat)
        return staged.writes

    # --- inside -------------------------------------------------------------------------------------------------------
    def _step(
        self, state: State, conversation: Conversation, now: Instant, rng: Rng, act: Callable[[Work], None]
    ) -> Progress:
        work = Work.on(self._core, state, conversation, now, rng)
        act(work)
        return settle(work, take_in)

    def _with_upkeep(self, staged: Staged, upkeep: Upkeep, before: Progress | None = None) -> Progress:
        staged.merge(upkeep.writes)
        own = Progress(writes=dict(staged.writes), requests=upkeep.requests, wake_at=upkeep.next_at)
        return own if before is None else _joined(before, own)


def _judge_anew(work: Work) -> None:
    if look(work, work.group()):
        work.notices.append(HealthMoved(work.conversation, work.health.label, ""))


def _forget_groups(staged: Staged, chat: Chat) -> None:
    operation = chat.operation
    for held in (chat.group, None if operation is None else operation.candidate):
        if held is not None:
            for row in row_names(staged, chat.conversation, held.number):
                staged.delete(row_key(chat.conversation, held.number, row))
    lost = chat.group is not None or operation is not None
    staged.put(
        chat_key(chat.conversation),
        replace(chat, group=None, operation=None, heal=None, rejoin=lost and not chat.left, epoch=0, authenticator=b""),
    )


def _joined(one: Progress, other: Progress) -> Progress:
    times = [at for at in (one.wake_at, other.wake_at) if at is not None]
    return Progress(
        writes={**one.writes, **other.writes},
        packets=(*one.packets, *other.packets),
        requests=(*one.requests, *other.requests),
        notices=(*one.notices, *other.notices),
        wake_at=min(times, default=None),
        waits=one.waits or other.waits,
        refused=one.refused or other.refused,
    )
