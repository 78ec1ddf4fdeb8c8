"""Paths, issuers and what holds for every certificate (RCC.16 A.1 to A.4; rcc16.md 1.3 to 1.5): a test for each rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from letterlock.codec import der
from letterlock.codec.x509 import Extension, encode_certificate
from letterlock.errors import InvalidRcc16
from letterlock.mls.wire.credential import Credential
from letterlock.rcc16.credentials import oids
from letterlock.rcc16.credentials.algorithms import HASHES
from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.rcc16.credentials.checking import TOLERANT
from letterlock.rcc16.credentials.extensions import (
    CRL_SIGN,
    DIGITAL_SIGNATURE,
    KEY_CERT_SIGN,
    authority_key_identifier_extension,
    basic_constraints_extension,
    certificate_policies_extension,
    extended_key_usage_extension,
    key_usage_extension,
    subject_key_identifier_extension,
    vendor_id_extension,
)
from letterlock.rcc16.credentials.general_profile import check_certificate
from letterlock.rcc16.credentials.issuing import Issuer
from letterlock.rcc16.credentials.numbers import subject_name
from letterlock.rcc16.credentials.successor import check_successor
from rcc16.certificates import DAY, NOW, Lab, key_pair
from rcc16.forging import ANA, check, forged, read, reissued, under
from rcc16.refusing import refuses

Act = Callable[[], object]


def _with(*extensions: Extension) -> dict[str, Extension | None]:
    return {extension.oid: extension for extension in extensions}


def _client_ca(lab: Lab, **changes: Any) -> Credential:
    """Ana, under a client authority that differs from an honest one."""
    sign = changes.pop("sign", lab.ica_key.sign)
    changed = reissued(lab.client_ca.certificate, sign, **changes)
    return under(lab, changed, lab.client_ca_key, lab.ica.certificate.der)


# --- reading ----------------------------------------------------------------------------------------------------
@refuses("RCC-A.4.1-01", "basic", "none", "garbage", "trailing", "many", "large")
def test_a_chain_of_certificates(place: str) -> Act:
    """SR-08, SR-09."""
    lab = Lab()
    leaf, *issuers = lab.enrol(ANA).chain
    return check(
        lab,
        {
            "basic": Credential.basic(b"+15550100"),
            "none": Credential.x509([]),
            "garbage": Credential.x509([leaf, b"\x30\x03\x02\x01\x01"]),
            "trailing": Credential.x509([leaf + b"\x00", *issuers]),
            "many": Credential.x509([leaf, *issuers * 4]),
            "large": Credential.x509([leaf, der.sequence(bytes(1 << 15))]),
        }[place],
    )


# --- the path ---------------------------------------------------------------------------------------------------
@refuses("RCC-A.4.1-02", "order", "gap", "leaf twice")
def test_names_chain(place: str) -> Act:
    lab = Lab()
    leaf, client_ca, ica = lab.enrol(ANA).chain
    chain = {
        "order": [leaf, ica, client_ca, ica],
        "gap": [leaf, ica],
        "leaf twice": [leaf, leaf, client_ca, ica],
    }[place]
    return check(lab, Credential.x509(chain))


@refuses("RCC-A.4.1-03", "leaf", "anchor")
def test_key_identifiers_chain(place: str) -> Act:
    lab = Lab()
    other = _with(authority_key_identifier_extension(b"somebody else's key!"))
    if place == "leaf":
        return check(lab, forged(lab, extensions=other))
    ica = reissued(lab.ica.certificate, lab.root_key.sign, extensions=other)
    return check(lab, Credential.x509((*lab.enrol(ANA).chain[:2], ica)))


@refuses("RCC-A.4.1-04", "another root", "no root")
def test_it_ends_at_an_anchor(place: str) -> Act:
    lab, stranger = Lab(), Lab("stranger")
    if place == "no root":
        lab.anchors = TrustAnchors()
        return check(lab, lab.enrol(ANA).credential)
    return check(lab, stranger.enrol(ANA).credential)


@refuses("RCC-A.4.1-06")
def test_a_root_with_the_anchors_name_is_not_the_anchor() -> Act:
    lab, twin = Lab(), Lab("twin")
    twin.root = Issuer.of(
        reissued(lab.root.certificate, twin.root_key.sign, spki=twin.root_key.spki), twin.root_key.sign
    )
    twin.ica = twin.authority(twin.root, "ica", twin.ica_key, path_length=1, days=1_000)
    twin.client_ca = twin.authority(twin.ica, "client ca", twin.client_ca_key, path_length=0, days=500)
    return check(lab, twin.enrol(ANA).credential)


def test_the_root_may_be_sent_along() -> None:
    lab = Lab()
    certified: Any = check(lab, Credential.x509((*lab.enrol(ANA).chain, lab.root.certificate.der)))()
    assert [c.der for c in certified.path][-1] == lab.root.certificate.der
    assert len(certified.path) == 4


def test_of_two_anchors_with_one_name_the_one_that_signed() -> None:
    """A root that was made anew under its name: both are on the list for a while."""
    lab = Lab()
    other = key_pair("the new root")
    renewed = reissued(lab.root.certificate, other.sign, spki=other.spki, serial=99)
    lab.anchors = TrustAnchors(1, (renewed, *lab.anchors.certificates))
    certified: Any = check(lab, lab.enrol(ANA).credential)()
    assert certified.path[-1].der == lab.root.certificate.der


@refuses("RCC-A.4.1-05", "outer", "unknown")
def test_the_algorithm_is_one_and_of_the_profile(place: str) -> Act:
    lab = Lab()
    other = next(algorithm for algorithm, name in HASHES.items() if name == "sha384")
    if place == "outer":
        return check(lab, _client_ca(lab, outer=other))
    rsa = der.sequence(der.object_identifier("1.2.840.113549.1.1.11"), b"\x05\x00")
    return check(lab, _client_ca(lab, algorithm=rsa))


@refuses("RCC-A.4.1-06", 0, 1, 2)
def test_every_signature_counts(place: int) -> Act:
    """SR-12."""
    lab = Lab()
    chain = list(lab.enrol(ANA).chain)
    broken = read(chain[place])
    chain[place] = encode_certificate(broken.tbs, broken.algorithm, key_pair("nobody").sign(broken.tbs))
    return check(lab, Credential.x509(chain))


@refuses("RCC-A.4.1-07", "leaf past", "leaf future", "issuer", "anchor")
def test_every_certificate_is_valid_now(place: str) -> Act:
    lab = Lab()
    if place == "leaf past":
        return check(lab, forged(lab, not_after=NOW - 1000), policy=TOLERANT)
    if place == "leaf future":
        return check(lab, forged(lab, not_before=NOW + 1000), policy=TOLERANT)
    if place == "issuer":
        return check(lab, _client_ca(lab, not_after=NOW - 1000), policy=TOLERANT)
    root = reissued(lab.root.certificate, lab.root_key.sign, not_after=NOW - 1000)
    lab.anchors = TrustAnchors(1, (root,))
    return check(lab, lab.enrol(ANA).credential)


@refuses("RCC-A.4.1-08")
def test_path_lengths() -> Act:
    """A client authority that makes another one below itself."""
    lab = Lab()
    key = key_pair("below")
    below = lab.authority(lab.client_ca, "below", key, path_length=0, days=100)
    return check(lab, under(lab, below.certificate.der, key, lab.client_ca.certificate.der, lab.ica.certificate.der))


# --- the rest of the checks -----------------------------------------------------------------------------------------
@refuses("RCC-A.4.1-11", 0, 1, 2, 3)
def test_nothing_on_the_path_is_revoked(place: int) -> Act:
    """SR-22: an authority, above all, since leaves are short-lived."""
    lab = Lab()
    credential = lab.enrol(ANA).credential
    path = [*credential.certificates, lab.root.certificate.der]
    lab.anchors = TrustAnchors(2, lab.anchors.certificates, frozenset({read(path[place]).serial}))
    return check(lab, credential)


@refuses("RCC-A.4.1-12", "leaf alone", "too long")
def test_the_length_of_the_chain(place: str) -> Act:
    lab = Lab()
    if place == "leaf alone":
        lab.client_ca = lab.root
        return check(lab, Credential.x509(lab.enrol(ANA).chain[:1]))
    chain: list[bytes] = []
    issuer = lab.root
    for depth in range(4):
        key = key_pair(f"depth {depth}")
        issuer = lab.authority(issuer, f"depth {depth}", key, path_length=9 - depth, days=100)
        chain.insert(0, issuer.certificate.der)
    return check(lab, under(lab, chain[0], key, *chain[1:]))


@refuses("RCC-A.4.1-13")
def test_the_vendor_is_the_roots() -> Act:
    lab = Lab()
    return check(lab, forged(lab, vendor_id=2))


def test_a_root_without_vendor_has_any() -> None:
    lab = Lab()
    root = reissued(lab.root.certificate, lab.root_key.sign, extensions={oids.VENDOR_ID: None})
    lab.anchors = TrustAnchors(1, (root,))
    check(lab, forged(lab, vendor_id=2))()


@refuses("RCC-A.4.1-14", "name", "key", "number")
def test_a_successor_is_the_same_client(place: str) -> Act:
    lab = Lab()
    before = lab.enrol("+15550100", device=1).credential
    if place == "name":
        after = forged(lab, subject=subject_name("another client"))
    elif place == "key":
        after = lab.enrol("+15550100", device=2).credential
    else:
        after = lab.enrol("+15550199", device=1).credential
    return lambda: check_successor(before, after)


def test_a_successor_has_other_dates_and_issuers() -> None:
    lab = Lab()
    before = lab.enrol("+15550100", device=1).credential
    lab.client_ca = lab.authority(lab.ica, "next ca", key_pair("next"), path_length=0, days=100)
    check_successor(before, lab.enrol("+15550100", device=1, now=NOW + 40 * DAY).credential)


# --- issuers ------------------------------------------------------------------------------------------------------
@refuses("RCC-A.2-01", "absent", "not critical", "not a ca")
def test_issuers_say_that_they_are(place: str) -> Act:
    lab = Lab()
    other = {
        "absent": None,
        "not critical": basic_constraints_extension(0)._replace(critical=False),
        "not a ca": Extension(oids.BASIC_CONSTRAINTS, True, der.sequence()),
    }[place]
    return check(lab, _client_ca(lab, extensions={oids.BASIC_CONSTRAINTS: other}))


@refuses("RCC-A.2-01")
def test_a_leaf_certifies_nobody() -> Act:
    """SR-04: a member with a certificate makes one for somebody else's number."""
    lab = Lab()
    lab.client_ca = lab.ica  # so that no path length stands against it
    mallory = lab.enrol("+15550166")
    return check(lab, under(lab, mallory.chain[0], mallory.leaf, lab.ica.certificate.der))


