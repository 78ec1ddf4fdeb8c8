"""PublicMessage (RFC 9420 section 6.2): signed and readable by anyone; a membership tag says it comes from inside."""

from __future__ import annotations

from typing import Final

from ...errors import InputError
from ..registries import PUBLIC_MESSAGE
from ..rules import rule
from ..suites import CipherSuite
from ..wire.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    FramedContentAuthData,
    PublicMessage,
    SenderType,
)
from .content import framed_content_tbs

__all__ = ["check_membership_tag", "protect_public"]

_MEMBERSHIP_TAG: Final = rule(
    "MLS-6.2-01",
    "RFC 9420 section 6.2",
    "membership_tag of a member's message is MAC(membership_key, AuthenticatedContentTBM), in length and in value",
    module=__name__,
)


def protect_public(
    suite: CipherSuite, content: AuthenticatedContent, context: bytes, membership_key: bytes | None
) -> PublicMessage:
    """Frame signed content. `context` is the encoded GroupContext; a sender outside the group has no key.

    Raises InputError for application data, for content signed for another wire format, and for a member without
    the membership key.
    """
    framed = content.content
    if content.wire_format != PUBLIC_MESSAGE:
        raise InputError("signed for another wire format", code="mls.wire_format")
    if framed.content_type == ContentType.APPLICATION:
        raise InputError("application data is sent encrypted only", code="mls.application_in_clear")
    if framed.sender.sender_type != SenderType.MEMBER:
        return PublicMessage(framed, content.auth, None)
    if membership_key is None:
        raise InputError("a member's message needs the membership key", code="mls.membership_key")
    tag = suite.mac(membership_key, _authenticated_content_tbm(framed, content.auth, context))
    return PublicMessage(framed, content.auth, tag)


def check_membership_tag(suite: CipherSuite, message: PublicMessage, context: bytes, membership_key: bytes) -> None:
    """Raises InvalidGroupMessage unless a member's tag is exactly the expected one; other senders have none."""
    if message.content.sender.sender_type != SenderType.MEMBER:
        return
    tbm = _authenticated_content_tbm(message.content, message.auth, context)
    if message.membership_tag is None or not suite.mac_matches(membership_key, tbm, message.membership_tag):
        _MEMBERSHIP_TAG.fail("the membership tag does not hold")


def _authenticated_content_tbm(content: FramedContent, auth: FramedContentAuthData, context: bytes) -> bytes:
    return framed_content_tbs(PUBLIC_MESSAGE, content, context) + auth.encode()
