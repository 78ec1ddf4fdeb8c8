"""The decisions of repair, each as a table: ladder, verdicts, election, ending, upgrade (rcc16.md 2.3, 5.5, 5.7, 9)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.ids import Number
from letterlock.rcc16.health.budgets import DEFAULTS
from letterlock.rcc16.health.election import Presence, looks_to_wait, precedes, rank
from letterlock.rcc16.health.ending import (
    Cause,
    Ending,
    Reviving,
    end_guard,
    revive_guard,
)
from letterlock.rcc16.health.ladder import Facts, HealStep, Step, look_after, next_step
from letterlock.rcc16.health.latch import latched_after
from letterlock.rcc16.health.states import State
from letterlock.rcc16.health.transitions import Moment
from letterlock.rcc16.health.verdict import ServerSays, Standing, Verdict, verdict

A, B = b"\xaa" * 32, b"\xbb" * 32
LOOK = 30_000

FRESH = Facts(State.HEALTHY, left=False, verdict=Verdict.UNKNOWN, pulled=False, waited_ms=0)
"""A message that could not be read has just come."""
CHARGED = replace(FRESH, state=State.EPOCH_ADVANCEMENT_REQUESTED, waited_ms=4_000, charged=True)
BEHIND = replace(CHARGED, pulled=True, verdict=Verdict.BEHIND)
"""The server's answer is here, and says that we missed something."""


@pytest.mark.parametrize(
    ("facts", "step", "after"),
    [
        # Nothing to repair.
        (replace(FRESH, left=True), Step.STOP, 0),
        (replace(BEHIND, left=True, replayable=True), Step.STOP, 0),
        *((replace(FRESH, state=State(n)), Step.STOP, 0) for n in (8, 9, 10, 11, 15, 16, 17)),
        # Before anything is begun: the Welcome may be on its way.
        (FRESH, Step.WAIT, 3_000),
        (replace(FRESH, waited_ms=2_000), Step.WAIT, 1_000),
        (replace(FRESH, from_future=True), Step.PARK, 3_000),
        (replace(FRESH, waited_ms=3_000), Step.CHARGE, 0),
        (replace(FRESH, waited_ms=3_000, self_heal_left=False), Step.ASK_USER, 0),
        # Ask the server.
        (CHARGED, Step.PULL, 0),
        (replace(CHARGED, fetch_left=False), Step.WAIT, LOOK),
        (replace(CHARGED, pulled=True), Step.WAIT, LOOK),
        (replace(CHARGED, pulled=True, looks=3), Step.WAIT, 300_000),
        (replace(CHARGED, pulled=True, looks=1_000), Step.ASK_USER, 0),
        # What it says, the cheapest cure first.
        (replace(BEHIND, server_has_end_mls=True, replayable=True), Step.ADOPT_END, 0),
        (replace(BEHIND, verdict=Verdict.IN_SYNC), Step.HEALED, 0),
        (replace(BEHIND, replayable=True, external_pub=True), Step.REPLAY, 0),
        (replace(BEHIND, replayable=True, replay_failed=True, external_pub=True), Step.EXTERNAL_COMMIT, 0),
        (replace(BEHIND, external_pub=True), Step.EXTERNAL_COMMIT, 0),
        (replace(BEHIND, verdict=Verdict.DIVERGED, replayable=True, external_pub=True), Step.EXTERNAL_COMMIT, 0),
        (replace(BEHIND, verdict=Verdict.LOCAL_AHEAD, external_pub=True), Step.EXTERNAL_COMMIT, 0),
        (replace(BEHIND, verdict=Verdict.ERA_GAP, external_pub=True), Step.EXTERNAL_COMMIT, 0),
        (replace(BEHIND, verdict=Verdict.NOT_IN_GROUP, external_pub=True), Step.EXTERNAL_COMMIT, 0),
        (replace(BEHIND, verdict=Verdict.NOT_IN_GROUP), Step.ASK_WELCOME, 0),
        (replace(BEHIND, verdict=Verdict.NOT_IN_GROUP, looks=3), Step.ADVANCE_ERA, 0),
        # The era.
        (replace(BEHIND, external_pub=True, external_failed=True), Step.ADVANCE_ERA, 0),
        (replace(BEHIND, external_pub=True, external_left=False), Step.ADVANCE_ERA, 0),
        (replace(BEHIND, election_waits=2), Step.WAIT, LOOK),
        (replace(BEHIND, advance_left=False), Step.ASK_USER, 0),
        (replace(BEHIND, runs=3, election_waits=2), Step.REBUILD, 0),
        (replace(BEHIND, runs=3, rebuild_left=False), Step.ASK_USER, 0),
        (replace(BEHIND, verdict=Verdict.GROUP_NOT_FOUND), Step.REBUILD, 0),
        (replace(BEHIND, verdict=Verdict.GROUP_NOT_FOUND, rebuild_left=False), Step.ASK_USER, 0),
        # Given up: say so, then leave it to the user.
        (replace(BEHIND, advance_failed=True), Step.REPORT, 0),
        (replace(BEHIND, advance_failed=True, state=State.SELF_HEAL_FAILED), Step.ASK_USER, 0),
        # A revival's own era advance is a repair, though its state counts as downgraded.
        (replace(BEHIND, state=State(12), verdict=Verdict.IN_SYNC), Step.HEALED, 0),
    ],
)
def test_the_ladder(facts: Facts, step: Step, after: int) -> None:
    assert next_step(facts, DEFAULTS) == HealStep(step, after)


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "state": st.sampled_from(list(State)),
    "verdict": st.sampled_from(list(Verdict)),
    "waited_ms": st.integers(0, 10_000),
    "election_waits": st.integers(0, 5),
    "looks": st.integers(0, 1_001),
    "runs": st.integers(0, 5),
}
ANY = st.builds(Facts, **{f.name: _VALUES.get(f.name, st.booleans()) for f in fields(Facts)})


