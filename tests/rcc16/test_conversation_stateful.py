"""Any order of changes, letters, losses, repeats and restarts: when the network is whole again all agree (SR-06).

Who is in the group in the end is what the RCS roster says, every epoch authenticator is equal, every letter that was
sealed has been read by all who stayed, under its root, once; and no ciphertext was ever made twice. Who left while
every word of it was lost is in the tree until the next commit, which the order accepts without them alone (SR-04).
"""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from letterlock.conversation_seam import AddMembers, Leave, LetterReceived, RemoveMembers, SendAgain, SetMetadata
from letterlock.errors import InputError

from .test_conversation_groups import chat_of
from .world import ANA, BEN, CLEO, DORA, EMIL, GROUP, Phone, World

EVERYBODY = (ANA, BEN, CLEO, DORA, EMIL)
WHO = st.integers(0, len(EVERYBODY) - 1)


class Conversation(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 10**6))
    def begin(self, seed: int) -> None:
        self.world = World(f"stateful {seed}")
        self.phones = self.world.group(*EVERYBODY[:3])
        self.phones += [self.world.phone(of) for of in EVERYBODY[3:]]
        self.sealed: dict[str, Phone] = {}
        self.count = 0

    def roster(self) -> set[Any]:
        return self.world.groups[GROUP].roster

    def inside(self, phone: Phone) -> bool:
        view = phone.protocol.view(phone.state, GROUP)
        return view is not None and view.encrypted and phone.number in self.roster()

    @rule(who=WHO)
    def write(self, who: int) -> None:
        phone = self.phones[who]
        if self.inside(phone):
            self.count += 1
            name = f"letter-{self.count}"
            if phone.write(GROUP, name, name).packets:
                self.sealed[name] = phone

    @rule(who=WHO, whom=WHO)
    def add(self, who: int, whom: int) -> None:
        if self.inside(self.phones[who]) and EVERYBODY[whom] not in self.roster():
            self.phones[who].change(GROUP, AddMembers((EVERYBODY[whom],)))

    @precondition(lambda self: len(self.roster()) > 2)
    @rule(who=WHO, whom=WHO)
    def remove(self, who: int, whom: int) -> None:
        if self.inside(self.phones[who]):
            with contextlib.suppress(InputError):
                self.phones[who].change(GROUP, RemoveMembers((EVERYBODY[whom],)))

    @precondition(lambda self: len(self.roster()) > 2)
    @rule(who=WHO)
    def leave(self, who: int) -> None:
        if self.inside(self.phones[who]):
            self.phones[who].change(GROUP, Leave())

    @rule(most=st.integers(1, 20))
    def carry(self, most: int) -> None:
        for _ in range(most):
            if self.world.queue:
                travelling = self.world.queue.popleft()
                travelling.to.receive(travelling.packet, travelling.sender)

    @rule(count=st.integers(1, 5))
    def lose(self, count: int) -> None:
        for _ in range(count):
            if self.world.queue:
                self.world.queue.popleft()

    @rule()
    def repeat(self) -> None:
        self.world.queue.extend(list(self.world.queue)[:5])

    @rule(data=st.data())
    def shuffle(self, data: st.DataObject) -> None:
        waiting = list(self.world.queue)
        if len(waiting) > 1:
            place = data.draw(st.integers(0, len(waiting) - 1))
            self.world.queue.rotate(place)

    @rule(who=WHO)
    def restart(self, who: int) -> None:
        self.phones[who].restart()

    @rule(who=WHO)
    def crash(self, who: int) -> None:
        self.phones[who].crash = True

    @rule()
    def wait(self) -> None:
        self.world.pass_time(5_000)

    @invariant()
    def nothing_is_encrypted_twice(self) -> None:
        seen: dict[bytes, str] = {}
        for phone in self.phones:
            for packet in phone.sent:
                if packet.content_type == "message/mls":
                    assert seen.setdefault(packet.body, packet.message_id) == packet.message_id

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for phone in self.phones:
            phone.crash = False
        self.settle()
        inside = [phone for phone in self.phones if phone.number in self.roster()]
        if len(inside) > 1:
            for phone in inside:
                if self.inside(phone):
                    phone.write(GROUP, f"last of {phone.number}", f"last-{phone.number[1:]}")
            self.settle()
            if {m.number for m in inside[0].view(GROUP).members} > self.roster():
                for phone in inside:
                    phone.upgrade(GROUP, *self.roster())  # the roster, as test_conversation_left_behind tells it
                inside[0].change(GROUP, SetMetadata(subject="the next commit"))
                self.settle()
            standings = {(chat_of(p).moment, chat_of(p).authenticator) for p in inside}
            assert len(standings) == 1, [
                (p.number, chat_of(p).moment, chat_of(p).heal, chat_of(p).operation) for p in inside
            ]
            assert {m.number for m in inside[0].view(GROUP).members} == self.roster()
            for phone in inside:
                read = [one.root for one in phone.told(LetterReceived)]
                wanted = {f"last-{other.number[1:]}" for other in inside if other is not phone}
                assert wanted <= set(read), (phone.number, wanted, read)

    def settle(self) -> None:
        """The network is whole, and the senders send again what was not receipted, as the engine does."""
        self.world.run()
        for _ in range(12):
            self.world.pass_time(120_000)
            for phone in self.phones:
                if phone.number in self.roster() and not self.inside(phone):
                    phone.upgrade(GROUP, *self.roster())  # as the engine does in a conversation that is to be encrypted
                for packet in list(phone.sent):
                    if packet.content_type == "message/mls" and packet.message_id.startswith("last-"):
                        self.world.send(phone, packet)
                for again in phone.told(SendAgain):
                    name = f"{again.message_id}-again"
                    if again.message_id.startswith("last-") and self.inside(phone):
                        phone.write(GROUP, "again", name, root=again.message_id, audience=(again.member,))
            self.world.run()


TestConversation = Conversation.TestCase
TestConversation.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
