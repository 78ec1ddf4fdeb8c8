"""What a key distribution server answers, to a device or to another server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ...errors import DecodeError
from .json_object import BodyLimits, Object, b64, octets, read_object

__all__ = [
    "CertificateAnswer",
    "ClaimAnswer",
    "ClaimedPackage",
    "FederatedAnswer",
    "Pool",
    "Refused",
    "TrustAnchors",
    "decode_certificate_answer",
    "decode_claim_answer",
    "decode_federated_answer",
    "decode_pool",
    "decode_refused",
    "decode_stored",
    "decode_trust_anchors",
    "encode_stored",
]


@dataclass(frozen=True, slots=True)
class CertificateAnswer:
    """The leaf, and its issuers up to and with the root."""

    leaf: bytes
    chain: tuple[bytes, ...]

    def body(self) -> dict[str, Any]:
        return {"leaf": b64(self.leaf), "chain": [b64(certificate) for certificate in self.chain]}


@dataclass(frozen=True, slots=True)
class ClaimedPackage:
    """MLSMessage(KeyPackage) of one device."""

    package: bytes = field(repr=False)
    last_resort: bool

    def body(self) -> dict[str, Any]:
        return {"key_package": b64(self.package), "is_last_resort": self.last_resort}


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """One package for each device, at least one. The first stands there a second time, as the lab form has it."""

    packages: tuple[ClaimedPackage, ...]

    def body(self) -> dict[str, Any]:
        return {**self.packages[0].body(), "key_packages": [package.body() for package in self.packages]}


@dataclass(frozen=True, slots=True)
class FederatedAnswer:
    """What one server says to another about a number: packages, or none for whatever reason."""

    packages: tuple[ClaimedPackage, ...]

    def body(self) -> dict[str, Any]:
        outcome = "served" if self.packages else "none"
        return {"outcome": outcome, "key_packages": [package.body() for package in self.packages]}


@dataclass(frozen=True, slots=True)
class Pool:
    """What of a device still waits: one-time packages, and how often its last resort was handed out."""

    one_time: int
    last_resort_served: int

    def body(self) -> dict[str, Any]:
        return {"one_time": self.one_time, "last_resort_served": self.last_resort_served}


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """The newest list of trust anchors: its generation, where it is, and who signs it (DER SubjectPublicKeyInfo)."""

    generation: int
    uri: str
    signer: bytes

    def body(self) -> dict[str, Any]:
        return {"generation": self.generation, "uri": self.uri, "signer": b64(self.signer)}


@dataclass(frozen=True, slots=True)
class Refused:
    """An error as every route gives it."""

    code: str
    message: str
    hint: str

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "hint": self.hint}


def encode_stored(packages: int) -> bytes:
    """The answer to an upload."""
    return json.dumps({"stored": packages}).encode()


def decode_certificate_answer(data: bytes, limits: BodyLimits) -> CertificateAnswer:
    """Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    chain = tuple(octets(item, limits.max_certificate) for item in body.items("chain", limits.max_chain))
    return CertificateAnswer(body.octets("leaf", limits.max_certificate), chain)


def decode_claim_answer(data: bytes, limits: BodyLimits) -> ClaimAnswer:
    """Also one without `key_packages`, as the lab form has it. Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    packages = _packages(body, limits) if body.has("key_packages") else (_package(body, limits),)
    if not packages:
        raise DecodeError("an answer without a package", code="kds.body")
    return ClaimAnswer(packages)


def decode_federated_answer(data: bytes, limits: BodyLimits) -> FederatedAnswer:
    """Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    packages = _packages(body, limits)
    if body.text("outcome", 8) != ("served" if packages else "none"):
        raise DecodeError("the outcome is not what the packages say", code="kds.body")
    return FederatedAnswer(packages)


def decode_stored(data: bytes, limits: BodyLimits) -> int:
    """How many packages were stored. Raises DecodeError, LimitExceeded."""
    return read_object(data, limits).integer("stored", 2**31 - 1)


def decode_pool(data: bytes, limits: BodyLimits) -> Pool:
    """Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    return Pool(body.integer("one_time", 2**31 - 1), body.integer("last_resort_served", 2**31 - 1))


def decode_trust_anchors(data: bytes, limits: BodyLimits) -> TrustAnchors:
    """Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    return TrustAnchors(
        body.integer("generation", 2**53 - 1), body.text("uri", 1024), body.octets("signer", limits.max_certificate)
    )


def decode_refused(data: bytes, limits: BodyLimits) -> Refused:
    """Raises DecodeError, LimitExceeded."""
    body = read_object(data, limits)
    return Refused(body.text("code", 64), body.text("message", 1024), body.text("hint", 1024))


def _packages(body: Object, limits: BodyLimits) -> tuple[ClaimedPackage, ...]:
    found = []
    for item in body.items("key_packages", limits.max_packages):
        if not isinstance(item, dict):
            raise DecodeError("a package that is no object", code="kds.body")
        found.append(_package(Object(item), limits))
    return tuple(found)


def _package(body: Object, limits: BodyLimits) -> ClaimedPackage:
    return ClaimedPackage(body.octets("key_package", limits.max_package), body.truth("is_last_resort"))
