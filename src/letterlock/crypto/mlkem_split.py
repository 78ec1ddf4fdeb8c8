"""ML-KEM encapsulation in two halves (FIPS 203; ML-KEM Braid section 1.2.1).

The braid sends the first 960 bytes of an ML-KEM-768 ciphertext before it has the encapsulation key, of
which it then knows only seed and hash. No library offers that, so K-PKE.Encrypt (FIPS 203 algorithm 14)
is written out here; keys and decapsulation are the provider's.

Not constant time, as nothing in CPython is. What is secret here, the coins, is used for one encapsulation
and dropped; security does not rest on this code alone, since the Double Ratchet keeps its own secrets.

How it is fast without a compiled part: a polynomial's 256 numbers are packed into lanes of one big integer
wherever all of them meet the same operation, so that CPython's long arithmetic does the loop. The number
theoretic transform is done as what it is, a matrix times a vector, with packed columns.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha3_256, sha3_512, shake_128, shake_256
from operator import mul
from typing import Final, NamedTuple

from ..errors import BadPublicKey

__all__ = [
    "CT1_BYTES",
    "CT2_BYTES",
    "HEADER_BYTES",
    "SECRET_BYTES",
    "VECTOR_BYTES",
    "check_vector",
    "encapsulate",
    "encapsulate1",
    "encapsulate2",
    "header_of",
    "rho_of",
]


class _Parameters(NamedTuple):
    """FIPS 203 table 2; eta is 2 throughout in the two sets known here."""

    k: int
    du: int
    dv: int


_ML_KEM_768: Final = _Parameters(3, 10, 4)
_ML_KEM_1024: Final = _Parameters(4, 11, 5)

HEADER_BYTES: Final = 64
"""rho (32) and SHA3-256 of the encapsulation key."""
VECTOR_BYTES: Final = 1152
"""The part of an encapsulation key before rho."""
SECRET_BYTES: Final = 96
"""Header and coins: all that the second half needs. The rest is computed again rather than stored."""
CT1_BYTES: Final = 960
CT2_BYTES: Final = 128


def header_of(public: bytes) -> bytes:
    """The 64-byte header of an encapsulation key."""
    return public[-32:] + sha3_256(public).digest()


def rho_of(seed: bytes) -> bytes:
    """The first half of the header of an ML-KEM-768 key, from its seed d || z: FIPS 203 algorithm 13, line 1.

    One hash, where the key as a whole takes a hundred times as long.
    """
    return sha3_512(seed[:32] + bytes((_ML_KEM_768.k,))).digest()[:32]


def encapsulate1(header: bytes, coins: bytes, parameters: _Parameters = _ML_KEM_768) -> tuple[bytes, bytes, bytes]:
    """(secret for the second half, ct1, shared secret) for a key of which only the header is known.

    `coins` are 32 fresh random bytes: whoever knows them knows the shared secret.
    """
    if len(header) != HEADER_BYTES or len(coins) != 32:
        raise BadPublicKey("wrong length of ML-KEM header or coins", code="crypto.mlkem.length")
    rho = header[:32]
    shared, r = _expand(header, coins)
    k, du, _ = parameters
    y = _noise_vector(r, k)
    ct1 = b""
    for i in range(k):
        row = _inner([_sample_ntt(rho, i, j) for j in range(k)], y)
        noise = _centered_binomial(r, k + i)
        compressed = _compression(du)
        ct1 += _pack([compressed[(a + b) % _Q] for a, b in zip(_inverse_ntt(row), noise, strict=True)], du)
    return header + coins, ct1, shared


def encapsulate2(secret: bytes, vector: bytes, parameters: _Parameters = _ML_KEM_768) -> bytes:
    """The rest of the ciphertext, ct2. Raises BadPublicKey unless `vector` is the one that the header promised."""
    header, coins = secret[:HEADER_BYTES], secret[HEADER_BYTES:]
    k, _, dv = parameters
    t = check_vector(header, vector, parameters)
    r = _expand(header, coins)[1]
    row = _inner(t, _noise_vector(r, k))
    noise = _centered_binomial(r, 2 * k)
    message = [_HALF if bit == "1" else 0 for bit in f"{int.from_bytes(coins, 'little'):0256b}"[::-1]]
    compressed = _compression(dv)
    v = [compressed[(a + b + c) % _Q] for a, b, c in zip(_inverse_ntt(row), noise, message, strict=True)]
    return _pack(v, dv)


def check_vector(header: bytes, vector: bytes, parameters: _Parameters = _ML_KEM_768) -> list[Sequence[int]]:
    """The vector's polynomials. Raises BadPublicKey unless it has the hash of the header and is reduced (FIPS 203 7.2)."""
    if len(vector) != 384 * parameters.k:
        raise BadPublicKey("wrong length of an ML-KEM key", code="crypto.mlkem.length")
    if not hmac.compare_digest(sha3_256(vector + header[:32]).digest(), header[32:]):
        raise BadPublicKey("the ML-KEM key is not the one announced", code="crypto.mlkem.hash")
    t = [_unpack12(vector[at : at + 384], 256) for at in range(0, len(vector), 384)]
    if max(map(max, t)) >= _Q:  # "modulus check"
        raise BadPublicKey("the ML-KEM key is not reduced", code="crypto.mlkem.modulus")
    return t


