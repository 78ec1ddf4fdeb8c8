"""Ciphertext in the folder of a profile: made, opened, deleted (client/files/rcc16.py)."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from letterlock.client.files.rcc16 import Ciphertexts, file_of
from letterlock.codec.ft_http import FileDocument, RemoteFile
from letterlock.crypto.pyca import Pyca
from letterlock.errors import InputError, InvalidRcc16

URL = "https://content.example.net/files/1"


@pytest.fixture
def ciphertexts(tmp_path: Path) -> Ciphertexts:
    (tmp_path / "photo.jpg").write_bytes(b"p" * 1_000)
    (tmp_path / "small.jpg").write_bytes(b"s" * 100)
    return Ciphertexts(tmp_path / "profile" / "transfers", Pyca(), os.urandom)


def test_sealed_and_opened(tmp_path: Path, ciphertexts: Ciphertexts) -> None:
    source, small = str(tmp_path / "photo.jpg"), str(tmp_path / "small.jpg")
    encrypted, state = ciphertexts.seal("t-1", source, "Photo.jpg", "image/jpeg", small, "image/jpeg")
    assert (state.name, state.content_type, state.thumbnail_type) == (
        "encrypted_file",
        "message/mls-ft",
        "message/mls-ft",
    )
    assert state.size == 1_024 + 8 and b"ppp" not in Path(state.path).read_bytes()
    assert stat.S_IMODE(os.stat(state.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(Path(state.path).parent).st_mode) == 0o700
    assert encrypted.thumbnail is not None
    assert encrypted.thumbnail.encryption.key_material != encrypted.file.encryption.key_material
    remote = RemoteFile(state.size, "text/html", URL, 5, "what the server says")
    file = file_of(FileDocument(remote, RemoteFile(112, "text/html", URL)), encrypted)
    assert file.file == RemoteFile(state.size, "message/mls-ft", URL, 5, "encrypted_file")
    target = replace(encrypted, path=str(tmp_path / "out.jpg"))
    opened = ciphertexts.open("t-1", target)
    assert Path(opened.path).read_bytes() == b"p" * 1_000
    # The program ended before it was recorded: the same file is found again, and not made twice.
    assert ciphertexts.open("t-1", target) == opened
    # Somebody's file is not overwritten.
    Path(opened.path).write_bytes(b"mine")
    assert ciphertexts.open("t-1", target).path == str(tmp_path / "out (2).jpg")
    assert Path(opened.path).read_bytes() == b"mine"
    ciphertexts.forget("t-1")
    assert list((tmp_path / "profile" / "transfers").iterdir()) == []


def test_what_does_not_hold_is_deleted_and_nothing_appears(tmp_path: Path, ciphertexts: Ciphertexts) -> None:
    """SR-14, SR-15."""
    encrypted, state = ciphertexts.seal("t-1", str(tmp_path / "photo.jpg"), "n", "x/y", None, "")
    data = bytearray(Path(state.path).read_bytes())
    data[7] ^= 1
    Path(state.path).write_bytes(data)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InvalidRcc16):
        ciphertexts.open("t-1", replace(encrypted, path=str(tmp_path / "out")))
    assert sorted(tmp_path.iterdir()) == before and not ciphertexts.is_whole("t-1")


def test_a_thumbnail_that_cannot_be_sealed_is_left_out(tmp_path: Path, ciphertexts: Ciphertexts) -> None:
    """rcc16.md 7.3; a file that cannot be is fatal."""
    (tmp_path / "large.jpg").write_bytes(bytes((128 << 10) + 1))
    for thumbnail in (tmp_path / "none.jpg", tmp_path / "large.jpg", tmp_path):
        encrypted, state = ciphertexts.seal("t", str(tmp_path / "photo.jpg"), "n", "x/y", str(thumbnail), "x/y")
        assert encrypted.thumbnail is None and state.thumbnail is None
        document = FileDocument(RemoteFile(1, "x/y", URL), RemoteFile(1, "x/y", URL))
        assert file_of(document, encrypted).thumbnail is None
    with pytest.raises(InputError):
        ciphertexts.seal("t", str(tmp_path / "none.jpg"), "n", "x/y", None, "")


def test_more_than_100_mib_is_refused_before_it_is_read_whole(tmp_path: Path, ciphertexts: Ciphertexts) -> None:
    """SR-08."""
    with (tmp_path / "huge").open("wb") as file:
        file.truncate((100 << 20) + 1)
    with pytest.raises(InputError) as refused:
        ciphertexts.seal("t", str(tmp_path / "huge"), "n", "x/y", None, "")
    assert refused.value.code == "transfer.too_large"


def test_what_no_transfer_needs_is_swept(tmp_path: Path, ciphertexts: Ciphertexts) -> None:
    for transfer in ("t-1", "t-2"):
        ciphertexts.seal(transfer, str(tmp_path / "photo.jpg"), "n", "x/y", str(tmp_path / "small.jpg"), "x/y")
    ciphertexts.keep_only(["t-2"])
    left = {path.name for path in (tmp_path / "profile" / "transfers").iterdir()}
    assert left == {"t-2.sealed", "t-2.thumbnail"}
