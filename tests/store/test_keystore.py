"""SR-11: the store key is wrapped; what opens it, what does not, and what the files look like."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.crypto.pyca import Pyca
from letterlock.errors import InputError, StoreError, WrongStoreKey
from letterlock.keystore import KeyFile, Keystore, Passphrase
from letterlock.keystore.wrapped import Argon2Parameters, WrappedKey

CHEAP = Argon2Parameters(memory_kib=64, iterations=1, lanes=1)


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "key", Pyca(), os.urandom)


def test_the_passphrase_opens_and_another_does_not(keystore: Keystore) -> None:
    key = keystore.create(Passphrase("tulip"), CHEAP)
    assert len(key) == 32
    assert keystore.unwrap(Passphrase("tulip")) == key
    with pytest.raises(WrongStoreKey):
        keystore.unwrap(Passphrase("Tulip"))
    with pytest.raises(InputError):
        keystore.unwrap(Passphrase(""))


def test_the_default_cost_is_64_mebibytes_and_three_passes(keystore: Keystore) -> None:
    keystore.create(Passphrase("tulip"))
    stored = json.loads(keystore.path.read_text())
    assert stored["argon2id"] == {"memory_kib": 65536, "iterations": 3, "lanes": 4}
    keystore.unwrap(Passphrase("tulip"))


def test_a_composed_and_a_decomposed_passphrase_are_one(keystore: Keystore) -> None:
    key = keystore.create(Passphrase("caf\u00e9"), CHEAP)
    assert keystore.unwrap(Passphrase("cafe\u0301")) == key


def test_changing_the_passphrase_keeps_the_key(keystore: Keystore) -> None:
    key = keystore.create(Passphrase("old"), CHEAP)
    with pytest.raises(WrongStoreKey):
        keystore.change(Passphrase("guess"), Passphrase("new"), CHEAP)
    assert keystore.unwrap(Passphrase("old")) == key
    keystore.change(Passphrase("old"), Passphrase("new"), CHEAP)
    assert keystore.unwrap(Passphrase("new")) == key
    with pytest.raises(WrongStoreKey):
        keystore.unwrap(Passphrase("old"))


def test_a_key_file_is_only_made_where_the_user_says(keystore: Keystore, tmp_path: Path) -> None:
    """SR-11: no key in a file without protection unless the user says so by name."""
    keystore.create(Passphrase("tulip"), CHEAP)
    assert {path.name for path in tmp_path.iterdir()} == {"key"}
    file = KeyFile(tmp_path / "named by the user")
    file.create(os.urandom)
    assert (file.path.stat().st_mode & 0o777, keystore.path.stat().st_mode & 0o777) == (0o600, 0o600)
    with pytest.raises(InputError):
        file.create(os.urandom)
    key = keystore.unwrap(Passphrase("tulip"))
    keystore.change(Passphrase("tulip"), file)
    assert keystore.unwrap(file) == key
    with pytest.raises(WrongStoreKey):
        keystore.unwrap(Passphrase("tulip"))
    assert key.hex().encode() not in keystore.path.read_bytes() + file.path.read_bytes()


def test_a_key_file_that_others_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "file")
    with pytest.raises(StoreError):
        file.secret()
    file.create(os.urandom)
    file.path.chmod(0o640)
    with pytest.raises(StoreError) as caught:
        file.secret()
    assert caught.value.code == "keystore.mode"
    file.path.chmod(0o600)
    file.path.write_text("something else\n")
    with pytest.raises(WrongStoreKey):
        file.secret()


def test_a_profile_is_not_set_up_twice_and_a_missing_one_says_so(keystore: Keystore) -> None:
    with pytest.raises(StoreError) as caught:
        keystore.unwrap(Passphrase("tulip"))
    assert caught.value.code == "store.missing"
    keystore.create(Passphrase("tulip"), CHEAP)
    with pytest.raises(InputError):
        keystore.create(Passphrase("tulip"), CHEAP)


@pytest.mark.parametrize("field", ["salt", "nonce", "wrapped", "argon2id"])
def test_every_field_is_bound(keystore: Keystore, field: str) -> None:
    keystore.create(Passphrase("tulip"), CHEAP)
    stored = json.loads(keystore.path.read_text())
    if field == "argon2id":
        stored[field]["iterations"] += 1
    else:
        stored[field] = ("B" if stored[field][0] != "B" else "C") + stored[field][1:]
    keystore.path.write_text(json.dumps(stored))
    with pytest.raises(WrongStoreKey):
        keystore.unwrap(Passphrase("tulip"))


@pytest.mark.parametrize("cost", [(2**30, 3, 4), (65536, 10**6, 4), (65536, 3, 0), (8, 1, 4), (-1, -1, -1)])
def test_an_absurd_cost_is_refused_before_it_is_paid(keystore: Keystore, cost: tuple[int, int, int]) -> None:
    """SR-08: whoever can write the file shall not make us take all memory."""
    keystore.create(Passphrase("tulip"), CHEAP)
    stored = json.loads(keystore.path.read_text())
    stored["argon2id"] = dict(zip(("memory_kib", "iterations", "lanes"), cost, strict=True))
    keystore.path.write_text(json.dumps(stored))
    with pytest.raises(StoreError) as caught:
        keystore.unwrap(Passphrase("tulip"))
    assert caught.value.code == "keystore.malformed"


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_decoding_anything_gives_a_value_or_a_store_error(data: bytes) -> None:
    """SR-09."""
    with contextlib.suppress(StoreError):
        WrappedKey.decode(data)


def test_repr_shows_no_secret() -> None:
    """SR-10."""
    assert "tulip" not in repr(Passphrase("tulip"))
    wrapped = WrappedKey("file", None, bytes(16), bytes(12), b"ciphertext" * 5)
    assert "ciphertext" not in repr(wrapped)
