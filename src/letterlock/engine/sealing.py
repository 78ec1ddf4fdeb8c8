"""From a message to encrypted frames in the outbox: recipients, key material, header, protocol, frame."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ..codec.frame import FrameCopy, WireFrame, encode_frame
from ..errors import CryptoError, IdentityChanged, ProtocolError
from ..ids import ChatName, DeviceId, MessageId
from ..seam import Content, DeviceProtocol, Header, MaterialNeeded, Party, Recipient, Sealed, Seen
from . import fetching
from .chats import conversation
from .core import Core
from .events import ProtocolNoted
from .record_values import Contact
from .records import material_key
from .step import Turn

__all__ = ["Letter", "NotReady", "seal", "settled_devices"]


class NotReady(Exception):
    """Key material is missing; it was asked for."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be encrypted for one recipient."""

    message_id: MessageId
    lamport: int
    sequence: int
    seen: tuple[Seen, ...]
    body: bytes
    conversation_with: ChatName


def seal(
    core: Core,
    turn: Turn,
    protocol: DeviceProtocol,
    letter: Letter,
    recipient: Recipient,
    own: Contact,
    *,
    may_skip: bool = False,
) -> tuple[bytes, tuple[DeviceId, ...], tuple[DeviceId, ...]]:
    """The frame, the devices that it has copies for, and with `may_skip` those left out for want of key material.

    The new protocol state is staged. Raises NotReady, with the look-ups asked for.
    """
    recipient, skipped = _equip(core, turn, protocol, recipient, may_skip)
    header = Header(
        sender=core.me,
        recipient=Party(recipient.number, recipient.account, recipient.devices[0].id),
        conversation=conversation(core.me.number, letter.conversation_with),
        message_id=letter.message_id,
        lamport=letter.lamport,
        sequence=letter.sequence,
        seen=letter.seen,
        sender_list_head=own.head,
        recipient_list_head=recipient.list_head,
    )
    try:
        sealed = protocol.seal(turn.staged, Content(header, letter.body), (recipient,), turn.now, turn.rng)
    except (CryptoError, ProtocolError) as error:
        _refused(core, turn, protocol, letter.conversation_with, recipient, error)
        raise NotReady from error
    for device in recipient.devices:
        if device.material is not None:
            # A one-time bundle serves one session (SR-13).
            turn.staged.delete(material_key(recipient.account, device.id))
    return _frame(core, turn, sealed, own), tuple(device.id for device in recipient.devices), skipped


def settled_devices(
    core: Core, turn: Turn, protocol: DeviceProtocol, recipient: Recipient, only: Collection[DeviceId] | None = None
) -> Recipient | None:
    """The recipient reduced to devices that need no key material (of `only`); None when there are none."""
    devices = tuple(
        device
        for device in recipient.devices
        if (only is None or device.id in only)
        and not (recipient.account == core.me.account and device.id == core.me.device)
    )
    if not devices:
        return None
    needed = {
        need.device
        for need in protocol.needs(turn.staged, (replace(recipient, devices=devices),), turn.now)
        if need.account == recipient.account
    }
    devices = tuple(device for device in devices if device.id not in needed)
    return replace(recipient, devices=devices) if devices else None


def _equip(
    core: Core, turn: Turn, protocol: DeviceProtocol, recipient: Recipient, may_skip: bool
) -> tuple[Recipient, tuple[DeviceId, ...]]:
    """The recipient with the key material that the protocol needs for it."""
    needed = protocol.needs(turn.staged, (recipient,), turn.now)
    if not needed:
        return recipient, ()
    found: dict[DeviceId, bytes] = {}
    overdue: set[DeviceId] = set()
    ready = True
    for need in needed:
        material = turn.staged.get(material_key(need.account, need.device))
        if material is not None:
            found[need.device] = material
        elif may_skip and _is_overdue(core, turn, need):
            overdue.add(need.device)
            fetching.material(core, turn, need)
        else:
            ready = False
            fetching.material(core, turn, need)
    devices = tuple(
        replace(device, material=found[device.id]) if device.id in found else device
        for device in recipient.devices
        if device.id not in overdue
    )
    if not ready or not devices:
        raise NotReady
    return replace(recipient, devices=devices), tuple(overdue)


def _is_overdue(core: Core, turn: Turn, need: MaterialNeeded) -> bool:
    started = fetching.started(turn, need)
    # A time to come was written before the clock was set back.
    return started is not None and not 0 <= turn.now - started < core.limits.material_patience_ms


def _refused(
    core: Core,
    turn: Turn,
    protocol: DeviceProtocol,
    chat: ChatName,
    recipient: Recipient,
    error: CryptoError | ProtocolError,
) -> None:
    """A bundle that does not hold (SR-12), or a session for a key that is no longer listed: begin afresh, with back-off."""
    other_key = isinstance(error, IdentityChanged)
    fetched = any(device.material is not None for device in recipient.devices)
    for device in recipient.devices:
        peer = Party(recipient.number, recipient.account, device.id)
        if other_key:
            turn.staged.merge(protocol.on_rejected(turn.staged, peer, turn.now))
        if device.material is not None:
            turn.staged.delete(material_key(recipient.account, device.id))
            fetching.failed(core, turn, MaterialNeeded(recipient.number, recipient.account, device.id))
    # An old session for a key that was listed before is no news: the list's change was told. That somebody hands out
    # a bundle with a key that the list does not name is (SR-04).
    if fetched or not other_key:
        turn.tell(ProtocolNoted(chat, protocol.name, f"seal-refused:{error.code}"))


def _frame(core: Core, turn: Turn, sealed: tuple[Sealed, ...], own: Contact) -> bytes:
    (one,) = sealed
    turn.staged.merge(one.writes)
    return encode_frame(
        WireFrame(
            sender_account=core.me.account,
            sender_device=core.me.device,
            recipient_account=one.recipient.account,
            device_list=own.list.encoded if one.introduces else b"",
            copies=tuple(FrameCopy(copy.device, copy.type, copy.ciphertext) for copy in one.copies),
        )
    )
