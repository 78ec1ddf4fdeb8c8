"""`Secret` keeps its bytes out of text, pickles, copies and `==` (SR-10)."""

from __future__ import annotations

import copy
import pickle

import pytest

from letterlock.crypto.secret import Secret

KEY = bytes(range(65, 97))  # printable, so that a leak would show


def test_sr10_repr_str_and_format_are_redacted() -> None:
    secret = Secret(KEY)
    assert repr(secret) == "Secret(<32 bytes>)"
    assert str(secret) == "Secret(<32 bytes>)"
    assert f"{secret} {secret!r} {secret!s}" == " ".join(["Secret(<32 bytes>)"] * 3)
    assert f"{secret:>20}" == "  Secret(<32 bytes>)"
    assert repr([secret, {"key": secret}]) == "[Secret(<32 bytes>), {'key': Secret(<32 bytes>)}]"


def test_sr10_no_traceback_text_of_ours_holds_the_value() -> None:
    secret = Secret(KEY)
    for action in (lambda: secret == secret, lambda: hash(secret), lambda: bytes(secret), lambda: pickle.dumps(secret)):
        with pytest.raises(TypeError) as caught:
            action()
        assert KEY.decode() not in str(caught.value)


def test_sr10_neither_pickle_nor_copy_nor_vars() -> None:
    secret = Secret(KEY)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(secret, protocol)
    with pytest.raises(TypeError):
        copy.copy(secret)
    with pytest.raises(TypeError):
        copy.deepcopy([secret])
    assert not hasattr(secret, "__dict__")


def test_sr10_comparison_is_by_matches_only() -> None:
    secret = Secret(KEY)
    assert secret.matches(KEY)
    assert secret.matches(Secret(KEY))
    assert not secret.matches(KEY[:-1])
    assert not secret.matches(Secret(bytes(32)))
    with pytest.raises(TypeError):
        assert secret != Secret(KEY)
    with pytest.raises(TypeError):
        assert {secret: 1}  # type: ignore[dict-item]


def test_reveal_gives_the_bytes_and_a_bytearray_is_taken_over_by_value() -> None:
    source = bytearray(KEY)
    secret = Secret(source)
    source[:] = bytes(32)
    assert secret.reveal() == KEY
    assert len(secret) == 32
