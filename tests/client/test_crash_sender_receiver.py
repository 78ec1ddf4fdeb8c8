"""SR-06: a real SIGKILL at each checkpoint of a sender and of a receiver, over the embedded carrier and directory.

Nothing that was promised is lost, nothing is shown twice, no message key makes two ciphertexts.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from client.lab import Lab, Phone
from client.phones import ANA, BEN
from letterlock.client import CHECKPOINTS
from letterlock.engine.record_values import Status
from letterlock.errors import TransportError
from letterlock.transport.directory import DirectoryClient

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

AT_START = tuple(name for name in CHECKPOINTS if name.startswith("publish."))
FIRST_CONTACT = tuple(name for name in CHECKPOINTS if name.startswith("fetch."))
SENDING = tuple(name for name in CHECKPOINTS if name not in AT_START + FIRST_CONTACT)


class NoUpload(DirectoryClient):
    """A directory that takes no keys: leaves publishing them to the phone's own process."""

    async def upload_prekeys(self, upload: bytes) -> Any:
        raise TransportError("not now")


async def _converse(lab: Lab, ana: Phone, ben: Phone, texts: list[str]) -> None:
    """Texts one way, an answer the other; ends early when ana dies."""
    for text in texts:
        ana.say(send=[BEN, text])
    if not await ana.until(lambda lines: all(text in ana.sent for text in texts)):
        return
    if not await ben.until(
        lambda lines: set(texts) <= {event["text"] for event in ben.events("message-received")}, unless=ana
    ):
        return
    back = f"back to {texts[0]}"
    ben.say(send=[ANA, back])
    await ben.until(lambda lines: back in ben.sent)
    await ana.until(lambda lines: back in {event["text"] for event in ana.events("message-received")})


async def _check(lab: Lab, paths: tuple[Path, Path], promised: dict[str, str], promised_back: dict[str, str]) -> None:
    """Everything promised is there once, on both sides; what was not promised is there at most once."""
    for path, peer, mine, theirs in (
        (paths[0], BEN, promised, promised_back),
        (paths[1], ANA, promised_back, promised),
    ):
        history = await lab.history(path, peer)
        assert not [message for message in history if message.status is Status.MISSING]
        sent = Counter(message.text for message in history if message.mine)
        received = Counter(message.text for message in history if not message.mine)
        assert {text: sent[text] for text in mine} == dict.fromkeys(mine, 1)
        assert {text: received[text] for text in theirs} == dict.fromkeys(theirs, 1)
        assert max(sent.values(), default=0) <= 1
        assert max(received.values(), default=0) <= 1
        assert all(message.encrypted for message in history)
    assert lab.watch.frames > 0
    assert lab.watch.reused() == []


async def _delivered(phone: Phone, ids: set[str]) -> None:
    assert await phone.until(lambda lines: ids <= {event["message_id"] for event in phone.events("message-delivered")})


def _confirmed(phone: Phone, texts: list[str]) -> bool:
    """Whether all of these were sent, and are known to have arrived."""
    ids = {phone.sent.get(text) for text in texts}
    return ids <= {event["message_id"] for event in phone.events("message-delivered")}


def _shown_once(*lives: Phone) -> None:
    """Over all lives of a phone, each message was recorded as received under one cursor only."""
    cursors: dict[str, set[int]] = {}
    for phone in lives:
        for line in phone.lines:
            if line.get("event", {}).get("kind") == "message-received":
                cursors.setdefault(line["event"]["message_id"], set()).add(line["cursor"])
    assert all(len(found) == 1 for found in cursors.values())


