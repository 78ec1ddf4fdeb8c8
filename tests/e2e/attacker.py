"""Somebody with real keys and none of our manners: claims a number of its own, then encrypts what it likes.

Everything is made with the product's own protocol and codecs; only the values are lies.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field

from e2e.world import World
from letterlock.codec.frame import FrameCopy, WireFrame, encode_frame
from letterlock.crypto.pyca import Pyca
from letterlock.engine.content import encode_text
from letterlock.ids import DeviceId, MessageId, Number, conversation_of, new_message_id
from letterlock.seam import Content, Header, Party, Recipient
from letterlock.signal.keys import IdentityKeyPair
from letterlock.signal.limits import LIBSIGNAL_LIMITS
from letterlock.signal.protocol import SignalProtocol
from letterlock.transport.directory import DirectoryClient
from letterlock.trust import recipient_of, verify_list
from letterlock.trust.device_list import VerifiedDeviceList
from signal_device import Memory
from trust.people import Owner

__all__ = ["Attacker"]

CRYPTO = Pyca()


@dataclass(eq=False)
class Attacker:
    """`owner` holds the keys. Opens nothing; `seal` gives the bytes of a frame."""

    world: World
    owner: Owner
    directory: DirectoryClient
    sequence: int = 0
    memory: Memory = field(default_factory=Memory)

    @classmethod
    async def claim(cls, world: World, number: Number, seed: str = "attacker") -> Attacker:
        """A number of its own, at the real directory."""
        attacker = cls.with_keys(world, Owner.make(number, seed, now=world.clock()))
        await attacker.publish()
        return attacker

    @classmethod
    def with_keys(cls, world: World, owner: Owner) -> Attacker:
        """Keys that no directory has heard of, or stolen ones."""
        client = DirectoryClient(world.service.url, rng=os.urandom, now=world.clock, signer=owner.signer())
        return cls(world, owner, client)

    async def publish(self) -> None:
        await self.directory.begin_claim(self.owner.number, self.owner.spki)
        await self.directory.claim(self.world.codes[-1].code, self.owner.list.encoded)

    async def close(self) -> None:
        await self.directory.close()

    async def list_of(self, number: Number) -> VerifiedDeviceList:
        """What the real directory says."""
        return verify_list((await self.directory.lists(number))[-1], CRYPTO, self.world.clock())

    async def seal(
        self,
        to: Number,
        text: str = "",
        *,
        body: bytes | None = None,
        message_id: MessageId | None = None,
        claim_number: Number | None = None,
        header_to: Number | None = None,
        header_id: MessageId | None = None,
        conversation_with: Number | None = None,
        sender_head: bytes | None = None,
        recipient_head: bytes | None = None,
        sequence: int | None = None,
        lamport: int | None = None,
        asker: Attacker | None = None,
    ) -> tuple[MessageId, bytes]:
        """The id and the frame of a message for all devices of `to`; the rest are the lies.

        `claim_number` is the sender's number inside the encryption, `header_to` the recipient's, `header_id` the
        message's id, `conversation_with` and `to` the two ends of the conversation. `asker` fetches the pre-keys.
        """
        me = Party(claim_number or self.owner.number, self.owner.account, DeviceId(1))
        recipient = await self._recipient(asker or self, to, me)
        identifier = message_id or new_message_id(os.urandom)
        self.sequence += 1
        header = Header(
            sender=me,
            recipient=me,  # the protocol puts the real one in
            conversation=conversation_of(conversation_with or me.number, header_to or to),
            message_id=header_id or identifier,
            lamport=self.sequence if lamport is None else lamport,
            sequence=self.sequence if sequence is None else sequence,
            seen=(),
            sender_list_head=sender_head or self.owner.list.head,
            recipient_list_head=recipient.list_head,
        )
        recipient = dataclasses.replace(
            recipient, number=header_to or to, list_head=recipient_head or recipient.list_head
        )
        content = Content(header, encode_text(text, self.world.clock()) if body is None else body)
        protocol = self._protocol(me)
        (sealed,) = protocol.seal(self.memory, content, (recipient,), self.world.clock(), os.urandom)
        self.memory.apply(sealed.writes)
        frame = WireFrame(
            sender_account=self.owner.account,
            sender_device=DeviceId(1),
            recipient_account=recipient.account,
            device_list=self.owner.list.encoded,
            copies=tuple(FrameCopy(copy.device, copy.type, copy.ciphertext) for copy in sealed.copies),
        )
        return identifier, encode_frame(frame)

    async def sends(self, to: Number, text: str = "", *, sender: Number | None = None, **lies: object) -> MessageId:
        """Seal, and have the carrier deliver it as from `sender`, by default the attacker's own number."""
        identifier, frame = await self.seal(to, text, **lies)  # type: ignore[arg-type]
        await self.world.forge(to, frame, sender=sender or self.owner.number, message_id=identifier)
        return identifier

    async def _recipient(self, asker: Attacker, to: Number, me: Party) -> Recipient:
        recipient = recipient_of(await asker.list_of(to))
        needed = {need.device for need in self._protocol(me).needs(self.memory, (recipient,), self.world.clock())}
        devices = []
        for device in recipient.devices:
            material = await asker.directory.bundle(to, recipient.account, device.id) if device.id in needed else None
            devices.append(dataclasses.replace(device, material=material))
        return dataclasses.replace(recipient, devices=tuple(devices))

    def _protocol(self, me: Party) -> SignalProtocol:
        primary = self.owner.primary
        identity = IdentityKeyPair.of(CRYPTO, primary.identity_private)
        return SignalProtocol(CRYPTO, me, identity, LIBSIGNAL_LIMITS, registration_id=primary.registration_id)
