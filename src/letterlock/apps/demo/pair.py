"""The first act of the demo: two people. One phone is away for a while, one is killed in the middle."""

from __future__ import annotations

from datetime import date

from ...client import Chat, Client
from ...engine import events as ev
from ...engine.policy import PlainOption
from ...engine.security import Security
from ...errors import NotEncrypted
from ...ids import MessageId
from ..cli.words import security_label, security_sentence
from .phone import Phone
from .stage import Said, Stage, all_of

__all__ = ["Pair"]


class Pair:
    """Ana and Ben."""

    def __init__(self, stage: Stage, ana: Phone, ben: Phone) -> None:
        self._stage = stage
        self.ana = ana
        self.ben = ben

    async def talk(self, more: list[str]) -> None:
        """The whole act; Ana also says `more`."""
        stage, ana, ben = self._stage, self.ana, self.ben
        await self._say(ana, ben, "Hi Ben, it is Ana. Lunch tomorrow at the harbour?")
        await self._say(ben, ana, "Gladly! Half past twelve, by the blue crane.")
        await self._say(ana, ben, "Perfect. The table is under Lovelace; do not tell Mallory.")
        await self._type(ben, ana)
        await self._say(ben, ana, "My lips are sealed: \u201cl\u00f8ck and key\u201d \U0001f512")
        for text in more:
            await self._say(ana, ben, text)
        await stage.show()
        if not stage.plain:
            await self._change()
        stage.narrate("Ben's phone goes off; Ana writes to it all the same")
        await ben.switch_off()
        await self._say(ana, ben, "You are away, so the carrier keeps this one for you.", wait=False)
        await ben.switch_on()
        await self._until_received()
        await stage.show()
        stage.narrate("Ben's phone is back and has it. Now Ana's is killed with SIGKILL right after she writes")
        await self._say(ana, ben, "If you can read this, a crash lost nothing.", wait=False)
        await ana.kill()
        await ana.switch_on()
        await self._until_received()
        await self._say(ben, ana, "Read it, once. See you at the crane.")
        await stage.show()
        if not stage.plain:
            await self._compare_codes()
            await self._lose_a_capability()
        async with ana.chat(ben) as chat:
            state = chat.security
        stage.narrate(
            f"Ana's phone says of the chat: {security_label(state, ben.name)}. "
            f"{security_sentence(state, ben.name, f'{date.today():%d %B}'.lstrip('0'))}"
        )

    async def _change(self) -> None:
        """Ben corrects himself, and takes something back."""
        stage, ana, ben = self._stage, self.ana, self.ben
        stage.narrate("Ben edits a message, and takes another one back")
        wrong = await self._say(ben, ana, "The bill is on Turing.")
        right = "The bill is on Hopper, I meant to say."
        async with ben.chat(ana) as chat:
            stage.note(ben, [ana], right, await chat.edit(wrong, right), f"(edits) {right}")
        slip = await self._say(ben, ana, "And the surprise guest is Shannon.")
        async with ben.chat(ana) as chat:
            stage.note(ben, [ana], "", await chat.delete(slip), "(deletes the message before)")
        await stage.arrived()
        await stage.show()
        async with ana.chat(ben) as chat:
            now = {view.message_id: view for view in await chat.messages()}
        deleted = "gone" if now[slip].deleted else "still there"
        stage.narrate(f"on Ana's phone the first now reads: {now[wrong].text!r}; the second is {deleted}")

    async def _lose_a_capability(self) -> None:
        """The carrier says that Ben's phone can do less. That is a hint, and takes nothing off the encryption (SR-02)."""
        stage, ana, ben = self._stage, self.ana, self.ben
        async with ana.chat(ben) as chat:
            await chat.capabilities()
        await ben.switch_off()
        await ben.switch_on("--pager-only")
        async with ana.chat(ben) as chat:
            await chat.capabilities(fresh=True)
        await stage.until(ana, lambda events: any(isinstance(e, ev.CapabilitiesChanged) for e in events))
        changed = [r.event for r in await ana.events() if isinstance(r.event, ev.CapabilitiesChanged)]
        lost = sorted(set(changed[-1].before) - set(changed[-1].features)) if changed else []
        stage.narrate(f"Ben's phone starts again with less, and the carrier tells: no more {' and '.join(lost) or '?'}")
        await self._say(ana, ben, "Fewer features, the same envelope.")
        await stage.show()
        await ben.switch_off()
        await ben.switch_on()

    async def _compare_codes(self) -> None:
        """Each reads the last group of the security code out to the other, who types it."""
        ana, ben = self.ana, self.ben
        async with ana.chat(ben) as ana_chat, ben.chat(ana) as ben_chat:
            read_by_ana, read_by_ben = await ana_chat.security_code(), await ben_chat.security_code()
            await ana_chat.verify(last_group=read_by_ben.groups[-1])
            await ben_chat.verify(last_group=read_by_ana.groups[-1])
        self._stage.narrate(
            f"they compare security codes over the telephone; the last group is {read_by_ben.groups[-1]}"
        )

    async def _say(self, speaker: Phone, listener: Phone, text: str, *, wait: bool = True) -> MessageId:
        async with speaker.client() as client:
            chat = await client.chat(listener.number)
            if chat.security is Security.CHECKING:
                await client.settled()  # the directory has answered
            message_id = await _sent(chat, text, plain=self._stage.plain)
        self._stage.note(speaker, [listener], text, message_id)
        if wait:
            await self._until_received()
        return message_id

    async def _type(self, speaker: Phone, listener: Phone) -> None:
        """The other end sees that somebody is typing; unless there is no encryption to say it in."""
        async with speaker.chat(listener) as chat:
            await chat.typing()
        if not self._stage.plain:
            await self._stage.until(listener, lambda events: any(isinstance(e, ev.TypingChanged) for e in events))

    async def _until_received(self) -> None:
        """Wait until everything said has arrived, been shown, and been receipted."""
        stage = self._stage
        await stage.arrived()
        for phone in (self.ana, self.ben):
            async with phone.client() as client:
                await _mark_displayed(client, [item for item in stage.said if phone in item.listeners])
        if stage.plain:
            return  # what comes back then is the network's word
        for phone in (self.ana, self.ben):
            sent = [item.message_id for item in stage.said if item.speaker is phone and not item.shown.startswith("(")]
            for kind in (ev.MessageDelivered, ev.MessageDisplayed):
                await stage.until(phone, all_of(sent, kind))


async def _mark_displayed(client: Client, items: list[Said]) -> None:
    for item in items:
        if item.text:
            await (await client.chat(item.speaker.number)).mark_displayed(item.message_id)  # type: ignore[arg-type]


async def _sent(chat: Chat, text: str, *, plain: bool) -> MessageId:
    try:
        return await chat.send(text)
    except NotEncrypted as error:
        if not plain:
            raise
        option = next(option for option in error.options if isinstance(option, PlainOption))
        return await chat.send(text, allow=option)
