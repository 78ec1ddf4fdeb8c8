"""The part of the engine's front that concerns groups; `Engine` has these methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

from ...carriage import ConferenceView
from ...errors import InputError
from ...ids import GroupName, Instant, MessageId, Number, Rng
from ...seam import State
from ..conversations import choosing
from ..conversations import groups as kept
from ..core import Core
from ..record_values import Delivery
from ..records import delivery_key
from ..step import Step, Turn
from . import actions as groups
from . import security as groups_security
from .security import MemberState
from .values import Group, group_key

__all__ = ["GroupSteps"]


class GroupSteps:
    """Groups: members and subject come from the log that participants sign, and from nowhere else (SR-04)."""

    _core: Core

    def create_group(
        self, state: State, numbers: Sequence[Number], subject: str, now: Instant, rng: Rng, *, protocol: str = ""
    ) -> Step[GroupName]:
        """A new group of ourselves and these numbers, in this order of rank. Without a `protocol` it is the one that
        reaches everybody: sessions with a signed log if all have them, else one that keeps the members itself.

        Raises NotEncrypted when one of them cannot be encrypted for (yet): there is no unencrypted group, so it has no
        options. Raises InputError for a subject or number of members that the format refuses.
        """
        turn = Turn(state, now, rng)
        keeping = choosing.for_group(self._core, turn, numbers, protocol)
        if keeping is not None:
            return turn.finish(kept.create(self._core, turn, keeping, numbers, subject))
        return turn.finish(groups.create(self._core, turn, numbers, subject))

    def add_members(
        self, state: State, name: GroupName, numbers: Sequence[Number], now: Instant, rng: Rng
    ) -> Step[None]:
        """Add these, with the keys that they have now; a number whose keys changed gets in with the new ones.

        Raises NotEncrypted as `create_group` does, InputError when we are no member, or the group is full.
        """
        return self._step(state, now, rng, lambda turn: self._groups(turn, name).add(self._core, turn, name, numbers))

    def remove_member(self, state: State, name: GroupName, number: Number, now: Instant, rng: Rng) -> Step[None]:
        """Remove somebody who came after us. Raises InputError (`input.group_remove`) for those who came before."""
        return self._step(state, now, rng, lambda turn: self._groups(turn, name).remove(self._core, turn, name, number))

    def leave_group(self, state: State, name: GroupName, now: Instant, rng: Rng) -> Step[None]:
        """Leave: nothing can be sent here until somebody adds us again; what there is stays readable."""
        return self._step(state, now, rng, lambda turn: self._groups(turn, name).leave(self._core, turn, name))

    def set_subject(self, state: State, name: GroupName, subject: str, now: Instant, rng: Rng) -> Step[None]:
        """Call the group so."""
        return self._step(
            state, now, rng, lambda turn: self._groups(turn, name).set_subject(self._core, turn, name, subject)
        )

    def set_icon(
        self, state: State, name: GroupName, digest: bytes, pointer: str, now: Instant, rng: Rng
    ) -> Step[None]:
        """Give the group a picture: the SHA-256 of its bytes and where to fetch it; an empty `pointer` takes it away."""
        return self._step(
            state, now, rng, lambda turn: self._groups(turn, name).set_icon(self._core, turn, name, digest, pointer)
        )

    def open_group(self, state: State, name: GroupName, now: Instant, rng: Rng) -> Step[Group]:
        """The user looks at the group: have the keys of all members looked up that are not known. Raises InputError."""
        turn = Turn(state, now, rng)
        group = kept.look_up(self._core, turn, name)
        return turn.finish(group or groups.look_up(self._core, turn, name))

    def on_conference(self, state: State, view: ConferenceView, now: Instant, rng: Rng) -> Step[None]:
        """The focus of a group's conference claims this roster. What differs from the signed one is shown, never believed."""
        turn = Turn(state, now, rng)
        if not kept.conference_seen(self._core, turn, view):
            groups.conference_seen(self._core, turn, view)
        return turn.finish(None)

    def group(self, state: State, name: GroupName) -> Group:
        """The group as its log says. Raises InputError when there is none."""
        group = kept.group_of_name(self._core, state, name) or state.get(group_key(name))
        if group is None or not group.entries:
            raise InputError("there is no such group", code="input.group")
        return group

    def members(self, state: State, name: GroupName, now: Instant) -> tuple[MemberState, ...]:
        """The members in the order of their ranks: each may remove those behind it. Raises InputError."""
        found = kept.members_of(self._core, state, name)
        if found is not None:
            return found
        return groups_security.members_of(self._core, state, self.group(state, name), now)

    def delivery(self, state: State, message_id: MessageId) -> tuple[int, int, int]:
        """Of a message of ours to a group: how many members have it, how many have seen it, and of how many."""
        delivery = state.get(delivery_key(message_id)) or Delivery(GroupName(""), "")
        delivered = {account for account, _ in delivery.delivered}
        displayed = {account for account, _ in delivery.displayed}
        return len(delivered | displayed), len(displayed), delivery.members

    def _groups(self, turn: Turn, name: GroupName) -> ModuleType:
        """Where the members of this group come from: a signed log, or its protocol."""
        return kept if choosing.of(self._core, turn, name) is not None else groups

    def _step(self, state: State, now: Instant, rng: Rng, change: Callable[[Turn], None]) -> Step[None]:
        turn = Turn(state, now, rng)
        change(turn)
        return turn.finish(None)
