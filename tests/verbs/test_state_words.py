"""The words of a chat's state: whom they name."""

from __future__ import annotations

import pytest

from letterlock.apps.cli.words import security_label
from letterlock.apps.verbs.chat_records import security_words
from letterlock.engine.security import Security


@pytest.mark.parametrize("state", Security)
def test_the_state_of_a_group_is_not_said_of_its_name(state: Security) -> None:
    """A group has no keys, and nobody compared codes with it: its state is that of a member."""
    assert not any("Picnic" in part for part in security_words(state, "Picnic", group=True))


def test_new_keys_are_said_of_whom_they_are() -> None:
    assert (
        security_words(Security.KEYS_NEW, "Ben")[0] == security_label(Security.KEYS_NEW, "Ben") == "Ben's keys are new"
    )
    assert security_label(Security.KEYS_NEW, "Picnic", group=True) == "A member's keys are new"
