"""APNs under every fault of HTTP/2 that its documentation and the field know: each wake-up is sent once or accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lab_certificate import write_lab_certificate
from letterlock.errors import PushError
from letterlock.ids import Number
from letterlock.services.push import Accounting, Fate, Pushes, PushLimits, Reason, Subscription
from letterlock.services.push.apns import Apns, ApnsSettings
from letterlock.services.push.http2_connection import Http2Settings
from letterlock.services.push.outcome import Later, Sent

from .apns_double import (
    GARBAGE,
    GOAWAY_AFTER,
    GOAWAY_BEFORE,
    GOAWAY_TWICE,
    HELD,
    KEY_ID,
    LONG,
    REFUSED_STREAM,
    RESET,
    RESET_STREAM,
    SILENCE,
    STRANGE,
    TEAM,
    TOPIC,
    Answer,
    ApnsDouble,
    Fault,
)
from .push_lab import ANA, QUICK, apns, apns_token, assert_apart, counts, operator_key, settled, until

pytestmark = pytest.mark.anyio
HTTP2 = Http2Settings(connect_s=2, settings_s=1, request_s=1, ping_s=60, pong_s=1, pause_s=0.005, longest_pause_s=0.05)


@dataclass
class Lab:
    double: ApnsDouble
    pushes: Pushes
    provider: Apns
    clock: Clock

    async def devices(self, count: int) -> None:
        for n in range(count):
            await self.pushes.subscribe(ANA, f"device {n}", apns(n))

    async def wake_all(self, count: int) -> None:
        await asyncio.gather(*(self.pushes.wake(ANA, f"device {n}") for n in range(count)))

    async def settled(self) -> Accounting:
        """Every wake-up has ended, none came twice within its window, and the counts are those of the double."""
        found = await settled(self.pushes)
        assert_apart((push.token, push.at) for push in self.double.accepted)
        # A 200 may be lost with its connection: then it counts as no answer, and another attempt as sent.
        assert found.count(Fate.SENT) <= self.double.answers.count(200) <= len(self.double.accepted)
        return found


class Clock:
    """The machine's, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead


@contextlib.asynccontextmanager
async def lab(
    folder: Path,
    *,
    limits: PushLimits = QUICK,
    http2: Http2Settings = HTTP2,
    alert: bool = False,
    authority: Path | None = None,
    **double: object,
) -> AsyncIterator[Lab]:
    certificate = write_lab_certificate(folder)
    key, public = operator_key()
    clock = Clock()
    async with ApnsDouble(certificate, public, **double) as server:  # type: ignore[arg-type]
        tls = ssl.create_default_context(cafile=str(authority or certificate.authority))
        settings = ApnsSettings(
            frozenset({TOPIC}), TEAM, KEY_ID, key, tls, "localhost", server.port, alert=alert, http2=http2
        )
        provider = Apns(settings, clock)
        async with Pushes(str(folder / "push.db"), [provider], limits=limits, now=clock) as pushes:
            yield Lab(server, pushes, provider, clock)


async def test_a_wake_up_goes_out_and_says_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        await town.devices(1)
        assert await town.pushes.wake(ANA, "device 0") is None
        assert counts(await town.settled()) == {Fate.SENT: 1}
        [push] = town.double.accepted
        assert push.body == b'{"aps":{"content-available":1}}'
        now = time.time()
        assert now + 86_000 < int(push.headers["apns-expiration"]) < now + 87_000
        assert {name: push.headers[name] for name in ("apns-topic", "apns-push-type", "apns-priority")} == {
            "apns-topic": TOPIC, "apns-push-type": "background", "apns-priority": "5",
        }  # fmt: skip
        # SR-17: nothing of whom it is about; what is merged is named at random, for each registration anew.
        assert b"5550100" not in town.double.seen and b"device 0" not in town.double.seen
        assert len(push.headers["apns-collapse-id"]) == 24


async def test_the_alert_form_says_that_there_is_a_message(tmp_path: Path) -> None:
    async with lab(tmp_path, alert=True) as town:
        await town.devices(1)
        await town.pushes.wake(ANA, "device 0")
        await town.settled()
        [push] = town.double.accepted
        assert push.body == b'{"aps":{"alert":{"body":"New message"},"mutable-content":1,"sound":"default"}}'
        assert (push.headers["apns-push-type"], push.headers["apns-priority"]) == ("alert", "10")


async def test_many_at_once_over_one_connection(tmp_path: Path) -> None:
    async with lab(tmp_path, max_streams=10) as town:
        await town.devices(100)
        await town.wake_all(100)
        assert counts(await town.settled()) == {Fate.SENT: 100}
        assert (town.double.connections, town.double.most_open) == (1, 10)


