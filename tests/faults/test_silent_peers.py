"""Peers that never answer, at every step of a session: what fits goes as a request, what does not ends as failed, with a
reason, and nothing is waited for for ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.world import ANA, BEN, Phone
from faults.lab import LARGE, ROOMY, SOON, Lab, msrp_settings
from faults.middlebox import Middlebox, Plan, with_body
from letterlock.carriage import NetworkResult
from letterlock.carrier import Interference, Seen, replaced
from letterlock.carrier.msrp_tap import MsrpInterference, MsrpSeen
from letterlock.codec.sip import Request, Response
from letterlock.engine.events import MessageDelivered, MessageExpired, MessageFailed
from letterlock.engine.record_values import Status
from letterlock.errors import TransportError
from letterlock.ids import MessageId

pytestmark = pytest.mark.anyio

_PATIENCE = msrp_settings(transaction_ms=200, report_ms=300, bind_ms=200, stalled_ms=300)
_IMPATIENT = dataclasses.replace(ROOMY, retry_first_ms=20, retry_longest_ms=40, expiry_ms=1_500)


def never_answers(seen: Seen) -> Interference | None:
    """The INVITE is heard by nobody."""
    message = seen.message
    return Interference() if isinstance(message, Request) and message.method == "INVITE" else None


def rings_for_ever(seen: Seen) -> Interference | None:
    """180, and the 200 never comes."""
    message = seen.message
    if isinstance(message, Response) and "INVITE" in (message.headers.get("CSeq") or "") and message.status == 200:
        return replaced(Response(180, "Ringing", message.headers, b""))
    return None


def never_connects(seen: Seen) -> Interference | None:
    """Each side believes that the other connects."""
    body = seen.message.body.replace(b"a=setup:passive", b"a=setup:active")
    return replaced(with_body(seen.message, body)) if body != seen.message.body else None


def never_reports(seen: MsrpSeen) -> MsrpInterference | None:
    return MsrpInterference() if seen.request.method == "REPORT" else None


SipRule = Callable[[Seen], Interference | None]

_CALLS = pytest.mark.parametrize(
    "rule", [never_answers, rings_for_ever, never_connects], ids=lambda rule: rule.__name__
)


# Ana's times; Ben's phone is an ordinary one.
_FITS = {
    "sessions": {"open_s": 0.2, "answer_s": 0.2},
    "msrp": _PATIENCE,
    "rcs": {"max_pager": 0, "answer_timeout_s": 0.4},
}
_ONLY_SESSIONS = {**_FITS, "rcs": {"answer_timeout_s": 0.4}, "limits": _IMPATIENT}


@_CALLS
async def test_a_message_that_fits_goes_as_a_request(tmp_path: Path, rule: SipRule) -> None:
    """Nobody takes the call: the same message goes as MESSAGE, at once."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, first=_FITS, limits=SOON)
        await end_sessions(lab, ana, ben)
        lab.sip_rules.append(rule)
        calls = len(lab.asked("INVITE", ANA))
        sent = await ana.say(BEN, "by any way")
        await lab.delivered(ana, sent)
        await lab.once(ben, "by any way")
        assert len(lab.asked("INVITE", ANA)) > calls, "a session was tried"
        assert sent in [passing.message_id for passing in lab.passed(ANA)]
        assert lab.plain_on_wire() == []


@_CALLS
async def test_a_message_that_does_not_fit_ends_as_failed(tmp_path: Path, rule: SipRule) -> None:
    """Tried until it expires, each time for a bounded time and with a reason; the next message goes when it can."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, first=_ONLY_SESSIONS, limits=ROOMY)
        lab.sip_rules.append(rule)
        sent = await ana.say(BEN, LARGE)
        await ana.seen(MessageExpired, lambda event: event.message_id == sent)
        assert await status(ana, sent) is Status.EXPIRED
        reasons = lab.transport_of(ana).answers(sent)
        assert set(map(code, reasons)) <= {"transport.timeout", "transport.lost", "408"}, reasons
        lab.sip_rules.clear()
        await lab.arrives(ana, ben, LARGE + "again")
        assert LARGE not in await ben.heard()


async def test_a_peer_that_answers_no_send(tmp_path: Path) -> None:
    """Connected, and then silence: what fits goes as a request when it is sent again, and not into the same silence."""
    async with Lab.open(tmp_path) as lab, Middlebox.open() as box:
        ana, ben = await lab.pair(ANA, BEN, first=_FITS, limits=SOON)
        await end_sessions(lab, ana, ben)
        lab.sip_rules.append(box.rule)
        box.plans += [Plan(hold_forward=300, answers=1) for _ in range(100)]
        before = len(box.passed)
        sent = await ana.say(BEN, "into the silence")
        await lab.delivered(ana, sent)
        await lab.once(ben, "into the silence")
        first, *_ = lab.transport_of(ana).answers(sent)
        assert isinstance(first, NetworkResult) and not first.accepted and first.reason
        assert len(box.passed) - before <= 2


async def test_a_peer_that_answers_no_send_of_what_does_not_fit(tmp_path: Path) -> None:
    """Each try ends with a reason; when the peer speaks again, it is there, once."""
    async with Lab.open(tmp_path) as lab, Middlebox.open() as box:
        ana, ben = await lab.pair(
            ANA,
            BEN,
            first={**_ONLY_SESSIONS, "limits": dataclasses.replace(_IMPATIENT, expiry_ms=60_000)},
            limits=ROOMY,
        )
        lab.sip_rules.append(box.rule)
        box.plans += [Plan(hold_forward=300, answers=1) for _ in range(3)]
        sent = await ana.say(BEN, LARGE)
        await lab.delivered(ana, sent)
        await lab.once(ben, LARGE)
        failures = [a for a in lab.transport_of(ana).answers(sent) if not (isinstance(a, NetworkResult) and a.accepted)]
        assert failures
        assert all(getattr(failure, "reason", "") or str(failure) for failure in failures)


@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "plain"])
async def test_a_peer_that_never_reports(tmp_path: Path, encrypted: bool) -> None:
    """Every SEND is answered, no message is ever reported: it is sent again as a request and shown once."""
    async with Lab.open(tmp_path) as lab:
        make = lab.pair if encrypted else lab.plain_pair
        lab.msrp_rules.append(never_reports)
        ana, ben = await make(ANA, BEN, first=_FITS, limits=SOON, relay=True)
        sent = await ana.say(BEN, "who knows?")
        if encrypted:
            await lab.delivered(ana, sent)
        else:
            # The network says so; without encryption that is all there is, and no more is sent.
            await ana.seen(MessageDelivered, lambda event: event.message_id == sent)
        await lab.once(ben, "who knows?")
        assert await ana.told(MessageFailed) == []


async def end_sessions(lab: Lab, *phones: Phone) -> None:
    for phone in phones:
        for session in list(lab.transport_of(phone).real.sessions._sessions):
            session.close("the next one")


async def status(phone: Phone, message_id: MessageId) -> Status:
    messages = await (await phone.chat(BEN)).messages()
    return next(message.status for message in messages if message.message_id == message_id)


def code(answer: NetworkResult | Exception) -> str:
    return answer.code if isinstance(answer, TransportError) else str(getattr(answer, "status", answer))
