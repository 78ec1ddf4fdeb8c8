"""One member: a real `Rcc16Protocol` over its own records, and around it what the engine and its user do.

A step's writes are committed before anything of it goes out (SR-06). What the engine owes is here in short: the same
bytes again until they were taken, or until the receipts came; letters that wait; answers to requests; timers. Its user
never turns encryption off, tries again where repair gave up, and believes a new key only if it is really the contact's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from letterlock.conversation_seam import (
    Change,
    Claimed,
    ClaimKeyPackages,
    Conversation,
    ConversationView,
    Ended,
    HealthMoved,
    KeysSeen,
    Letter,
    LetterFailed,
    LetterReceipt,
    LetterReceived,
    MetadataChanged,
    Notice,
    Packet,
    Progress,
    PublishKeyPackages,
    RenewCertificate,
    Retry,
    RosterChanged,
    Secured,
    SendAgain,
    Stalled,
    Unreadable,
    UntilWhen,
)
from letterlock.errors import InputError, TrustRequired
from letterlock.ids import Instant, MessageId, Number
from letterlock.rcc16.wire.message_ids import new_message_id
from letterlock.rcc16.wire.secret_payload import text_entity
from letterlock.seam import State

from .carrier import MARK, Mail
from .records import Records

if TYPE_CHECKING:
    from letterlock.rcc16.protocol import Rcc16Protocol

    from .world import World

__all__ = ["Outgoing", "Phone", "Written"]

_RETRY_MS = 4_000
_AGAIN_MS = 30_000
_TRIES = 12
_OVERDUE_MOST = 500
"""Wake-ups in the past: more is a busy loop of whoever drives the protocol."""
_ASK_AGAIN_MS = 5_000
_ASK_AGAIN_MOST_MS = 20 * 60_000


@dataclass
class Written:
    """A letter of this phone's user, by its root."""

    root: MessageId
    conversation: Conversation
    text: str
    at: Instant
    ids: list[MessageId] = field(default_factory=list)
    expected: set[Number] = field(default_factory=set)
    """Who was a member when it was sealed."""
    receipts: dict[Number, set[MessageId]] = field(default_factory=lambda: defaultdict(set))
    displayed: set[Number] = field(default_factory=set)
    failed: str = ""


@dataclass
class Outgoing:
    """A packet that is not done with."""

    packet: Packet
    tries: int = 0
    taken: bool = False


@dataclass
class Waiting:
    """A letter that could not be sealed so far."""

    letter: Letter
    conversation: Conversation


