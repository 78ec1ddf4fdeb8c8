"""Files, padding, FileInfo, commitments and the continuity token: every value of rcc16.md 11.5 to 11.7."""

from __future__ import annotations

import pytest

from letterlock.crypto.padme import padded_length
from letterlock.crypto.pyca import Pyca
from letterlock.rcc16.choices import Revision
from letterlock.rcc16.files import open_file, seal_file
from letterlock.rcc16.metadata import Slot, commitment, continuity_commitment
from letterlock.rcc16.wire.file_info import (
    FileEncryptionInfo,
    FileInfo,
    FileMetadata,
    decode_file_info,
    encode_file_info,
)

from .section11 import AUTHENTICATOR, IV, KEY, key_then_iv

CRYPTO = Pyca()

FILES = {
    ("group_subject", b"a group subject"): (
        "e2ce106aa58e4006b1563a0315b025215fe85db6df2d1340",
        "d725a155e5b38235651e830fb6feac8601d6ad2b4873101d3363bc7ce5db1922",
    ),
    ("group_icon", b"same bytes"): (
        "a05b24ef2c70643f646b378893282aaba9ac",
        "f992eb91399590c0472e62c980086f665b7c1b154da340587d5c72085698fa6e",
    ),
    ("group_subject", b"same bytes"): (
        "f08f1a7dea994952a750586970d951215fe8",
        "92fa8cedfedd4cf213c39597f3b7d8779c21d7d8c48325f2bf6864b723594a6c",
    ),
    ("holiday.jpg", b"x" * 100): (None, "18c04848ebf6cf5f05243f3ac0b4006980932a566efa9c18be4376fd8254352d"),
}


@pytest.mark.parametrize(("name", "content"), FILES)
def test_files(name: str, content: bytes) -> None:
    ciphertext, tag = FILES[name, content]
    sealed = seal_file(content, name, "x/y", crypto=CRYPTO, rng=key_then_iv())
    assert ciphertext is None or sealed.ciphertext.hex() == ciphertext
    assert sealed.metadata == FileMetadata(name, "x/y", FileEncryptionInfo(KEY, IV, bytes.fromhex(tag), len(content)))
    assert open_file(sealed.metadata, sealed.ciphertext, crypto=CRYPTO, max_bytes=1000) == content


PADME = {9: 10, 15: 16, 17: 18, 33: 36, 63: 64, 65: 72, 100: 104, 255: 256, 257: 272, 1000: 1024, 1234: 1280}
PADME |= {4097: 4352, 65537: 67584, 1000000: 1015808}


@pytest.mark.parametrize(("length", "padded"), [*PADME.items(), (0, 0), (1, 1), (2, 2), (3, 3), (8, 8)])
def test_padme(length: int, padded: int) -> None:
    assert padded_length(length) == padded


def test_file_info_of_the_subject() -> None:
    data = bytes.fromhex(
        "1a760a0d67726f75705f7375626a656374120a746578742f706c61696e1a590a200102030405060708090a0b0c0d0e0f1011121314151617"
        "18191a1b1c1d1e1f20120ca0a1a2a3a4a5a6a7a8a9aaab1a20d725a155e5b38235651e830fb6feac8601d6ad2b4873101d3363bc7ce5db19"
        "2220012d0f000000"
    )
    tag = bytes.fromhex(FILES["group_subject", b"a group subject"][1])
    info = FileInfo(subject=FileMetadata("group_subject", "text/plain", FileEncryptionInfo(KEY, IV, tag, 15)))
    assert len(data) == 120
    assert encode_file_info(info) == data
    assert decode_file_info(data) == info


TAG = "d725a155e5b38235651e830fb6feac8601d6ad2b4873101d3363bc7ce5db1922"
K = KEY.hex()


@pytest.mark.parametrize(
    ("slot", "revision", "key", "tag", "digest"),
    [
        (Slot.ICON, Revision.V3, K, TAG, "c135495d6309885301197b10746312a13891551603604daa2377dc82c61be24f"),
        (Slot.SUBJECT, Revision.V3, K, TAG, "dbe2306d7d6284311af619f6f83f703eacc901015d2bbed72c8d82e64b27b342"),
        # Section 11.6 gives the labels of v4.0 over K, too.
        (Slot.ICON, Revision.V4, TAG, K, "0012f378aebb5c8317cfe4309fb9232a5b77594fddab67227791039ab2cb16af"),
        (Slot.SUBJECT, Revision.V4, TAG, K, "c4ce6f37b278e19f060515448a12137514d2259f7f70d2307f3351acf7d18038"),
        (Slot.SUBJECT, Revision.V4, K, TAG, "57986d0b124ba57376a0259e8b32f3488254d954de47f798d5d642d98fc5f13f"),
    ],
)
def test_commitments(slot: Slot, revision: Revision, key: str, tag: str, digest: str) -> None:
    encryption = FileEncryptionInfo(bytes.fromhex(key), IV, bytes.fromhex(tag), 15)
    assert commitment(slot, FileMetadata(slot.value, "text/plain", encryption), revision).hex() == digest


def test_continuity_commitment() -> None:
    expected = "e0ea639e393f7e69532a2dbfa609a08cb116f37af06aa5c9cc13a85308f54507"
    assert continuity_commitment(b"\x5a" * 32, AUTHENTICATOR).hex() == expected
