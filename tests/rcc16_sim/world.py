"""One seed: phones, focus, carrier, key distribution; what their users do, and when the lying ends.

First chaos: users write, add, remove and leave while the network is bad and the focus lies. Then calm: everybody is
honest and nothing is lost, users whose repair was spent try again, until all agree or nothing moves any more. Then
some write once more, and everybody has to read it.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from letterlock.conversation_seam import (
    AddMembers,
    Conversation,
    EndEncryption,
    Leave,
    Packet,
    RemoveMembers,
    Revive,
    SetMetadata,
)
from letterlock.ids import GroupId, Number
from letterlock.rcc16.conversation.members import device_id
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.enrolment.records import LEAF
from letterlock.rcc16.protocol import Rcc16Protocol
from letterlock.services.focus.mls.leaves import Terms
from letterlock.services.focus.mls.limits import OrderingLimits
from rcc16.certificates import SUITE, lab_policy

from .agenda import Agenda
from .carrier import CALM, MARK, Carrier, Mail
from .focus import Focus
from .kds import Kds
from .people import CRYPTO, EVERYBODY, LAB, START, enrolled, enrolment, participant_of, proof_of
from .phone import Phone, Written
from .plan import Plan
from .watch import Watch, chat_of

if TYPE_CHECKING:
    from .lies import Lie

__all__ = ["ORDERING", "World"]

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_CALM_STEPS = (1, 2, 5, 10, 30, 30, 60, 60, 120, 240, 480, 480)
"""Minutes, one after the other, until all agree."""
_PATIENCE = 8
"""After so many of them users do not try again any more."""
_MOST_ACTS = 400_000
_LAST_LETTERS = 2

ORDERING = OrderingLimits(
    max_external_commits_a_day=50,
    max_eras_an_hour=2,
    max_eras_a_day=5,
    max_epochs_an_hour=600,
    max_external_commits_a_day_by_one=50,
    max_eras_a_day_by_one=5,
    max_epochs_an_hour_by_one=600,
    min_credential_ms=30 * 86_400_000,
    max_pending=64,
    recent_epochs=16,
    recent_ms=_HOUR,
    max_history=200,
    max_history_bytes=8 << 20,
    max_page_bytes=256 << 10,
    max_group_info=1 << 16,
    max_leaf=1 << 14,
    max_leaves_of_one=16,
    max_key_delivery=16_384,
    max_subject=2_048,
    max_icon=2_048,
)


class World:
    """See the module. `broken` names the defences that are switched off."""

    def __init__(self, plan: Plan, lies: list[Lie], broken: frozenset[str] = frozenset()) -> None:
        self.plan = plan
        self.broken = broken
        self.random = Random(f"world {plan.seed}")
        self.agenda = Agenda(START)
        self.watch = Watch(self)
        self.counts: Counter[str] = Counter()
        self.lies_told: Counter[str] = Counter()
        self.stops: Counter[str] = Counter()
        self.asked_to_end: set[Conversation] = set()
        self.invited: set[Number] = set()
        """Whom somebody honest let into a conversation."""
        self.lied_keys: set[tuple[Number, bytes]] = set()
        """Keys that the key distribution server showed for a number, and that are not its."""
        self.devices: dict[bytes, tuple[Number, bytes]] = {}
        """Every honest leaf key, by its digest: whose it is, and the participant key behind it."""
        self.attackers_keys: set[bytes] = set()
        """Encryption keys that a liar has put into somebody's key package."""
        self.split = False
        self.keys_of: dict[bytes, tuple[bytes, int, int]] = {}
        """Of each ciphertext: authenticator of the epoch, leaf, generation."""
        self.last_error: Exception | None = None
        self.carrier = Carrier(self.agenda, Random(f"carrier {plan.seed}"), plan.weather)
        self.kds = Kds(self)
        terms = Terms(SUITE, lab_policy(), LAB.authentication(), ORDERING)
        self.focus = Focus(self, terms)
        self.focus.lies = self.kds.lies = lies
        self.phones: dict[Number, Phone] = {}
        for number in EVERYBODY[: plan.members + (0 if plan.pairs else 2)]:
            self._phone(number)

    def rng(self, n: int) -> bytes:
        return self.random.randbytes(n)

    def protocol(self, number: Number) -> Rcc16Protocol:
        """As after a start of the program."""
        return Rcc16Protocol(CRYPTO, enrolment(number), DEPLOYED)

    def _phone(self, number: Number) -> None:
        records, packages = enrolled(number)
        phone = Phone(self, number, self.protocol(number), records.copy(), Random(f"{self.plan.seed} {number}"))
        self.phones[number] = phone
        self.kds.pools[number] = list(packages)
        own = records.get(LEAF)
        self.devices[device_id(own.public)] = (number, participant_of(number).spki)

    def certify(self, phone: Phone) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """A new certificate."""
        now = self.agenda.now
        request = enrolment(phone.number).request(phone.records, proof_of(phone.number, now), now)
        return LAB.issue(request, now=now), LAB.anchors.entries()

    def carry(self, phone: Phone, packet: Packet) -> None:
        """A phone hands a packet to the network."""
        key = self.keys_of.get(packet.body)
        if key is not None:
            self.watch.sealed(phone, *key, packet.body)
        peer = packet.conversation.peer
        if peer is None:
            self.carrier.up(phone, packet, self.focus.take)
        else:
            self.carrier.up(phone, packet, self._to_peer)

    def _to_peer(self, sender: Number, packet: Packet) -> None:
        peer = packet.conversation.peer
        assert peer is not None
        seen = Packet(
            Conversation(peer=sender), packet.to, packet.message_id, packet.content_type, packet.headers, packet.body,
            packet.dispositions, packet.large, packet.until,
        )  # fmt: skip
        mails = [Mail(seen, sender)]
        if not self.focus.honest:
            for lie in self.focus.lies:
                mails = [
                    made for mail in mails for made in (lie.down_pair(self, peer, mail) if not mail.forged else [mail])
                ]
        self.focus.send(peer, mails)

    # --- the seed ----------------------------------------------------------------------------------------------
    def run(self) -> None:
        """All of it; what did not hold is in `watch.findings`."""
        if self.plan.pairs:
            conversations = self._make_pairs()
        else:
            conversations = [self._make_group()]
        end = START + self.plan.chaos_ms
        self._schedule(conversations, end)
        self._go(end)
        self._calm(conversations)
        self._last_words(conversations)
        self.watch.at_the_end()

    def _go(self, until: int) -> None:
        if not self.agenda.run(until, _MOST_ACTS):
            self.watch.broken("it never comes to rest", self.agenda.now - START)

    def _make_group(self) -> Conversation:
        members = EVERYBODY[: self.plan.members]
        group = GroupId(self.rng(16))
        self.invited |= set(members)
        room = self.focus.open_room(group, members)
        creator = self.phones[members[0]]
        self.agenda.after(100, lambda: creator.upgrade(room.conversation, tuple(members[1:])))
        return room.conversation

    def _make_pairs(self) -> list[Conversation]:
        """Each chat by the name that its first member has for it; some are begun from both ends at once."""
        found = []
        for index in range(self.plan.pairs):
            a, b = EVERYBODY[2 * index], EVERYBODY[2 * index + 1]
            self.invited |= {a, b}
            self._open_pair(a, b)
            if self.random.random() < 0.5:
                self._open_pair(b, a)
            found.append(Conversation(peer=b))
        return found

    def _open_pair(self, a: Number, b: Number) -> None:
        self.agenda.after(100, lambda: self.phones[a].upgrade(Conversation(peer=b), (b,)))

    # --- what users do -------------------------------------------------------------------------------------------
    def _schedule(self, conversations: list[Conversation], end: int) -> None:
        plan, random = self.plan, self.random
        for index in range(plan.letters):
            at = random.randrange(START + 2_000, end)
            self.agenda.at(at, partial(self._somebody_writes, conversations, index))
        for _ in range(plan.changes):
            self.agenda.at(random.randrange(START + 30_000, end), lambda: self._somebody_changes(conversations))
        for _ in range(plan.absences):
            self.agenda.at(random.randrange(START + 10_000, end), self._somebody_is_off)
        for _ in range(plan.rollbacks):
            self.agenda.at(random.randrange(START + 60_000, end - 120_000), self._somebody_is_restored)
        if plan.ends:
            self.agenda.at(end - 5 * _MINUTE, lambda: self._somebody_ends(conversations))
            self.agenda.at(end - 2 * _MINUTE, lambda: self._somebody_revives(conversations))
        if plan.verified:
            for conversation in conversations:
                self.agenda.at(START + 30_000, partial(self._all_compare, conversation))
        for _ in range(plan.crowds):
            self.agenda.at(random.randrange(START + 30_000, end), partial(self._all_change, conversations))
        for lie in self.focus.lies:
            lie.begin(self)

    def _all_compare(self, conversation: Conversation) -> None:
        """Everybody compares security codes with everybody, as far as they have met; then one is replaced."""
        for phone in self.phones.values():
            for number, spki in sorted(phone.keys_seen):
                if spki == participant_of(number).spki and number != phone.number:
                    phone.verify(number, spki)
        if conversation.group is None:
            return
        creator, guest = self.phones[EVERYBODY[0]], EVERYBODY[self.plan.members - 1]
        self.agenda.after(20_000, lambda: creator.change(conversation, RemoveMembers((guest,))))
        self.agenda.after(90_000, lambda: creator.change(conversation, AddMembers((guest,))))

    def _all_change(self, conversations: list[Conversation]) -> None:
        """A race: of all these commits the focus takes one for each epoch."""
        for conversation in conversations:
            if conversation.group is not None:
                for number in sorted(self.focus.rooms[conversation.group].roster & self.phones.keys()):
                    subject = f"{MARK.decode()} {self.random.randrange(1_000)}"
                    self.phones[number].change(conversation, SetMetadata(subject=subject))

    def _member(self, conversation: Conversation) -> tuple[Phone, Conversation]:
        """Somebody of a conversation, and what it is called there."""
        if conversation.group is not None:
            roster = sorted(self.focus.rooms[conversation.group].roster & self.phones.keys())
            return self.phones[self.random.choice(roster)], conversation
        assert conversation.peer is not None
        here = EVERYBODY[EVERYBODY.index(conversation.peer) - 1]
        if self.random.random() < 0.5:
            return self.phones[here], conversation
        return self.phones[conversation.peer], Conversation(peer=here)

    def _somebody_writes(self, conversations: list[Conversation], n: int) -> None:
        phone, conversation = self._member(self.random.choice(conversations))
        self.counts["letters"] += 1
        phone.write(conversation, f"{self.plan.seed} {n}")

    def _somebody_changes(self, conversations: list[Conversation]) -> None:
        conversation = self.random.choice(conversations)
        phone, conversation = self._member(conversation)
        if conversation.group is None:
            return
        room = self.focus.rooms[conversation.group]
        kind = self.random.choice(("add", "add", "remove", "leave", "subject"))
        others = sorted(room.roster - {phone.number})
        absent = sorted(self.phones.keys() - room.roster)
        if kind == "add" and absent:
            number = self.random.choice(absent)
            self.invited.add(number)
            phone.change(conversation, AddMembers((number,)))
        elif kind == "remove" and len(others) > 2:
            phone.change(conversation, RemoveMembers((self.random.choice(others),)))
        elif kind == "leave" and len(others) > 2:
            phone.change(conversation, Leave())
        elif kind == "subject":
            phone.change(conversation, SetMetadata(subject=f"{MARK.decode()} {self.random.randrange(1_000)}"))
        self.counts[f"user {kind}"] += 1

    def _somebody_is_off(self) -> None:
        phone = self.random.choice(list(self.phones.values()))
        phone.offline_until = self.agenda.now + self.random.randrange(_MINUTE, self.plan.chaos_ms)
        self.agenda.at(phone.offline_until, phone.back_online)
        self.counts["absences"] += 1

    def _somebody_is_restored(self) -> None:
        phone = self.random.choice(list(self.phones.values()))
        old = phone.records.copy()
        self.agenda.after(self.random.randrange(_MINUTE, 2 * _MINUTE), lambda: phone.roll_back(old))

    def _somebody_ends(self, conversations: list[Conversation]) -> None:
        for each in conversations:
            phone, conversation = self._member(each)
            self.asked_to_end |= {each, conversation, Conversation(peer=phone.number)}
            phone.change(conversation, EndEncryption())
            self.counts["user end"] += 1

    def _somebody_revives(self, conversations: list[Conversation]) -> None:
        for each in conversations:
            phone, conversation = self._member(each)
            phone.change(conversation, Revive())

    # --- calm ------------------------------------------------------------------------------------------------------
    def _calm(self, conversations: list[Conversation]) -> None:
        """Nobody lies any more, and nothing is lost."""
        self.focus.honest = self.kds.honest = True
        self.carrier.weather = CALM
        for lie in self.focus.lies:
            lie.end(self)
        for phone in self.phones.values():
            phone.back_online()
        # Who was made to believe in an epoch that never was learns of it by what others write.
        self._somebody_writes(conversations, -1)
        for step, minutes in enumerate(_CALM_STEPS):
            self._go(self.agenda.now + minutes * _MINUTE)
            if self._quiet(conversations):
                self.counts["calm minutes"] += (self.agenda.now - START - self.plan.chaos_ms) // _MINUTE
                return
            if step >= _PATIENCE:
                continue  # whoever tried that often leaves it: then it is stalled, and says why
            self._open_again(conversations)
            for phone in self.phones.values():
                for conversation in list(phone.stalled):
                    self.counts["retries"] += 1
                    phone.retry(conversation)
                for conversation in list(phone.ended):
                    if self.plan.ends:
                        phone.change(conversation, Revive())

    def _open_again(self, conversations: list[Conversation]) -> None:
        """A user opens a conversation that could not be encrypted so far."""
        for each in conversations:
            if each.group is None:
                a, b = self.pair(each)
                if chat_of(a, each) is None or not self._pair_agrees(each):
                    a.upgrade(each, (b.number,))
            elif self.focus.rooms[each.group].order.state is None:
                roster = sorted(self.focus.rooms[each.group].roster & self.phones.keys())
                self.phones[roster[0]].upgrade(each, tuple(roster[1:]))
            else:
                for number in sorted(self.focus.rooms[each.group].roster & self.phones.keys()):
                    chat = chat_of(self.phones[number], each)
                    if chat is None or chat.left:
                        # It was put back into the RCS group, and its Welcome was withheld.
                        self.phones[number].upgrade(each, tuple(sorted(self.focus.rooms[each.group].roster)))

    def _quiet(self, conversations: list[Conversation]) -> bool:
        """Everybody holds what the focus holds, and nothing is under way."""
        for conversation in conversations:
            if conversation.group is None:
                if not self._pair_agrees(conversation):
                    return False
                continue
            room = self.focus.rooms[conversation.group]
            state = room.order.state
            if state is None:
                return False
            for number in room.roster & self.phones.keys():
                chat = chat_of(self.phones[number], conversation)
                if chat is None or chat.group is None or chat.operation is not None:
                    return False
                if (chat.group.era, chat.epoch, chat.authenticator) != (
                    state.at.era,
                    state.at.epoch,
                    state.at.authenticator,
                ):
                    return False
        return not any(phone.waiting for phone in self.phones.values() if not phone.ended)

    def pair(self, conversation: Conversation) -> tuple[Phone, Phone]:
        """The two of a chat, as `conversations` names it."""
        assert conversation.peer is not None
        here = EVERYBODY[EVERYBODY.index(conversation.peer) - 1]
        return self.phones[here], self.phones[conversation.peer]

    def _pair_agrees(self, conversation: Conversation) -> bool:
        a, b = self.pair(conversation)
        one, other = chat_of(a, conversation), chat_of(b, Conversation(peer=a.number))
        if one is None or other is None or one.group is None or other.group is None:
            return False
        return (one.group.era, one.epoch, one.authenticator) == (other.group.era, other.epoch, other.authenticator)

    def _last_words(self, conversations: list[Conversation]) -> None:
        """Whoever is in it reads what is written now."""
        written: list[tuple[Phone, Written, set[Number]]] = []
        for each in conversations:
            for n in range(_LAST_LETTERS):
                phone, conversation = self._member(each)
                if phone.ended.get(conversation) or phone.stalled.get(conversation):
                    continue
                readers = self._readers(each, phone)
                written.append((phone, phone.write(conversation, f"{self.plan.seed} last {n}"), readers))
                self.counts["letters"] += 1
        self._go(self.agenda.now + 5 * _MINUTE)
        for phone, letter, readers in written:
            for number in sorted(readers):
                if not any(one.root == letter.root for one in self.phones[number].heard):
                    self.watch.broken("a letter in calm weather was not read", phone.number, number, letter.ids)
            if letter.ids and not readers <= letter.receipts.keys():
                missing = sorted(readers - letter.receipts.keys())
                self.watch.broken("a letter in calm weather has no receipt", phone.number, missing)

    def _readers(self, conversation: Conversation, phone: Phone) -> set[Number]:
        if conversation.group is None:
            return {one.number for one in self.pair(conversation)} - {phone.number}
        roster = self.focus.rooms[conversation.group].roster & self.phones.keys()
        return {
            number
            for number in roster - {phone.number}
            if not self.phones[number].stalled.get(conversation) and not self.phones[number].ended.get(conversation)
        }
