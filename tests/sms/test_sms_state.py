"""What is remembered: whose receipts are whose, parts, repeats. Each is written down and read again at every step."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec import gsm7, sms_text
from letterlock.codec.sms_text import Coding
from letterlock.codec.sms_user_data import Concatenation, Outcome
from letterlock.ids import MessageId, Number
from letterlock.transport.sms.assembly import Assembly
from letterlock.transport.sms.memory import Changes
from letterlock.transport.sms.repeats import Repeats
from letterlock.transport.sms.submissions import Done, Submissions

BEN, EVE = Number("+15550199"), Number("+15550155")
DAY = 86_400_000


class Kept:
    """Records on disk."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}

    def keep(self, changes: Changes) -> None:
        for name, text in changes.items():
            if text is None:
                self.records.pop(name, None)
            else:
                self.records[name] = text

    def submissions(self, most: int = 100) -> Submissions:
        return Submissions(self.records.items(), most=most, kept_ms=DAY)

    def assembly(self, most: int = 10, most_per_sender: int = 3) -> Assembly:
        return Assembly(self.records.items(), most=most, most_per_sender=most_per_sender, kept_ms=DAY)

    def repeats(self, most: int = 100) -> Repeats:
        return Repeats(self.records.items(), most=most, grace_ms=600_000)


@given(st.permutations(range(1, 5)), st.integers(0, 3))
def test_a_message_arrived_when_all_its_parts_did(order: list[int], restart: int) -> None:
    kept = Kept()
    for part in range(1, 5):
        kept.keep(kept.submissions().take(MessageId("m"), BEN, 4, part, f"id{part}", part))
    assert kept.submissions().taken(MessageId("m")) == {1, 2, 3, 4}
    told = []
    for part in order:
        changes, done = kept.submissions().report(f"id{part}", BEN, Outcome.DELIVERED)
        kept.keep(changes)
        told.append(done)
    assert told == [None, None, None, Done(MessageId("m"), BEN, True)]
    kept.keep(kept.submissions().forget(MessageId("m")))
    assert kept.records == {}


def test_sr05_receipts_that_are_not_ours_do_nothing() -> None:
    kept = Kept()
    kept.keep(kept.submissions().take(MessageId("m"), BEN, 1, 1, "id1", 0))
    before = dict(kept.records)
    for carrier_id, source in (("id2", BEN), ("id1", EVE), ("id1", None), ("", BEN)):
        assert kept.submissions().report(carrier_id, source, Outcome.DELIVERED) == ({}, None)
    assert kept.submissions().report("id1", BEN, Outcome.PENDING) == ({}, None)
    assert kept.records == before
    assert kept.submissions().report("id1", BEN, Outcome.FAILED)[1] == Done(MessageId("m"), BEN, False)


def test_an_id_that_is_given_again_is_of_the_later_message() -> None:
    kept = Kept()
    kept.keep(kept.submissions().take(MessageId("old"), BEN, 1, 1, "id1", 1))
    kept.keep(kept.submissions().take(MessageId("new"), BEN, 1, 1, "id1", 2))
    submissions = kept.submissions()
    assert submissions.report("id1", BEN, Outcome.DELIVERED)[1] == Done(MessageId("new"), BEN, True)
    submissions.forget(MessageId("old"))
    assert submissions.report("id1", BEN, Outcome.DELIVERED)[1] is not None


def test_sr08_submissions_are_bounded_in_number_and_time() -> None:
    kept = Kept()
    for number in range(20):
        kept.keep(kept.submissions(most=5).take(MessageId(f"m{number}"), BEN, 1, 1, f"id{number}", number))
    assert sorted(kept.records) == [f"sent/m{number}" for number in range(15, 20)]
    kept.keep(kept.submissions().expire(DAY + 17))
    assert sorted(kept.records) == ["sent/m18", "sent/m19"]


def put(kept: Kept, sender: str, part: Concatenation, octets: bytes, coding: Coding = Coding.GSM, now: int = 0) -> None:
    kept.keep(kept.assembly().add(sender, part, coding, octets, MessageId(f"of {sender} {part.reference}"), now))


