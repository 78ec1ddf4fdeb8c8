"""Clocks that are set, forward and back, in the middle: registrations and sessions do not notice, what is retried is
retried in its time, nothing bursts, and nothing expires early."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from e2e.world import ANA, BEN, DAY, LIMITS, Passing
from faults.lab import SOON, Lab
from letterlock.carrier import Interference, swallowed
from letterlock.engine.events import MessageAccepted, MessageDelivered, MessageExpired, MessageFailed

pytestmark = pytest.mark.anyio

HOUR = 3_600_000
JUMPS = (HOUR, -HOUR, DAY, -DAY)


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relay"])
async def test_registration_and_sessions_do_not_notice(tmp_path: Path, relay: bool) -> None:
    """Their timers are on a clock that never jumps: no REGISTER, no INVITE, no re-INVITE because of it."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, rcs={"max_pager": 0}, relay=relay)
        await lab.arrives(ana, ben, "before")
        asked = {method: len(lab.asked(method)) for method in ("REGISTER", "INVITE", "UPDATE", "BYE")}
        for jump in JUMPS:
            for phone in (ana, ben):
                lab.set_clock(phone, jump)
            await lab.arrives(ana, ben, f"after {jump}")
            await lab.arrives(ben, ana, f"after {jump}, too")
        assert {method: len(lab.asked(method)) for method in asked} == asked
        for phone in (ana, ben):
            assert await phone.told(MessageFailed) == await phone.told(MessageExpired) == []


@pytest.mark.parametrize("accepted", [False, True], ids=["no answer", "accepted"])
async def test_retries_go_on(tmp_path: Path, accepted: bool) -> None:
    """A carrier that drops, or says 200 and drops; the sender's clock is set; then the carrier is honest."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN)
        answer = swallowed() if accepted else swallowed(480)
        for jump in JUMPS:
            end = lab.rule(lambda passing: answer, sender=ANA)
            sent = await ana.say(BEN, f"in between {jump}")
            await lab.until(lambda sent=sent: sent in [p.message_id for p in lab.passed(ANA, BEN)])  # type: ignore[misc]
            if accepted:
                await ana.seen(MessageAccepted, lambda event, sent=sent: event.message_id == sent)
            await ana.client.settled()
            lab.set_clock(ana, jump)
            end()
            await lab.delivered(ana, sent)
            await lab.once(ben, f"in between {jump}")


async def test_receipts_go_on(tmp_path: Path) -> None:
    """The receiver's receipt is lost and its clock is set: the repeat calls forth another one all the same."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN)
        for jump in JUMPS:
            lost: list[Passing] = []

            def lose(passing: Passing, lost: list[Passing] = lost) -> Interference | None:
                lost.append(passing)
                return swallowed()

            end = lab.rule(lose, sender=BEN)
            sent = await ana.say(BEN, f"did you get it? {jump}")
            await ben.hears(f"did you get it? {jump}")
            await lab.until(lambda lost=lost: bool(lost))  # type: ignore[misc]
            lab.set_clock(ben, jump)
            end()
            await lab.delivered(ana, sent)
            await lab.once(ben, f"did you get it? {jump}")


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_nothing_bursts(tmp_path: Path, jump: int) -> None:
    """Twenty messages wait for a receipt. A jump makes each of them due once, not again and again."""
    slow = dataclasses.replace(
        LIMITS,
        retry_first_ms=60_000,
        retry_longest_ms=60_000,
        retry_accepted_ms=60_000,
        retry_accepted_longest_ms=60_000,
    )
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=slow)
        end = lab.rule(lambda passing: swallowed(), sender=ANA)
        sent = [await ana.say(BEN, f"wait {number}") for number in range(20)]
        await ana.seen(MessageAccepted, lambda event: event.message_id == sent[-1])
        lab.set_clock(ana, jump)
        await ana.say(BEN, "now")
        end()
        await lab.arrives(ben, ana, "a message of his wakes her too")
        await ana.client.settled()
        copies = Counter(passing.message_id for passing in lab.passed(ANA, BEN))
        assert max(copies[each] for each in sent) <= 2
        assert await ana.told(MessageExpired) == await ana.told(MessageFailed) == []


@pytest.mark.parametrize("jump", [-HOUR, -DAY, DAY])
async def test_nothing_expires_early(tmp_path: Path, jump: int) -> None:
    """Ben is away, Ana's message lives for two days; her clock is set, and it is still delivered when he is back."""
    limits = dataclasses.replace(LIMITS, expiry_ms=2 * DAY, control_expiry_ms=2 * DAY)
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=limits)
        await ben.switch_off()
        end = lab.rule(lambda passing: swallowed(480), sender=ANA)
        sent = await ana.say(BEN, "for later")
        await lab.until(lambda: len(lab.passed(ANA, BEN)) > 1)
        lab.set_clock(ana, jump)
        await ana.say(BEN, "and this")
        await ana.client.settled()
        end()
        await ben.switch_on()
        await lab.delivered(ana, sent)
        await ben.hears("for later")
        assert await ana.told(MessageExpired) == []


@pytest.mark.parametrize(("jump", "off"), [(-HOUR, False), (-DAY, False), (-DAY, True)])
async def test_a_message_that_waits_for_another_does_not_wait_for_a_day(tmp_path: Path, jump: int, off: bool) -> None:
    """The one before it was dropped, the clock is set back: it is shown after the usual time, not after the jump's."""
    async with Lab.open(tmp_path) as lab:
        patient = dataclasses.replace(LIMITS, reorder_ms=1_000)
        ana, ben = await lab.pair(ANA, BEN, limits=patient)
        first: list[str] = []

        def drop_first(passing: Passing) -> Interference | None:
            if not first or passing.message_id == first[0]:
                first[:] = [passing.message_id]
                return swallowed()
            return None

        lab.rule(drop_first, sender=ANA)
        await ana.say(BEN, "never comes")
        await lab.until(lambda: bool(first))
        await ana.say(BEN, "waits for it")
        await lab.until(lambda: any(inbound.message_id not in first for inbound in ben.taken[2:]))
        await ben.client.settled()
        if off:
            await ben.switch_off()
        lab.set_clock(ben, jump)
        if off:
            await ben.switch_on()
        await ben.hears("waits for it")


async def test_a_clock_that_was_wrong_for_a_while_leaves_nothing_behind(tmp_path: Path) -> None:
    """Forward by a day and back again, in the middle of a conversation; what was sent meanwhile is delivered."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=SOON)
        end = lab.rule(lambda passing: swallowed(480), sender=ANA)
        before = await ana.say(BEN, "before")
        lab.set_clock(ana, DAY)
        during = await ana.say(BEN, "during")
        await lab.until(lambda: during in [passing.message_id for passing in lab.passed(ANA)])
        await ana.client.settled()
        lab.set_clock(ana, -DAY)
        end()
        for sent in (before, during):
            await ana.seen(MessageDelivered, lambda event, sent=sent: event.message_id == sent)
        await lab.arrives(ben, ana, "all there")
        assert await ana.told(MessageExpired) == []
