"""The gateway's rules on both databases: the tables alone, without sockets, on a clock that stands still."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from gateway.lab import ANA, SECRET
from letterlock.carriage import NetworkResult
from letterlock.codec.gateway import GapReason
from letterlock.crypto.pyca import Pyca
from letterlock.errors import GatewayError
from letterlock.services.gateway.limits import GatewayLimits
from letterlock.services.gateway.logic import Enrolment, Office
from letterlock.services.gateway.sealing import Sealer
from letterlock.services.gateway.tables import Tables

NOW = 1_800_000_000_000
LIMITS = GatewayLimits(max_messages=4, max_bytes=1_000, max_total_bytes=2_000, page=3, page_bytes=250)
PHONE = Enrolment(ANA, "0b6f1f3c-0000-4000-8000-000000000001", "t" * 43, "user", "password")


@pytest.fixture
def tables(database: str) -> Iterator[Tables]:
    opened = Tables(database)
    opened.connection.begin()
    yield opened
    opened.connection.commit()
    opened.close()


@pytest.fixture
def office() -> Office:
    return Office(LIMITS, Sealer(SECRET, Pyca(), random.Random(1).randbytes))


def enrolled(office: Office, tables: Tables) -> int:
    return office.enrol(tables, PHONE, NOW, random.Random(2).randbytes)[0].id


def test_an_enrolment_is_idempotent_and_its_password_comes_back(office: Office, tables: Tables) -> None:
    rng = random.Random(2).randbytes
    first, changed, _ = office.enrol(tables, PHONE, NOW, rng)
    again, changed_again, _ = office.enrol(tables, PHONE, NOW + 1, rng)
    assert (changed, changed_again) == (True, False)
    assert first == again
    assert office.credentials(tables, first) == ("user", "password")
    sealed = tables.credentials(first.id)
    assert sealed is not None and b"password" not in sealed.sealed


def test_an_inbox_from_its_first_message_to_its_last(office: Office, tables: Tables) -> None:
    device = enrolled(office, tables)
    frames = [bytes([at]) * 100 for at in range(4)]
    assert [office.arrived(tables, device, frame, NOW) for frame in frames] == [1, 2, 3, 4]
    opened = office.linked(tables, device, None, 0, b"[]", NOW, random.Random(3).randbytes)
    assert (opened.cursor, opened.newest) == (0, 4)
    page = office.page(tables, device, 0)
    assert [stored.frame for stored in page.messages] == frames[:2]  # no more bytes than that at once
    assert (page.gap, page.newest) == (0, 4)
    office.tidy(tables, device, 3, [])
    assert [stored.cursor for stored in office.page(tables, device, 3).messages] == [4]
    assert tables.total() == 100


def test_sr08_the_oldest_make_room_and_the_whole_has_a_bound(office: Office, tables: Tables) -> None:
    device = enrolled(office, tables)
    for at in range(6):
        office.arrived(tables, device, bytes([at]) * 100, NOW)
    page = office.page(tables, device, 0)
    assert (page.gap, page.reason, [stored.cursor for stored in page.messages]) == (2, GapReason.OVERFLOW, [3, 4])
    office.arrived(tables, device, bytes(900), NOW)
    assert tables.total() == 1_000
    with pytest.raises(GatewayError) as refused:
        office.arrived(tables, device, bytes(1_001), NOW)
    assert refused.value.code == "gateway.full"


def test_answers_are_remembered_until_they_are_settled_or_old(office: Office, tables: Tables) -> None:
    device = enrolled(office, tables)
    accepted, refused = NetworkResult(True, 200, "OK"), NetworkResult(False, 503, "busy", 1_000)
    office.remember(tables, device, b"1" * 16, refused, NOW)
    office.remember(tables, device, b"1" * 16, accepted, NOW + 1)  # a new attempt after the first was settled
    office.remember(tables, device, b"2" * 16, refused, NOW + 2)
    assert tables.results(device) == [(b"1" * 16, NOW + 1, accepted), (b"2" * 16, NOW + 2, refused)]
    office.tidy(tables, device, 0, [b"1" * 16])
    assert [request for request, _, _ in tables.results(device)] == [b"2" * 16]
    office.purge(tables, [], NOW + LIMITS.result_ms + 3)
    assert tables.results(device) == []


def test_retention_leaves_nothing(office: Office, tables: Tables) -> None:
    device = enrolled(office, tables)
    office.linked(tables, device, None, 0, b"[]", NOW, random.Random(3).randbytes)
    office.arrived(tables, device, bytes(100), NOW)
    tables.set_conferences(device, {"a": "sip:a@h.test", "b": "sip:b@h.test"})
    tables.set_conferences(device, {"a": None, "b": "sip:c@h.test"})
    assert tables.conferences(device) == {"b": "sip:c@h.test"}
    assert office.purge(tables, [device], NOW + LIMITS.known_ms + 1) == []  # it is linked
    page = office.page(tables, device, 0)
    assert (page.gap, page.reason, page.messages) == (1, GapReason.EXPIRED, [])
    office.arrived(tables, device, bytes(100), NOW)
    gone = office.purge(tables, [], NOW + 2 * LIMITS.known_ms + 2)
    assert [each.id for each in gone] == [device]
    assert tables.devices() == [] and tables.total() == 0 and tables.conferences(device) == {}


def test_a_cursor_of_the_future(office: Office, tables: Tables) -> None:
    device = enrolled(office, tables)
    rng = random.Random(3).randbytes
    first = office.linked(tables, device, None, 0, b"[]", NOW, rng)
    other = office.linked(tables, device, first.inbox, 7, b"[]", NOW, rng)
    assert other.inbox != first.inbox and other.cursor == 0
    assert office.linked(tables, device, first.inbox, 7, b"[]", NOW, rng) == other
