"""Recomputes every value of the JSON files beside it, without a line of Letterlock: `python recompute.py [FOLDER]`.

Standard library and `cryptography` only. Prints each difference and exits with 1 if there is any. It is an
implementation of its own, written from docs/spec/files.md, and may be read as a reference by those who write another.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Json = dict[str, Any]
un = bytes.fromhex

CHUNK, TAG, HEADER = 65_536, 16, 32
MAGIC = b"\xffLLFILE"
LABEL = b"\xff\x80letterlock/file/v1\x00"


class Different(Exception):
    """A value of a file is not what follows from the others."""


class Refused(Exception):
    """What a reader refuses; the rule or the code."""


def same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Different(what)


def u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


# --- lengths -------------------------------------------------------------------------------------------------------
def padme(length: int) -> int:
    """By the bits that must be zero, as the paper has it."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    zero_bits = exponent - exponent.bit_length()
    mask = (1 << zero_bits) - 1
    return (length + mask) & ~mask


def cuts(padded: int) -> list[int]:
    """The length of each chunk without its tag."""
    if padded == 0:
        return [0]
    whole, left = divmod(padded, CHUNK)
    return [CHUNK] * whole + ([left] if left else [])


def sealed_size(size: int) -> int:
    padded = padme(size)
    return HEADER + padded + TAG * max(1, (padded + CHUNK - 1) // CHUNK)


def layout(file: Json) -> None:
    for case in file["cases"]:
        size = case["size"]
        same(f"padded of {size}", padme(size), case["padded"])
        same(f"chunks of {size}", max(1, -(-case["padded"] // CHUNK)), case["chunks"])
        same(f"sealed size of {size}", sealed_size(size), case["sealed_size"])
        start, stop = case["range"]
        if start == stop:
            first, behind = start // CHUNK, start // CHUNK
        else:
            first, behind = start // CHUNK, (stop - 1) // CHUNK + 1
        expected = [min(HEADER + at * (CHUNK + TAG), sealed_size(size)) for at in (first, behind)]
        same(f"range of {size}", expected, case["sealed_range"])


# --- sealing and opening -------------------------------------------------------------------------------------------
@lru_cache
def content(size: int) -> bytes:
    return b"".join(hashlib.sha256(u(k, 4)).digest() for k in range((size + 31) // 32))[:size]


def derive(key: bytes, header: bytes, size: int) -> tuple[bytes, bytes, bytes]:
    """(info, AES key, prefix): HKDF-SHA-256, RFC 5869."""
    info = LABEL + header + u(size, 8)
    extracted = hmac.digest(header[12:], key, "sha256")
    first = hmac.digest(extracted, info + b"\1", "sha256")
    second = hmac.digest(extracted, first + info + b"\2", "sha256")
    return info, first, second[:7]


def nonce(prefix: bytes, index: int, last: bool) -> bytes:
    return prefix + u(index, 4) + (b"\1" if last else b"\0")


def seal(key: bytes, header: bytes, plain: bytes) -> bytes:
    _, aes_key, prefix = derive(key, header, len(plain))
    padded = plain + bytes(padme(len(plain)) - len(plain))
    sealed, at, lengths = [header], 0, cuts(len(padded))
    for index, length in enumerate(lengths):
        last = index == len(lengths) - 1
        sealed.append(AESGCM(aes_key).encrypt(nonce(prefix, index, last), padded[at : at + length], None))
        at += length
    return b"".join(sealed)


def open_sealed(size: int, key: bytes, sha256: bytes, sealed: bytes) -> bytes:
    header = sealed[:HEADER]
    if len(sealed) != sealed_size(size):
        raise Refused("LL-FILE-04")
    if hashlib.sha256(sealed).digest() != sha256:
        raise Refused("LL-FILE-08")
    if header[:7] != MAGIC:
        raise Refused("LL-FILE-01")
    if header[7] != 1:
        raise Refused("LL-FILE-02")
    if header[8:12] != u(CHUNK, 4):
        raise Refused("LL-FILE-03")
    _, aes_key, prefix = derive(key, header, size)
    lengths = cuts(padme(size))
    plain, at = b"", HEADER
    for index, length in enumerate(lengths):
        try:
            last = index == len(lengths) - 1
            plain += AESGCM(aes_key).decrypt(nonce(prefix, index, last), sealed[at : at + length + TAG], None)
        except InvalidTag:
            raise Refused("LL-FILE-06") from None
        at += length + TAG
    if any(plain[size:]):
        raise Refused("LL-FILE-07")
    return plain[:size]


def sealing(file: Json) -> None:
    for case in file["cases"]:
        size, key, header = case["size"], un(case["key"]), un(case["header"])
        same(f"header of {size}", header[:12], MAGIC + b"\1" + u(CHUNK, 4))
        same(f"length of the header of {size}", len(header), HEADER)
        info, aes_key, prefix = derive(key, header, size)
        same(f"info of {size}", info.hex(), case["info"])
        same(f"AES key of {size}", aes_key.hex(), case["aes_key"])
        same(f"prefix of {size}", prefix.hex(), case["prefix"])
        sealed = seal(key, header, content(size))
        lengths = cuts(padme(size))
        for chunk in case["chunks"]:
            index = chunk["index"]
            begin = HEADER + sum(lengths[:index]) + TAG * index
            end = begin + lengths[index] + TAG
            same(f"chunk {index} of {size}", begin, chunk["at"])
            same(f"nonce {index} of {size}", nonce(prefix, index, index == len(lengths) - 1).hex(), chunk["nonce"])
            same(f"tag {index} of {size}", sealed[end - TAG : end].hex(), chunk["tag"])
        same(f"SHA-256 of {size}", hashlib.sha256(sealed).hexdigest(), case["sha256"])
        if len(sealed) <= 400:
            same(f"sealed file of {size}", sealed.hex(), case["sealed"])


def refused(file: Json) -> None:
    for case in file["cases"]:
        seal_ = un(case["seal"])
        size, announced = int.from_bytes(seal_[:8], "big"), int.from_bytes(seal_[8:16], "big")
        same(f"{case['what']}: announced", sealed_size(size), announced)
        same(f"{case['what']}: length of the seal", len(seal_), 80)
        found = ""
        try:
            same(case["what"], open_sealed(size, seal_[16:48], seal_[48:], un(case["sealed"])), content(size))
        except Refused as refusal:
            found = str(refusal)
        same(case["what"], found, case["rule"])


# --- pointers --------------------------------------------------------------------------------------------------------
class Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise Refused("tls.truncated")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self) -> bytes:
        """RFC 9420 section 2.1.2."""
        first = self.number(1)
        size = 1 << (first >> 6)
        length = int.from_bytes(u(first & 0x3F, 1) + self.take(size - 1), "big")
        if size == 8 or (size > 1 and length < 1 << (8 * size // 2 - 2)):
            raise Refused("tls.varint")
        return self.take(length)

    def present(self) -> bool:
        octet = self.number(1)
        if octet > 1:
            raise Refused("tls.optional")
        return octet == 1


def read_remote(reader: Reader) -> Json:
    size, announced = reader.number(8), reader.number(8)
    key, sha256 = reader.take(32).hex(), reader.take(32).hex()
    if size > 1 << 40:
        raise Refused("file.10")
    if announced != sealed_size(size):
        raise Refused("file.11")
    url = reader.vector().decode()
    until = reader.number(8) if reader.present() else None
    return {"size": size, "sealed_size": announced, "key": key, "sha256": sha256, "url": url, "until": until}


def read_dimensions(reader: Reader) -> list[int]:
    return [reader.number(4), reader.number(4)]


def read_pointer(data: bytes) -> Json:
    reader = Reader(data)
    if reader.number(1) != 1:
        raise Refused("file.pointer.version")
    pointer: Json = {
        "at": read_remote(reader),
        "name": reader.vector().decode(),
        "content_type": reader.vector().decode(),
    }
    small = None
    if reader.present():
        at = read_remote(reader)
        small = {"at": at, "dimensions": read_dimensions(reader)}
    pointer["thumbnail"] = small
    pointer["dimensions"] = read_dimensions(reader) if reader.present() else None
    pointer["duration_ms"] = reader.number(8) if reader.present() else None
    pointer["waveform"] = reader.vector().hex()
    reader.vector()  # the tail
    if reader.at != len(data):
        raise Refused("tls.trailing")
    return pointer


def pointers(file: Json) -> None:
    for case in file["cases"]:
        expected = {name: value for name, value in case.items() if name not in ("what", "encoded")}
        same(case["what"], read_pointer(un(case["encoded"])), expected)
    for case in file["refused"]:
        found = ""
        try:
            read_pointer(un(case["encoded"]))
        except Refused as refusal:
            found = str(refusal)
        same(case["what"], found, case["code"])


CHECKS = {"layout": layout, "sealing": sealing, "refused": refused, "pointers": pointers}


def difference(name: str, file: Json) -> str | None:
    """What of a file does not follow; None when all of it does."""
    try:
        CHECKS[name](file)
    except (Different, Refused, LookupError, ValueError, TypeError, OverflowError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    wrong = False
    for name in sorted({*CHECKS, *(path.stem for path in folder.glob("*.json"))}):
        path = folder / f"{name}.json"
        if name not in CHECKS or not path.exists():
            found: str | None = "is missing" if name in CHECKS else "is checked by nobody"
        else:
            found = difference(name, json.loads(path.read_text(encoding="utf-8")))
        wrong = wrong or found is not None
        print(f"{name}: {found or 'ok'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
