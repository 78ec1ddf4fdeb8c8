"""What is signed beside certificates: trust anchors, the ACS's proof, requests to the KDS, claimed key packages.

RCC.16 A.3.8.10, A.4.2, 7.12; rcc16.md 1.3, 1.7 to 1.9. One test for each numbered rule, and the values of rcc16.md 11.7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.deterministic import seeded_rng
from letterlock.codec import der
from letterlock.codec.tls import opaque
from letterlock.errors import DecodeError, InputError, InvalidRcc16, LimitExceeded
from letterlock.ids import Number, number
from letterlock.mls.key_packages import LAST_RESORT_EXTENSION, make_key_package
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.message import encode_message
from letterlock.rcc16.credentials.anchors import TrustAnchors, accept_anchor_list, decode_anchor_list, sign_anchor_list
from letterlock.rcc16.credentials.checking import FOLLOWING, TOLERANT
from letterlock.rcc16.credentials.issuing import Issuer, issue_ca, issue_leaf, issue_root, new_serial
from letterlock.rcc16.credentials.labels import ANCHOR_LIST, IDENTITY_PROOF, LEAF_POSSESSION
from letterlock.rcc16.credentials.leaf import certified_number, expires_at, lasts_30_days, participant_key, read_leaf
from letterlock.rcc16.credentials.numbers import digits, number_of_tel, subject_alt_name, subject_name, tel_uri
from letterlock.rcc16.credentials.packages import check_claimed
from letterlock.rcc16.credentials.participant import participant_information
from letterlock.rcc16.credentials.proof import IdentityProof, check_proof, decode_proof, issue_proof
from letterlock.rcc16.credentials.request import check_request
from letterlock.trust import labels as trust_labels
from mls.malformed import key_package, leaf
from rcc16.certificates import CRYPTO, DAY, HOME_KDS, NOW, VENDOR, Identity, Lab, key_pair
from rcc16.forging import ANA, names_of
from rcc16.refusing import refuses

Act = Callable[[], object]
SIGNER = key_pair("anchor signer")


# --- trust anchors ------------------------------------------------------------------------------------------------
def _accept(data: bytes, *, generation: int, held: TrustAnchors | None = None, signer: bytes = SIGNER.spki) -> Act:
    return lambda: accept_anchor_list(data, signer_spki=signer, generation=generation, held=held, crypto=CRYPTO)


def _anchors(generation: int, *names: str, revoked: tuple[int, ...] = ()) -> TrustAnchors:
    return TrustAnchors(generation, tuple(Lab(name).root.certificate.der for name in names), frozenset(revoked))


def test_a_list_replaces_the_one_before() -> None:
    """A withdrawn anchor stays withdrawn (rcc16.md 1.7)."""
    held = _anchors(4, "a", "b", revoked=(7,))
    new = _anchors(5, "b", "c", revoked=(9, -1, 1 << 159))
    assert _accept(sign_anchor_list(new, SIGNER.sign), generation=5, held=held)() == new


@refuses("RCC-P.1.7-01", "other signer", "changed")
def test_the_list_is_signed(place: str) -> Act:
    data = sign_anchor_list(_anchors(5, "a"), SIGNER.sign)
    if place == "changed":
        data = data.replace((5).to_bytes(8, "big"), (6).to_bytes(8, "big"))
        return _accept(data, generation=6)
    return _accept(data, generation=5, signer=key_pair("other").spki)


@refuses("RCC-P.1.7-02", 4, 6)
def test_the_generation_that_was_asked_for(place: int) -> Act:
    return _accept(sign_anchor_list(_anchors(5, "a"), SIGNER.sign), generation=place)


@refuses("RCC-P.1.7-03")
def test_no_older_generation() -> Act:
    """SR-22: an old list would bring a withdrawn anchor back."""
    return _accept(sign_anchor_list(_anchors(5, "a"), SIGNER.sign), generation=5, held=_anchors(6, "b"))


@refuses("RCC-P.1.7-04")
def test_one_generation_has_one_content() -> Act:
    return _accept(sign_anchor_list(_anchors(5, "a"), SIGNER.sign), generation=5, held=_anchors(5, "b"))


def test_the_same_list_again() -> None:
    held = _anchors(5, "a")
    assert _accept(sign_anchor_list(held, SIGNER.sign), generation=5, held=held)() == held


@pytest.mark.parametrize(
    "body",
    [
        b"",
        (5).to_bytes(8, "big") + opaque(opaque(b"no certificate")) + opaque(b""),
        (5).to_bytes(8, "big") + opaque(b"") + opaque(opaque(der.integer(7)) * 2),
        (5).to_bytes(8, "big") + opaque(b"") + opaque(opaque(b"\x02\x02\x00\x01")),
        (5).to_bytes(8, "big") + opaque(opaque(Lab("a").root.certificate.der) * 2) + opaque(b""),
    ],
)
def test_what_is_no_list(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_anchor_list(opaque(body) + opaque(SIGNER.sign(body)))


def test_a_list_is_bounded() -> None:
    """SR-08."""
    with pytest.raises(LimitExceeded):
        decode_anchor_list(bytes(1 << 19))


def test_anchors_travel_as_entries() -> None:
    anchors = _anchors(5, "a", "b", revoked=(1, 99))
    assert TrustAnchors.of(anchors.entries()) == anchors
    assert TrustAnchors.of(anchors.certificates) == TrustAnchors(0, anchors.certificates)
    assert TrustAnchors.of(()) == TrustAnchors()
    for entries in ((b"\x30\x00",), (*anchors.entries(), b"x"), (b"",), (der.sequence(der.integer(1)),)):
        with pytest.raises(DecodeError):
            TrustAnchors.of(entries)


# --- the proof ------------------------------------------------------------------------------------------------------
def test_the_proof_as_recorded() -> None:
    """rcc16.md 11.7: the prefix of a real one, its time, and how long after the leaf that was."""
    prefix = bytes.fromhex("000000006ac2c4284047")
    proof = decode_proof(prefix + bytes(71))
    assert proof.expires == 1_791_149_096
    assert proof.expires - 1_789_766_788 == 1_382_308
    assert len(proof.encode()) == 81
    assert proof.encode() == prefix + bytes(71)


PROOF = {"number": ANA, "participant_spki": key_pair("p").spki, "home_kds": HOME_KDS}
ACS = key_pair("acs")


def _check_proof(**changes: Any) -> Act:
    proof = decode_proof(issue_proof(ANA, key_pair("p").spki, HOME_KDS, NOW // 1000 + 60, ACS.sign))
    values: dict[str, Any] = {**PROOF, "acs_spki": ACS.spki, "crypto": CRYPTO, "now": NOW, "proof": proof, **changes}
    return lambda: check_proof(values.pop("proof"), **values)


def test_a_proof_holds() -> None:
    _check_proof()()


@refuses(
    "RCC-7.12-01",
    {"number": number("+15550199")},
    {"participant_spki": key_pair("q").spki},
    {"home_kds": "kds.example.org"},
    {"acs_spki": key_pair("another acs").spki},
    {"proof": IdentityProof(NOW // 1000 + 61, b"")},
)
def test_the_acs_signed_all_of_it(place: dict[str, Any]) -> Act:
    """SR-21."""
    return _check_proof(**place)


@refuses("RCC-7.12-02", NOW + 60_000, NOW + 90_000)
def test_a_proof_ends(place: int) -> Act:
    return _check_proof(now=place)


def test_a_proof_is_bounded() -> None:
    with pytest.raises(LimitExceeded):
        decode_proof(bytes(2_000))


# --- requests -------------------------------------------------------------------------------------------------------
def _ask(lab: Lab, *, of: Number = ANA, vendor_id: int = VENDOR, now: int = NOW, **changes: Any) -> Act:
    request = lab.request(ANA, **changes)
    acs, crypto = lab.acs_key.spki, CRYPTO
    return lambda: check_request(
        request, number=of, vendor_id=vendor_id, home_kds=HOME_KDS, acs_spki=acs, now=now, crypto=crypto
    )


def test_a_request_is_accepted_and_goes_in_verbatim() -> None:
    lab = Lab()
    _ask(lab)()
    request = lab.request(ANA)
    certificate = read_leaf(Credential.x509(lab.issue(request))).certificate
    assert certificate.subject == request.subject
    values = {extension.oid: extension.value for extension in certificate.extensions}
    assert values["2.5.29.17"] == request.subject_alt_name
    assert values["2.23.146.2.1.4"] == request.participant_information
    assert values["2.23.146.2.1.5"] == request.proof


def test_one_key_for_both_needs_no_second_signature() -> None:
    """As LineageOS enrols."""
    _ask(Lab(), leaf=key_pair(f"participant {ANA}"), leaf_pop=b"")()


@refuses("RCC-P.1.8-01", b"", key_pair("other").sign(b"tel:+15550100"))
def test_csr_pop(place: bytes) -> Act:
    return _ask(Lab(), csr_pop=place)


def test_csr_pop_is_over_number_and_point() -> None:
    request = Lab().request(ANA)
    CRYPTO.p256_verify(request.participant_public, b"tel:+15550100" + request.participant_public, request.csr_pop)


@refuses("RCC-P.1.8-02", "nothing", "another's")
def test_leaf_pop(place: str) -> Act:
    """SR-04: Ben's leaf key is not certified for Ana."""
    lab = Lab()
    if place == "nothing":
        return _ask(lab, leaf_pop=b"")
    ben = lab.request("+15550199")
    return _ask(lab, leaf=key_pair("leaf +15550199 1"), leaf_pop=ben.leaf_pop)


