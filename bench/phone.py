"""A phone of the message benchmark, a process of its own: a real profile, driven by commands (`bench_messages`).

Client, driver, engine, encrypted store with synchronous=FULL, SIP over TCP and, where `relay` is given, MSRP. Commands:
`begin` makes the chat ready, which for a plain one is the user's decision; `send N` sends N messages, `window` of them on
their way at once, and answers with the seconds until each of them had come as far as `counts` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from letterlock.client import Chat, Client, Environment
from letterlock.client.identity import Identity
from letterlock.client.network import OnMessage
from letterlock.client.settings import Settings
from letterlock.engine.events import MessageAccepted, MessageDelivered, MessageExpired, MessageFailed, Recorded
from letterlock.engine.security import Security
from letterlock.keystore.wrapped import Argon2Parameters
from letterlock.transport.rcs.config import SessionConfig
from letterlock.transport.rcs.transport import RcsTransport
from processes import Answer, run, serve

__all__ = ["PASSPHRASE", "Role", "environment"]

TEXT = "x" * 200
PASSPHRASE = "benchmark"
_RUN_SECONDS = 300.0


@dataclasses.dataclass(frozen=True)
class Role:
    """Who a phone is, and what its row measures."""

    folder: str
    name: str
    peer: str
    plain: bool = False
    counts: str = "delivered"
    """A message counts when its sender has recorded the receipt, or (`accepted`) the network's answer."""
    relay: str | None = None
    """Everything goes over MSRP sessions through this relay, and nothing by MESSAGE."""
    window: int = 128

    def encode(self) -> str:
        return json.dumps(dataclasses.asdict(self))


def environment(folder: Path) -> Environment:
    """Argon2id runs once, when a profile is opened; its cost is not what is measured here."""
    return dataclasses.replace(
        Environment(), state=folder / "generations", argon2=Argon2Parameters(memory_kib=64, iterations=1, lanes=1)
    )


class Sessions:
    """Makes the transport of a phone that talks over sessions alone, and knows whether one is open."""

    def __init__(self, relay: str) -> None:
        self._relay = relay
        self._transport: RcsTransport | None = None

    def __call__(
        self, environment: Environment, settings: Settings, identity: Identity, on_message: OnMessage
    ) -> RcsTransport:
        assert settings.sip is not None
        config = dataclasses.replace(
            settings.sip.config(identity.number, settings.instance),
            max_pager=0,  # nothing is small enough for a MESSAGE ...
            max_message=4096,  # ... and without a session it would not become one either
            sessions=SessionConfig(msrp_relay=self._relay, idle_s=600.0),
        )
        self._transport = RcsTransport(config, on_message, rng=environment.rng, clock=environment.clock)
        return self._transport

    @property
    def open(self) -> int:
        return 0 if self._transport is None else len(self._transport.sessions)


class Phone:
    """Commands in, seconds out."""

    def __init__(self, me: Client, chat: Chat, role: Role, sessions: Sessions | None) -> None:
        self._me = me
        self._chat = chat
        self._role = role
        self._sessions = sessions
        self._window = asyncio.Semaphore(role.window)
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._early: dict[str, bool] = {}  # of which we hear before `send` has returned

    async def on_command(self, words: list[str]) -> Answer:
        return await (self._begin() if words[0] == "begin" else self._send(int(words[1])))

    async def watch(self, events: AsyncIterator[Recorded]) -> None:
        """In the background, always."""
        good = MessageDelivered if self._role.counts == "delivered" else MessageAccepted
        async for recorded in events:
            event = recorded.event
            if isinstance(event, good):
                self._on_end(event.message_id, True)
            elif isinstance(event, MessageFailed | MessageExpired):
                self._on_end(event.message_id, False)

    async def _begin(self) -> Answer:
        """A first message, with which keys are fetched, or the user's decision to do without is made."""
        await self._me.settled()  # the look-up of keys has been answered
        options = await self._chat.options() if self._role.plain else []
        await self._chat.send(TEXT, allow=options[0] if options else None)
        await self._me.settled()
        if self._role.plain is not (self._chat.security is Security.PLAIN_RCS):
            raise RuntimeError(f"the chat is {self._chat.security.value}")
        return {"security": self._chat.security.value}

    async def _send(self, count: int) -> Answer:
        began = time.perf_counter()
        outcomes = []
        try:
            async with asyncio.timeout(_RUN_SECONDS):
                for _ in range(count):
                    await self._window.acquire()
                    outcomes.append(asyncio.ensure_future(self._one()))
                good = sum(await asyncio.gather(*outcomes))
        except TimeoutError:
            done = sum(outcome.done() and not outcome.cancelled() for outcome in outcomes)
            raise RuntimeError(f"after {_RUN_SECONDS:.0f} s {done} of {count} messages had come to an end") from None
        seconds = time.perf_counter() - began
        sessions = 0 if self._sessions is None else self._sessions.open
        return {"seconds": seconds, "bad": count - good, "sessions": sessions}

    async def _one(self) -> bool:
        try:
            message = await self._chat.send(TEXT)
            if message in self._early:
                return self._early.pop(message)
            ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._waiting[message] = ended
            return await ended
        finally:
            self._window.release()

    def _on_end(self, message: str, good: bool) -> None:
        ended = self._waiting.pop(message, None)
        if ended is None:
            self._early[message] = good
        elif not ended.done():
            ended.set_result(good)


async def phone(role: Role) -> None:
    folder = Path(role.folder)
    sessions = None if role.relay is None else Sessions(role.relay)
    around = environment(folder)
    if sessions is not None:
        around = dataclasses.replace(around, transport=sessions)
    async with Client.open(folder / role.name, passphrase=PASSPHRASE, environment=around) as me:
        events = me.events(await me.cursor())
        it = Phone(me, await me.chat(role.peer), role, sessions)
        watching = asyncio.ensure_future(it.watch(events))
        try:
            await serve({"ready": role.name}, it.on_command)
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching


if __name__ == "__main__":
    run(phone(Role(**json.loads(sys.argv[1]))))
