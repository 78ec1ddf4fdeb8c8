"""SR-06: two processes on one profile cannot race a ratchet, and one takes over when the other is killed."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from client.lab import Lab, Phone
from client.phones import ANA, BEN

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def _owner(phone: Phone) -> bool:
    return bool(next(line["owner"] for line in phone.lines if "open" in line))


async def test_two_processes_that_send_at_once_use_no_key_twice(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        paths = await lab.create(ANA), await lab.create(BEN)
        ben = await lab.phone(paths[1])
        # Started together: the lock decides, whoever loses goes through the other.
        one, two = await asyncio.gather(lab.phone(paths[0]), lab.phone(paths[0]))
        assert sorted(map(_owner, (one, two))) == [False, True]
        batches = {name: [f"{name} {n}" for n in range(60)] for name in ("one", "two")}
        for phone, name in ((one, "one"), (two, "two")):
            phone.say(burst=[BEN, batches[name]])
        for phone in (one, two):
            assert await phone.until(lambda lines: any("done" in line for line in lines))
        promised = {**one.sent, **two.sent}
        assert set(promised) == {*batches["one"], *batches["two"]}
        # Both see every receipt.
        for phone in (one, two):
            assert await phone.until(
                lambda lines, phone=phone: (
                    set(promised.values()) <= {event["message_id"] for event in phone.events("message-delivered")}
                )
            )
        for phone in (one, two, ben):
            await phone.quit()
        history = Counter(message.text for message in await lab.history(paths[1], ANA))
        assert history == Counter(promised.keys())
        assert lab.watch.reused() == []


@pytest.mark.parametrize("checkpoint", ["store.before-commit", "store.committed", "commit.done", "transmit.before"])
async def test_when_the_owner_is_killed_the_other_takes_over_and_sends_once(tmp_path: Path, checkpoint: str) -> None:
    async with Lab.running(tmp_path) as lab:
        paths = await lab.create(ANA), await lab.create(BEN)
        ben = await lab.phone(paths[1])
        owner = await lab.phone(paths[0], kill_at=checkpoint, nth=5)
        guest = await lab.phone(paths[0])
        assert (_owner(owner), _owner(guest)) == (True, False)
        guest.say(send=[BEN, "before"])
        assert await guest.until(lambda lines: guest.sent)
        owner.say(arm=True)
        texts = [f"text {n}" for n in range(100)]
        for start in range(0, 100, 10):
            guest.say(burst=[BEN, texts[start : start + 10]])
        assert await owner.died()
        # The guest's calls never failed: it has become the owner and asked itself again.
        assert await guest.until(lambda lines: set(texts) <= set(guest.sent))
        assert await guest.until(
            lambda lines: (
                set(guest.sent.values()) <= {event["message_id"] for event in guest.events("message-delivered")}
            )
        )
        await guest.quit()
        await ben.quit()
        for path, peer in ((paths[0], BEN), (paths[1], ANA)):
            assert Counter(m.text for m in await lab.history(path, peer)) == Counter(["before", *texts])
        assert lab.watch.reused() == []