def encapsulate(public: bytes, coins: bytes) -> tuple[bytes, bytes]:
    """(shared secret, ciphertext) with chosen coins for an ML-KEM-768 or -1024 key: for vectors and tests.

    Products draw coins inside the provider's own encapsulation.
    """
    parameters = {1184: _ML_KEM_768, 1568: _ML_KEM_1024}.get(len(public))
    if parameters is None:
        raise BadPublicKey("wrong length of an ML-KEM key", code="crypto.mlkem.length")
    secret, ct1, shared = encapsulate1(header_of(public), coins, parameters)
    return shared, ct1 + encapsulate2(secret, public[:-32], parameters)


# --- the ring: polynomials of 256 coefficients modulo 3329 -------------------------------------------------
_Q: Final = 3329
_HALF: Final = 1665  # Decompress_1(1)
_ZETA: Final = 17
_LANE: Final = 4  # bytes per coefficient in a packed column: 128 * 3328**2 < 2**32

_u16x256 = struct.Struct("<256H")
_u16x512 = struct.Struct("<512H")
_u32x128 = struct.Struct("<128I")
_u32x256 = struct.Struct("<256I")
_u64x128 = struct.Struct("<128Q")

_Transformed = tuple[list[int], list[int]]
"""A transformed polynomial y ready for multiplication: see `_inner`."""


def _expand(header: bytes, coins: bytes) -> tuple[bytes, bytes]:
    """(shared secret, encryption randomness): FIPS 203 algorithm 17, line 1."""
    okm = sha3_512(coins + header[32:]).digest()
    return okm[:32], okm[32:]


def _noise_vector(r: bytes, k: int) -> list[_Transformed]:
    return [_transformed(_centered_binomial(r, n)) for n in range(k)]


def _sample_ntt(rho: bytes, i: int, j: int) -> Sequence[int]:
    """Algorithm 7: 256 uniform coefficients by rejection. Three SHAKE blocks (336 candidates) are enough 99 times of 100."""
    xof = shake_128(rho + bytes((i, j)))
    accepted: list[int] = []
    size = 0
    while len(accepted) < 256:
        size += 504
        accepted += [x for x in _unpack12(xof.digest(size)[-504:], 336) if x < _Q]
    return accepted[:256]


# Sums of four bits of a nibble b0..b3 as b0 + b1 - b2 - b3, looked up by hexadecimal digit; as signed bytes.
_BINOMIAL: Final = bytes(
    sum((digit >> bit & 1) * (1 if bit < 2 else -1) for bit in range(4)) % 256
    for character in range(256)
    for digit in [int(chr(character), 16) if chr(character) in "0123456789abcdef" else 0]
)


def _centered_binomial(r: bytes, n: int) -> Sequence[int]:
    """Algorithm 8 with eta 2: 256 coefficients from -2 to 2, one from each nibble, lowest first."""
    digits = shake_256(r + bytes((n,))).digest(128)[::-1].hex().encode()
    return memoryview(digits[::-1].translate(_BINOMIAL)).cast("b").tolist()


def _transformed(small: Sequence[int]) -> _Transformed:
    """The transform of a polynomial with coefficients from -2 to 2, as the two lists that `_inner` multiplies with."""
    columns, bias, gammas = _forward()
    even = _u32x128.unpack((sum(map(mul, small[::2], columns)) + bias).to_bytes(128 * _LANE, "little"))
    odd = _u32x128.unpack((sum(map(mul, small[1::2], columns)) + bias).to_bytes(128 * _LANE, "little"))
    first = [a % _Q | b % _Q << 32 for a, b in zip(even, odd, strict=True)]
    second = [(p >> 32) * gamma % _Q | (p & 0xFFFFFFFF) << 32 for p, gamma in zip(first, gammas, strict=True)]
    return first, second


