"""Message sessions of the RCS transport over the embedded carrier: relay, listeners, one side that only connects, TLS,
and everything that can go wrong on the way."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lab_certificate import write_lab_certificate
from letterlock.carriage import Conference, Inbound, NetworkResult, Outbound
from letterlock.carrier import Accounts, Carrier
from letterlock.carrier.settings import Settings
from letterlock.carrier.tap import Interference, Seen
from letterlock.codec.sip import Headers, Request, Response
from letterlock.errors import StoreError, TransportError
from letterlock.ids import GroupId, MessageId, Number, conversation_of, number
from letterlock.transport.rcs.config import ConferenceConfig, RcsConfig, SessionConfig
from letterlock.transport.rcs.transport import RcsTransport

pytestmark = pytest.mark.anyio

ANA, BEN, CAT = number("+15550100"), number("+15550101"), number("+15550102")
PASSWORDS = {ANA: "a-pw", BEN: "b-pw", CAT: "c-pw"}
FRAME = "application/vnd.letterlock.signal"
LARGE = bytes(range(256)) * 400  # 102,400 bytes: more than any request can hold
LISTEN = SessionConfig()  # on loopback, for the carrier is there


class Phone:
    def __init__(self, me: Number, carrier: Carrier, sessions: SessionConfig, **changes: object) -> None:
        self.me = me
        self.inbox: asyncio.Queue[Inbound] = asyncio.Queue()
        self.take: Callable[[Inbound], None] = self.inbox.put_nowait
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0
        values: dict[str, object] = {
            "number": me,
            "domain": carrier.domain,
            "username": me,
            "password": PASSWORDS[me],
            "server": "127.0.0.1",
            "port": carrier.port,
            "instance": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{me}{changes.pop('device', '')}")),
            "tls": False,
            "register_wait_s": 5,
            "backoff_s": (0.01, 0.02),
            "sessions": sessions,
        }
        self.transport = RcsTransport(RcsConfig(**{**values, **changes}), self._on_message)  # type: ignore[arg-type]

    async def _on_message(self, inbound: Inbound) -> None:
        self.asked += 1
        await self.gate.wait()
        self.take(inbound)

    async def send(self, to: Number, body: bytes, content_type: str = FRAME) -> NetworkResult:
        outbound = Outbound(
            to, MessageId(str(uuid.uuid4())), conversation_of(self.me, to), content_type, body, large=len(body) > 1300
        )
        async with asyncio.timeout(20):
            return await self.transport.send(outbound)

    async def next(self) -> Inbound:
        async with asyncio.timeout(10):
            return await self.inbox.get()

    @property
    def sessions(self) -> int:
        return len(self.transport.sessions)


@contextlib.asynccontextmanager
async def phones(
    *wanted: tuple[Number, SessionConfig] | tuple[Number, SessionConfig, dict[str, object]],
    carrier_options: dict[str, object] | None = None,
    common: dict[str, object] | None = None,
) -> AsyncIterator[list[Phone]]:
    async with Carrier("127.0.0.1", 0, Accounts.of(PASSWORDS), **(carrier_options or {})) as carrier:  # type: ignore[arg-type]
        made = []
        async with contextlib.AsyncExitStack() as stack:
            for me, sessions, *more in wanted:
                if sessions.msrp_relay == "yes":
                    sessions = _with(sessions, msrp_relay=str(carrier.msrp_uri))
                phone = Phone(me, carrier, sessions, **{**(common or {}), **(more[0] if more else {})})
                await stack.enter_async_context(phone.transport)
                async with asyncio.timeout(5):
                    await phone.transport.registered()
                made.append(phone)
            yield made
        for phone in made:
            assert phone.sessions == 0


def _with(sessions: SessionConfig, **changes: object) -> SessionConfig:
    values = {name: getattr(sessions, name) for name in SessionConfig.__slots__}
    return SessionConfig(**{**values, **changes})  # type: ignore[arg-type]


Tap = Callable[[Seen], Interference | None]


def rewriting(change: Callable[[bytes], bytes]) -> Tap:
    """A network in between that changes session descriptions."""

    def tap(seen: Seen) -> Interference | None:
        message = seen.message
        body = change(message.body)
        if body == message.body or not message.body.startswith(b"v=0"):
            return None
        if isinstance(message, Request):
            return Interference(deliver=((Request(message.method, message.uri, message.headers, body), 0),))
        return Interference(deliver=((Response(message.status, message.reason, message.headers, body), 0),))

    return tap


def replacing(name: bytes, value: bytes) -> Tap:
    """One that writes another value of an attribute, everywhere."""

    def change(body: bytes) -> bytes:
        start = b"a=" + name + b":"
        return b"\r\n".join(start + value if line.startswith(start) else line for line in body.split(b"\r\n"))

    return rewriting(change)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


# --- how two ends reach each other -------------------------------------------------------------------------------
RELAY = SessionConfig(msrp_relay="yes")
ACTIVE = SessionConfig(msrp_loopback=False)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (LISTEN, LISTEN),
        (ACTIVE, LISTEN),
        (LISTEN, ACTIVE),
        (RELAY, RELAY),
        (ACTIVE, RELAY),
        (RELAY, ACTIVE),
        (LISTEN, RELAY),
    ],
    ids=["both listen", "caller connects", "called connects", "both relays", "to relay", "from relay", "mixed"],
)
async def test_a_large_message_and_its_answer(ours: SessionConfig, theirs: SessionConfig) -> None:
    async with phones((ANA, ours), (BEN, theirs), carrier_options={"msrp_port": 0}) as (ana, ben):
        assert await ana.send(BEN, LARGE) == NetworkResult(True, 200, "OK")
        arrived = await ben.next()
        assert (arrived.sender, arrived.recipient, arrived.content_type, arrived.body) == (ANA, BEN, FRAME, LARGE)
        # The answer is small and goes over the same session, for it is open.
        assert (await ben.send(ANA, b"small")).accepted
        assert (await ana.next()).body == b"small"
        assert ana.sessions == ben.sessions == 1


async def test_a_carrier_that_challenges_every_request() -> None:
    """407 to INVITE and BYE: the ACK has the credentials and the number of the last INVITE."""
    options: dict[str, object] = {"settings": Settings(challenge_requests=True)}
    async with phones((ANA, _with(LISTEN, idle_s=0.2)), (BEN, LISTEN), carrier_options=options) as (ana, ben):
        for _ in range(2):
            assert (await ana.send(BEN, LARGE)).accepted
            assert (await ben.next()).body == LARGE
            await until(lambda: ana.sessions == ben.sessions == 0)


async def test_a_large_plain_text() -> None:
    text = "ä" * 45_000
    async with phones((ANA, LISTEN), (BEN, LISTEN)) as (ana, ben):
        assert (await ana.send(BEN, text.encode(), "text/plain")).accepted
        arrived = await ben.next()
        assert arrived.body.decode() == text
        assert arrived.content_type.lower() == "text/plain;charset=utf-8"


async def test_nobody_can_be_reached() -> None:
    """488: neither side can be connected to; what fits a request still goes."""
    async with phones((ANA, ACTIVE), (BEN, ACTIVE)) as (ana, ben):
        assert (await ana.send(BEN, LARGE)).status == 488
        assert (await ana.send(BEN, bytes(50_000))).accepted
        assert len((await ben.next()).body) == 50_000
        assert ana.sessions == ben.sessions == 0


async def test_over_tls_the_fingerprint_is_checked(tmp_path: Path) -> None:
    """RFC 4975 section 14.4, SR-19."""
    lab = write_lab_certificate(tmp_path)
    secure = _with(LISTEN, msrp_certificate=(str(lab.certificate), str(lab.key)))
    async with phones((ANA, secure), (BEN, secure)) as (ana, ben):
        assert (await ana.send(BEN, LARGE)).accepted
        assert (await ben.next()).body == LARGE
        (chat,) = ana.transport.sessions._sessions
        assert chat._agreed is not None and chat._agreed.peer.secure

    forged = replacing(b"fingerprint", b"sha-256 " + b":".join([b"00"] * 32))
    async with phones((ANA, secure), (BEN, secure), carrier_options={"tap": forged}) as (ana, ben):
        with pytest.raises(TransportError):
            await ana.send(BEN, LARGE)
        assert ben.inbox.empty()


# --- which way a message takes ------------------------------------------------------------------------------------
async def test_small_messages_are_requests_until_a_session_is_open_and_again_when_it_has_closed() -> None:
    idle = _with(LISTEN, idle_s=0.15)
    async with phones((ANA, idle), (BEN, idle)) as (ana, ben):
        assert (await ana.send(BEN, b"one")).accepted
        assert ana.sessions == 0
        assert (await ana.send(BEN, LARGE)).accepted
        assert ana.sessions == 1
        assert (await ana.send(BEN, b"two")).accepted
        await until(lambda: ana.sessions == ben.sessions == 0)
        assert (await ana.send(BEN, b"three")).accepted
        assert ana.sessions == 0
        assert (await ana.send(BEN, LARGE)).accepted  # reopened
        assert [len((await ben.next()).body) for _ in range(5)] == [3, len(LARGE), 3, 5, len(LARGE)]


async def test_tags_choose_where_both_ways_would_work_and_nothing_else() -> None:
    """SR-02: a carrier that strips a tag changes the way of a message, not its bytes, and not whether it goes."""
    async with phones((ANA, LISTEN), (BEN, LISTEN), common={"max_pager": 10_000}) as (ana, ben):

        async def way(size: int) -> int:
            assert (await ana.send(BEN, bytes(size))).accepted
            arrived = await ben.next()
            assert (arrived.content_type, arrived.body) == (FRAME, bytes(size))
            return ana.sessions

        ana.transport._capabilities._cache.on_answer(BEN, stripped(), ana.transport._clock())
        assert await way(20_000) == 0  # both ways work: the tags say that there are no sessions
        assert await way(80_000) == 1  # only one way works: it is tried whatever they say


def stripped() -> Response:
    return Response(
        200,
        "OK",
        Headers([("Contact", '<sip:x@h>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"')]),
    )


async def test_a_call_brings_the_tags_of_its_caller() -> None:
    async with phones((ANA, LISTEN), (BEN, LISTEN)) as (ana, ben):
        assert (await ana.send(BEN, LARGE)).accepted
        tags = ben.transport._capabilities.known(ANA)
        assert tags is not None and "oma.cpm.session" in tags.icsi


async def test_types_that_the_peer_does_not_take_go_as_requests() -> None:
    """RFC 4975 section 8.6: nothing is sent of a type that was not signalled."""
    narrow = replacing(b"accept-wrapped-types", b"text/plain")
    async with phones((ANA, LISTEN), (BEN, LISTEN), carrier_options={"tap": narrow}) as (ana, ben):
        assert (await ana.send(BEN, LARGE)).status == 415
        assert (await ana.send(BEN, b"small")).accepted
        assert (await ben.next()).body == b"small"
        assert (await ana.send(BEN, LARGE, "text/plain")).accepted
        assert len((await ben.next()).body) == len(LARGE)


async def test_an_offer_without_any_type_of_ours_is_488() -> None:
    strange = replacing(b"accept-types", b"audio/basic")
    async with phones((ANA, LISTEN), (BEN, LISTEN), carrier_options={"tap": strange}) as (ana, ben):
        assert (await ana.send(BEN, LARGE)).status == 488
        assert ben.sessions == 0


async def test_more_than_the_peer_wants_is_not_sent() -> None:
    async with phones((ANA, LISTEN), (BEN, _with(LISTEN, max_message=90_000))) as (ana, ben):
        assert (await ana.send(BEN, LARGE)).status == 413
        assert (await ana.send(BEN, bytes(2 << 20))).status == 413
        assert (await ana.send(BEN, bytes(80_000))).accepted
        assert len((await ben.next()).body) == 80_000


# --- SR-06 ------------------------------------------------------------------------------------------------------
async def test_the_success_report_waits_for_the_commit() -> None:
    async with phones((ANA, LISTEN), (BEN, LISTEN)) as (ana, ben):
        ben.gate.clear()
        sending = asyncio.ensure_future(ana.send(BEN, LARGE))
        await until(lambda: ben.asked == 1)
        assert (await ben.send(ANA, b"the connection works both ways meanwhile")).accepted
        assert not sending.done()
        ben.gate.set()
        assert (await sending).accepted


@pytest.mark.parametrize("error", [StoreError("disk full"), RuntimeError("bug")])
async def test_what_was_not_committed_is_not_accepted_and_may_come_again(error: Exception) -> None:
    def full(inbound: Inbound) -> None:
        raise error

    async with phones((ANA, LISTEN), (BEN, LISTEN)) as (ana, ben):
        ben.take = full
        result = await ana.send(BEN, LARGE)
        assert not result.accepted
        assert result.status not in (400, 403, 413, 415, 488)  # the engine would give up for good
        ben.take = ben.inbox.put_nowait
        assert (await ana.send(BEN, LARGE)).accepted
        assert (await ben.next()).body == LARGE


# --- both at once, several devices, too many --------------------------------------------------------------------
async def test_both_call_at_the_same_time() -> None:
    """Glare: each takes the other's call, and everything arrives."""
    idle = _with(LISTEN, idle_s=0.3)
    async with phones((ANA, idle), (BEN, idle)) as (ana, ben):
        results = await asyncio.gather(ana.send(BEN, LARGE), ben.send(ANA, LARGE))
        assert all(result.accepted for result in results)
        assert (await ana.next()).body == (await ben.next()).body == LARGE
        assert 1 <= ana.sessions <= 2
        await until(lambda: ana.sessions == ben.sessions == 0)


