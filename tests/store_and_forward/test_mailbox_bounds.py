"""What the mailbox keeps and what it does not (SR-08, SR-17): each bound by itself, and the sums after anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letterlock.errors import MailboxError, StoreError, StoreLocked
from letterlock.ids import Number
from letterlock.services.mailbox import MailboxLimits, logic
from letterlock.services.mailbox.logic import Fate
from letterlock.services.mailbox.requests import Arrival
from letterlock.services.mailbox.tables import Tables
from store_and_forward.proxy import BOB, CAROL

LIMITS = MailboxLimits(
    max_messages_per_device=4,
    max_messages_per_sender=3,
    max_bytes_per_device=1000,
    max_bytes=2500,
    max_devices_per_number=3,
)
NUMBER = Number(BOB)
DAY = 24 * 3600 * 1000


@pytest.fixture
def tables(database: str) -> Iterator[Tables]:
    opened = Tables(database)
    yield opened
    opened.close()


def arrival(
    body: bytes = b"hello", *, sender: str = "+15550100", present: tuple[str, ...] = (), **more: object
) -> Arrival:
    made = Arrival(sender, NUMBER, 1, present, None, None, b"", b"A: b", body)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def bodies(tables: Tables, device: str) -> list[bytes]:
    return [copy.body for copy in tables.oldest(NUMBER, device, 100)]


def test_nobody_known_nothing_kept(tables: Tables) -> None:
    with pytest.raises(MailboxError) as refused:
        logic.accept(tables, LIMITS, arrival(), 0)
    assert (refused.value.code, refused.value.status) == ("mailbox.unknown", 480)


def test_each_known_device_has_a_copy_and_the_sender_none(tables: Tables) -> None:
    logic.see(tables, LIMITS, NUMBER, ("phone", "tablet"), 0)
    assert logic.accept(tables, LIMITS, arrival(b"1", present=("watch",)), 1) == ["watch", "phone", "tablet"]
    assert logic.accept(tables, LIMITS, arrival(b"2", sender_device="tablet"), 2) == ["watch", "phone"]
    assert (bodies(tables, "phone"), bodies(tables, "tablet")) == ([b"1", b"2"], [b"1"])


def test_a_full_device_that_is_away_stops_nobody_and_one_that_is_there_stops_the_sender(tables: Tables) -> None:
    logic.see(tables, LIMITS, NUMBER, ("drawer",), 0)
    for count in range(3):
        assert logic.accept(tables, LIMITS, arrival(b"%d" % count), 0) == ["drawer"]
    with pytest.raises(MailboxError, match="full"):
        logic.accept(tables, LIMITS, arrival(), 0)
    logic.see(tables, LIMITS, NUMBER, ("phone",), 1)
    for _ in range(3):
        assert logic.accept(tables, LIMITS, arrival(present=("phone",)), 1) == ["phone"]
    with pytest.raises(MailboxError) as refused:
        logic.accept(tables, LIMITS, arrival(present=("phone",)), 1)
    assert refused.value.code == "mailbox.busy"


def test_no_sender_fills_a_device_alone_and_all_together_do(tables: Tables) -> None:
    logic.see(tables, LIMITS, NUMBER, ("phone",), 0)
    for sender in ("a", "a", "a"):
        logic.accept(tables, LIMITS, arrival(sender=sender), 0)
    with pytest.raises(MailboxError):
        logic.accept(tables, LIMITS, arrival(sender="a"), 0)
    logic.accept(tables, LIMITS, arrival(sender="b"), 0)
    with pytest.raises(MailboxError):
        logic.accept(tables, LIMITS, arrival(sender="c"), 0)


def test_bytes_are_bounded_for_a_device_and_for_all(tables: Tables) -> None:
    logic.see(tables, LIMITS, NUMBER, ("phone",), 0)
    logic.accept(tables, LIMITS, arrival(bytes(900)), 0)
    with pytest.raises(MailboxError) as refused:
        logic.accept(tables, LIMITS, arrival(bytes(200)), 0)
    assert refused.value.code == "mailbox.number_full"
    other = Number(CAROL)
    logic.see(tables, LIMITS, other, ("phone", "tablet"), 0)
    logic.accept(tables, LIMITS, arrival(bytes(900), number=other), 0)
    with pytest.raises(MailboxError) as refused:
        logic.accept(tables, LIMITS, arrival(bytes(900), number=other), 0)
    assert refused.value.code == "mailbox.full"


def test_a_number_keeps_its_latest_devices(tables: Tables) -> None:
    for when, device in enumerate(("a", "b", "c")):
        logic.see(tables, LIMITS, NUMBER, (device,), when)
    logic.accept(tables, LIMITS, arrival(), 3)
    logic.see(tables, LIMITS, NUMBER, ("d",), 4)
    assert tables.devices(NUMBER) == ["d", "c", "b"]
    assert bodies(tables, "a") == []
    with pytest.raises(MailboxError) as refused:
        logic.see(tables, dataclasses.replace(LIMITS, max_devices=3), Number(CAROL), ("x",), 5)
    assert refused.value.code == "mailbox.devices"


def test_time_takes_messages_and_devices(tables: Tables) -> None:
    logic.see(tables, LIMITS, NUMBER, ("phone",), 0)
    logic.accept(tables, LIMITS, arrival(b"an hour", lifetime_ms=3_600_000), 0)
    logic.accept(tables, LIMITS, arrival(b"at once", lifetime_ms=0), 0)
    logic.accept(tables, LIMITS, arrival(b"for ever", lifetime_ms=10**15), 0)
    assert len(logic.advance(tables, LIMITS, NUMBER, "phone", [], LIMITS.min_age_ms - 1)) == 3
    left = logic.advance(tables, LIMITS, NUMBER, "phone", [], LIMITS.min_age_ms)
    assert [copy.body for copy in left] == [b"an hour", b"for ever"]
    assert [c.body for c in logic.advance(tables, LIMITS, NUMBER, "phone", [], 3_600_000)] == [b"for ever"]
    assert logic.advance(tables, LIMITS, NUMBER, "phone", [], LIMITS.max_age_ms) == []
    assert [gone.device for gone in logic.purge(tables, LIMITS, LIMITS.known_ms + 1)] == ["phone"]
    assert tables.totals() == (0, 0)


def test_a_repeat_is_kept_once_while_it_waits(tables: Tables) -> None:
    logic.see(tables, LIMITS, NUMBER, ("phone",), 0)
    for body in (b"first", b"later"):
        assert logic.accept(tables, LIMITS, arrival(body, repeat=b"same"), 0) == ["phone"]
    (copy,) = logic.advance(tables, LIMITS, NUMBER, "phone", [], 0)
    assert copy.body == b"first"
    assert logic.advance(tables, LIMITS, NUMBER, "phone", [copy.message], 0) == []
    logic.accept(tables, LIMITS, arrival(b"again", repeat=b"same"), 0)
    assert bodies(tables, "phone") == [b"again"]


def test_past_the_mailbox_goes_only_what_has_one_device_and_nothing_waiting(tables: Tables) -> None:
    assert logic.direct_device(tables, NUMBER) is None
    logic.see(tables, LIMITS, NUMBER, ("phone",), 0)
    assert logic.direct_device(tables, NUMBER) == "phone"
    logic.accept(tables, LIMITS, arrival(), 0)
    assert logic.direct_device(tables, NUMBER) is None
    (copy,) = tables.oldest(NUMBER, "phone", 1)
    tables.remove(NUMBER, "phone", copy.message)
    assert logic.direct_device(tables, NUMBER) == "phone"
    logic.see(tables, LIMITS, NUMBER, ("tablet",), 0)
    assert logic.direct_device(tables, NUMBER) is None


FATES = {
    Fate.TAKEN: (200, 202),
    Fate.AWAY: (430, 477, 480),
    Fate.LATER: (0, 401, 403, 404, 405, 407, 408, 481, 500, 503, 504),
    Fate.REFUSED: (400, 413, 415, 488, 603),
}


@pytest.mark.parametrize(("fate", "status"), [(fate, status) for fate, all_ in FATES.items() for status in all_])
def test_what_an_answer_means(fate: Fate, status: int) -> None:
    assert logic.fate_of(status) is fate


def test_pauses_grow_to_their_bound_and_are_never_shorter_than_asked() -> None:
    limits = MailboxLimits(retry_first_ms=1000, retry_away_ms=60_000, retry_longest_ms=3_600_000)
    assert [logic.pause(limits, Fate.LATER, n, None) for n in (1, 2, 3)] == [1000, 2000, 4000]
    assert logic.pause(limits, Fate.AWAY, 1, None) == 60_000
    assert logic.pause(limits, Fate.LATER, 10**6, None) == 3_600_000
    assert logic.pause(limits, Fate.LATER, 1, 5000) == 5000
    assert logic.pause(limits, Fate.LATER, 3, 1) == 4000
    assert logic.pause(limits, Fate.LATER, 1, 10**12) == 3_600_000


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "take", "see", "forget", "expire"]), st.integers(0, 3), st.integers(0, 400)),
    max_size=40,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(STEPS)
def test_the_sums_are_those_of_the_rows_whatever_happened(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    tables = Tables(str(tmp_path_factory.mktemp("sums") / "mailbox.db"))
    run, now = tables.connection.execute, 0
    for kind, which, size in steps:
        device, now = f"device{which}", now + size * 100_000
        run("BEGIN")
        try:
            if kind == "put":
                logic.accept(tables, LIMITS, arrival(bytes(size), sender=f"s{size % 3}"), now)
            elif kind == "take":
                done = [copy.message for copy in tables.oldest(NUMBER, device, 1 + size % 3)]
                logic.advance(tables, LIMITS, NUMBER, device, done, now)
            elif kind == "see":
                logic.see(tables, LIMITS, NUMBER, (device,), now)
            elif kind == "forget":
                tables.forget_device(NUMBER, device)
            else:
                logic.purge(tables, LIMITS, now)
        except MailboxError:
            pass
        run("COMMIT")
    total = run("SELECT (SELECT COUNT(*) FROM devices), COALESCE(SUM(size), 0) FROM messages").fetchone()
    assert tables.totals() == total
    for number, device, kept, size in run("SELECT number, device, kept, bytes FROM devices").fetchall():
        copies = "FROM copies JOIN messages ON messages.id = message WHERE copies.number = ? AND device = ?"
        assert run(f"SELECT COUNT(*), COALESCE(SUM(size), 0) {copies}", (number, device)).fetchone() == (kept, size)
        assert kept <= LIMITS.max_messages_per_device and size <= LIMITS.max_bytes_per_device
        senders = run(f"SELECT sender, COUNT(*) {copies} GROUP BY sender ORDER BY sender", (number, device))
        counted = run(
            "SELECT sender, kept FROM senders WHERE number = ? AND device = ? ORDER BY sender", (number, device)
        )
        assert counted.fetchall() == senders.fetchall()
    assert run("SELECT COUNT(*) FROM messages WHERE copies <= 0").fetchone() == (0,)
    tables.close()


def test_one_database_one_process_and_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "mailbox.db"
    first = Tables(str(path))
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(StoreLocked):
        Tables(str(path))
    first.close()
    (tmp_path / "text").write_text("no database, but long enough to be looked at" * 100)
    with pytest.raises(StoreError):
        Tables(str(tmp_path / "text"))
    newer = Tables(str(path))
    newer.connection.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreError, match="schema 99"):
        Tables(str(path))