@refuses("RCC-A.2-02", "absent", "not critical", "without", "more")
def test_issuers_keys_sign_certificates_alone(place: str) -> Act:
    lab = Lab()
    other = {
        "absent": None,
        "not critical": key_usage_extension(KEY_CERT_SIGN)._replace(critical=False),
        "without": key_usage_extension(CRL_SIGN),
        "more": key_usage_extension(KEY_CERT_SIGN, DIGITAL_SIGNATURE),
    }[place]
    return check(lab, _client_ca(lab, extensions={oids.KEY_USAGE: other}))


@refuses("RCC-A.2-03")
def test_issuers_have_key_identifiers() -> Act:
    lab = Lab()
    root = reissued(lab.root.certificate, lab.root_key.sign, extensions={oids.SUBJECT_KEY_IDENTIFIER: None})
    ica = reissued(lab.ica.certificate, lab.root_key.sign, extensions={oids.AUTHORITY_KEY_IDENTIFIER: None})
    lab.anchors = TrustAnchors(1, (root,))
    return check(lab, Credential.x509((*lab.enrol(ANA).chain[:2], ica)))


@refuses("RCC-A.2-04")
def test_issuers_do_not_have_any_policy() -> Act:
    lab = Lab()
    return check(lab, _client_ca(lab, extensions=_with(certificate_policies_extension(oids.ANY_POLICY))))


