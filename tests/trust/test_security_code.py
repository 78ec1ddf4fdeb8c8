"""The security code: what both phones show, and what it is worth against another key."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.errors import DecodeError
from letterlock.trust import matches, security_code
from letterlock.trust.security_code import libsignal_code
from trust.people import Owner

ANA, BEN = Owner.make("+15550100"), Owner.make("+15550101")
OURS = security_code(ANA.number, ANA.spki, BEN.number, BEN.spki)
THEIRS = security_code(BEN.number, BEN.spki, ANA.number, ANA.spki)


def test_both_phones_show_the_same_sixty_digits() -> None:
    assert OURS.digits == THEIRS.digits and len(OURS.digits) == 60 and OURS.digits.isdigit()
    assert "".join(OURS.groups) == OURS.digits and len(OURS.groups) == 12


def test_scanning_matches_crosswise_only() -> None:
    assert matches(OURS, THEIRS.scannable) and matches(THEIRS, OURS.scannable)
    assert not matches(OURS, OURS.scannable)  # a reflected code proves nothing


@pytest.mark.parametrize("which", ["key", "number"])
def test_another_key_or_number_gives_another_code(which: str) -> None:
    other = Owner.make("+15550101", "other") if which == "key" else Owner.make("+15550102")
    spki = other.spki if which == "key" else BEN.spki
    code = security_code(ANA.number, ANA.spki, other.number, spki)
    assert code.digits != OURS.digits and not matches(code, THEIRS.scannable)


def test_linking_a_device_does_not_change_the_code() -> None:
    owner = Owner.make("+15550100")
    owner.add(2)
    assert security_code(owner.number, owner.list.participant_spki, BEN.number, BEN.spki) == OURS


def test_a_code_of_another_version_never_matches() -> None:
    key = b"\x05" + bytes(range(32))
    signal = libsignal_code(b"a", key, b"b", key)
    with pytest.raises(DecodeError) as caught:
        matches(OURS, signal.scannable)
    assert caught.value.code == "security_code.version"


@given(st.binary(max_size=120))
def test_any_scanned_bytes_match_or_are_refused(data: bytes) -> None:
    try:
        assert matches(OURS, data) == (data == THEIRS.scannable)
    except DecodeError:
        assert data != THEIRS.scannable


def test_every_flipped_byte_of_a_scanned_code_fails() -> None:
    for place in range(len(THEIRS.scannable)):
        data = bytearray(THEIRS.scannable)
        data[place] ^= 1
        with contextlib.suppress(DecodeError):
            assert not matches(OURS, bytes(data))


def test_nothing_may_stand_behind_a_code_and_its_version_has_an_end() -> None:
    for odd in (THEIRS.scannable + b"\x00", b"\x08" + b"\x80" * 20 + THEIRS.scannable[2:]):
        with pytest.raises(DecodeError):
            matches(OURS, odd)
