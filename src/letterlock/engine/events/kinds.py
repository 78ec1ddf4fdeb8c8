"""Every kind of event as one type, and an event with its cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...ids import Instant
from ..groups import events as groups
from . import changes, device, encryption, messages, trust

__all__ = ["Event", "Recorded"]

Event: TypeAlias = (
    messages.MessageReceived
    | messages.MessageSent
    | messages.SmsFromUnknownSender
    | messages.MessageAccepted
    | messages.MessageDelivered
    | messages.MessageDisplayed
    | messages.MessageFailed
    | messages.MessageExpired
    | messages.MessageResent
    | messages.MessageUnreadable
    | messages.ResendRequested
    | messages.MessageMissing
    | changes.MessageEdited
    | changes.MessageDeleted
    | changes.ReactionChanged
    | changes.ChangeRefused
    | groups.GroupCreated
    | groups.GroupJoined
    | groups.MemberAdded
    | groups.MemberRemoved
    | groups.MemberLeft
    | groups.SubjectChanged
    | groups.IconChanged
    | groups.RosterMismatch
    | changes.TypingChanged
    | trust.ContactKeysSeen
    | trust.KeysChanged
    | trust.DeviceListChanged
    | trust.DeviceListRefused
    | trust.SecurityChanged
    | trust.VerificationWithdrawn
    | trust.ChatNamed
    | trust.CapabilitiesChanged
    | trust.OwnListMismatch
    | trust.NumberReset
    | device.PrekeysLow
    | device.SessionWithoutOneTimePrekey
    | encryption.EncryptionStarted
    | encryption.EncryptionEnded
    | encryption.EncryptionStalled
    | encryption.ConversationChangeFailed
    | encryption.ProtocolSwitched
    | device.ProtocolNoted
    | device.StoreRolledBack
    | device.TransferChanged
    | device.ProvisioningChanged
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its cursor and the time when it was recorded."""

    cursor: int
    at: Instant
    event: Event
