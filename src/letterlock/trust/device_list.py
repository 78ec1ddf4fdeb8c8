"""Device lists: which devices speak for a number, signed by its participant key (SR-04, SR-22).

Lists of one account form a chain: each names the head (hash) of the one before it. They expire after
at most 30 days. `verify_list` is for a list met by itself (first contact, a new account);
`verify_successor` for all later ones. Only these build a `VerifiedDeviceList`.
The bytes are in `signed_list`. Normative text and vectors: docs/spec/device-list.md.
"""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field

from .. import ids
from ..crypto.provider import CryptoProvider
from ..errors import CryptoError, DecodeError, DeviceListError
from ..ids import AccountId, DeviceId, Instant, Number
from ..seam import Device, Recipient
from . import ecdsa, labels
from .device_entry import DeviceEntry, check_entry
from .signed_list import LIMITS, NO_HEAD, PRIMARY, DeviceList, ListLimits, decode_list, encode_body, head_of

__all__ = [
    "DeviceChanges",
    "VerifiedDeviceList",
    "changes_between",
    "from_store",
    "recipient_of",
    "verify_evidence",
    "verify_list",
    "verify_successor",
]

_verified = object()


@dataclass(frozen=True, slots=True)
class VerifiedDeviceList:
    """A list whose signature and every counter-signature held when it was verified.

    Built by `verify_list`, `verify_successor`, `verify_evidence` and `from_store` only. It may have expired since: ask `expired`.
    """

    content: DeviceList
    encoded: bytes = field(repr=False)
    head: bytes
    account: AccountId
    token: InitVar[object]

    def __post_init__(self, token: object) -> None:
        # An InitVar, so that dataclasses.replace cannot carry the mark over to other content.
        if token is not _verified:
            raise TypeError("only verify_list, verify_successor and from_store make a VerifiedDeviceList")

    @property
    def number(self) -> Number:
        return self.content.number

    @property
    def participant_spki(self) -> bytes:
        return self.content.participant_spki

    @property
    def serial(self) -> int:
        return self.content.serial

    @property
    def expires(self) -> Instant:
        return self.content.expires

    @property
    def devices(self) -> tuple[DeviceEntry, ...]:
        return self.content.devices

    def device(self, device: DeviceId) -> DeviceEntry | None:
        """The entry of a device, or None if it is not listed."""
        return next((entry for entry in self.devices if entry.device == device), None)

    def expired(self, now: Instant) -> bool:
        """Whether the list may no longer be used to seal or open (SR-22)."""
        return now >= self.expires


