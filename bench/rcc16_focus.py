"""`commit_hot`, `commit_many` and `focus_group_memory_...` of bench_rcc16: the conversation focus with RCC.16 groups.

The focus runs in a process of its own, as `letterlock focus` does, with its database where the benchmark says; this process
is the proxy and all members, each with an MSRP connection of its own. Commits are made beforehand, so that the focus is
what is measured: from a request's first byte to the acceptance, which is on the disk, with the commit handed to all
members. In one hot group they come one after the other, because each stands on the one before; many groups come at once.

`focus_group_memory_N` is what the resident memory of the focus grows by for one more group of N with its tree in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from focus.mls_town import Member
from focus.ordering import LIMITS, Phone, World
from focus.town import DOMAIN, Device, Town, number
from letterlock.codec.sdp import SdpLimits, decode_sdp
from letterlock.ids import Number
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.wire.content_types import CLIENT_CONTROL
from letterlock.rcc16.wire.control import ClientMessage, encode_client_message
from letterlock.services.focus import Focus, FocusLimits, FocusSettings, MlsSettings, Rate
from letterlock.services.focus.mls.ordering import Ordered
from letterlock.services.focus.requests import Creation
from processes import Answer, Child, serve, start, tell
from rcc16.certificates import CRYPTO, NOW, Lab
from report import Row, row

__all__ = ["commit_hot", "commit_many", "group_memory"]

_MEMBERS = 10
_MANY_MEMBERS = 4
_PLENTY = Rate(10_000_000, 1000)
_LIMITS = FocusLimits(
    messages=_PLENTY,
    bytes_sent=_PLENTY,
    controls=_PLENTY,
    created=_PLENTY,
    invited=_PLENTY,
    max_conferences_by_account=10_000,
)
_ORDERING = replace(LIMITS, max_epochs_an_hour=10_000_000, max_epochs_an_hour_by_one=10_000_000)


async def commit_hot(database: str, suffix: str, *, commits: int) -> list[Row]:
    """Commits a second to one group of ten."""
    tell(f"{commits} commits of a group of {_MEMBERS}")
    script = _Script(0, _MEMBERS, commits)
    async with _network(database) as town:
        devices = await script.begin(town)
        seconds = await script.play(devices)
    return [row(f"commit_hot{suffix}", commits, commits / seconds, "1/s")]


async def commit_many(database: str, suffix: str, *, groups: int, commits: int) -> list[Row]:
    """Commits a second to many groups of four at once."""
    tell(f"{commits} commits of each of {groups} groups of {_MANY_MEMBERS}")
    scripts = [_Script(each, _MANY_MEMBERS, commits) for each in range(groups)]
    async with _network(database) as town:
        ready = [await script.begin(town) for script in scripts]
        began = time.perf_counter()
        await asyncio.gather(*(script.play(devices) for script, devices in zip(scripts, ready, strict=True)))
        seconds = time.perf_counter() - began
    return [row(f"commit_many{suffix}", groups * commits, groups * commits / seconds, "1/s")]


async def group_memory(database: str, suffix: str, *, members: int, groups: int) -> list[Row]:
    """Memory of the focus for a group of so many."""
    tell(f"{groups + 1} groups of {members}")
    lab = Lab()
    authentication = lab.authentication()
    people = [Phone(lab.enrol(number(each), authentication=authentication)) for each in range(members)]
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-focus-")))
        child = await start(stack, __file__, database or str(folder / "focus.db"), "9")
        resident = []
        for each in range(groups + 1):
            request = people[0].found(people[1:], group_id=_group_id(each))
            (folder / "request").write_bytes(_encoded(request))
            (folder / "names").write_text(
                "\n".join((_group_id(each).decode(), request.message_id, *(phone.number for phone in people)))
            )
            resident.append((await child.ask(f"found {folder}"))["bytes"])
    # The first also costs what all later ones share.
    return [row(f"focus_group_memory_{members}{suffix}", groups, (resident[-1] - resident[0]) / groups / 1024, "KiB")]


def _group_id(index: int) -> bytes:
    return b"%032x" % (index + 1)


def _encoded(request: ClientMessage) -> bytes:
    return encode_client_message(request, OURS.control_numbers)


class _Script:
    """The requests of one group, made beforehand by people who all follow."""

    def __init__(self, index: int, members: int, commits: int) -> None:
        lab = Lab()
        authentication = lab.authentication()
        people = [
            Phone(lab.enrol(number(index * members + each), authentication=authentication)) for each in range(members)
        ]
        self.group_id = _group_id(index)
        world = World(members, limits=_ORDERING, lab=lab, group_id=self.group_id, people=people)
        self._numbers = [each.number for each in people]
        self._requests = [(0, world.founded)]
        for turn in range(commits):
            who = turn % members
            request = people[who].commit()
            world.do(people[who], request)
            self._requests.append((who, request))

    async def begin(self, town: Town) -> list[Device]:
        """A conference in which all are there, with the group's first epoch."""
        devices = [town.device(int(each[-7:])) for each in self._numbers]
        if await devices[0].create(*self._numbers[1:], contribution=self.group_id.decode()) != 200:
            raise RuntimeError("the conference was refused")
        for each in devices[1:]:
            await each.attending()
        await _ask(devices[0], self._requests[0][1])
        return devices

    async def play(self, devices: Sequence[Device]) -> float:
        """Seconds for all commits."""
        began = time.perf_counter()
        for who, request in self._requests[1:]:
            await _ask(devices[who], request)
        return time.perf_counter() - began


