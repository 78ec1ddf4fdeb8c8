"""`client_...` of bench_rcc16: what one phone's protocol takes to send and to receive, in microseconds, in a group of so many.

The whole protocol behind the seam is measured: checks, MLS, certificates, receipts, and its records, encoded when they are
written and remembered as values, as the client's store does it; the store's disk is not. `client_send_N` is a letter sealed; `client_receive_N` one read and its
signed receipt made; `client_receipt_N` that receipt judged; `client_commit_N` a commit of one's own with the whole request
(a new subject), up to what is sent; `client_follow_N` another's commit, up to its being in force.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from letterlock.conversation_seam import Letter, Packet, Progress, SetMetadata
from letterlock.ids import MessageId, number
from letterlock.rcc16.wire.content_types import CLIENT_CONTROL
from letterlock.rcc16.wire.secret_payload import text_entity
from letterlock.seam import Key, Writes
from processes import tell
from rcc16.world import GROUP, MemoryState, Phone, World
from report import Row, row

__all__ = ["client"]

T = TypeVar("T")

_TEXT = "x" * 200


async def client(members: int, *, letters: int, commits: int) -> list[Row]:
    """Rows of a group of so many, two of whom are measured; the others are there and silent."""
    tell(f"a group of {members}")
    town = _Town(members)
    for each in range(letters):
        town.letter(each)
    for each in range(commits):
        town.commit(each)
    return [
        row(f"client_{what}_{members}", len(took), statistics.median(took) * 1e6, "us")
        for what, took in town.taken.items()
    ]


class _Remembering(MemoryState):
    """A store with a cache of values, as that of the client."""

    def __init__(self, before: MemoryState) -> None:
        super().__init__()
        self.rows = before.rows
        self._values: dict[str, Any] = {}

    def get(self, key: Key[T]) -> T | None:
        if key.name not in self._values:
            self._values[key.name] = super().get(key)
        value: T | None = self._values[key.name]
        return value

    def apply(self, writes: Writes) -> None:
        super().apply(writes)
        self._values.update((key.name, value) for key, value in writes.items())


class _Town:
    """Ana sends, Ben receives."""

    def __init__(self, members: int) -> None:
        self._world = world = World(f"bench {members}")
        numbers = [number(f"+1555{each:07d}") for each in range(members)]
        for of in numbers:
            world.phone(of)
        self._ana, self._ben = world.phones[:2]
        for phone in (self._ana, self._ben):
            phone.state = _Remembering(phone.state)
        # The others are members, and nobody's processor.
        world.drop = lambda travelling: travelling.to not in (self._ana, self._ben)
        world.found(GROUP, numbers)
        self._ana.upgrade(GROUP, *numbers[1:])
        world.run()
        self.taken: dict[str, list[float]] = defaultdict(list)

    def letter(self, index: int) -> None:
        """A letter, its reading, its receipt."""
        self._world.now += 1_000
        name = MessageId(f"letter-{index}")
        letter = Letter(name, name, (), text_entity(_TEXT))
        ana = self._ana
        sealed = self._timed("send", ana, lambda: ana.protocol.seal(ana.state, GROUP, letter, self._world.now, ana.rng))
        read = self._receive("receive", self._ben, ana, _only(sealed))
        self._receive("receipt", ana, self._ben, _only(read))

    def commit(self, index: int) -> None:
        """A commit by Ana that Ben follows; the focus in between is not counted."""
        world, ana, ben = self._world, self._ana, self._ben
        world.now += 60_000
        change = SetMetadata(subject=f"subject {index}")
        made = self._timed("commit", ana, lambda: ana.protocol.change(ana.state, GROUP, change, world.now, ana.rng))
        (request,) = (packet for packet in made.packets if packet.content_type == CLIENT_CONTROL)
        world.hold = lambda travelling: travelling.to is ben
        world.send(ana, request)
        world.run()
        arrived, world.held = world.held, []
        for travelling in arrived:
            self._receive("follow", ben, None, travelling.packet)

    def _receive(self, what: str, phone: Phone, sender: Phone | None, packet: Packet) -> Progress:
        by = None if sender is None else sender.number
        return self._timed(
            what, phone, lambda: phone.protocol.receive(phone.state, packet, by, self._world.now, phone.rng)
        )

    def _timed(self, what: str, phone: Phone, step: Callable[[], Progress]) -> Progress:
        began = time.perf_counter()
        progress = step()
        phone.state.apply(progress.writes)
        self.taken[what].append(time.perf_counter() - began)
        return progress


def _only(progress: Progress) -> Packet:
    (packet,) = progress.packets
    return packet
