"""`EpochState`: a member's secrets of one epoch, and what remains of the epochs before."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...ids import Instant
from ..schedule.key_schedule import EpochSecrets
from ..schedule.secret_tree import SecretTree
from ..wire.leaf_node import LeafNode

__all__ = ["EpochKeys", "EpochState", "PastEpochState"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EpochKeys:
    """The secrets of table 4 without encryption_secret, which the secret tree consumes at once (section 9.2)."""

    sender_data_secret: bytes
    exporter_secret: bytes
    external_secret: bytes
    confirmation_key: bytes
    membership_key: bytes
    resumption_psk: bytes
    epoch_authenticator: bytes
    init_secret: bytes

    @classmethod
    def of(cls, secrets: EpochSecrets) -> EpochKeys:
        return cls(
            secrets.sender_data_secret,
            secrets.exporter_secret,
            secrets.external_secret,
            secrets.confirmation_key,
            secrets.membership_key,
            secrets.resumption_psk,
            secrets.epoch_authenticator,
            secrets.init_secret,
        )


@dataclass(slots=True, eq=False, repr=False)
class EpochState:
    """The current epoch. `private_keys` has the keys of our leaf and of the parents above it that we know."""

    own_leaf: int
    keys: EpochKeys
    messages: SecretTree
    private_keys: dict[int, bytes]


@dataclass(slots=True, eq=False, repr=False)
class PastEpochState:
    """Enough of an ended epoch to read late application messages, and to prove that we were in it."""

    epoch: int
    ended_at: Instant
    own_leaf: int
    digest: bytes
    """SHA-256 of the commit that ended it: another commit for the same epoch is a fork."""
    resumption_psk: bytes
    sender_data_secret: bytes
    context: bytes
    """The encoded GroupContext that signatures of that epoch cover."""
    messages: SecretTree | None
    """None when late messages are no longer read and only the resumption PSK is kept."""
    replaced: dict[int, LeafNode | None] = field(default_factory=dict)
    """Leaves of that epoch that the ending commit changed; all others are found in the epochs after it."""
