"""The health machine's table against the text it is transcribed from (rcc16.md 5.1 to 5.3)."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.errors import ProtocolError
from letterlock.rcc16.health.states import DOWNGRADED, State
from letterlock.rcc16.health.transitions import (
    FORCED,
    SEEDS,
    TRANSITIONS,
    Edge,
    Health,
    Moment,
    arrive,
    force,
    move,
    seed,
)

TEXT = """\
0:  1 RSH, 2 SEp, 4 SEr, 10 ERC, 12 SEV, 13 GC, 14 GI, 15 EUL, 17 RPh
1:  2 SEp, 4 SEr, 6 SHK, 7 EpF, 8 RDE, 9 SDE, 10 ERC, 12 SEV, 13 HRC, 15 EUL, 17 RPh
2:  1 SHR, 4 SEr, 6 SHK, 7 EpF, 8 RDE, 9 SDE, 12 SEV, 13 EpOK, 15 EUL, 17 RPh
4:  1 SHR, 4 SEr, 6 SHK, 7 SEr, 8 RDE, 9 SDE, 12 SEV, 13 ErOK, 17 RPh
6:  1 RSH, 4 SEr, 8 RDE, 9 SDE, 10 ERC, 12 SEV, 13 HRC, 15 EUL, 17 RPh
7:  1 SHR, 4 SEr, 6 SHK, 8 RDE, 9 SDE, 10 ERC, 12 SEV, 13 HRC, 17 RPh
8:  1 RSH, 9 SDE, 10 ERC, 13 ECC, 15 EFX, 17 RPh
9:  1 RSH, 4 SEr, 10 EOK, 12 SEV, 13 ECC, 15 EFX, 17 RPh
10: 1 RSH, 2 RSS, 11 RvE, 12 SEV, 13 HRC, 15 EUL
11: 1 RSH, 2 RRS, 7 REV, 12 SEV, 13 RvOK, 15 EUL
12: 1 RSH, 2 RSS, 7 SEr, 10 RvF, 13 RvN, 15 EUL
13: 1 RSH, 2 SEp, 4 SEr, 7 SEr, 8 RDE, 9 SDE, 10 ERC, 12 SEV, 15 EUL, 17 RPh
14: 1 RSH, 2 SEp, 4 SEr, 7 SEr, 8 RDE, 9 SDE, 10 ERC, 12 SEV, 13 GC, 15 EUL, 17 RPh
15: 1 RSH, 2 RSS, 6 SHK, 7 SEr, 10 EOK, 12 SEV, 13 HRC
16: 1 RSH, 2 RSS, 10 PhOK, 13 RvN, 15 PhF, 17 PhR
17: 1 RSH, 10 ERC, 13 HRC, 15 EUL, 16 SPh
"""
"""rcc16.md 5.3, as it stands there."""

ABBREVIATIONS = """\
RSH RequestedSelfHeal 0/1
SEp StartedEpochAdvancement 1/2
EpOK EpochAdvancementSuccessful 2/3
EpF EpochAdvancementFailed 3/4
SEr StartedEraAdvancement 4/5
ErOK EraAdvancementSuccessful 5/6
SHR SelfHealRestartedToEpochAdvancement 6/7
SHK SelfHealKilled 7/8
HRC HealedAfterRemoteCommit 8/9
RDE RequestedDowngradeToEndMls 9/10
SDE StartedDowngradeToEndMls 10/11
EOK EndMlsSucceeded 11/12
ERC EndMlsAppliedByRemoteClient 12/13
ECC EndMlsCancelledByAnotherCommit 13/14
RvE RevivingFromEndMlsWithEpochAdvancement 14/15
RPh RequestedPhoenixMode 15/26
SPh StartedPhoenixMode 16/27
PhOK PhoenixModeSucceeded 17/28
PhF PhoenixModeFailedSoDowngradingLocally 18/29
RvOK RevivedFromEndMls 19/16
SEV StartedEraAdvancementForRevival 20/17
REV RequestedEraAdvancementForRevival 21/31
RvN RevivedInNewEra 22/18
RvF RevivalFailed 23/19
GC GroupCreated 24/20
GI GroupInitializing 25/21
RSS RevivingThroughSelfHealToRevivedServer 26/22
RRS ReviveRejectedAndServerAlreadyRevived 27/23
EUL EndMlsOnServerUnstableEndMlsLocally 28/24
EFX EndMlsFailedToSendOutRetryExceeded 29/25
PhR RestartingPhoenixMode 30/30
"""
"""rcc16.md 5.2: abbreviation, name, ordinal/telemetry code."""

AT = Moment(3, 7)
NOW = 1_790_000_000_000


def edges_by_abbreviation() -> dict[str, Edge]:
    by_label = {edge.label: edge for edge in Edge}
    found = {}
    for line in ABBREVIATIONS.splitlines():
        short, label, codes = line.split()
        edge = found[short] = by_label[label]
        assert f"{edge.ordinal}/{edge.telemetry}" == codes
    return found


def transitions_of_the_text() -> dict[tuple[State, State], Edge]:
    edges = edges_by_abbreviation()
    found = {}
    for line in TEXT.splitlines():
        start, _, row = line.partition(":")
        for entry in row.split(","):
            end, short = entry.split()
            found[State(int(start)), State(int(end))] = edges[short]
    return found


def test_the_table_is_the_text_and_has_127_transitions() -> None:
    assert dict(TRANSITIONS) == transitions_of_the_text()
    assert len(TRANSITIONS) == 127


def test_every_edge_has_a_place_in_the_table_and_its_own_codes() -> None:
    assert set(TRANSITIONS.values()) == set(Edge) == set(edges_by_abbreviation().values())
    assert len({edge.ordinal for edge in Edge}) == len({edge.telemetry for edge in Edge}) == len(Edge) == 31


def test_every_state_is_reached_from_every_seed_and_none_is_a_trap() -> None:
    for start in State:
        reached, edge = {start}, {start}
        while edge:
            edge = {to for at, to in TRANSITIONS if at in edge} - reached
            reached |= edge
        # UNKNOWN is only ever a seed, and INITIALIZING is entered from it alone.
        assert reached >= set(State) - {State.UNKNOWN, State.INITIALIZING}
        if start is State.UNKNOWN:
            assert reached == set(State)
    assert {State.UNKNOWN, State.INITIALIZING, State.HEALTHY} == SEEDS


def test_one_state_is_listed_as_its_own_next_and_no_forced_write_is_in_the_table() -> None:
    assert [(start.value, end.value) for start, end in TRANSITIONS if start is end] == [(4, 4)], "listed, never reached"
    assert not FORCED & set(TRANSITIONS)
    assert {(start.value, end.value) for start, end in FORCED} == {(4, 15), (7, 15)}


@pytest.mark.parametrize(("start", "end"), list(itertools.product(State, State)))
def test_a_pair_is_a_listed_edge_or_a_stay_or_refused(start: State, end: State) -> None:
    if start is end:
        assert move(start, end) is None
        return
    if (start, end) in TRANSITIONS:
        assert move(start, end) is TRANSITIONS[start, end]
        return
    with pytest.raises(ProtocolError) as refused:
        move(start, end)
    assert refused.value.code == "protocol.health"
    assert start.label in str(refused.value) and end.label in str(refused.value)


@pytest.mark.parametrize(
    ("predicate", "members"),
    [
        (lambda s: s.has_end_mls, {10, 11, 12, 15, 16}),
        (lambda s: s.is_downgraded, {8, 9, 10, 11, 12, 15, 16, 17}),
        (lambda s: s.is_healing, {1, 2, 4, 6, 7, 12}),
        (lambda s: s.buffers_inbound, {1, 2, 4, 7, 12, 14, 16, 17}),
        (lambda s: s.is_phoenix, {16, 17}),
        (lambda s: s.withholds_reports, {2, 4, 12}),
        (lambda s: s.can_revive(True), {8, 9, 10, 11, 12, 15, 16, 17}),
        (lambda s: s.can_revive(False), {15}),
    ],
)
def test_predicates(predicate: object, members: set[int]) -> None:
    assert callable(predicate)
    assert {state.value for state in State if predicate(state)} == members
    assert {state.value for state in DOWNGRADED} == {8, 9, 10, 11, 12, 15, 16, 17}


def test_the_sixteen_states() -> None:
    assert sorted(State) == [0, 1, 2, 4, *range(6, 18)]
    assert State.EPOCH_ADVANCEMENT_REQUESTED.label == "epoch-advancement-requested"


@pytest.mark.parametrize("start", list(State))
def test_arriving_at_healthy(start: State) -> None:
    if (start, State.HEALTHY) not in TRANSITIONS:
        return
    before = Health(start, recovered_at=Moment(1, 1), last_healthy=5, request="decrypt")
    after, edge = arrive(before, State.HEALTHY, AT, NOW)
    assert edge is TRANSITIONS[start, State.HEALTHY]
    assert after.last_healthy == NOW
    if start.value in {1, 2, 4, 6, 7, 12}:
        assert (after.recovered_at, after.request) == (AT, "")
    else:
        assert (after.recovered_at, after.request) == (Moment(1, 1), "decrypt")


@pytest.mark.parametrize(
    ("start", "end"), [pair for pair in TRANSITIONS if State.HEALTHY is not pair[1] is not pair[0]]
)
def test_arriving_elsewhere(start: State, end: State) -> None:
    before = Health(start, recovered_at=Moment(1, 1), last_healthy=5, request="old")
    after, _ = arrive(before, end, AT, NOW, "decrypt")
    cleared = end.value in {2, 4, 12, 16}
    assert after == Health(end, Moment(1, 1), 5, "" if cleared else "decrypt")


def test_staying_changes_nothing() -> None:
    before = Health(State.HEALTHY, last_healthy=5)
    assert arrive(before, State.HEALTHY, AT, NOW) == (before, None)


@pytest.mark.parametrize(("start", "end"), list(itertools.product(State, State)))
def test_only_the_two_writes_can_be_forced(start: State, end: State) -> None:
    before = Health(start, request="decrypt")
    if (start, end) in FORCED:
        assert force(before, end, AT, NOW).state is end
        return
    with pytest.raises(ProtocolError):
        force(before, end, AT, NOW)


@pytest.mark.parametrize("state", list(State))
def test_a_conversation_begins_in_a_seed_alone(state: State) -> None:
    if state in SEEDS:
        assert seed(state, NOW) == Health(state, last_healthy=NOW)
        return
    with pytest.raises(ProtocolError):
        seed(state, NOW)


@given(st.lists(st.sampled_from(list(State)), max_size=40), st.sampled_from(sorted(SEEDS)))
def test_no_walk_leaves_the_table(walk: list[State], start: State) -> None:
    """Whatever is asked for in whatever order: the state only ever moves along listed edges, and refusals keep it."""
    health = Health(start)
    for to in walk:
        try:
            after, edge = arrive(health, to, AT, NOW)
        except ProtocolError:
            assert (health.state, to) not in TRANSITIONS
            continue
        assert after.state is to
        assert edge is (None if health.state is to else TRANSITIONS[health.state, to])
        health = after


def test_moments_order_by_era_first_and_unsigned() -> None:
    assert Moment(1, 2**64 - 1) < Moment(2, 0) < Moment(0xFFFFFFFF, 0)


def test_the_diagram_draws_every_transition_but_the_one_that_is_never_taken() -> None:
    path = Path(__file__).parents[2] / "docs" / "health_diagram.py"
    spec = importlib.util.spec_from_file_location("health_diagram", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    families = [edges for _, edges in module.FAMILIES.values()]
    assert sum(map(len, families)) == len(set().union(*families)) == len(Edge)
    assert module.diagram().count("<title>") == 126
