"""The signature over framed content (RFC 9420 section 6.1).

It covers the wire format, so that a message cannot be moved between PublicMessage and PrivateMessage, and for
members the GroupContext, so that it holds in one group and one epoch only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...codec.tls import u16
from ...errors import InputError
from ..registries import PROTOCOL_VERSION_MLS10
from ..suites import CipherSuite
from ..wire.framing import AuthenticatedContent, FramedContent, SenderType

__all__ = ["UnverifiedContent", "framed_content_tbs", "sign_content", "verify_content"]

_LABEL = "FramedContentTBS"
_VERSION = u16(PROTOCOL_VERSION_MLS10)
_IN_GROUP = (SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT)


@dataclass(frozen=True, slots=True)
class UnverifiedContent:
    """What a received message claims. Nobody has checked the signature yet, nor whether the sender may say that.

    Decryption and membership tags prove only that some member made it: every member has those keys.
    """

    claimed: AuthenticatedContent


def framed_content_tbs(wire_format: int, content: FramedContent, context: bytes | None) -> bytes:
    """FramedContentTBS. `context` is the encoded GroupContext; senders outside the group sign without it."""
    tbs = _VERSION + u16(wire_format) + content.encoded
    if content.sender.sender_type not in _IN_GROUP:
        return tbs
    if context is None:
        raise InputError("the signature of a member covers the GroupContext", code="mls.context")
    return tbs + context


def sign_content(
    suite: CipherSuite,
    sign: Callable[[bytes], bytes],
    wire_format: int,
    content: FramedContent,
    context: bytes | None,
) -> bytes:
    """The signature that goes into FramedContentAuthData; `sign` is the sender's key."""
    return suite.sign_with_label(sign, _LABEL, framed_content_tbs(wire_format, content, context))


def verify_content(
    suite: CipherSuite,
    public: bytes,
    wire_format: int,
    content: FramedContent,
    context: bytes | None,
    signature: bytes,
) -> None:
    """Raises BadSignature (or BadPublicKey) unless the owner of `public` signed this. Which key that must be is
    for the caller to know (section 6.1)."""
    suite.verify_with_label(public, _LABEL, framed_content_tbs(wire_format, content, context), signature)
