"""Certificates that break the profile, made by an authority that everybody trusts.

`forged(lab, ...)` is a credential whose leaf differs from an honest one in what is given, and is rightly signed all the
same, by the authority and by the participant: what refuses it can only be the rule that it breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from letterlock.codec import der
from letterlock.codec.x509 import Certificate, Extension, decode_certificate, encode_certificate, encode_tbs
from letterlock.ids import Instant, Number, number
from letterlock.mls.wire.credential import Credential
from letterlock.rcc16.credentials.algorithms import ECDSA_SHA256, Sign
from letterlock.rcc16.credentials.checking import STRICT, CredentialPolicy, check_chain
from letterlock.rcc16.credentials.issuing import Issuer
from letterlock.rcc16.credentials.oids import PARTICIPANT_INFORMATION, SUBJECT_ALT_NAME
from letterlock.rcc16.credentials.participant import participant_information
from rcc16.certificates import CRYPTO, DAY, NOW, KeyPair, Lab, key_pair

__all__ = ["ANA", "Changes", "check", "forged", "names_of", "read", "reissued", "under"]

ANA = number("+15550100")
Changes = Mapping[str, Extension | None]
"""Object identifier to another extension, or None to leave it out."""


def read(der_: bytes) -> Certificate:
    return decode_certificate(der_, max_bytes=1 << 16)


def reissued(
    certificate: Certificate,
    sign: Sign,
    *,
    extensions: Changes | None = None,
    outer: bytes | None = None,
    **fields: Any,
) -> bytes:
    """The certificate with other fields of `encode_tbs`, signed anew. `outer` is the algorithm beside the signature."""
    changes = dict(extensions or {})
    kept = [changes.pop(e.oid, e) for e in certificate.extensions]
    values: dict[str, Any] = {
        "serial": certificate.serial,
        "algorithm": ECDSA_SHA256,
        "issuer": certificate.issuer,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "subject": certificate.subject,
        "spki": certificate.spki,
        **fields,
        "extensions": [e for e in (*kept, *changes.values()) if e is not None],
    }
    tbs = encode_tbs(**values)
    return encode_certificate(tbs, outer or values["algorithm"], sign(tbs))


def forged(
    lab: Lab,
    *,
    extensions: Changes | None = None,
    names: bytes | None = None,
    window: tuple[Instant, Instant] | None = None,
    vendor_id: int | None = None,
    participant: bytes | Callable[[bytes], bytes] | None = None,
    sign: Sign | None = None,
    **fields: Any,
) -> Credential:
    """A credential of Ana. The participant signs whatever `subject`, `spki`, `names` (subjectAltName), `window` and
    `vendor_id` there are, unless `participant` gives another value of the extension or makes one of the honest one."""
    honest = read(lab.enrol(ANA, device=1).chain[0])
    san = names if names is not None else _value(honest, SUBJECT_ALT_NAME)
    key = key_pair(f"participant {ANA}")
    signed = participant_information(
        subject=fields.get("subject", honest.subject),
        subject_alt_name=san,
        leaf_spki=fields.get("spki", honest.spki),
        vendor_id=lab.vendor_id if vendor_id is None else vendor_id,
        not_before=window[0] if window else NOW - DAY,
        not_after=window[1] if window else NOW + 90 * DAY,
        participant_spki=key.spki,
        sign=key.sign,
    )
    if callable(participant):
        signed = participant(signed)
    elif participant is not None:
        signed = participant
    changes = {
        SUBJECT_ALT_NAME: Extension(SUBJECT_ALT_NAME, False, san),
        PARTICIPANT_INFORMATION: Extension(PARTICIPANT_INFORMATION, True, signed),
        **(extensions or {}),
    }
    leaf = reissued(honest, sign or lab.client_ca_key.sign, extensions=changes, **fields)
    return Credential.x509((leaf, lab.client_ca.certificate.der, lab.ica.certificate.der))


def under(lab: Lab, issuer: bytes, key: KeyPair, *above: bytes) -> Credential:
    """Ana's credential issued by another authority, with what is above that."""
    lab.client_ca = Issuer.of(issuer, key.sign)
    return Credential.x509((lab.enrol(ANA, device=1).chain[0], issuer, *above))


def check(
    lab: Lab,
    credential: Credential,
    *,
    policy: CredentialPolicy = STRICT,
    now: Instant = NOW,
    of: Number | None = ANA,
) -> Callable[[], object]:
    """The act of checking it."""
    return lambda: check_chain(credential, anchors=lab.anchors, policy=policy, now=now, crypto=CRYPTO, number=of)


def names_of(*uris: bytes, tag: int = 0x86) -> bytes:
    """A subjectAltName."""
    return der.sequence(*(der.tagged(tag, uri) for uri in uris))


def _value(certificate: Certificate, oid: str) -> bytes:
    extension = certificate.extension(oid)
    assert extension is not None
    return extension.value
