"""The secret tree of one epoch (RFC 9420 section 9): from encryption_secret to one key for each message.

Rules of this module:

* A secret is derived when it is needed and deleted as soon as something derived from it is used (section 9.2).
  A node secret goes when its children are made, so the path to a leaf goes with that leaf's first message.
* `stage` derives and changes nothing; `consume` does the deleting once the message was authenticated. A forged
  message therefore costs no key, and the genuine one can still be read after it.
* Work and memory are bounded by what the caller allows: a jump of `max_forward` generations, `max_skipped` keys.
* Storage is a row for each node secret, ratchet and skipped key, so that a message writes a small one or two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ...errors import DecodeError, DuplicateMessage, InputError, TooFarAhead
from ..suites import CipherSuite
from .ratchet import MAX_GENERATION, MessageKey, Ratchet, RatchetKind, StagedKey

__all__ = ["MAX_GENERATION", "MessageKey", "RatchetKind", "RowKey", "SecretTree", "StagedKey"]

RowKey = tuple[str | int, ...]
"""("node", index), ("ratchet", leaf, kind) or ("skipped", leaf, kind, generation)."""

_ROW_VERSION: Final = b"\x01"
_LABELS: Final = {RatchetKind.HANDSHAKE: "handshake", RatchetKind.APPLICATION: "application"}


class SecretTree:
    """Every sender's message keys in one epoch; mutable, and only as long as the epoch is kept."""

    __slots__ = ("_changed", "_leaf_count", "_nodes", "_ratchets", "_suite")

    def __init__(self, suite: CipherSuite, encryption_secret: bytes, leaf_count: int) -> None:
        """`leaf_count` is the width of the ratchet tree, a power of two."""
        if leaf_count < 1 or leaf_count & leaf_count - 1:
            raise InputError("the width of a tree is a power of two", code="mls.leaf_count")
        self._suite = suite
        self._leaf_count = leaf_count
        root = leaf_count - 1
        self._nodes = {root: encryption_secret}
        self._ratchets: dict[int, Ratchet] = {}  # by leaf * 2 + kind
        self._changed: dict[RowKey, None] = {("node", root): None}  # keys only: a log must not keep secrets alive

    @classmethod
    def from_rows(cls, suite: CipherSuite, leaf_count: int, rows: Iterable[tuple[RowKey, bytes]]) -> SecretTree:
        """The tree that `rows()` or all `changed_rows()` so far described. Raises DecodeError for anything else."""
        tree = cls(suite, b"", leaf_count)
        tree._nodes.clear()
        tree._changed.clear()
        skipped: list[tuple[int, int, bytes]] = []
        for key, row in rows:
            body = row[1:]
            match key:
                case ("node", int(node)) if 0 <= node < 2 * leaf_count - 1:
                    _check_row(row, suite.hash_length)
                    tree._nodes[node] = body
                case ("ratchet", int(leaf), int(kind)) if 0 <= leaf < leaf_count and kind in (0, 1):
                    generation = int.from_bytes(body[:8], "big")
                    _check_row(row, 8 + (suite.hash_length if generation <= MAX_GENERATION else 0))
                    tree._ratchets[leaf << 1 | kind] = Ratchet(generation, body[8:])
                case ("skipped", int(leaf), int(kind), int(generation)):
                    _check_row(row, suite.key_length + suite.nonce_length)
                    skipped.append((leaf << 1 | kind, generation, body))
                case _:
                    raise DecodeError("no row of a secret tree", code="mls.secret_tree_row")
        for slot, generation, body in sorted(skipped):
            ratchet = tree._ratchets.get(slot)
            if ratchet is None or generation >= ratchet.generation:
                raise DecodeError("a skipped key without its ratchet", code="mls.secret_tree_row")
            ratchet.skipped[generation] = body
        return tree

    @property
    def leaf_count(self) -> int:
        """The width of the tree."""
        return self._leaf_count

    # --- sending -----------------------------------------------------------------------------------
    def next_key(self, leaf: int, kind: RatchetKind) -> MessageKey:
        """The next key of our own `leaf`, deleted here as it is given out: store the rows before using it.

        Raises InputError when all 2**32 generations are used.
        """
        ratchet = self._ratchets.get(leaf << 1 | kind)
        if ratchet is None:
            ratchet = self._begin(leaf, self._path(leaf))[kind]
        key = ratchet.next_key(self._suite)
        self._changed["ratchet", leaf, int(kind)] = None
        return key

    def peek_generation(self, leaf: int, kind: RatchetKind) -> int:
        """The generation that `next_key` would give; 2**32 when there is none left."""
        ratchet = self._ratchets.get(leaf << 1 | kind)
        return 0 if ratchet is None else ratchet.generation

    # --- receiving ---------------------------------------------------------------------------------
    def stage(self, leaf: int, kind: RatchetKind, generation: int, max_forward: int, max_skipped: int) -> StagedKey:
        """The key of a received message, as the sender data names it. Changes nothing.

        Raises DuplicateMessage if that key was consumed, or let go because too many were waiting; TooFarAhead if
        more than `max_forward` generations lie between it and the next one expected; InputError for a leaf outside
        the tree.
        """
        ratchet = self._ratchets.get(leaf << 1 | kind)
        suite = self._suite
        position = 0
        if ratchet is not None:
            position = ratchet.generation
            if generation < position:
                waiting = ratchet.skipped.get(generation)
                if waiting is None:
                    raise DuplicateMessage("the key of this message was used, or is no longer kept")
                length = suite.key_length
                return StagedKey(leaf, kind, generation, waiting[:length], waiting[length:], max_skipped)
        if generation - position > max_forward or generation > MAX_GENERATION:
            raise TooFarAhead(f"generation {generation} where {position} is next")
        path = None
        if ratchet is not None:
            secret = ratchet.secret
        else:
            path = self._path(leaf)
            secret = suite.expand_with_label(path[leaf << 1], _LABELS[kind], b"", suite.hash_length)
        derive = suite.derive_tree_secret
        chain = [secret]
        first_kept = generation - max_skipped
        for step in range(position, generation):
            secret = derive(secret, "secret", step, suite.hash_length)
            if step < first_kept:
                chain[0] = secret
            else:
                chain.append(secret)
        return StagedKey(
            leaf,
            kind,
            generation,
            derive(secret, "key", generation, suite.key_length),
            derive(secret, "nonce", generation, suite.nonce_length),
            max_skipped,
            tuple(chain),
            path,
        )

    def consume(self, staged: StagedKey) -> None:
        """The message of `staged` was authentic: delete its key and everything it came from, and empty `staged`.

        Raises DuplicateMessage if the same generation was consumed since it was staged.
        """
        leaf, kind, generation = staged.leaf, staged.kind, staged.generation
        ratchet = self._ratchets.get(leaf << 1 | kind)
        if ratchet is None:
            path = staged.path
            if path is None or next(iter(path)) not in self._nodes:  # another leaf's message took the top of it
                path = self._path(leaf)
            ratchet = self._begin(leaf, path)[kind]
        changed = self._changed
        if generation < ratchet.generation:
            if ratchet.skipped.pop(generation, None) is None:
                raise DuplicateMessage("the key of this message was used meanwhile")
            changed["skipped", leaf, int(kind), generation] = None
        else:
            for skipped in ratchet.jump(self._suite, staged):
                for missed in skipped:
                    changed["skipped", leaf, int(kind), missed] = None
            changed["ratchet", leaf, int(kind)] = None
        staged.empty()

    # --- storage -----------------------------------------------------------------------------------
    def rows(self) -> list[tuple[RowKey, bytes]]:
        """All of it."""
        keys: list[RowKey] = [("node", node) for node in self._nodes]
        for slot, ratchet in self._ratchets.items():
            keys.append(("ratchet", slot >> 1, slot & 1))
            keys.extend(("skipped", slot >> 1, slot & 1, generation) for generation in ratchet.skipped)
        return [(key, row) for key in keys if (row := self._row(key)) is not None]

    def note_all(self) -> None:
        """Have `changed_rows` give every row, for a tree that goes into another store than it came from."""
        self._changed.update((key, None) for key, _ in self.rows())

    def changed_rows(self) -> list[tuple[RowKey, bytes | None]]:
        """What is different since this was last asked (or since `from_rows`): rows to write, None to delete."""
        changed = [(key, self._row(key)) for key in self._changed]
        self._changed.clear()
        return changed

    def _row(self, key: RowKey) -> bytes | None:
        match key:
            case ("node", int(node)):
                secret = self._nodes.get(node)
                return None if secret is None else _ROW_VERSION + secret
            case ("ratchet", int(leaf), int(kind)):
                ratchet = self._ratchets[leaf << 1 | kind]
                return _ROW_VERSION + ratchet.generation.to_bytes(8, "big") + ratchet.secret
            case (_, int(leaf), int(kind), int(generation)):
                waiting = self._ratchets[leaf << 1 | kind].skipped.get(generation)
                return None if waiting is None else _ROW_VERSION + waiting
        raise AssertionError(key)

    # --- the tree ----------------------------------------------------------------------------------
    def _path(self, leaf: int) -> dict[int, bytes]:
        """Node secrets from the lowest ancestor that we hold down to the leaf, derived and not kept."""
        if not 0 <= leaf < self._leaf_count:
            raise InputError(f"there is no leaf {leaf} in this tree", code="mls.leaf")
        nodes, root = self._nodes, self._leaf_count - 1
        node, level, below = leaf << 1, 1, []
        while node not in nodes:
            if node == root:
                raise DecodeError("the rows hold no secret for this leaf", code="mls.secret_tree_row")
            below.append(node)
            node = (node | level) & ~(level << 1)
            level <<= 1
        secret = nodes[node]
        path = {node: secret}
        for child in reversed(below):
            secret = path[child] = self._child(secret, child > node)
            node = child
        return path

    def _begin(self, leaf: int, path: dict[int, bytes]) -> dict[RatchetKind, Ratchet]:
        """Replace the secrets on the path by those of the subtrees beside it and by the leaf's two ratchets."""
        nodes, changed, suite = self._nodes, self._changed, self._suite
        steps = iter(path.items())
        node, secret = next(steps)
        del nodes[node]
        changed["node", node] = None
        for child, child_secret in steps:
            sibling = 2 * node - child
            nodes[sibling] = self._child(secret, sibling > node)
            changed["node", sibling] = None
            node, secret = child, child_secret
        made = {}
        for kind, label in _LABELS.items():
            made[kind] = Ratchet(0, suite.expand_with_label(secret, label, b"", suite.hash_length))
            self._ratchets[leaf << 1 | kind] = made[kind]
            changed["ratchet", leaf, int(kind)] = None
        return made

    def _child(self, secret: bytes, right: bool) -> bytes:
        return self._suite.expand_with_label(secret, "tree", b"right" if right else b"left", self._suite.hash_length)


def _check_row(row: bytes, length: int) -> None:
    if len(row) != 1 + length or row[:1] != _ROW_VERSION:
        raise DecodeError("a row of a secret tree has another form", code="mls.secret_tree_row")
