"""The part of the engine's front that concerns protocols which keep the members themselves; `Engine` has these methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...conversation_seam import (
    Claimed,
    ClaimOutcome,
    ConversationProtocol,
    ConversationView,
    EndEncryption,
    Progress,
    Retry,
    Revive,
)
from ...errors import InputError
from ...ids import ChatName, GroupName, Instant, Number, Rng
from ...seam import State, Writes
from ..content import File, FileFormat
from ..core import Core
from ..records import chat_key
from ..step import Step, Turn
from . import files, groups, icons, members, own_devices, progress, requests, sending
from .values import conversation_of_chat

__all__ = ["ConversationSteps"]


class ConversationSteps:
    """What the key distribution server answers, and what the user decides about encryption."""

    _core: Core

    def on_claimed(
        self, state: State, protocol: str, request: str, answers: Mapping[Number, Claimed], now: Instant, rng: Rng
    ) -> Step[None]:
        """The server answered ClaimKeyPackages, number by number."""
        missing = {number for number, answer in answers.items() if answer.outcome is ClaimOutcome.NONE}

        def take(it: ConversationProtocol, turn: Turn) -> Progress:
            members.without_keys(self._core, turn, missing)
            return it.claimed(turn.staged, request, answers, now, rng)

        return self._answer(state, protocol, request, now, rng, take)

    def on_uploaded(
        self, state: State, protocol: str, request: str, stored: bool, now: Instant, rng: Rng
    ) -> Step[None]:
        """The server answered PublishKeyPackages, or could not be reached."""
        return self._answer(
            state, protocol, request, now, rng, lambda it, turn: it.uploaded(turn.staged, request, stored, now, rng)
        )

    def on_enrolled(
        self,
        state: State,
        protocol: str,
        request: str,
        chain: tuple[bytes, ...] | None,
        anchors: tuple[bytes, ...],
        now: Instant,
        rng: Rng,
    ) -> Step[None]:
        """The server answered RenewCertificate with a chain in DER, leaf first, or None: not now."""
        return self._answer(
            state,
            protocol,
            request,
            now,
            rng,
            lambda it, turn: it.enrolled(turn.staged, request, chain, anchors, now, rng),
        )

    def on_keys_looked_up(
        self, state: State, protocol: str, number: Number, answer: Claimed, now: Instant, rng: Rng
    ) -> Step[bool]:
        """What the server hands out for a number now: a key that is another than before is told, like any other. Whether
        there was one that holds; the security code is of the key that is known then."""
        turn = Turn(state, now, rng)
        it = self._core.keeping.get(protocol)
        if it is None:
            return turn.finish(False)
        step, found = it.looked_up(turn.staged, number, answer, now, rng)
        if progress.take(self._core, turn, it, step):
            sending.flush_all(self._core, turn)
        return turn.finish(found)

    def on_anchors(self, state: State, protocol: str, anchors: tuple[bytes, ...], now: Instant, rng: Rng) -> Step[None]:
        """Trust anchors that nobody had asked for: they count at once, for whoever is in a conversation already."""
        turn = Turn(state, now, rng)
        it = self._core.keeping.get(protocol)
        if it is not None:
            progress.take(self._core, turn, it, it.enrolled(turn.staged, "anchors", None, anchors, now, rng))
            sending.flush_all(self._core, turn)
        return turn.finish(None)

    def lacks_own_devices(self, state: State, protocol: str, wanted: int) -> bool:
        """Whether some group has fewer devices of our own number than this."""
        it = self._core.keeping.get(protocol)
        return it is not None and bool(own_devices.lacking(self._core, state, it, wanted))

    def add_own_devices(self, state: State, protocol: str, wanted: int, now: Instant, rng: Rng) -> Step[None]:
        """Bring our other devices into the groups that have fewer of them than this."""
        turn = Turn(state, now, rng)
        if (it := self._core.keeping.get(protocol)) is not None:
            own_devices.add(self._core, turn, it, wanted)
        return turn.finish(None)

    def remove_own_device(
        self, state: State, protocol: str, device: bytes, now: Instant, rng: Rng, writes: Writes
    ) -> Step[None]:
        """Take a device of ours out of every conversation; `writes` of the caller's are in the same commit."""
        turn = Turn(state, now, rng)
        turn.staged.merge(writes)
        if (it := self._core.keeping.get(protocol)) is not None:
            own_devices.remove(self._core, turn, it, device)
        return turn.finish(None)

    def end_encryption(self, state: State, chat: ChatName, now: Instant, rng: Rng) -> Step[None]:
        """The user ends encryption here, for everybody in it. Nothing is sent until the user decides again.

        Raises InputError (`input.protocol`) for a chat that goes by sessions.
        """
        return self._decide(state, now, rng, lambda turn: groups.change(self._core, turn, chat, EndEncryption()))

    def revive_encryption(self, state: State, chat: ChatName, now: Instant, rng: Rng) -> Step[None]:
        """Begin it again after it was ended. Raises as `end_encryption` does."""
        return self._decide(state, now, rng, lambda turn: groups.change(self._core, turn, chat, Revive()))

    def retry_encryption(self, state: State, chat: ChatName, now: Instant, rng: Rng) -> Step[None]:
        """Have repair tried again after it came to nothing. Raises as `end_encryption` does."""
        return self._decide(state, now, rng, lambda turn: groups.change(self._core, turn, chat, Retry()))

    def encryption_ready(self, state: State, now: Instant) -> frozenset[str]:
        """The protocols of this shape that could encrypt now: only these are advertised to others (rcc16.md 1.9)."""
        return frozenset(name for name, it in self._core.keeping.items() if it.ready(state, now))

    def set_sealed_icon(self, state: State, name: GroupName, file: File, now: Instant, rng: Rng) -> Step[None]:
        """Give a group of this kind a picture whose ciphertext was uploaded, named `group_icon`. Raises InputError."""
        return self._decide(state, now, rng, lambda turn: groups.set_sealed_icon(self._core, turn, name, file))

    def icon(self, state: State, name: GroupName) -> File | None:
        """The picture of a group of this kind, to be fetched; None without one."""
        return icons.icon_of(state, name)

    def file_format(self, state: State, chat: ChatName, now: Instant, *, wait: bool = False) -> FileFormat:
        """How a file for this chat is uploaded: PLAIN only by the user's decision (SR-01).

        Raises NotEncrypted and TrustRequired as `send` with this `wait` would.
        """
        return files.file_format(self._core, state, chat, now, wait)

    def conversation(self, state: State, chat: ChatName) -> tuple[str, ConversationView | None]:
        """The protocol that a chat goes by, empty for sessions, and how its conversation stands there."""
        known = state.get(chat_key(chat))
        protocol = self._core.keeping.get(known.protocol) if known is not None else None
        if protocol is None:
            return "", None
        return protocol.name, protocol.view(state, conversation_of_chat(chat))

    # --- inside ------------------------------------------------------------------------------------------------
    def _answer(
        self,
        state: State,
        name: str,
        request: str,
        now: Instant,
        rng: Rng,
        step: Callable[[ConversationProtocol, Turn], Progress],
    ) -> Step[None]:
        turn = Turn(state, now, rng)
        protocol = self._core.keeping.get(name)
        if protocol is None:
            raise InputError(f"no protocol {name!r}", code="input.protocol")
        if requests.answered(turn, name, request):
            progress.take(self._core, turn, protocol, step(protocol, turn))
            sending.flush_all(self._core, turn)
        return turn.finish(None)

    def _decide(self, state: State, now: Instant, rng: Rng, decide: Callable[[Turn], None]) -> Step[None]:
        turn = Turn(state, now, rng)
        decide(turn)
        return turn.finish(None)
