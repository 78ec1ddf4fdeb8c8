"""What a device, or another server, asks of a key distribution server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...errors import DecodeError
from ...ids import Number
from .json_object import BodyLimits, b64, octets, read_object, tel

__all__ = [
    "CertificateRequest",
    "ClaimRequest",
    "Upload",
    "Withdrawal",
    "decode_certificate_request",
    "decode_claim_request",
    "decode_upload",
    "decode_withdrawal",
]

_MAX_KDS = 2**31 - 1
_MAX_SIGNATURE = 72


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """What a device wants certified, each part of it verbatim (rcc16/credentials/request.py).

    Keys are points of 65 bytes. The lab form has one key for both; where they differ, `leaf_pub` and `leaf_pop` are ours.
    """

    number: Number
    participant_public: bytes
    leaf_public: bytes
    subject: bytes
    subject_alt_name: bytes
    participant_information: bytes = field(repr=False)
    proof: bytes = field(repr=False)
    csr_pop: bytes = field(repr=False)
    leaf_pop: bytes = field(default=b"", repr=False)

    def body(self) -> dict[str, Any]:
        leaf = {"leaf_pub": b64(self.leaf_public), "leaf_pop": b64(self.leaf_pop)}
        return {
            "msisdn": tel(self.number),
            "identity_pub": b64(self.participant_public),
            **(leaf if self.leaf_public != self.participant_public else {}),
            "subject_der": b64(self.subject),
            "san_der": b64(self.subject_alt_name),
            "ext4_participant_info": b64(self.participant_information),
            "acs_proof": b64(self.proof),
            "csr_pop": b64(self.csr_pop),
        }


@dataclass(frozen=True, slots=True)
class Upload:
    """The pool of one device, instead of what was there: one-time packages, and the one of last resort."""

    number: Number
    packages: tuple[bytes, ...] = field(repr=False)
    last_resort: bytes = field(repr=False)

    def body(self) -> dict[str, Any]:
        return {
            "msisdn": tel(self.number),
            "key_packages": [b64(package) for package in self.packages],
            "last_resort": b64(self.last_resort),
        }


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A package of every device of `target`. `kds`: the server that its capabilities name (`mls-kds`), 0 if unknown."""

    target: Number
    kds: int = 0

    def body(self) -> dict[str, Any]:
        return {"target_msisdn": tel(self.target), **({"mls_kds": self.kds} if self.kds else {})}


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A device of the number that is its no longer; `device` is the start of the hash of its leaf key."""

    number: Number
    device: bytes

    def body(self) -> dict[str, Any]:
        return {"msisdn": tel(self.number), "device": b64(self.device)}


def decode_certificate_request(data: bytes, limits: BodyLimits) -> CertificateRequest:
    """Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    participant = body.octets("identity_pub", 65, least=65)
    separate = body.has("leaf_pub")
    value = CertificateRequest(
        body.number("msisdn"),
        participant,
        body.octets("leaf_pub", 65, least=65) if separate else participant,
        body.octets("subject_der", limits.max_certificate),
        body.octets("san_der", limits.max_certificate),
        body.octets("ext4_participant_info", limits.max_certificate),
        body.octets("acs_proof", limits.max_certificate),
        body.octets("csr_pop", _MAX_SIGNATURE),
        body.octets("leaf_pop", _MAX_SIGNATURE) if separate else b"",
    )
    body.end()
    if separate and value.leaf_public == participant:
        raise DecodeError("one key for both stands there once", code="kds.body")
    return value


def decode_upload(data: bytes, limits: BodyLimits) -> Upload:
    """Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    value = Upload(
        body.number("msisdn"),
        tuple(octets(item, limits.max_package) for item in body.items("key_packages", limits.max_packages)),
        body.octets("last_resort", limits.max_package),
    )
    body.end()
    return value


def decode_claim_request(data: bytes, limits: BodyLimits) -> ClaimRequest:
    """Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    value = ClaimRequest(body.number("target_msisdn"), body.integer("mls_kds", _MAX_KDS, default=0))
    body.end()
    return value


def decode_withdrawal(data: bytes, limits: BodyLimits) -> Withdrawal:
    """Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    value = Withdrawal(body.number("msisdn"), body.octets("device", 16, least=16))
    body.end()
    return value