@refuses("RCC-A.2-05")
def test_issuers_are_for_no_other_use() -> Act:
    lab = Lab()
    return check(lab, _client_ca(lab, extensions=_with(extended_key_usage_extension("1.3.6.1.5.5.7.3.1"))))


@refuses("RCC-A.2-06")
def test_intermediates_last_1827_days() -> Act:
    lab = Lab()
    return check(lab, _client_ca(lab, not_before=NOW - DAY, not_after=NOW + 1826 * DAY + 1000))


@refuses("RCC-A.1-01")
def test_roots_last_3652_days() -> Act:
    lab = Lab()
    root = reissued(lab.root.certificate, lab.root_key.sign, not_before=NOW - DAY, not_after=NOW + 3651 * DAY + 1000)
    lab.anchors = TrustAnchors(1, (root,))
    return check(lab, lab.enrol(ANA).credential)


def test_a_chain_as_deployed() -> None:
    """Both authorities with the extended key usage, 730 and 1825 days, a root of 3651 (rcc16.md 1.4)."""
    lab = Lab()
    use = _with(extended_key_usage_extension(oids.MLS_CLIENT), vendor_id_extension(lab.vendor_id))
    root = reissued(lab.root.certificate, lab.root_key.sign, not_before=NOW - DAY, not_after=NOW + 3650 * DAY)
    ica = reissued(
        lab.ica.certificate, lab.root_key.sign, extensions=use, not_before=NOW - DAY, not_after=NOW + 1824 * DAY
    )
    client_ca = reissued(lab.client_ca.certificate, lab.ica_key.sign, extensions=use)
    lab.anchors = TrustAnchors(1, (root,))
    check(lab, under(lab, client_ca, lab.client_ca_key, ica))()


