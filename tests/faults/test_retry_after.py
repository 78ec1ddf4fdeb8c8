"""480, 503 and 504 with Retry-After, sane and absurd, for MESSAGE, INVITE and REGISTER: asked again when that time has
passed, never before, never much later than our own bound, and then delivered."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from e2e.world import ANA, BEN, Phone
from faults.lab import LARGE, ROOMY, Lab
from faults.sip_front import Answer, Front
from letterlock.carriage import NetworkResult
from letterlock.client.accounts import SipAccount
from letterlock.client.local import LocalProfile
from letterlock.codec.sip import Request
from letterlock.engine.events import MessageFailed
from letterlock.engine.record_values import Row
from letterlock.engine.records import OUTBOX
from letterlock.ids import Number
from letterlock.transport.rcs.presence import RcsState

pytestmark = pytest.mark.anyio

_STATUSES = pytest.mark.parametrize("status", [480, 503, 504])
_HOUR = 3_600_000


class FrontedLab(Lab):
    """Phones reach the carrier through a front that may answer for it."""

    front: Front

    async def prepare(self, stack: contextlib.AsyncExitStack) -> None:
        self.front = await stack.enter_async_context(Front.open(self.carrier.port))

    def account(self, number: Number) -> SipAccount:
        return dataclasses.replace(super().account(number), port=self.front.port)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[FrontedLab]:
    async with FrontedLab.open(tmp_path) as lab:
        assert isinstance(lab, FrontedLab)
        yield lab


def refusing(method: str, status: int, retry_after: str, times: int = 1) -> Callable[[Request], Answer | None]:
    left = [times]

    def answer(request: Request) -> Answer | None:
        if request.method != method or left[0] == 0:
            return None
        left[0] -= 1
        return status, (("Retry-After", retry_after),)

    return answer


# --- messages and calls ------------------------------------------------------------------------------------------
_WAYS = pytest.mark.parametrize(
    ("method", "text"), [("MESSAGE", "later"), ("INVITE", LARGE)], ids=["MESSAGE", "INVITE"]
)
_EAGER = dataclasses.replace(ROOMY, retry_first_ms=20, retry_longest_ms=40)


@_STATUSES
@_WAYS
async def test_asked_again_when_the_time_has_passed(lab: FrontedLab, method: str, text: str, status: int) -> None:
    """Not before, however soon the engine would try by itself."""
    ana, ben = await lab.pair(ANA, BEN, limits=_EAGER)
    lab.front.answer = refusing(method, status, "1 (soon);duration=60")
    before = len(lab.front.times(method))
    sent = await ana.say(BEN, text)
    await lab.delivered(ana, sent)
    await lab.once(ben, text)
    (refused, *_) = lab.transport_of(ana).answers(sent)
    assert isinstance(refused, NetworkResult)
    assert (refused.status, refused.retry_after_ms) == (status, 1_000)
    first, second = lab.front.times(method)[before : before + 2]
    assert 0.99 <= second - first < 4
    assert await ana.told(MessageFailed) == []


@_WAYS
async def test_values_that_say_nothing_change_nothing(lab: FrontedLab, method: str, text: str) -> None:
    """Negative, no number, nothing: as if it was not there."""
    ana, ben = await lab.pair(ANA, BEN, limits=_EAGER)
    for value in ("-5", "soon", "", "1.5", "0", "1e3", "\u0661"):
        # A session that is open would need no call.
        for session in list(lab.transport_of(ana).real.sessions._sessions):
            session.close("the next one")
        lab.front.answer = refusing(method, 503, value)
        sent = await ana.say(BEN, text + value)
        await lab.delivered(ana, sent)
        await lab.once(ben, text + value)
        (refused, *_) = lab.transport_of(ana).answers(sent)
        assert isinstance(refused, NetworkResult), value
        assert refused.status == 503
        assert not refused.retry_after_ms, value


@_WAYS
async def test_a_huge_value_is_bounded(lab: FrontedLab, method: str, text: str) -> None:
    """An hour at most, whatever the network says; the message waits that long, and goes at the next start anyway."""
    ana, _ben = await lab.pair(ANA, BEN, limits=_EAGER)
    sent = []
    for value in ("4294967295", "9" * 400, "86400"):
        lab.front.answer = refusing(method, 503, value)
        sent.append(await ana.say(BEN, text + value))
        await lab.until(lambda: bool(lab.transport_of(ana).answers(sent[-1])))
    await ana.client.settled()
    waiting = rows(ana)
    assert {row.message_id for row in waiting} == set(sent)
    assert all(0 < row.next_at - lab.clock() <= _HOUR and row.expires > row.next_at for row in waiting)
    await ana.restart()
    for message_id in sent:
        await lab.delivered(ana, message_id)


# --- registration ------------------------------------------------------------------------------------------------
@_STATUSES
async def test_registering_again_when_the_time_has_passed(lab: FrontedLab, status: int) -> None:
    """A message that was written meanwhile goes when the carrier takes us again."""
    ana, ben = await lab.pair(ANA, BEN, limits=_EAGER)
    lab.front.answer = refusing("REGISTER", status, "1")
    before = len(lab.front.times("REGISTER"))
    lab.carrier.cut(ANA)
    transport = lab.transport_of(ana).real
    await lab.until(lambda: transport.status.state is RcsState.OFFLINE and str(status) in transport.status.reason)
    sent = await ana.say(BEN, "when they let me")
    await lab.delivered(ana, sent)
    await lab.once(ben, "when they let me")
    first, second = lab.front.times("REGISTER")[before : before + 2]
    assert 0.99 <= second - first < 4


@pytest.mark.parametrize("value", ["-5", "soon", "", "0"])
async def test_registering_again_soon_when_the_value_says_nothing(lab: FrontedLab, value: str) -> None:
    ana, ben = await lab.pair(ANA, BEN, limits=_EAGER)
    lab.front.answer = refusing("REGISTER", 503, value, times=3)
    before = len(lab.front.times("REGISTER"))
    lab.carrier.cut(ANA)
    await lab.until(lambda: len(lab.front.times("REGISTER")) > before + 3)
    await lab.arrives(ana, ben, "here again")
    times = lab.front.times("REGISTER")[before:]
    # Not without a pause: three refusals are three waits of the configured backoff, its random half taken off.
    assert times[3] - times[0] >= 3 * 0.01


@pytest.mark.parametrize("value", ["4294967295", "9" * 400])
async def test_a_huge_value_keeps_nobody_out_for_good(lab: FrontedLab, value: str) -> None:
    """The pause is an hour at most, the state says why, and the user can start again at once."""
    ana, ben = await lab.pair(ANA, BEN, limits=_EAGER)
    lab.front.answer = refusing("REGISTER", 503, value)
    pauses: list[float] = []
    presence = lab.transport_of(ana).real.presence
    pause = presence._pause

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await pause(seconds)

    presence._pause = noted  # type: ignore[method-assign]
    lab.carrier.cut(ANA)
    await lab.until(lambda: any(seconds > 60 for seconds in pauses))
    assert max(pauses) <= _HOUR / 1000
    assert "503" in lab.transport_of(ana).real.status.reason
    sent = await ana.say(BEN, "after a restart")
    await ana.restart()
    await lab.delivered(ana, sent)
    await lab.once(ben, "after a restart")


def rows(phone: Phone) -> list[Row]:
    """What waits in a phone's outbox."""
    profile = phone.client.profile
    assert isinstance(profile, LocalProfile)
    store = profile._store
    return [row for key in store.scan(OUTBOX) if (row := store.get(key)) is not None and not row.control]
