"""Members with certificates and real MLS groups, around a real focus: `Town` with `ordering`'s phones in its devices."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from focus.ordering import GROUP_ID, WIRE, Phone
from focus.town import DOMAIN, FAST, NOW, Device, Message, Town, database_in
from letterlock.codec import cpim
from letterlock.codec.cpim import encode_cpim
from letterlock.codec.mime import MimePart
from letterlock.codec.xml import XmlLimits
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.credentials.authentication import CertificateAuthentication
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.content_types import APPLICATION, CLIENT_CONTROL, GROUP_INFO, SERVER_CONTROL
from letterlock.rcc16.wire.control import (
    Accepted,
    ClientMessage,
    EpochIdentifier,
    decode_server_message,
    encode_client_message,
    encode_epoch_identifier,
)
from letterlock.rcc16.wire.message_ids import new_message_id
from letterlock.rcc16.wire.packet_headers import NAMESPACE
from letterlock.rcc16.wire.reasons import decode_receipt
from letterlock.services.focus import Focus, FocusLimits, FocusSettings, MlsSettings
from rcc16.certificates import CRYPTO, Lab

_XML = XmlLimits(max_size=16_384, max_depth=8, max_elements=64)


def mls_focus(folder: Path, lab: Lab, proxy: tuple[str, int], **more: Any) -> Focus:
    settings: FocusSettings = more.pop("settings", FAST)
    return Focus(
        database_in(folder, "focus.db"),
        domain=DOMAIN,
        proxy=proxy,
        settings=settings,
        mls=MlsSettings(lab.anchors, CRYPTO),
        clock=lambda: NOW,
        **more,
    )


class MlsTown(Town):
    """`member(i)` is somebody with a phone and a certificate."""

    def __init__(self, folder: Path, *, limits: FocusLimits | None = None, **more: Any) -> None:
        self.lab = Lab()
        self.authentication: CertificateAuthentication = self.lab.authentication()
        focus = more.pop("focus", lambda proxy: mls_focus(folder, self.lab, proxy, limits=limits))
        super().__init__(folder, focus=focus, **more)

    def member(self, index: int, instance: str = "1") -> Member:
        device = self.device(index, instance)
        return Member(device, Phone(self.lab.enrol(device.number, authentication=self.authentication)))

    async def group(self, count: int) -> list[Member]:
        """A conference of so many with an MLS group."""
        first, *others = members = [self.member(index) for index in range(1, count + 1)]
        status = await first.device.create(*(each.device.number for each in others), contribution=GROUP_ID.decode())
        assert status == 200
        for each in others:
            await each.device.attending()
        await first.do(first.phone.found([each.phone for each in others]))
        for each in others:
            await each.took()
        return members


@dataclass
class Member:
    """A device and the MLS client in it."""

    device: Device
    phone: Phone
    seen: int = 0
    known: set[tuple[str | None, bytes]] = field(default_factory=set)
    refusals: dict[str, object] = field(default_factory=dict)
    acceptances: dict[str, EpochIdentifier | None] = field(default_factory=dict)

    async def send(self, request: ClientMessage) -> int:
        """The transport's answer."""
        body = encode_client_message(request, OURS.control_numbers)
        return await self.device.say(body, message_id=request.message_id, content_type=CLIENT_CONTROL)

    async def do(self, request: ClientMessage) -> None:
        """It must be accepted."""
        assert await self.send(request) == 200
        await self.told(request.message_id)
        assert request.message_id in self.acceptances, self.refusals
        self.phone.accepted()

    async def refused(self, request: ClientMessage) -> object:
        """It must be refused: why."""
        assert await self.send(request) == 200
        await self.told(request.message_id)
        self.phone.refused()
        return self.refusals[request.message_id]

    async def do_and_leave(self) -> None:
        """Leave with a SelfRemove; another member commits it."""
        request = self.phone.leave()
        assert await self.send(request) == 200
        await self.told(request.message_id)
        assert request.message_id in self.acceptances
        await self.device.until(lambda device: bool(device.ended))
        self.phone.group = None

    async def told(self, message_id: str) -> None:
        """Wait for the answer to a request."""

        def answered(device: Device) -> bool:
            self.read()
            return message_id in self.acceptances or message_id in self.refusals

        await self.device.until(answered)

    async def took(self, epoch: int | None = None) -> None:
        """Wait for the next thing that is for the group, or until an epoch is reached."""
        before = self.phone.group.epoch if self.phone.group is not None else None

        def moved(device: Device) -> bool:
            self.read()
            group = self.phone.group
            return group is not None and (group.epoch != before if epoch is None else group.epoch == epoch)

        await self.device.until(moved)

    def read(self) -> None:
        """Everything that has come since the last time."""
        while self.seen < len(self.device.inbox):
            message = self.device.inbox[self.seen]
            self.seen += 1
            self._read(message)

    def _read(self, message: Message) -> None:
        known = (message.message_id, message.body)
        if message.sender != message.recipient or known in self.known:
            return  # not of the focus's own; or once more, because the focus does not know that we have it
        self.known.add(known)
        if message.content_type == "message/imdn+xml":
            receipt = decode_receipt(message.body, _XML)
            self.refusals[receipt.imdn.message_id] = receipt.reason
        elif message.content_type == SERVER_CONTROL:
            told = decode_server_message(message.body, OURS.control_numbers, WIRE)
            if isinstance(told, Accepted):
                self.acceptances[told.message_id] = told.identifier
            else:
                self.phone.receive(message.body)

    async def say(self, text: bytes, *, era: int = 1, authenticator: bytes | None = None) -> tuple[int, str]:
        """An encrypted message to all; the transport's answer and its id."""
        group, message_id = self.phone.g, new_message_id(self.phone.rng)
        data = encode_authenticated_data(message_id, era)
        body = group.encrypt(text, rng=self.phone.rng, authenticated_data=data)
        named = base64.b64encode(group.epoch_authenticator if authenticator is None else authenticator).decode()
        headers = cpim.headers(
            ("From", cpim.ANONYMOUS),
            ("To", cpim.ANONYMOUS),
            ("NS", f"imdn <{cpim.IMDN}>"),
            ("imdn.Message-ID", message_id),
            ("NS", f"mls <{NAMESPACE}>"),
            ("mls.Era-ID", str(era)),
            ("mls.Epoch-Authenticator", named),
        )
        status = await self.device.raw(encode_cpim(cpim.Cpim(headers, MimePart.of(APPLICATION, body))))
        return status, message_id

    async def pull(self, known: EpochIdentifier | None) -> bytes:
        """Ask for what was missed."""
        message_id = new_message_id(self.phone.rng)
        body = b"" if known is None else encode_epoch_identifier(known)
        assert await self.device.say(body, message_id=message_id, content_type=GROUP_INFO) == 200
        await self.device.until(lambda device: any(each.message_id == message_id for each in device.inbox))
        return next(each.body for each in self.device.inbox if each.message_id == message_id)