# --- every certificate ----------------------------------------------------------------------------------------------
@refuses(
    "RCC-A.3-01",
    oids.BASIC_CONSTRAINTS,
    oids.KEY_USAGE,
    oids.EXTENDED_KEY_USAGE,
    oids.AUTHORITY_KEY_IDENTIFIER,
    oids.CERTIFICATE_POLICIES,
)
def test_extensions_can_be_read(place: str) -> Act:
    lab = Lab()
    return check(lab, _client_ca(lab, extensions=_with(Extension(place, True, b"\x30\x01"))))


@refuses("RCC-A.3-02")
def test_version_3() -> Act:
    honest = read(Lab().client_ca.certificate.der)
    fields = der.DerReader(honest.tbs, max_bytes=9_999, max_depth=1).sequence()
    parts = [fields.element() for _ in range(7)]
    tbs = der.sequence(*parts[1:])
    old = read(encode_certificate(tbs, honest.algorithm, b"s"))
    assert (old.version, old.extensions) == (1, ())
    return lambda: check_certificate(old, tolerant=True, leaf=False)


@refuses("RCC-A.3-03", 0, -5, 1 << 160)
def test_serial_numbers(place: int) -> Act:
    lab = Lab()
    return check(lab, forged(lab, serial=place))


def test_the_longest_serial_number() -> None:
    lab = Lab()
    check(lab, forged(lab, serial=(1 << 159) - 1))()


def _attribute(oid: str, value: bytes, tag: int = der.UTF8_STRING) -> bytes:
    return der.sequence(der.object_identifier(oid), der.tagged(tag, value))


@refuses("RCC-A.3-04")
def test_names_have_single_parts() -> Act:
    lab = Lab()
    two = der.set_of((_attribute(oids.COMMON_NAME, b"a"), _attribute(oids.ORGANIZATION_NAME, b"b")))
    return check(lab, forged(lab, subject=der.sequence(two)))


