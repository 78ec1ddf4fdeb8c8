"""The keys of stored rows: tuples inside, text in the store.

    head                          what fits in one row: context, our leaf, a ReInit
    keys                          the secrets of the current epoch
    tree/NODE                     one node of the ratchet tree
    private/NODE                  one private key of ours
    messages/EPOCH/NAME/NUMBER... one row of the secret tree of the current or a past epoch
    proposal/REFERENCE            a proposal that waits for a commit
    update/DIGEST                 the private key of an Update that we proposed
    pending                       a commit of ours that is not accepted yet
    past/EPOCH                    what is kept of an epoch that is over
    held/DIGEST                   a message of a later epoch

Numbers are decimal, bytes hexadecimal. They are relative to a group: the store puts its own name for it in front.
"""

from __future__ import annotations

import hashlib
from typing import Final, TypeAlias

from ..schedule.secret_tree import RowKey as MessageKey
from ..stored_row import bad_row

__all__ = [
    "HEAD",
    "KEYS",
    "PENDING",
    "RowKey",
    "as_text",
    "held_key",
    "message_key",
    "parse",
    "past_key",
    "private_key",
    "proposal_key",
    "tree_key",
    "update_key",
]

RowKey: TypeAlias = tuple[str | int | bytes, ...]
"""A kind, and what tells rows of that kind apart."""

HEAD: Final[RowKey] = ("head",)
KEYS: Final[RowKey] = ("keys",)
PENDING: Final[RowKey] = ("pending",)


def tree_key(node: int) -> RowKey:
    return ("tree", node)


def private_key(node: int) -> RowKey:
    return ("private", node)


def message_key(epoch: int, key: MessageKey) -> RowKey:
    return ("messages", epoch, *key)


def proposal_key(reference: bytes) -> RowKey:
    return ("proposal", reference)


def update_key(public: bytes) -> RowKey:
    """A digest, because the public keys of post-quantum suites are long."""
    return ("update", hashlib.sha256(public).digest())


def past_key(epoch: int) -> RowKey:
    return ("past", epoch)


def held_key(digest: bytes) -> RowKey:
    return ("held", digest)


def as_text(key: RowKey) -> str:
    """For the store."""
    return "/".join([part.hex() if isinstance(part, bytes) else str(part) for part in key])


def parse(text: str) -> RowKey:
    """The key that `as_text` wrote. Raises DecodeError for any other text."""
    kind, *parts = text.split("/")
    key: RowKey = ()
    try:
        match kind, parts:
            case (("head" | "keys" | "pending"), []):
                key = (kind,)
            case (("tree" | "private" | "past"), [number]):
                key = (kind, int(number))
            case (("proposal" | "update" | "held"), [digest]):
                key = (kind, bytes.fromhex(digest))
            case "messages", [epoch, name, *numbers]:
                key = (kind, int(epoch), name, *map(int, numbers))
    except ValueError:
        pass
    if not key or as_text(key) != text:  # also for what Python takes as a number and we do not write
        raise bad_row("a row under a key that is not known here")
    return key