class Phone:
    """See the module."""

    def __init__(self, world: World, number: Number, protocol: Rcc16Protocol, records: Records, random: Random) -> None:
        self.world = world
        self.number = number
        self.protocol = protocol
        self.records = records
        self.random = random
        self.letters: dict[MessageId, Written] = {}
        self.outbox: dict[MessageId, Outgoing] = {}
        self.waiting: list[Waiting] = []
        self.heard: list[LetterReceived] = []
        self.notices: list[tuple[Instant, Notice]] = []
        self.keys_seen: set[tuple[Number, bytes]] = set()
        self.verified: dict[Number, bytes] = {}
        self.ended: dict[Conversation, str] = {}
        self.stalled: dict[Conversation, str] = {}
        self.refusals: Counter[str] = Counter()
        self.offline_until: Instant = 0
        self.missed: list[Mail] = []
        self.left = False
        self._letter_of: dict[MessageId, Written] = {}
        self._wakes: set[Instant] = set()
        self._asking = False
        self._asked_times = 0
        self._overdue = 0

    def rng(self, n: int) -> bytes:
        return self.random.randbytes(n)

    @property
    def now(self) -> Instant:
        return self.world.agenda.now

    # --- steps -----------------------------------------------------------------------------------------------
    def step(self, act: Callable[[State], Progress]) -> Progress:
        """One step: commit, then speak. A protocol that raises on what came from outside is a finding."""
        progress = act(self.records)
        self.records.commit(progress.writes)
        for packet in progress.packets:
            self._post(packet)
        for request in progress.requests:
            self.world.kds.ask(self, request)
        for notice in progress.notices:
            self._noticed(notice)
        if progress.wake_at is not None:
            self._wake(progress.wake_at)
        if progress.notices and self.waiting:
            self._asked_times = 0
            self._seal_waiting()
        return progress

    def restart(self) -> None:
        """The process was killed: what was in memory is gone, what was committed is read again from its bytes."""
        self.records = self.records.reread()
        self.protocol = self.world.protocol(self.number)
        self._tick()

    def roll_back(self, old: Records) -> None:
        """The store is an old copy. The engine finds that out by its witness, and tells the protocol first of all."""
        self.records = old.copy()
        self.protocol = self.world.protocol(self.number)
        if "reuse-key" not in self.world.broken:
            self.records.commit(self.protocol.rolled_back(self.records))
        self.world.counts["rollbacks"] += 1
        self._tick()

    def _wake(self, at: Instant) -> None:
        if at <= self.now:
            self._overdue += 1
            if self._overdue == _OVERDUE_MOST:
                self.world.watch.broken("asked to be woken at once, over and over", self.number)
        at = max(at, self.now + (1 if self._overdue < _OVERDUE_MOST else 60_000))
        if any(self.now < known <= at for known in self._wakes):
            return
        self._wakes.add(at)

        def due() -> None:
            self._wakes.discard(at)
            self._tick()

        self.world.agenda.at(at, due)

    def _tick(self) -> None:
        self.step(lambda state: self.protocol.on_timer(state, self.now, self.rng))

    # --- the network ---------------------------------------------------------------------------------------------
    def _post(self, packet: Packet) -> None:
        self.outbox[packet.message_id] = Outgoing(packet)
        self._transmit(packet.message_id)

    def _transmit(self, message_id: MessageId) -> None:
        outgoing = self.outbox.get(message_id)
        if outgoing is None:
            return
        outgoing.tries += 1
        if outgoing.tries > _TRIES:
            del self.outbox[message_id]
            return
        self.world.carry(self, outgoing.packet)
        pause = _AGAIN_MS if outgoing.taken else _RETRY_MS
        if outgoing.packet.until is not UntilWhen.ONCE:
            self.world.agenda.after(pause << min(outgoing.tries, 6), lambda: self._transmit(message_id))

    def taken(self, packet: Packet) -> None:
        """The network took it; maybe."""
        outgoing = self.outbox.get(packet.message_id)
        if outgoing is None or outgoing.taken:
            return
        outgoing.taken = True
        if packet.until is not UntilWhen.RECEIPTS:
            del self.outbox[packet.message_id]
        self.step(
            lambda state: self.protocol.network(state, packet.conversation, packet.message_id, True, self.now, self.rng)
        )

    def receive(self, mail: Mail) -> None:
        """Something came."""
        if self.now < self.offline_until:
            self.missed.append(mail)
            return
        if self.random.random() < self.world.plan.crashes:
            # Killed between the step and its commit: nothing of it happened, and the network brings it again.
            self.protocol.receive(self.records, mail.packet, mail.sender, self.now, self.rng)
            self.world.counts["crashes"] += 1
            self.restart()
            self.world.agenda.after(1_000, lambda: self.receive(mail))
            return
        before = self._place(mail.packet.conversation)
        progress = self.step(lambda state: self.protocol.receive(state, mail.packet, mail.sender, self.now, self.rng))
        self.world.watch.received(self, mail, before, self._place(mail.packet.conversation), progress)

    def back_online(self) -> None:
        """What came meanwhile, if the carrier kept it."""
        self.offline_until = 0
        missed, self.missed = self.missed, []
        for mail in missed:
            self.receive(mail)

    def _place(self, conversation: Conversation) -> tuple[int, int, bool]:
        view = self.protocol.view(self.records, conversation)
        return (0, 0, False) if view is None else (view.era, view.epoch, view.ended)

    # --- requests ------------------------------------------------------------------------------------------------
    def claimed(self, request: ClaimKeyPackages, answers: dict[Number, Claimed]) -> None:
        self.step(lambda state: self.protocol.claimed(state, request.request, answers, self.now, self.rng))

    def uploaded(self, request: PublishKeyPackages) -> None:
        self.step(lambda state: self.protocol.uploaded(state, request.request, True, self.now, self.rng))

    def enrolled(self, request: RenewCertificate, chain: tuple[bytes, ...], anchors: tuple[bytes, ...]) -> None:
        self.step(lambda state: self.protocol.enrolled(state, request.request, chain, anchors, self.now, self.rng))

    # --- the user --------------------------------------------------------------------------------------------------
    def write(self, conversation: Conversation, text: str) -> Written:
        """Write a letter; it goes when it can."""
        root = new_message_id(self.rng)
        written = self.letters[root] = Written(root, conversation, text, self.now)
        self._seal(Letter(root, root, (), text_entity(f"{MARK.decode()} {text}")), conversation)
        return written

    def change(self, conversation: Conversation, change: Change) -> bool:
        """A decision of the user; False if it made no sense."""
        try:
            self.step(lambda state: self.protocol.change(state, conversation, change, self.now, self.rng))
        except InputError as refused:
            self.refusals[f"change {refused.code}"] += 1
            return False
        return True

    def upgrade(self, conversation: Conversation, members: tuple[Number, ...]) -> None:
        self.step(lambda state: self.protocol.upgrade(state, conversation, members, self.now, self.rng))

    def retry(self, conversation: Conversation) -> None:
        """The user wants repair tried again."""
        if self.stalled.pop(conversation, None) is not None:
            self.change(conversation, Retry())

    def view(self, conversation: Conversation) -> ConversationView | None:
        found: ConversationView | None = self.protocol.view(self.records, conversation)
        return found

    def verify(self, number: Number, spki: bytes) -> None:
        """The user has compared the security code of a contact."""
        try:
            self.step(lambda state: self.protocol.trust(state, number, spki, True, self.now))
        except TrustRequired:
            return
        self.verified[number] = spki

    def _seal(self, letter: Letter, conversation: Conversation) -> None:
        written = self.letters[letter.root]
        progress = self.step(lambda state: self.protocol.seal(state, conversation, letter, self.now, self.rng))
        if progress.waits is not None or progress.refused is not None:
            if progress.refused is not None:
                self.refusals[progress.refused.value] += 1
            self.waiting.append(Waiting(letter, conversation))
            self._ask_again()
            return
        written.ids.append(letter.message_id)
        self._letter_of[letter.message_id] = written
        view = self.view(conversation)
        self.world.watch.addressed(self, conversation)
        if view is not None and not letter.audience:
            written.expected = {member.number for member in view.members} - {self.number}

    def _ask_again(self) -> None:
        if not self._asking:
            self._asking = True
            self.world.agenda.after(min(_ASK_AGAIN_MS << self._asked_times, _ASK_AGAIN_MOST_MS), self._asked)

    def _asked(self) -> None:
        self._asking = False
        self._asked_times = min(self._asked_times + 1, 16)
        self._seal_waiting()

    def _seal_waiting(self) -> None:
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            self._seal(each.letter, each.conversation)

    # --- what the protocol tells --------------------------------------------------------------------------------------
    def _noticed(self, notice: Notice) -> None:
        self.notices.append((self.now, notice))
        match notice:
            case LetterReceived():
                self.heard.append(notice)
            case LetterReceipt(_, message_id, member, displayed):
                self._receipt(message_id, member, displayed)
            case SendAgain(conversation, message_id, member):
                self._send_again(conversation, message_id, member)
            case LetterFailed(conversation, message_id, reason):
                self._failed(conversation, message_id, reason)
            case KeysSeen(number, spki, _):
                self.keys_seen.add((number, spki))
            case Ended(conversation, _, reason):
                self.ended[conversation] = reason
            case Secured(conversation, _, _):
                self.ended.pop(conversation, None)
                self.stalled.pop(conversation, None)
            case Stalled(conversation, reason):
                self.stalled[conversation] = reason
            case Unreadable() | RosterChanged() | MetadataChanged() | HealthMoved():
                pass

    def _receipt(self, message_id: MessageId, member: Number, displayed: bool) -> None:
        written = self._letter_of.get(message_id)
        if written is None:
            self.world.watch.broken("a receipt for a letter that was never written", self.number, message_id)
            return
        written.receipts[member].add(message_id)
        if displayed:
            written.displayed.add(member)
        if written.expected <= written.receipts.keys():
            for each in written.ids:
                self.outbox.pop(each, None)

    def _send_again(self, conversation: Conversation, message_id: MessageId, member: Number) -> None:
        written = self._letter_of.get(message_id)
        if written is not None:
            self._repeat(written, conversation, (member,))

    def _failed(self, conversation: Conversation, message_id: MessageId, reason: str) -> None:
        self.outbox.pop(message_id, None)
        written = self._letter_of.get(message_id)
        if written is not None and len(written.ids) < 4:
            self._repeat(written, conversation, ())
        elif written is not None:
            written.failed = reason

    def _repeat(self, written: Written, conversation: Conversation, audience: tuple[Number, ...]) -> None:
        """The same content under a new id: never the same id with other bytes."""
        entity = text_entity(f"{MARK.decode()} {written.text}")
        self._seal(Letter(new_message_id(self.rng), written.root, (), entity, audience), conversation)
