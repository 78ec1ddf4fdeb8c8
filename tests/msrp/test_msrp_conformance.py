"""The table of tests/conformance/msrp.toml: every case gets its verdict, and when refused its code."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from conformance_cases import Case, load_cases
from letterlock.codec.msrp import Item, Limits, Lost, Malformed, MsrpParser, MsrpUri, Response
from letterlock.msrp import Connection, Disconnected, Session, SessionTable
from msrp.pair import SETTINGS

_CASES = load_cases("msrp")
_LIMITS = Limits(max_line=300, max_headers=24, max_path=6)
_TYPES = ("text/*", "message/cpim", "application/xhtml+xml")


def _first_error(items: list[Item]) -> str:
    return next((item.error.code for item in items if isinstance(item, (Malformed, Lost))), "")


def _endpoint_answer(data: bytes) -> str:
    """The code of what an endpoint says to it, empty when it has no objection."""
    table = SessionTable()
    for name in ("9di4eae923wzd", "iau39soe2843z"):
        local = MsrpUri("msrp", "here.example.com", 2855, name)
        table.add(Session(local, (MsrpUri.parse("msrp://peer.example.com:1/peer;tcp"),), _TYPES, 10_000, 2048))
    settings = replace(SETTINGS, limits=_LIMITS, max_gap_bytes=100)
    connection = Connection(settings, table, random.Random(1).randbytes, 0)
    connection.receive_data(data, 0)
    for event in connection.events():
        if isinstance(event, Disconnected):
            return event.code
    answers = MsrpParser(_LIMITS).feed(connection.data_to_send(1 << 20, 0))
    bad = [item for item in answers if isinstance(item, Response) and item.status >= 300]
    return f"msrp.status.{bad[0].status}" if bad else ""


def test_there_are_enough_cases() -> None:
    assert len(_CASES) >= 60
    assert sum(not case.accepted for case in _CASES) >= 50


@pytest.mark.parametrize("case", _CASES, ids=str)
def test_verdict(case: Case) -> None:
    parser = MsrpParser(_LIMITS)
    items = parser.feed(case.data)
    code = _first_error(items)
    if not code and case.options.get("at") != "parser":
        code = _endpoint_answer(case.data)
    assert code == case.code
    if case.accepted:
        assert items
        assert parser.idle


@pytest.mark.parametrize(
    "case", [case for case in _CASES if case.code.startswith("msrp.") and "status" not in case.code], ids=str
)
def test_a_malformed_request_is_answered_or_ends_the_connection_and_nothing_follows_from_it(case: Case) -> None:
    """RFC 4975 section 10.2; never a REPORT, and never an answer to an answer (section 7.1.2)."""
    item = next(item for item in MsrpParser(_LIMITS).feed(case.data) if isinstance(item, (Malformed, Lost)))
    said = _endpoint_answer(case.data)
    if isinstance(item, Lost):
        assert said == case.code
    elif item.request and item.from_path:
        assert said == "msrp.status.400"
    else:
        assert said == ""
