"""Fixtures that every test may use."""

from __future__ import annotations

import pytest
from hypothesis import settings

from postgres import both_databases, database, postgresql, postgresql_url

__all__ = ["anyio_backend", "both_databases", "database", "postgresql", "postgresql_url"]

# How long one example takes says how busy the machine is; what may take how long is measured by the benchmarks.
settings.register_profile("letterlock", deadline=None)
settings.load_profile("letterlock")


@pytest.fixture
def anyio_backend() -> str:
    """The project runs on asyncio."""
    return "asyncio"