@refuses(
    "RCC-A.3-05",
    (oids.COMMON_NAME, 0),
    (oids.COMMON_NAME, 65),
    (oids.ORGANIZATION_NAME, 65),
    (oids.COUNTRY_NAME, 3),
    (oids.STATE_NAME, 129),
    (oids.LOCALITY_NAME, 129),
)
def test_attributes_have_bounds(place: tuple[str, int]) -> Act:
    lab = Lab()
    oid, length = place
    parts = [der.set_of((_attribute(oids.COMMON_NAME, b"x"),)), der.set_of((_attribute(oid, b"x" * length),))]
    return check(lab, forged(lab, subject=der.sequence(*parts[oid == oids.COMMON_NAME :])))


def test_bounds_count_characters() -> None:
    lab = Lab()
    check(lab, forged(lab, subject=subject_name("é" * 64)))()


@refuses("RCC-A.3-06", "leaf", "nobody")
def test_subjects_have_names(place: str) -> Act:
    lab = Lab()
    organisation = der.sequence(der.set_of((_attribute(oids.ORGANIZATION_NAME, b"x"),)))
    return check(lab, forged(lab, subject=organisation if place == "leaf" else der.sequence()))


@refuses("RCC-A.3-07")
def test_subject_key_identifier() -> Act:
    lab = Lab()
    return check(lab, forged(lab, extensions={oids.SUBJECT_KEY_IDENTIFIER: None}))


@refuses("RCC-A.3-08", "absent", "issuer and serial")
def test_authority_key_identifier(place: str) -> Act:
    lab = Lab()
    if place == "absent":
        return check(lab, forged(lab, extensions={oids.AUTHORITY_KEY_IDENTIFIER: None}))
    identifier = lab.client_ca.certificate.extension(oids.SUBJECT_KEY_IDENTIFIER)
    assert identifier is not None
    value = der.sequence(
        der.context(0, identifier.value[2:], constructed=False),
        der.context(1, der.context(4, lab.ica.certificate.subject, constructed=True), constructed=True),
        der.context(2, b"\x01", constructed=False),
    )
    return check(lab, forged(lab, extensions=_with(Extension(oids.AUTHORITY_KEY_IDENTIFIER, False, value))))


@refuses("RCC-A.3-09", "leaf", "issuer")
def test_critical_extensions_are_understood(place: str) -> Act:
    """Not relaxed by tolerance: name constraints, for one."""
    lab = Lab()
    constraints = _with(Extension("2.5.29.30", True, der.sequence()))
    if place == "leaf":
        return check(lab, forged(lab, extensions=constraints), policy=TOLERANT)
    return check(lab, _client_ca(lab, extensions=constraints), policy=TOLERANT)


@refuses("RCC-A.3-10")
def test_extensions_are_those_of_the_profile() -> Act:
    lab = Lab()
    return check(lab, forged(lab, extensions=_with(Extension("1.2.3.4", False, b"\x05\x00"))))


def test_extensions_that_are_allowed_and_not_looked_at() -> None:
    lab = Lab()
    others = (
        Extension(oids.CRL_DISTRIBUTION_POINTS, False, der.sequence()),
        Extension(oids.AUTHORITY_INFORMATION_ACCESS, False, der.sequence()),
        vendor_id_extension(lab.vendor_id),
        subject_key_identifier_extension(b"any octets"),
    )
    check(lab, forged(lab, extensions=_with(*others)))()


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_every_sha2_signs_certificates(hash_name: str) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    lab = Lab()
    private = ec.derive_private_key(int.from_bytes(lab.client_ca_key.private, "big"), ec.SECP256R1())
    kind = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[hash_name]
    algorithm = next(a for a, name in HASHES.items() if name == hash_name)
    credential = forged(lab, algorithm=algorithm, sign=lambda tbs: private.sign(tbs, ec.ECDSA(kind)))
    check(lab, credential)()
    with pytest.raises(InvalidRcc16) as refused:
        check(lab, forged(lab, algorithm=algorithm, sign=lambda tbs: private.sign(tbs, ec.ECDSA(hashes.SHA224()))))()
    assert refused.value.rule == "RCC-A.4.1-06"
