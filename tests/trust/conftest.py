"""The libsignal peer, for the tests that compare with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interop.peer import LibsignalPeer, missing


@pytest.fixture(scope="module")
def peer() -> Iterator[LibsignalPeer]:
    """A running peer, or a skip with the reason."""
    reason = missing()
    if reason:
        pytest.skip(f"libsignal peer: {reason}")
    with LibsignalPeer() as running:
        yield running