@refuses(
    "RCC-P.1.8-03",
    der.sequence(),
    subject_name(""),
    subject_name("x" * 65),
    der.sequence(der.set_of((der.sequence(der.object_identifier("2.5.4.3"), der.tagged(0x13, b"printable")),))),
    der.sequence(der.set_of((der.sequence(der.object_identifier("2.5.4.3"), der.tagged(0x0C, b"\xff")),))),
    der.sequence(der.set_of((der.sequence(der.object_identifier("2.5.4.10"), der.utf8_string("org")),))),
    der.sequence(*(der.set_of((der.sequence(der.object_identifier("2.5.4.3"), der.utf8_string("a")),)),) * 2),
)
def test_the_subject_is_a_client_id(place: bytes) -> Act:
    return _ask(Lab(), subject=place)


@refuses("RCC-P.1.8-04", "number", "name", "form")
def test_the_authenticated_number(place: str) -> Act:
    """SR-21."""
    lab = Lab()
    if place == "number":
        return _ask(lab, of=number("+15550199"))
    other = subject_alt_name(number("+15550199")) if place == "name" else names_of(b"tel:+1-555-0100")
    return _ask(lab, subject_alt_name=other)


def _information(**changes: Any) -> bytes:
    lab = Lab()
    request = lab.request(ANA)
    key = key_pair(f"participant {ANA}")
    values: dict[str, Any] = {
        "subject": request.subject,
        "subject_alt_name": request.subject_alt_name,
        "leaf_spki": key_pair(f"leaf {ANA} 1").spki,
        "vendor_id": VENDOR,
        "not_before": NOW - DAY,
        "not_after": NOW + DAY,
        "participant_spki": key.spki,
        "sign": key.sign,
        **changes,
    }
    return participant_information(**values)


