"""An MSRP connection that ends at any byte of a session's messages: each of them arrives once, or has failed with a
reason; never both, never neither.

The bytes one by one are also in tests/msrp/test_msrp_faults.py, without sockets; here are sockets, dialogs and profiles.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from e2e.world import ANA, BEN, PASSWORD, Phone
from faults.lab import SOON, Lab, msrp_settings
from faults.middlebox import Middlebox, Plan
from letterlock.carriage import Inbound, NetworkResult, Outbound
from letterlock.carrier import Accounts, Carrier
from letterlock.engine.events import MessageExpired, MessageFailed
from letterlock.errors import TransportError
from letterlock.ids import MessageId, Number, conversation_of
from letterlock.transport.rcs.config import RcsConfig
from letterlock.transport.rcs.transport import RcsTransport

pytestmark = pytest.mark.anyio

_BOTH = pytest.mark.parametrize("way", ["forward", "backward"])


def cut(way: str, at: int) -> Plan:
    return Plan(cut_forward=at) if way == "forward" else Plan(cut_backward=at)


# --- every byte, the transport alone ---------------------------------------------------------------------------
class Bare:
    """The real transport without a profile: what it was given, and what it answered."""

    def __init__(self, me: Number, carrier: Carrier) -> None:
        self.me = me
        self.taken: Counter[MessageId] = Counter()
        self.transport = RcsTransport(
            RcsConfig(
                number=me,
                domain=carrier.domain,
                username=me,
                password=PASSWORD,
                server="127.0.0.1",
                port=carrier.port,
                instance=str(uuid.uuid5(uuid.NAMESPACE_OID, me)),
                tls=False,
                max_pager=0,
            ),
            self._take,
            msrp=msrp_settings(),
        )

    async def _take(self, inbound: Inbound) -> None:
        self.taken[inbound.message_id] += 1

    async def send(self, to: Number, message_id: MessageId) -> NetworkResult | TransportError:
        outbound = Outbound(to, message_id, conversation_of(self.me, to), "text/plain", b"x", large=False)
        try:
            return await self.transport.send(outbound)
        except TransportError as error:
            return error

    def end_sessions(self) -> None:
        for session in list(self.transport.sessions._sessions):
            session.close("the next one")


@asynccontextmanager
async def bare_pair(box: Middlebox) -> AsyncIterator[tuple[Bare, Bare]]:
    async with Carrier("127.0.0.1", 0, Accounts.lab(PASSWORD), tap=box.rule) as carrier:
        ana, ben = Bare(ANA, carrier), Bare(BEN, carrier)
        async with ana.transport, ben.transport, asyncio.timeout(60):
            await ana.transport.registered()
            await ben.transport.registered()
            yield ana, ben


@_BOTH
async def test_the_connection_ends_at_every_byte_of_a_chunk(way: str) -> None:
    """The transport's word: accepted means that it is there, once; anything else has a reason, and may be there."""
    async with Middlebox.open() as box, bare_pair(box) as (ana, ben):
        whole = MessageId(str(uuid.uuid4()))
        assert isinstance(await ana.send(BEN, whole), NetworkResult)
        assert ben.taken[whole] == 1
        length = len(getattr(box.passed[-1], way))
        seen: Counter[tuple[bool, int]] = Counter()
        for at in range(length + 1):
            ana.end_sessions()
            box.plans.append(cut(way, at))
            message_id = MessageId(str(uuid.uuid4()))
            result = await ana.send(BEN, message_id)
            copies = ben.taken[message_id]
            accepted = isinstance(result, NetworkResult) and result.accepted
            if accepted:
                assert copies == 1, at
            else:
                assert result.reason if isinstance(result, NetworkResult) else str(result), at
                assert copies <= 1, at
                again = await ana.send(BEN, message_id)  # what the engine does
                assert isinstance(again, NetworkResult) and again.accepted, at
                assert ben.taken[message_id] == copies + 1, at
            seen[accepted, copies] += 1
        assert seen[True, 1] and seen[False, 0 if way == "forward" else 1], seen
        assert not ben.transport.sessions._budget.used


# --- profiles ------------------------------------------------------------------------------------------------------
async def end_sessions(lab: Lab, *phones: Phone) -> None:
    for phone in phones:
        for session in list(lab.transport_of(phone).real.sessions._sessions):
            session.close("the next one")


@_BOTH
@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "plain"])
async def test_a_profile_whose_connections_end_anywhere(tmp_path: Path, way: str, encrypted: bool) -> None:
    """Shown once, and confirmed to its sender where that can be."""
    async with Lab.open(tmp_path) as lab, Middlebox.open() as box:
        lab.sip_rules.append(box.rule)
        make = lab.pair if encrypted else lab.plain_pair
        ana, ben = await make(ANA, BEN, limits=SOON, rcs={"max_pager": 0})
        for at in range(0, 1_600 if way == "forward" else 500, 67 if way == "forward" else 23):
            await end_sessions(lab, ana, ben)
            box.plans.append(cut(way, at))
            sent = await ana.say(BEN, f"cut at {at}")
            assert (await ben.hears(f"cut at {at}")).encrypted is encrypted
            if encrypted:
                await lab.delivered(ana, sent)
        await ana.client.settled()
        heard = Counter(await ben.heard())
        assert {text: count for text, count in heard.items() if count > 1} == {}
        assert await ana.told(MessageFailed) == await ana.told(MessageExpired) == []


async def test_the_called_side_sends_when_it_is_cut(tmp_path: Path) -> None:
    """The other direction: the message goes from whoever was called to whoever connected."""
    async with Lab.open(tmp_path) as lab, Middlebox.open() as box:
        lab.sip_rules.append(box.rule)
        ana, ben = await lab.pair(ANA, BEN, limits=SOON, rcs={"max_pager": 0})
        for after in range(0, 1_500, 97):
            await end_sessions(lab, ana, ben)
            await lab.arrives(ana, ben, f"opened {after}")  # Ana has called, Ben was called
            live = box.passed[-1]
            live.plan.cut_backward = len(live.backward) + after
            await lab.arrives(ben, ana, f"back {after}")
        for phone in (ana, ben):
            assert max(Counter(await phone.heard()).values()) == 1
            assert await phone.told(MessageFailed) == []