async def _ask(device: Device, request: ClientMessage) -> None:
    member = Member(device, _Deaf(), seen=len(device.inbox))  # type: ignore[arg-type]
    if await device.say(_encoded(request), message_id=request.message_id, content_type=CLIENT_CONTROL) != 200:
        raise RuntimeError("a request was not taken")
    await member.told(request.message_id)
    if request.message_id not in member.acceptances:
        raise RuntimeError(f"a commit was refused: {member.refusals}")


class _Deaf:
    """Commits were followed when they were made."""

    def receive(self, data: bytes) -> None: ...


@contextlib.asynccontextmanager
async def _network(database: str) -> AsyncIterator[Town]:
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-focus-")))
        town = Town(folder, focus=lambda proxy: _Process(stack, database or str(folder / "focus.db"), proxy[1]))
        await stack.enter_async_context(town)
        yield town


class _Process:
    """The focus's process, as `Town` wants it."""

    def __init__(self, stack: contextlib.AsyncExitStack, database: str, proxy: int) -> None:
        self.port = 0
        self._stack, self._database, self._proxy = stack, database, proxy

    async def start(self) -> None:
        child: Child = await start(self._stack, __file__, self._database, str(self._proxy))
        self.port = child.hello["port"]

    async def close(self) -> None: ...


# --- the child -----------------------------------------------------------------------------------------------
async def _child(database: str, proxy: int) -> None:
    lab = Lab()
    focus = Focus(
        database,
        domain=DOMAIN,
        proxy=("127.0.0.1", proxy),
        limits=_LIMITS,
        settings=FocusSettings(idle_ms=600_000),
        mls=MlsSettings(lab.anchors, CRYPTO, limits=_ORDERING, max_kept_leaves=10_000_000),
        clock=lambda: NOW,
    )
    async with focus:

        async def on_command(words: list[str]) -> Answer:
            await _found(focus, Path(words[1]))
            gc.collect()
            return {"bytes": _resident()}

        await serve({"port": focus.port}, on_command)


async def _found(focus: Focus, folder: Path) -> None:
    """One more group, by the rooms themselves: sessions of thousands are not what is measured."""
    contribution, message_id, *names = (folder / "names").read_text().splitlines()
    creator, *others = map(Number, names)
    rooms, ordering = focus._rooms, focus._ordering
    assert ordering is not None
    creation = Creation(tuple(others), "", contribution, contribution, decode_sdp(_NO_MEDIA, SdpLimits(1024, 16, 1)))
    room, _ = await rooms.create(rooms.new_name(), creator, creation)
    outcome = await ordering.control(room, creator, "bench", message_id, (folder / "request").read_bytes())
    if not isinstance(outcome, Ordered):
        raise RuntimeError(f"a group was refused: {outcome}")


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


_NO_MEDIA = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"

if __name__ == "__main__":
    asyncio.run(_child(sys.argv[1], int(sys.argv[2])))
