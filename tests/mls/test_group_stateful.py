"""Random histories of a group, by Hypothesis: who does what, and what arrives when, is drawn; `World` says what must hold.

`LETTERLOCK_MLS_HISTORIES=500` tries that many others instead of the same few of a normal run, and longer ones;
with `LETTERLOCK_MLS_SHRINK=1` a history that fails is made shorter, which takes minutes.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.framing import Sender
from letterlock.mls.wire.proposals import Add, GroupContextExtensions, Proposal, Remove, SelfRemove

from .unreliable import EXTENSION, Device, World

NAMES = ("ana", "ben", "cas", "dee", "eve", "fay", "gus", "hal")
HISTORIES = int(os.environ.get("LETTERLOCK_MLS_HISTORIES", "0"))
SHRINK = "LETTERLOCK_MLS_SHRINK" in os.environ

who = st.integers(0, len(NAMES) - 1)
flag = st.booleans()
seldom = st.integers(0, 9).map(lambda n: n == 9)
PROPOSALS = ("update", "add", "remove", "psk", "extensions", "self remove")
COMMITS = ("nothing", "add", "remove", "both", "psk", "resumption", "extensions", "rotate")


def _step(weight: int, name: str, *arguments: st.SearchStrategy[Any]) -> list[st.SearchStrategy[Any]]:
    return [st.tuples(st.just(name), *arguments)] * weight


STEPS = st.one_of(
    *_step(7, "say", who, st.binary(max_size=40)),
    *_step(4, "propose", who, st.sampled_from(PROPOSALS), who, flag, st.binary(max_size=8)),
    *_step(6, "commit", who, st.sampled_from(COMMITS), who, st.binary(max_size=8), flag, flag, flag, flag),
    *_step(2, "send", who, flag, flag),
    *_step(3, "join", who),
    *_step(1, "join_externally", who, flag, flag),
    *_step(1, "branch", who, st.lists(who, max_size=3)),
    *_step(10, "deliver", who, st.integers(0, 30), flag, seldom, st.sampled_from(["", "", "", "before", "after"])),
    *_step(6, "deliver_many", who, st.randoms(use_true_random=False), st.integers(1, 20)),
    *_step(1, "crash", who),
    *_step(1, "lose", who, seldom),
    *_step(1, "forget_keys", who),
    *_step(1, "settle", seldom),
)
"""What can happen, the more often the more copies of it there are."""


class Histories(RuleBasedStateMachine):
    """The hands of fate. One rule that draws a step: Hypothesis would leave out most of many rules in each history."""

    @initialize(number=st.sampled_from([1, 2]), judges=flag, size=st.integers(2, 5))
    def begin(self, number: int, judges: bool, size: int) -> None:
        self.world = World(NAMES, number, judges=judges)
        first = self.world.devices[0]
        packages = [Add(d.package().key_package) for d in self.world.devices[1:size]]
        assert self.world.commit(first, packages)
        assert self.world.send(first, at_once=True, discard=False)
        for device in self.world.devices[1:size]:
            assert self.world.join(device)

    def device(self, index: int) -> Device:
        """The members come first, so that what is drawn seldom does nothing."""
        members = [d for d in self.world.devices if d.current is not None]
        return members[index % len(members)] if members else self.world.devices[index]

    def proposal(self, kind: str, by: Device, whom: int, content: bytes) -> Proposal | None:
        """None if it would make no sense here."""
        assert by.current is not None
        group = by.current.group
        present = {leaf.credential.identity: index for index, leaf in group.members()}
        match kind:
            case "add":
                absent = [d for d in self.world.devices if d.name.encode() not in present]
                return Add(absent[whom % len(absent)].package().key_package) if absent else None
            case "remove":
                others = [leaf for leaf in present.values() if leaf != group.own_leaf]
                return Remove(others[whom % len(others)]) if others else None
            case "psk":
                return group.external_psk(content, rng=by.rng)
            case "resumption":
                return group.past_epoch_psk(group.epoch, rng=by.rng)
            case "extensions":
                return GroupContextExtensions((Extension(EXTENSION, content),))
            case "self remove":
                us = Sender.member(group.own_leaf)
                asked = any(isinstance(p, SelfRemove) and sender == us for _, p, sender in group.proposals())
                return None if asked else SelfRemove()
        raise AssertionError(kind)

    @rule(step=STEPS)
    def act(self, step: tuple[Any, ...]) -> None:
        getattr(self, step[0])(*step[1:])

    # --- members -----------------------------------------------------------------------------------
    def say(self, by: int, text: bytes) -> None:
        self.world.say(self.device(by), text)

    def propose(self, by: int, kind: str, whom: int, public: bool, content: bytes) -> None:
        device = self.device(by)
        if device.current is None:
            return
        if kind == "update":
            self.world.propose(device, None, public=public)
            return
        proposal = self.proposal(kind, device, whom, content)
        if proposal is not None:
            self.world.propose(device, proposal, public=public)

    def commit(
        self, by: int, kind: str, whom: int, content: bytes, path: bool, each: bool, send: bool, at_once: bool
    ) -> None:
        device = self.device(by)
        if device.current is None:
            return
        kinds = {"nothing": (), "rotate": (), "both": ("add", "remove")}.get(kind, (kind,))
        given = [self.proposal(k, device, whom, content) for k in kinds]
        made = self.world.commit(
            device,
            [proposal for proposal in given if proposal is not None],
            rotate=kind == "rotate",
            alone=kind == "resumption",  # who is added by the same commit has no such key
            path=path,
            welcome_each=each,
        )
        if made and send:
            self.world.send(device, at_once=at_once, discard=True)

    def send(self, by: int, at_once: bool, discard: bool) -> None:
        self.world.send(self.device(by), at_once=at_once, discard=discard)

    def join(self, by: int) -> None:
        waiting = [d for d in self.world.devices if d.welcomes]
        if waiting:
            self.world.join(waiting[by % len(waiting)])

    def join_externally(self, by: int, psk: bool, rarely: bool) -> None:
        """Somebody new, somebody whose state is lost; less often somebody who is in the group and far behind."""
        device = self.world.devices[by]
        if device.current is None or rarely:
            self.world.join_externally(device, psk=psk)

    def branch(self, by: int, others: list[int]) -> None:
        device = self.device(by)
        self.world.branch(device, list({d.name: d for d in map(self.device, others) if d is not device}.values()))

    # --- devices and network -----------------------------------------------------------------------
    def deliver(self, to: int, index: int, repeat: bool, hesitate: bool, crash: str) -> None:
        self.world.deliver(self.device(to), index, repeat=repeat, hesitate=hesitate, crash=crash)

    def deliver_many(self, to: int, order: Any, part: int) -> None:
        device = self.device(to)
        for _ in range(min(part, len(device.inbox))):
            self.world.deliver(device, order.randrange(1000))

    def crash(self, whose: int) -> None:
        self.world.crash(self.device(whose))

    def lose(self, whose: int, rarely: bool) -> None:
        if rarely:
            self.world.lose(self.device(whose))

    def forget_keys(self, whose: int) -> None:
        device = self.device(whose)
        device.forgetful = not device.forgetful

    def settle(self, rarely: bool) -> None:
        if rarely:
            self.world.settle()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()


def test_histories() -> None:
    """Everybody agrees, whatever happens on the way."""
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=HISTORIES or 25,
            stateful_step_count=60 if HISTORIES else 40,
            derandomize=not HISTORIES,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, *([Phase.shrink] if SHRINK else [])],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
