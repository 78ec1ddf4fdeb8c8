"""A group that an earlier release stored is loaded, and goes on. One file for each version of the rows that was released."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from letterlock.errors import DecodeError, LetterlockError
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import Application, OwnEcho

from .lab import NOW, make_client
from .storing import find_psk
from .vectors import load

VERSIONS = ("v1",)


def stored(version: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    case = load(f"stored-group-{version}")
    return case, {key: bytes.fromhex(row) for key, row in case["rows"].items()}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stored_group_goes_on(version: str) -> None:
    case, rows = stored(version)
    # Every kind of row is in it, or the test would say nothing about that kind.
    kinds = Counter(key.split("/")[0] for key in rows)
    assert set(kinds) == {"head", "keys", "tree", "private", "past", "messages", "proposal", "pending"}
    group = Group.load(make_client(case["client"]), rows, find_psk=find_psk)
    assert group.take_changes() == {} and group.rows() == rows
    assert group.epoch_authenticator.hex() == case["epoch_authenticator"]
    assert [leaf.credential.encode().hex() for _, leaf in group.members()] == case["members"]
    assert len(list(group.proposals())) == 1

    for name in ("earlier", "skipped"):
        result = group.process(bytes.fromhex(case[name]["message"]), now=NOW)
        assert isinstance(result, Application) and result.data.hex() == case[name]["text"]
    # What was read before it was stored stays read: its key is gone.
    seen = group.process(bytes.fromhex(case["seen"]), now=NOW)
    assert not isinstance(seen, Application)

    echo = group.process(bytes.fromhex(case["own_commit"]), now=NOW)
    assert isinstance(echo, OwnEcho) and echo.pending is not None
    group.merge(echo.pending, now=NOW)
    assert group.epoch_authenticator.hex() == case["next_epoch_authenticator"]
    result = group.process(bytes.fromhex(case["next"]["message"]), now=NOW)
    assert isinstance(result, Application) and result.data.hex() == case["next"]["text"]


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_of_an_unknown_version_are_refused(version: str) -> None:
    case, rows = stored(version)
    for key, row in rows.items():
        newer = {**rows, key: bytes([row[0] + 1]) + row[1:]}
        with pytest.raises(LetterlockError) as caught:
            Group.load(make_client(case["client"]), newer, find_psk=find_psk)
        assert isinstance(caught.value, DecodeError) and "version" in str(caught.value)
