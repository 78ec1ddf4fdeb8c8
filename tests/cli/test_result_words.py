"""What verbs give reads in a terminal in no words outside the table: proved by the mirrored pseudo-locale."""

from __future__ import annotations

import re
from typing import Any

import pytest

from letterlock.apps.cli.showing import shown
from letterlock.words import MIRRORED

ENCRYPTED = {
    "state": "encrypted",
    "label": "LABEL",
    "sentence": "SENTENCE.",
    "plain": False,
    "health": "",
    "protocol": "",
}
CHAT = {"chat": "+15550199", "named": True, "name": "NAME", "unread": 3, "security": ENCRYPTED}
GROUP = {"chat": "+15550199", "subject": "", "joined": True, "members": ["A", "B"]}
MEMBER = {"number": "+1", "name": "NAME", "security": "verified", "current": True, "me": False, "removable": True}
ME = {"number": "+1", "device": 1, "primary": True, "carried": {"rcs": True, "sms": True}}
NOBODY = {"rcs": False, "sms": False}
MOVING = {"transfer": "ABC", "upload": True, "state": "MOVING", "size": 10, "done": 5, "path": "", "reason": ""}
CERTIFICATE = {"ready": True, "not_after": 0, "packages": 2, "trouble": ""}

RESULTS: list[tuple[str, Any]] = [
    ("keep-waiting", {}),
    ("anything", None),
    ("chats", CHAT),
    ("security", {**ENCRYPTED, "protocol": "rcc16", "health": "healthy", "era": 1, "epoch": 2}),
    ("group info", GROUP),
    ("group info", {**GROUP, "joined": False, "members": ["A"]}),
    ("group members", MEMBER),
    ("group members", {**MEMBER, "me": True}),
    ("group members", {**MEMBER, "current": False}),
    ("resend", {"message_id": "ID", "chat": "+15550199", "security": "encrypted"}),
    ("me", ME),
    ("me", {**ME, "primary": False, "carried": NOBODY}),
    ("me", {**ME, "carried": {**NOBODY, "rcs": True}}),
    ("me", {**ME, "carried": {**NOBODY, "sms": True}}),
    ("transfers", MOVING),
    ("transfers", {**MOVING, "upload": False, "size": None}),
    ("certificate", CERTIFICATE),
    ("certificate", {**CERTIFICATE, "not_after": 1, "packages": 1}),
    ("certificate", {**CERTIFICATE, "ready": False}),
    ("certificate", {**CERTIFICATE, "ready": False, "not_after": 1}),
    ("release", {"released": 2}),
    ("capabilities", {"chat": "+1", "features": None}),
    ("capabilities", {"chat": "+1", "features": []}),
]


@pytest.mark.parametrize(("verb", "record"), RESULTS)
def test_no_word_of_a_result_is_outside_the_table(verb: str, record: Any) -> None:
    english, mirrored = shown(verb, record), shown(verb, record, MIRRORED)
    assert re.search("[a-z]{2}", english)
    # What turns the direction is written out at a terminal: what stands between two of them is of the table.
    outside = re.sub("\u202e[^\u202c]*\u202c", "", mirrored.replace("\\u202e", "\u202e").replace("\\u202c", "\u202c"))
    assert not re.search("[a-z]{2}", outside), outside


def test_what_a_terminal_says_of_them() -> None:
    assert shown("chats", CHAT) == "+15550199  NAME  LABEL  3 new"
    assert shown("group info", GROUP) == "+15550199  (no subject)  2 members"
    assert shown("me", ME) == "+1, device 1 (primary), RCS and SMS"
    assert shown("transfers", MOVING).rstrip() == "ABC  upload    MOVING        50 % of 10 bytes"
    assert shown("certificate", CERTIFICATE) == "this device can be encrypted to; 2 key packages published"
