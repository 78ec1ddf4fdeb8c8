"""The JSON bodies of a key distribution server (rcc16.md 1.8; docs/kds.md): certificates, key packages, federation.

The names of members are those of the recorded lab form; what that form lacks (one package for each device, the
server's number, counts, federation) is ours. Numbers are written `tel:+E164`, bytes are base64 with padding. A request
with a member that is not in the specification, or one twice, is refused; of answers, unknown members are passed over.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import ids
from ..errors import DecodeError, InputError, LimitExceeded
from ..ids import Number

__all__ = [
    "BodyLimits",
    "CertificateAnswer",
    "CertificateRequest",
    "ClaimAnswer",
    "ClaimRequest",
    "ClaimedPackage",
    "FederatedAnswer",
    "Pool",
    "Refused",
    "TrustAnchors",
    "Upload",
    "Withdrawal",
    "decode_certificate_answer",
    "decode_certificate_request",
    "decode_claim_answer",
    "decode_claim_request",
    "decode_federated_answer",
    "decode_pool",
    "decode_refused",
    "decode_stored",
    "decode_trust_anchors",
    "decode_upload",
    "decode_withdrawal",
    "encode",
    "encode_stored",
]

_MAX_KDS = 2**31 - 1
_MAX_SIGNATURE = 72


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds, checked before a value is kept (SR-08). All but `max_packages` are in bytes."""

    max_body: int
    max_packages: int
    max_package: int
    max_certificate: int
    max_chain: int


# --- requests ------------------------------------------------------------------------------------------------
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
        leaf = {"leaf_pub": _b64(self.leaf_public), "leaf_pop": _b64(self.leaf_pop)}
        return {
            "msisdn": _tel(self.number),
            "identity_pub": _b64(self.participant_public),
            **(leaf if self.leaf_public != self.participant_public else {}),
            "subject_der": _b64(self.subject),
            "san_der": _b64(self.subject_alt_name),
            "ext4_participant_info": _b64(self.participant_information),
            "acs_proof": _b64(self.proof),
            "csr_pop": _b64(self.csr_pop),
        }


@dataclass(frozen=True, slots=True)
class Upload:
    """The pool of one device, instead of what was there: one-time packages, and the one of last resort."""

    number: Number
    packages: tuple[bytes, ...] = field(repr=False)
    last_resort: bytes = field(repr=False)

    def body(self) -> dict[str, Any]:
        return {
            "msisdn": _tel(self.number),
            "key_packages": [_b64(package) for package in self.packages],
            "last_resort": _b64(self.last_resort),
        }


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A package of every device of `target`. `kds`: the server that its capabilities name (`mls-kds`), 0 if unknown."""

    target: Number
    kds: int = 0

    def body(self) -> dict[str, Any]:
        return {"target_msisdn": _tel(self.target), **({"mls_kds": self.kds} if self.kds else {})}


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A device of the number that is its no longer; `device` is the start of the hash of its leaf key."""

    number: Number
    device: bytes

    def body(self) -> dict[str, Any]:
        return {"msisdn": _tel(self.number), "device": _b64(self.device)}


# --- answers -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class CertificateAnswer:
    """The leaf, and its issuers up to and with the root."""

    leaf: bytes
    chain: tuple[bytes, ...]

    def body(self) -> dict[str, Any]:
        return {"leaf": _b64(self.leaf), "chain": [_b64(certificate) for certificate in self.chain]}


@dataclass(frozen=True, slots=True)
class ClaimedPackage:
    """MLSMessage(KeyPackage) of one device."""

    package: bytes = field(repr=False)
    last_resort: bool

    def body(self) -> dict[str, Any]:
        return {"key_package": _b64(self.package), "is_last_resort": self.last_resort}


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
        return {"generation": self.generation, "uri": self.uri, "signer": _b64(self.signer)}


