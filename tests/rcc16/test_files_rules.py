"""What does not open: every check of C.3 in its order, commitments, and what stands in a file document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.ft_http import RemoteFile
from letterlock.codec.tls import u32
from letterlock.crypto.padme import padded_length
from letterlock.crypto.pyca import Pyca
from letterlock.errors import DecodeError, InputError, LetterlockError, LimitExceeded
from letterlock.mls.wire.extensions import Extension
from letterlock.rcc16.choices import OURS, Choices, Revision, SharedWith
from letterlock.rcc16.files import (
    SALT,
    SealedFile,
    check_descriptor,
    describe,
    open_file,
    seal_file,
)
from letterlock.rcc16.metadata import (
    Slot,
    check_commitment,
    check_icon,
    context_changes,
    continuity_commitment,
    continuity_commitment_extension,
    open_subject,
    seal_subject,
    welcome_extensions,
)
from letterlock.rcc16.wire.extensions import (
    ICON_KEY,
    SUBJECT_COMMITMENT,
    SUBJECT_KEY,
    continuity_commitment_of,
    continuity_token_of,
    merge,
    opaque_value,
)
from letterlock.rcc16.wire.file_info import FileEncryptionInfo, FileMetadata, decode_file_metadata

from .refusing import refuses
from .section11 import AUTHENTICATOR, IV, KEY, key_then_iv

CRYPTO = Pyca()
Act = Callable[[], object]


def block(content: bytes, zeros: bytes | None = None, length: int | None = None, pad: int | None = None) -> bytes:
    """The plain block; what is not given is right."""
    zeros = bytes(padded_length(len(content)) - len(content)) if zeros is None else zeros
    length = len(content) if length is None else length
    return content + zeros + u32(length) + u32(len(zeros) if pad is None else pad)


def sealed_block(plain: bytes, *, hint: int = 0, name: str = "f") -> SealedFile:
    """A block as it is, rightly encrypted and with its right tag."""
    keys = CRYPTO.hkdf_sha256(KEY, SALT, name.encode(), 64)
    ciphertext = CRYPTO.aes_ctr(keys[:32], IV + bytes(4), plain)
    tag = CRYPTO.hmac_sha256(keys[32:], IV + ciphertext)
    return SealedFile(ciphertext, FileMetadata(name, "x/y", FileEncryptionInfo(KEY, IV, tag, hint)))


def opening(sealed: SealedFile) -> Act:
    return lambda: open_file(sealed.metadata, sealed.ciphertext, crypto=CRYPTO, max_bytes=1 << 20)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_what_was_sealed_opens(content: bytes, name: str) -> None:
    sealed = seal_file(content, name, "x/y", crypto=CRYPTO, rng=key_then_iv())
    assert opening(sealed)() == content
    assert len(sealed.ciphertext) == padded_length(len(content)) + 8


def test_a_block_of_the_test_is_what_a_file_has() -> None:
    assert opening(sealed_block(block(b"nine byte")))() == b"nine byte"
    assert opening(sealed_block(block(b"")))() == b""


@given(st.integers(0, 1 << 31))
def test_padding_never_shortens_and_costs_an_eighth_at_most(length: int) -> None:
    padded = padded_length(length)
    assert length <= padded <= length + max(1, length // 8)
    assert padded_length(padded) == padded


@refuses("RCC-C.3-01", "tag", "ciphertext", "iv", "name", "key")
def test_what_was_changed(place: str) -> Act:
    sealed = sealed_block(block(b"content"))
    metadata, ciphertext = sealed.metadata, sealed.ciphertext
    encryption = metadata.encryption
    match place:
        case "tag":
            encryption = replace(encryption, tag=bytes(32))
        case "iv":
            encryption = replace(encryption, iv=bytes(12))
        case "key":
            encryption = replace(encryption, key_material=bytes(32))
        case "name":
            metadata = replace(metadata, name="g")
        case _:
            ciphertext = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    return opening(SealedFile(ciphertext, replace(metadata, encryption=encryption)))


@refuses("RCC-C.3-02", 0, 7)
def test_a_ciphertext_that_is_too_short(place: int) -> Act:
    return opening(sealed_block(bytes(place)))


@refuses("RCC-C.3-03")
def test_a_length_of_two_gigabytes() -> Act:
    return opening(sealed_block(block(b"content", length=1 << 31)))


@refuses("RCC-C.3-04")
def test_another_length_than_was_announced() -> Act:
    return opening(sealed_block(block(b"content"), hint=8))


@refuses("RCC-C.3-05", 6, 8)
def test_a_length_that_does_not_add_up(place: int) -> Act:
    return opening(sealed_block(block(b"content", length=place)))


@refuses("RCC-C.3-06", b"", bytes(2))
def test_padding_of_another_length(place: bytes) -> Act:
    assert padded_length(9) == 10
    return opening(sealed_block(block(b"nine byte", zeros=place)))


@refuses("RCC-C.3-07")
def test_padding_that_is_not_zero() -> Act:
    return opening(sealed_block(block(b"nine byte", zeros=b"\x01")))


def test_a_file_that_is_too_large_is_not_even_looked_at() -> None:
    """SR-08."""
    sealed = sealed_block(block(bytes(1000)))
    with pytest.raises(LimitExceeded):
        open_file(sealed.metadata, sealed.ciphertext, crypto=CRYPTO, max_bytes=900)
    # As long as the padding of the longest that is allowed, and all of it content.
    assert padded_length(1_000) == 1_024
    full = sealed_block(block(bytes(1_024)))
    with pytest.raises(LimitExceeded):
        open_file(full.metadata, full.ciphertext, crypto=CRYPTO, max_bytes=1_000)


@given(st.data())
def test_no_changed_byte_gives_plaintext(data: st.DataObject) -> None:
    """Whatever is changed, an error of ours comes and nothing else."""
    sealed = sealed_block(block(b"some content of a file"))
    place = data.draw(st.integers(0, len(sealed.ciphertext) - 1))
    changed = bytearray(sealed.ciphertext)
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(LetterlockError):
        opening(SealedFile(bytes(changed), sealed.metadata))()


# --- file documents ------------------------------------------------------------------------------------------------
def test_a_descriptor_describes_the_ciphertext() -> None:
    file = describe(24, "https://c.test/1", 1_800_000_000_000)
    assert file == RemoteFile(24, "message/mls-ft", "https://c.test/1", 1_800_000_000_000, "encrypted_file")
    check_descriptor(file)


@refuses("RCC-7.3-01")
def test_a_file_in_the_clear_inside_an_encrypted_message() -> Act:
    return lambda: check_descriptor(RemoteFile(24, "image/png", "https://c.test/1", None, "a.png"))


# --- subject and icon ------------------------------------------------------------------------------------------------
def committed(slot: Slot, metadata: FileMetadata, choices: Choices = OURS) -> tuple[Extension, ...]:
    return merge((), context_changes(slot, metadata, choices))


SUBJECT = seal_subject("lunch", crypto=CRYPTO, rng=key_then_iv())
ICON = seal_file(b"png", Slot.ICON.value, "image/png", crypto=CRYPTO, rng=key_then_iv())


@pytest.mark.parametrize("revision", Revision)
def test_subject_and_icon_of_either_revision(revision: Revision) -> None:
    choices = Choices(revision=revision)
    there = committed(Slot.SUBJECT, SUBJECT.metadata, choices) + committed(Slot.ICON, ICON.metadata, choices)
    assert open_subject(SUBJECT.metadata, SUBJECT.ciphertext, there, crypto=CRYPTO, max_bytes=99) == "lunch"
    check_icon(ICON.metadata, there, max_bytes=3)
    assert open_file(ICON.metadata, ICON.ciphertext, crypto=CRYPTO, max_bytes=99) == b"png"


def test_a_commitment_that_is_written_bare() -> None:
    """One peer's F006 is 32 bytes without their length (rcc16.md 2.1)."""
    framed = committed(Slot.SUBJECT, SUBJECT.metadata)[0].extension_data
    check_commitment(Slot.SUBJECT, SUBJECT.metadata, [Extension(SUBJECT_COMMITMENT, framed[1:])])