async def test_what_is_asked_for_meanwhile_becomes_one_more(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        await town.devices(1)
        await town.pushes.wake(ANA, "device 0")
        await until(lambda: town.double.accepted)
        for _ in range(20):
            await town.pushes.wake(ANA, "device 0")
        assert counts(await town.settled()) == {Fate.SENT: 2, Fate.COALESCED: 19}


FAULTS = [GOAWAY_BEFORE, GOAWAY_AFTER, GOAWAY_TWICE, REFUSED_STREAM, RESET_STREAM, RESET, SILENCE]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_one_fault_among_many(tmp_path: Path, fault: Fault) -> None:
    """What the server did not act on comes at once; what it may have acted on counts as sent for its window."""
    at_once = not fault.acts or fault is GOAWAY_AFTER
    limits = replace(QUICK, window_ms=60_000, first_retry_ms=60_000) if at_once else QUICK
    async with lab(tmp_path, limits=limits) as town:
        town.double.script = deque([Answer(200)] * 3 + [fault])
        await town.devices(8)
        await town.wake_all(8)
        found = await town.settled()
        assert counts(found) == {Fate.SENT: 8}
        if at_once:
            assert len(town.double.accepted) == 8


@pytest.mark.parametrize("max_streams", [1, 4, 100])
async def test_a_storm_of_goaway(tmp_path: Path, max_streams: int) -> None:
    """Every second request meets one, of every kind, and so do connections that have only begun."""
    async with lab(tmp_path, max_streams=max_streams, goaway_at_once=2) as town:
        storm = [GOAWAY_BEFORE, Answer(200), GOAWAY_AFTER, Answer(200), GOAWAY_TWICE, Answer(200)]
        town.double.script = deque(storm * 10)
        await town.devices(40)
        await town.wake_all(40)
        found = await town.settled()
        assert counts(found) == {Fate.SENT: 40}
        assert len(town.double.accepted) == 40, "none was lost, none was sent twice"
        assert town.double.connections > 5


async def test_sr_08_an_answer_without_an_end_is_cut_off(tmp_path: Path) -> None:
    async with lab(tmp_path, http2=replace(HTTP2, max_answer=40_000)) as town:
        town.double.script = deque([LONG])
        await town.devices(2)
        await town.wake_all(2)
        assert counts(await town.settled()) == {Fate.SENT: 2}
        assert town.double.connections == 1


@pytest.mark.parametrize("fault", [GARBAGE, STRANGE], ids=lambda fault: fault.name)
async def test_a_server_that_does_not_know_its_own_protocol(tmp_path: Path, fault: Fault) -> None:
    async with lab(tmp_path) as town:
        town.double.script = deque([Answer(200), fault])
        await town.devices(4)
        await town.wake_all(4)
        assert counts(await town.settled()) == {Fate.SENT: 4}
        assert town.double.connections == (2 if fault is GARBAGE else 1)


async def test_goaway_between_requests(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        await town.devices(10)
        for n in range(10):
            await town.pushes.wake(ANA, f"device {n}")
            await until(lambda n=n: len(town.double.answers) == n + 1)
            town.double.goaway_all()
        assert counts(await town.settled()) == {Fate.SENT: 10}
        assert len(town.double.accepted) == 10


async def test_a_graceful_goaway_in_the_middle_lets_all_finish(tmp_path: Path) -> None:
    """The finding of design/backend.md 6: clients lost what was under way, because h2 ends at a GOAWAY."""
    async with lab(tmp_path) as town:
        town.double.script = deque([HELD] * 10)
        await town.devices(11)
        await town.wake_all(10)
        await until(lambda: len(town.double.accepted) == 10)
        town.double.goaway_all()
        await town.pushes.wake(ANA, "device 10")
        await until(lambda: len(town.double.accepted) == 11)
        assert town.double.connections == 2
        town.double.release.set()
        assert counts(await town.settled()) == {Fate.SENT: 11}
        assert len(town.double.accepted) == 11


async def test_a_server_that_sends_everybody_away_ends_in_an_account(tmp_path: Path) -> None:
    async with lab(tmp_path, limits=replace(QUICK, max_tries=3), goaway_at_once=10_000) as town:
        await town.devices(3)
        await town.wake_all(3)
        found = await town.settled()
        assert found.ended == {(Fate.GIVEN_UP, Reason.CONNECTION): 3}
        assert not town.double.accepted


async def test_one_stream_at_a_time(tmp_path: Path) -> None:
    async with lab(tmp_path, max_streams=1) as town:
        await town.devices(30)
        await town.wake_all(30)
        assert counts(await town.settled()) == {Fate.SENT: 30}
        assert town.double.most_open == 1


async def test_a_window_of_zero_is_waited_for(tmp_path: Path) -> None:
    async with lab(tmp_path, window=0) as town:
        await town.devices(5)
        await town.wake_all(5)
        await until(lambda: town.double.most_open == 5)
        assert not town.double.accepted, "no body may have come"
        town.double.open_windows()
        assert counts(await town.settled()) == {Fate.SENT: 5}


async def test_a_stream_that_ended_before_its_body_costs_the_others_nothing(tmp_path: Path) -> None:
    """Its window opens with those of the others, in the same breath: nothing can be written to it any more."""
    async with lab(tmp_path, http2=replace(HTTP2, request_s=5), window=0) as town:
        requests = [asyncio.create_task(town.provider.send(apns(n), "x")) for n in range(5)]
        await until(lambda: town.double.most_open == 5)
        [connection] = town.double.live
        connection.h2.reset_stream(1, error_code=2)
        town.double.open_windows()
        assert await asyncio.gather(*requests) == [Sent()] * 5
        assert (town.double.connections, len(town.double.accepted)) == (1, 5)


async def test_a_window_that_never_opens_is_no_delivery(tmp_path: Path) -> None:
    """A request without its end is none: it is tried again at once, not after a window, and nothing is unknown."""
    async with lab(tmp_path, limits=replace(QUICK, max_tries=2), http2=replace(HTTP2, request_s=0.2), window=0) as town:
        await town.devices(1)
        await town.wake_all(1)
        assert (await town.settled()).ended == {(Fate.GIVEN_UP, Reason.CONNECTION): 1}


async def test_a_dead_endpoint_ends_in_an_account(tmp_path: Path) -> None:
    """It takes connections and says nothing: certainly not sent."""
    http2 = replace(HTTP2, settings_s=0.1, request_s=0.5)
    async with lab(tmp_path, limits=replace(QUICK, max_tries=2), http2=http2, mute=True) as town:
        await town.devices(20)
        await town.wake_all(20)
        assert (await town.settled()).ended == {(Fate.GIVEN_UP, Reason.CONNECTION): 20}


async def test_a_server_that_stops_answering_is_left_and_what_it_has_counts_as_sent(tmp_path: Path) -> None:
    http2 = replace(HTTP2, request_s=0.2)
    async with lab(tmp_path, limits=replace(QUICK, max_tries=3), http2=http2) as town:
        town.double.by_token[apns_token(0)] = SILENCE
        await town.devices(1)
        await town.wake_all(1)
        found = await town.settled()
        assert found.ended == {(Fate.GIVEN_UP, Reason.NO_ANSWER): 1}
        assert len(town.double.accepted) == 3
        assert town.double.connections == 3, "nobody was there: each try had a connection of its own"


async def test_silence_is_asked_whether_anybody_is_there(tmp_path: Path) -> None:
    async with lab(tmp_path, http2=replace(HTTP2, ping_s=0.05, pong_s=0.5)) as town:
        await town.devices(1)
        await town.wake_all(1)
        await town.settled()
        await until(lambda: town.double.pings >= 3)
        assert town.double.connections == 1


async def test_nobody_there_is_noticed_by_the_ping(tmp_path: Path) -> None:
    async with lab(tmp_path, http2=replace(HTTP2, ping_s=0.05, pong_s=0.05)) as town:
        await town.devices(2)
        await town.pushes.wake(ANA, "device 0")
        await town.settled()
        town.double.mute = True
        await until(lambda: not town.double.live)
        town.double.mute = False
        await town.pushes.wake(ANA, "device 1")
        assert counts(await town.settled()) == {Fate.SENT: 2}


# --- provider tokens -----------------------------------------------------------------------------------------
async def test_the_provider_token_is_renewed_before_its_hour_is_over(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        await town.devices(3)
        town.double.now = town.clock
        for n, minutes in enumerate((0, 49, 2)):
            town.clock.ahead += minutes * 60_000
            await town.pushes.wake(ANA, f"device {n}")
            await until(lambda n=n: len(town.double.accepted) == n + 1)
        assert len(town.double.provider_tokens) == 2
        assert set(town.double.answers) == {200}, "it was never seen expired"


async def test_an_expired_provider_token_is_renewed_once_for_all(tmp_path: Path) -> None:
    """By the server's clock, which is ahead of ours. The others go again at once with the new one."""
    async with lab(tmp_path) as town:
        assert await town.provider.send(apns(0), "x") == Sent()
        town.clock.ahead = 40 * 60_000
        town.double.now = lambda: town.clock() + 25 * 60_000
        outcomes = await asyncio.gather(*(town.provider.send(apns(n), "x") for n in range(20)))
        assert outcomes == [Sent()] * 20
        assert len(town.double.provider_tokens) == 2
        assert town.double.answers.count(403) == 20, "all were under way with the old one"
        # One that is refused although it is new says that our clock is wrong; Apple refuses too many of them.
        town.double.now = lambda: town.clock() + 90 * 60_000
        assert await town.provider.send(apns(0), "x") == Later(Reason.CREDENTIALS)
        assert len(town.double.provider_tokens) == 2


async def test_a_key_that_apple_does_not_know_ends_in_an_account(tmp_path: Path) -> None:
    async with lab(tmp_path, limits=replace(QUICK, max_tries=2)) as town:
        town.double.public_key = operator_key()[1]
        await town.devices(1)
        await town.wake_all(1)
        assert (await town.settled()).ended == {(Fate.GIVEN_UP, Reason.CREDENTIALS): 1}


# --- answers -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (Answer(410, "Unregistered", timestamp=2**42), (Fate.DROPPED, Reason.UNREGISTERED)),
        (Answer(410, "ExpiredToken"), (Fate.DROPPED, Reason.UNREGISTERED)),
        (Answer(400, "BadDeviceToken"), (Fate.DROPPED, Reason.UNREGISTERED)),
        (Answer(400, "DeviceTokenNotForTopic"), (Fate.DROPPED, Reason.UNREGISTERED)),
        (Answer(403, "Forbidden"), (Fate.GIVEN_UP, Reason.CREDENTIALS)),
        (Answer(400, "BadPriority"), (Fate.GIVEN_UP, Reason.REFUSED)),
        (Answer(413, "PayloadTooLarge"), (Fate.GIVEN_UP, Reason.TOO_LARGE)),
        (Answer(429, "TooManyRequests"), (Fate.GIVEN_UP, Reason.TOO_MANY)),
        (Answer(500, "InternalServerError"), (Fate.GIVEN_UP, Reason.FAILED)),
        (Answer(503, "Shutdown"), (Fate.GIVEN_UP, Reason.FAILED)),
    ],
    ids=lambda each: f"{each.status} {each.reason}" if isinstance(each, Answer) else "",
)
async def test_what_an_answer_means(tmp_path: Path, answer: Answer, end: tuple[Fate, Reason]) -> None:
    async with lab(tmp_path, limits=replace(QUICK, max_tries=2)) as town:
        town.double.by_token[apns_token(0)] = answer
        await town.devices(1)
        await town.wake_all(1)
        assert (await town.settled()).ended == {end: 1}
        gone = await town.pushes.wake(ANA, "device 0")
        assert gone == (Fate.DROPPED if end[0] is Fate.DROPPED else None), "who is gone is not asked again"


@pytest.mark.parametrize(
    ("headers", "wait"), [((), 15 * 60_000), ((("retry-after", "7"),), 7000)], ids=["as documented", "as it says"]
)
async def test_a_failure_of_theirs_is_tried_again_when_apple_wants_it(
    tmp_path: Path, headers: tuple[tuple[str, str], ...], wait: int
) -> None:
    async with lab(tmp_path) as town:
        town.double.script.append(Answer(503, "ServiceUnavailable", headers))
        assert await town.provider.send(apns(0), "x") == Later(Reason.FAILED, wait)


async def test_what_apple_forbids_is_not_tried_again(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        town.double.by_token[apns_token(0)] = Answer(403, "Forbidden")
        await town.devices(1)
        await town.wake_all(1)
        await town.settled()
        assert town.double.answers == [403]


async def test_gone_before_it_registered_again_is_not_gone(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        await town.devices(1)
        town.double.script.append(Answer(410, "Unregistered", timestamp=town.clock() - 60_000))
        await town.wake_all(1)
        assert counts(await town.settled()) == {Fate.SENT: 1}


async def test_too_many_requests_waits_as_long_as_it_was_told(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        town.double.script.append(Answer(429, "TooManyRequests", (("retry-after", "1"),)))
        await town.devices(1)
        began = time.monotonic()
        await town.wake_all(1)
        assert counts(await town.settled()) == {Fate.SENT: 1}
        assert time.monotonic() - began >= 1


async def test_only_apps_of_the_operator_are_woken(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        with pytest.raises(PushError) as caught:
            await town.pushes.subscribe(ANA, "phone", Subscription(apns(1).kind, apns_token(1), "somebody.else"))
        assert caught.value.code == "push.topic"


async def test_sr_19_nothing_goes_to_a_server_without_a_trusted_certificate(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write_lab_certificate(tmp_path / "other")
    async with lab(tmp_path, limits=replace(QUICK, max_tries=1), authority=other.authority) as town:
        await town.devices(1)
        await town.wake_all(1)
        assert (await town.settled()).ended == {(Fate.GIVEN_UP, Reason.CONNECTION): 1}
        assert not town.double.seen


async def test_after_a_restart_the_server_is_found_again(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        await town.devices(2)
        await town.pushes.wake(ANA, "device 0")
        await until(lambda: town.double.answers)
        await town.double.stop()
        await town.pushes.wake(Number(ANA), "device 1")
        async with town.double:
            assert counts(await town.settled()) == {Fate.SENT: 2}
