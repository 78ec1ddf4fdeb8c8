"""The third act of the demo: RCC.16. Eve's phone speaks nothing else, as those of other vendors; a group of five over the focus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from ...client import Group
from ...engine import events as ev
from ...engine.events import Event
from ..cli.words import protocol_words
from .phone import Phone
from .stage import Stage, all_of

__all__ = ["Boathouse"]

_SUBJECT = "Boathouse roof"
_COMMITS = 10


class Boathouse:
    """Ana, Ben, Dan and Eve, later Cleo. `subject` must not be readable on the way either."""

    subject = _SUBJECT

    def __init__(self, stage: Stage, ana: Phone, ben: Phone, cleo: Phone, dan: Phone, eve: Phone) -> None:
        self._stage = stage
        self._ana, self._ben, self._cleo, self._dan, self._eve = ana, ben, cleo, dan, eve
        self._name = ""
        self._members: list[Phone] = []

    async def talk(self) -> None:
        """The whole act."""
        stage, ana, ben, cleo, dan, eve = self._stage, self._ana, self._ben, self._cleo, self._dan, self._eve
        await self._two()
        stage.narrate(f"Ana makes a group of four over the carrier's focus and calls it {_SUBJECT!r}; Ben adds Cleo")
        async with ana.client() as client:
            group = await client.create_group([ben.number, dan.number, eve.number], _SUBJECT, protocol="rcc16")
            self._name = group.group
        self._members = [ana, ben, dan, eve]
        await self._until(ev.GroupJoined, [ben, dan, eve])
        await self._say(eve, "The roof leaks above the eights.")
        async with self._group(ben) as group:
            await group.add(cleo.number)
        self._members.append(cleo)
        await self._until(ev.GroupJoined, [cleo])
        await self._until(ev.MemberAdded, [ana, dan, eve])
        await self._say(cleo, "I know a slater; his name is Vernam.")
        await stage.show()
        stage.narrate(
            f"Eve's phone goes off; Dan is removed, and {_COMMITS} changes of keys pass that she does not see"
        )
        await eve.switch_off()
        async with self._group(ana) as group:
            await group.remove(dan.number)
        self._members.remove(dan)
        await self._until(ev.MemberRemoved, [ben, cleo, dan])
        for at in range(_COMMITS):
            # One after the other: what is wished while a commit is on its way goes with the next one.
            async with self._group(ana) as group:
                await group.set_subject(f"{_SUBJECT}, estimate {at + 1}")
            await self._until_called(f"{_SUBJECT}, estimate {at + 1}", [ana])
        await self._until_called(f"{_SUBJECT}, estimate {_COMMITS}", [ana, ben, cleo])
        await self._say(ben, "Vernam asks for nine hundred.", but=eve)
        epochs = await self._epoch(ben)
        await eve.switch_on()
        await stage.arrived()
        await self._say(eve, "Nine hundred is fair.")
        stage.narrate(f"Eve's phone is back and in epoch {await self._epoch(eve)}, as Ben's, which was in {epochs}")
        await stage.show()

    async def _two(self) -> None:
        stage, ana, eve = self._stage, self._ana, self._eve
        for speaker, listener, text in (
            (ana, eve, "Eve, can your phone read what is sealed for a whole conversation?"),
            (eve, ana, "Every word, and the carrier none of them."),
        ):
            async with speaker.client() as client:
                chat = await client.chat(listener.number)
                message_id = await chat.send(text)
            stage.note(speaker, [listener], text, message_id)
            await stage.arrived()
            async with listener.client() as client:
                await (await client.chat(speaker.number)).mark_displayed(message_id)
            for kind in (ev.MessageDelivered, ev.MessageDisplayed):
                await stage.until(speaker, all_of([message_id], kind))
        async with ana.chat(eve) as chat:
            info = await chat.encryption()
        stage.narrate(f"Ana and Eve: {protocol_words(info.protocol)}, era {info.era}, epoch {info.epoch}")
        await stage.show()

    async def _say(self, speaker: Phone, text: str, *, but: Phone | None = None) -> None:
        """`but`: whose phone is off, and gets it later."""
        others = [phone for phone in self._members if phone is not speaker]
        async with self._group(speaker) as group:
            message_id = await group.send(text)
        if but is None:
            self._stage.note(speaker, others, text, message_id)
            await self._stage.arrived()
            return
        there = [phone for phone in others if phone is not but]
        for phone in there:
            await self._stage.until(
                phone,
                lambda events: any(isinstance(e, ev.MessageReceived) and e.message_id == message_id for e in events),
            )
        self._stage.note(speaker, others, text, message_id)

    async def _epoch(self, phone: Phone) -> int:
        async with self._group(phone) as group:
            return (await group.encryption()).epoch

    async def _until(self, kind: type[Event], phones: Iterable[Phone]) -> None:
        for phone in phones:
            await self._stage.until(
                phone, lambda events: any(isinstance(e, kind) and getattr(e, "chat", "") == self._name for e in events)
            )

    async def _until_called(self, subject: str, phones: Iterable[Phone]) -> None:
        for phone in phones:
            await self._stage.until(
                phone, lambda events: any(isinstance(e, ev.SubjectChanged) and e.subject == subject for e in events)
            )

    @asynccontextmanager
    async def _group(self, phone: Phone) -> AsyncIterator[Group]:
        async with phone.client() as client:
            yield await client.group(self._name)
