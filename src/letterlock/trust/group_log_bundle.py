"""What members send each other of a log: entries with the device lists that prove their authors' keys, or the wish for some.

Normative text: docs/spec/group-log.md, "Transfer". Nothing here is believed: entries go to `group_log.admit`, lists
through `device_list.verify_evidence`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..codec import tls
from ..errors import DecodeError, LimitExceeded
from .group_log_entry import Entry, EntryId, GroupLimits

__all__ = ["Bundle", "decode_bundle", "decode_heads", "encode_bundle", "encode_heads", "fill"]

_VERSION = 1
_HASH = 32


@dataclass(frozen=True, slots=True)
class Bundle:
    """Some entries of a log, parents first, and signed device lists of their authors."""

    lists: tuple[bytes, ...] = field(repr=False)
    entries: tuple[bytes, ...] = field(repr=False)


def fill(entries: Iterable[Entry], evidence: Callable[[Entry], bytes | None], max_bytes: int) -> Bundle:
    """As many of the entries as fit, each with a list that names its author's key, once. Whoever lacks the rest asks."""
    lists: dict[bytes, None] = {}
    taken: list[bytes] = []
    size = 16
    for entry in entries:
        proof = evidence(entry)
        more = len(entry.encoded) + 4 + (len(proof) + 4 if proof is not None and proof not in lists else 0)
        if taken and size + more > max_bytes:
            break
        size += more
        taken.append(entry.encoded)
        if proof is not None:
            lists[proof] = None
    return Bundle(tuple(lists), tuple(taken))


def encode_bundle(bundle: Bundle) -> bytes:
    return b"".join(
        (
            tls.u8(_VERSION),
            tls.opaque(b"".join(tls.opaque(each) for each in bundle.lists)),
            tls.opaque(b"".join(tls.opaque(each) for each in bundle.entries)),
        )
    )


def decode_bundle(data: bytes, max_list: int, limits: GroupLimits) -> Bundle:
    """Raises DecodeError, LimitExceeded."""
    reader = _reader(data)
    lists = _each(reader.opaque(len(data)), max_list, limits.max_entries)
    entries = _each(reader.opaque(len(data)), limits.max_entry, limits.max_entries)
    reader.end()
    return Bundle(lists, entries)


def encode_heads(heads: Iterable[EntryId]) -> bytes:
    """What somebody has: everything up to these entries."""
    return tls.u8(_VERSION) + tls.opaque(b"".join(heads))


def decode_heads(data: bytes, limits: GroupLimits) -> tuple[EntryId, ...]:
    """Raises DecodeError, LimitExceeded."""
    reader = _reader(data)
    heads = reader.opaque(_HASH * limits.max_parents)
    reader.end()
    if len(heads) % _HASH:
        raise DecodeError("heads are hashes of 32 bytes", code="group.heads")
    return tuple(heads[at : at + _HASH] for at in range(0, len(heads), _HASH))


def _reader(data: bytes) -> tls.Reader:
    reader = tls.Reader(data)
    version = reader.u8()
    if version != _VERSION:
        raise DecodeError(
            f"group transfer version {version}",
            code="group.version",
            hint="somebody in the group runs a newer Letterlock; update this one",
        )
    return reader


def _each(data: bytes, max_size: int, most: int) -> tuple[bytes, ...]:
    reader = tls.Reader(data)
    found: list[bytes] = []
    while reader.more():
        if len(found) >= most:
            raise LimitExceeded(f"more than {most} in one transfer", code="group.limit")
        found.append(reader.opaque(max_size))
    return tuple(found)