@refuses("RCC-P.1.8-05", "garbage", "another key")
def test_participant_information_of_the_participant(place: str) -> Act:
    other = key_pair("another participant")
    value = b"\x30\x00" if place == "garbage" else _information(participant_spki=other.spki, sign=other.sign)
    return _ask(Lab(), participant_information=value)


@refuses("RCC-P.1.8-06", "signature", "window")
def test_participant_information_holds(place: str) -> Act:
    changes: dict[str, Any] = {"leaf_spki": key_pair("x").spki} if place == "signature" else {"not_after": NOW - 1}
    return _ask(Lab(), participant_information=_information(**changes))


@refuses("RCC-P.1.8-07")
def test_the_vendor_of_the_kds() -> Act:
    return _ask(Lab(), vendor_id=2)


@refuses("RCC-P.1.8-08")
def test_the_proof_in_a_request_can_be_read() -> Act:
    return _ask(Lab(), proof=b"\x00")


@refuses("RCC-7.12-01")
def test_the_proof_in_a_request_holds() -> Act:
    lab = Lab()
    return _ask(lab, proof=Lab("another network").proof(ANA, key_pair(f"participant {ANA}").spki))


# --- issuing --------------------------------------------------------------------------------------------------------
def test_issuers_keep_to_their_limits() -> None:
    lab = Lab()
    request, key = lab.request(ANA), key_pair("x")
    with pytest.raises(InputError):
        issue_leaf(lab.client_ca, request, serial=1, now=NOW, lifetime_ms=76 * DAY + 1)
    with pytest.raises(InputError):
        issue_ca(lab.root, name="x", spki=key.spki, path_length=0, serial=1, now=NOW, lifetime_ms=1_828 * DAY)
    with pytest.raises(InputError):
        issue_ca(lab.root, name="x", spki=b"no key", path_length=0, serial=1, now=NOW, lifetime_ms=DAY)
    root: dict[str, Any] = {"name": "x", "sign": key.sign, "vendor_id": 1, "serial": 1, "now": NOW}
    with pytest.raises(InputError):
        issue_root(**root, spki=key.spki, lifetime_ms=3_653 * DAY)
    with pytest.raises(InputError):
        issue_root(**root, spki=b"", lifetime_ms=DAY)
    with pytest.raises(InputError):
        Issuer.of(lab.root.certificate.der, key.sign, b"\x30\x00")
    with pytest.raises(DecodeError):
        Issuer.of(b"", key.sign)


