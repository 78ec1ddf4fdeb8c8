"""The other shape of the seam: a protocol that keeps the members of a conversation itself (`rcc16`).

A `DeviceProtocol` is told for whom to encrypt. Here the members are the protocol's own matter: who is in the MLS group
is what its commits say, and the engine shows what the protocol reports. What such a protocol wants done comes back as
values: packets for the transport, requests to the key distribution server, notices for people. Methods are pure and
synchronous; nothing happens before the writes of a step are committed (SR-06), and a hostile input never raises.

The life of a letter: `seal` gives its packet, or says what it waits for; the packet's bytes are sent again unchanged
until every member's signed receipt has come. A letter that a member could not read is asked for by `SendAgain` and
sealed again under a new message id; `root` is what people know it by.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from .ids import GroupId, Instant, MessageId, Number, Rng
from .seam import EncryptionProtocol, State, Writes

__all__ = [
    "AddMembers",
    "Change",
    "ChangeFailed",
    "ClaimKeyPackages",
    "ClaimOutcome",
    "Claimed",
    "Conversation",
    "ConversationProtocol",
    "ConversationView",
    "EndEncryption",
    "Ended",
    "HealthMoved",
    "KeyState",
    "KeysSeen",
    "Leave",
    "Letter",
    "LetterFailed",
    "LetterReceipt",
    "LetterReceived",
    "MemberView",
    "MetadataChanged",
    "Notice",
    "Packet",
    "PacketHeader",
    "Progress",
    "PublishKeyPackages",
    "Refusal",
    "RemoveDevice",
    "RemoveMembers",
    "RenewCertificate",
    "Request",
    "Retry",
    "Revive",
    "RosterChanged",
    "Secured",
    "SendAgain",
    "SetMetadata",
    "Stalled",
    "StrangeGroup",
    "Unreadable",
    "UntilWhen",
    "Waits",
]


# --- where ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat with one number (`peer`) or the group at a focus (`group`); exactly one of them is set."""

    peer: Number | None = None
    group: GroupId | None = None


@dataclass(frozen=True, slots=True)
class PacketHeader:
    """A CPIM header beside those of addressing: `namespace` is its URI; prefixes are the writer's matter."""

    namespace: str
    name: str
    value: str


class UntilWhen(enum.Enum):
    """How long the engine sends the same bytes again."""

    ONCE = "once"
    NETWORK = "network"
    """Until the network took it."""
    RECEIPTS = "receipts"
    """Until a signed receipt of every member came, or the letter expired."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One CPIM message. `to` None: to the conversation (its peer, or the conference); a number: to that member alone.

    `dispositions` are the receipts asked for (`positive-delivery`, ...). `large`: never in a pager request.
    """

    conversation: Conversation
    to: Number | None
    message_id: MessageId
    content_type: str
    headers: tuple[PacketHeader, ...]
    body: bytes = field(repr=False)
    dispositions: tuple[str, ...] = ()
    large: bool = False
    until: UntilWhen = UntilWhen.NETWORK


# --- what the engine gives ---------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Letter:
    """Content to encrypt: a MIME entity, and headers of namespaces that travel inside the ciphertext (our ordering).

    `root` is the id under which people know it, equal to `message_id` unless it is sent again. `audience` empty: all
    members; else only receipts of these are waited for (it was asked for again).
    """

    message_id: MessageId
    root: MessageId
    headers: tuple[PacketHeader, ...]
    entity: bytes = field(repr=False)
    audience: tuple[Number, ...] = ()


@dataclass(frozen=True, slots=True)
class AddMembers:
    """Add numbers to a group, all their devices, in one commit."""

    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class RemoveMembers:
    """Remove numbers from a group, all their devices, in one commit."""

    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class RemoveDevice:
    """Take another device of our own number out: `device` is the first 16 bytes of the SHA-256 of its leaf key."""

    device: bytes


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave a group."""


@dataclass(frozen=True, slots=True)
class EndEncryption:
    """The user turns encryption off here. The composer stays closed until the user decides again."""


@dataclass(frozen=True, slots=True)
class Revive:
    """The user turns it on again."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The user wants repair tried again: counters of repair start anew."""


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """A group's subject or icon; None leaves it as it is, an empty one deletes it. An icon is where its ciphertext lies and
    the key of it, as `rcc16.wire.icon_pointer` writes them: fetching and opening it is the client's."""

    subject: str | None = None
    icon: bytes | None = field(default=None, repr=False)


Change: TypeAlias = AddMembers | RemoveMembers | RemoveDevice | Leave | EndEncryption | Revive | Retry | SetMetadata


