"""A town for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.town import Town, town


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Town]:
    """Ana and Ben with a daemon each."""
    async with town(tmp_path) as running:
        yield running
