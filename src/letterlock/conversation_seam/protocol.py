"""`ConversationProtocol`: what such a protocol can be asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ..ids import Instant, MessageId, Number, Rng
from ..seam import EncryptionProtocol, State
from .changes import Change
from .letters import Conversation, Letter, Packet
from .progress import Progress
from .requests import Claimed
from .views import ConversationView

__all__ = [
    "ConversationProtocol",
]


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

    def looked_up(self, state: State, number: Number, answer: Claimed, now: Instant, rng: Rng) -> tuple[Progress, bool]:
        """What the server hands out for a number now, because people are about to compare keys: noticed, and used for
        nothing. Whether there was a key that holds."""
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
