"""The libsignal peer as a fixture: one process per test module, skipped only where it cannot run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interop.peer import LibsignalPeer, missing


@pytest.fixture(scope="module")
def peer() -> Iterator[LibsignalPeer]:
    """A running peer. Name your parties apart when a module has several tests."""
    reason = missing()
    if reason:
        pytest.skip(f"libsignal peer: {reason}")
    with LibsignalPeer() as running:
        yield running