def test_nothing_outlives_its_issuer() -> None:
    lab = Lab()
    late = lab.client_ca.certificate.not_after - 20 * DAY
    leaf = read_leaf(Credential.x509(lab.issue(lab.request(ANA, now=late), now=late)))
    assert leaf.certificate.not_after == lab.client_ca.certificate.not_after


def test_serial_numbers_are_positive_and_short() -> None:
    rng = seeded_rng("serials")
    serials = {new_serial(rng) for _ in range(200)}
    assert len(serials) == 200
    assert all(0 < serial < 1 << 128 for serial in serials)
    assert new_serial(bytes) == 1


# --- what a leaf says ---------------------------------------------------------------------------------------------------
def test_what_a_credential_says() -> None:
    lab = Lab()
    person = lab.enrol(ANA, device=3)
    assert certified_number(person.credential) == ANA
    assert participant_key(person.credential) == person.participant.spki
    leaf = read_leaf(person.credential)
    assert leaf.certificate.subject == person.request.subject
    assert leaf.key.point == person.leaf.public
    assert leaf.proof is not None


@pytest.mark.parametrize(("end", "days"), [("leaf", 40), ("issuer", 40), ("window", 40), ("proof", 40)])
def test_the_floor_is_by_whatever_ends_first(end: str, days: int) -> None:
    """rcc16.md 1.6: judged by the certificates, 30 days from now."""
    lab = Lab()
    if end == "issuer":
        lab.client_ca = lab.authority(lab.ica, "short", key_pair("short"), path_length=0, days=days + 1)
    changes: dict[str, Any] = {"window": (NOW, NOW + days * DAY)} if end == "window" else {}
    if end == "proof":
        changes["proof"] = lab.proof(ANA, key_pair(f"participant {ANA}").spki, days=days)
    chain = lab.issue(lab.request(ANA, **changes), days=days if end == "leaf" else 75)
    credential = Credential.x509(chain)
    last = expires_at(credential)
    assert abs(last - (NOW + days * DAY)) <= DAY
    assert lasts_30_days(credential, last - 30 * DAY)
    assert not lasts_30_days(credential, last - 30 * DAY + 1)


# --- claimed key packages -------------------------------------------------------------------------------------------------
def _claimed(person: Identity, message: bytes, *, now: int = NOW, of: Number = ANA) -> Act:
    return lambda: check_claimed(message, of, person.authentication, now, max_bytes=1 << 16)


def _package(person: Identity, **options: Any) -> bytes:
    return make_key_package(person.client, NOW, seeded_rng("package"), lifetime_seconds=75 * 86_400, **options).message


def test_a_claimed_package_of_last_resort_is_like_any_other() -> None:
    person = Lab().enrol(ANA)
    package = _claimed(person, _package(person, last_resort=LAST_RESORT_EXTENSION))()
    assert package.leaf_node.signature_key == person.leaf.public  # type: ignore[attr-defined]


