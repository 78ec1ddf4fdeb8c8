"""Hypothesis drives the world: any mix of sends, time, outages, crashes, links and resets of the network.

At the end the network heals, and everything that was acknowledged is shown exactly once everywhere.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.world import ALICE, BOB, Crash, Hostility, Phone, World, counted
from letterlock.engine.record_values import Chat

DAY = 86_400_000


class Conversation(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 1 << 30))
    def set_up(self, seed: int) -> None:
        self.world = World(seed)
        self.world.person(ALICE)
        self.world.person(BOB)
        self.world.run()
        self.wrote: list[tuple[str, set[str]]] = []
        self.count = 0

    def phone(self, index: int) -> Phone:
        return self.world.phones[index % len(self.world.phones)]

    @rule(index=st.integers(0, 3))
    def send(self, index: int) -> None:
        phone = self.phone(index)
        text = f"{phone.name} {self.count}"
        self.count += 1
        to = BOB if phone.number == ALICE else ALICE
        # The devices that the sender knows of when it is written must get it; later ones may.
        entitled = {f"{to}.1"} | phone.listed(to) | phone.listed(phone.number)
        phone.send(to, text)
        self.wrote.append((text, entitled))

    @rule(ms=st.sampled_from((0, 50, 1_000, 5_000, 40_000, 700_000)))
    def wait(self, ms: int) -> None:
        self.world.run_for(ms)

    @rule(index=st.integers(0, 3))
    def toggle(self, index: int) -> None:
        phone = self.phone(index)
        phone.online = not phone.online

    @rule(index=st.integers(0, 3))
    def kill(self, index: int) -> None:
        self.world._restart(self.phone(index))

    @rule(index=st.integers(0, 3), places=st.integers(1, 12))
    def kill_soon(self, index: int, places: int) -> None:
        victim = self.phone(index)
        left = [places]

        def plan(phone: Phone, what: str) -> bool:
            if phone is victim:
                left[0] -= 1
                return left[0] == 0
            return False

        self.world.crash_plan = plan
        try:
            self.world.run_for(2_000)
        except Crash:
            self.world._restart(victim)
        self.world.crash_plan = None

    @rule(
        refuse=st.sampled_from((0.0, 0.5, 1.0)),
        swallow=st.sampled_from((0.0, 0.3, 1.0)),
        duplicate=st.sampled_from((0.0, 0.5)),
        forge=st.sampled_from((0.0, 0.2)),
        replay=st.sampled_from((0.0, 0.2)),
        delay=st.sampled_from((0, 2_000, 90_000)),
        down=st.sampled_from((0.0, 1.0)),
    )
    def weather(
        self, refuse: float, swallow: float, duplicate: float, forge: float, replay: float, delay: int, down: float
    ) -> None:
        self.world.hostility = Hostility(refuse, swallow, duplicate, forge, replay, delay, down)

    @precondition(lambda self: len(self.world.phones) < 4)
    @rule(number=st.sampled_from((ALICE, BOB)))
    def link(self, number: str) -> None:
        account = self.world.accounts[number]  # type: ignore[index]
        self.world.link(account, len(account.list.devices) + 1)

    @rule(number=st.sampled_from((ALICE, BOB)))
    def renew(self, number: str) -> None:
        account = self.world.accounts[number]  # type: ignore[index]
        account.renew(self.world.now)
        for phone in self.world.phones:
            if phone.account is account:
                phone.do(phone.engine.adopt_list, account.list.encoded)

    @invariant()
    def nothing_twice(self) -> None:
        for phone in self.world.phones:
            assert max(counted(phone.all_shown()).values(), default=1) == 1

    @invariant()
    def nothing_in_the_clear(self) -> None:
        assert self.world.plaintexts_sent == 0

    @invariant()
    def chats_fit_their_records(self) -> None:
        for phone in self.world.phones:
            held = sum(name.startswith("held/") for name in phone.state.records)
            waiting = sum(1 for name in phone.state.records if name.startswith("waiting/") and "/~" not in name)
            chats: list[Chat] = [phone.chat(BOB if phone.number == ALICE else ALICE)]
            assert sum(len(chat.held) for chat in chats) == held
            assert sum(chat.waiting for chat in chats) == waiting

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.hostility = Hostility()
        for phone in self.world.phones:
            phone.online = True
        self.world.run_for(3 * DAY)
        for phone in self.world.phones:
            shown = set(phone.all_shown())
            lost = [text for text, entitled in self.wrote if phone.name in entitled and text not in shown]
            assert not lost, (phone.name, lost)
            assert max(counted(phone.all_shown()).values(), default=1) == 1


Conversation.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestConversation = pytest.mark.slow(Conversation.TestCase)
