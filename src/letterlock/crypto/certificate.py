"""The public key in an X.509 certificate (RFC 5280 section 4.1), and nothing else of it.

MLS wants to know whose signatures a certificate stands for; whether to believe the certificate is asked elsewhere.
So this walks over the fields before the key and stops there. Strict DER, and of each kind of key only the one
spelling that a correct issuer writes: two parsers that both accept a certificate then see the same key.
"""

from __future__ import annotations

from typing import Final

from ..errors import BadPublicKey, DecodeError

__all__ = ["certificate_public_key"]

_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_VERSION: Final = 0xA0

# SubjectPublicKeyInfo up to the key itself (RFC 8410, RFC 5480 with uncompressed points). The lengths in it leave the
# key one length only.
_KINDS: Final = (
    ("ed25519", bytes.fromhex("302a300506032b6570032100")),
    ("p256", bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")),
    ("p384", bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200")),
    ("p521", bytes.fromhex("30819b301006072a8648ce3d020106052b8104002303818600")),
)


def certificate_public_key(der: bytes) -> tuple[str, bytes]:
    """(signature scheme, raw key). Raises DecodeError, or BadPublicKey for a key that is not one of ours.

    Whether a point is on its curve is left to the caller, who has the arithmetic.
    """
    start, end = _field(der, 0, len(der), _SEQUENCE)
    if end != len(der):
        raise DecodeError("bytes behind the certificate", code="x509.trailing")
    tbs, tbs_end = _field(der, start, end, _SEQUENCE)
    _, at = _field(der, tbs_end, end, _SEQUENCE)  # signatureAlgorithm
    _, at = _field(der, at, end, _BIT_STRING)
    if at != end:
        raise DecodeError("a certificate has three parts", code="x509.trailing")
    at = tbs
    if at < tbs_end and der[at] == _VERSION:
        _, at = _field(der, at, tbs_end, _VERSION)
    for tag in (_INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE):  # serial, signature, issuer, validity, subject
        _, at = _field(der, at, tbs_end, tag)
    _, key_end = _field(der, at, tbs_end, _SEQUENCE)
    info = der[at:key_end]
    for scheme, prefix in _KINDS:
        if info.startswith(prefix):
            return scheme, info[len(prefix) :]
    raise BadPublicKey("the certificate's key is of another kind", code="crypto.public_key.certificate")


def _field(der: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """(start, end) of the contents of the field at `at`, which must have this tag and lie before `end`."""
    if at + 2 > end or der[at] != tag:
        raise DecodeError("not a certificate in DER", code="x509.certificate")
    length, start = der[at + 1], at + 2
    if length >= 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(der[start : start + size], "big"), start + size
        if length < 0x80 or length >> 8 * (size - 1) == 0:  # DER: the shortest form, and never BER's indefinite one
            raise DecodeError("a length that is not in DER", code="x509.length")
    if start + length > end:
        raise DecodeError("the certificate ends in the middle of a field", code="x509.truncated")
    return start, start + length
