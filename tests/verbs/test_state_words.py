"""The words of a chat's state: whom they name."""

from __future__ import annotations

import pytest

from letterlock.apps.cli.words import security_label
from letterlock.apps.verbs.chat_records import security_words
from letterlock.apps.verbs.notices import notice_text
from letterlock.engine.security import Security
from letterlock.engine.view import Notice


@pytest.mark.parametrize("state", Security)
def test_the_state_of_a_group_is_not_said_of_its_name(state: Security) -> None:
    """A group has no keys, and nobody compared codes with it: its state is that of a member."""
    assert not any("Picnic" in part for part in security_words(state, "Picnic", group=True))


def test_new_keys_are_said_of_whom_they_are() -> None:
    assert (
        security_words(Security.KEYS_NEW, "Ben")[0] == security_label(Security.KEYS_NEW, "Ben") == "Ben's keys are new"
    )
    assert security_label(Security.KEYS_NEW, "Picnic", group=True) == "A member's keys are new"


@pytest.mark.parametrize(
    ("key", "subject", "said"),
    [("group-joined", "Picnic", "Ben added you to “Picnic”"), ("group-joined", "", "Ben added you to a group"),
     ("group-created", "", "Ben created a group"), ("subject-changed", "", "Ben took the group's name away")],
)  # fmt: skip
def test_a_group_without_a_name_is_not_called_nothing(key: str, subject: str, said: str) -> None:
    """An RCC.16 group has its name only once its keys have come."""
    assert notice_text("7527", Notice(key, {"by": "Ben", "subject": subject})) == said
    assert "“”" not in notice_text("7527", Notice(key, {"by": "", "subject": subject}))
