"""Reading costs in proportion to the input, whatever it holds: counted in calls and bytes copied, not in seconds."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from letterlock.codec.tls import opaque, u16, u32, u64
from letterlock.errors import DecodeError
from letterlock.mls.wire.commit import Commit, HPKECiphertext, UpdatePath, UpdatePathNode
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.framing import (
    ContentType,
    FramedContent,
    FramedContentAuthData,
    PrivateMessageContent,
    PublicMessage,
    Sender,
)
from letterlock.mls.wire.leaf_node import Capabilities, LeafNode, LeafNodeSource
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import CustomProposal, GroupContextExtensions, Proposal, ProposalRef, Remove, Update
from letterlock.mls.wire.psk import PreSharedKeyID
from letterlock.mls.wire.tree_nodes import ParentNode, decode_ratchet_tree, encode_ratchet_tree
from letterlock.mls.wire.welcome import EncryptedGroupSecrets, GroupContext, GroupInfo, GroupSecrets, Welcome
from mls.wire_values import BARE_EMPTY, TYPES

LIMIT = 1 << 26
CAPABILITIES = Capabilities((1,), (1, 2), (), (), (1,))


class Counted(bytes):
    """Bytes that know how many of them were copied out."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        got = super().__getitem__(key)
        self.copied += len(got) if isinstance(key, slice) else 1
        return got


def leaf(credential: Credential, capabilities: Capabilities = CAPABILITIES, extensions: Any = ()) -> LeafNode:
    return LeafNode.build(
        encryption_key=bytes(32),
        signature_key=bytes(32),
        credential=credential,
        capabilities=capabilities,
        leaf_node_source=LeafNodeSource.UPDATE,
        extensions=extensions,
        sign=lambda tbs: bytes(64),
    )


LEAF = leaf(Credential.basic(b"ana"))
PARENT = ParentNode(bytes(32), bytes(32), ())


def _public(content: bytes | Proposal | Commit) -> bytes:
    framed = FramedContent.build(
        group_id=b"g", epoch=1, sender=Sender.member(0), authenticated_data=b"", content=content, types=TYPES
    )
    tag = b"tag" if isinstance(content, Commit) else None
    return encode_message(PublicMessage(framed, FramedContentAuthData(b"s", tag), b"m"))


def _message(raw: bytes) -> Any:
    return decode_message(raw, TYPES, LIMIT)


def _read_tree(raw: bytes) -> Any:
    return decode_ratchet_tree(raw, LIMIT)


def _info(extensions: Any) -> bytes:
    return encode_message(GroupInfo(GroupContext(1, b"g", 1, b"", b"", extensions), extensions, b"t", 0, b"s"))


