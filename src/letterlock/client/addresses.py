"""Where the conferences of groups are, kept with the profile: a group of RCC.16 can be reached there and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping

from ..engine.step import Step
from ..ids import Instant, Rng
from ..seam import Key, RecordKind, State
from ..store import Store
from .driver import StepFunction

__all__ = ["CONFERENCES", "UNVISITED", "Addresses"]

CONFERENCES = RecordKind[str]("client-conference", str.encode, bytes.decode)

UNVISITED = Key(
    RecordKind[bool]("client", lambda told: bytes([told]), lambda data: data == b"\x01"), "client/unvisited"
)
"""The conferences were learned from another device of ours, and their focuses do not know this one."""


class Addresses(MutableMapping[str, str]):
    """Names of groups to addresses of focuses. Changes are in effect at once, and on disk soon: whoever dies before finds
    the conference again, because its focus calls when there is something to say."""

    def __init__(self, store: Store, note: Callable[[StepFunction[None]], None]) -> None:
        self._note = note
        self._known = {key.name.partition("/")[2]: store.get(key) or "" for key in store.scan(CONFERENCES)}

    def __getitem__(self, name: str) -> str:
        return self._known[name]

    def __setitem__(self, name: str, address: str) -> None:
        if self._known.get(name) != address:
            self._known[name] = address
            self._write(name, address)

    def __delitem__(self, name: str) -> None:
        del self._known[name]
        self._write(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _write(self, name: str, address: str | None) -> None:
        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            return Step(None, {CONFERENCES.key(name): address})

        self._note(step)
