"""The seam between the conversation engine and the encryption protocols, and how state is staged.

`EncryptionProtocol` is all the engine knows of `signal`, `rcc16` or any later protocol. It has two shapes: a
`DeviceProtocol` encrypts for one device after the other (`signal`), a `ConversationProtocol` for whoever is in a
conversation, whose members it keeps itself (`rcc16`; conversation_seam/). This module holds the first and the values
that cross it, and lies below both sides so that neither imports the other (docs/decisions/0002, 0010).

State is a set of records. A `RecordKind` says how one sort of value becomes bytes; a `Key` names one
record. A step reads a `State`, writes to a `Staged` copy, and hands the `Writes` back: nothing
changes until the caller commits them, with the effects, in one transaction (SR-06, SR-07).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from .ids import AccountId, ConversationId, DeviceId, Instant, MessageId, Number, Rng

__all__ = [
    "SEARCH",
    "Content",
    "Device",
    "DeviceProtocol",
    "EncryptionProtocol",
    "Envelope",
    "Frame",
    "Header",
    "Key",
    "MaterialNeeded",
    "Opened",
    "Party",
    "Publish",
    "Recipient",
    "RecordKind",
    "Rejected",
    "Rejection",
    "Sealed",
    "SealedFor",
    "Seen",
    "Staged",
    "State",
    "TimerStep",
    "Writes",
]

T = TypeVar("T")


# --- records ---------------------------------------------------------------------------------------
class RecordKind(Generic[T]):
    """One sort of record: its name (the first part of its keys) and its two codec functions."""

    __slots__ = ("decode", "encode", "name")

    def __init__(self, name: str, encode: Callable[[T], bytes], decode: Callable[[bytes], T]) -> None:
        self.name = name
        self.encode = encode
        self.decode = decode

    def key(self, *parts: str) -> Key[T]:
        """The key of one record. Parts hold no slash; keys sort as text, so pad numbers with zeros."""
        return Key(self, "/".join((self.name, *parts)))


class Key(Generic[T]):
    """The full name of one record. Equal and hashed by name alone."""

    __slots__ = ("kind", "name")

    def __init__(self, kind: RecordKind[T], name: str) -> None:
        self.kind = kind
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Key({self.name})"


SEARCH: RecordKind[str] = RecordKind("search", str.encode, bytes.decode)
"""What a message is found by: text, at `search/CHAT/ORDER`. It is written like a record and never read as one: a store
with an index for text puts it there, in the same transaction as all else."""

Writes = dict[Key[Any], Any]
"""What a step wants stored: key to new value, or to None to delete it. Values are never changed afterwards."""


class State(Protocol):
    """What a step may read. Values are shared: treat them as frozen."""

    def get(self, key: Key[T]) -> T | None:
        """The record, or None."""
        ...

    def scan(self, kind: RecordKind[T], prefix: str = "") -> Iterable[Key[T]]:
        """The keys of a kind in text order whose part behind the kind's name starts with `prefix`."""
        ...


class Staged:
    """A private overlay over a State: reads fall through, writes stay here until the caller commits them.

    `reads` names every key that was looked at below, for the version check at commit.
    """

    __slots__ = ("_below", "reads", "writes")

    def __init__(self, below: State) -> None:
        self._below = below
        self.writes: Writes = {}
        self.reads: set[Key[Any]] = set()

    def get(self, key: Key[T]) -> T | None:
        if key in self.writes:
            value: T | None = self.writes[key]
            return value
        self.reads.add(key)
        return self._below.get(key)

    def before(self, key: Key[T]) -> T | None:
        """The record as it was when this began."""
        return self._below.get(key)

    def put(self, key: Key[T], value: T) -> None:
        self.writes[key] = value

    def delete(self, key: Key[Any]) -> None:
        self.writes[key] = None

    def merge(self, writes: Mapping[Key[Any], Any]) -> None:
        """Take over the writes of an inner step."""
        self.writes.update(writes)

    def scan(self, kind: RecordKind[T], prefix: str = "") -> Iterable[Key[T]]:
        start = f"{kind.name}/{prefix}"
        names = {key.name: key for key in self._below.scan(kind, prefix)}
        for key, value in self.writes.items():
            if key.name.startswith(start):
                if value is None:
                    names.pop(key.name, None)
                else:
                    names[key.name] = key
        return [names[name] for name in sorted(names)]


# --- who -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Party:
    """An authenticated end of a message: number, account and device."""

    number: Number
    account: AccountId
    device: DeviceId


@dataclass(frozen=True, slots=True)
class Device:
    """One entry of a verified device list, as a protocol sees it.

    `keys` maps protocol name to the device's public key for it (`signal`: 0x05 and 32 bytes).
    `material` is what `needs` asked for, once fetched (`signal`: a pre-key bundle), else None.
    """

    id: DeviceId
    keys: Mapping[str, bytes]
    capabilities: frozenset[str] = frozenset()
    material: bytes | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """All devices of one account that a message goes to, from a verified list whose hash is `list_head` (32 bytes)."""

    number: Number
    account: AccountId
    devices: tuple[Device, ...]
    list_head: bytes


