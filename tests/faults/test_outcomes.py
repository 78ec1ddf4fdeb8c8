"""Every way in which a message can fail has a reason and a next step in the one table, and the terminal shows both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import letterlock.engine
from letterlock.apps.cli.event_words import event_text
from letterlock.engine.events import MessageExpired, MessageFailed, Recorded
from letterlock.engine.outcomes import outcome
from letterlock.ids import MessageId, Number

BEN = Number("+15550101")
ID = MessageId("m-1")
_TOLD = re.compile(r'MessageFailed\([^"\n]*"([a-z-]+)"')


def reasons() -> set[str]:
    """Those that the engine's code tells."""
    folder = Path(letterlock.engine.__file__).parent
    return {found for file in folder.rglob("*.py") for found in _TOLD.findall(file.read_text())}


def test_every_reason_of_the_engine_is_in_the_table() -> None:
    found = reasons()
    assert {"network", "keys-changed", "removed"} <= found
    general = outcome(MessageFailed(BEN, ID, "network", 500), "Ben")
    for reason in found - {"network"}:
        assert outcome(MessageFailed(BEN, ID, reason), "Ben") != outcome(MessageFailed(BEN, ID, "network"), "Ben"), (
            reason
        )
    assert "500" in general.reason


@pytest.mark.parametrize("status", [400, 403, 406, 413, 414, 415, 416, 420, 484, 488, 493, 513, 603, 604, 606])
def test_a_refusal_by_the_network(status: int) -> None:
    text = event_text(Recorded(1, 0, MessageFailed(BEN, ID, "network", status)))
    ended = outcome(MessageFailed(BEN, ID, "network", status), BEN)
    assert ended.reason in text
    assert ended.next_step in text
    assert "{" not in text


def test_a_message_that_nobody_confirmed() -> None:
    text = event_text(Recorded(1, 0, MessageExpired(BEN, ID)))
    assert "nobody confirmed" in text
    assert "send it again" in text