@pytest.mark.parametrize("checkpoint", [*FIRST_CONTACT, *SENDING])
@pytest.mark.parametrize("nth", [1, 2])
async def test_sender_killed(tmp_path: Path, checkpoint: str, nth: int) -> None:
    async with Lab.running(tmp_path) as lab:
        paths = await lab.create(ANA), await lab.create(BEN)
        ben = await lab.phone(paths[1])
        ana = await lab.phone(paths[0], kill_at=checkpoint, nth=nth)
        if checkpoint not in FIRST_CONTACT:
            await _converse(lab, ana, ben, ["before"])
        ana.say(arm=True)
        await _converse(lab, ana, ben, ["one", "two", "three"])
        ana.say(send=[BEN, "four"])
        assert await ana.died(), f"{checkpoint} was not passed {nth} times"
        again = await lab.phone(paths[0])
        await _converse(lab, again, ben, ["after"])
        promised = {**ana.sent, **again.sent}
        await _delivered(again, set(promised.values()))
        await _delivered(ben, set(ben.sent.values()))
        _shown_once(ben)
        _shown_once(ana, again)
        await again.quit()
        await ben.quit()
        await _check(lab, paths, promised, ben.sent)


@pytest.mark.parametrize("checkpoint", SENDING)
@pytest.mark.parametrize("nth", [1, 2])
async def test_receiver_killed(tmp_path: Path, checkpoint: str, nth: int) -> None:
    async with Lab.running(tmp_path) as lab:
        paths = await lab.create(ANA), await lab.create(BEN)
        ben = await lab.phone(paths[1], kill_at=checkpoint, nth=nth)
        ana = await lab.phone(paths[0])
        await _converse(lab, ana, ben, ["before"])
        ben.say(arm=True)
        await ben.until(lambda lines: any("armed" in line for line in lines))
        # On a busy machine one receipt answers all three at once: then one more at a time, until it has passed there.
        texts = ["one", "two", "three"]
        for text in texts:
            ana.say(send=[BEN, text])
        while len(texts) < 9 and await ana.until(lambda lines: _confirmed(ana, texts), unless=ben):
            texts.append(f"and {len(texts) + 1}")
            ana.say(send=[BEN, texts[-1]])
        assert await ben.died(), f"{checkpoint} was not passed {nth} times"
        assert await ana.until(lambda lines: set(texts) <= set(ana.sent))
        again = await lab.phone(paths[1])
        await _converse(lab, ana, again, ["after"])
        promised_back = {**ben.sent, **again.sent}
        await _delivered(ana, set(ana.sent.values()))
        await _delivered(again, set(promised_back.values()))
        _shown_once(ben, again)
        _shown_once(ana)
        await again.quit()
        await ana.quit()
        await _check(lab, paths, ana.sent, promised_back)


@pytest.mark.parametrize("checkpoint", AT_START)
async def test_killed_while_publishing_keys(tmp_path: Path, checkpoint: str) -> None:
    async with Lab.running(tmp_path) as lab:
        ana = await lab.create(ANA)
        ben = await lab.create(
            BEN,
            directory=lambda environment, settings, identity: NoUpload(
                settings.directory,
                rng=environment.rng,
                now=environment.clock,
                signer=identity.signer(environment.crypto),
            ),
        )
        killed = await lab.phone(ben, kill_at=checkpoint, armed=True)
        assert await killed.died()
        sender, again = await lab.phone(ana), await lab.phone(ben)
        await _converse(lab, sender, again, ["one", "two"])
        await _delivered(sender, set(sender.sent.values()))
        await sender.quit()
        await again.quit()
        await _check(lab, (ana, ben), sender.sent, again.sent)


async def test_killed_again_and_again_under_load(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        paths = await lab.create(ANA), await lab.create(BEN)
        ben = await lab.phone(paths[1])
        promised: dict[str, str] = {}
        for life, checkpoint in enumerate(
            ("store.before-commit", "transmit.after", "commit.done", "step.done", "store.committed", "caller.resolved")
        ):
            ana = await lab.phone(paths[0], kill_at=checkpoint, nth=7)
            ana.say(arm=True)
            for batch in range(40):
                ana.say(burst=[BEN, [f"{life}.{batch}.{n}" for n in range(8)]])
            assert await ana.died()
            promised.update(ana.sent)
        last = await lab.phone(paths[0])
        last.say(send=[BEN, "the end"])
        await last.until(lambda lines: last.sent)
        promised.update(last.sent)
        await _delivered(last, set(promised.values()))
        _shown_once(ben)
        await last.quit()
        await ben.quit()
        await _check(lab, paths, promised, {})
