"""certificates.json: chains as the lab issues them, with the keys that signed them."""

from __future__ import annotations

from typing import Any

from letterlock.rcc16.credentials.issuing import Issuer
from letterlock.rcc16.credentials.leaf import certificate_of

from .certificates import DAY, HOME_KDS, NOW, Identity, KeyPair, Lab

__all__ = ["certificates"]


def certificates() -> dict[str, Any]:
    """A root, an intermediate, a client authority, and leaves of two participants, one of them with two devices."""
    lab = Lab("vectors")
    people = [lab.enrol("+15550100"), lab.enrol("+15550100"), lab.enrol("+4915550199", days=40)]
    chain = (
        ("root", lab.root, lab.root_key, lab.root_key),
        ("intermediate", lab.ica, lab.ica_key, lab.root_key),
        ("client authority", lab.client_ca, lab.client_ca_key, lab.ica_key),
    )
    return {
        "description": (
            "Certificate chains (RCC.16 A.1 to A.4 as read in rcc16.md 1). Signatures are deterministic ECDSA (RFC 6979) with "
            "SHA-256. `tbs_from` is what the signed part is built of; times are seconds since 1970; extensions are [OID, critical, DER]. Of a leaf, "
            "`participant_signed` is what the participant key signs in extension .4, `proof_signed` what the ACS signs in "
            ".5 (the latter's layout is our choice)."
        ),
        "now": NOW // 1000,
        "home_kds": HOME_KDS,
        "vendor_id": lab.vendor_id,
        "acs_private": lab.acs_key.private.hex(),
        "authorities": [_authority(what, issuer, own, above) for what, issuer, own, above in chain],
        "cases": [_leaf(lab, person) for person in people],
    }


def _authority(what: str, issuer: Issuer, own: KeyPair, above: KeyPair) -> dict[str, Any]:
    return {
        "what": what,
        "private": own.private.hex(),
        "issuer_private": above.private.hex(),
        "tbs_from": _parts(issuer.certificate.der),
        "certificate": issuer.certificate.der.hex(),
    }


def _leaf(lab: Lab, person: Identity) -> dict[str, Any]:
    request = person.request
    return {
        "number": person.number,
        "leaf_private": person.leaf.private.hex(),
        "participant_private": person.participant.private.hex(),
        "issuer_private": lab.client_ca_key.private.hex(),
        "participant_validity": [(lab.now - DAY // 24) // 1000, (lab.now + 90 * DAY) // 1000],
        "proof_expires": (lab.now + 120 * DAY) // 1000,
        "csr_pop": request.csr_pop.hex(),
        "tbs_from": _parts(person.chain[0]),
        "certificate": person.chain[0].hex(),
        "chain": [der.hex() for der in person.chain],
    }


def _parts(der: bytes) -> dict[str, Any]:
    read = certificate_of(der)
    return {
        "serial": f"{read.serial:x}",
        "issuer": read.issuer.hex(),
        "not_before": read.not_before // 1000,
        "not_after": read.not_after // 1000,
        "subject": read.subject.hex(),
        "extensions": [[one.oid, one.critical, one.value.hex()] for one in read.extensions],
    }