@refuses("RCC-C.1-01", "another", "none")
def test_a_key_that_the_group_did_not_commit_to(place: str) -> Act:
    other = seal_subject("dinner", crypto=CRYPTO, rng=bytes)
    there = () if place == "none" else committed(Slot.SUBJECT, other.metadata)
    return lambda: open_subject(SUBJECT.metadata, SUBJECT.ciphertext, there, crypto=CRYPTO, max_bytes=99)


@refuses("RCC-C.1-02")
def test_an_icon_in_the_place_of_a_subject() -> Act:
    there = committed(Slot.SUBJECT, ICON.metadata)
    return lambda: open_subject(ICON.metadata, ICON.ciphertext, there, crypto=CRYPTO, max_bytes=99)


@refuses("RCC-C.1-03", b"", b"\xff")
def test_a_subject_that_is_no_text(place: bytes) -> Act:
    sealed = sealed_block(block(place), name=Slot.SUBJECT.value)
    there = committed(Slot.SUBJECT, sealed.metadata)
    return lambda: open_subject(sealed.metadata, sealed.ciphertext, there, crypto=CRYPTO, max_bytes=99)


@refuses("RCC-C.1-04", 0, 100)
def test_an_icon_that_is_empty_or_too_large(place: int) -> Act:
    sealed = seal_file(bytes(place), Slot.ICON.value, "image/png", crypto=CRYPTO, rng=key_then_iv())
    there = committed(Slot.ICON, sealed.metadata)
    return lambda: check_icon(sealed.metadata, there, max_bytes=99)


