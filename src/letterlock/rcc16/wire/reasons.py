"""Why a message failed: the reasons of clients and of servers (rcc16.md 4.5), what each asks for, and their receipts.

A negative receipt is a plain IMDN document with one reason inside `<failed>`. At most one arm, of the client or of
the server; legal only on a failed delivery that came unencrypted: what breaks this is refused whole. A bare
`<failed/>` is read as no reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, TypeAlias

from ...codec.imdn import Disposition, Imdn, Status, decode_imdn, encode_imdn
from ...codec.xml import Element, XmlLimits, decode_xml
from ...errors import DecodeError

__all__ = [
    "CLIENT_REMEDIES",
    "SERVER_REMEDIES",
    "ClientReason",
    "ClientRemedy",
    "Reason",
    "Receipt",
    "ServerReason",
    "ServerRemedy",
    "decode_receipt",
    "encode_negative_receipt",
    "token_of",
]


class ClientReason(IntEnum):
    """What a member says."""

    MESSAGE_FROM_NON_MEMBER = 1
    INVALID_CREDENTIAL = 2
    INVALID_COMMIT = 3
    FAILED_TO_DECRYPT = 4
    COMMIT_IN_PRIVATEMESSAGE = 5
    RESENT_MESSAGE_FOR_ME_FAILED_TO_DECRYPT = 6
    """Read and never sent: a deployed peer throws at it and drops the receipt. FAILED_TO_DECRYPT is sent instead."""
    COMMIT_PROCESSED_IN_ENHANCED_SELF_HEAL = 7
    COMMIT_PROCESSED_IN_SELF_HEAL = 8
    COMMIT_FAILED_THEN_ERA_ADVANCEMENT = 9
    CONTROL_MESSAGE_FAILED_DUE_TO_DOWNGRADE = 10
    PROPOSAL_PROCESSED_IN_ENHANCED_SELF_HEAL = 11
    PROPOSAL_PROCESSED_IN_SELF_HEAL = 12
    CONTROL_MESSAGE_FAILED = 13


class ServerReason(IntEnum):
    """What the focus says. 12 to 16 are additions of a deployed peer."""

    INCORRECT_ERA = 1
    INCORRECT_EPOCH = 2
    INCORRECT_EPOCH_AUTHENTICATOR = 3
    EXPIRED_CREDENTIAL = 4
    MISMATCHED_RCS_GROUP_STATE = 5
    UNPARSABLE_COMMIT = 6
    MISMATCHED_CONFIRMATION_TAG = 7
    PENDING_PROPOSAL = 8
    TRANSIENT_ERROR = 9
    ENCRYPTION_NOT_AVAILABLE = 10
    INVALID_COMMIT = 11
    MLS_GROUP_NOT_FOUND = 12
    INVALID_INPUT = 13
    ERA_ADVANCEMENT_QUOTA_REACHED = 14
    MLS_GROUP_HAS_END_MLS = 15
    EPOCH_ADVANCEMENT_QUOTA_REACHED = 16


Reason: TypeAlias = ClientReason | ServerReason


class ClientRemedy(Enum):
    """What the receiver of a client's reason does."""

    SELF_HEAL = "self-heal"
    ESCALATE = "escalate"
    RESEND = "resend"
    NONE = "none"
    CLEAR_STREAK = "clear-streak"
    """Nothing, and the peer's streak of failures ends."""


class ServerRemedy(Enum):
    """What the sender of a refused control message does."""

    SELF_HEAL = "self-heal"
    REPLACE_EXPIRED = "replace-expired"
    """Self-update, a new identity, or a commit that removes the expired one."""
    OWN_BUG = "own-bug"
    COMMIT_PENDING = "commit-pending"
    RETRY_SAME_BYTES = "retry-same-bytes"
    """The only reason that keeps the ciphertext (RCC.16 section 12.8)."""
    NONE = "none"
    CREATE_AGAIN = "create-again"
    RECORD = "record"
    """Keep it for the verdict that ends encryption; no retry."""
    TERMINAL = "terminal"
    NEW_ERA = "new-era"


CLIENT_REMEDIES: Final[dict[ClientReason, ClientRemedy]] = {
    ClientReason.MESSAGE_FROM_NON_MEMBER: ClientRemedy.SELF_HEAL,
    ClientReason.INVALID_CREDENTIAL: ClientRemedy.ESCALATE,
    ClientReason.INVALID_COMMIT: ClientRemedy.ESCALATE,
    ClientReason.FAILED_TO_DECRYPT: ClientRemedy.RESEND,
    ClientReason.COMMIT_IN_PRIVATEMESSAGE: ClientRemedy.ESCALATE,
    ClientReason.RESENT_MESSAGE_FOR_ME_FAILED_TO_DECRYPT: ClientRemedy.RESEND,
    ClientReason.COMMIT_PROCESSED_IN_ENHANCED_SELF_HEAL: ClientRemedy.CLEAR_STREAK,
    ClientReason.COMMIT_PROCESSED_IN_SELF_HEAL: ClientRemedy.CLEAR_STREAK,
    ClientReason.COMMIT_FAILED_THEN_ERA_ADVANCEMENT: ClientRemedy.NONE,
    ClientReason.CONTROL_MESSAGE_FAILED_DUE_TO_DOWNGRADE: ClientRemedy.NONE,
    ClientReason.PROPOSAL_PROCESSED_IN_ENHANCED_SELF_HEAL: ClientRemedy.CLEAR_STREAK,
    ClientReason.PROPOSAL_PROCESSED_IN_SELF_HEAL: ClientRemedy.CLEAR_STREAK,
    ClientReason.CONTROL_MESSAGE_FAILED: ClientRemedy.ESCALATE,
}