def _inner(row: Sequence[Sequence[int]], vector: Sequence[_Transformed]) -> list[int]:
    """The sum of products of transformed polynomials, reduced.

    Algorithm 12 multiplies pairs: c0 = a0*y0 + a1*y1*gamma, c1 = a0*y1 + a1*y0. With y0 | y1 << 32 and
    y1*gamma | y0 << 32 at hand, one number times a0 plus one times a1 gives c0 | c1 << 32.
    """
    total: Iterable[int] = [0] * 128
    if len(row) == 3:
        (a, d), (b, e), (c, f) = vector
        x, y, z = row
        total = [
            x0 * p + x1 * q + y0 * r + y1 * s + z0 * t + z1 * u
            for x0, x1, y0, y1, z0, z1, p, q, r, s, t, u in zip(
                x[::2], x[1::2], y[::2], y[1::2], z[::2], z[1::2], a, d, b, e, c, f, strict=True
            )
        ]
    else:
        for x, (a, d) in zip(row, vector, strict=True):
            total = [w + x0 * p + x1 * q for w, x0, x1, p, q in zip(total, x[::2], x[1::2], a, d, strict=True)]
    return [c % _Q for c in _u32x256.unpack(_u64x128.pack(*total))]


def _inverse_ntt(values: Sequence[int]) -> list[int]:
    """Algorithm 10; the result is not reduced."""
    columns = _inverse()
    out = [0] * 256
    out[::2] = _u32x128.unpack(sum(map(mul, values[::2], columns)).to_bytes(128 * _LANE, "little"))
    out[1::2] = _u32x128.unpack(sum(map(mul, values[1::2], columns)).to_bytes(128 * _LANE, "little"))
    return out


# --- tables, made on first use -----------------------------------------------------------------------------
def _gammas() -> list[int]:
    return [pow(_ZETA, 2 * int(f"{i:07b}"[::-1], 2) + 1, _Q) for i in range(128)]


def _column(values: Sequence[int]) -> int:
    return int.from_bytes(_u32x128.pack(*values), "little")


@cache
def _forward() -> tuple[list[int], int, list[int]]:
    """(columns of the transform of even or odd coefficients, a bias that makes every lane positive, the gammas)."""
    gammas = _gammas()
    columns = []
    powers = [1] * 128
    for _ in range(128):
        columns.append(_column(powers))
        powers = [power * gamma % _Q for power, gamma in zip(powers, gammas, strict=True)]
    return columns, _column([256 * _Q] * 128), gammas


@cache
def _inverse() -> list[int]:
    """Columns of the inverse transform, the factor 1/128 included."""
    scale = pow(128, -1, _Q)
    columns = []
    for gamma in _gammas():
        step = pow(gamma, -1, _Q)
        powers = [scale]
        for _ in range(127):
            powers.append(powers[-1] * step % _Q)
        columns.append(_column(powers))
    return columns


@cache
def _compression(bits: int) -> list[int]:
    """Compress_d of each residue (FIPS 203 section 4.2.1). A table, so no division by q of a secret (KyberSlash)."""
    return [((x << bits) + _Q // 2) // _Q & (1 << bits) - 1 for x in range(_Q)]


# --- fields of a few bits, packed; spread to 16-bit lanes and back by moving halves of halves -------------------
def _unpack12(data: bytes, count: int) -> Sequence[int]:
    """ByteDecode_12: `count` fields of 12 bits (at most 512), not reduced."""
    lanes = 256 if count <= 256 else 512
    value = int.from_bytes(data, "little")
    for low, high, shift in _steps(12, lanes):
        value = value & low | (value & high) << shift
    unpacked = (_u16x256 if lanes == 256 else _u16x512).unpack(value.to_bytes(2 * lanes, "little"))
    return unpacked if count == lanes else unpacked[:count]


def _pack(values: Sequence[int], bits: int) -> bytes:
    """ByteEncode_d of 256 fields."""
    value = int.from_bytes(_u16x256.pack(*values), "little")
    for low, high, shift in reversed(_steps(bits, 256)):
        value = value & low | value >> shift & high
    return value.to_bytes(32 * bits, "little")


@cache
def _steps(bits: int, lanes: int) -> list[tuple[int, int, int]]:
    """Masks and shifts that spread `lanes` fields: each step moves the upper half of every block out to its place."""
    steps = []
    block = lanes
    while block > 1:
        half = block // 2
        ones = (1 << bits * half) - 1
        low = sum(ones << 16 * at for at in range(0, lanes, block))
        steps.append((low, low << bits * half, (16 - bits) * half))
        block = half
    return steps
