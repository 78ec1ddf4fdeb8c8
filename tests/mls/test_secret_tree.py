"""The secret tree against a naive one, and what it promises: one use a key, bounded work, free failures."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.crypto.pyca import Pyca
from letterlock.errors import DuplicateMessage, InputError, TooFarAhead
from letterlock.mls.schedule.secret_tree import MAX_GENERATION, MessageKey, RatchetKind, SecretTree
from letterlock.mls.suites import CipherSuite, cipher_suite

CRYPTO = Pyca()
SUITE = cipher_suite(1, CRYPTO)
ROOT = bytes(range(32))
HANDSHAKE, APPLICATION = RatchetKind.HANDSHAKE, RatchetKind.APPLICATION


def naive_key(
    suite: CipherSuite, root: bytes, leaf_count: int, leaf: int, kind: RatchetKind, generation: int
) -> tuple[bytes, bytes]:
    """Figures 25 to 27 of RFC 9420, written down as they stand."""
    secret, low, high = root, 0, leaf_count
    while high - low > 1:
        middle = (low + high) // 2
        side = b"left" if leaf < middle else b"right"
        low, high = (low, middle) if leaf < middle else (middle, high)
        secret = suite.expand_with_label(secret, "tree", side, suite.hash_length)
    label = "handshake" if kind == HANDSHAKE else "application"
    secret = suite.expand_with_label(secret, label, b"", suite.hash_length)
    for step in range(generation):
        secret = suite.expand_with_label(secret, "secret", step.to_bytes(4, "big"), suite.hash_length)
    position = generation.to_bytes(4, "big")
    return (
        suite.expand_with_label(secret, "key", position, suite.key_length),
        suite.expand_with_label(secret, "nonce", position, suite.nonce_length),
    )


def tree(leaf_count: int = 8) -> SecretTree:
    return SecretTree(SUITE, ROOT, leaf_count)


def pair(key: MessageKey) -> tuple[bytes, bytes]:
    return key.key, key.nonce


def receive(
    of: SecretTree, leaf: int, kind: RatchetKind, generation: int, forward: int = 10, kept: int = 10
) -> tuple[bytes, bytes]:
    staged = of.stage(leaf, kind, generation, forward, kept)
    got = pair(staged)
    of.consume(staged)
    return got


@pytest.mark.parametrize("suite_number", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("leaf_count", [1, 2, 16])
def test_sender_and_receiver_agree_with_the_naive_tree(suite_number: int, leaf_count: int) -> None:
    suite = cipher_suite(suite_number, CRYPTO)
    root = b"r" * suite.hash_length
    sending, receiving = SecretTree(suite, root, leaf_count), SecretTree(suite, root, leaf_count)
    for leaf in {0, leaf_count // 3, leaf_count - 1}:
        for kind in RatchetKind:
            for generation in range(3):
                expected = naive_key(suite, root, leaf_count, leaf, kind, generation)
                assert sending.peek_generation(leaf, kind) == generation
                key = sending.next_key(leaf, kind)
                assert (key.generation, *pair(key)) == (generation, *expected)
                assert receive(receiving, leaf, kind, generation) == expected


def test_out_of_order() -> None:
    receiving = tree()
    for generation in (3, 1, 0, 4, 2, 9, 8, 5):
        assert receive(receiving, 5, APPLICATION, generation) == naive_key(SUITE, ROOT, 8, 5, APPLICATION, generation)


@pytest.mark.parametrize("order", [(0,), (2, 0), (2, 2), (5, 1)])
def test_a_key_opens_one_message(order: tuple[int, ...]) -> None:
    receiving = tree()
    for generation in dict.fromkeys(order):
        receive(receiving, 1, APPLICATION, generation)
    for generation in order:
        with pytest.raises(DuplicateMessage):
            receiving.stage(1, APPLICATION, generation, 10, 10)


def test_the_two_ratchets_of_a_leaf_and_the_leaves_are_independent() -> None:
    receiving = tree()
    receive(receiving, 1, APPLICATION, 0)
    assert receive(receiving, 1, HANDSHAKE, 0) == naive_key(SUITE, ROOT, 8, 1, HANDSHAKE, 0)
    assert receive(receiving, 0, APPLICATION, 0) == naive_key(SUITE, ROOT, 8, 0, APPLICATION, 0)


def test_a_jump_is_bounded() -> None:
    receiving = tree()
    with pytest.raises(TooFarAhead):
        receiving.stage(1, APPLICATION, 11, 10, 10)
    receive(receiving, 1, APPLICATION, 10)
    with pytest.raises(TooFarAhead):
        receiving.stage(1, APPLICATION, 22, 10, 10)
    receive(receiving, 1, APPLICATION, 21)
    for generation in (MAX_GENERATION, 2**32, 2**64):
        with pytest.raises(TooFarAhead):
            receiving.stage(1, APPLICATION, generation, 10, 10)
    receive(receiving, 1, APPLICATION, 22, forward=0)


@dataclass
class CountingSuite:
    """A suite that counts derivations, which are the work that a peer can cause."""

    suite: CipherSuite
    derived: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        value = getattr(self.suite, name)
        if name not in ("expand_with_label", "derive_tree_secret"):
            return value

        def counted(secret: bytes, label: str, context: object, length: int) -> bytes:
            self.derived.append(label)
            return value(secret, label, context, length)  # type: ignore[no-any-return]

        return counted


def counting() -> tuple[SecretTree, list[str]]:
    suite = CountingSuite(SUITE)
    return SecretTree(suite, ROOT, 1024), suite.derived  # type: ignore[arg-type]


def test_the_work_of_a_forged_jump_is_bounded_by_max_forward() -> None:
    receiving, derived = counting()
    with pytest.raises(TooFarAhead):
        receiving.stage(700, APPLICATION, MAX_GENERATION, 100, 1000)
    assert derived == []
    receiving.stage(700, APPLICATION, 100, 100, 1000)
    # Ten levels down, the ratchet's root, a hundred steps, and the one key that is asked for.
    assert len(derived) == 10 + 1 + 100 + 2


def test_the_work_of_taking_a_jump_is_bounded_by_what_is_kept() -> None:
    receiving, derived = counting()
    staged = receiving.stage(700, APPLICATION, 100, 100, 3)
    derived.clear()
    receiving.consume(staged)
    # The sibling of each node on the way down, both ratchets' roots, three skipped keys, the next secret.
    assert len(derived) == 10 + 2 + 3 * 2 + 1


def test_the_steady_state_derives_three_secrets_a_message() -> None:
    receiving, derived = counting()
    receive(receiving, 700, APPLICATION, 0)
    derived.clear()
    receive(receiving, 700, APPLICATION, 1)
    assert sorted(derived) == ["key", "nonce", "secret"]
    derived.clear()
    receiving.next_key(700, APPLICATION)
    assert sorted(derived) == ["key", "nonce", "secret"]


def test_skipped_keys_are_bounded_and_the_oldest_go_first() -> None:
    receiving = tree()
    receive(receiving, 1, APPLICATION, 10, kept=3)
    kept = [key[3] for key, _ in receiving.rows() if key[0] == "skipped"]
    assert sorted(kept) == [7, 8, 9]
    receive(receiving, 1, APPLICATION, 12, kept=3)
    kept = [key[3] for key, _ in receiving.rows() if key[0] == "skipped"]
    assert sorted(kept) == [8, 9, 11]
    for generation in (6, 7, 10):
        with pytest.raises(DuplicateMessage):
            receiving.stage(1, APPLICATION, generation, 10, 3)
    for generation in (9, 8, 11):
        assert receive(receiving, 1, APPLICATION, generation, kept=3) == naive_key(
            SUITE, ROOT, 8, 1, APPLICATION, generation
        )


def test_no_skipped_keys_at_all() -> None:
    receiving = tree()
    assert receive(receiving, 1, APPLICATION, 4, kept=0) == naive_key(SUITE, ROOT, 8, 1, APPLICATION, 4)
    assert [key for key, _ in receiving.rows() if key[0] == "skipped"] == []
    assert receive(receiving, 1, APPLICATION, 5, kept=0) == naive_key(SUITE, ROOT, 8, 1, APPLICATION, 5)


def test_a_failed_decryption_costs_nothing() -> None:
    receiving = tree()
    receive(receiving, 1, APPLICATION, 2)
    receiving.changed_rows()
    before = receiving.rows()
    for leaf, generation in ((1, 0), (1, 3), (1, 9), (0, 0), (0, 7), (7, 0)):
        for _ in range(2):
            staged = receiving.stage(leaf, APPLICATION, generation, 10, 10)
            assert pair(staged) == naive_key(SUITE, ROOT, 8, leaf, APPLICATION, generation)
        assert receiving.rows() == before
        assert receiving.changed_rows() == []
        assert receiving.peek_generation(leaf, APPLICATION) == (3 if leaf == 1 else 0)


def test_keys_staged_together_may_be_consumed_in_any_order() -> None:
    generations = (4, 0, 2, 6)
    for leaf in (2, 3):
        receiving = tree()
        staged = [
            receiving.stage(at, APPLICATION, generation, 10, 10) for generation in generations for at in (leaf, 2)
        ]
        for one in staged[:1] + staged[2:]:
            try:
                receiving.consume(one)
            except DuplicateMessage:
                assert leaf == 2  # there the pairs are the same key twice
        for generation in generations:
            with pytest.raises(DuplicateMessage):
                receiving.stage(leaf, APPLICATION, generation, 10, 10)
        for generation in (1, 3, 5, 7):
            assert receive(receiving, leaf, APPLICATION, generation) == naive_key(
                SUITE, ROOT, 8, leaf, APPLICATION, generation
            )


def test_the_same_key_cannot_be_consumed_twice() -> None:
    receiving = tree()
    first, second = (receiving.stage(1, APPLICATION, 3, 10, 10) for _ in range(2))
    receiving.consume(first)
    with pytest.raises(DuplicateMessage):
        receiving.consume(second)
    with pytest.raises(DuplicateMessage):
        receiving.consume(first)


def near_the_end(left: int) -> SecretTree:
    """A tree whose ratchet of leaf 0 has that many keys left."""
    receiving = tree(1)
    receive(receiving, 0, APPLICATION, 0)
    rows = [
        (key, row[:1] + (2**32 - left).to_bytes(8, "big") + row[9:] if key == ("ratchet", 0, 1) else row)
        for key, row in receiving.rows()
    ]
    return SecretTree.from_rows(SUITE, 1, rows)


def test_the_last_generation_is_used_and_none_after_it() -> None:
    sending = near_the_end(2)
    assert sending.next_key(0, APPLICATION).generation == MAX_GENERATION - 1
    assert sending.next_key(0, APPLICATION).generation == MAX_GENERATION
    for again in (sending, SecretTree.from_rows(SUITE, 1, sending.rows())):
        assert again.peek_generation(0, APPLICATION) == 2**32
        before = again.rows()
        with pytest.raises(InputError) as caught:
            again.next_key(0, APPLICATION)
        assert caught.value.code == "mls.generation"
        assert again.rows() == before
        assert again.next_key(0, HANDSHAKE).generation == 0


def test_the_last_generation_is_received_once() -> None:
    receiving = near_the_end(4)
    expected = [pair(near_the_end(4).stage(0, APPLICATION, MAX_GENERATION - n, 10, 10)) for n in range(4)]
    assert receive(receiving, 0, APPLICATION, MAX_GENERATION) == expected[0]
    assert receive(receiving, 0, APPLICATION, MAX_GENERATION - 2) == expected[2]
    for generation in (MAX_GENERATION, MAX_GENERATION - 2):
        with pytest.raises(DuplicateMessage):
            receiving.stage(0, APPLICATION, generation, 10, 10)
    with pytest.raises(TooFarAhead):
        near_the_end(4).stage(0, APPLICATION, 2**32, 10, 10)


@pytest.mark.parametrize("leaf_count", [-1, 0, 3, 12])
def test_a_width_is_a_power_of_two(leaf_count: int) -> None:
    with pytest.raises(InputError):
        tree(leaf_count)


@pytest.mark.parametrize("leaf", [-1, 8, 2**32 - 1])
def test_a_leaf_outside_the_tree(leaf: int) -> None:
    receiving = tree()
    before = receiving.rows()
    with pytest.raises(InputError):
        receiving.stage(leaf, APPLICATION, 0, 10, 10)
    with pytest.raises(InputError):
        receiving.next_key(leaf, APPLICATION)
    assert receiving.rows() == before


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(RatchetKind), st.integers(0, 12)), max_size=40), st.data())
def test_any_order_of_messages_against_a_model(
    messages: list[tuple[int, RatchetKind, int]], data: st.DataObject
) -> None:
    receiving = tree(4)
    stored = dict(receiving.changed_rows())
    following: dict[tuple[int, RatchetKind], int] = {}
    waiting: dict[tuple[int, RatchetKind], list[int]] = {}
    for leaf, kind, generation in messages:
        position = following.get((leaf, kind), 0)
        kept = waiting.setdefault((leaf, kind), [])
        before = receiving.rows()
        try:
            staged = receiving.stage(leaf, kind, generation, 6, 4)
        except DuplicateMessage:
            assert generation < position and generation not in kept
            assert receiving.rows() == before
            continue
        except TooFarAhead:
            assert generation - position > 6
            continue
        assert receiving.rows() == before
        assert pair(staged) == naive_key(SUITE, ROOT, 4, leaf, kind, generation)
        if data.draw(st.booleans(), "forged"):
            continue
        receiving.consume(staged)
        if generation < position:
            kept.remove(generation)
        else:
            kept.extend(range(position, generation))
            del kept[: max(0, len(kept) - 4)]
            following[leaf, kind] = generation + 1
        for key, row in receiving.changed_rows():
            if row is None:
                stored.pop(key, None)
            else:
                stored[key] = row
        assert stored == dict(receiving.rows())
        if data.draw(st.booleans(), "reload"):
            receiving = SecretTree.from_rows(SUITE, 4, stored.items())  # type: ignore[arg-type]
            assert receiving.changed_rows() == []
