"""RCC.16's control messages behind Debian's Kamailio: a request goes up through its dialogs and its MSRP relay, the answer and
what follows for others come down the same way, and a focus behind it orders the commits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from focus.client_lab import GROUP, until
from focus.client_lab import Phone as Line
from focus.ordering import WIRE, Phone
from focus.town import FAST, NOW
from interop.kamailio import DOMAIN, LAB_PASSWORD, Kamailio, free_ports, missing
from letterlock.carriage import Conference, Outbound
from letterlock.codec.xml import XmlLimits
from letterlock.ids import ConversationId, MessageId
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.wire.content_types import CLIENT_CONTROL, SERVER_CONTROL
from letterlock.rcc16.wire.control import Accepted, ClientMessage, decode_server_message, encode_client_message
from letterlock.rcc16.wire.group_ids import mls_group_id
from letterlock.rcc16.wire.reasons import ServerReason, decode_receipt
from letterlock.services.focus import Focus, MlsSettings, MsrpTls
from rcc16.certificates import CRYPTO, Lab

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]

_XML = XmlLimits(max_size=16_384, max_depth=8, max_elements=64)


@dataclass
class Member:
    """A line to the network, and the MLS client behind it."""

    line: Line
    phone: Phone
    seen: int = 0

    async def ask(self, request: ClientMessage) -> None:
        """It is accepted, in time and by the focus itself."""
        await self._send(request)
        await until(lambda: request.message_id in self.read())
        self.phone.accepted()

    async def refused(self, request: ClientMessage) -> object:
        """It is refused: why."""
        await self._send(request)
        await until(lambda: any(each.content_type == "message/imdn+xml" for each in self.line.inbox))
        receipt = next(each for each in self.line.inbox if each.content_type == "message/imdn+xml")
        self.phone.refused()
        return decode_receipt(receipt.body, _XML).reason

    def read(self) -> list[str]:
        """Take what has come; the requests of ours that were accepted by it."""
        accepted = []
        for inbound in self.line.inbox[self.seen :]:
            self.seen += 1
            if inbound.content_type != SERVER_CONTROL:
                continue
            assert inbound.group == GROUP
            assert inbound.sender is None  # the focus itself
            told = decode_server_message(inbound.body, OURS.control_numbers, WIRE)
            if isinstance(told, Accepted):
                accepted.append(told.message_id)
            else:
                self.phone.receive(inbound.body)
        return accepted

    async def reached(self, epoch: int) -> None:
        def there() -> bool:
            self.read()
            return self.phone.group is not None and self.phone.g.epoch == epoch

        await until(there)

    async def _send(self, request: ClientMessage) -> None:
        outbound = Outbound(
            None,
            MessageId(request.message_id),
            ConversationId(bytes(GROUP)),
            CLIENT_CONTROL,
            encode_client_message(request, OURS.control_numbers),
            large=True,
            group=GROUP,
            packet=True,
        )
        assert (await self.line.transport.send(outbound)).accepted


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[tuple[Kamailio, Lab, contextlib.AsyncExitStack]]:
    if reason := missing():
        pytest.skip(f"kamailio: {reason}")
    lab = Lab()
    (port,) = free_ports(1)
    with Kamailio(lab_password=LAB_PASSWORD, focus=port) as server:
        focus = Focus(
            str(tmp_path / "focus.db"),
            domain=DOMAIN,
            proxy=("127.0.0.1", server.application_port),
            port=port,
            settings=FAST,
            msrp_tls=MsrpTls.of_files(str(server.certificate.certificate), str(server.certificate.key)),
            mls=MlsSettings(lab.anchors, CRYPTO),
            clock=lambda: NOW,
        )
        async with focus, contextlib.AsyncExitStack() as lines:
            yield server, lab, lines


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relay"])
async def test_commits_are_ordered_behind_kamailio(
    behind: tuple[Kamailio, Lab, contextlib.AsyncExitStack], relay: bool
) -> None:
    server, lab, lines = behind
    authentication = lab.authentication()

    async def member(index: int) -> Member:
        line = Line(
            index,
            server.tcp_port,
            1,
            {},
            None,
            password=LAB_PASSWORD,
            relay=f"msrp://127.0.0.1:{server.msrp_port};tcp" if relay else None,
        )
        await lines.enter_async_context(line.transport)
        async with asyncio.timeout(10):
            await line.transport.registered()
        return Member(line, Phone(lab.enrol(line.number, authentication=authentication)))

    ana, bob, carla, dan = [await member(i) for i in (1, 2, 3, 4)]
    await ana.line.transport.sync_conference(Conference(GROUP, "", (bob.line.number, carla.line.number)), False)
    everybody = {ana.line.number, bob.line.number, carla.line.number}
    for each in (ana, bob, carla):
        await until(lambda each=each: each.line.members == everybody)  # type: ignore[misc]

    await ana.ask(ana.phone.found([bob.phone, carla.phone], group_id=mls_group_id(GROUP)))
    for each in (bob, carla):
        await each.reached(1)
    late = carla.phone.commit()
    await bob.ask(bob.phone.commit())
    await ana.reached(2)
    assert await carla.refused(late) is ServerReason.INCORRECT_EPOCH
    await carla.reached(2)
    await carla.ask(carla.phone.add(dan.phone))  # the RCS roster follows: the focus calls the new member
    for each in (ana, bob, dan):
        await each.reached(3)
        assert each.phone.g.epoch_authenticator == carla.phone.g.epoch_authenticator
    await until(lambda: ana.line.members == everybody | {dan.line.number})
