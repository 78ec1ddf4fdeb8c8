"""What a leaf certificate may not be (RCC.16 A.3.8; rcc16.md 1.3): one test for each numbered rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from letterlock.codec import der
from letterlock.codec.tls import opaque, u64
from letterlock.codec.x509 import Extension
from letterlock.errors import InvalidRcc16
from letterlock.mls.wire.credential import Credential
from letterlock.rcc16.credentials import oids
from letterlock.rcc16.credentials.algorithms import HASHES
from letterlock.rcc16.credentials.checking import STRICT, TOLERANT
from letterlock.rcc16.credentials.extensions import (
    CRL_SIGN,
    DIGITAL_SIGNATURE,
    KEY_CERT_SIGN,
    certificate_policies_extension,
    extended_key_usage_extension,
    key_usage_extension,
)
from letterlock.rcc16.credentials.leaf import read_leaf
from letterlock.rcc16.credentials.numbers import subject_name
from letterlock.rcc16.credentials.participant import decode_participant_information
from rcc16.certificates import CRYPTO, DAY, NOW, Lab, key_pair
from rcc16.forging import ANA, check, forged, names_of
from rcc16.refusing import refuses

Act = Callable[[], object]
_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def _with(*extensions: Extension) -> dict[str, Extension | None]:
    return {extension.oid: extension for extension in extensions}


@pytest.mark.parametrize("policy", [STRICT, TOLERANT])
def test_the_forger_is_honest_where_nothing_is_asked_of_him(policy: object) -> None:
    lab = Lab()
    check(lab, forged(lab), policy=policy)()  # type: ignore[arg-type]


# --- subjectAltName ---------------------------------------------------------------------------------------------
@refuses(
    "RCC-A.3.8-01",
    names_of(),
    names_of(b"tel:+15550100", b"tel:+15550100"),
    names_of(b"sip:+15550100@example.test"),
    names_of(b"tel:15550100"),
    names_of(b"tel:+1555o100"),
    names_of(b"tel:+"),
    names_of(b"tel:+15550100\xff"),
    names_of(b"tel:+15550100", tag=0x82),
    b"\x30\x80",
)
def test_one_tel_uri_with_a_number(place: bytes) -> Act:
    lab = Lab()
    return check(lab, forged(lab, names=place))


@refuses("RCC-A.3.8-01")
def test_no_subject_alt_name_at_all() -> Act:
    lab = Lab()
    return check(lab, forged(lab, extensions={oids.SUBJECT_ALT_NAME: None}))


@pytest.mark.parametrize("uri", [b"tel:+15550100;phone-context=example", b"tel:+1-555-01.00", b"TEL:+1(555)0100"])
def test_a_number_may_be_written_in_other_ways(uri: bytes) -> None:
    lab = Lab()
    check(lab, forged(lab, names=names_of(uri)))()


@refuses("RCC-A.4.1-09")
def test_the_number_that_was_asked_for() -> Act:
    """SR-03, SR-04: a key package of somebody else under Ana's name."""
    lab = Lab()
    return check(lab, forged(lab, names=names_of(b"tel:+15550199")))


# --- key and usage ----------------------------------------------------------------------------------------------
@refuses("RCC-A.3.8-02", "ed25519", "compressed", "rsa")
def test_the_key_is_on_a_nist_curve(place: str) -> Act:
    lab = Lab()
    return check(lab, forged(lab, spki=_other_key(place)))


def _other_key(kind: str) -> bytes:
    if kind == "ed25519":
        public = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
        return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if kind == "compressed":
        point = ec.derive_private_key(7, ec.SECP256R1()).public_key()
        raw = point.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
        algorithm = der.sequence(
            der.object_identifier("1.2.840.10045.2.1"), der.object_identifier("1.2.840.10045.3.1.7")
        )
        return der.sequence(algorithm, der.bit_string(raw))
    algorithm = der.sequence(der.object_identifier("1.2.840.113549.1.1.1"), b"\x05\x00")
    return der.sequence(algorithm, der.bit_string(der.sequence(der.integer(1 << 2047 | 1), der.integer(65537))))


