"""The ledger against a hostile push service, crashes and every order of events (SR-06)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from letterlock.services.push import Fate, PushLimits, Reason, logic
from letterlock.services.push.logic import NEW, Entry, State, Step
from letterlock.services.push.outcome import Gone, Later, Outcome, Refused, Sent, Unknown

LIMITS = PushLimits(
    window_ms=1000, max_tries=4, first_retry_ms=100, longest_retry_ms=5000, attempt_ms=300, grace_ms=100
)
NOW = 1_790_000_000_000
ENDS = LIMITS.attempt_ms + LIMITS.grace_ms


@dataclass
class Attempt:
    """What a process is doing, or did when it was killed."""

    number: int
    generation: int
    reached: bool = False
    orphan: bool = False


class LedgerMachine(RuleBasedStateMachine):
    """One device. `reached` is when a request of ours came to the push service, by its own clock."""

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.entry: Entry = NEW
        self.subscribed_at: int | None = NOW
        self.generation = 1
        self.attempt: Attempt | None = None
        self.asked = 0
        self.ended: Counter[Fate] = Counter()
        self.reached: list[int] = []
        self.answered_sent = 0

    def apply(self, step: Step) -> None:
        self.entry = step.entry
        self.ended.update(fate for fate, _ in step.ended)
        if step.unsubscribe:
            self.subscribed_at = None
            self.generation += 1

    # --- those who ask -----------------------------------------------------------------------------
    @rule()
    def wake(self) -> None:
        self.asked += 1
        if self.subscribed_at is None:
            self.ended[Fate.DROPPED] += 1
        else:
            self.apply(logic.asked(self.entry, self.now))

    @rule()
    def arrive(self) -> None:
        self.apply(logic.arrived(self.entry))

    @rule(new_address=st.booleans())
    def subscribe(self, new_address: bool) -> None:
        if new_address or self.subscribed_at is None:
            self.entry = logic.moved(self.entry, self.now)
            self.generation += 1
        self.subscribed_at = self.now

    @precondition(lambda self: self.subscribed_at is not None)
    @rule()
    def unsubscribe(self) -> None:
        self.apply(replace_unsubscribe(logic.removed(self.entry, Reason.NO_SUBSCRIPTION)))

    # --- the process -------------------------------------------------------------------------------
    @rule(ms=st.sampled_from([1, 50, 99, 100, 400, 999, 1000, 5000]))
    def pass_time(self, ms: int) -> None:
        self.now += ms

    @rule(ms=st.sampled_from([1, 400, 5000]))
    def set_the_clock_forward_to_what_is_due(self, ms: int) -> None:
        if self.entry.state is not State.IDLE:
            self.now = max(self.now, min(self.entry.due, self.now + ms))

    @precondition(lambda self: self.entry.state is State.WAITING and self.entry.due <= self.now)
    @rule()
    def take(self) -> None:
        assert self.subscribed_at is not None, "something waits for a device without a subscription"
        self.entry = logic.taken(self.entry, self.now, LIMITS)
        self.attempt = Attempt(self.entry.attempt, self.generation)

    @precondition(lambda self: self.attempt is not None and not self.attempt.reached and self.now < self.entry.due)
    @rule()
    def reach(self) -> None:
        """The request arrives, also out of the buffers of a process that is dead."""
        assert self.attempt is not None
        if self.entry.state is State.IN_FLIGHT and self.entry.attempt == self.attempt.number:
            self.attempt.reached = True
            self.reached.append(self.now)

    @precondition(lambda self: self.attempt is not None and not self.attempt.orphan)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        assert self.attempt is not None
        late = self.entry.attempt != self.attempt.number or self.entry.state is not State.IN_FLIGHT
        if self.attempt.reached:
            outcomes: list[Outcome] = [Sent(), Unknown(Reason.NO_ANSWER)]
        else:
            outcomes = [
                Unknown(Reason.NO_ANSWER),
                Later(Reason.FAILED),
                Later(Reason.TOO_MANY, 700),
                Later(Reason.TOO_MANY, 10**12),
                Refused(Reason.REFUSED),
                Gone(Reason.UNREGISTERED),
                Gone(Reason.UNREGISTERED, self.now - 2000),
                Gone(Reason.UNREGISTERED, self.now),
            ]
            if not late and self.now < self.entry.due:
                outcomes.append(Sent())
        outcome = data.draw(st.sampled_from(outcomes))
        if isinstance(outcome, Sent) and not late:
            self.answered_sent += 1
            if not self.attempt.reached:
                self.reached.append(self.now)
        self.apply(
            logic.finished(
                self.entry, self.attempt.number, outcome, self.now, LIMITS,
                subscribed_at=self.subscribed_at, same=self.generation == self.attempt.generation,
            )
        )  # fmt: skip
        self.attempt = None

    @precondition(lambda self: self.attempt is not None)
    @rule()
    def crash(self) -> None:
        assert self.attempt is not None
        self.attempt.orphan = True

    @precondition(lambda self: self.entry.state is State.IN_FLIGHT and self.entry.due <= self.now)
    @rule()
    def give_up_for_lost(self) -> None:
        self.apply(logic.lost(self.entry, LIMITS, subscribed=self.subscribed_at is not None))

    # --- what always holds -------------------------------------------------------------------------
    @invariant()
    def every_wake_up_is_accounted_for(self) -> None:
        assert self.ended.total() + self.entry.waiting == self.asked
        assert self.ended[Fate.SENT] == self.answered_sent
        assert self.entry.tries <= LIMITS.max_tries

    @invariant()
    def none_comes_twice_within_its_window(self) -> None:
        gaps = [after - before for before, after in zip(self.reached, self.reached[1:], strict=False)]
        assert all(gap >= LIMITS.window_ms for gap in gaps), gaps

    @invariant()
    def a_wake_up_is_never_put_off_beyond_the_longest(self) -> None:
        assert self.entry.due <= self.now + LIMITS.longest_retry_ms + ENDS + LIMITS.window_ms

    def teardown(self) -> None:
        """With a push service that answers again, everything ends."""
        if not hasattr(self, "entry"):
            return
        for _ in range(8):
            if self.entry.state is State.IDLE:
                break
            self.now = max(self.now, self.entry.due)
            if self.entry.state is State.IN_FLIGHT:
                self.give_up_for_lost()
            else:
                self.take()
                self.reached.append(self.now)
                self.answered_sent += 1
                self.apply(
                    logic.finished(
                        self.entry, self.entry.attempt, Sent(), self.now, LIMITS,
                        subscribed_at=self.subscribed_at, same=True,
                    )
                )  # fmt: skip
        assert self.entry.waiting == 0
        self.every_wake_up_is_accounted_for()
        self.none_comes_twice_within_its_window()


def replace_unsubscribe(step: Step) -> Step:
    return step._replace(unsubscribe=True)


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)

WAITING = Entry(State.WAITING, quiet_until=0, due=NOW, tries=0, again=False, attempt=0)


def ended(entry: Entry, outcome: Outcome, *, now: int = NOW + 10) -> Step:
    flying = logic.taken(entry, NOW, LIMITS)
    return logic.finished(flying, flying.attempt, outcome, now, LIMITS, subscribed_at=NOW - 500, same=True)


def test_a_wake_up_within_the_window_waits_for_its_end() -> None:
    sent = ended(WAITING, Sent())
    assert sent.ended == ((Fate.SENT, Reason.NONE),)
    second = logic.asked(sent.entry, NOW + 20)
    assert (second.ended, second.entry.due) == ((), NOW + 10 + LIMITS.window_ms)
    assert logic.asked(second.entry, NOW + 30).ended == ((Fate.COALESCED, Reason.NONE),)


def test_an_attempt_without_an_answer_is_tried_again_after_the_window_and_not_for_ever() -> None:
    entry, now = WAITING, NOW
    for _ in range(LIMITS.max_tries):
        entry = logic.taken(entry, now, LIMITS)
        step = logic.lost(entry, LIMITS, subscribed=True)
        assert step.entry.quiet_until >= now + ENDS + LIMITS.window_ms
        entry, now = step.entry, step.entry.due
    assert (step.ended, step.entry.state) == (((Fate.GIVEN_UP, Reason.NO_ANSWER),), State.IDLE)


def test_a_push_service_is_asked_again_no_sooner_than_it_said() -> None:
    assert ended(WAITING, Later(Reason.TOO_MANY, 3000)).entry.due == NOW + 10 + 3000
    assert ended(WAITING, Later(Reason.TOO_MANY, 1)).entry.due == NOW + 10 + LIMITS.first_retry_ms
    assert ended(WAITING, Later(Reason.TOO_MANY, 10**15)).entry.due == NOW + 10 + LIMITS.longest_retry_ms


def test_gone_counts_only_when_it_is_newer_than_the_subscription() -> None:
    assert ended(WAITING, Gone(Reason.UNREGISTERED)).unsubscribe
    assert ended(WAITING, Gone(Reason.UNREGISTERED, NOW - 500)).unsubscribe
    older = ended(WAITING, Gone(Reason.UNREGISTERED, NOW - 501))
    assert (older.unsubscribe, older.entry.state, older.ended) == (False, State.WAITING, ())


def test_what_an_old_address_says_does_not_touch_the_new_one() -> None:
    flying = logic.taken(WAITING, NOW, LIMITS)
    for outcome in (Gone(Reason.UNREGISTERED), Refused(Reason.REFUSED)):
        step = logic.finished(flying, flying.attempt, outcome, NOW, LIMITS, subscribed_at=NOW, same=False)
        assert (step.unsubscribe, step.entry.state, step.ended) == (False, State.WAITING, ())


def test_a_stale_answer_changes_nothing() -> None:
    flying = replace(logic.taken(WAITING, NOW, LIMITS), attempt=7)
    assert logic.finished(flying, 6, Sent(), NOW, LIMITS, subscribed_at=NOW, same=True) == Step(flying)


def test_a_device_that_is_there_needs_no_wake_up() -> None:
    assert logic.arrived(WAITING) == Step(replace(WAITING, state=State.IDLE), ((Fate.UNNEEDED, Reason.NONE),))
    flying = logic.taken(WAITING, NOW, LIMITS)
    assert logic.arrived(flying) == Step(flying)
    assert logic.arrived(replace(flying, again=True)).ended == ((Fate.UNNEEDED, Reason.NONE),)
