"""What the page shows, as it runs: the network side with a hostile hand in it, two phones, and what each of them says.

`published` hears of everything that happens, in the order in which it happened; whoever comes later begins with
`state`. When both phones forget, there is a new scene in a new folder: new keys, another wire log.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from ... import ids
from ...carrier.wirelog import WireLogTail
from ...codec.sip import Request
from ...engine.limits import DEFAULTS
from ...ids import Number
from .forms import brief, finding
from .frame import Frame
from .frames import Frames
from .handset import Handset
from .hostility import Hostility
from .ledger import Ledger
from .network import Network
from .phone import Phone
from .secrets_search import SecretsSearch

__all__ = ["NOBODY", "Scene"]

Published = Callable[[str, dict[str, Any]], None]

NOBODY = Number("+15550177")
"""A number whose keys nobody finds: what is written to it waits, or goes unencrypted if somebody says so."""

_ANA, _BEN = Number("+15550100"), Number("+15550199")
_PEOPLE = (("Ana", _ANA), ("Ben", _BEN))
_READ = 4 << 20
_LOOK_SECONDS = 0.04
_LEDGER_SECONDS = 0.3
_SEARCH_SECONDS = 0.4
_KEPT_SAYINGS = 400
_MAY_TELL = frozenset({"sealed", "plain", "chunk", "file"})
_PATIENCE_SECONDS = 5.0


class Scene:
    """Use `start` and `close`."""

    def __init__(self, folder: Path, published: Published, log: Path | None = None) -> None:
        """`log` keeps the wire log elsewhere than in the folder."""
        self.folder = folder
        self.log = log or folder / "wire.log"
        self.frames = Frames()
        self.ledger = Ledger()
        self.handsets: list[Handset] = []
        self.sayings: list[dict[str, Any]] = []
        self.written: dict[str, None] = {}
        self.greeted = False
        self._verdict: dict[str, Any] = {"texts": 0, "short": 0, "size": 0, "found": []}
        self._published = published
        self.hostility = Hostility(_ANA, _BEN, self._inject, published)
        self._stack = AsyncExitStack()
        self._said = asyncio.Condition()
        self._group = ""
        self._grouping = asyncio.Lock()
        self._ledger_due = False
        self._search_wanted = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._network: Network

    @property
    def ana(self) -> Handset:
        return self.handsets[0]

    @property
    def ben(self) -> Handset:
        return self.handsets[1]

    # --- begin and end -------------------------------------------------------------------------------------
    async def start(self, origin: str) -> None:
        """Bring all of it up; `origin` is the page's, which may show the phones in frames."""
        try:
            await self._start(origin)
        except BaseException:  # Ctrl-C above all: the phones that are up are processes of their own
            await self.close()
            raise

    async def _start(self, origin: str) -> None:
        self._network = await Network.start(
            self.folder,
            self.log,
            self._stack,
            tap=self.hostility.hand.tap,
            msrp_tap=self.hostility.hand.msrp_tap,
            directory_front=lambda honest: self.hostility.front(honest, self._stack),
            directories=2,
        )
        phones = [Phone(name, number, self.folder / name.lower()) for name, number in _PEOPLE]
        await _together(*(self._network.set_up(phone, ("signal", "rcc16")) for phone in phones), self._nobody())
        self.handsets = [Handset(phone) for phone in phones]
        for handset in self.handsets:
            self._stack.push_async_callback(handset.switch_off)
        await _together(*(handset.switch_on(origin) for handset in self.handsets))
        self._begin(self._follow_log())
        self._begin(self._search())
        for handset in self.handsets:
            self._begin(self._follow_phone(handset))
        await _together(*(self._introduce(handset) for handset in self.handsets))

    async def _nobody(self) -> None:
        """Dan is there, but the directory that Ana and Ben ask has never heard of keys of his."""
        phone = Phone("Dan", NOBODY, self.folder / "dan")
        await self._network.set_up(phone, ("signal",), directory=1)
        await self._stack.enter_async_context(phone.client())

    async def close(self) -> None:
        """End the phones, then the network."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hostility.close()
        await self._stack.aclose()

    async def _introduce(self, handset: Handset) -> None:
        """The names in the phones' address books."""
        known = (*_PEOPLE, ("Dan", NOBODY)) if handset is self.ana else _PEOPLE
        for name, number in known:
            if number != handset.number:
                await handset.call("name", chat=number, name=name)

    # --- what is so now --------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Everything that a page has to know when it comes."""
        trial = self.hostility.trial
        return {
            "people": [{"name": each.name, "number": each.number, "url": each.url} for each in self.handsets],
            "nobody": {"name": "Dan", "number": NOBODY},
            "frames": [brief(frame) for frame in self.frames.all],
            "ledger": self.ledger.to_json(),
            "search": self._verdict,
            "orders": self.hostility.orders(),
            "sayings": self.sayings,
            "trial": None if trial is None else trial.to_json(),
            "waits": {"again": DEFAULTS.retry_accepted_ms, "late": self.hostility.hand.delay_ms},
        }

    def _inject(self, request: Request, to: Number) -> None:
        # Not at once: the carrier is in the middle of the message that called this forth.
        asyncio.get_running_loop().call_soon(self._network.carrier.inject, request, to)

    # --- what happens --------------------------------------------------------------------------------------------
    async def _follow_log(self) -> None:
        tail = WireLogTail(self.log, _READ)
        try:
            while True:
                for record in tail.read():
                    for change in self.frames.feed(record):
                        self.ledger.note(change)
                        self._ledger_soon()
                        if isinstance(change, Frame):
                            self._published("frame", brief(change))
                            if change.kind in _MAY_TELL:
                                self._search_wanted.set()
                        elif isinstance(change, tuple):
                            self._published("frame", brief(change[0]))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            tail.close()

    def _ledger_soon(self) -> None:
        if not self._ledger_due:
            self._ledger_due = True
            asyncio.get_running_loop().call_later(_LEDGER_SECONDS, self._publish_ledger)

    def _publish_ledger(self) -> None:
        self._ledger_due = False
        self._published("ledger", self.ledger.to_json())

    async def _follow_phone(self, handset: Handset) -> None:
        async for event in handset.events():
            for text in _texts(event):
                self.written[text] = None
                self._search_wanted.set()
            saying = {"phone": handset.number, **{key: value for key, value in event.items() if key in _SAID}}
            self.sayings = [*self.sayings[1 - _KEPT_SAYINGS :], saying]
            self._published("saying", saying)
            async with self._said:
                self._said.notify_all()
            self.hostility.heard(saying)

    async def _search(self) -> None:
        search = SecretsSearch(self.log)
        try:
            while True:
                await self._search_wanted.wait()
                await asyncio.sleep(_SEARCH_SECONDS)  # what was said is then on its way, too
                self._search_wanted.clear()
                self._verdict = finding(await search.look_for(self.written))
                self._published("search", self._verdict)
        finally:
            search.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- what the phones are asked to do ---------------------------------------------------------------------------
    async def until(self, handset: Handset, kind: str, message_id: str) -> None:
        """Wait until a phone says this of a message, but not for ever."""
        wanted = handset.number, kind, message_id
        await self._heard(lambda s: (s["phone"], s["kind"], s.get("message_id")) == wanted)

    async def _heard(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS), self._said:
                await self._said.wait_for(lambda: any(condition(each) for each in self.sayings))

    async def say(self, speaker: Handset, to: str, text: str, **more: Any) -> str:
        """Write something with a phone, to a number or in a group. Raises PhoneRefused."""
        chat = ids.number(to) if to.startswith("+") else to
        done = await speaker.call("send", chat=chat, text=text, **more)
        return str(done["message_id"])

    async def group(self, subject: str, first: str) -> str:
        """A group of both, whose messages go over sessions to the carrier's focus; made when it is first wanted, and used:
        with its first text also its subject has passed."""
        async with self._grouping:
            if not self._group:
                # `signal` groups are a message to each member; these are the ones that the network knows as groups.
                made = await self.ana.call("group.create", subject=subject, members=[self.ben.number], protocol="rcc16")
                self._group = str(made["chat"])
                sent = await self.say(self.ana, self._group, first)
                await self.until(self.ana, "message-delivered", sent)
            return self._group


async def _together(*work: Awaitable[None]) -> None:
    """All of them to their ends before the first that failed is heard of: nothing may begin while all of it is ended."""
    for failure in await asyncio.gather(*work, return_exceptions=True):
        if failure is not None:
            raise failure


def _texts(event: dict[str, Any]) -> list[str]:
    """What people wrote, of an event of the phone that sent it."""
    if event["kind"] not in ("message-sent", "message-edited", "group-created", "subject-changed"):
        return []
    content = event.get("content") or {}
    found = [event.get("text"), event.get("subject"), content.get("name")]
    return [text for text in found if isinstance(text, str) and text]


_SAID = frozenset(
    {
        "kind", "at", "cursor", "chat", "message_id", "device", "text", "encrypted", "reason", "state", "before", "after",
        "security", "first", "last", "fills_gap", "asked_again", "status", "waiting", "authenticated", "sender",
    }
)  # fmt: skip
"""The fields of an event that the page says something with."""