# --- what --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Seen:
    """The last sequence that the sender has seen, without a gap, from one device in this conversation."""

    account: AccountId
    device: DeviceId
    sequence: int


@dataclass(frozen=True, slots=True)
class Header:
    """The inner header: authenticated for every message (SR-03). The recipient device is filled in per copy.

    `sequence` counts content per (sending device, conversation) from 1; it is 0 for control (receipts,
    typing, requests), which takes no place in the order. `lamport` orders content across senders.
    """

    sender: Party
    recipient: Party
    conversation: ConversationId
    message_id: MessageId
    lamport: int
    sequence: int
    seen: tuple[Seen, ...]
    sender_list_head: bytes
    recipient_list_head: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """Header and body: a MIME entity (header fields, empty line, body) that only the ends see."""

    header: Header
    body: bytes = field(repr=False)


# --- sealing -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class MaterialNeeded:
    """Key material to fetch before `seal` can succeed: for `signal`, a pre-key bundle of this device."""

    number: Number
    account: AccountId
    device: DeviceId


@dataclass(frozen=True, slots=True)
class SealedFor:
    """One device's copy. `type` is the protocol's own (`signal`: 2 message, 3 pre-key message)."""

    device: DeviceId
    type: int
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """The copies for one recipient, and the state after. `introduces` asks the carriage to add the sender's list."""

    recipient: Recipient
    copies: tuple[SealedFor, ...]
    writes: Writes
    introduces: bool = False


# --- opening -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Envelope:
    """What the carriage claims about a frame. Nothing here is authenticated."""

    sender: Number
    recipient: Number
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class Frame:
    """Our device's copy of an incoming frame. `sender_device` comes from the sender's verified list, not the frame."""

    envelope: Envelope
    sender: Party
    sender_device: Device
    recipient: Party
    type: int
    ciphertext: bytes


class Rejection(enum.Enum):
    """Why a frame was not read; the value is its stable code."""

    DUPLICATE = "duplicate"
    TOO_FAR_AHEAD = "too_far_ahead"
    BAD_MAC = "bad_mac"
    UNKNOWN_PREKEY = "unknown_prekey"
    NO_SESSION = "no_session"
    IDENTITY_CHANGED = "identity_changed"
    DOWNGRADE = "downgrade"
    MALFORMED = "malformed"
    ENVELOPE_MISMATCH = "envelope_mismatch"


@dataclass(frozen=True, slots=True)
class Opened:
    """Content that this sender device authenticated, and the state after. `notes` are protocol facts worth an event."""

    content: Content
    writes: Writes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was read and nothing changes (SR-07). `ask_again` says that a fresh copy could be read."""

    reason: Rejection
    detail: str = ""
    ask_again: bool = False


# --- timers --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Publish:
    """Key material of ours for the directory (`signal`: pre-keys), to be uploaded until `published` is called."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class TimerStep:
    """What a timer changed: state, something to publish, and when to call again."""

    writes: Writes
    publish: Publish | None = None
    next_at: Instant | None = None
    notes: tuple[str, ...] = ()


class EncryptionProtocol(Protocol):
    """What every end-to-end protocol is, whatever its shape. Pure and synchronous: state in, writes out."""

    name: str
    """Stable name, also the capability that a device list carries: `signal`, `rcc16`."""

    def rolled_back(self, state: State) -> Writes:
        """The state is an old copy: forget for good whatever may have been used after it was made (SR-06)."""
        ...


class DeviceProtocol(EncryptionProtocol, Protocol):
    """One copy for each device, under a session with it. Every method is pure: errors leave no trace."""

    def needs(self, state: State, recipients: tuple[Recipient, ...], now: Instant) -> tuple[MaterialNeeded, ...]:
        """The material without which `seal` would raise."""
        ...

    def seal(
        self, state: State, content: Content, recipients: tuple[Recipient, ...], now: Instant, rng: Rng
    ) -> tuple[Sealed, ...]:
        """Encrypt one copy per device, one `Sealed` per recipient; a device equal to the sender's own is skipped.

        Apply the writes of all results in order. Raises CryptoError on a
        bundle that does not verify, IdentityChanged when a device's key is not the listed one, ProtocolError otherwise.
        """
        ...

    def open(self, state: State, frame: Frame, now: Instant) -> Opened | Rejected:
        """Decrypt our copy on staged state. Never raises on hostile input."""
        ...

    def on_rejected(self, state: State, peer: Party, now: Instant) -> Writes:
        """The authenticated peer device could not read us: retire the session so that the next `seal` makes a new one."""
        ...

    def on_timer(self, state: State, now: Instant, rng: Rng) -> TimerStep:
        """Rotate, replenish, expire. Called at start and at `next_at`."""
        ...

    def published(self, state: State, publish: Publish, remaining: int | None, now: Instant) -> Writes:
        """The directory took `publish`; `remaining` one-time keys are left there if it said so."""
        ...