@dataclass(frozen=True, slots=True)
class Refused:
    """An error as every route gives it."""

    code: str
    message: str
    hint: str

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "hint": self.hint}


Body = (
    CertificateRequest
    | Upload
    | ClaimRequest
    | Withdrawal
    | CertificateAnswer
    | ClaimAnswer
    | FederatedAnswer
    | Pool
    | TrustAnchors
    | Refused
)


def encode(body: Body) -> bytes:
    """The JSON text of a request or an answer."""
    return json.dumps(body.body(), separators=(",", ":")).encode()


def encode_stored(packages: int) -> bytes:
    """The answer to an upload."""
    return json.dumps({"stored": packages}).encode()


# --- reading requests ----------------------------------------------------------------------------------------
def decode_certificate_request(data: bytes, limits: BodyLimits) -> CertificateRequest:
    """Raises DecodeError, LimitExceeded."""
    body = _read(data, limits)
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
    body = _read(data, limits)
    value = Upload(
        body.number("msisdn"),
        tuple(_octets(item, limits.max_package) for item in body.items("key_packages", limits.max_packages)),
        body.octets("last_resort", limits.max_package),
    )
    body.end()
    return value


def decode_claim_request(data: bytes, limits: BodyLimits) -> ClaimRequest:
    """Raises DecodeError, LimitExceeded."""
    body = _read(data, limits)
    value = ClaimRequest(body.number("target_msisdn"), body.integer("mls_kds", _MAX_KDS, default=0))
    body.end()
    return value


def decode_withdrawal(data: bytes, limits: BodyLimits) -> Withdrawal:
    """Raises DecodeError, LimitExceeded."""
    body = _read(data, limits)
    value = Withdrawal(body.number("msisdn"), body.octets("device", 16, least=16))
    body.end()
    return value


# --- reading answers -----------------------------------------------------------------------------------------
def decode_certificate_answer(data: bytes, limits: BodyLimits) -> CertificateAnswer:
    """Raises DecodeError, LimitExceeded."""
    body = _read(data, limits)
    chain = tuple(_octets(item, limits.max_certificate) for item in body.items("chain", limits.max_chain))
    return CertificateAnswer(body.octets("leaf", limits.max_certificate), chain)


def decode_claim_answer(data: bytes, limits: BodyLimits) -> ClaimAnswer:
    """Also one without `key_packages`, as the lab form has it. Raises DecodeError, LimitExceeded."""
    body = _read(data, limits)
    packages = _packages(body, limits) if body.has("key_packages") else (_package(body, limits),)
    if not packages:
        raise DecodeError("an answer without a package", code="kds.body")
    return ClaimAnswer(packages)


def decode_federated_answer(data: bytes, limits: BodyLimits) -> FederatedAnswer:
    """Raises DecodeError, LimitExceeded."""
    body = _read(data, limits)
    packages = _packages(body, limits)
    if body.text("outcome", 8) != ("served" if packages else "none"):
        raise DecodeError("the outcome is not what the packages say", code="kds.body")
    return FederatedAnswer(packages)


def decode_stored(data: bytes, limits: BodyLimits) -> int:
    """How many packages were stored. Raises DecodeError, LimitExceeded."""
    return _read(data, limits).integer("stored", 2**31 - 1)


def decode_pool(data: bytes, limits: BodyLimits) -> Pool:
    """Raises DecodeError, LimitExceeded."""
    body = _read(data, limits)
    return Pool(body.integer("one_time", 2**31 - 1), body.integer("last_resort_served", 2**31 - 1))


def decode_trust_anchors(data: bytes, limits: BodyLimits) -> TrustAnchors:
    """Raises DecodeError, LimitExceeded."""
    body = _read(data, limits)
    return TrustAnchors(
        body.integer("generation", 2**53 - 1), body.text("uri", 1024), body.octets("signer", limits.max_certificate)
    )


