"""Recorded conversations: our own, so that nothing drifts, and live ones with libsignal at the other end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from letterlock.signal.spqr import Spqr
from letterlock.signal.spqr.states import STATES

from .make_spqr_vectors import OWN, conversation
from .pair import PROVIDER

LIBSIGNAL: dict[str, Any] = json.loads(Path(OWN).with_name("libsignal_conversations.json").read_text())


def test_our_own_conversation_is_as_recorded() -> None:
    assert conversation() == json.loads(OWN.read_text())


@pytest.mark.parametrize("state", [*(kind.__name__ for kind in STATES), "KeysSampled, no key yet"])
def test_a_stored_state_of_each_kind_opens(state: str) -> None:
    data = bytes.fromhex(json.loads(OWN.read_text())["packed"][state])
    ratchet = Spqr.unpack(PROVIDER, data)
    assert ratchet.state == state.partition(",")[0]
    assert ratchet.pack() == data


@pytest.mark.parametrize("which", range(len(LIBSIGNAL["conversations"])))
def test_a_conversation_with_libsignal_gives_the_same_keys_and_messages(which: int) -> None:
    """Replayed with the random bytes that were used then; libsignal's messages are the recorded ones."""
    recorded = LIBSIGNAL["conversations"][which]
    ratchet = Spqr.initiate(PROVIDER, bytes.fromhex(recorded["pqr_key"]), recorded["is_initiator"])
    for step in recorded["steps"]:
        if "receive" in step:
            ratchet, key = ratchet.receive(bytes.fromhex(step["receive"]))
        else:
            drawn = bytes.fromhex(step.get("random", ""))
            ratchet, message, key = ratchet.send(_given(drawn))
            assert message.hex() == step["send"]
        assert key.hex() == step["key"]
    assert ratchet.epoch == recorded["epoch"] >= 3


def _given(drawn: bytes) -> Any:
    def rng(n: int) -> bytes:
        assert len(drawn) == n
        return drawn

    return rng
