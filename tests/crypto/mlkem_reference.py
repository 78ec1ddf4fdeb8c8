"""ML-KEM-768 and -1024 after FIPS 203, in plain Python, slow and readable: a second opinion for the tests.

Unlike the libraries it takes its coins from the caller, and it reads expanded decapsulation keys, which
is what libsignal exports. Not constant time; never used outside the tests.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["ML_KEM_768", "ML_KEM_1024", "ParameterSet", "encapsulate", "recover_message"]

Q = 3329
Poly = list[int]


@dataclass(frozen=True)
class ParameterSet:
    """FIPS 203 section 8; eta1 = eta2 = 2 in both."""

    k: int
    du: int
    dv: int


ML_KEM_768 = ParameterSet(k=3, du=10, dv=4)
ML_KEM_1024 = ParameterSet(k=4, du=11, dv=5)


def encapsulate(p: ParameterSet, ek: bytes, m: bytes) -> tuple[bytes, bytes]:
    """(shared secret, ciphertext) for the coins `m` (algorithm 17). Raises ValueError on a bad key."""
    if len(ek) != 384 * p.k + 32:
        raise ValueError("length")
    if b"".join(_encode(t, 12) for t in _vector(p, ek)) != ek[: 384 * p.k]:
        raise ValueError("modulus")
    g = hashlib.sha3_512(m + hashlib.sha3_256(ek).digest()).digest()
    return g[:32], _pke_encrypt(p, ek, m, g[32:])


def recover_message(p: ParameterSet, dk: bytes, ciphertext: bytes) -> bytes:
    """The encapsulated coins, with the K-PKE part of an expanded decapsulation key (algorithm 15)."""
    size = 32 * p.du
    u = [_decompress(_decode(ciphertext[i * size : (i + 1) * size], p.du), p.du) for i in range(p.k)]
    v = _decompress(_decode(ciphertext[p.k * size :], p.dv), p.dv)
    s = _vector(p, dk)
    product = _ntt_inverse(_dot(s, [_ntt(x) for x in u]))
    return _encode(_compress(_sub(v, product), 1), 1)


def _pke_encrypt(p: ParameterSet, ek: bytes, m: bytes, r: bytes) -> bytes:
    t, rho = _vector(p, ek), ek[384 * p.k :]
    a = [[_sample_ntt(rho + bytes((j, i))) for j in range(p.k)] for i in range(p.k)]
    y = [_ntt(_sample_cbd(r, n)) for n in range(p.k)]
    e1 = [_sample_cbd(r, p.k + n) for n in range(p.k)]
    e2 = _sample_cbd(r, 2 * p.k)
    u = [_add(_ntt_inverse(_dot([a[j][i] for j in range(p.k)], y)), e1[i]) for i in range(p.k)]
    mu = _decompress(_decode(m, 1), 1)
    v = _add(_add(_ntt_inverse(_dot(t, y)), e2), mu)
    return b"".join(_encode(_compress(x, p.du), p.du) for x in u) + _encode(_compress(v, p.dv), p.dv)


def _vector(p: ParameterSet, data: bytes) -> list[Poly]:
    return [[c % Q for c in _decode(data[384 * i : 384 * (i + 1)], 12)] for i in range(p.k)]


def _sample_ntt(seed: bytes) -> Poly:
    stream = hashlib.shake_128(seed).digest(168 * 8)
    out: Poly = []
    for i in range(0, len(stream), 3):
        a, b, c = stream[i : i + 3]
        out += [d for d in (a | (b & 15) << 8, b >> 4 | c << 4) if d < Q]
    assert len(out) >= 256
    return out[:256]


def _sample_cbd(seed: bytes, n: int) -> Poly:
    bits = _decode(hashlib.shake_256(seed + bytes((n,))).digest(128), 1)
    return [(bits[4 * i] + bits[4 * i + 1] - bits[4 * i + 2] - bits[4 * i + 3]) % Q for i in range(256)]


def _decode(data: bytes, d: int) -> Poly:
    number, mask = int.from_bytes(data, "little"), (1 << d) - 1
    return [number >> (d * i) & mask for i in range(len(data) * 8 // d)]


def _encode(poly: Poly, d: int) -> bytes:
    return sum(c << (d * i) for i, c in enumerate(poly)).to_bytes(32 * d, "little")


def _compress(poly: Poly, d: int) -> Poly:
    return [((c << d) + Q // 2) // Q % (1 << d) for c in poly]


def _decompress(poly: Poly, d: int) -> Poly:
    return [(c * Q + (1 << (d - 1))) >> d for c in poly]


def _add(a: Poly, b: Poly) -> Poly:
    return [(x + y) % Q for x, y in zip(a, b, strict=True)]


def _sub(a: Poly, b: Poly) -> Poly:
    return [(x - y) % Q for x, y in zip(a, b, strict=True)]


def _reversed7(i: int) -> int:
    return int(f"{i:07b}"[::-1], 2)


ZETAS = [pow(17, _reversed7(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * _reversed7(i) + 1, Q) for i in range(128)]


def _ntt(f: Poly) -> Poly:
    f, i, length = f[:], 1, 128
    while length >= 2:
        for start in range(0, 256, 2 * length):
            zeta, i = ZETAS[i], i + 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
        length //= 2
    return f


def _ntt_inverse(f: Poly) -> Poly:
    f, i, length = f[:], 127, 2
    while length <= 128:
        for start in range(0, 256, 2 * length):
            zeta, i = ZETAS[i], i - 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [c * 3303 % Q for c in f]


def _dot(a: list[Poly], b: list[Poly]) -> Poly:
    out = [0] * 256
    for x, y in zip(a, b, strict=True):
        for i in range(128):
            x0, x1, y0, y1 = x[2 * i], x[2 * i + 1], y[2 * i], y[2 * i + 1]
            out[2 * i] = (out[2 * i] + x0 * y0 + x1 * y1 * GAMMAS[i]) % Q
            out[2 * i + 1] = (out[2 * i + 1] + x0 * y1 + x1 * y0) % Q
    return out
