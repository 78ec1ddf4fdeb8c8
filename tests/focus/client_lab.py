"""Transports of ours as phones, the embedded carrier and a focus that can be made to lie: for tests of conferences."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from pathlib import Path

from focus.lying import LyingFocus
from focus.town import FAST, number
from lab_certificate import LabCertificate
from letterlock.carriage import ConferenceView, Inbound, Outbound
from letterlock.carrier import Accounts, Carrier
from letterlock.carrier.settings import ApplicationServer
from letterlock.ids import ConversationId, GroupId, MessageId, Number
from letterlock.services.focus import MsrpTls
from letterlock.transport.rcs.config import ConferenceConfig, RcsConfig, SessionConfig
from letterlock.transport.rcs.transport import RcsTransport

DOMAIN = "rcs.example.test"
FRAME = "application/vnd.letterlock.signal"
GROUP = GroupId(bytes(range(16)))


class Phone:
    """A transport with what it brought."""

    def __init__(
        self,
        index: int,
        port: int,
        device: int,
        kept: dict[str, str],
        ca: Path | None,
        *,
        password: str = "secret",
        relay: str | None = None,
    ) -> None:
        self.number = number(index)
        self.inbox: list[Inbound] = []
        self.views: list[ConferenceView] = []
        self.refuses = False
        self.kept = kept
        config = RcsConfig(
            number=self.number,
            domain=DOMAIN,
            username=self.number,
            password=password,
            server="127.0.0.1",
            port=port,
            instance=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.number}/{device}")),
            tls=ca is not None,
            ca_file=None if ca is None else str(ca),
            sessions=SessionConfig(msrp_loopback=ca is None, msrp_relay=relay),
            conferences=ConferenceConfig(factory=f"sip:conference-factory@{DOMAIN}", settle_s=0.05, retry_s=(0.2, 1.0)),
        )
        self.transport = RcsTransport(config, self._take, kept_conferences=kept)
        self.transport.watch_conferences(self._see)

    async def _take(self, inbound: Inbound) -> None:
        if self.refuses:
            raise RuntimeError("the disk is full")
        self.inbox.append(inbound)

    async def _see(self, view: ConferenceView) -> None:
        self.views.append(view)

    async def send(self, to: Number, body: bytes, identifier: str = "") -> bool:
        outbound = Outbound(
            to,
            MessageId(identifier or uuid.uuid4().hex),
            ConversationId(bytes(GROUP)),
            FRAME,
            body,
            large=False,
            group=GROUP,
        )
        return (await self.transport.send(outbound)).accepted

    @property
    def members(self) -> set[Number]:
        return set(self.views[-1].members) if self.views else set()


class Lab:
    """Carrier, focus and phones."""

    def __init__(self, folder: Path, certificate: LabCertificate | None = None) -> None:
        self.folder = folder
        self.certificate = certificate
        tls = None if certificate is None else certificate.server_context()
        self._ca = None if certificate is None else certificate.authority
        self.carrier = Carrier("127.0.0.1", 0, Accounts.lab("secret"), server_port=0, tls=tls)
        self.focus: LyingFocus | None = None
        self._phones = contextlib.AsyncExitStack()

    async def start(self) -> None:
        await self.carrier.start()
        self.focus = await self.start_focus()
        self.carrier.serve(
            ApplicationServer("127.0.0.1", self.focus.port, frozenset({"conference-factory"}), ("conf-",))
        )

    async def start_focus(self, port: int = 0) -> LyingFocus:
        assert self.carrier.server_port is not None
        self.focus = LyingFocus(
            str(self.folder / "focus.db"),
            domain=DOMAIN,
            proxy=("127.0.0.1", self.carrier.server_port),
            port=port,
            settings=FAST,
            msrp_tls=None
            if self.certificate is None
            else MsrpTls.of_files(str(self.certificate.certificate), str(self.certificate.key)),
        )
        await self.focus.start()
        return self.focus

    async def phone(
        self, index: int, device: int = 1, kept: dict[str, str] | None = None, *, registered: bool = True
    ) -> Phone:
        phone = Phone(index, self.carrier.port, device, {} if kept is None else kept, self._ca)
        await self._phones.enter_async_context(phone.transport)
        if registered:
            async with asyncio.timeout(5):
                await phone.transport.registered()
        return phone

    async def close(self) -> None:
        await self._phones.aclose()
        if self.focus is not None:
            await self.focus.close()
        await self.carrier.close()


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