def decode_refused(data: bytes, limits: BodyLimits) -> Refused:
    """Raises DecodeError, LimitExceeded."""
    body = _read(data, limits)
    return Refused(body.text("code", 64), body.text("message", 1024), body.text("hint", 1024))


# --- one object ----------------------------------------------------------------------------------------------
class _Object:
    """A JSON object of which each member is read at most once, with a type and a bound."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def has(self, name: str) -> bool:
        return name in self._members

    def text(self, name: str, limit: int) -> str:
        value = self._take(name)
        if not isinstance(value, str):
            raise DecodeError(f"{name} is no text", code="kds.body")
        if len(value) > limit:
            raise LimitExceeded(f"{name} is too long", code="kds.limit")
        return value

    def octets(self, name: str, limit: int, *, least: int = 1) -> bytes:
        return _octets(self._take(name), limit, least)

    def number(self, name: str) -> Number:
        text = self.text(name, 32)
        if not text.startswith("tel:"):
            raise DecodeError(f"{name} is no tel: address", code="kds.number")
        try:
            return ids.number(text[4:])
        except InputError as error:
            raise DecodeError(f"{name} is no number", code="kds.number") from error

    def integer(self, name: str, most: int, default: int | None = None) -> int:
        if default is not None and name not in self._members:
            return default
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise DecodeError(f"{name} is no number", code="kds.body")
        if not 0 <= value <= most:
            raise LimitExceeded(f"{name} is beyond 0 to {most}", code="kds.limit")
        return value

    def truth(self, name: str) -> bool:
        value = self._take(name)
        if not isinstance(value, bool):
            raise DecodeError(f"{name} is neither true nor false", code="kds.body")
        return value

    def items(self, name: str, limit: int) -> Sequence[Any]:
        value = self._take(name)
        if not isinstance(value, list):
            raise DecodeError(f"{name} is no list", code="kds.body")
        if len(value) > limit:
            raise LimitExceeded(f"{name} has more than {limit} items", code="kds.limit")
        return value

    def end(self) -> None:
        """Refuses what was not read."""
        if self._members:
            raise DecodeError("a member that is not in the specification", code="kds.body")

    def _take(self, name: str) -> Any:
        if name not in self._members:
            raise DecodeError(f"{name} is missing", code="kds.body")
        return self._members.pop(name)


def _read(data: bytes, limits: BodyLimits) -> _Object:
    if len(data) > limits.max_body:
        raise LimitExceeded(f"a body over {limits.max_body} bytes", code="kds.limit")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float)
    # Too deep is RecursionError, an integer of thousands of digits ValueError.
    except (ValueError, RecursionError) as error:
        raise DecodeError("not a JSON text that is used here", code="kds.body") from error
    if not isinstance(value, dict):
        raise DecodeError("not a JSON object", code="kds.body")
    return _Object(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _no_float(text: str) -> Any:
    raise ValueError("no member here is a fraction")


def _packages(body: _Object, limits: BodyLimits) -> tuple[ClaimedPackage, ...]:
    found = []
    for item in body.items("key_packages", limits.max_packages):
        if not isinstance(item, dict):
            raise DecodeError("a package that is no object", code="kds.body")
        found.append(_package(_Object(item), limits))
    return tuple(found)


def _package(body: _Object, limits: BodyLimits) -> ClaimedPackage:
    return ClaimedPackage(body.octets("key_package", limits.max_package), body.truth("is_last_resort"))


def _tel(number: Number) -> str:
    return f"tel:{number}"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _octets(value: Any, limit: int, least: int = 1) -> bytes:
    if not isinstance(value, str):
        raise DecodeError("bytes are base64 text", code="kds.body")
    if len(value) > 4 * -(-limit // 3):
        raise LimitExceeded(f"a value over {limit} bytes", code="kds.limit")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError("bytes are base64 text", code="kds.body") from error
    if not least <= len(data) <= limit:
        raise LimitExceeded(f"a value that is not of {least} to {limit} bytes", code="kds.limit")
    return data