@given(ANY)
def test_the_ladder_always_answers_and_spends_nothing_that_is_spent(facts: Facts) -> None:
    found = next_step(facts, DEFAULTS)
    assert found.after >= 0
    assert (found.after > 0) == (found.step in (Step.WAIT, Step.PARK))
    spends = {
        Step.CHARGE: facts.self_heal_left,
        Step.PULL: facts.fetch_left,
        Step.EXTERNAL_COMMIT: facts.external_left,
        Step.ADVANCE_ERA: facts.advance_left,
        Step.REBUILD: facts.rebuild_left,
    }
    assert spends.get(found.step, True)


@given(ANY)
def test_sr02_a_server_alone_heals_nobody_into_plaintext(facts: Facts) -> None:
    """SR-02: ended is adopted only where the group's own context says so; nothing else on the ladder ends encryption."""
    if next_step(facts, DEFAULTS).step is Step.ADOPT_END:
        assert facts.server_has_end_mls


@given(ANY)
def test_healed_means_equal_authenticators(facts: Facts) -> None:
    if next_step(facts, DEFAULTS).step is Step.HEALED:
        assert facts.verdict is Verdict.IN_SYNC and facts.pulled


def test_looks_are_further_and_further_apart() -> None:
    assert [look_after(n, DEFAULTS) // 1_000 for n in range(1, 7)] == [30, 30, 30, 300, 600, 900]


# --- comparing with the server ---------------------------------------------------------------------------
OURS = Standing(Moment(2, 5), A)


@pytest.mark.parametrize(
    ("local", "server", "found"),
    [
        (OURS, Standing(Moment(2, 5), A), Verdict.IN_SYNC),
        (OURS, Standing(Moment(2, 5), B), Verdict.DIVERGED),
        (OURS, Standing(Moment(2, 6), A), Verdict.BEHIND),
        (OURS, Standing(Moment(3, 0), A), Verdict.ERA_GAP),
        (OURS, Standing(Moment(3, 5), A), Verdict.ERA_GAP),
        (OURS, Standing(Moment(2, 4), A), Verdict.LOCAL_AHEAD),
        (OURS, Standing(Moment(1, 9), A), Verdict.LOCAL_AHEAD),
        (None, Standing(Moment(1, 0), A), Verdict.NOT_IN_GROUP),
        (OURS, ServerSays.UNKNOWN, Verdict.UNKNOWN),
        (OURS, ServerSays.NOT_FOUND, Verdict.GROUP_NOT_FOUND),
        (None, ServerSays.NOT_FOUND, Verdict.GROUP_NOT_FOUND),
        (OURS, ServerSays.NOT_IN_GROUP, Verdict.NOT_IN_GROUP),
    ],
)
def test_verdicts(local: Standing | None, server: Standing | ServerSays, found: Verdict) -> None:
    assert verdict(local, server) is found


# --- who advances the era --------------------------------------------------------------------------------
MEMBERS = tuple(Number(f"+1555010000{n}") for n in range(4))


def test_the_lowest_number_advances_and_the_others_wait_their_turn() -> None:
    assert [rank(member, reversed(MEMBERS)) for member in MEMBERS] == [0, 1, 2, 3]
    assert [looks_to_wait(r, Presence.NEVER_HEARD) for r in range(4)] == [0, 1, 4, 7]
    assert [looks_to_wait(r, Presence.QUIET) for r in range(4)] == [0, 3, 6, 9]
    assert [looks_to_wait(r, Presence.ACTIVE) for r in range(4)] == [0, 6, 9, 12]


def test_devices_of_one_number_are_one_rank() -> None:
    assert rank(MEMBERS[1], [MEMBERS[0], MEMBERS[0], MEMBERS[1]]) == 1


@given(st.sets(st.integers(10**9, 10**12), min_size=2, max_size=8))
def test_all_find_different_ranks_and_exactly_one_is_first(numbers: set[int]) -> None:
    members = [Number(f"+{n}") for n in numbers]
    assert sorted(rank(member, members) for member in members) == list(range(len(members)))
    a, b = members[:2]
    assert precedes(a, b) is not precedes(b, a)


# --- ending and reviving ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "has", "slot", "gap", "found"),
    [
        (13, True, True, True, Ending.DONE),
        (13, False, True, True, Ending.PENDING),
        (16, False, False, True, Ending.ONGOING),
        (17, False, False, False, Ending.ONGOING),
        (13, False, False, True, Ending.LOCAL_ONLY),
        (13, False, False, False, Ending.SEND),
        (6, False, False, False, Ending.SEND),
    ],
)
def test_asking_for_the_end(state: int, has: bool, slot: bool, gap: bool, found: Ending) -> None:
    assert end_guard(State(state), has, slot, gap) is found


