"""Transcript hashes (RFC 9420 section 8.2) and the confirmation tag over them (section 6.1).

The confirmed hash covers every commit up to and with the signature of the last one, the interim hash also its
confirmation tag, so that each commit confirms all history but its own tag.
"""

from __future__ import annotations

from typing import Final

from ...codec.tls import opaque, u16
from ..rules import rule
from ..suites import CipherSuite
from ..wire.framing import FramedContent

__all__ = [
    "check_confirmation_tag",
    "confirmation_tag",
    "confirmed_transcript_hash",
    "interim_transcript_hash",
]

_CONFIRMATION_TAG: Final = rule(
    "MLS-6.1-01",
    "RFC 9420 section 6.1",
    "confirmation_tag is MAC(confirmation_key, confirmed_transcript_hash), in length and in value",
    module=__name__,
)


def confirmed_transcript_hash(
    suite: CipherSuite, interim: bytes, wire_format: int, content: FramedContent, signature: bytes
) -> bytes:
    """The hash after a commit; `interim` is the interim hash of the epoch in which it was sent (b"" at first)."""
    return suite.hash(interim + u16(wire_format) + content.encoded + opaque(signature))


def interim_transcript_hash(suite: CipherSuite, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """The hash that goes into the next commit's confirmed hash."""
    return suite.hash(confirmed + opaque(confirmation_tag))


def confirmation_tag(suite: CipherSuite, confirmation_key: bytes, confirmed: bytes) -> bytes:
    """Proof that the sender arrived at this epoch's keys and history."""
    return suite.mac(confirmation_key, confirmed)


def check_confirmation_tag(
    suite: CipherSuite, confirmation_key: bytes, confirmed: bytes, confirmation_tag: bytes | None
) -> None:
    """Raises InvalidGroupMessage unless the tag of a Commit or GroupInfo is exactly the expected one.

    A tag that is missing, empty, cut short or too long is refused like a wrong one (compare GHSA-8x3w-qj7j-gqhf).
    """
    if confirmation_tag is None or not suite.mac_matches(confirmation_key, confirmed, confirmation_tag):
        _CONFIRMATION_TAG.fail("the confirmation tag does not hold")
