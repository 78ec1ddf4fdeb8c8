"""What tables and writer use of a database, whichever it is, and how it fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...errors import StoreError

__all__ = ["BatchLost", "Connection", "Layout", "Rows", "TryAgain"]

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a service keeps. `schema` makes it new; `upgrades[n]` leads from version n to n + 1.

    Both are statements that end in `;` and a line end. `name` is what errors call the service, and its namespace;
    `hint` what to do when another process has the database. An `exclusive` service runs in one process at a time,
    because some of its truth is in memory.
    """

    name: str
    schema: str
    version: int
    application_id: int
    hint: str
    exclusive: bool
    upgrades: Mapping[int, str] = field(default_factory=dict)

    def scripts(self, found: int) -> list[list[str]]:
        """The statements that lead from version `found`, 0 for nothing. Raises StoreError for a newer one."""
        if found > self.version:
            raise StoreError(
                f"{self.name} database of schema {found}",
                code="store.schema",
                hint="run the newer version that made it",
            )
        scripts = [self.schema] if found == 0 else [self.upgrades[n] for n in range(found, self.version)]
        return [[statement for statement in script.split(";\n") if statement.strip()] for script in scripts]


class Rows:
    """What a statement brought: its rows, and how many it returned or changed."""

    __slots__ = ("_next", "_rows", "rowcount")

    def __init__(self, rows: Sequence[Row], rowcount: int) -> None:
        self._rows = rows
        self._next = 0
        self.rowcount = rowcount

    def fetchone(self) -> Any:
        """The next row, a tuple; None after the last."""
        if self._next >= len(self._rows):
            return None
        self._next += 1
        return self._rows[self._next - 1]

    def fetchall(self) -> list[Any]:
        """What is left of the rows."""
        rest = list(self._rows[self._next :])
        self._next = len(self._rows)
        return rest

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class Connection(Protocol):
    """One connection, for the thread that opened it. Everything raises StoreError and nothing else."""

    cheap_savepoints: bool
    """Whether a savepoint costs less than doing a batch again; over a network it is two ways there and back."""

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> Rows: ...

    def executemany(self, statement: str, rows: Iterable[Sequence[object]]) -> None: ...

    def last_identity(self, table: str, column: str) -> int:
        """The highest number that the table has ever given to this column, 0 for none; or a little more."""
        ...

    def begin(self) -> None:
        """Open a transaction that writes; nobody else does at the same time."""
        ...

    def commit(self) -> None:
        """Make it durable."""
        ...

    def rollback(self) -> None:
        """Undo it; never raises."""
        ...

    def close(self) -> None: ...


class BatchLost(StoreError):
    """The transaction is gone, and with it all of its steps."""


class TryAgain(BatchLost):
    """It is gone because another was in its way: the same steps may succeed another time."""

    code = "store.busy"