def test_nobody_seals_what_is_empty() -> None:
    with pytest.raises(InputError):
        seal_subject("", crypto=CRYPTO, rng=key_then_iv())


def key_in(slot: Slot, extensions: Sequence[Extension]) -> FileMetadata:
    value = opaque_value(extensions, slot.key_extension)
    assert value is not None
    return decode_file_metadata(value)


# --- where the keys are ----------------------------------------------------------------------------------------------
def test_servers_see_commitments_and_no_keys() -> None:
    """The issue: "their keys never in what the server sees"; what deployed v3.0 clients do is one choice away."""
    there = committed(Slot.SUBJECT, SUBJECT.metadata) + committed(Slot.ICON, ICON.metadata)
    assert not any(KEY in extension.extension_data for extension in there)
    assert {extension.extension_type for extension in there}.isdisjoint({SUBJECT_KEY, ICON_KEY})
    deployed = committed(Slot.SUBJECT, SUBJECT.metadata, Choices(metadata_keys_with=SharedWith.SERVERS))
    assert key_in(Slot.SUBJECT, deployed) == SUBJECT.metadata


def test_a_new_member_has_the_keys_in_its_welcome() -> None:
    found = welcome_extensions(SUBJECT.metadata, ICON.metadata, b"\x5a" * 32)
    assert key_in(Slot.SUBJECT, found) == SUBJECT.metadata
    assert key_in(Slot.ICON, found) == ICON.metadata
    assert continuity_token_of(found) == b"\x5a" * 32
    assert welcome_extensions(None, None, b"") == ()


def test_a_deleted_subject_takes_commitment_and_key_with_it() -> None:
    deployed = Choices(metadata_keys_with=SharedWith.SERVERS)
    there = committed(Slot.SUBJECT, SUBJECT.metadata, deployed)
    assert len(there) == 2
    assert merge(there, context_changes(Slot.SUBJECT, None, OURS)) == ()
    # A key that another client left there goes with the next change of ours.
    assert [one.extension_type for one in merge(there, context_changes(Slot.SUBJECT, SUBJECT.metadata, OURS))] == [
        SUBJECT_COMMITMENT
    ]


def test_continuity_of_a_published_group_info() -> None:
    extension = continuity_commitment_extension(b"\x5a" * 32, AUTHENTICATOR)
    assert continuity_commitment_of([extension]) == continuity_commitment(b"\x5a" * 32, AUTHENTICATOR)
    with pytest.raises(DecodeError):
        continuity_commitment(b"short", AUTHENTICATOR)