@refuses("RCC-A.3.8-03", "absent", "other", "two")
def test_extended_key_usage_is_exactly_one(place: str) -> Act:
    lab = Lab()
    server = "1.3.6.1.5.5.7.3.1"
    both = der.sequence(der.object_identifier(oids.MLS_CLIENT), der.object_identifier(server))
    other = {
        "absent": None,
        "other": extended_key_usage_extension(server),
        "two": Extension(oids.EXTENDED_KEY_USAGE, False, both),
    }[place]
    return check(lab, forged(lab, extensions={oids.EXTENDED_KEY_USAGE: other}))


@refuses("RCC-A.3.8-04", "absent", "not critical", "without", "signs certificates", "signs lists")
def test_key_usage_is_for_signing_messages(place: str) -> Act:
    lab = Lab()
    other = {
        "absent": None,
        "not critical": key_usage_extension(DIGITAL_SIGNATURE)._replace(critical=False),
        "without": key_usage_extension(1),
        "signs certificates": key_usage_extension(DIGITAL_SIGNATURE, KEY_CERT_SIGN),
        "signs lists": key_usage_extension(DIGITAL_SIGNATURE, CRL_SIGN),
    }[place]
    return check(lab, forged(lab, extensions={oids.KEY_USAGE: other}))


@refuses("RCC-A.3.8-06", "absent", "critical", "two", "qualified", "any")
def test_the_policy_alone(place: str) -> Act:
    lab = Lab()
    ours = der.object_identifier(oids.E2EE_POLICY)
    qualifier = der.sequence(der.sequence(der.object_identifier("1.3.6.1.5.5.7.2.1"), der.tagged(0x16, b"http://x")))
    other = {
        "absent": None,
        "critical": certificate_policies_extension(oids.E2EE_POLICY)._replace(critical=True),
        "two": Extension(
            oids.CERTIFICATE_POLICIES,
            False,
            der.sequence(der.sequence(ours), der.sequence(der.object_identifier(oids.ANY_POLICY))),
        ),
        "qualified": Extension(oids.CERTIFICATE_POLICIES, False, der.sequence(der.sequence(ours, qualifier))),
        "any": certificate_policies_extension(oids.ANY_POLICY),
    }[place]
    return check(lab, forged(lab, extensions={oids.CERTIFICATE_POLICIES: other}))


@refuses("RCC-A.3.8-07")
def test_a_leaf_is_no_issuer() -> Act:
    lab = Lab()
    constraints = Extension(oids.BASIC_CONSTRAINTS, True, der.sequence(der.boolean(True)))
    return check(lab, forged(lab, extensions=_with(constraints)))


def test_a_leaf_may_say_that_it_is_no_issuer() -> None:
    """As Google's do."""
    lab = Lab()
    check(lab, forged(lab, extensions=_with(Extension(oids.BASIC_CONSTRAINTS, True, der.sequence()))))()


# --- lifetime ---------------------------------------------------------------------------------------------------
@refuses("RCC-A.3.8-05")
def test_at_most_76_days() -> Act:
    lab = Lab()
    return check(lab, forged(lab, not_before=NOW - DAY, not_after=NOW + 75 * DAY + 1000))


def test_76_days_are_allowed() -> None:
    lab = Lab()
    check(lab, forged(lab, not_before=NOW - DAY, not_after=NOW + 75 * DAY))()


@refuses("RCC-A.4.1-10")
def test_30_days_left() -> Act:
    """rcc16.md 1.6."""
    lab = Lab()
    return check(lab, forged(lab, not_after=NOW + 30 * DAY - 1000))


def test_exactly_30_days_are_enough() -> None:
    lab = Lab()
    check(lab, forged(lab, not_after=NOW + 30 * DAY))()


# --- ParticipantInformation ---------------------------------------------------------------------------------------
def _parts(value: bytes) -> list[bytes]:
    reader = der.DerReader(value, max_bytes=9_999, max_depth=1).sequence()
    parts = []
    while reader.more():
        parts.append(reader.element())
    return parts


@refuses("RCC-A.3.8.9-01", "absent", "garbage", "short", "long")
def test_participant_information_is_there(place: str) -> Act:
    lab = Lab()
    if place == "absent":
        return check(lab, forged(lab, extensions={oids.PARTICIPANT_INFORMATION: None}))
    change = {
        "garbage": lambda value: b"\x30\x01",
        "short": lambda value: der.sequence(*_parts(value)[:4]),
        "long": lambda value: der.sequence(*_parts(value), der.integer(1)),
    }[place]
    return check(lab, forged(lab, participant=change))