@pytest.mark.parametrize(
    ("state", "has", "slot", "in_sync", "due", "found"),
    [
        (13, True, False, True, 0, Reviving.NOTHING),
        (10, False, False, True, 0, Reviving.NOTHING),
        (10, True, True, True, 0, Reviving.PENDING),
        (10, True, False, True, 101, Reviving.LATER),
        (10, True, False, True, 100, Reviving.IN_PLACE),
        (10, True, False, False, 0, Reviving.NEW_ERA),
        (15, False, False, True, 0, Reviving.NEW_ERA),
    ],
)
def test_asking_for_a_revival(state: int, has: bool, slot: bool, in_sync: bool, due: int, found: Reviving) -> None:
    assert revive_guard(State(state), has, slot, in_sync, now=100, due=due) is found


def test_numbers_as_deployed() -> None:
    assert [cause.value for cause in Cause] == list(range(1, 22))
    assert Cause.NO_KEY_PACKAGES_FOR_EXPIRED_MEMBERS.label == "no-key-packages-for-expired-members"


# --- what it binds us to -------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", list(State))
def test_sr02_only_a_downgrade_clears_the_latch(state: State) -> None:
    """SR-02: no capability, and no state but 8, 9, 10 and 15."""
    assert latched_after(True, state, encrypted=False) is (state.value not in {8, 9, 10, 15})
    assert latched_after(False, state, encrypted=False) is False
    assert latched_after(False, state, encrypted=True) is (state.value not in {8, 9, 10, 15})
