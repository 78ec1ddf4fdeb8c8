"""Storage and forgetting: the rows give the same tree back, and a consumed secret is in neither of them."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from letterlock.crypto.pyca import Pyca
from letterlock.errors import DecodeError, DuplicateMessage
from letterlock.mls.schedule.secret_tree import RatchetKind, RowKey, SecretTree
from letterlock.mls.suites import cipher_suite

SUITE = cipher_suite(1, Pyca())
ROOT = bytes(range(100, 132))
APPLICATION, HANDSHAKE = RatchetKind.APPLICATION, RatchetKind.HANDSHAKE


def tree(leaf_count: int = 8) -> SecretTree:
    return SecretTree(SUITE, ROOT, leaf_count)


def receive(of: SecretTree, leaf: int, kind: RatchetKind, generation: int) -> tuple[bytes, bytes]:
    staged = of.stage(leaf, kind, generation, 100, 100)
    got = (staged.key, staged.nonce)
    of.consume(staged)
    return got


def test_rows_give_the_same_tree_back() -> None:
    left, right = tree(), tree()
    for leaf, kind, generation in ((2, APPLICATION, 3), (2, APPLICATION, 1), (5, HANDSHAKE, 0), (2, APPLICATION, 7)):
        receive(left, leaf, kind, generation)
        receive(right, leaf, kind, generation)
        right = SecretTree.from_rows(SUITE, 8, right.rows())
        assert sorted(right.rows()) == sorted(left.rows())
    for leaf, kind, generation in ((2, APPLICATION, 0), (2, APPLICATION, 2), (2, APPLICATION, 9), (0, HANDSHAKE, 1)):
        assert receive(left, leaf, kind, generation) == receive(right, leaf, kind, generation)
    with pytest.raises(DuplicateMessage):
        right.stage(2, APPLICATION, 3, 100, 100)


def test_rows_are_the_sum_of_the_changes() -> None:
    changing, stored = tree(16), {}
    for leaf, generation in ((9, 4), (9, 2), (1, 0), (9, 5), (8, 3), (9, 0)):
        receive(changing, leaf, APPLICATION, generation)
        for key, row in changing.changed_rows():
            if row is None:
                stored.pop(key, None)
            else:
                stored[key] = row
        assert changing.changed_rows() == []
    assert stored == dict(changing.rows())


def test_a_message_writes_one_small_row() -> None:
    changing = tree(1024)
    receive(changing, 700, APPLICATION, 3)
    changing.changed_rows()
    receive(changing, 700, APPLICATION, 4)
    ((key, row),) = changing.changed_rows()
    assert key == ("ratchet", 700, 1)
    assert row is not None
    assert len(row) == 1 + 8 + 32
    receive(changing, 700, APPLICATION, 1)
    assert changing.changed_rows() == [(("skipped", 700, 1, 1), None)]


def test_sending_writes_the_ratchet_each_time() -> None:
    # A generation that is not stored would be used again after a restart.
    sending, stored = tree(), dict(tree().changed_rows())
    for generation in range(4):
        sending = SecretTree.from_rows(SUITE, 8, [(key, row) for key, row in stored.items() if row is not None])
        assert sending.next_key(3, APPLICATION).generation == generation
        changed = sending.changed_rows()
        assert (("ratchet", 3, 1), dict(sending.rows())["ratchet", 3, 1]) in changed
        assert len(changed) == 1 or generation == 0
        stored.update(changed)


def test_rows_may_come_in_any_order() -> None:
    # The order of the skipped keys decides which of them goes first.
    changing = tree()
    receive(changing, 2, APPLICATION, 5)
    again = SecretTree.from_rows(SUITE, 8, changing.rows()[::-1])
    again.consume(again.stage(2, APPLICATION, 6, 100, 3))
    assert sorted(key[3] for key, _ in again.rows() if key[0] == "skipped") == [2, 3, 4]


def test_the_form_of_the_rows() -> None:
    changing = tree(2)
    receive(changing, 1, APPLICATION, 1)
    rows = dict(changing.rows())
    assert {key: len(row) for key, row in rows.items()} == {
        ("node", 0): 33,
        ("ratchet", 1, 0): 41,
        ("ratchet", 1, 1): 41,
        ("skipped", 1, 1, 0): 29,
    }
    assert {row[:1] for row in rows.values()} == {b"\x01"}
    assert rows["ratchet", 1, 1][1:9] == (2).to_bytes(8, "big")


def broken_rows() -> Iterator[list[tuple[RowKey, bytes]]]:
    changing = tree()
    receive(changing, 2, APPLICATION, 2)
    rows = changing.rows()
    for at, (key, row) in enumerate(rows):
        for other in (b"", row[:-1], row + b"\x00", b"\x02" + row[1:]):
            yield [*rows[:at], (key, other), *rows[at + 1 :]]
        strange: list[RowKey] = [
            (),
            ("node",),
            ("node", 15),
            ("node", -1),
            ("ratchet", 8, 0),
            ("ratchet", 2, 2),
            (1, 2),
        ]
        strange += [("node", "0"), ("skipped", 2, 1, 3), ("skipped", 3, 0, 0), ("secret", 1)]
        for odd in strange:
            yield [*rows[:at], (odd, row), *rows[at + 1 :]]


def test_other_rows_are_refused() -> None:
    count = 0
    for rows in broken_rows():
        count += 1
        try:
            SecretTree.from_rows(SUITE, 8, rows)
        except DecodeError as error:
            assert error.code == "mls.secret_tree_row"
            continue
        raise AssertionError(rows)
    assert count > 100


def test_a_missing_row_is_noticed() -> None:
    receiving = SecretTree.from_rows(SUITE, 8, [])
    with pytest.raises(DecodeError):
        receiving.stage(0, APPLICATION, 0, 100, 100)


# --- forward secrecy -------------------------------------------------------------------------------------------------
def expand(secret: bytes, label: str, context: bytes, length: int = 32) -> bytes:
    return SUITE.expand_with_label(secret, label, context, length)


def ratchet_values(root: bytes, count: int) -> list[tuple[bytes, bytes, bytes]]:
    """(secret, key, nonce) of the first generations."""
    values = []
    for generation in range(count):
        at = generation.to_bytes(4, "big")
        values.append((root, expand(root, "key", at, 16), expand(root, "nonce", at, 12)))
        root = expand(root, "secret", at)
    return values


def reachable(start: object) -> Iterator[bytes]:
    """Every byte string that can be got at from an object."""
    seen: set[int] = set()
    pending = [start]
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, type):
            continue
        seen.add(id(one))
        if isinstance(one, bytes | bytearray):
            yield bytes(one)
        if one is not SUITE:
            pending.extend(gc.get_referents(one))


def test_the_secrets_that_section_9_2_names_are_gone() -> None:
    # The RFC's own example: four members, and the first message from D has generation 1.
    a_and_b, c_and_d = expand(ROOT, "tree", b"left"), expand(ROOT, "tree", b"right")
    c, d = expand(c_and_d, "tree", b"left"), expand(c_and_d, "tree", b"right")
    (ar0, k0, n0), (ar1, k1, n1), (ar2, *_) = ratchet_values(expand(d, "application", b""), 3)
    hr0 = expand(d, "handshake", b"")

    receiving = tree(4)
    receiving.changed_rows()
    staged = receiving.stage(3, APPLICATION, 1, 10, 10)
    assert (staged.key, staged.nonce) == (k1, n1)
    held = b"".join(reachable(receiving))
    assert ROOT in held  # the walk sees what is there
    receiving.consume(staged)

    for where in (
        b"\x00".join(reachable(receiving)),
        b"\x00".join(reachable(staged)),
        b"\x00".join(row for _, row in receiving.rows()),
        b"\x00".join(row for _, row in receiving.changed_rows() if row is not None),
    ):
        for consumed in (ROOT, c_and_d, d, ar0, ar1, k1, n1):
            assert consumed not in where
    held = b"".join(reachable(receiving))
    for unconsumed in (a_and_b, c, hr0, ar2, k0, n0):
        assert unconsumed in held


def test_a_used_skipped_key_and_an_evicted_one_are_gone() -> None:
    values = ratchet_values(expand(tree_leaf(), "application", b""), 8)
    receiving = tree(1)
    staged = receiving.stage(0, APPLICATION, 6, 10, 3)
    receiving.consume(staged)
    kept, gone = (3, 4, 5), (0, 1, 2, 6)
    held = b"".join(reachable(receiving))
    assert all(values[generation][1] in held for generation in kept)
    assert not any(values[generation][part] in held for generation in gone for part in range(3))
    assert not any(values[generation][0] in held for generation in kept)
    staged = receiving.stage(0, APPLICATION, 4, 10, 3)
    receiving.consume(staged)
    held = b"".join([*reachable(receiving), *reachable(staged), *(row for _, row in receiving.rows())])
    assert values[4][1] not in held
    assert values[4][2] not in held


def tree_leaf() -> bytes:
    """In a tree of one leaf, the root is the leaf."""
    return ROOT


def test_a_sent_key_is_gone() -> None:
    sending = tree(1)
    values = ratchet_values(expand(ROOT, "application", b""), 3)
    keys = [sending.next_key(0, APPLICATION) for _ in range(2)]
    assert [key.key for key in keys] == [values[0][1], values[1][1]]
    held = b"".join(reachable(sending))
    assert values[2][0] in held
    for secret, key, nonce in values[:2]:
        assert secret not in held
        assert key not in held
        assert nonce not in held


def test_nothing_shows_in_a_repr() -> None:
    receiving = tree()
    staged = receiving.stage(0, APPLICATION, 0, 10, 10)
    for shown in (repr(receiving), repr(staged), repr(receiving.next_key(0, APPLICATION))):
        assert "0x" in shown
        assert "b'" not in shown