# --- requests ------------------------------------------------------------------------------------------------
class ClaimOutcome(enum.Enum):
    """What the key distribution server said about a number (rcc16.md 1.8)."""

    SERVED = "served"
    NONE = "none"
    """Nobody of that number has key packages, or none whose certificate lasts."""
    REFUSED = "refused"
    FAILED = "failed"
    """It could not be asked."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer for one number: MLSMessage(KeyPackage) of each of its devices."""

    outcome: ClaimOutcome
    packages: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimKeyPackages:
    """Claim a key package of every device of these numbers; answer with `claimed` under the same `request`."""

    request: str
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class PublishKeyPackages:
    """Upload these instead of what is there; answer with `uploaded`. The last is the one of last resort."""

    request: str
    packages: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RenewCertificate:
    """The certificate nears its end: enrol again with the same keys; answer with `enrolled`."""

    request: str


Request: TypeAlias = ClaimKeyPackages | PublishKeyPackages | RenewCertificate


# --- notices -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Secured:
    """The conversation is encrypted from here on, in this era."""

    conversation: Conversation
    era: int
    by: Number


@dataclass(frozen=True, slots=True)
class LetterReceived:
    """Content that a leaf certified for `sender` has signed. `device` tells that sender's devices apart: SHA-256 of its
    leaf key, 16 bytes. `root`: the id of the letter that this one repeats, else its own."""

    conversation: Conversation
    sender: Number
    device: bytes
    message_id: MessageId
    root: MessageId
    headers: tuple[PacketHeader, ...]
    entity: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LetterReceipt:
    """A member's signed word that a letter of ours was delivered, or displayed."""

    conversation: Conversation
    message_id: MessageId
    member: Number
    displayed: bool


@dataclass(frozen=True, slots=True)
class SendAgain:
    """A member could not read a letter: seal it again under a new id for `member`."""

    conversation: Conversation
    message_id: MessageId
    member: Number


@dataclass(frozen=True, slots=True)
class LetterFailed:
    """A letter of ours will not arrive under this id: the network side refused it for good. `reason` is a stable code."""

    conversation: Conversation
    message_id: MessageId
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something came that could not be read. `repairing`: it is being worked on, and may still be read."""

    conversation: Conversation
    sender: Number | None
    message_id: MessageId
    reason: str
    repairing: bool


@dataclass(frozen=True, slots=True)
class RosterChanged:
    """Members came or went, by a commit of `by`."""

    conversation: Conversation
    by: Number
    added: tuple[Number, ...]
    removed: tuple[Number, ...]
    era: int
    epoch: int


@dataclass(frozen=True, slots=True)
class KeysSeen:
    """A participant key that was not pinned (`before` empty) or another than the pinned one. Told before anything is
    sent to it. `spki` is the new key in DER."""

    number: Number
    spki: bytes
    before: bytes


@dataclass(frozen=True, slots=True)
class MetadataChanged:
    """A group's subject, decrypted, or icon, as in SetMetadata; checked against its commitment. None: not changed by
    this."""

    conversation: Conversation
    by: Number | None
    subject: str | None
    icon: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """Encryption was ended here, by `by` or by ourselves for this reason (rcc16.md 5.7). The composer is closed."""

    conversation: Conversation
    by: Number | None
    reason: str


@dataclass(frozen=True, slots=True)
class HealthMoved:
    """The health machine took an edge of its table (rcc16.md 5.3). `edge` empty: it took none, but what letters waited
    for is over, or has come to nothing: try again."""

    conversation: Conversation
    state: str
    edge: str


@dataclass(frozen=True, slots=True)
class Stalled:
    """Repair is spent: the user has to choose between `Retry` and `EndEncryption`."""

    conversation: Conversation
    reason: str


@dataclass(frozen=True, slots=True)
class StrangeGroup:
    """Whoever orders shows a group of this conversation's name, and nobody whom we know vouches that it is the one we
    were in. These numbers stand there, whom we did not know. It was not entered."""

    conversation: Conversation
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class ChangeFailed:
    """A decision of the user came to nothing: whoever orders refuses it time after time, or somebody has no keys. It is
    not tried any more. `reason` is a stable code."""

    conversation: Conversation
    change: Change
    reason: str


Notice: TypeAlias = (
    Secured
    | LetterReceived
    | LetterReceipt
    | SendAgain
    | LetterFailed
    | Unreadable
    | RosterChanged
    | KeysSeen
    | MetadataChanged
    | Ended
    | HealthMoved
    | Stalled
    | ChangeFailed
    | StrangeGroup
)


# --- what comes back ---------------------------------------------------------------------------------------------
class Waits(enum.Enum):
    """Why a letter cannot be sealed now; each ends by itself, with a `Secured`, `HealthMoved` or `KeysSeen`."""

    SETTING_UP = "setting-up"
    """Key packages are being claimed, or the group is being made or joined."""
    COMMITTING = "committing"
    HEALING = "healing"


class Refusal(enum.Enum):
    """Why a letter is not sealed at all, until a person decides."""

    UNPINNED = "unpinned"
    """A verified member has another participant key."""
    ENDED = "ended"
    LEFT = "left"
    NO_KEYS = "no-keys"
    """Somebody has no key packages: this cannot be encrypted (yet)."""
    NOT_ENROLLED = "not-enrolled"
    """We have no valid certificate."""
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step led to. Commit `writes`, then hand out the rest. `waits` and `refused` answer `seal` only."""

    writes: Writes = field(default_factory=dict)
    packets: tuple[Packet, ...] = ()
    requests: tuple[Request, ...] = ()
    notices: tuple[Notice, ...] = ()
    wake_at: Instant | None = None
    waits: Waits | None = None
    refused: Refusal | None = None


