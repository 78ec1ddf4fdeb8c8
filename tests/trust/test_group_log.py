"""Entries of a membership log: their form, who may sign them, what waits, and what is refused."""

from __future__ import annotations

import dataclasses

import pytest

from letterlock.codec import tls
from letterlock.errors import DecodeError, InputError, LetterlockError, ProtocolError
from letterlock.seam import Party
from letterlock.trust import group_log, labels
from letterlock.trust.device_list import verify_evidence, verify_list
from letterlock.trust.group_log_entry import (
    LIMITS,
    Add,
    Create,
    Icon,
    Leave,
    Member,
    Remove,
    Revoke,
    Subject,
    Unknown,
    check_signature,
    decode_entry,
    sign_entry,
)
from trust.groups import Group, author, listed, member, owner, sign
from trust.people import CRYPTO, DAY, NOW, stream


def nobody(party: Party) -> set[bytes]:
    return set()


# --- form -----------------------------------------------------------------------------------------------
def test_each_operation_survives_its_form() -> None:
    group = Group()
    key = owner("b").device(2).identity_key
    for operation in (
        Add((member("e"), member("f"))),
        Remove(owner("b").account),
        Leave(),
        Subject("Bergsteiger \N{MOUNTAIN} \N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}"),
        Icon(bytes(range(32)), "https://content.example/x"),
        Revoke(key),
    ):
        made = group.write("b", operation)
        assert decode_entry(made.encoded, LIMITS) == made and made.operation == operation
    root = group.root.operation
    assert isinstance(root, Create) and [each.number for each in root.members] == [owner(n).number for n in "bcd"]


def test_sr23_the_signature_is_over_label_and_body_and_the_id_over_the_body_alone() -> None:
    """SR-23. Signing again gives other bytes, and the same entry."""
    group = Group()
    one = group.write("b", Leave())
    two = sign_entry(one.group, one.parents, one.author, one.time, one.operation, sign("b", salt="x"), LIMITS)
    assert one.encoded != two.encoded and one.id == two.id
    CRYPTO.xeddsa_verify(
        owner("b").primary.identity_key[1:], labels.GROUP_ENTRY_SIGNATURE + one.encoded[:-64], two.encoded[-64:]
    )
    assert group.take(two) == group_log.Admitted(group.log, (), ())


def test_nobody_chooses_the_id_of_a_group() -> None:
    """Another nonce, subject, member or creator is another group."""
    begin = group_log.create_group
    first = Group().log.group
    others = [
        begin(author("a"), [member("b")], "Hikers", NOW, stream("x"), sign("a"), LIMITS),
        begin(author("a"), [member("b")], "Hikers", NOW, stream("y"), sign("a"), LIMITS),
        begin(author("b"), [member("a")], "Hikers", NOW, stream("x"), sign("b"), LIMITS),
    ]
    assert len({first, *(log.group for log in others)}) == 4


_ROOT = Group().root


def _body(
    operation: int,
    body: bytes,
    *,
    parents: bytes = _ROOT.id,
    group: bytes = _ROOT.group,
    device: int = 1,
    number: bytes = b"+15550000000",
    key: bytes = b"\x05" + bytes(32),
    version: int = 1,
) -> bytes:
    return b"".join(
        (
            bytes([version]),
            group,
            tls.opaque(parents),
            tls.opaque(number),
            bytes(16),
            bytes([device]),
            key,
            bytes(8),
            bytes([operation]),
            tls.opaque(body),
            bytes(64),
        )
    )