async def test_several_messages_at_once_share_one_session() -> None:
    async with phones((ANA, LISTEN), (BEN, LISTEN)) as (ana, ben):
        results = await asyncio.gather(*(ana.send(BEN, bytes([i]) + LARGE) for i in range(8)))
        assert all(result.accepted for result in results)
        assert sorted([(await ben.next()).body[0] for _ in range(8)]) == list(range(8))
        assert ana.sessions == ben.sessions == 1


async def test_a_peer_with_two_devices() -> None:
    """Forking: the first to answer has the session; the other's call is taken back, or acknowledged and ended."""
    async with phones((ANA, LISTEN), (BEN, LISTEN), (BEN, LISTEN, {"device": 2})) as (ana, one, two):
        assert (await ana.send(BEN, LARGE)).accepted
        await until(lambda: one.sessions + two.sessions == 1)
        assert one.inbox.qsize() + two.inbox.qsize() == 1


async def test_what_is_handed_over_again_goes_to_every_device() -> None:
    """A session reaches one device, a request all: what the engine repeats has not been confirmed by all of them."""
    async with phones((ANA, LISTEN), (BEN, LISTEN), (BEN, LISTEN, {"device": 2})) as (ana, one, two):
        assert (await ana.send(BEN, LARGE)).accepted
        small = Outbound(BEN, MessageId("m-1"), conversation_of(ANA, BEN), FRAME, b"small", large=False)
        assert (await ana.transport.send(small)).accepted
        assert one.inbox.qsize() + two.inbox.qsize() == 2
        assert (await ana.transport.send(small)).accepted
        await until(lambda: one.inbox.qsize() + two.inbox.qsize() == 4)
        assert {one.inbox.qsize(), two.inbox.qsize()} == {1, 3}


