"""The front of the conversation engine: one class, every method a pure step.

Methods take the state, an input, the time and a random source, and return a `Step`: commit its
writes, then perform its effects. They raise only on the caller's own account (InputError,
NotEncrypted, TrustRequired); whatever comes from outside becomes events.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..crypto.provider import CryptoProvider
from ..ids import Instant, MessageId, Number, Rng
from ..seam import EncryptionProtocol, MaterialNeeded, Party, Publish, State
from .carriage import Inbound, NetworkResult
from .content import Text
from .limits import DEFAULTS, EngineLimits, Privacy
from .policy import PlainOption
from .security import Security
from .step import Step

__all__ = ["Engine"]


class Engine:
    """The engine of one device, `me`. It holds no state: several engines over one state are one engine."""

    def __init__(
        self,
        me: Party,
        crypto: CryptoProvider,
        protocols: Sequence[EncryptionProtocol],
        *,
        limits: EngineLimits = DEFAULTS,
        privacy: Privacy = Privacy(),  # noqa: B008 - a frozen value
    ) -> None:
        self.me = me

    # --- life ------------------------------------------------------------------------------------------
    def adopt_list(self, state: State, signed: bytes, now: Instant, rng: Rng) -> Step[None]:
        """Take our own signed device list (a new profile, or the primary made a new one). Needed before anything is sent.

        Raises DeviceListError when it does not verify or does not follow the one we have, InputError when
        it is not ours or does not list this device.
        """
        raise NotImplementedError

    def start(self, state: State, now: Instant, rng: Rng) -> Step[None]:
        """The process has (re)started: ask again for everything that is pending, run all timers."""
        raise NotImplementedError

    def on_timer(self, state: State, now: Instant, rng: Rng) -> Step[None]:
        """The time of a WakeAt has come."""
        raise NotImplementedError

    def rolled_back(self, state: State, now: Instant, rng: Rng) -> Step[None]:
        """The user took an older copy of the store into use: say so, and retire every session of every contact (SR-06)."""
        raise NotImplementedError

    # --- sending -----------------------------------------------------------------------------------------
    def open_chat(self, state: State, number: Number, now: Instant, rng: Rng) -> Step[Security]:
        """Make sure that the chat exists and that its keys are being looked up. Raises InputError for our own number."""
        raise NotImplementedError

    def send(
        self,
        state: State,
        number: Number,
        content: Text,
        now: Instant,
        rng: Rng,
        *,
        allow: PlainOption | None = None,
        wait: bool = True,
    ) -> Step[MessageId]:
        """Store a message for sending; with the effects performed it is on its way.

        While keys are unknown (`checking`) the message waits, encrypted later or expired; with `wait=False`
        that raises NotEncrypted too. `allow` is one of the options of a NotEncrypted of this chat (SR-01).
        Raises NotEncrypted, TrustRequired (a verified contact's keys changed) or InputError.
        """
        raise NotImplementedError

    def release(self, state: State, number: Number, allow: PlainOption, now: Instant, rng: Rng) -> Step[int]:
        """Send the messages that wait in this chat unencrypted, by the user's decision; gives their number.

        Raises NotEncrypted when the option is not of this chat and this transition.
        """
        raise NotImplementedError

    def options(self, state: State, number: Number) -> tuple[PlainOption, ...]:
        """What the user may choose in this chat now: what a NotEncrypted would carry."""
        raise NotImplementedError

    def typing(self, state: State, number: Number, active: bool, now: Instant, rng: Rng) -> Step[None]:
        """Tell the peer, if the chat is settled and encrypted; silently nothing otherwise or when too often."""
        raise NotImplementedError

    def mark_displayed(self, state: State, number: Number, message_id: MessageId, now: Instant, rng: Rng) -> Step[None]:
        """The user has seen a received message: send the display receipt, once. Nothing for an unknown id."""
        raise NotImplementedError

    # --- the world answers ---------------------------------------------------------------------------------
    def received(self, state: State, inbound: Inbound, now: Instant, rng: Rng) -> Step[None]:
        """Something came from the network. Acknowledge it after the commit, whatever it was."""
        raise NotImplementedError

    def on_network(self, state: State, row: str, result: NetworkResult, now: Instant, rng: Rng) -> Step[None]:
        """The network answered a Transmit."""
        raise NotImplementedError

    def on_lists(
        self, state: State, number: Number, lists: Sequence[bytes] | None, now: Instant, rng: Rng
    ) -> Step[None]:
        """The directory answered FetchLists: signed lists, oldest first; empty when it knows none (or none newer);
        None when it could not be asked."""
        raise NotImplementedError

    def on_material(
        self, state: State, needed: MaterialNeeded, material: bytes | None, now: Instant, rng: Rng
    ) -> Step[None]:
        """The directory answered FetchMaterial; None when there is none or it could not be asked."""
        raise NotImplementedError

    def on_published(
        self, state: State, protocol: str, publish: Publish, remaining: int | None, now: Instant, rng: Rng
    ) -> Step[None]:
        """The directory took a PublishMaterial; `remaining` one-time keys are there if it said so."""
        raise NotImplementedError

    # --- trust -----------------------------------------------------------------------------------------------
    def security(self, state: State, number: Number, now: Instant) -> Security:
        """The state of the chat."""
        raise NotImplementedError

    def mark_verified(self, state: State, number: Number, account: bytes, now: Instant, rng: Rng) -> Step[None]:
        """The user compared the security code of exactly this account with the contact.

        Raises TrustRequired when the contact has other keys by now, InputError when there are none.
        """
        raise NotImplementedError

    def accept_keys(self, state: State, number: Number, now: Instant, rng: Rng) -> Step[None]:
        """The user has seen the new keys and goes on without verifying ("send anyway")."""
        raise NotImplementedError