@refuses("RCC-A.4.2-01", "garbage", "another message", "too long")
def test_a_claimed_package_can_be_read(place: str) -> Act:
    person = Lab().enrol(ANA)
    good = _package(person)
    return _claimed(
        person, {"garbage": b"\x00", "another message": good[:3] + b"\x03", "too long": good + bytes(1 << 16)}[place]
    )


@refuses("RCC-A.4.1-09")
def test_a_claimed_package_is_the_numbers() -> Act:
    """SR-04: the KDS hands out Mallory's for Ana's. Also when Mallory's credential was seen before."""
    person = Lab().enrol("+15550166")
    _claimed(person, _package(person), of=person.number)()
    return _claimed(person, _package(person))


@refuses("RCC-A.4.2-02", "suite", "capabilities")
def test_a_claimed_package_is_for_the_suite(place: str) -> Act:
    person = Lab().enrol(ANA)
    if place == "suite":
        changed = key_package(person.client, seeded_rng(place), cipher_suite=3)
    else:
        capabilities = replace(person.client.capabilities, cipher_suites=(1,))
        changed = key_package(person.client, seeded_rng(place), {"capabilities": capabilities})
    return _claimed(person, encode_message(changed))


@refuses("RCC-A.4.2-03")
def test_a_claimed_package_lasts() -> Act:
    person = Lab().enrol(ANA)
    short = make_key_package(person.client, NOW, seeded_rng("short"), lifetime_seconds=29 * 86_400)
    return _claimed(person, short.message)


@refuses("RCC-A.4.2-04")
def test_a_claimed_package_has_the_certified_key() -> Act:
    person = Lab().enrol(ANA)
    other = key_pair("other")
    client = replace(person.client, signature_key=other.public, sign=other.sign)
    made = leaf(client, seeded_rng("l"))
    return _claimed(person, encode_message(key_package(client, seeded_rng("k"), leaf_node=made)))


@refuses("RCC-A.4.2-05")
def test_a_claimed_packages_credential_lasts() -> Act:
    """The package may say that it lives longer, as Google's server demands."""
    person = Lab().enrol(ANA, days=29, policy=FOLLOWING)
    return _claimed(person, _package(person))


def test_tolerance_takes_a_package_that_ends_soon() -> None:
    person = Lab().enrol(ANA, days=20, policy=TOLERANT)
    short = make_key_package(person.client, NOW, seeded_rng("short"), lifetime_seconds=19 * 86_400)
    _claimed(person, short.message)()


# --- numbers ------------------------------------------------------------------------------------------------------------
def test_numbers() -> None:
    assert tel_uri(ANA) == "tel:+15550100"
    assert digits(ANA) == b"15550100"
    assert number_of_tel("tel:+1-555-0100;x=y") == ANA
    for text in (
        "",
        "tel:",
        "tel:+",
        "tel:;x",
        "tel:15550100",
        "tel:+0555",
        "sip:+15550100",
        "tel:+1555010x",
        "tel:+" + "1" * 16,
    ):
        assert number_of_tel(text) is None


@given(st.text(max_size=80))
def test_a_uri_names_a_number_or_nothing(text: str) -> None:
    found = number_of_tel("tel:+" + text)
    assert found is None or number(found) == found


def test_reading_a_credential_that_is_none() -> None:
    for read in (certified_number, participant_key, expires_at, read_leaf):
        with pytest.raises(InvalidRcc16):
            read(Credential.x509([b"x"]))  # type: ignore[operator]


def test_sr23_what_is_signed_cannot_be_taken_for_something_else() -> None:
    """SR-23: texts of ours start with labels that parse as no DER and are no prefix of each other; what is sourced
    without a label is DER (.4) or starts with a letter (csr_pop)."""
    labels = [ANCHOR_LIST, IDENTITY_PROOF, LEAF_POSSESSION, *vars(trust_labels).values()]
    labels = [label for label in labels if isinstance(label, bytes)]
    assert len(labels) >= 10 and len(set(labels)) == len(labels)
    for label in labels:
        assert label.startswith(b"\xff\x80letterlock/") and label.endswith(b"\x00") and label.count(b"\x00") == 1
        with pytest.raises(DecodeError):
            der.DerReader(label, max_bytes=999, max_depth=1).any()
