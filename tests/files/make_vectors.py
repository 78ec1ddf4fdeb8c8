"""Writes vectors/files: `PYTHONPATH=src:tests python -m files.make_vectors`. A test compares; the values are read by others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from letterlock.files import (
    CHUNK,
    HEADER,
    FilePointer,
    Layout,
    RemoteSeal,
    Seal,
    encode_pointer,
    encode_seal,
    seal_bytes,
)
from letterlock.files.keys import LABEL, derive
from letterlock.files.layout import MAX_SIZE, TAG

from .decoders import PICTURE, PLAIN, VOICE
from .world import CRYPTO, Parts, content, seeded

__all__ = ["FOLDER", "VECTORS", "text_of"]

FOLDER = Path(__file__).parents[2] / "vectors" / "files"
Json = dict[str, Any]

_WHOLE = 400  # bytes of a sealed file that are written out
_SIZES = (0, 1, 2, 5, 100, 300, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 5, 4_194_305)
_CONTENT = "The content is SHA-256(uint32 0) | SHA-256(uint32 1) | ..., cut to its size. "


def _layout() -> Json:
    sizes = {*_SIZES, 9, 10, 1_000, 1_024, 1_025, 1_000_000, 100_000_000, (1 << 32) + 1, MAX_SIZE - 1, MAX_SIZE}
    cases = []
    for size in sorted(sizes):
        layout = Layout(size)
        start, stop = size // 3, size - size // 4
        cases.append(
            {
                "size": size,
                "padded": layout.padded,
                "chunks": layout.chunks,
                "sealed_size": layout.sealed_size,
                "range": [start, stop],
                "sealed_range": list(layout.sealed_range(start, stop)),
            }
        )
    return {
        "description": "Lengths: of the file, padded (Padmé), chunks, of the sealed file; and which bytes of the sealed "
        "file hold a range [from, up to) of the file. docs/spec/files.md 2 and 4.",
        "cases": cases,
    }


def _sealing() -> Json:
    cases = []
    for size in _SIZES:
        seal, sealed = seal_bytes(content(size), crypto=CRYPTO, rng=seeded(f"vector {size}"))
        layout, header = seal.layout, sealed[:HEADER]
        info = LABEL + header + size.to_bytes(8, "big")
        derived = CRYPTO.hkdf_sha256(seal.key.reveal(), header[12:], info, 39)
        keys = derive(CRYPTO, seal.key, header, layout)
        chosen = sorted({0, layout.chunks // 2, layout.chunks - 1})
        case: Json = {
            "size": size,
            "key": seal.key.reveal().hex(),
            "header": header.hex(),
            "info": info.hex(),
            "aes_key": derived[:32].hex(),
            "prefix": derived[32:].hex(),
            "chunks": [
                {
                    "index": index,
                    "at": layout.sealed_at(index),
                    "nonce": keys.nonce(index, layout.is_last(index)).hex(),
                    "tag": sealed[layout.sealed_at(index + 1) - TAG : layout.sealed_at(index + 1)].hex(),
                }
                for index in chosen
            ],
            "sha256": seal.sha256.hex(),
        }
        if len(sealed) <= _WHOLE:
            case["sealed"] = sealed.hex()
        cases.append(case)
    return {
        "description": _CONTENT
        + "From key and header to keys, nonces, tags of the first, a middle and the last chunk, "
        "and SHA-256 of the sealed file, which is written out where it is short. docs/spec/files.md 2 and 3.",
        "cases": cases,
    }


def _refused() -> Json:
    cases: list[Json] = []

    def case(what: str, rule: str, seal: Seal, sealed: bytes) -> None:
        seal = replace(seal, sha256=hashlib.sha256(sealed).digest())
        cases.append({"what": what, "rule": rule, "seal": encode_seal(seal).hex(), "sealed": sealed.hex()})

    parts = Parts(9, "refused")
    seal, sealed = parts.seal, parts.whole
    case("nothing is wrong with this one", "", seal, sealed)
    case("another magic", "LL-FILE-01", seal, b"\xfe" + sealed[1:])
    case("version 2", "LL-FILE-02", seal, sealed[:7] + b"\2" + sealed[8:])
    case("chunks of 131072 bytes", "LL-FILE-03", seal, sealed[:8] + (2 * CHUNK).to_bytes(4, "big") + sealed[12:])
    case("a byte less", "LL-FILE-04", seal, sealed[:-1])
    case("a byte more", "LL-FILE-04", seal, sealed + b"\0")
    case("a flipped bit", "LL-FILE-06", seal, sealed[:-1] + bytes((sealed[-1] ^ 1,)))
    case("another salt", "LL-FILE-06", seal, sealed[:12] + bytes((sealed[12] ^ 1,)) + sealed[13:])
    case("a length with the same padding", "LL-FILE-06", replace(seal, size=10), sealed)
    case("not marked as the last chunk", "LL-FILE-06", seal, _by_hand(parts, content(9) + b"\0", last=False))
    case("padding that is not zero", "LL-FILE-07", seal, _by_hand(parts, content(9) + b"\1", last=True))
    return {
        "description": "Sealed files that are refused, each with the rule that it breaks first; all with their own right "
        "SHA-256, so that LL-FILE-08 says nothing. `seal` is the struct of docs/spec/files.md 5.1; " + _CONTENT,
        "cases": cases,
    }


def _by_hand(parts: Parts, padded: bytes, *, last: bool) -> bytes:
    keys = derive(CRYPTO, parts.seal.key, parts.header, parts.seal.layout)
    return parts.header + keys.aead.seal(keys.nonce(0, last), padded, b"")


def _pointers() -> Json:
    cases = [
        _pointer(what, pointer) for what, pointer in (("a file", PLAIN), ("a picture", PICTURE), ("a voice", VOICE))
    ]
    later = dict(_pointer("a file, with a tail that a later version wrote", PLAIN))
    later["encoded"] = later["encoded"][:-2] + "03" + b"new".hex()
    version = encode_pointer(PLAIN)
    wrong = bytearray(version)
    wrong[8] ^= 0x80  # of the true length
    refused = [
        {"what": "version 2", "code": "file.pointer.version", "encoded": (b"\2" + version[1:]).hex()},
        {"what": "lengths that disagree", "code": "file.11", "encoded": bytes(wrong).hex()},
        {"what": "bytes behind the end", "code": "tls.trailing", "encoded": (version + b"\0").hex()},
    ]
    return {
        "description": "Pointers (docs/spec/files.md 5): what they say, and their bytes; null where something is not "
        "given. `refused` has bytes that are no pointer, with the code of the error.",
        "cases": [*cases, later],
        "refused": refused,
    }


def _pointer(what: str, pointer: FilePointer) -> Json:
    small, shown = pointer.thumbnail, pointer.dimensions
    return {
        "what": what,
        "at": _remote(pointer.at),
        "name": pointer.name,
        "content_type": pointer.content_type,
        "thumbnail": small
        and {"at": _remote(small.at), "dimensions": [small.dimensions.width, small.dimensions.height]},
        "dimensions": shown and [shown.width, shown.height],
        "duration_ms": pointer.duration_ms,
        "waveform": pointer.waveform.hex(),
        "encoded": encode_pointer(pointer).hex(),
    }


def _remote(remote: RemoteSeal) -> Json:
    seal = remote.seal
    return {
        "size": seal.size,
        "sealed_size": seal.layout.sealed_size,
        "key": seal.key.reveal().hex(),
        "sha256": seal.sha256.hex(),
        "url": remote.url,
        "until": remote.until,
    }


VECTORS: dict[str, Callable[[], Json]] = {
    "layout": _layout,
    "sealing": _sealing,
    "refused": _refused,
    "pointers": _pointers,
}


def text_of(name: str) -> str:
    return json.dumps(VECTORS[name](), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in VECTORS:
        (FOLDER / f"{each}.json").write_text(text_of(each), encoding="utf-8")