async def test_sessions_are_bounded() -> None:
    """SR-08: per peer, in all, and what is idle longest makes room."""
    few = _with(LISTEN, max_sessions=1, idle_s=60)
    async with phones((ANA, few), (BEN, LISTEN), (CAT, LISTEN)) as (ana, ben, cat):
        assert (await ana.send(BEN, LARGE)).accepted
        assert (await ana.send(CAT, LARGE)).accepted
        assert ana.sessions == 1
        await until(lambda: ben.sessions == 0)
        ana.gate.clear()
        sending = asyncio.ensure_future(cat.send(ANA, LARGE))
        await until(lambda: any(chat._busy for chat in ana.transport.sessions._sessions))
        assert (await ben.send(ANA, LARGE)).status == 486  # none is idle: no room for another
        ana.gate.set()
        assert (await sending).accepted


async def test_too_much_arriving_at_once_is_put_off() -> None:
    """SR-08: bodies in memory, all sessions together."""
    small = _with(LISTEN, max_buffered=150_000)
    async with phones((ANA, LISTEN), (BEN, small), (CAT, LISTEN)) as (ana, ben, cat):
        ben.gate.clear()
        first = asyncio.ensure_future(ana.send(BEN, LARGE))
        await until(lambda: ben.transport.sessions._budget.used >= len(LARGE))
        second = await cat.send(BEN, LARGE)
        assert not second.accepted and second.status not in (400, 403, 413, 415)
        ben.gate.set()
        assert (await first).accepted
        assert ben.transport.sessions._budget.used == 0