@refuses("RCC-A.3.8.9-02")
def test_participant_information_is_critical() -> Act:
    lab = Lab()
    honest = forged(lab)
    value = read_leaf(honest).certificate.extension(oids.PARTICIPANT_INFORMATION)
    assert value is not None
    return check(lab, forged(lab, extensions=_with(value._replace(critical=False))))


@refuses("RCC-A.3.8.9-03", "past", "future")
def test_the_window_of_the_signature(place: str) -> Act:
    lab = Lab()
    window = (NOW - 9 * DAY, NOW - 1000) if place == "past" else (NOW + 1000, NOW + 9 * DAY)
    return check(lab, forged(lab, window=window), policy=TOLERANT)


@refuses("RCC-A.4.1.1-01")
def test_no_rolled_keys() -> Act:
    lab = Lab()
    rolls = der.context(0, der.sequence(), constructed=True)
    return check(lab, forged(lab, participant=lambda value: der.sequence(*_parts(value), rolls)), policy=TOLERANT)


@refuses("RCC-A.3.8.9-04", "md5", "parameters")
def test_the_algorithm_of_the_signature(place: str) -> Act:
    lab = Lab()
    ecdsa = der.object_identifier("1.2.840.10045.4.3.2")
    other = (
        der.sequence(ecdsa, b"\x05\x00")
        if place == "parameters"
        else der.sequence(der.object_identifier("1.2.840.113549.2.5"))
    )

    def change(value: bytes) -> bytes:
        parts = _parts(value)
        return der.sequence(*parts[:2], other, *parts[3:])

    return check(lab, forged(lab, participant=change))


@refuses("RCC-A.3.8.9-05", "subject", "vendor", "window", "key", "number", "signer")
def test_the_participant_signed_all_of_it(place: str) -> Act:
    """SR-04: whatever differs from what the participant saw."""
    lab = Lab()
    honest = read_leaf(forged(lab)).certificate.extension(oids.PARTICIPANT_INFORMATION)
    assert honest is not None
    parts = _parts(honest.value)
    if place == "subject":
        return check(lab, forged(lab, participant=honest.value, subject=subject_name("somebody else")))
    if place == "key":
        return check(lab, forged(lab, participant=honest.value, spki=key_pair("another leaf").spki))
    if place == "number":
        return check(lab, forged(lab, participant=honest.value, names=names_of(b"tel:+15550199")), of=None)
    other = {
        "vendor": [der.integer(77), *parts[1:]],
        "window": [parts[0], der.sequence(der.time(NOW - 2 * DAY), der.time(NOW + 89 * DAY)), *parts[2:]],
        "signer": [*parts[:4], key_pair("another participant").spki],
    }[place]
    return check(lab, forged(lab, participant=der.sequence(*other)))


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_the_participant_may_sign_with_every_sha2(hash_name: str) -> None:
    """SHA-384 over P-256 is its leftmost 32 bytes, which is the provider's matter."""
    lab = Lab()
    algorithm = next(a for a, name in HASHES.items() if name == hash_name)
    key = key_pair(f"participant {ANA}")
    private = ec.derive_private_key(int.from_bytes(key.private, "big"), ec.SECP256R1())
    leaf = read_leaf(forged(lab)).certificate

    def change(value: bytes) -> bytes:
        parts = _parts(value)
        names = leaf.extension(oids.SUBJECT_ALT_NAME)
        assert names is not None
        signed = der.sequence(leaf.subject, parts[0], parts[1], leaf.spki, names.value)
        signature = private.sign(signed, ec.ECDSA(_HASHES[hash_name]))
        return der.sequence(parts[0], parts[1], algorithm, der.bit_string(signature), parts[4])

    check(lab, forged(lab, participant=change))()


def test_a_participant_key_that_is_no_key() -> None:
    lab = Lab()
    with pytest.raises(InvalidRcc16) as refused:
        check(lab, forged(lab, participant=lambda value: der.sequence(*_parts(value)[:4], der.sequence())))()
    assert refused.value.rule == "RCC-A.3.8.9-05"


