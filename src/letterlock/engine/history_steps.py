"""The part of the engine's front that concerns what people keep and see of a chat; `Engine` has these methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from ..codec.names import shown_name
from ..errors import InputError
from ..ids import ChatName, GroupName, Instant, MessageId, Number, Rng, group_of
from ..seam import State
from . import chats, contacts, resending
from .content import Sendable
from .conversations import members, working
from .conversations.records import participant_key
from .core import Core
from .events import ChatNamed, VerificationWithdrawn
from .groups.values import group_key
from .history_records import Summary, failure_key, name_key, summary_key
from .policy import PlainOption
from .record_values import Chat
from .records import WAITING, chat_key, contact_key
from .step import Step, Turn
from .view import MessageView

__all__ = ["HistorySteps"]

_LONGEST_NAME = 64


class _Engine(Protocol):
    _core: Core

    def find(self, state: State, chat: ChatName, message_id: MessageId) -> tuple[MessageView, ...]: ...

    @property
    def send(self) -> Callable[..., Step[MessageId]]: ...


class HistorySteps:
    """Names, what was verified, what failed, what waits."""

    _core: Core

    def set_name(self, state: State, chat: ChatName, name: str, now: Instant, rng: Rng) -> Step[None]:
        """What the user calls this chat; empty takes the name away. Raises InputError."""
        turn = Turn(state, now, rng)
        if not chats.exists(turn, chat):
            raise InputError("there is no such chat", code="input.chat", hint="open the chat first: letterlock chats")
        if len(name) > _LONGEST_NAME:
            raise InputError(f"a name has at most {_LONGEST_NAME} characters", code="input.name")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError("a name is text", code="input.name") from None
        if name and not shown_name(name):
            raise InputError("nothing of this name could be shown", code="input.name")
        key = name_key(chat)
        if (turn.staged.get(key) or "") != name:
            if name:
                turn.staged.put(key, name)
            else:
                turn.staged.delete(key)
            turn.tell(ChatNamed(chat, shown_name(name)))
        return turn.finish(None)

    def name_of(self, state: State, chat: ChatName) -> str:
        """What the user calls it, fit to be shown; empty without a name."""
        return shown_name(state.get(name_key(chat)) or "")

    def withdraw(self, state: State, number: Number, now: Instant, rng: Rng) -> Step[None]:
        """The user no longer vouches for the contact's keys: encrypted, not verified. One whose keys changed after they
        were verified stays paused. Raises InputError without keys."""
        turn = Turn(state, now, rng)
        if self.verified_at(state, number):
            turn.tell(VerificationWithdrawn(number))
        steps = members.withdraw(self._core, turn, number)
        if not steps or chats.contact_of(turn, number) is not None:
            contacts.withdraw(self._core, turn, number)
        working.trusted(self._core, turn, steps)
        return turn.finish(None)

    def verified_at(self, state: State, chat: ChatName) -> Instant:
        """When the user compared codes with this contact; 0 if never for its present keys."""
        if group_of(chat) is not None:
            return 0
        contact, certified = state.get(contact_key(Number(chat))), state.get(participant_key(Number(chat)))
        return max(contact.verified_at if contact is not None else 0, certified.verified_at if certified else 0)

    def resend(
        self: _Engine,
        state: State,
        chat: ChatName,
        message_id: MessageId,
        now: Instant,
        rng: Rng,
        *,
        allow: PlainOption | None = None,
        wait: bool = True,
    ) -> Step[MessageId]:
        """Send a message of ours that failed again, as a new one; the old one names it from now on. Raises as `send`
        does (SR-01), InputError (`input.resend`) for one that has not failed or was sent again."""
        content: Sendable = resending.content_again(state, chat, self.find(state, chat, message_id))
        step = self.send(state, chat, content, now, rng, allow=allow, wait=wait)
        marked = resending.superseded(state, message_id, step.value)
        return replace(step, writes={**step.writes, failure_key(message_id): marked})

    def summary(self, state: State, chat: ChatName) -> Summary:
        """Newest message, time and unread messages of a chat."""
        return state.get(summary_key(chat)) or Summary()

    def keeps_waiting(self, state: State, chat: ChatName) -> bool:
        """Whether the user decided, in the present transition of this chat, to wait where no keys were found."""
        known = state.get(chat_key(chat))
        return known is not None and known.kept == known.transition

    def transition(self, state: State, chat: ChatName) -> tuple[int, int, Instant]:
        """How often the kind of protection changed; how many messages wait for keys, and since when (0: none)."""
        known = state.get(chat_key(chat)) or Chat(chat)
        if not known.waiting:
            group = state.get(group_key(GroupName(chat))) if group_of(chat) is not None else None
            return known.transition, 0 if group is None else group.waiting, 0
        first = next(iter(state.scan(WAITING, f"{chat}/")), None)
        waiting = state.get(first) if first is not None else None
        return known.transition, known.waiting, waiting.created if waiting is not None else 0