# --- silence, refusals, cuts -----------------------------------------------------------------------------------
def swallow(*methods: str) -> Tap:
    def tap(seen: Seen) -> Interference | None:
        if isinstance(seen.message, Request) and seen.message.method in methods:
            return Interference(deliver=())
        return None

    return tap


async def test_nobody_answers_the_call() -> None:
    sessions = _with(LISTEN, open_s=0.3)
    async with phones(
        (ANA, sessions), (BEN, LISTEN), carrier_options={"tap": swallow("INVITE")}, common={"answer_timeout_s": 0.5}
    ) as (ana, _):
        with pytest.raises(TransportError) as caught:
            await ana.send(BEN, LARGE)
        assert caught.value.code == "transport.timeout"
        assert ana.sessions == 0
        assert (await ana.send(BEN, b"small")).accepted  # the connection is fine


@pytest.mark.parametrize("status", [480, 503, 504])
async def test_refusals_of_the_network(status: int) -> None:
    def refuse(seen: Seen) -> Interference | None:
        if isinstance(seen.message, Request) and seen.message.method == "INVITE":
            return Interference(deliver=(), answer=status)
        return None

    async with phones((ANA, LISTEN), (BEN, LISTEN), carrier_options={"tap": refuse}) as (ana, _):
        result = await ana.send(BEN, LARGE)
        assert (result.accepted, result.status) == (False, status)
        assert ana.sessions == 0


