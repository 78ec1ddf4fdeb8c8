"""Dates against the standard library's calendar."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.dates import rfc3339, rfc3339_seconds


@given(st.integers(0, 253_402_300_799_999))
def test_every_time_is_written_as_the_calendar_has_it(instant: int) -> None:
    then = datetime.fromtimestamp(instant // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    assert rfc3339(instant) == f"{then}.{instant % 1000:03d}Z"
    assert rfc3339_seconds(instant) == f"{then}Z"


def test_what_no_document_can_say_is_the_nearest_that_one_can() -> None:
    assert rfc3339(-1) == rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339_seconds(1 << 62) == "9999-12-31T23:59:59Z"
