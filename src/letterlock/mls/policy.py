"""Every limit and choice that RFC 9420 leaves to the application, in one value.

The cores read it and have no defaults of their own. `DEFAULT_POLICY` is what the rest of Letterlock uses
where nothing better is known; RCC.16 brings its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from .wire.proposals import RFC_PROPOSALS, ProposalTypes

__all__ = ["DEFAULT_POLICY", "Policy", "no_padding", "pad_to_buckets"]


def no_padding(length: int) -> int:
    """Adds nothing: the ciphertext tells the length of the content (RFC 9420 section 15.1)."""
    return 0


def pad_to_buckets(length: int) -> int:
    """Padmé: at most 12 % more, and only O(log log n) of the length shows."""
    if length < 32:
        return 32 - length
    exponent = length.bit_length() - 1
    last_bits = exponent - exponent.bit_length()
    mask = (1 << last_bits) - 1
    return -length & mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a client accepts and how it sends. Times are milliseconds unless the name says seconds."""

    public_handshakes: bool
    """Send commits and proposals as PublicMessage (a server can check them) instead of PrivateMessage."""
    accept_public_handshakes: bool
    accept_private_handshakes: bool
    max_message_bytes: int
    max_members: int
    max_lifetime_seconds: int
    """The longest KeyPackage lifetime that is acceptable (RFC 9420 section 7.2)."""
    check_received_lifetimes: bool
    """Whether an Add whose lifetime does not cover `now` is refused; the RFC recommends it."""
    check_tree_lifetimes: bool
    """The same for leaves of a tree that we join. Off for groups whose members may be idle for long."""
    past_epochs: int
    """Epochs whose late application messages can still be read, and"""
    past_epoch_ms: int
    """for how long after they ended."""
    resumption_epochs: int
    """Past epochs whose resumption PSK is kept (RFC 9420 section 8.6)."""
    out_of_order: int
    """Skipped message keys kept for one sender in one epoch."""
    forward: int
    """How far a sender's generation may jump ahead (RFC 9420 section 15.3)."""
    future_messages: int
    """Messages of later epochs that are held until we get there, and"""
    future_bytes: int
    """how many bytes of them at most, and"""
    future_epochs: int
    """from how far ahead."""
    max_proposals: int
    """Proposals of one epoch that are kept for a commit to refer to."""
    passing_proposals: frozenset[int]
    """Custom proposal types that are shown and never kept for a commit (RCC.16 signs receipts with one)."""
    external_commits: bool
    """Whether others may join by themselves, and"""
    resync: bool
    """whether such a join may replace an old leaf of the same client (RFC 9420 section 12.4.3.2)."""
    padding: Callable[[int], int]
    """How many zero bytes to add to content of a given length."""
    proposal_types: ProposalTypes = field(default=RFC_PROPOSALS)


DEFAULT_POLICY: Final = Policy(
    public_handshakes=False,
    accept_public_handshakes=True,
    accept_private_handshakes=True,
    max_message_bytes=64 << 20,
    max_members=100_000,
    max_lifetime_seconds=400 * 86_400,
    check_received_lifetimes=True,
    check_tree_lifetimes=False,
    past_epochs=5,
    past_epoch_ms=3 * 86_400_000,
    resumption_epochs=8,
    out_of_order=1_000,
    forward=10_000,
    future_messages=200,
    future_bytes=8 << 20,
    future_epochs=2,
    max_proposals=10_000,
    passing_proposals=frozenset(),
    external_commits=True,
    resync=True,
    padding=pad_to_buckets,
)