async def test_a_number_that_is_away() -> None:
    async with phones((ANA, LISTEN)) as (ana,):
        assert (await ana.send(BEN, LARGE)).status == 480


async def test_a_full_peer_says_when_to_come_again() -> None:
    async with phones((ANA, LISTEN), (BEN, _with(LISTEN, max_per_peer=0))) as (ana, _):
        result = await ana.send(BEN, LARGE)
        assert (result.status, result.retry_after_ms) == (486, 30_000)


async def test_a_caller_that_gives_up_takes_its_call_back() -> None:
    """CANCEL, when nobody waits for the session any more."""
    seen_methods: list[str] = []

    def slow(seen: Seen) -> Interference | None:
        if isinstance(seen.message, Request):
            seen_methods.append(seen.message.method)
            if seen.message.method == "INVITE":
                return Interference(deliver=((seen.message, 60_000),))
        return None

    async with phones((ANA, LISTEN), (BEN, LISTEN), carrier_options={"tap": slow}) as (ana, ben):
        sending = asyncio.ensure_future(ana.send(BEN, LARGE))
        await until(lambda: "INVITE" in seen_methods)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await until(lambda: ana.sessions == 0)
        assert ben.sessions == 0


async def test_a_session_cut_in_the_middle_is_not_accepted() -> None:
    async with phones((ANA, LISTEN), (BEN, LISTEN)) as (ana, ben):
        ben.gate.clear()
        sending = asyncio.ensure_future(ana.send(BEN, LARGE))
        await until(lambda: any(chat._busy for chat in ben.transport.sessions._sessions))
        (chat,) = ben.transport.sessions._sessions
        assert chat._end is not None and chat._end.connection is not None
        chat._end.connection._abort("pulled out")
        result = await sending
        assert (result.accepted, result.status) == (False, 0)
        ben.gate.set()
        await until(lambda: ana.sessions == ben.sessions == 0)
        assert (await ana.send(BEN, LARGE)).accepted


async def test_the_carrier_restarts_in_mid_session() -> None:
    """The dialogs end with the connection; what was under way is not accepted, and goes when we are registered again."""
    async with Carrier("127.0.0.1", 0, Accounts.of(PASSWORDS)) as carrier:
        ana, ben = Phone(ANA, carrier, LISTEN), Phone(BEN, carrier, LISTEN)
        async with ana.transport, ben.transport:
            await ana.transport.registered()
            await ben.transport.registered()
            ben.gate.clear()
            sending = asyncio.ensure_future(ana.send(BEN, LARGE))
            await until(lambda: any(chat._busy for chat in ben.transport.sessions._sessions))
            carrier.cut(ANA)
            carrier.cut(BEN)
            assert not (await sending).accepted
            await until(lambda: ana.sessions == 0 and ben.sessions == 0)
            ben.gate.set()
            await ana.transport.registered()
            await ben.transport.registered()
            await until(lambda: carrier.online(BEN) == 1 and carrier.online(ANA) == 1)
            assert (await ana.send(BEN, LARGE)).accepted


