"""Seeds of the simulation: in honest ones all holds, and no defence can be switched off unnoticed (SR-01 to SR-07)."""

from __future__ import annotations

import pytest

from rcc16_sim.breaks import BREAKS
from rcc16_sim.run import run_seed

_TRIES = 20


@pytest.mark.parametrize("name", sorted(BREAKS))
def test_each_defence_is_needed(name: str) -> None:
    """Without it one of twenty seeds fails."""
    assert any(run_seed(seed, name).findings for seed in range(_TRIES)), f"nothing fails without {name}"


@pytest.mark.parametrize("seed", [0, 4, 9, 12, 50, 161, 1094, 1132, 2449, 7824, 9064])
def test_all_holds(seed: int) -> None:
    """A group of twenty, a small one in bad weather, chats of two; and seeds that found something once."""
    outcome = run_seed(seed)
    assert outcome.findings == []
    assert outcome.counts["read"] > 0 and outcome.counts["receipts"] > 0
