"""Other people's programs as fixtures: one process per test module, skipped only where it cannot run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interop import kamailio as kamailio_server
from interop import mls_peers
from interop.kamailio import Kamailio
from interop.mls_peers import MlsPeer
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
def ts_mls() -> Iterator[MlsPeer]:
    """A running ts-mls."""
    reason = mls_peers.ts_mls_missing()
    if reason:
        pytest.skip(f"ts-mls: {reason}")
    with mls_peers.ts_mls() as running:
        yield running


@pytest.fixture(scope="module")
def mls_rs() -> Iterator[MlsPeer]:
    """A running mls-rs: suite 1 only."""
    reason = mls_peers.mls_rs_missing()
    if reason:
        pytest.skip(f"mls-rs: {reason}")
    with mls_peers.mls_rs() as running:
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
