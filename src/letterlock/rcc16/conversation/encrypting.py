"""One application message of ours (rcc16.md 4.1, 4.3): the generation is stamped and used in the same step."""

from __future__ import annotations

from ...ids import MessageId
from ...mls.group.group import Group
from ..wire.authenticated_data import encode_authenticated_data
from ..wire.secret_payload import SecretPayload, encode_secret_payload
from .step import Work

__all__ = ["encrypted"]


def encrypted(work: Work, group: Group, era: int, message_id: MessageId, content: bytes) -> bytes:
    """MLSMessage(PrivateMessage). The caller sends these bytes and no others under this id."""
    payload = encode_secret_payload(SecretPayload(group.next_generation(), content))
    data = encode_authenticated_data(message_id, era)
    work.update(sends=work.chat.sends + 1)
    return group.encrypt(payload, rng=work.rng, authenticated_data=data)