class KeyState(enum.Enum):
    """What we think of a participant key."""

    PINNED = "pinned"
    VERIFIED = "verified"
    NEW = "new"
    """Another than before; the user has not said anything to it."""
    BROKEN = "broken"
    """Another than the one that was verified: nothing is sent."""


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member: `devices` leaves are certified for its number."""

    number: Number
    participant_spki: bytes
    keys: KeyState
    devices: int
    since_epoch: int = 0


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as its MLS group has it. `encrypted` False: never was, or was ended (`ended`)."""

    conversation: Conversation
    encrypted: bool
    ended: bool
    left: bool
    era: int
    epoch: int
    health: str
    members: tuple[MemberView, ...]
    subject: str = ""


class ConversationProtocol(EncryptionProtocol, Protocol):
    """A protocol that keeps its members itself. Every method is a pure step; none raises on what others sent."""

    media_types: frozenset[str]
    """The CPIM content types that are this protocol's; receipts and typing are recognised by their headers."""

    def ready(self, state: State, now: Instant) -> bool:
        """Whether we have a valid certificate and published key packages: then the capability is advertised."""
        ...

    def enrolled(
        self,
        state: State,
        request: str,
        chain: tuple[bytes, ...] | None,
        anchors: tuple[bytes, ...],
        now: Instant,
        rng: Rng,
    ) -> Progress:
        """Our certificate chain in DER, leaf first (None: could not be had now), and the trust anchors in force."""
        ...

    def upgrade(
        self, state: State, conversation: Conversation, members: tuple[Number, ...], now: Instant, rng: Rng
    ) -> Progress:
        """Make it encrypted with these other members; nothing if it is, or is under way."""
        ...

    def seal(self, state: State, conversation: Conversation, letter: Letter, now: Instant, rng: Rng) -> Progress:
        """The packet of a letter (and of what has to go before it), or `waits`, or `refused`."""
        ...

    def displayed(
        self, state: State, conversation: Conversation, message_id: MessageId, sender: Number, now: Instant, rng: Rng
    ) -> Progress:
        """The user has seen a letter: its signed display receipt."""
        ...

    def receive(self, state: State, packet: Packet, sender: Number | None, now: Instant, rng: Rng) -> Progress:
        """Something came. `sender` is whom the carrier asserts, None when nobody or the focus itself.

        A `packet` that is neither of `media_types` nor carries this protocol's headers gives an empty Progress.
        """
        ...

    def network(
        self, state: State, conversation: Conversation, message_id: MessageId, accepted: bool, now: Instant, rng: Rng
    ) -> Progress:
        """The network took a packet, or refused it for good. Acceptance is never more than that."""
        ...

    def claimed(
        self, state: State, request: str, answers: Mapping[Number, Claimed], now: Instant, rng: Rng
    ) -> Progress:
        """The answer to ClaimKeyPackages."""
        ...

    def uploaded(self, state: State, request: str, stored: bool, now: Instant, rng: Rng) -> Progress:
        """The answer to PublishKeyPackages."""
        ...

    def change(self, state: State, conversation: Conversation, change: Change, now: Instant, rng: Rng) -> Progress:
        """A decision of the user. Raises InputError for one that makes no sense (not a member, a group of one's own)."""
        ...

    def described(
        self,
        state: State,
        conversation: Conversation,
        subject: str | None,
        icon: str | None,
        now: Instant,
        rng: Rng,
    ) -> Progress:
        """What the conference says of a group's encrypted subject and icon: the texts of its two descriptions (RCC.16
        7.13.3), None for one that is not there. Anybody at the carrier may have written them."""
        ...

    def trust(self, state: State, number: Number, spki: bytes, verified: bool, now: Instant) -> Progress:
        """The user accepts a participant key, or has compared its security code. Raises TrustRequired for another one."""
        ...

    def on_timer(self, state: State, now: Instant, rng: Rng) -> Progress:
        """Whatever is due: retries, repair, rotation of keys and packages."""
        ...

    def view(self, state: State, conversation: Conversation) -> ConversationView | None:
        """None for a conversation that this protocol has never met."""
        ...
