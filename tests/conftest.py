"""Fixtures that every test may use."""

from __future__ import annotations

import pytest

from postgres import both_databases, database, postgresql, postgresql_url

__all__ = ["anyio_backend", "both_databases", "database", "postgresql", "postgresql_url"]


@pytest.fixture
def anyio_backend() -> str:
    """The project runs on asyncio."""
    return "asyncio"
