"""The whole error tree on one screen.

Each error says whose fault it is by its class, what happened by its message, what to do by its
hint, and carries a stable dotted `code` for programs. Messages never hold plaintext or keys.
Modules below raise these classes with their own codes; a new class is added only where a caller
would want to catch it by itself.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BadMac",
    "BadPublicKey",
    "BadSignature",
    "Bug",
    "ContentError",
    "CryptoError",
    "DecodeError",
    "DeviceListError",
    "DirectoryError",
    "Downgrade",
    "DuplicateMessage",
    "FocusError",
    "GatewayError",
    "GroupInactive",
    "IdentityChanged",
    "InputError",
    "InvalidFile",
    "InvalidGroupMessage",
    "InvalidRcc16",
    "KdsError",
    "LetterlockError",
    "LimitExceeded",
    "MailboxError",
    "MalformedMessage",
    "MissingProposal",
    "MissingPsk",
    "NoSession",
    "NotEncrypted",
    "ProtocolError",
    "ProvisioningError",
    "PushError",
    "RbmError",
    "RemoteError",
    "ServiceError",
    "StoreConflict",
    "StoreError",
    "StoreLocked",
    "StoreRolledBack",
    "TooFarAhead",
    "TransportError",
    "TrustRequired",
    "UnknownPrekey",
    "WrongStoreKey",
]


class LetterlockError(Exception):
    """Base of everything this package raises on purpose."""

    code = "error"
    hint = ""

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        if code:
            self.code = code
        if hint:
            self.hint = hint


# --- yours -------------------------------------------------------------------------------------
class InputError(LetterlockError):
    """The caller's argument or the user's input is wrong; nothing was changed."""

    code = "input"


class NotEncrypted(LetterlockError):
    """Refusal to send in the clear (SR-01). `reason` is a state name, `options` what the user may choose.

    `send(..., allow=option)` accepts one of exactly these options and nothing else.
    """

    code = "not_encrypted"

    def __init__(self, message: str, *, reason: str, options: tuple[Any, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.options = options


class TrustRequired(LetterlockError):
    """A human must decide first: keys of a verified contact changed, or a number was reset."""

    code = "trust_required"


# --- the peer's, or somebody's in between ---------------------------------------------------------
class RemoteError(LetterlockError):
    """Bytes or answers from outside that a correct peer would not have sent."""

    code = "remote"


class DecodeError(RemoteError):
    """Input that does not follow its grammar. Every decoder raises this, or LimitExceeded, and nothing else (SR-09)."""

    code = "malformed"


class LimitExceeded(DecodeError):
    """Input over a bound that was checked before memory was taken (SR-08)."""

    code = "limit"


class InvalidFile(DecodeError):
    """A sealed file or its pointer that a numbered rule refuses; nothing of it was released. `rule`: `LL-FILE-05`."""

    code = "file"
    hint = "ask the sender to send it again"

    def __init__(self, message: str, *, rule: str, hint: str = "") -> None:
        super().__init__(message, code=rule.removeprefix("LL-").lower().replace("-", ".", 1), hint=hint)
        self.rule = rule


class CryptoError(RemoteError):
    """A key, signature or ciphertext that does not hold."""

    code = "crypto"


class BadPublicKey(CryptoError):
    """All-zero agreement, non-canonical or torsion point, wrong length or type byte (SR-12)."""

    code = "crypto.public_key"


class BadSignature(CryptoError):
    """A signature that does not verify."""

    code = "crypto.signature"


class BadMac(CryptoError):
    """A MAC, tag or padding that does not hold; one error for all so that nothing is an oracle."""

    code = "crypto.mac"


class ProtocolError(RemoteError):
    """A well-formed message that the protocol state refuses."""

    code = "protocol"


class DuplicateMessage(ProtocolError):
    """This message key was used before."""

    code = "protocol.duplicate"


class TooFarAhead(ProtocolError):
    """The counter jumps further than the limit."""

    code = "protocol.too_far_ahead"


class UnknownPrekey(ProtocolError):
    """The pre-key message names a pre-key that we do not hold (any more)."""

    code = "protocol.unknown_prekey"


class NoSession(ProtocolError):
    """No session, current or archived, reads this message."""

    code = "protocol.no_session"


class IdentityChanged(ProtocolError):
    """The identity key is not the one expected. `old` and `new` are public keys (0x05 and 32 bytes)."""

    code = "protocol.identity_changed"

    def __init__(self, message: str, *, old: bytes, new: bytes, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.old = old
        self.new = new


class Downgrade(ProtocolError):
    """An older version, or a part left out that must be there (no post-quantum ratchet, X3DH)."""

    code = "protocol.downgrade"


class MalformedMessage(ProtocolError):
    """Parsed, but a field is missing or makes no sense."""

    code = "protocol.malformed"


class InvalidGroupMessage(ProtocolError):
    """MLS: well-formed, but a numbered rule refuses it; nothing was changed. `rule` is like `MLS-7.3-03`."""

    code = "mls"

    def __init__(self, message: str, *, rule: str, hint: str = "") -> None:
        super().__init__(message, code=rule.lower().replace("-", ".", 1), hint=hint)
        self.rule = rule


class InvalidRcc16(ProtocolError):
    """RCC.16: well-formed, but a numbered rule refuses it; nothing was changed. `rule` is like `RCC-A.3.8-01`."""

    code = "rcc16"

    def __init__(self, message: str, *, rule: str, hint: str = "") -> None:
        super().__init__(message, code=f"rcc16.{rule.removeprefix('RCC-').lower()}", hint=hint)
        self.rule = rule


class MissingProposal(ProtocolError):
    """MLS: the commit refers to proposals that have not arrived; fetch them and try the same commit again."""

    code = "mls.missing_proposal"

    def __init__(self, message: str, *, references: tuple[bytes, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.references = references


class MissingPsk(ProtocolError):
    """MLS: a pre-shared key is named that we do not hold. There is no fallback without it."""

    code = "mls.missing_psk"


class GroupInactive(ProtocolError):
    """MLS: we were removed from the group, or it was reinitialised; nothing can be sent in it any more."""

    code = "mls.inactive"


class DeviceListError(RemoteError):
    """A device list that is unsigned, expired, replayed, does not chain or lists a key that did not agree."""

    code = "device_list"


class ServiceError(RemoteError):
    """A service refused, or answered what cannot be right. `status` is its HTTP status, 0 if none.

    `retry_after_s` is when to come again, 0 if that is not known.
    """

    code = "service"

    def __init__(
        self, message: str, *, code: str = "", hint: str = "", status: int = 0, retry_after_s: int = 0
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status
        self.retry_after_s = retry_after_s


class DirectoryError(ServiceError):
    """The directory refused, or answered what cannot be right."""

    code = "directory"


class ContentError(ServiceError):
    """The content server refused, or a file is not what was announced."""

    code = "content"


class MailboxError(ServiceError):
    """The mailbox refused. `status` is what SIP answers."""

    code = "mailbox"


class FocusError(ServiceError):
    """The conversation focus refused. `status` is what SIP or MSRP answers."""

    code = "focus"


class ProvisioningError(ServiceError):
    """The provisioning server refused, or its document cannot be used."""

    code = "provisioning"


class PushError(ServiceError):
    """The push service refused a subscription."""

    code = "push"


class GatewayError(ServiceError):
    """The gateway refused, or sent what cannot be right."""

    code = "gateway"


class KdsError(ServiceError):
    """The key distribution server refused, or answered what cannot be right."""

    code = "kds"


class RbmError(ServiceError):
    """The RCS Business Messaging platform refused. `code` says which of the ways on is left."""

    code = "rbm"


# --- the machine's --------------------------------------------------------------------------------
class TransportError(LetterlockError):
    """The network or a server on it; trying again may help."""

    code = "transport"


class StoreError(LetterlockError):
    """The profile's store cannot be opened or written."""

    code = "store"


class StoreLocked(StoreError):
    """Another process owns the profile; its socket takes requests."""

    code = "store.locked"


class WrongStoreKey(StoreError):
    """The passphrase or key file does not open this store."""

    code = "store.key"


class StoreConflict(StoreError):
    """A record that a step had read moved before its commit; nothing was written."""

    code = "store.conflict"


class StoreRolledBack(StoreError):
    """The store is an older copy than the one used last (SR-06); nothing was encrypted with it."""

    code = "store.rolled_back"


class Bug(LetterlockError):
    """Ours. Please report it with the code."""

    code = "bug"