@dataclass(frozen=True, slots=True)
class DeviceChanges:
    """What a newer list changed; every change is shown to the user (SR-04)."""

    added: tuple[DeviceId, ...]
    removed: tuple[DeviceId, ...]
    rekeyed: tuple[DeviceId, ...]
    """Same id, other keys."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.rekeyed)


def verify_list(data: bytes, crypto: CryptoProvider, now: Instant, limits: ListLimits = LIMITS) -> VerifiedDeviceList:
    """Check a list by itself: form, times, keys, counter-signatures, signature.

    It proves that the holder of *some* participant key speaks; whether that is the expected one is the
    caller's question (`account`, `number`). Raises DeviceListError and nothing else.
    """
    verified = _verify(data, crypto, limits)
    _check_current(verified.content, now, limits)
    return verified


def verify_successor(
    old: VerifiedDeviceList,
    chain: Iterable[bytes],
    crypto: CryptoProvider,
    now: Instant,
    limits: ListLimits = LIMITS,
) -> VerifiedDeviceList:
    """Follow the lists after `old`, oldest first, and return the newest; lists equal to a known one are skipped.

    Only the newest must be unexpired. Raises DeviceListError: `device_list.replay` for an older serial,
    `device_list.fork` for two lists of one serial, `device_list.gap` where lists are missing (fetch
    the chain since `old.serial`), `device_list.other_account` for another participant key or number,
    `device_list.expired` (SR-22), or what `verify_list` raises.
    """
    newest = old
    for count, data in enumerate(chain):
        if count >= limits.max_chain:
            raise DeviceListError(f"chain of more than {limits.max_chain} lists", code="device_list.limit")
        # Nothing is gained by checking again what has been checked, and a frame often carries the known list.
        if hmac.compare_digest(head_of(data), newest.head):
            continue
        verified = _verify(data, crypto, limits)
        _check_follows(newest.content, newest.head, verified.content)
        newest = verified
    _check_current(newest.content, now, limits)
    return newest


def verify_evidence(data: bytes, crypto: CryptoProvider, limits: ListLimits = LIMITS) -> VerifiedDeviceList:
    """Check a list that may have expired or been replaced: it proves that these keys were the account's at some time.

    For signatures made back then; whoever uses it to encrypt or to open brings a removed device back (SR-22).
    Raises DeviceListError and nothing else.
    """
    return _verify(data, crypto, limits)


def from_store(data: bytes) -> VerifiedDeviceList:
    """Take back a list that this device verified before it stored it. Never call it on bytes from outside.

    Raises DecodeError if the stored bytes are damaged.
    """
    return _mark(decode_list(data, LIMITS), data)


def changes_between(old: VerifiedDeviceList, new: VerifiedDeviceList) -> DeviceChanges:
    """What changed from one list to a later one."""
    before = {entry.device: (entry.identity_key, entry.mls_signature_key) for entry in old.devices}
    after = {entry.device: (entry.identity_key, entry.mls_signature_key) for entry in new.devices}
    return DeviceChanges(
        added=tuple(device for device in after if device not in before),
        removed=tuple(device for device in before if device not in after),
        rekeyed=tuple(device for device in after if device in before and after[device] != before[device]),
    )


def recipient_of(verified: VerifiedDeviceList) -> Recipient:
    """The list as encryption protocols see it: devices with their keys by protocol name."""
    return Recipient(
        number=verified.number,
        account=verified.account,
        devices=tuple(
            Device(
                id=entry.device,
                keys={"signal": entry.identity_key}
                | ({"rcc16": entry.mls_signature_key} if entry.mls_signature_key else {}),
                capabilities=frozenset(entry.capabilities),
            )
            for entry in verified.devices
        ),
        list_head=verified.head,
    )


# --- checks ------------------------------------------------------------------------------------
def _verify(data: bytes, crypto: CryptoProvider, limits: ListLimits) -> VerifiedDeviceList:
    """Everything but the question whether the list is current."""
    try:
        content = decode_list(data, limits)
    except DecodeError as error:
        raise DeviceListError(f"malformed device list: {error}", code="device_list.malformed") from error
    _check_form(content, limits)
    point = _participant_point(content.participant_spki, crypto)
    if not ecdsa.is_canonical(content.signature):
        raise DeviceListError("signature is not in its one form", code="device_list.signature")
    try:
        crypto.p256_verify(point, labels.DEVICE_LIST_SIGNATURE + encode_body(content), content.signature)
    except CryptoError as error:
        raise DeviceListError("signature of the device list does not hold", code="device_list.signature") from error
    for entry in content.devices:
        check_entry(entry, content.number, content.participant_spki, crypto)
    return _mark(content, data)


def _check_form(content: DeviceList, limits: ListLimits) -> None:
    if content.serial < 1:
        raise DeviceListError("serials start at 1", code="device_list.serial")
    if (content.serial == 1) != (content.previous_head == NO_HEAD):
        raise DeviceListError("only the first list has no previous head", code="device_list.previous_head")
    if not content.issued < content.expires <= content.issued + limits.max_lifetime_ms:
        raise DeviceListError("device list lives too long or not at all", code="device_list.lifetime")
    devices = [entry.device for entry in content.devices]
    if not devices or devices[0] != PRIMARY:
        raise DeviceListError("the primary device is missing", code="device_list.primary")
    if any(a >= b for a, b in itertools.pairwise(devices)):
        raise DeviceListError("devices are not in order, each once", code="device_list.order")
    # Two entries with one key would let one device answer for another.
    for keys in (
        [entry.identity_key for entry in content.devices],
        [entry.mls_signature_key for entry in content.devices if entry.mls_signature_key],
    ):
        if len(set(keys)) != len(keys):
            raise DeviceListError("one key is listed for two devices", code="device_list.same_key")
    if any(entry.added_at > content.issued for entry in content.devices):
        raise DeviceListError("a device was added after the list was issued", code="device_list.added_at")


def _check_current(content: DeviceList, now: Instant, limits: ListLimits) -> None:
    if content.issued > now + limits.clock_skew_ms:
        raise DeviceListError(
            "device list is from the future",
            code="device_list.future",
            hint="check the clock of both devices",
        )
    if now >= content.expires:
        raise DeviceListError(
            "device list has expired",
            code="device_list.expired",
            hint="the owner's primary device has to be online to renew it",
        )


def _check_follows(old: DeviceList, old_head: bytes, new: DeviceList) -> None:
    if new.number != old.number or new.participant_spki != old.participant_spki:
        raise DeviceListError("list of another account", code="device_list.other_account")
    if new.serial < old.serial:
        raise DeviceListError("an older device list was sent again", code="device_list.replay")
    if new.serial == old.serial:
        raise DeviceListError("two device lists with one serial", code="device_list.fork")
    if new.serial > old.serial + 1:
        raise DeviceListError("device lists in between are missing", code="device_list.gap")
    if not hmac.compare_digest(new.previous_head, old_head):
        raise DeviceListError("device list does not continue the known one", code="device_list.chain")
    if new.issued < old.issued:
        raise DeviceListError("device list was issued before the one it follows", code="device_list.issued")


def _participant_point(spki: bytes, crypto: CryptoProvider) -> bytes:
    try:
        point = crypto.p256_from_spki(spki)
        # One key, one encoding: the account id hashes these bytes.
        canonical = crypto.p256_spki(point) == spki
    except CryptoError as error:
        raise DeviceListError("participant key is not a P-256 key", code="device_list.participant_key") from error
    if not canonical:
        raise DeviceListError("participant key is not in its one form", code="device_list.participant_key")
    return point


def _mark(content: DeviceList, data: bytes) -> VerifiedDeviceList:
    return VerifiedDeviceList(content, data, head_of(data), ids.account_id(content.participant_spki), _verified)
