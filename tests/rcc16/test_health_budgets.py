"""Counters of repair: never more than allowed in any window, and no clock blocks for ever (rcc16.md 5.5 to 5.7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.errors import DecodeError
from letterlock.rcc16.health.budgets import DEFAULTS, Charge, Ledger, decode_ledger, encode_ledger
from letterlock.rcc16.health.ending import Backoff

NOW = 1_790_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
charges = pytest.mark.parametrize("charge", list(Charge))


def spend_all(charge: Charge, now: int) -> Ledger:
    ledger = Ledger()
    while (more := ledger.spend(charge, DEFAULTS, now, "x")) is not None:
        ledger = more
    return ledger


def longest(charge: Charge) -> int:
    return max(allowance.per for allowance in DEFAULTS.allowances(charge))


@pytest.mark.parametrize(
    ("charge", "allowed"),
    [
        (Charge.SELF_HEAL, [(5, DAY)]),
        (Charge.ERA_ADVANCE, [(2, HOUR), (5, DAY)]),
        (Charge.REBUILD, [(3, 6 * HOUR)]),
        (Charge.EXTERNAL_COMMIT, [(50, DAY)]),
        (Charge.RESEND, [(1, 90_000), (2, HOUR)]),
        (Charge.CLAIM, [(4, HOUR // 6)]),
        (Charge.REPORT, [(5, DAY)]),
        (Charge.PEER_FAILURE, [(3, DAY)]),
        (Charge.FETCH, [(10, 200_000)]),
        (Charge.PARK, [(3, HOUR)]),
    ],
)
def test_the_numbers_of_the_source(charge: Charge, allowed: list[tuple[int, int]]) -> None:
    assert [(a.count, a.per) for a in DEFAULTS.allowances(charge)] == allowed


def free_at(ledger: Ledger, charge: Charge, now: int) -> int:
    """When one more is given, at the earliest."""
    stamps = [t for _, _, stamps in ledger.entries for t in stamps]
    ends = {t + allowance.per for t in stamps for allowance in DEFAULTS.allowances(charge)}
    return min(at for at in (now, *ends) if at >= now and ledger.left(charge, DEFAULTS, at, "x"))


@charges
def test_every_charge_has_an_end_and_comes_back(charge: Charge) -> None:
    ledger = spend_all(charge, NOW)
    assert not ledger.left(charge, DEFAULTS, NOW, "x")
    free = free_at(ledger, charge, NOW)
    assert free > NOW
    assert ledger.spend(charge, DEFAULTS, free - 1, "x") is None
    assert ledger.spend(charge, DEFAULTS, free, "x") is not None


@charges
def test_a_subject_pays_for_itself_alone(charge: Charge) -> None:
    ledger = spend_all(charge, NOW)
    assert ledger.spend(charge, DEFAULTS, NOW, "another") is not None
    assert ledger.cleared(charge, "x").left(charge, DEFAULTS, NOW, "x")
    assert not ledger.cleared(charge, "another").left(charge, DEFAULTS, NOW, "x")


@charges
@given(steps=st.lists(st.integers(0, 2 * HOUR), max_size=120))
def test_never_more_than_allowed_in_any_window(charge: Charge, steps: list[int]) -> None:
    ledger, now, given_at = Ledger(), NOW, []
    for step in steps:
        now += step
        after = ledger.spend(charge, DEFAULTS, now)
        assert (after is not None) == ledger.left(charge, DEFAULTS, now)
        if after is not None:
            ledger = decode_ledger(encode_ledger(after))
            given_at.append(now)
    for allowance in DEFAULTS.allowances(charge):
        for first in given_at:
            assert sum(first <= t < first + allowance.per for t in given_at) <= allowance.count


@charges
@given(set_back=st.integers(0, 40 * 365 * DAY))
def test_a_clock_that_was_set_back_blocks_for_three_windows_at_most(charge: Charge, set_back: int) -> None:
    ledger = spend_all(charge, NOW)
    now = NOW - set_back
    free = free_at(ledger, charge, now)
    assert free <= now + 3 * longest(charge)
    assert ledger.spend(charge, DEFAULTS, free, "x") is not None


@charges
def test_a_small_correction_of_the_clock_gives_nothing_away(charge: Charge) -> None:
    assert not spend_all(charge, NOW).left(charge, DEFAULTS, NOW - 1_000, "x")


def test_what_no_longer_counts_is_dropped() -> None:
    ledger = spend_all(Charge.RESEND, NOW)
    assert ledger.pruned(DEFAULTS, NOW + HOUR - 1) == ledger
    assert ledger.pruned(DEFAULTS, NOW + HOUR) == Ledger()


def test_messages_without_end_do_not_fill_the_record() -> None:
    """SR-08: their ids are the sender's choice. The last ones are counted still, and other charges stay."""
    ledger = spend_all(Charge.SELF_HEAL, NOW)
    for n in range(1_000):
        spent = ledger.spend(Charge.REPORT, DEFAULTS, NOW, f"message-{n}")
        assert spent is not None
        ledger = spent.pruned(DEFAULTS, NOW)
    assert len(ledger.entries) == DEFAULTS.reports_kept + 1
    assert {subject for _, subject, _ in ledger.entries} >= {"x", "message-999", "message-968"}


def test_try_again_gives_back_repair_but_not_what_others_pay_for() -> None:
    ledger = Ledger()
    for charge in Charge:
        ledger = ledger.spend(charge, DEFAULTS, NOW, "x") or ledger
    kept = {charge for charge, _, _ in ledger.retried().entries}
    assert kept == {Charge.FETCH, Charge.CLAIM, Charge.RESEND, Charge.REPEAT, Charge.REPORT}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Charge)),
            st.text(max_size=20),
            st.lists(st.integers(0, 2**63), min_size=1, max_size=5).map(lambda stamps: tuple(sorted(stamps))),
        ),
        max_size=6,
    )
)
def test_the_record_keeps_everything(entries: list[tuple[Charge, str, tuple[int, ...]]]) -> None:
    assert decode_ledger(encode_ledger(Ledger(tuple(entries)))).entries == tuple(entries)


@pytest.mark.parametrize("data", [b"\x63\x00\x00", b"\x01", b"\x01\x01\xff\x00", b"\x01\x00\x07" + bytes(7)])
def test_a_damaged_record_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_ledger(data)


# --- the wait before an upgrade ---------------------------------------------------------------------------
def test_each_downgrade_doubles_the_wait_up_to_256_minutes() -> None:
    backoff, now, waits = Backoff(), NOW, []
    assert backoff.due(DEFAULTS, now) == now
    for _ in range(11):
        backoff = backoff.downgraded(DEFAULTS, now)
        due = backoff.due(DEFAULTS, now)
        waits.append((due - now) // 60_000)
        now = due
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256]


def test_a_day_without_one_forgets_them() -> None:
    backoff = Backoff(7, NOW)
    assert backoff.downgraded(DEFAULTS, NOW + DAY - 1).count == 8
    assert backoff.downgraded(DEFAULTS, NOW + DAY).count == 1
    assert backoff.due(DEFAULTS, NOW + DAY) == NOW + DAY


@given(count=st.integers(1, 1_000), set_back=st.integers(0, 40 * 365 * DAY))
def test_a_clock_set_back_does_not_put_the_upgrade_off_for_ever(count: int, set_back: int) -> None:
    backoff, now = Backoff(count, NOW), NOW - set_back
    assert now <= backoff.due(DEFAULTS, now) <= now + DAY + 256 * 60_000
