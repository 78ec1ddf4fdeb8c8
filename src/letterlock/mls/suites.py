"""`CipherSuite`: the algorithms of one cipher suite, and the labelled functions of RFC 9420 section 5 over them.

`cipher_suite(number, crypto)` gives it. Everything else in `mls` computes through one of these and never asks the
crypto provider by itself. Private keys are raw bytes; a failed check raises BadMac, BadSignature or BadPublicKey.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from ..codec.tls import opaque, varint
from ..crypto import hkdf, hpke
from ..crypto.dhkem import DHKEM_P256, DHKEM_P384, DHKEM_P521, DHKEM_X25519, dhkem
from ..crypto.hkdf import Hkdf
from ..crypto.hpke import Hpke, Info, Kem
from ..crypto.provider import CryptoProvider
from ..crypto.xwing import XWING, XWing
from ..errors import InputError
from ..ids import Rng

__all__ = [
    "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
    "MLS_128_DHKEMX25519_AES128GCM_SHA256_ED25519",
    "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_ED25519",
    "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
    "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
    "SUITE_NAMES",
    "CipherSuite",
    "Info",
    "cipher_suite",
]

MLS_128_DHKEMX25519_AES128GCM_SHA256_ED25519: Final = 0x0001
MLS_128_DHKEMP256_AES128GCM_SHA256_P256: Final = 0x0002
MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_ED25519: Final = 0x0003
MLS_256_DHKEMP521_AES256GCM_SHA512_P521: Final = 0x0005
MLS_256_DHKEMP384_AES256GCM_SHA384_P384: Final = 0x0007

SUITE_NAMES: Final[Mapping[int, str]] = {
    MLS_128_DHKEMX25519_AES128GCM_SHA256_ED25519: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
    MLS_128_DHKEMP256_AES128GCM_SHA256_P256: "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
    MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_ED25519: "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
    MLS_256_DHKEMP521_AES256GCM_SHA512_P521: "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
    MLS_256_DHKEMP384_AES256GCM_SHA384_P384: "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
}
"""The suites of RFC 9420 section 17.1 without 4 and 6, which need X448 and Ed448."""


class CipherSuite:
    """One suite over one crypto provider. Immutable; `cipher_suite` gives the same object for the same arguments."""

    __slots__ = (
        "_aead_open",
        "_aead_seal",
        "_hpke",
        "_kdf",
        "_kem",
        "_signature",
        "_verify",
        "crypto",
        "hash_length",
        "key_length",
        "name",
        "nonce_length",
        "number",
        "signature_scheme",
        "tag_length",
        "zero",
    )

    def __init__(self, number: int, name: str, crypto: CryptoProvider) -> None:
        algorithms = _ALGORITHMS[name]
        self.number: Final = number
        self.name: Final = name
        self.crypto: Final = crypto
        self._kdf: Final[Hkdf] = _HASHES[algorithms.kdf]
        self._kem: Final[Kem] = _kem(crypto, algorithms)
        self._hpke: Final = Hpke(crypto, self._kem, algorithms.kdf, algorithms.aead)
        self.hash_length: Final = self._kdf.length
        """KDF.Nh: of every secret, hash and MAC."""
        self.key_length: Final = 16 if algorithms.aead == hpke.AES_128_GCM else 32
        self.nonce_length: Final = 12
        self.tag_length: Final = 16
        self.signature_scheme: Final = algorithms.signature
        """As the provider's `signer` and `verify_many` name it."""
        self.zero: Final = bytes(self.hash_length)
        """What stands for an absent secret."""
        if algorithms.aead == hpke.CHACHA20_POLY1305:
            self._aead_seal, self._aead_open = crypto.chacha20poly1305_seal, crypto.chacha20poly1305_open
        else:
            self._aead_seal, self._aead_open = crypto.aes_gcm_seal, crypto.aes_gcm_open
        self._verify, self._signature = _signature_functions(crypto, algorithms.signature)

    def __repr__(self) -> str:
        return f"CipherSuite({self.number:#06x}, {self.name})"

    # --- hashes and key derivation (sections 5.2, 8 and 9) ------------------------------------------
    def hash(self, data: bytes) -> bytes:
        return self._kdf.hash(data)

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC, for confirmation and membership tags."""
        return self._kdf.mac(key, data)

    def mac_matches(self, key: bytes, data: bytes, tag: bytes) -> bool:
        """Is it the tag of `data`, in full length? Compared in constant time."""
        return hmac.compare_digest(self._kdf.mac(key, data), tag)

    def extract(self, salt: bytes, ikm: bytes) -> bytes:
        """KDF.Extract."""
        return self._kdf.mac(salt, ikm)

    def expand_with_label(self, secret: bytes, label: str, context: bytes, length: int) -> bytes:
        """ExpandWithLabel (section 8)."""
        size = len(context)
        header = _kdf_label(label, length) + (_SHORT[size] if size < 64 else varint(size))
        if length <= self.hash_length:  # nearly always; the one block without the loop of HKDF-Expand
            return self._kdf.mac(secret, header + context + b"\x01")[:length]
        return self._kdf.expand(secret, header + context, length)

    def derive_secret(self, secret: bytes, label: str) -> bytes:
        """DeriveSecret (section 8)."""
        return self._kdf.mac(secret, _kdf_label(label, self.hash_length) + b"\x00\x01")

    def derive_tree_secret(self, secret: bytes, label: str, generation: int, length: int) -> bytes:
        """DeriveTreeSecret (section 9.1)."""
        return self.expand_with_label(secret, label, generation.to_bytes(4, "big"), length)

    def ref_hash(self, label: str, value: bytes) -> bytes:
        """RefHash (section 5.2); the label in full, with "MLS 1.0"."""
        return self._kdf.hash(opaque(label.encode()) + varint(len(value)) + value)

    def key_package_ref(self, value: bytes) -> bytes:
        """MakeKeyPackageRef of an encoded KeyPackage."""
        return self.ref_hash("MLS 1.0 KeyPackage Reference", value)

    def proposal_ref(self, value: bytes) -> bytes:
        """MakeProposalRef of the encoded AuthenticatedContent that carries the proposal."""
        return self.ref_hash("MLS 1.0 Proposal Reference", value)

    # --- signatures (section 5.1.2) -----------------------------------------------------------------
    def generate_signature_key(self, rng: Rng) -> tuple[bytes, bytes]:
        """(private, public)."""
        private = self._signature.generate(rng)
        return private, self._signature.public(private)

    def signer(self, private: bytes) -> Callable[[bytes], bytes]:
        """The function that signs with this key, for `sign_with_label`; it holds the key as long as it lives."""
        return self.crypto.signer(self.signature_scheme, private)

    def sign_content(self, label: str, content: bytes) -> bytes:
        """The SignContent that a signature is over: for `CryptoProvider.verify_many`."""
        return _labelled(label) + varint(len(content)) + content

    def sign_with_label(self, sign: Callable[[bytes], bytes], label: str, content: bytes) -> bytes:
        """SignWithLabel by a signer."""
        return sign(self.sign_content(label, content))

    def verify_with_label(self, public: bytes, label: str, content: bytes, signature: bytes) -> None:
        """VerifyWithLabel. Raises BadSignature, or BadPublicKey for a key that is none."""
        self._verify(public, self.sign_content(label, content), signature)

    # --- public key encryption (section 5.1.3) --------------------------------------------------------
    def generate_key_pair(self, rng: Rng) -> tuple[bytes, bytes]:
        """(private, public) for HPKE."""
        return self._kem.generate(rng)

    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        """KEM.DeriveKeyPair: (private, public), always the same from the same secret."""
        return self._kem.derive_key_pair(ikm)

    def public_of(self, private: bytes) -> bytes:
        """The public HPKE key of a private one."""
        return self._kem.public_of(private)

    def check_public_key(self, public: bytes) -> None:
        """Raises BadPublicKey for an HPKE key of a wrong length, or one that nobody could encrypt to."""
        self._kem.check(public)

    def encryption_context(self, label: str, context: bytes) -> Info:
        """The EncryptContext, hashed once for all encryptions and decryptions with it."""
        return self._hpke.prepare(_labelled(label) + varint(len(context)) + context)

    def encrypt_with_label(self, public: bytes, info: Info, plaintext: bytes, rng: Rng) -> tuple[bytes, bytes]:
        """EncryptWithLabel: (kem_output, ciphertext). Raises BadPublicKey."""
        return self._hpke.seal(info, public, b"", plaintext, rng)

    def decrypt_with_label(self, private: bytes, info: Info, kem_output: bytes, ciphertext: bytes) -> bytes:
        """DecryptWithLabel. Raises BadMac, or BadPublicKey for a `kem_output` that is none."""
        return self._hpke.open(info, private, kem_output, b"", ciphertext)

    def export_sender(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        """(kem_output, init secret) for an ExternalInit (section 8.3). Raises BadPublicKey."""
        return self._hpke.export_sender(public, b"", _EXTERNAL_INIT, self.hash_length, rng)

    def export_receiver(self, private: bytes, kem_output: bytes) -> bytes:
        """The init secret that whoever sent `kem_output` has. Raises BadPublicKey."""
        return self._hpke.export_receiver(private, kem_output, b"", _EXTERNAL_INIT, self.hash_length)

    # --- symmetric encryption (sections 6.3 and 12.4.3.1) -----------------------------------------------
    def aead_seal(self, key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Ciphertext and tag."""
        return self._aead_seal(key, nonce, plaintext, aad)

    def aead_open(self, key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        """Raises BadMac."""
        return self._aead_open(key, nonce, ciphertext, aad)


def cipher_suite(number: int, crypto: CryptoProvider, extra: Mapping[int, str] | None = None) -> CipherSuite:
    """The suite of that number: the same object for the same provider, while it is among the last 256 that were asked for.

    `extra` gives numbers to suites that have none yet, by the names in `draft-ietf-mls-pq-ciphersuites`
    (`MLS_128_MLKEM768X25519_...`) or with X-Wing's own key derivation (`MLS_128_XWING_...`); it cannot
    redefine a registered number. Raises InputError for anything else.
    """
    name = SUITE_NAMES.get(number) or (extra or {}).get(number)
    if name is None or name not in _ALGORITHMS:
        raise InputError(f"cipher suite {number:#06x} is not supported", code="mls.cipher_suite")
    return _made(number, name, crypto)


@lru_cache(maxsize=256)
def _made(number: int, name: str, crypto: CryptoProvider) -> CipherSuite:
    return CipherSuite(number, name, crypto)


# --- the table (section 17.1, table 7) -------------------------------------------------------------------
class _Algorithms(NamedTuple):
    kem: int
    kdf: int
    aead: int
    signature: str
    labelled_derive: bool = False
    """For X-Wing: derive key pairs as draft-ietf-hpke-pq does."""


_ALGORITHMS: Final[Mapping[str, _Algorithms]] = {
    "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519": _Algorithms(
        DHKEM_X25519, hpke.HKDF_SHA256, hpke.AES_128_GCM, "ed25519"
    ),
    "MLS_128_DHKEMP256_AES128GCM_SHA256_P256": _Algorithms(DHKEM_P256, hpke.HKDF_SHA256, hpke.AES_128_GCM, "p256"),
    "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519": _Algorithms(
        DHKEM_X25519, hpke.HKDF_SHA256, hpke.CHACHA20_POLY1305, "ed25519"
    ),
    "MLS_256_DHKEMP521_AES256GCM_SHA512_P521": _Algorithms(DHKEM_P521, hpke.HKDF_SHA512, hpke.AES_256_GCM, "p521"),
    "MLS_256_DHKEMP384_AES256GCM_SHA384_P384": _Algorithms(DHKEM_P384, hpke.HKDF_SHA384, hpke.AES_256_GCM, "p384"),
    "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519": _Algorithms(
        XWING, hpke.HKDF_SHA256, hpke.AES_128_GCM, "ed25519", labelled_derive=True
    ),
    "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519": _Algorithms(
        XWING, hpke.HKDF_SHA384, hpke.AES_256_GCM, "ed25519", labelled_derive=True
    ),
    "MLS_128_XWING_AES128GCM_SHA256_Ed25519": _Algorithms(XWING, hpke.HKDF_SHA256, hpke.AES_128_GCM, "ed25519"),
    "MLS_192_XWING_AES256GCM_SHA384_Ed25519": _Algorithms(XWING, hpke.HKDF_SHA384, hpke.AES_256_GCM, "ed25519"),
}

_HASHES: Final = {hpke.HKDF_SHA256: hkdf.SHA256, hpke.HKDF_SHA384: hkdf.SHA384, hpke.HKDF_SHA512: hkdf.SHA512}


def _kem(crypto: CryptoProvider, algorithms: _Algorithms) -> Kem:
    if algorithms.kem == XWING:
        return XWing(crypto, labelled_derive=algorithms.labelled_derive)
    return dhkem(crypto, algorithms.kem)


class _SignatureKeys(NamedTuple):
    generate: Callable[[Rng], bytes]
    public: Callable[[bytes], bytes]


_Verify = Callable[[bytes, bytes, bytes], None]


def _signature_functions(crypto: CryptoProvider, scheme: str) -> tuple[_Verify, _SignatureKeys]:
    if scheme == "p256":
        return crypto.p256_verify, _SignatureKeys(crypto.p256_generate, crypto.p256_public)
    if scheme == "p384":
        return crypto.p384_verify, _SignatureKeys(crypto.p384_generate, crypto.p384_public)
    if scheme == "p521":
        return crypto.p521_verify, _SignatureKeys(crypto.p521_generate, crypto.p521_public)
    return crypto.ed25519_verify, _SignatureKeys(lambda rng: rng(32), crypto.ed25519_public)


# --- labels: "MLS 1.0 " and the name, encoded once ----------------------------------------------------------
_EXTERNAL_INIT: Final = b"MLS 1.0 external init secret"
_SHORT: Final = tuple(bytes((n,)) for n in range(64))


@lru_cache(maxsize=512)
def _kdf_label(label: str, length: int) -> bytes:
    """KDFLabel (section 8) up to where the context follows."""
    if not 0 <= length <= 0xFFFF:
        raise InputError("a derived secret has at most 65535 bytes", code="input.length")
    return length.to_bytes(2, "big") + _labelled(label)


@lru_cache(maxsize=128)
def _labelled(label: str) -> bytes:
    return opaque(b"MLS 1.0 " + label.encode())
