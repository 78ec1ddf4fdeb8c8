"""Other people's programs as fixtures: one process per test module, skipped only where it cannot run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from interop import kamailio as kamailio_server
from interop import mls_peers
from interop.kamailio import Kamailio
from interop.mls_matrix import PAIRINGS, Matrix
from interop.mls_peers import MlsPeer
from interop.peer import LibsignalPeer, missing

if TYPE_CHECKING:
    from interop.mls_pairing import Pairing

MATRIX = pytest.StashKey[Matrix]()


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


@pytest.fixture(scope="session")
def mls_matrix(request: pytest.FixtureRequest) -> Matrix:
    """What the tests found out about us and MLS peers; printed at the end."""
    return request.config.stash.setdefault(MATRIX, Matrix())


@pytest.fixture(params=PAIRINGS, ids=lambda param: f"{param[0]}-suite{param[1]}")
def pairing(request: pytest.FixtureRequest, mls_matrix: Matrix) -> Pairing:
    """Us and a running peer in one cipher suite."""
    from interop.mls_pairing import Pairing  # not before: other peers' tests need no MLS

    name, suite = request.param
    return Pairing(request.getfixturevalue(name.replace("-", "_")), name, suite, mls_matrix)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    matrix = config.stash.get(MATRIX, None)
    if matrix:
        terminalreporter.section("MLS with other implementations: cipher suites in which it works")
        for line in matrix.lines():
            terminalreporter.write_line(line)
