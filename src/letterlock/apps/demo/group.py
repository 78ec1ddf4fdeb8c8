"""The second act of the demo: a group of four. One is added, one is removed and reads no more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from ...client import Group
from ...engine import events as ev
from ...engine.events import Event
from .phone import Phone
from .stage import Stage, all_of, arrival

__all__ = ["Regatta"]

_SUBJECT = "Regatta at dawn"


class Regatta:
    """Ana, Ben and Cleo, later Dan. `subject` must not be readable on the way either."""

    subject = _SUBJECT

    def __init__(self, stage: Stage, ana: Phone, ben: Phone, cleo: Phone, dan: Phone) -> None:
        self._stage = stage
        self._ana, self._ben, self._cleo, self._dan = ana, ben, cleo, dan
        self._name = ""
        self._members: list[Phone] = []

    async def talk(self) -> None:
        """The whole act."""
        stage, ana, ben, cleo, dan = self._stage, self._ana, self._ben, self._cleo, self._dan
        stage.narrate(f"Ana makes a group of three and calls it {_SUBJECT!r}")
        async with ana.client() as client:
            group = await client.create_group([ben.number, cleo.number], _SUBJECT)
            self._name = group.group
        self._members = [ana, ben, cleo]
        await self._until(ev.GroupJoined, [ben, cleo])
        await self._say(ana, "We start at five, from the east pier.")
        await self._say(cleo, "I bring the sails.")
        stage.narrate("Ben adds Dan: the group is one of four")
        async with self._group(ben) as group:
            await group.add(dan.number)
        self._members.append(dan)
        await self._until(ev.GroupJoined, [dan])
        await self._until(ev.MemberAdded, [ana, cleo])
        await self._say(dan, "Glad to be aboard. What was before my time I cannot read, and nobody handed it to me.")
        await self._change()
        await stage.show()
        stage.narrate("Cleo's phone goes off, and Ana removes her; what is said then is encrypted for three")
        await cleo.switch_off()
        async with self._group(ana) as group:
            await group.remove(cleo.number)
        self._members.remove(cleo)
        await self._until(ev.MemberRemoved, [ben, dan])
        await self._say(ana, "Cleo sails for the other team. New start: the north pier.")
        await cleo.switch_on()
        await self._until(ev.MemberRemoved, [cleo])
        await stage.show()
        await self._look_at_cleo(stage.said[-1].message_id)

    async def _look_at_cleo(self, last: str) -> None:
        """Her own records say what she knows; anything else than that she is out counts as lost, so that nothing hides it."""
        stage, cleo = self._stage, self._cleo
        events = [recorded.event for recorded in await cleo.events()]
        told = any(isinstance(event, ev.MemberRemoved) and event.chat == self._name for event in events)
        reads = any(arrival(event) == last for event in events)
        stage.narrate(
            f"Cleo's phone is back: it {'knows' if told else 'DOES NOT KNOW'} that it was removed, and "
            f"{'READS' if reads else 'has nothing of'} what was said since"
        )
        if reads or not told:
            stage.note(self._ana, [cleo], "", "removed-member")

    async def _change(self) -> None:
        """An edit, a deletion and a reaction in the group."""
        stage, ben, cleo, dan = self._stage, self._ben, self._cleo, self._dan
        first = await self._say(ben, "The wind will be from the south.")
        right = "The wind will be from the south-west, says the harbour master."
        async with self._group(ben) as group:
            stage.note(ben, self._others(ben), right, await group.edit(first, right), f"(edits) {right}")
        slip = await self._say(cleo, "My locker code is 1-9-4-2.")
        async with self._group(cleo) as group:
            stage.note(cleo, self._others(cleo), "", await group.delete(slip), "(deletes the message before)")
        async with self._group(dan) as group:
            mark = "\U0001f32c"
            stage.note(dan, self._others(dan), "", await group.react(first, mark), f"(reacts to Ben's) {mark}")
        await stage.arrived()

    async def _say(self, speaker: Phone, text: str) -> str:
        others = self._others(speaker)
        async with self._group(speaker) as group:
            message_id = await group.send(text)
        self._stage.note(speaker, others, text, message_id)
        await self._stage.arrived()
        for phone in others:
            async with self._group(phone) as group:
                await group.mark_displayed(message_id)
        for kind in (ev.MessageDelivered, ev.MessageDisplayed):
            await self._stage.until(speaker, all_of([message_id], kind))
        return message_id

    def _others(self, speaker: Phone) -> list[Phone]:
        return [phone for phone in self._members if phone is not speaker]

    async def _until(self, kind: type[Event], phones: Iterable[Phone]) -> None:
        for phone in phones:
            await self._stage.until(
                phone, lambda events: any(isinstance(e, kind) and getattr(e, "chat", "") == self._name for e in events)
            )

    @asynccontextmanager
    async def _group(self, phone: Phone) -> AsyncIterator[Group]:
        async with phone.client() as client:
            yield await client.group(self._name)
