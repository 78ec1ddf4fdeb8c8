"""Strict DER and X.509 values (X.690, RFC 5280): exact bytes, round trips, and everything that has another spelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec import der
from letterlock.codec.der import DerReader, whole
from letterlock.codec.x509 import Extension, decode_certificate, decode_name, encode_certificate, encode_tbs
from letterlock.errors import DecodeError, InputError, LimitExceeded
from letterlock.rcc16.credentials import oids
from letterlock.rcc16.credentials.algorithms import ECDSA_SHA256
from letterlock.rcc16.credentials.numbers import subject_name
from rcc16.certificates import NOW, Lab, key_pair

YEAR_2050 = 2_524_608_000_000


def _read(data: bytes, read: Callable[[DerReader], Any]) -> Any:
    return whole(data, read, max_bytes=1 << 16, max_depth=3)


# --- values of rcc16.md 11.7 and 1.2 ----------------------------------------------------------------------------------
def test_the_object_identifiers_of_the_gsma() -> None:
    names = (
        oids.E2EE_POLICY,
        oids.MLS_CLIENT,
        oids.PARTICIPANT_INFORMATION,
        oids.ACS_PARTICIPANT_INFORMATION,
        oids.VENDOR_ID,
    )
    for last, name in enumerate(names, 2):
        encoded = der.object_identifier(name)
        assert encoded == bytes.fromhex(f"06066781120201{last:02x}")
        assert _read(encoded, DerReader.object_identifier) == name


def test_the_algorithm_identifier() -> None:
    assert bytes.fromhex("300a06082a8648ce3d040302") == ECDSA_SHA256
    assert der.sequence(der.object_identifier("1.2.840.10045.4.3.2")) == ECDSA_SHA256


def test_utc_time() -> None:
    assert der.time(1_785_369_600_000) == b"\x17\x0d260730000000Z"
    assert _read(b"\x17\x0d260730000000Z", DerReader.time) == 1_785_369_600_000


# --- round trips ------------------------------------------------------------------------------------------------------
@given(st.integers(-(1 << 200), 1 << 200))
def test_integers(value: int) -> None:
    encoded = der.integer(value)
    assert _read(encoded, DerReader.integer) == value
    assert len(encoded) == 2 or encoded[2:4] not in (b"\x00\x00", b"\xff\xff")


@given(st.integers(0, 253_402_300_799).map(lambda seconds: seconds * 1000))
def test_times(instant: int) -> None:
    encoded = der.time(instant)
    assert encoded[0] == (der.UTC_TIME if instant < YEAR_2050 else der.GENERALIZED_TIME)
    assert _read(encoded, DerReader.time) == instant


def test_times_have_whole_seconds_and_bounds() -> None:
    assert der.time(1_999) == der.time(1_000)
    for instant in (-1, 253_402_300_800_000):
        with pytest.raises(InputError):
            der.time(instant)


@given(st.integers(0, 2), st.lists(st.integers(0, 1 << 100), min_size=1, max_size=4))
def test_object_identifiers(first: int, arcs: list[int]) -> None:
    if first < 2:
        arcs[0] %= 40
    name = ".".join(map(str, [first, *arcs]))
    assert _read(der.object_identifier(name), DerReader.object_identifier) == name


@given(st.frozensets(st.integers(0, 40)))
def test_named_bits(bits: frozenset[int]) -> None:
    assert _read(der.named_bits(bits), DerReader.named_bits) == bits


@given(st.binary(max_size=70_000))
def test_octets_of_any_length(value: bytes) -> None:
    encoded = der.octet_string(value)
    assert whole(encoded, DerReader.octet_string, max_bytes=1 << 17, max_depth=0) == value


def test_sets_are_sorted() -> None:
    assert der.set_of((der.integer(2), der.integer(1))) == b"\x31\x06\x02\x01\x01\x02\x01\x02"


@given(
    serial=st.integers(1, 1 << 158),
    start=st.integers(0, 4_000_000_000),
    lifetime=st.integers(0, 4_000_000_000),
    name=st.text(min_size=1, max_size=64),
    values=st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), min_size=1, max_size=5),
)
def test_certificates(serial: int, start: int, lifetime: int, name: str, values: list[tuple[bool, bytes]]) -> None:
    name = name.encode("utf-8", "replace").decode()
    extensions = [Extension(f"1.2.3.{n}", critical, value) for n, (critical, value) in enumerate(values)]
    fields: dict[str, Any] = {
        "serial": serial,
        "algorithm": ECDSA_SHA256,
        "issuer": subject_name(name),
        "not_before": start * 1000,
        "not_after": (start + lifetime) * 1000,
        "subject": subject_name(name[::-1]),
        "spki": key_pair("x").spki,
        "extensions": extensions,
    }
    tbs = encode_tbs(**fields)
    encoded = encode_certificate(tbs, ECDSA_SHA256, b"signature")
    read = decode_certificate(encoded, max_bytes=len(encoded))
    assert (read.tbs, read.signature, read.version, read.der) == (tbs, b"signature", 3, encoded)
    assert {field: getattr(read, field) for field in fields} == {**fields, "extensions": tuple(extensions)}
    assert read.issuer_name[0][0].value.decode() == name
    assert read.extension("1.2.3.0") == extensions[0]
    assert read.extension("1.2.4") is None
    assert read == decode_certificate(encoded, max_bytes=len(encoded)) and hash(read) == hash(encoded)


# --- other spellings ------------------------------------------------------------------------------------------------------
def _descend(reader: DerReader) -> None:
    for _ in range(5):
        reader = reader.sequence()


_BAD: dict[str, list[tuple[str, Callable[[DerReader], Any]]]] = {
    "der.truncated": [
        ("", DerReader.integer),
        ("02", DerReader.integer),
        ("0202 01", DerReader.integer),
        ("0281", DerReader.integer),
        ("028200", DerReader.integer),
        ("", DerReader.any),
        ("3003 0202 01", lambda reader: reader.sequence().integer()),
    ],
    "der.tag": [("0301 00", DerReader.integer), ("1f81 01 00", DerReader.any), ("bf01 00", DerReader.element)],
    "der.length": [
        ("0280", DerReader.integer),
        ("028101 05", DerReader.integer),
        ("0282 0001 05", DerReader.integer),
        ("0285 0000000001 05", DerReader.integer),
        ("02ff", DerReader.integer),
    ],
    "der.trailing": [("0201 05 00", DerReader.integer)],
    "der.integer": [("0200", DerReader.integer), ("0202 0001", DerReader.integer), ("0202 ff80", DerReader.integer)],
    "der.boolean": [("0100", DerReader.boolean), ("0101 01", DerReader.boolean), ("0102 ff00", DerReader.boolean)],
    "der.bit_string": [
        ("0300", DerReader.bit_string),
        ("0302 01fe", DerReader.bit_string),
        ("0300", DerReader.named_bits),
        ("0301 01", DerReader.named_bits),
        ("0302 08ff", DerReader.named_bits),
        ("0302 0000", DerReader.named_bits),
        ("0302 0680", DerReader.named_bits),
        ("0302 07ff", DerReader.named_bits),
        ("0342 00" + "ff" * 65, DerReader.named_bits),
    ],
    "der.object_identifier": [
        ("0600", DerReader.object_identifier),
        ("0602 8001", DerReader.object_identifier),
        ("0603 2a8001", DerReader.object_identifier),
        ("0602 2a81", DerReader.object_identifier),
        ("0641" + "01" * 65, DerReader.object_identifier),
    ],
    "der.time": [
        (f"{tag:02x}{len(text):02x}" + text.encode().hex(), DerReader.time)
        for tag, text in (
            (der.UTC_TIME, "2607300000Z"),
            (der.UTC_TIME, "260730000000+0000"),
            (der.UTC_TIME, "260230000000Z"),
            (der.UTC_TIME, "261330000000Z"),
            (der.UTC_TIME, "260730240000Z"),
            (der.UTC_TIME, "260730000060Z"),
            (der.UTC_TIME, "691231235959Z"),
            (der.UTC_TIME, "26073000000xZ"),
            (der.GENERALIZED_TIME, "20260730000000Z"),
            (der.GENERALIZED_TIME, "20500730000000.5Z"),
            (der.GENERALIZED_TIME, "205007300000Z"),
            (der.OCTET_STRING, "260730000000Z"),
        )
    ],
    "der.depth": [("3008300630043002" + "3000", _descend)],
}


@pytest.mark.parametrize(
    ("code", "data", "read"), [(code, data, read) for code, cases in _BAD.items() for data, read in cases]
)
def test_what_is_not_der(code: str, data: str, read: Callable[[DerReader], Any]) -> None:
    """SR-09."""
    with pytest.raises(DecodeError) as refused:
        _read(bytes.fromhex(data.replace(" ", "")), read)
    assert refused.value.code == code


def test_the_size_is_looked_at_first() -> None:
    """SR-08."""
    with pytest.raises(LimitExceeded):
        DerReader(bytes(11), max_bytes=10, max_depth=1)


@pytest.mark.parametrize(
    "text", ["", "1", "3.1", "1.40", "1.2.", "1.02", "a.b", "1.2." + "9" * 40, "1.2" + ".99999999" * 30]
)
def test_what_is_no_object_identifier(text: str) -> None:
    with pytest.raises(InputError):
        der.object_identifier(text)


# --- certificates that are not written as RFC 5280 has them ---------------------------------------------------------------
def _parts(tbs: bytes) -> list[bytes]:
    reader = DerReader(tbs, max_bytes=9_999, max_depth=1).sequence()
    parts = []
    while reader.more():
        parts.append(reader.element())
    return parts


def _extension(oid: str, *middle: bytes) -> bytes:
    return der.sequence(der.object_identifier(oid), *middle, der.octet_string(b""))


def _listed(*extensions: bytes) -> bytes:
    return der.context(3, der.sequence(*extensions), constructed=True)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("x509.version", lambda p: [der.context(0, der.integer(0), constructed=True), *p[1:]]),
        ("x509.version", lambda p: [der.context(0, der.integer(3), constructed=True), *p[1:]]),
        ("x509.version", lambda p: [der.context(0, der.integer(1), constructed=True), *p[1:]]),
        ("x509.version", lambda p: p[1:]),
        ("der.tag", lambda p: [*p[:-1], der.context(1, b"\x00id", constructed=False), p[-1]]),
        ("der.trailing", lambda p: [*p, der.integer(1)]),
        ("x509.extension", lambda p: [*p[:-1], _listed()]),
        ("x509.extension", lambda p: [*p[:-1], _listed(_extension("1.2.3"), _extension("1.2.3"))]),
        ("x509.extension", lambda p: [*p[:-1], _listed(_extension("1.2.3", der.boolean(False)))]),
        ("der.trailing", lambda p: [*p[:-1], _listed(_long())]),
        ("der.integer", lambda p: [p[0], b"\x02\x00", *p[2:]]),
        ("der.truncated", lambda p: p[:5]),
    ],
)
def test_what_is_no_certificate(code: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    honest = Lab().client_ca.certificate
    tbs = der.sequence(*change(_parts(honest.tbs)))
    with pytest.raises(DecodeError) as refused:
        decode_certificate(encode_certificate(tbs, honest.algorithm, honest.signature), max_bytes=9_999)
    assert refused.value.code == code


def _long() -> bytes:
    return der.sequence(der.object_identifier("1.2.3"), der.octet_string(b""), der.integer(1))


def test_names_are_sorted_sets() -> None:
    a, b = (der.sequence(der.object_identifier("2.5.4.3"), der.utf8_string(text)) for text in "ab")
    assert len(decode_name(der.sequence(der.set_of((b, a))))[0]) == 2
    for broken in (der.sequence(der.tagged(der.SET, b + a)), der.sequence(der.tagged(der.SET, b""))):
        with pytest.raises(DecodeError) as refused:
            decode_name(broken)
        assert refused.value.code == "x509.name"


def test_a_certificate_over_its_bound() -> None:
    with pytest.raises(LimitExceeded):
        decode_certificate(Lab().enrol("+15550100").chain[0], max_bytes=500)


def test_times_at_the_turn_of_forms() -> None:
    lab = Lab(now=YEAR_2050 - 4_000_000_000)
    root = lab.root.certificate
    assert root.not_before < YEAR_2050 <= root.not_after
    assert root.not_before > NOW
