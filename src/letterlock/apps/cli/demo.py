"""`letterlock demo`: two phones talk through a carrier that sees only ciphertext. Nothing in it is staged.

Carrier and directory run in this process on loopback, each phone in one of its own. One phone is away for a
while; one is killed with SIGKILL in the middle. At the end the phones' own records say what was delivered, and
the carrier's wire log, every byte of every connection, is searched for every word that was said.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ...carrier import Accounts, Carrier, Searcher
from ...client import Client, SipAccount
from ...engine import events as ev
from ...engine.events import Event
from ...engine.policy import PlainOption
from ...engine.security import Security
from ...errors import InputError, NotEncrypted
from ...keystore import KeyFile
from ...services.directory import Directory, IssuedCode
from .asking import ask, interactive
from .demo_phone import Phone
from .demo_view import beside, sights, width
from .terminal import EXIT, Terminal
from .words import security_label, security_sentence

__all__ = ["add_parsers"]

_PASSWORD = "demo"  # noqa: S105 - of a carrier that lives for seconds, on loopback
_PATIENCE_SECONDS = 20.0


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="watch two phones talk, beside what the carrier sees",
        description="Two phones talk over real SIP on this machine. The last line is JSON; plaintext_on_wire counts "
        "the messages that were found in the carrier's log, in any of the usual encodings.",
    )
    demo.add_argument("--headless", action="store_true", help="end by itself; else you may go on writing")
    demo.add_argument("--say", action="append", default=[], metavar="TEXT", help="Ana says this too; may be repeated")
    demo.add_argument("--log", type=Path, metavar="FILE", help="keep the carrier's wire log in FILE")
    demo.add_argument(
        "--plain", action="store_true", help="as a control: without encryption, so that the search must find everything"
    )
    demo.set_defaults(run=run_demo)


async def run_demo(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.log is not None and arguments.log.exists():
        raise InputError(
            f"{arguments.log} exists already", code="input.log", hint="name a file that does not exist yet"
        )
    with tempfile.TemporaryDirectory(prefix="letterlock-demo-") as folder:
        log = arguments.log or Path(folder) / "wire.log"
        async with AsyncExitStack() as stack:
            stage = _Stage(Path(folder), log, arguments.plain, terminal, stack)
            await stage.build()
            await stage.conversation(arguments.say)
            if not arguments.headless and interactive():
                await stage.improvise()
            result = await stage.result()
        searcher = Searcher(log)
        result["plaintext_on_wire"] = sum(bool(searcher.search(text)) for text in stage.said_texts)
    print(json.dumps(result), flush=True)
    clean = result["lost"] == result["duplicated"] == 0 and bool(result["plaintext_on_wire"]) == arguments.plain
    return EXIT["ok"] if clean else EXIT["bug"]


@dataclass(slots=True)
class _Said:
    """One thing that was said, and under which id it went out."""

    speaker: Phone
    listener: Phone
    text: str
    message_id: str


@dataclass(slots=True)
class _Stage:
    folder: Path
    log: Path
    plain: bool
    terminal: Terminal
    stack: AsyncExitStack
    said: list[_Said] = field(default_factory=list)
    phones: tuple[Phone, ...] = ()
    _codes: dict[str, asyncio.Future[str]] = field(default_factory=dict)
    _shown: int = 0

    @property
    def said_texts(self) -> list[str]:
        return [item.text for item in self.said]

    # --- before ------------------------------------------------------------------------------------------
    async def build(self) -> None:
        """Carrier, directory, and two phones with a number each."""
        began = time.monotonic()
        self._narrate("starting a carrier, a directory and two phones on this machine")
        carrier = await self.stack.enter_async_context(
            Carrier("127.0.0.1", 0, Accounts.lab(_PASSWORD), wire_log=self.log)
        )
        # In the control each phone has a directory of its own, so that neither finds keys of the other.
        directories = [await self._directory(name) for name in (("a", "b") if self.plain else ("a",))]
        ana, ben = (
            Phone(name, number, self.folder / name.lower())
            for name, number in (("Ana", "+15550100"), ("Ben", "+15550199"))
        )
        self.phones = (ana, ben)
        where = [directories[0], directories[-1]]
        await asyncio.gather(*(self._bring_up(*pair, carrier) for pair in zip(self.phones, where, strict=True)))
        self._narrate(
            f"all up after {time.monotonic() - began:.1f} s"
            + ("; as a control the phones have a directory each, and find no keys of the other" if self.plain else "")
        )

    async def _bring_up(self, phone: Phone, directory: Directory, carrier: Carrier) -> None:
        """A profile with a number, and the phone's own process on it."""
        phone.folder.mkdir()
        KeyFile(phone.key_file).create(phone.environment.rng)
        self._codes[phone.number] = asyncio.get_running_loop().create_future()
        await Client.create(
            phone.profile,
            phone.number,
            directory=directory.url,
            code=lambda: self._codes[phone.number],
            sip=SipAccount("127.0.0.1", carrier.port, carrier.domain, phone.number, _PASSWORD, tls=False),
            name=f"{phone.name}'s phone",
            key_file=phone.key_file,
            environment=phone.environment,
        )
        self.stack.push_async_callback(phone.kill)
        await phone.switch_on()

    async def _directory(self, name: str) -> Directory:
        def on_code(issued: IssuedCode) -> None:
            # The operator's part: bring the code to the owner of the number.
            self._codes[issued.number].set_result(issued.code)

        directory = Directory(str(self.folder / f"directory-{name}.db"), on_code=on_code)
        await directory.start()
        self.stack.push_async_callback(directory.close)
        return directory

    # --- the conversation --------------------------------------------------------------------------------
    async def conversation(self, more: list[str]) -> None:
        ana, ben = self.phones
        await self._say(ana, ben, "Hi Ben, it is Ana. Lunch tomorrow at the harbour?")
        await self._say(ben, ana, "Gladly! Half past twelve, by the blue crane.")
        await self._say(ana, ben, "Perfect. The table is under Lovelace; do not tell Mallory.")
        await self._type(ben, ana)
        await self._say(ben, ana, "My lips are sealed: \u201cl\u00f8ck and key\u201d \U0001f512")
        for text in more:
            await self._say(ana, ben, text)
        await self._show()
        self._narrate("Ben's phone goes off; Ana writes to it all the same")
        await ben.switch_off()
        await self._say(ana, ben, "You are away, so the carrier keeps this one for you.", wait=False)
        await ben.switch_on()
        await self._until_received()
        await self._show()
        self._narrate("Ben's phone is back and has it. Now Ana's is killed with SIGKILL right after she writes")
        await self._say(ana, ben, "If you can read this, a crash lost nothing.", wait=False)
        await ana.kill()
        await ana.switch_on()
        await self._until_received()
        await self._say(ben, ana, "Read it, once. See you at the crane.")
        await self._show()
        if not self.plain:
            await self._compare_codes()
        state = await self._security()
        self._narrate(
            f"Ana's phone says of the chat: {security_label(state, ben.name)}. "
            f"{security_sentence(state, ben.name, f'{date.today():%d %B}'.lstrip('0'))}"
        )

    async def _compare_codes(self) -> None:
        """Each reads the last group of the security code out to the other, who types it."""
        ana, ben = self.phones
        async with ana.chat(ben) as ana_chat, ben.chat(ana) as ben_chat:
            read_by_ana, read_by_ben = await ana_chat.security_code(), await ben_chat.security_code()
            await ana_chat.verify(last_group=read_by_ben.groups[-1])
            await ben_chat.verify(last_group=read_by_ana.groups[-1])
        self._narrate(f"they compare security codes over the telephone; the last group is {read_by_ben.groups[-1]}")

    async def improvise(self) -> None:
        """Whoever watches may speak as Ana."""
        ana, ben = self.phones
        self._narrate("your turn: write as Ana; an empty line ends")
        while True:
            try:
                text = await ask("Ana> ")
            except InputError:  # the end of the input
                return
            if not text:
                return
            await self._say(ana, ben, text)
            await self._show()

    async def _say(self, speaker: Phone, listener: Phone, text: str, *, wait: bool = True) -> None:
        async with speaker.client() as client:
            chat = await client.chat(listener.number)
            if chat.security is Security.CHECKING:
                await client.settled()  # the directory has answered
            try:
                message_id = await chat.send(text)
            except NotEncrypted as error:
                if not self.plain:
                    raise
                message_id = await chat.send(text, allow=_plain(error))
        self.said.append(_Said(speaker, listener, text, message_id))
        if wait:
            await self._until_received()

    async def _type(self, speaker: Phone, listener: Phone) -> None:
        """The other end sees that somebody is typing; unless there is no encryption to say it in."""
        async with speaker.chat(listener) as chat:
            await chat.typing()
        if not self.plain:
            await self._until(listener, lambda events: any(isinstance(e, ev.TypingChanged) for e in events))

    async def _until_received(self) -> None:
        """Wait until everything said has arrived, been shown, and been receipted."""
        for phone in self.phones:
            wanted = {item.message_id for item in self.said if item.listener is phone}
            await self._until(phone, _all_of(wanted, ev.MessageReceived))
            await self._mark_displayed(phone)
        if self.plain:
            return  # receipts travel encrypted or not at all
        for phone in self.phones:
            sent = {item.message_id for item in self.said if item.speaker is phone}
            for kind in (ev.MessageDelivered, ev.MessageDisplayed):
                await self._until(phone, _all_of(sent, kind))

    async def _mark_displayed(self, phone: Phone) -> None:
        async with phone.client() as client:
            for item in self.said:
                if item.listener is phone:
                    await (await client.chat(item.speaker.number)).mark_displayed(item.message_id)  # type: ignore[arg-type]

    async def _until(self, phone: Phone, condition: Callable[[list[Event]], bool]) -> None:
        """Follow a phone's events until a condition on all of them holds; what it shows later says if it did not."""
        events: list[Event] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS), phone.client() as client:
                if condition(events):
                    return
                async for recorded in client.events(after=0):
                    events.append(recorded.event)
                    if condition(events):
                        return

    # --- what it shows -----------------------------------------------------------------------------------
    async def _show(self) -> None:
        """Print what was said since the last time."""
        seen = await asyncio.to_thread(sights, self.log)
        by_phone = {phone.number: [r.event for r in await phone.events()] for phone in self.phones}
        for item in self.said[self._shown :]:
            mine = by_phone[item.speaker.number]
            marks = [
                word
                for word, kind in (("delivered", ev.MessageDelivered), ("seen", ev.MessageDisplayed))
                if any(isinstance(e, kind) and e.message_id == item.message_id for e in mine)
            ]
            row = beside(
                f"{item.speaker.name} to {item.listener.name}", item.text, ", ".join(marks), seen.get(item.message_id)
            )
            self._print(row)
        self._shown = len(self.said)

    async def _security(self) -> Security:
        ana, ben = self.phones
        async with ana.chat(ben) as chat:
            return chat.security

    async def result(self) -> dict[str, int]:
        """Count from the phones' own durable records, not from what went over the screen."""
        received: Counter[str] = Counter()
        for phone in self.phones:
            received.update(r.event.message_id for r in await phone.events() if isinstance(r.event, ev.MessageReceived))
        delivered = sum(item.message_id in received for item in self.said)
        for phone in self.phones:
            await phone.switch_off()
        return {
            "messages": len(self.said),
            "delivered": delivered,
            "lost": len(self.said) - delivered,
            "duplicated": sum(count - 1 for count in received.values()),
        }

    def _narrate(self, text: str) -> None:
        self._print(textwrap.fill(f"-- {text}", width()))

    def _print(self, text: str) -> None:
        # With -o json standard output holds JSON alone.
        print(text + "\n", file=sys.stderr if self.terminal.json else sys.stdout, flush=True)


def _all_of(
    ids: set[str], kind: type[ev.MessageReceived | ev.MessageDelivered | ev.MessageDisplayed]
) -> Callable[[list[Event]], bool]:
    return lambda events: ids <= {event.message_id for event in events if isinstance(event, kind)}


def _plain(error: NotEncrypted) -> PlainOption:
    for option in error.options:
        if isinstance(option, PlainOption):
            return option
    raise error
