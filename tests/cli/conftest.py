"""One carrier, one directory and two users for the tests of this folder; they are what takes time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.terminals import Town, User


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("town"))
    town.open()
    yield town
    town.close()


@pytest.fixture(scope="package")
def ana(town: Town) -> User:
    return town.user("ana", "+15550100")


@pytest.fixture(scope="package")
def ben(town: Town) -> User:
    return town.user("ben", "+15550199")