SERVER_REMEDIES: Final[dict[ServerReason, ServerRemedy]] = {
    ServerReason.INCORRECT_ERA: ServerRemedy.SELF_HEAL,
    ServerReason.INCORRECT_EPOCH: ServerRemedy.SELF_HEAL,
    ServerReason.INCORRECT_EPOCH_AUTHENTICATOR: ServerRemedy.SELF_HEAL,
    ServerReason.EXPIRED_CREDENTIAL: ServerRemedy.REPLACE_EXPIRED,
    ServerReason.MISMATCHED_RCS_GROUP_STATE: ServerRemedy.SELF_HEAL,
    ServerReason.UNPARSABLE_COMMIT: ServerRemedy.OWN_BUG,
    ServerReason.MISMATCHED_CONFIRMATION_TAG: ServerRemedy.SELF_HEAL,
    ServerReason.PENDING_PROPOSAL: ServerRemedy.COMMIT_PENDING,
    ServerReason.TRANSIENT_ERROR: ServerRemedy.RETRY_SAME_BYTES,
    ServerReason.ENCRYPTION_NOT_AVAILABLE: ServerRemedy.NONE,
    ServerReason.INVALID_COMMIT: ServerRemedy.NONE,
    ServerReason.MLS_GROUP_NOT_FOUND: ServerRemedy.CREATE_AGAIN,
    ServerReason.INVALID_INPUT: ServerRemedy.OWN_BUG,
    ServerReason.ERA_ADVANCEMENT_QUOTA_REACHED: ServerRemedy.RECORD,
    ServerReason.MLS_GROUP_HAS_END_MLS: ServerRemedy.TERMINAL,
    ServerReason.EPOCH_ADVANCEMENT_QUOTA_REACHED: ServerRemedy.NEW_ERA,
}

_CLIENT_ARM: Final = "mls-client-failure-reason"
_SERVER_ARM: Final = "mls-server-failure-reason"


def token_of(reason: Reason) -> str:
    """Its name on the wire: `failed-to-decrypt`."""
    return reason.name.lower().replace("_", "-")


_CLIENT_TOKENS: Final = {token_of(reason): reason for reason in ClientReason}
_SERVER_TOKENS: Final = {token_of(reason): reason for reason in ServerReason}


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt document. `reason` None: none is given, or one that nobody knows."""

    imdn: Imdn
    reason: Reason | None


def encode_negative_receipt(message_id: str, date_time: str, reason: Reason | None) -> bytes:
    """A failed delivery of `message_id`. `date_time` is that of the message, as its sender wrote it."""
    inside = ""
    if reason is not None:
        arm = _CLIENT_ARM if isinstance(reason, ClientReason) else _SERVER_ARM
        inside = f"<{arm}><{token_of(reason)}/></{arm}>"
    return encode_imdn(Imdn(message_id, date_time, Disposition.DELIVERY, Status.FAILED), inside=inside)


def decode_receipt(data: bytes, limits: XmlLimits, *, encrypted: bool = False) -> Receipt:
    """A receipt, positive or negative; `encrypted` for one that came inside an MLS message.

    Raises DecodeError, also for a reason where none may be: more than one, on anything but a failed delivery, or
    inside the encryption.
    """
    imdn = decode_imdn(data, limits)
    found = [element for element in _walk(decode_xml(data, limits)) if element.name in (_CLIENT_ARM, _SERVER_ARM)]
    if not found:
        return Receipt(imdn, None)
    legal = imdn.disposition is Disposition.DELIVERY and imdn.status is Status.FAILED and not encrypted
    if len(found) > 1 or len(found[0].children) > 1 or not legal:
        raise DecodeError("a failure reason where there can be none", code="rcc16.failure_reason")
    if not found[0].children:
        return Receipt(imdn, None)
    token = found[0].children[0].name
    if found[0].name == _CLIENT_ARM:
        return Receipt(imdn, _CLIENT_TOKENS.get(token))
    return Receipt(imdn, _SERVER_TOKENS.get(token))


def _walk(root: Element) -> list[Element]:
    """All elements, without recursion."""
    waiting, seen = [root], []
    while waiting:
        element = waiting.pop()
        seen.append(element)
        waiting.extend(element.children)
    return seen
