"""`listen` says nothing outside the table of words: proved by the mirrored pseudo-locale, for every kind of event."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from typing import Any

import pytest

from letterlock.apps.cli.event_words import event_text, event_words
from letterlock.engine import events as ev
from letterlock.engine.events import Event, Recorded
from letterlock.engine.events.form import KINDS
from letterlock.engine.groups.events import GroupCreated, GroupJoined, RosterMismatch
from letterlock.words import MIRRORED

OTHER_TABLES = {"message-failed", "message-expired"}
"""Their sentences are those of outcomes, which the engine words."""


def made(cls: type[Any], full: bool) -> Any:
    """One of this kind; `full` with all that it may say, else with as little. What peers would write is in capitals."""
    hints = typing.get_type_hints(cls)
    values = {field.name: _value(field.name, hints[field.name], full) for field in dataclasses.fields(cls)}
    return cls(**values)


def _value(name: str, hint: Any, full: bool) -> Any:
    kind = typing.get_origin(hint) or hint
    if kind is types.UnionType or kind is typing.Union:
        if not full and type(None) in typing.get_args(hint):
            return None
        first = next(each for each in typing.get_args(hint) if each is not type(None))
        return _value(name, first, full)
    while hasattr(kind, "__supertype__"):
        kind = kind.__supertype__
    if kind is bool:
        return full
    if kind is int:
        return 3
    if kind is tuple:
        return ("NAME",) if full else ()
    if kind is dict:
        return {"kind": "deleted"}
    if kind is bytes:
        return b"\1"
    if name == "state":
        return "verified"
    if name in ("chat", "number", "note"):
        return "+15550199"
    return "WHO" if full or name in ("message_id", "text", "content_type") else ""


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("kind", sorted(set(KINDS) - OTHER_TABLES - {"protocol-noted"}))
def test_no_word_of_an_event_is_outside_the_table(kind: str, full: bool) -> None:
    event = made(KINDS[kind], full)
    outside = re.sub("\u202e[^\u202c]*\u202c", "", event_words(event, MIRRORED))
    assert not re.search(r"[a-z]{2}", outside.replace("verified", "")), outside


@pytest.mark.parametrize("note", ["health:healthy", "health:odd", "seal-refused:WHY"])
def test_what_a_protocol_notes(note: str) -> None:
    chat: Any = "+15550199"
    outside = re.sub("\u202e[^\u202c]*\u202c", "", event_words(ev.ProtocolNoted(chat, "rcc16", note), MIRRORED))
    assert not re.search(r"[a-z]{2}", outside.replace("odd", "")), outside


def test_what_a_peer_wrote_reaches_the_terminal_as_text() -> None:
    """SR-14: a subject cannot name a placeholder, move the cursor or turn the line."""
    group: Any = "ab" * 16
    number: Any = "+15550100"
    event: Event = GroupCreated(group, number, "{members} \x1b[2J \u202e", (number, number), "")
    shown = event_text(Recorded(1, 0, event))
    assert "{members}" in shown and "\x1b" not in shown and "\u202e" not in shown


@pytest.mark.parametrize(
    "reason", ["ghost", "missing", "subject", "withheld", "revocation", "other-group", "other-keys"]
)
def test_each_mismatch_has_its_own_words(reason: str) -> None:
    group: Any = "ab" * 16
    said = {event_words(RosterMismatch(group, each, "SOURCE", (), "")) for each in (reason, "of a later version")}
    assert len(said) == 2


def test_who_added_us() -> None:
    group: Any = "ab" * 16
    numbers: Any = ("+15550100", "+15550199")
    joined = GroupJoined(group, numbers[0], "Picnic", numbers, "")
    assert event_words(joined) == "group abababab: +15550100 added you to 'Picnic' of 2"