@pytest.mark.parametrize(("answer_s", "open_s", "code"), [(0.2, 10, "transport.lost"), (10, 0.2, "transport.timeout")])
async def test_a_call_that_is_taken_and_never_connected_is_given_up(answer_s: float, open_s: float, code: str) -> None:
    """Whoever loses patience first ends it for both."""
    broken = rewriting(lambda body: body.replace(b"a=setup:passive", b"a=setup:active"))
    ours, theirs = _with(LISTEN, open_s=open_s), _with(LISTEN, answer_s=answer_s)
    async with phones((ANA, ours), (BEN, theirs), carrier_options={"tap": broken}) as (ana, ben):
        with pytest.raises(TransportError) as caught:
            await ana.send(BEN, LARGE)
        assert caught.value.code == code
        await until(lambda: ana.sessions == ben.sessions == 0)


async def test_a_peer_may_not_send_us_anywhere() -> None:
    """SR-14: the address in an answer is the peer's choice; inside our network it is not connected to."""
    inward = rewriting(lambda body: body.replace(b"\r\nc=IN IP4 127.0.0.1\r\n", b"\r\nc=IN IP4 10.9.8.7\r\n"))
    async with phones((ANA, ACTIVE), (BEN, LISTEN), carrier_options={"tap": inward}) as (ana, _):
        with pytest.raises(TransportError) as caught:
            await ana.send(BEN, LARGE)
        assert caught.value.code == "transport.forbidden_address"


async def test_who_calls_without_being_named_by_the_network_is_refused() -> None:
    def anonymous(seen: Seen) -> Interference | None:
        message = seen.message
        if isinstance(message, Request) and message.method == "INVITE":
            return Interference(
                deliver=(
                    (
                        Request(
                            message.method, message.uri, message.headers.without("P-Asserted-Identity"), message.body
                        ),
                        0,
                    ),
                )
            )
        return None

    async with phones((ANA, LISTEN), (BEN, LISTEN), carrier_options={"tap": anonymous}) as (ana, ben):
        assert (await ana.send(BEN, LARGE)).status == 403
        assert ben.sessions == 0


async def test_a_clock_that_jumps_moves_no_session() -> None:
    """Deadlines of sessions are on a clock that never jumps; only the time in a message is the wall's."""
    wall = [1_700_000_000_000]
    async with Carrier("127.0.0.1", 0, Accounts.of(PASSWORDS)) as carrier:
        ana, ben = Phone(ANA, carrier, LISTEN), Phone(BEN, carrier, LISTEN)
        for phone in (ana, ben):
            phone.transport._clock = phone.transport.sessions._clock = phone.transport._capabilities._clock = lambda: (
                wall[0]
            )
        async with ana.transport, ben.transport:
            await ana.transport.registered()
            await ben.transport.registered()
            assert (await ana.send(BEN, LARGE)).accepted
            for jump in (-400 * 86_400_000, 800 * 86_400_000):
                wall[0] += jump
                assert (await ana.send(BEN, LARGE)).accepted
                assert ana.sessions == ben.sessions == 1


async def test_a_phone_that_offers_no_sessions_neither_begins_nor_takes_one() -> None:
    pager = _with(LISTEN, offered=False)
    async with phones((ANA, LISTEN), (BEN, pager)) as (ana, ben):
        # Before anything is known of it: its refusal says so, and what fits goes as a request.
        assert (await ana.send(BEN, bytes(50_000))).accepted
        assert (await ben.next()).body == bytes(50_000)
        assert ana.sessions == 0
        refused = await ana.send(BEN, LARGE)
        assert (refused.accepted, refused.status) == (False, 488)
        too_large = await ben.send(ANA, LARGE)
        assert (too_large.accepted, too_large.status) == (False, 513)
        assert ana.inbox.empty() and ben.inbox.empty()


async def test_a_phone_that_offers_no_sessions_holds_no_conferences() -> None:
    pager = _with(LISTEN, offered=False)
    asked: list[str] = []

    def tap(seen: Seen) -> Interference | None:
        if isinstance(seen.message, Request):
            asked.append(seen.message.method)
        return None

    factory = ConferenceConfig(factory="sip:conference-factory@rcs.example.test")
    options: dict[str, object] = {"carrier_options": {"tap": tap}}
    async with phones((ANA, pager, {"conferences": factory}), **options) as (ana,):  # type: ignore[arg-type]
        await ana.transport.sync_conference(Conference(GroupId(bytes(16)), "", (BEN,)), False)
        assert "INVITE" not in asked
