"""psk_secret (RFC 9420 section 8.4): the pre-shared keys of a commit or Welcome, chained in their order."""

from __future__ import annotations

from collections.abc import Sequence

from ...codec.tls import u16
from ...errors import LimitExceeded
from ..suites import CipherSuite
from ..wire.psk import PreSharedKeyID

__all__ = ["psk_secret"]


def psk_secret(suite: CipherSuite, psks: Sequence[tuple[PreSharedKeyID, bytes]]) -> bytes:
    """Zeros for no key at all. Raises LimitExceeded over 65,535 keys, which PSKLabel cannot count."""
    if len(psks) > 0xFFFF:
        raise LimitExceeded("more pre-shared keys than can be counted", code="mls.psk_count")
    count = u16(len(psks))
    secret = suite.zero
    for index, (psk_id, psk) in enumerate(psks):
        label = psk_id.encode() + u16(index) + count
        psk_input = suite.expand_with_label(suite.extract(suite.zero, psk), "derived psk", label, suite.hash_length)
        secret = suite.extract(psk_input, secret)
    return secret