SEALED = HPKECiphertext(bytes(32), bytes(48))
INPUTS: dict[str, tuple[Callable[[int], bytes], Callable[[bytes], Any]]] = {
    "tree of members": (lambda n: encode_ratchet_tree([LEAF, PARENT] * n + [LEAF]), _read_tree),
    "tree of blanks": (lambda n: encode_ratchet_tree([None] * (2 * n) + [LEAF]), _read_tree),
    "tree of empty parents": (lambda n: encode_ratchet_tree([None, ParentNode(b"", b"", ())] * n), _read_tree),
    "unmerged leaves": (lambda n: encode_ratchet_tree([LEAF, ParentNode(b"", b"", tuple(range(n))), LEAF]), _read_tree),
    "unterminated tree": (lambda n: opaque(b"\x00" * n), _read_tree),
    "references": (lambda n: _public(Commit((ProposalRef(bytes(32)),) * n, None)), _message),
    "removes": (lambda n: _public(Commit((Remove(1),) * n, None)), _message),
    "updates": (lambda n: _public(Commit((Update(LEAF),) * n, None)), _message),
    "empty custom proposals": (
        lambda n: _public(Commit((CustomProposal(BARE_EMPTY.proposal_type, b""),) * n, None)),
        _message,
    ),
    "path of many nodes": (
        lambda n: _public(Commit((), UpdatePath(LEAF, (UpdatePathNode(bytes(32), (SEALED,)),) * n))),
        _message,
    ),
    "path to many members": (
        lambda n: _public(Commit((), UpdatePath(LEAF, (UpdatePathNode(bytes(32), (SEALED,) * n),)))),
        _message,
    ),
    "path of empty nodes": (
        lambda n: _public(Commit((), UpdatePath(LEAF, (UpdatePathNode(b"", ()),) * n))),
        _message,
    ),
    "welcome": (lambda n: encode_message(Welcome(1, (EncryptedGroupSecrets(bytes(32), SEALED),) * n, b"")), _message),
    "welcome of nothing": (
        lambda n: encode_message(Welcome(1, (EncryptedGroupSecrets(b"", HPKECiphertext(b"", b"")),) * n, b"")),
        _message,
    ),
    "group info": (lambda n: _info((Extension(7, b"x"),) * n), _message),
    "group info with one long extension": (lambda n: _info((Extension(7, bytes(50 * n)),)), _message),
    "extensions": (lambda n: _public(GroupContextExtensions((Extension(7, b""),) * n)), _message),
    "extensions of a leaf": (
        lambda n: _public(Update(leaf(Credential.basic(b"a"), extensions=(Extension(7, b""),) * n))),
        _message,
    ),
    "certificates": (lambda n: _public(Update(leaf(Credential.x509((b"",) * n)))), _message),
    "capabilities": (
        lambda n: _public(Update(leaf(Credential.basic(b"a"), Capabilities((1,), (9,) * n, (9,) * n, (), ())))),
        _message,
    ),
    "pre-shared keys": (
        lambda n: GroupSecrets(b"", None, (PreSharedKeyID.external(b"", b""),) * n).encode(),
        GroupSecrets.decode,
    ),
    "padding": (
        lambda n: opaque(b"hi") + opaque(b"signature") + bytes(50 * n),
        lambda raw: PrivateMessageContent.decode(raw, ContentType.APPLICATION, TYPES),
    ),
    "a message": (lambda n: _public(bytes(50 * n)), _message),
}
each = pytest.mark.parametrize(("make", "read"), INPUTS.values(), ids=INPUTS.keys())


def cost(raw: bytes, read: Callable[[bytes], Any]) -> tuple[int, int]:
    """How many calls, of Python and of C, and how many bytes copied."""
    counted = Counted(raw)
    calls = 0

    def on_event(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        read(counted)
    except DecodeError:
        pass
    finally:
        sys.setprofile(before)
    return calls, counted.copied


@each
def test_twice_the_input_costs_twice(make: Callable[[int], bytes], read: Callable[[bytes], Any]) -> None:
    small, large = make(500), make(1000)
    assert len(large) > 1.5 * len(small)
    growth = len(large) / len(small)
    (few, copied_few), (many, copied_many) = cost(small, read), cost(large, read)
    assert many <= 1.1 * growth * few + 200
    assert copied_many <= 1.1 * growth * copied_few + 200
    # A byte is copied once for each structure that keeps its own bytes, and these are few.
    assert copied_many <= 6 * len(large) + 200
    assert many <= 12 * len(large) + 200


@each
def test_memory_is_bounded_by_the_input(make: Callable[[int], bytes], read: Callable[[bytes], Any]) -> None:
    """The worst input is all empty structures; each costs an object or three."""
    raw = make(4000)
    tracemalloc.start()
    try:
        read(raw)
    except DecodeError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= 80 * len(raw) + 100_000


def test_the_counter_counts() -> None:
    """A reader with a quadratic cost is seen: one that copies what is left for every number."""

    def quadratic(raw: bytes) -> None:
        for start in range(0, len(raw), 8):
            _ = raw[start:][:8]

    few, many = (cost(bytes(n), quadratic)[1] for n in (1000, 2000))
    assert many > 3 * few


def test_deep_input_does_not_recurse() -> None:
    """No structure nests in itself: what looks like nesting is refused at its second level."""
    nested = b""
    for _ in range(5000):
        nested = opaque(u16(1) + u16(1) + nested)
    for raw in (nested, u16(1) + u16(1) + nested, opaque(b"g") + u64(1) + b"\x01" + u32(0) + nested):
        for read in (_message, _read_tree, lambda data: Commit.decode(data, TYPES)):
            with pytest.raises(DecodeError):
                read(raw)
