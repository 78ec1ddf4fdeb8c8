"""The stored row of a commit of ours that waits to be accepted: what cannot be made again from the rest.

The commit itself is staged again from its content (see `restaging`). Its secrets are here, because nobody can
open his own UpdatePath, and a PrivateMessage cannot be read by who sent it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...codec.tls import Reader, opaque, u8, u32
from ..evolution.proposal_list import QueuedProposal
from ..schedule.secret_tree import RowKey as MessageKey
from ..stored_row import bad_row
from ..wire.framing import AuthenticatedContent, Sender
from ..wire.proposals import ProposalTypes, encode_proposal, read_proposal
from ..wire.psk import ResumptionPSKUsage
from .epoch import EpochKeys
from .results import PendingCommit, WelcomeFor
from .row_codec import encode_keys, read_keys

__all__ = ["StoredPending", "decode_pending", "encode_pending"]


@dataclass(frozen=True, slots=True)
class StoredPending:
    """A pending commit as far as it is stored; the rest follows from the commit and the state it is for."""

    message: bytes
    content: AuthenticatedContent
    linking: ResumptionPSKUsage | None
    rotates: bool
    """Whether another `Client` takes our place by it."""
    covered: Mapping[bytes, QueuedProposal]
    """The proposals that it refers to: they may have been dropped since."""
    welcomes: tuple[WelcomeFor, ...]
    keys: EpochKeys = field(repr=False)
    private_keys: dict[int, bytes] = field(repr=False)
    messages: bytes = field(repr=False)
    """The row of the root of its secret tree, which nobody has used yet; empty if"""
    used: tuple[tuple[MessageKey, bytes], ...] = field(repr=False)
    """something was sent along with the commit: then all rows of that tree."""


def encode_pending(pending: PendingCommit, rotates: bool, types: ProposalTypes) -> bytes:
    secrets = pending.staged.secrets
    assert secrets is not None  # a commit of ours does not remove us
    rows = list(secrets.messages.rows())
    covered = [
        opaque(entry.reference) + entry.sender.encode() + encode_proposal(entry.proposal, types)
        for entry in pending.covered
        if entry.reference is not None
    ]
    welcomes = [
        opaque(welcome.message) + opaque(b"".join([opaque(member) for member in welcome.members]))
        for welcome in pending.welcomes
    ]
    return b"".join(
        (
            opaque(pending.message),
            opaque(pending.content.encode()),
            u8(pending.linking or 0),
            u8(rotates),
            opaque(b"".join(covered)),
            opaque(b"".join(welcomes)),
            encode_keys(secrets.keys),
            opaque(b"".join([u32(node) + opaque(private) for node, private in secrets.private_keys.items()])),
            opaque(rows[0][1]) if len(rows) == 1 else opaque(b"") + opaque(b"".join(map(_encode_message, rows))),
        )
    )


def decode_pending(body: bytes, hash_length: int, types: ProposalTypes) -> StoredPending:
    reader = Reader(body)
    message = reader.vector()
    content = AuthenticatedContent.decode(reader.vector(), types)
    linking, rotates = reader.u8(), reader.optional()
    if linking not in (0, ResumptionPSKUsage.REINIT, ResumptionPSKUsage.BRANCH):
        raise bad_row("a commit that is linked in an unknown way")
    stored = StoredPending(
        message,
        content,
        ResumptionPSKUsage(linking) if linking else None,
        rotates,
        _read_covered(reader.sub(), types),
        _read_welcomes(reader.sub()),
        read_keys(reader, hash_length),
        _read_private_keys(reader.sub()),
        reader.vector(),
        tuple(_read_messages(reader.sub())) if reader.more() else (),
    )
    reader.end()
    return stored


def _read_covered(reader: Reader, types: ProposalTypes) -> dict[bytes, QueuedProposal]:
    covered: dict[bytes, QueuedProposal] = {}
    while reader.more():
        reference, sender = reader.vector(), Sender.read(reader)
        covered[reference] = QueuedProposal(read_proposal(reader, types), sender, reference, judged=True)
    return covered


def _read_welcomes(reader: Reader) -> tuple[WelcomeFor, ...]:
    welcomes: list[WelcomeFor] = []
    while reader.more():
        message, inner = reader.vector(), reader.sub()
        members: list[bytes] = []
        while inner.more():
            members.append(inner.vector())
        welcomes.append(WelcomeFor(message, tuple(members)))
    return tuple(welcomes)


def _encode_message(row: tuple[MessageKey, bytes]) -> bytes:
    return opaque("/".join(map(str, row[0])).encode()) + opaque(row[1])


def _read_messages(reader: Reader) -> Iterator[tuple[MessageKey, bytes]]:
    while reader.more():
        key, row = reader.vector(), reader.vector()
        try:
            kind, *numbers = key.decode("ascii").split("/")
            yield (kind, *map(int, numbers)), row
        except ValueError:
            raise bad_row("a row of a secret tree under no key") from None


def _read_private_keys(reader: Reader) -> dict[int, bytes]:
    keys: dict[int, bytes] = {}
    while reader.more():
        node = reader.u32()
        keys[node] = reader.vector()
    return keys
