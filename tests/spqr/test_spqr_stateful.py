"""A network that may do anything: Hypothesis drives two ends through loss, reordering, replay, forgery and restarts."""

from __future__ import annotations

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from letterlock.errors import BadMac, BadPublicKey, DuplicateMessage, ProtocolError
from letterlock.signal.spqr import TRANSITIONS, ChainLimits, Spqr

from .pair import PROVIDER, Flight, Pair

WHO = st.sampled_from([0, 1])
ARROWS = {(t.source, t.target) for t in TRANSITIONS}


class TwoEnds(RuleBasedStateMachine):
    """The model: which messages are under way to whom, and which were read."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair("stateful", limits=ChainLimits(max_jump=2000, max_skipped=2000))
        self.under_way: list[list[Flight]] = [[], []]
        self.read: list[list[Flight]] = [[], []]

    @rule(who=WHO, count=st.integers(1, 6))
    def send(self, who: int, count: int) -> None:
        for _ in range(count):
            self.under_way[1 - who].append(self.pair.send(who))

    @rule(rounds=st.integers(1, 40))
    def talk(self, rounds: int) -> None:
        self.pair.round_trips(rounds)

    @precondition(lambda self: any(self.under_way))
    @rule(data=st.data(), who=WHO)
    def deliver_one(self, data: st.DataObject, who: int) -> None:
        if self.under_way[who]:
            at = data.draw(st.integers(0, len(self.under_way[who]) - 1))
            self._deliver(who, self.under_way[who].pop(at))

    @rule(who=WHO)
    def deliver_all(self, who: int) -> None:
        for flight in self.under_way[who]:
            self._deliver(who, flight)
        self.under_way[who].clear()

    @rule(who=WHO)
    def lose_all(self, who: int) -> None:
        self.under_way[who].clear()

    @precondition(lambda self: any(self.read))
    @rule(data=st.data(), who=WHO)
    def replay(self, data: st.DataObject, who: int) -> None:
        if not self.read[who]:
            return
        flight = data.draw(st.sampled_from(self.read[who]))
        before = self.pair.ends[who].pack()
        try:
            self.pair.ends[who].receive(flight.message)
            raise AssertionError("a replay was accepted")
        except DuplicateMessage:
            pass
        except ProtocolError as error:
            assert error.code == "spqr.epoch_past"
        assert self.pair.ends[who].pack() == before

    @precondition(lambda self: any(self.under_way))
    @rule(data=st.data(), who=WHO)
    def forge(self, data: st.DataObject, who: int) -> None:
        """The caller drops the result, as a session does whose MAC did not hold."""
        if not self.under_way[who]:
            return
        message = bytearray(data.draw(st.sampled_from(self.under_way[who])).message)
        message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
        before = self.pair.ends[who].pack()
        with contextlib.suppress(ProtocolError, BadMac, BadPublicKey):
            self.pair.ends[who].receive(bytes(message))
        assert self.pair.ends[who].pack() == before

    @rule(who=WHO)
    def restart(self, who: int) -> None:
        self.pair.ends[who] = Spqr.unpack(PROVIDER, self.pair.ends[who].pack(), limits=self.pair.limits)

    @invariant()
    def epochs_stay_together(self) -> None:
        assert abs(self.pair.ends[0].epoch - self.pair.ends[1].epoch) <= 1
        assert self.pair.seen <= ARROWS

    def teardown(self) -> None:
        """Whatever happened, the two still understand each other and make progress."""
        epoch = self.pair.ends[0].epoch
        self.pair.round_trips(140)
        assert self.pair.ends[0].epoch >= epoch + 2

    def _deliver(self, who: int, flight: Flight) -> None:
        try:
            self.pair.receive(who, flight)
        except ProtocolError as error:
            assert error.code == "spqr.epoch_past"  # held back over two epochs
        else:
            self.read[who].append(flight)


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