def test_participant_information_is_read_as_it_stands() -> None:
    lab = Lab()
    value = read_leaf(forged(lab)).certificate.extension(oids.PARTICIPANT_INFORMATION)
    assert value is not None
    read = decode_participant_information(value.value)
    assert (read.vendor_id, read.not_before, read.not_after) == (lab.vendor_id, NOW - DAY, NOW + 90 * DAY)
    assert not read.rolls
    assert read.participant_spki == key_pair(f"participant {ANA}").spki
    assert CRYPTO.p256_from_spki(read.participant_spki)


# --- the ACS's proof ------------------------------------------------------------------------------------------------
def _proof(value: bytes, critical: bool = False) -> dict[str, Extension | None]:
    return _with(Extension(oids.ACS_PARTICIPANT_INFORMATION, critical, value))


@refuses("RCC-A.3.8.10-01", b"", u64(1_900_000_000) + opaque(b"s") + b"x", u64(1_900_000_000) + b"\x40\x01s")
def test_the_proof_can_be_read(place: bytes) -> Act:
    lab = Lab()
    return check(lab, forged(lab, extensions=_proof(place)))


@refuses("RCC-A.3.8.10-02")
def test_the_proof_is_not_critical() -> Act:
    lab = Lab()
    return check(lab, forged(lab, extensions=_proof(u64(1_900_000_000) + opaque(b"s"), critical=True)))


@refuses("RCC-A.3.8.10-03", NOW // 1000, NOW // 1000 - 5)
def test_the_proof_has_not_expired(place: int) -> Act:
    """Good before that second, and never relaxed."""
    lab = Lab()
    return check(lab, forged(lab, extensions=_proof(u64(place) + opaque(b"s"))), policy=TOLERANT)


def test_a_proof_is_not_necessary_and_its_signature_is_nobodys_to_check() -> None:
    lab = Lab()
    check(lab, forged(lab, extensions={oids.ACS_PARTICIPANT_INFORMATION: None}))()
    check(lab, forged(lab, extensions=_proof(u64(NOW // 1000 + 1) + opaque(b"s"))))()


# --- what is relaxed, and what never is -------------------------------------------------------------------------------
def test_tolerance_relaxes_three_rules() -> None:
    lab = Lab()
    unknown = Extension("1.2.3.4", False, b"\x05\x00")
    for credential in (
        forged(lab, not_before=NOW - DAY, not_after=NOW + 300 * DAY, window=(NOW - DAY, NOW + 400 * DAY)),
        forged(lab, not_after=NOW + DAY),
        forged(lab, extensions=_with(unknown)),
    ):
        with pytest.raises(InvalidRcc16):
            check(lab, credential)()
        check(lab, credential, policy=TOLERANT)()


def test_tolerance_does_not_relax_expiry() -> None:
    lab = Lab()
    with pytest.raises(InvalidRcc16) as refused:
        check(lab, forged(lab, not_after=NOW - 1000), policy=TOLERANT)()
    assert refused.value.rule == "RCC-A.4.1-07"


def test_the_first_of_several_broken_rules_is_named() -> None:
    """The order of rcc16.md 1.5: path, use, key usage, number, lifetime, then ParticipantInformation."""
    lab = Lab()
    broken: dict[str, object] = {"not_after": NOW + 300 * DAY, "names": names_of(b"mailto:x")}
    extensions: dict[str, Extension | None] = {
        oids.EXTENDED_KEY_USAGE: None,
        oids.KEY_USAGE: None,
        oids.PARTICIPANT_INFORMATION: None,
    }
    mended: dict[str, object] = {
        "RCC-A.3.8-03": (oids.EXTENDED_KEY_USAGE,),
        "RCC-A.3.8-04": (oids.KEY_USAGE,),
        "RCC-A.3.8-01": ("names",),
        "RCC-A.3.8-05": ("not_after",),
        "RCC-A.3.8.9-01": (),
    }
    for rule, names in mended.items():
        credential: Credential = forged(lab, extensions=extensions, **broken)  # type: ignore[arg-type]
        with pytest.raises(InvalidRcc16) as refused:
            check(lab, credential)()
        assert refused.value.rule == rule
        for name in names:  # type: ignore[attr-defined]
            extensions.pop(name, None)
            broken.pop(name, None)