@given(st.text(min_size=1, max_size=500), st.integers(0, 1 << 30), st.integers(1, 5))
def test_parts_in_any_order_and_twice_are_the_text(text: str, seed: int, size: int) -> None:
    """Also parts that cut through characters: there are senders that do."""
    text = text.encode("utf-16", "replace").decode("utf-16")
    octets, coding = gsm7.encode(text), Coding.GSM
    if octets is None:
        octets, coding = text.encode("utf-16-be"), Coding.UTF_16
    step = max(1, len(octets) // size)
    pieces = [octets[at : at + step] for at in range(0, len(octets), step)]
    kept, numbers = Kept(), [*range(len(pieces)), *range(len(pieces))]
    random.Random(seed).shuffle(numbers)
    for number in numbers:
        put(kept, "1:15550199", Concatenation(7, max(2, len(pieces)), number + 1, False), pieces[number], coding)
    if len(pieces) == 1:
        return
    (assembled,) = kept.assembly().due(0)
    assert (assembled.text, assembled.sender) == (sms_text.decode(octets, coding), "1:15550199")
    kept.keep(kept.assembly().forget(assembled))
    assert kept.records == {}


def test_parts_of_other_senders_references_and_kinds_do_not_mix() -> None:
    kept = Kept()
    put(kept, "1:15550199", Concatenation(7, 2, 1, False), b"a")
    put(kept, "1:15550155", Concatenation(7, 2, 2, False), b"b")
    put(kept, "1:15550199", Concatenation(8, 2, 2, False), b"c")
    put(kept, "1:15550199", Concatenation(7, 2, 2, True), b"d")
    put(kept, "1:15550199", Concatenation(7, 3, 2, False), b"e")
    assert kept.assembly(most_per_sender=9).due(0) == []
    put(kept, "1:15550199", Concatenation(7, 2, 2, False), b"z")
    assert [each.text for each in kept.assembly(most_per_sender=9).due(0)] == ["az"]


def test_a_reference_that_is_given_again_is_another_message() -> None:
    """Phones have 256 of them. What never became whole is shown as it is, and nothing of the later one is lost."""
    kept = Kept()
    first, second = (Concatenation(7, 2, number, False) for number in (1, 2))
    kept.keep(kept.assembly().add("1:15550199", first, Coding.GSM, b"old", MessageId("old"), 0))
    kept.keep(kept.assembly().add("1:15550199", first, Coding.GSM, b"new ", MessageId("new"), 5))
    kept.keep(kept.assembly().add("1:15550199", first, Coding.GSM, b"new ", MessageId("repeat"), 6))
    (over,) = kept.assembly().due(6)
    assert (over.message_id, over.text) == ("old", "old[...]")
    kept.keep(kept.assembly().add("1:15550199", second, Coding.GSM, b"text", MessageId("late"), 7))
    assert {(each.message_id, each.text) for each in kept.assembly().due(7)} == {
        ("old", "old[...]"),
        ("new", "new text"),
    }
    for each in kept.assembly().due(7):
        kept.keep(kept.assembly().forget(each))
    assert kept.records == {}


def test_what_is_missing_for_too_long_is_shown_as_it_is() -> None:
    kept = Kept()
    put(kept, "1:15550199", Concatenation(7, 4, 1, False), b"one ")
    put(kept, "1:15550199", Concatenation(7, 4, 3, False), " три".encode("utf-16-be"), Coding.UTF_16)
    assert kept.assembly().due(DAY - 1) == []
    assert [each.text for each in kept.assembly().due(DAY)] == ["one [...] три[...]"]
    assert [each.text for each in kept.assembly().due(-1)] == ["one [...] три[...]"]  # the clock was set back


def test_sr08_unfinished_messages_are_bounded_per_sender_and_in_all() -> None:
    kept = Kept()
    for number in range(5):
        put(kept, "1:15550199", Concatenation(number, 2, 1, False), b"x", now=number)
    assert [each.message_id for each in kept.assembly().due(9)] == ["of 1:15550199 0", "of 1:15550199 1"]
    for number in range(20):
        put(kept, f"5:NAME{number}", Concatenation(1, 2, 1, False), b"x", now=10 + number)
    due = kept.assembly().due(40)
    assert len(due) == 25 - 10
    assert "of 5:NAME19 1" not in {each.message_id for each in due}


def repeat(kept: Kept, digest: str, connection: str, fresh: str, now: int = 0) -> Any:
    taken, changes = kept.repeats().take(digest, connection, MessageId(fresh), now)
    kept.keep(changes)
    return taken.message_id, taken.again


def test_a_repeat_is_known_in_another_connection_until_it_was_confirmed() -> None:
    kept = Kept()
    assert repeat(kept, "ok", "A", "1") == ("1", False)
    assert repeat(kept, "ok", "A", "2") == ("2", False)
    assert {repeat(kept, "ok", "B", "3"), repeat(kept, "ok", "B", "4")} == {("1", True), ("2", True)}
    assert repeat(kept, "ok", "B", "5") == ("5", False)
    kept.keep(kept.repeats().confirm([MessageId("1"), MessageId("2"), MessageId("5")]))
    assert kept.records == {}
    assert repeat(kept, "ok", "C", "6") == ("6", False)


def test_what_is_not_repeated_soon_after_a_new_connection_is_over() -> None:
    kept = Kept()
    repeat(kept, "ok", "A", "1")
    repeats = kept.repeats()
    assert repeats.expire(10 * DAY) == {}  # away for days: it may still come
    repeats.bound("B", 10 * DAY)
    assert repeats.expire(10 * DAY + 599_999) == {}
    kept.keep(repeats.expire(10 * DAY + 600_000))
    assert repeat(kept, "ok", "B", "2") == ("2", False)


@pytest.mark.parametrize("most", [1, 5])
def test_sr08_what_may_be_repeated_is_bounded(most: int) -> None:
    kept = Kept()
    for number in range(20):
        _, changes = kept.repeats(most).take(f"d{number}", "A", MessageId(str(number)), number)
        kept.keep(changes)
    assert len(kept.records) == most