_NAMED = tls.opaque(b"+15550000001") + bytes(range(16))
_CREATE = {"parents": b"", "group": bytes(16)}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (_body(4, b"", version=2), "group.version"),
        (_body(4, b"", parents=b""), "group.parents"),
        (_body(4, b"", parents=bytes(31)), "group.parents"),
        (_body(4, b"", parents=bytes(64)), "group.parents"),
        (_body(4, b"", parents=b"\x01" * 32 + bytes(32)), "group.parents"),
        (_body(4, b"", parents=b"".join(bytes([n]) * 32 for n in range(17))), "tls.limit"),
        (_body(1, tls.opaque(b"") + tls.opaque(b"x") + bytes(32), parents=_ROOT.id, group=bytes(16)), "group.parents"),
        (_body(1, tls.opaque(b"") + tls.opaque(b"x") + bytes(32), parents=b"", group=_ROOT.group), "group.parents"),
        (
            _body(1, tls.opaque(tls.opaque(b"+15550000001") + bytes(16)) + b"\x00" + bytes(32), **_CREATE),
            "group.members",
        ),
        (_body(1, tls.opaque(_NAMED * 2) + b"\x00" + bytes(32), **_CREATE), "group.members"),
        (_body(1, b"\x00\x00" + bytes(31), **_CREATE), "tls.truncated"),
        (_body(1, b"\x00\x00" + bytes(33), **_CREATE), "tls.trailing"),
        (_body(2, b""), "group.members"),
        (_body(2, _NAMED * 2), "group.members"),
        (_body(2, tls.opaque(b"5550") + bytes(16)), "group.number"),
        (_body(3, bytes(15)), "tls.truncated"),
        (_body(3, bytes(17)), "tls.trailing"),
        (_body(4, b"x"), "tls.trailing"),
        (_body(5, b"\xff"), "group.text"),
        (_body(5, b"x" * 257), "group.limit"),
        (_body(5, b"a\nb"), "group.subject"),
        (_body(5, "a\u202eb".encode()), "group.subject"),
        (_body(6, bytes(31)), "tls.truncated"),
        (_body(6, bytes(32) + b"x" * 1025), "group.limit"),
        (_body(7, bytes(32)), "tls.truncated"),
        (_body(7, b"\x05" + b"\x01" * 32, device=2), "group.revoke"),
        (_body(7, b"\x05" + bytes(32)), "group.revoke"),
        (_body(4, b"", device=0), "group.device"),
        (_body(4, b"", device=128), "group.device"),
        (_body(4, b"", number=b"x"), "group.number"),
        (_body(4, b"", key=b"\x04" + bytes(32)), "group.identity_key"),
        (_body(4, b"") + b"x", "tls.trailing"),
        (_body(4, b"")[:-1], "tls.truncated"),
        (_body(6, bytes(49_153)), "group.limit"),
    ],
)
def test_malformed_entries(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_entry(data, LIMITS)
    assert caught.value.code == code


def test_an_operation_of_a_later_version_is_kept_without_effect() -> None:
    """Else one new phone in a group would cut all older ones off from what follows."""
    entry = decode_entry(_body(200, b"anything"), LIMITS)
    assert entry.operation == Unknown(200, b"anything")


@pytest.mark.parametrize("operation", [Subject("a\u202eb"), Subject("x" * 300), Subject("\ud800"), Add(())])
def test_what_readers_would_refuse_is_not_signed(operation: Subject | Add) -> None:
    with pytest.raises(InputError):
        group_log.append(Group().log, author("a"), operation, NOW, sign("a"))


# --- who ------------------------------------------------------------------------------------------------
def _admit(group: Group, data: bytes) -> tuple[str, ...]:
    return group_log.admit(group.log, [data], listed, CRYPTO).refused


def test_sr04_an_entry_that_its_author_did_not_sign() -> None:
    """SR-04: not with a bit turned in what is signed, nor by another's key."""
    group = Group()
    before = group.log.heads
    made = group.write("b", Subject("x"))
    again = group_log.join_group(group.root.encoded, group.log.group, listed, CRYPTO, LIMITS)
    for at in (20, 60, 150, len(made.encoded) - 64, len(made.encoded) - 1):
        data = bytearray(made.encoded)
        data[at] ^= 1
        admitted = group_log.admit(again, [bytes(data)], listed, CRYPTO)
        assert admitted.refused and admitted.log.heads == before and not admitted.log.pending
    forged = sign_entry(group.log.group, before, author("b"), NOW, Leave(), sign("c"), LIMITS)
    assert _admit(group, forged.encoded) == ("group.signature",)
    with pytest.raises(ProtocolError) as caught:
        check_signature(forged, CRYPTO)
    assert caught.value.code == "group.signature"


def test_sr04_a_key_that_is_not_the_authors_waits_for_a_list_that_names_it() -> None:
    """SR-04: c signs in the name of b, with its own key. No list of b will ever name it."""
    group = Group()
    party = author("b").party
    mine = dataclasses.replace(author("c"), party=party)
    forged = sign_entry(group.log.group, group.log.heads, mine, NOW, Leave(), sign("c"), LIMITS)
    admitted = group_log.admit(group.log, [forged.encoded], listed, CRYPTO)
    assert (admitted.added, admitted.log.pending) == ((), (forged,))
    assert admitted.log.state == group.log.state


def test_an_author_whose_list_is_unknown_waits_and_what_follows_with_it() -> None:
    group = Group()
    first = group.write("b", Add((member("e"),)))
    second = group.write("c", Subject("x"))

    def without_b(party: Party) -> set[bytes]:
        return set() if party.account == owner("b").account else listed(party)

    log = group_log.join_group(group.root.encoded, group.log.group, listed, CRYPTO, LIMITS)
    admitted = group_log.admit(log, [second.encoded, first.encoded], without_b, CRYPTO)
    assert not admitted.added and set(admitted.log.pending) == {first, second}
    assert admitted.log.missing() == ()
    later = group_log.admit(admitted.log, [], listed, CRYPTO)
    assert later.added == (first, second) and later.log.heads == group.log.heads and not later.log.pending


def test_an_entry_whose_parents_are_missing_waits_and_says_what_for() -> None:
    group = Group()
    first, second = group.write("b", Add((member("e"),))), group.write("c", Subject("x"))
    log = group_log.join_group(group.root.encoded, group.log.group, listed, CRYPTO, LIMITS)
    admitted = group_log.admit(log, [second.encoded], listed, CRYPTO)
    assert admitted.log.missing() == (first.id,) and admitted.log.lacks(group.log.heads) == group.log.heads
    stored = group_log.from_store([group.root.encoded], [second.encoded], LIMITS)
    assert stored.pending == admitted.log.pending and stored.heads == log.heads
    assert group_log.admit(stored, [first.encoded], listed, CRYPTO).log.heads == group.log.heads


def test_what_another_lacks() -> None:
    group = Group()
    root = group.root
    left = group.write("b", Subject("left"), after=[root])
    right = group.write("c", Subject("right"), after=[root])
    joined = group.write("d", Add((member("e"),)))
    assert group.log.after([]) == (root, left, right, joined)
    assert group.log.after([left.id, bytes(32)]) == (right, joined)
    assert group.log.after(group.log.heads) == ()
    assert group.log.after([root.id], until=left.id) == (left,)
    assert group.log.after([], until=right.id) == (root, right) and group.log.after([], until=bytes(32)) == ()


def test_the_beginning_must_be_that_of_the_group_we_were_told_of() -> None:
    group, other = Group(), Group(subject="Others")
    with pytest.raises(ProtocolError) as caught:
        group_log.join_group(other.root.encoded, group.log.group, listed, CRYPTO, LIMITS)
    assert caught.value.code == "group.root"
    with pytest.raises(ProtocolError) as caught:
        group_log.join_group(group.write("b", Leave()).encoded, group.log.group, listed, CRYPTO, LIMITS)
    assert caught.value.code == "group.root"
    with pytest.raises(ProtocolError) as caught:
        group_log.join_group(group.root.encoded, group.log.group, nobody, CRYPTO, LIMITS)
    assert caught.value.code == "group.author"
    forged = group.root.encoded[:-1] + bytes([group.root.encoded[-1] ^ 1])
    with pytest.raises(LetterlockError) as error:
        group_log.join_group(forged, group.log.group, listed, CRYPTO, LIMITS)
    assert error.value.code == "group.signature"
    assert _admit(group, other.write("b", Leave()).encoded) == ("group.other",)
    assert _admit(group, other.root.encoded) == ("group.other",)


def test_a_list_that_has_expired_proves_whose_key_it_was_and_nothing_more() -> None:
    """SR-22: evidence for old signatures is not a list to encrypt for."""
    who = owner("a")
    later = NOW + 40 * DAY
    assert verify_evidence(who.list.encoded, CRYPTO).account == who.account
    with pytest.raises(LetterlockError):
        verify_list(who.list.encoded, CRYPTO, later)
    damaged = who.list.encoded[:-1] + bytes([who.list.encoded[-1] ^ 1])
    with pytest.raises(LetterlockError) as caught:
        verify_evidence(damaged, CRYPTO)
    assert caught.value.code == "device_list.signature"


# --- writing --------------------------------------------------------------------------------------------
def test_who_may_not_is_told_before_anything_is_signed() -> None:
    group = Group()
    for name, operation, code in (
        ("g", Subject("x"), "input.group_member"),
        ("c", Remove(owner("b").account), "input.group_remove"),
        ("b", Remove(owner("b").account), "input.group_remove"),
        ("b", Remove(owner("g").account), "input.group_remove"),
    ):
        with pytest.raises(InputError) as caught:
            group_log.append(group.log, author(name), operation, NOW, sign(name))
        assert caught.value.code == code
    group.write("b", Revoke(owner("b").device(2).identity_key))
    with pytest.raises(InputError) as caught:
        group_log.append(group.log, author("b", 2), Leave(), NOW, sign("b", 2))
    assert caught.value.code == "input.group_revoked"


def test_a_new_entry_stands_behind_all_heads_and_keeps_what_is_pending() -> None:
    group = Group()
    root = group.root
    lost = sign_entry(group.log.group, [b"\x07" * 32], author("b"), NOW, Leave(), sign("b"), LIMITS)
    group.take(lost)
    one, two = group.write("b", Subject("1"), after=[root]), group.write("c", Subject("2"), after=[root])
    after = group_log.append(group.log, author("d"), Subject("3"), NOW, sign("d"))
    assert after.nodes[-1].entry.parents == tuple(sorted((one.id, two.id))) and after.pending == (lost,)
    assert len(after.heads) == 1


def test_of_too_many_heads_those_are_named_that_make_the_author_a_member() -> None:
    limits = dataclasses.replace(LIMITS, max_parents=2)
    group = Group(limits=limits)
    root = group.root
    added = group.write("b", Add((member("e"),)), after=[root])
    deep = group.write("b", Subject("deep"), after=[root])
    for n in range(4):
        deep = group.write("b", Subject(f"deep {n}"), after=[deep])
        group.write("c", Subject(f"wide {n}"), after=[root, deep])
    assert len(group.log.heads) > 3
    after = group_log.append(group.log, author("e"), Subject("mine"), NOW, sign("e"))
    assert added.id in after.nodes[-1].entry.parents and after.state.subject == "mine"


# --- bounds (SR-08) ----------------------------------------------------------------------------------------
def test_sr08_a_log_takes_no_more_than_its_bounds() -> None:
    """SR-08: entries in all, of one member, additions in all, of one account, and what waits."""
    small = dataclasses.replace(
        LIMITS, max_entries=6, max_entries_of_account=3, max_named=7, max_times_named=2, max_pending=2
    )

    def refused(*entries: tuple[str, Subject | Add]) -> tuple[str, ...]:
        group, writer = Group(limits=small), Group()
        made = [writer.write(name, operation) for name, operation in entries]
        return group_log.admit(group.log, [entry.encoded for entry in made], listed, CRYPTO).refused

    one = Subject("x")
    assert refused(("b", one), ("b", one), ("b", one), ("b", one)) == ("group.full",)
    assert refused(("b", one), ("c", one), ("b", one), ("c", one), ("d", one), ("d", one)) == ("group.full",)
    assert refused(("b", Add((member("e"), member("f"), member("g"), member("h"), member("i")))))[0] == "group.full"
    assert refused(("b", Add((member("e"),))), ("b", Add((member("e"),))), ("c", Add((member("e"),)))) == (
        "group.full",
    )
    group = Group(limits=small)
    lost = [
        sign_entry(group.log.group, [bytes([n]) * 32], author(name), NOW, Leave(), sign(name), LIMITS)
        for n, name in enumerate("bcd")
    ]
    admitted = group_log.admit(group.log, [entry.encoded for entry in lost], listed, CRYPTO)
    assert admitted.refused == ("group.pending",) and len(admitted.log.pending) == 2
    full = Group(limits=dataclasses.replace(LIMITS, max_entries=1))
    with pytest.raises(InputError) as caught:
        group_log.append(full.log, author("b"), one, NOW, sign("b"))
    assert caught.value.code == "input.group_full"


def test_a_thousand_members_fit_into_one_entry() -> None:
    members = [Member(owner("b").number, owner("b").account)]
    rng = stream("members")
    members += [Member(owner("b").number, type(owner("b").account)(rng(16))) for _ in range(998)]
    log = group_log.create_group(author("a"), members, "All", NOW, rng, sign("a"), LIMITS)
    assert len(log.state.members) == 1_000
    with pytest.raises(InputError):
        group_log.create_group(author("a"), [*members, member("c")], "All", NOW, rng, sign("a"), LIMITS)


def test_only_the_functions_of_the_module_make_a_log() -> None:
    log = Group().log
    with pytest.raises(TypeError):
        group_log.GroupLog(log.nodes, (), LIMITS, None)
    with pytest.raises(ValueError):
        dataclasses.replace(log, nodes=log.nodes)
