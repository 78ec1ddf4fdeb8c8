"""Other people's programs as fixtures: one process per test module, skipped only where it cannot run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interop import kamailio as kamailio_server
from interop.kamailio import Kamailio
from interop.peer import LibsignalPeer, missing


@pytest.fixture(scope="module")
def peer() -> Iterator[LibsignalPeer]:
    """A running peer. Name your parties apart when a module has several tests."""
    reason = missing()
    if reason:
        pytest.skip(f"libsignal peer: {reason}")
    with LibsignalPeer() as running:
        yield running


@pytest.fixture(scope="module")
def kamailio() -> Iterator[Kamailio]:
    """A running Kamailio: `OWN_NUMBER` has a password of its own, any other number `LAB_PASSWORD`."""
    reason = kamailio_server.missing()
    if reason:
        pytest.skip(f"kamailio: {reason}")
    with Kamailio(
        {kamailio_server.OWN_NUMBER: kamailio_server.OWN_PASSWORD}, lab_password=kamailio_server.LAB_PASSWORD
    ) as running:
        yield running
