"""`Work`: one step on one conversation, from its record to what is committed and sent.

Everything a step does is staged here: writes, packets, requests, notices, and the MLS groups it has taken out of the
cache. `finish` gives the whole; a step that raises before gives nothing, and what it did to groups in memory is gone
with them (`live`). So a step is all or nothing (SR-06, SR-07).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ...conversation_seam import (
    Conversation,
    HealthMoved,
    Notice,
    Packet,
    Progress,
    Refusal,
    Request,
    Waits,
)
from ...crypto.provider import CryptoProvider
from ...errors import DecodeError, LetterlockError, ProtocolError
from ...ids import Instant, Number, Rng
from ...mls.client import Client
from ...mls.group.group import Group
from ...mls.key_packages import KeyPackageBundle
from ...mls.wire.welcome import Welcome
from ...seam import Staged, State, Writes
from ..credentials.authentication import CertificateAuthentication
from ..health.states import State as HealthState
from ..health.transitions import arrive, force, seed
from .chat import Chat, HeldGroup, Operation
from .live import LiveGroups, row_names
from .records import load_chat, row_key, store_chat
from .settings import Settings

__all__ = ["Core", "Enrolled", "Work"]

_STAMP_BYTES = 16


class Enrolled(Protocol):
    """What a conversation asks of `rcc16.enrolment`."""

    def client(self, state: State, now: Instant) -> Client | None: ...

    def authentication(self, state: State) -> CertificateAuthentication | None: ...

    def bundle_for(self, state: State, welcome: Welcome) -> KeyPackageBundle | None: ...

    def used(self, state: State, bundle: KeyPackageBundle, welcome: Welcome, now: Instant) -> Writes: ...

    def unopenable(self, state: State, welcome: Welcome, now: Instant) -> Writes: ...


@dataclass(frozen=True, slots=True)
class Core:
    """What all conversations of one device share."""

    crypto: CryptoProvider
    number: Number
    enrolment: Enrolled
    settings: Settings
    live: LiveGroups


@dataclass(slots=True, eq=False, repr=False)
class Work:
    """See the module. `chat` is replaced as the step goes; the functions of this package are written on it."""

    core: Core
    state: Staged
    chat: Chat
    client: Client | None
    now: Instant
    rng: Rng
    packets: list[Packet] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    waits: Waits | None = None
    refused: Refusal | None = None
    _before: Chat | None = None
    _groups: dict[int, Group] = field(default_factory=dict)
    unread: list[tuple[Packet, Number | None]] = field(default_factory=list)
    """Packets that became readable by this step: the caller takes them in as if they had just come."""
    retried: set[str] = field(default_factory=set)
    """Message ids of those that had failed before a repair: what fails after it is lost."""

    @classmethod
    def on(cls, core: Core, state: State, conversation: Conversation, now: Instant, rng: Rng) -> Work:
        """A step on a conversation that may be new."""
        staged = state if isinstance(state, Staged) else Staged(state)
        found = load_chat(staged, conversation)
        chat = found if found is not None else Chat(conversation=conversation)
        return cls(core, staged, chat, core.enrolment.client(staged, now), now, rng, _before=found)

    # --- who ---------------------------------------------------------------------------------------------
    @property
    def conversation(self) -> Conversation:
        return self.chat.conversation

    @property
    def before(self) -> Chat:
        """The record as the step found it."""
        return self._before or Chat(conversation=self.chat.conversation)

    @property
    def is_pair(self) -> bool:
        """Whether the peer itself orders commits, instead of a focus (our choice)."""
        return self.chat.conversation.group is None

    @property
    def known(self) -> bool:
        """Whether there is a record of this conversation."""
        return self._before is not None

    def update(self, **changes: Any) -> None:
        """Replace fields of the record."""
        self.chat = replace(self.chat, **changes)

    def operation(self, **changes: Any) -> Operation:
        """Replace fields of the pending operation."""
        assert self.chat.operation is not None
        operation = replace(self.chat.operation, **changes)
        self.update(operation=operation)
        return operation

    # --- groups --------------------------------------------------------------------------------------------
    def group(self) -> Group | None:
        """The group in force; None without one, or while no certificate of ours holds."""
        held = self.chat.group
        return None if held is None or self.chat.rejoin else self._take(held)

    def candidate(self) -> Group | None:
        """The group that the pending operation leads to, not in force yet."""
        operation = self.chat.operation
        held = None if operation is None else operation.candidate
        return None if held is None else self._take(held)

    def hold(self, group: Group, era: int) -> HeldGroup:
        """Store a new group beside the one in force."""
        held = HeldGroup(self.chat.groups, era, b"")
        self.update(groups=self.chat.groups + 1)
        self._groups[held.number] = group
        return held

    def drop(self, held: HeldGroup | None) -> None:
        """Delete a group and its secrets."""
        if held is None:
            return
        self._groups.pop(held.number, None)
        for row in row_names(self.state, self.conversation, held.number):
            self.state.delete(row_key(self.conversation, held.number, row))

    def forget_changes(self) -> None:
        """What was done to groups since the last checkpoint shall not have happened: they are loaded again."""
        self._groups.clear()

    def checkpoint(self) -> None:
        """Stage what was done to groups so far, each under a fresh stamp."""
        for number, group in self._groups.items():
            held = self._held(number)
            changes = group.take_changes() if held is not None else {}
            if held is not None and changes:
                self._restamp(replace(held, stamp=self.rng(_STAMP_BYTES)))
                rows = {row_key(self.conversation, number, row): data for row, data in changes.items()}
                self.state.merge(rows)

    def attempt(self, action: Callable[[], None]) -> LetterlockError | None:
        """Do something that may fail half-way, and undo all of it if it does: the error, or None."""
        self.checkpoint()
        kept = self.chat, len(self.packets), len(self.requests), len(self.notices), len(self.unread)
        writes = dict(self.state.writes)
        try:
            action()
        except LetterlockError as error:
            self._groups.clear()
            self.chat = kept[0]
            packets, requests, notices, unread = kept[1:]
            del self.packets[packets:], self.requests[requests:], self.notices[notices:], self.unread[unread:]
            self.state.writes.clear()
            self.state.writes.update(writes)
            return error
        return None

    def _take(self, held: HeldGroup) -> Group | None:
        if held.number in self._groups:
            return self._groups[held.number]
        if self.client is None:
            return None
        try:
            group = self.core.live.take(self.state, self.client, self.conversation, held)
        except DecodeError:
            # Damaged rows are a state that we have lost: we come back in by the group's own means.
            self.update(rejoin=True)
            return None
        self._groups[held.number] = group
        return group

    # --- health -----------------------------------------------------------------------------------------------
    @property
    def health(self) -> HealthState:
        return self.chat.health.state

    def can_move(self, to: HealthState) -> bool:
        """Whether the table has this edge."""
        try:
            arrive(self.chat.health, to, self.chat.moment, self.now)
        except ProtocolError:
            return False
        return True

    def move(self, to: HealthState, request: str = "") -> None:
        """Take an edge of the table, and tell. Raises ProtocolError for one that is not there: a bug of ours."""
        health, edge = arrive(self.chat.health, to, self.chat.moment, self.now, request)
        self.update(health=health)
        if edge is not None:
            self.notices.append(HealthMoved(self.conversation, to.label, edge.label))

    def force_health(self, to: HealthState) -> None:
        """One of the two writes outside of the table."""
        health = force(self.chat.health, to, self.chat.moment, self.now)
        self.update(health=health)
        self.notices.append(HealthMoved(self.conversation, to.label, "forced"))

    def restart_health(self, state: HealthState) -> None:
        """Begin anew: for a conversation whose group is another one than the table knew."""
        if self.chat.health.state is not state:
            self.update(health=seed(state, self.now))
            self.notices.append(HealthMoved(self.conversation, state.label, "seed"))

    # --- the end of the step ------------------------------------------------------------------------------------
    def finish(self) -> Progress:
        """What the step led to. Groups that changed get a fresh stamp, in the record and in memory."""
        self.checkpoint()
        for number, group in self._groups.items():
            held = self._held(number)
            if held is not None:
                self.core.live.put(self.conversation, held, group)
        store_chat(self.state, self.chat, self.before)
        return Progress(
            writes=dict(self.state.writes),
            packets=tuple(self.packets),
            requests=tuple(self.requests),
            notices=tuple(self.notices),
            waits=self.waits,
            refused=self.refused,
        )

    def _held(self, number: int) -> HeldGroup | None:
        operation = self.chat.operation
        for held in (self.chat.group, None if operation is None else operation.candidate):
            if held is not None and held.number == number:
                return held
        return None

    def _restamp(self, held: HeldGroup) -> None:
        if self.chat.group is not None and self.chat.group.number == held.number:
            self.update(group=held)
        else:
            self.operation(candidate=held)
