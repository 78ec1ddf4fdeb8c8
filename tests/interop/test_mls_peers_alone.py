"""ts-mls and mls-rs with each other, without us: the harness works, and what a peer cannot do is written down as a test.

When a new version of a peer can do more, the test of what it could not do fails, and says that a detour has become needless.
"""

from __future__ import annotations

import json

import pytest

from interop.mls_peers import (
    FOLDER,
    MlsPeer,
    PeerError,
    PeerMember,
    add,
    custom,
    group_context_extensions,
    psk,
    reinit,
    remove,
    resumption_psk,
    update,
)

pytestmark = pytest.mark.node

EXTERNAL_SENDERS = 5
REQUIRED_CAPABILITIES = 3
SUITES = [1, 2, 3, 5, 7]


def group_of(group_id: bytes, *members: PeerMember, extensions: tuple[tuple[int, bytes], ...] = ()) -> list[PeerMember]:
    """The first creates it and adds the others."""
    first, *others = members
    first.create(group_id, **({"group_extensions": extensions} if extensions else {}))
    made = first.commit(*(add(other.key_package()) for other in others))
    for other in others:
        assert made.welcome is not None
        other.join(made.welcome)
    return list(members)


def deliver(message: bytes, members: list[PeerMember], sender: PeerMember) -> None:
    for member in members:
        if member is not sender:
            member.process(message, sender.identity)


def agree(*members: PeerMember) -> None:
    """All are in the same epoch: they export the same, and can read each other."""
    assert len({member.export("probe", b"context", 48) for member in members}) == 1
    for sender in members:
        sealed = sender.encrypt(b"from " + sender.identity)
        for reader in members:
            if reader is not sender:
                assert reader.process(sealed, sender.identity).data == b"from " + sender.identity


def test_the_peers_are_the_ones_that_the_locks_name(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    wanted = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]["ts-mls"]
    assert ts_mls.name == f"ts-mls {wanted}"
    assert mls_rs.name == "mls-rs 0.1.1"
    assert mls_rs.suites == (1,)
    assert set(SUITES) == set(ts_mls.suites)


def test_one_group_of_both(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    """Each adds, each commits (ts-mls publicly and privately), one comes by external commit, each removes."""
    alice, bob, carol, dave = (PeerMember(peer) for peer in (ts_mls, mls_rs, ts_mls, ts_mls))
    members = group_of(b"both", alice, bob)
    agree(*members)
    for sender, public in ((bob, True), (alice, False), (alice, True)):
        deliver(sender.commit(public=public).commit, members, sender)
        agree(*members)

    made = bob.commit(add(carol.key_package()))
    deliver(made.commit, members, bob)
    assert made.welcome is not None
    carol.join(made.welcome)
    members.append(carol)
    agree(*members)

    joined = dave.external_join(alice.group_info())
    deliver(joined, members, dave)
    members.append(dave)
    agree(*members)
    assert len({member.epoch_authenticator for member in (alice, carol, dave)}) == 1

    deliver(alice.commit(remove(identity=dave.identity)).commit, members, alice)
    deliver(bob.commit(remove(identity=carol.identity)).commit, members[:3], bob)
    assert [member.status()["active"] for member in (alice, carol, dave)] == ["active", *["removedFromGroup"] * 2]
    agree(alice, bob)


def test_proposals_by_reference(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    """Each kind from one peer, committed by the other: add, remove, update."""
    a, b, c, d = members = group_of(b"references", *(PeerMember(peer) for peer in (ts_mls, mls_rs, ts_mls, mls_rs)))
    new = PeerMember(mls_rs)
    deliver(a.propose(add(new.key_package()), public=True), members, a)
    deliver(b.propose(remove(identity=d.identity)), members, b)
    deliver(c.propose(update(), public=False), members, c)
    assert a.status()["pending_proposals"] == 3
    made = b.commit()
    assert sorted(a.process(made.commit).proposals) == ["add", "remove", "update"]
    deliver(made.commit, [c, d], b)
    assert made.welcome is not None
    new.join(made.welcome)
    agree(a, b, c, new)
    deliver(c.commit().commit, [a, b, new], c)  # with the leaf key of its Update
    agree(a, b, c, new)


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_of_ts_mls(ts_mls: MlsPeer, suite: int) -> None:
    """Among itself: Welcome, both wire formats, PSK, Update, external join and resync."""
    a, b, c = members = group_of(b"suite", *(PeerMember(ts_mls, suite=suite) for _ in range(3)))
    assert len(a.public_key) == {1: 32, 2: 65, 3: 32, 5: 133, 7: 97}[suite]  # uncompressed points
    ts_mls.call("psk", psk_id=b"shared", psk=b"secret" * 6)
    for public in (True, False):
        deliver(b.commit(psk(b"shared"), public=public).commit, members, b)
        deliver(c.propose(update(), public=public), members, c)
        deliver(a.commit(public=public).commit, members, a)
        agree(*members)
    new = PeerMember(ts_mls, suite=suite)
    deliver(new.external_join(b.group_info()), members, new)
    members.append(new)
    deliver(c.external_join(a.group_info(tree=False), a.tree(), resync=True), members, c)
    agree(*members)
    assert len({member.epoch_authenticator for member in members}) == 1


def test_a_discarded_private_commit_uses_its_generation_again(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    """ts-mls keeps no trace of a commit that was not applied: a second one in the same epoch must be public."""
    a, b = group_of(b"discarded", PeerMember(ts_mls), PeerMember(mls_rs))
    a.commit(merge=False)
    discarded = a.commit(merge=False).commit
    b.process(a.propose(add(PeerMember(ts_mls).key_package())))
    with pytest.raises(PeerError, match="key not available, invalid generation 0"):
        b.process(discarded)


def test_an_own_commit_waits_for_merge(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    a, b = group_of(b"staged", PeerMember(ts_mls), PeerMember(mls_rs))
    a.commit(merge=False)
    a.clear_pending()
    with pytest.raises(PeerError, match="nothing is pending"):
        a.merge()
    lost = b.commit(merge=False)
    won = a.commit(merge=False)
    agree(a, b)
    b.process(won.commit)
    a.merge()
    agree(a, b)
    with pytest.raises(PeerError, match="too old"):
        a.process(lost.commit)
    with pytest.raises(PeerError, match="nothing is pending"):
        b.merge()


def test_a_tree_out_of_band(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    a, b, c = PeerMember(mls_rs, tree=False), PeerMember(ts_mls), PeerMember(mls_rs)
    a.create(b"tree")
    made = a.commit(add(b.key_package()))
    assert made.welcome is not None and made.tree is not None
    with pytest.raises(PeerError, match="No RatchetTree"):
        b.join(made.welcome)
    b.join(made.welcome, made.tree)
    second = b.commit(add(c.key_package()), tree=False)
    a.process(second.commit)
    assert second.welcome is not None and second.tree is not None and second.tree == a.tree()
    with pytest.raises(PeerError, match="ratchet tree not provided"):
        c.join(second.welcome)
    c.join(second.welcome, second.tree)
    agree(a, b, c)


def test_messages_late_and_out_of_order(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    a, b = members = group_of(b"late", PeerMember(ts_mls), PeerMember(mls_rs))
    late = [(a.encrypt(b"a"), b.encrypt(b"b"))]
    for _ in range(4):
        deliver(a.commit().commit, members, a)
        late.append((a.encrypt(b"a"), b.encrypt(b"b")))
    for from_a, from_b in late[1:]:  # ts-mls keeps four epochs
        assert (a.process(from_b).data, b.process(from_a).data) == (b"b", b"a")
        with pytest.raises(PeerError, match="Desired gen in the past"):
            a.process(from_b)
        with pytest.raises(PeerError, match="key not available"):
            b.process(from_a)
    sealed = [a.encrypt(bytes([number])) for number in range(8)]
    assert [b.process(sealed[number]).data for number in (5, 0, 7, 3)] == [b"\5", b"\0", b"\7", b"\3"]


def test_a_tampered_copy_costs_mls_rs_the_genuine_message(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    """Its key is used up before the message is authenticated; ts-mls still opens the genuine one."""
    a, b, c = group_of(b"tampered", PeerMember(ts_mls), PeerMember(mls_rs), PeerMember(ts_mls))
    sealed = a.encrypt(b"genuine")
    for reader in (b, c):
        with pytest.raises(PeerError, match=r"OpenSSL error|operation failed"):
            reader.process(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert c.process(sealed).data == b"genuine"
    with pytest.raises(PeerError, match="key not available"):
        b.process(sealed)


def test_reinit_and_branch(ts_mls: MlsPeer) -> None:
    """Within ts-mls, into another suite and into a smaller group; `resuming` says which group a Welcome goes on from."""
    a, b, c = members = group_of(b"old", *(PeerMember(ts_mls) for _ in range(3)))
    branch = [PeerMember(ts_mls, member.identity) for member in (a, b)]
    branch[0].create(b"branch")
    made = branch[0].commit(add(branch[1].key_package()), resumption_psk("branch", b"old", a.epoch))
    assert made.welcome is not None
    with pytest.raises(PeerError, match="No prior state passed for resumption"):
        branch[1].join(made.welcome)
    branch[1].join(made.welcome, resuming=b)
    agree(*branch)

    deliver(c.propose(reinit(b"new", 2)), members, c)
    deliver(a.commit().commit, members, a)
    assert {member.status()["active"] for member in members} == {"suspendedPendingReinit"}
    with pytest.raises(PeerError, match="suspended pending reinit"):
        b.encrypt(b"")
    new = [PeerMember(ts_mls, member.identity, suite=2) for member in members]
    new[0].create(b"new")
    packages = (add(member.key_package()) for member in new[1:])
    made = new[0].commit(*packages, resumption_psk("reinit", b"old", a.epoch))
    for member, old in zip(new[1:], (b, c), strict=True):
        assert made.welcome is not None
        member.join(made.welcome, resuming=old)
    agree(*new)


def test_an_application_resumption_psk(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    a, b = members = group_of(b"resumed", PeerMember(ts_mls), PeerMember(mls_rs))
    deliver(a.commit().commit, members, a)
    deliver(a.commit(resumption_psk("application", b"resumed", 1)).commit, members, a)
    agree(a, b)
    new = PeerMember(ts_mls)
    made = a.commit(add(new.key_package()), resumption_psk("application", b"resumed", 1))
    deliver(made.commit, members, a)
    assert made.welcome is not None
    with pytest.raises(PeerError, match="Epoch mismatch"):  # it takes every resumption PSK for a reinit or a branch
        new.join(made.welcome, resuming=a)


def test_proposals_from_outside(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    """A list of two external senders, as the RFC encodes it, which ts-mls reads with our detour; mls-rs must not see one."""
    servers = [PeerMember(ts_mls) for _ in range(2)]
    listed = b"".join(_sender(server) for server in servers)
    a, b, _ = members = group_of(
        b"outside", *(PeerMember(ts_mls) for _ in range(3)), extensions=((EXTERNAL_SENDERS, _vector(listed)),)
    )
    assert a.status()["extensions"] == [[EXTERNAL_SENDERS, _vector(listed)]]
    new = PeerMember(ts_mls)
    for message in (servers[1].propose_external(a.group_info(), remove(index=2)), new.propose_join(a.group_info())):
        deliver(message, members, new)
        with pytest.raises(PeerError, match="from outside the group"):
            _rust_member(mls_rs).process(message)
    made = b.commit()
    assert sorted(a.process(made.commit).proposals) == ["add", "remove"]
    assert made.welcome is not None
    new.join(made.welcome)
    agree(a, b, new)
    with pytest.raises(PeerError, match="Could not find external_sender"):
        PeerMember(ts_mls).propose_external(a.group_info(), remove(index=1))
    with pytest.raises(PeerError, match="Could not decode external_senders"):
        a.commit(group_context_extensions([(EXTERNAL_SENDERS, _vector(listed))]))


def _rust_member(mls_rs: MlsPeer) -> PeerMember:
    made = PeerMember(mls_rs)
    made.create(b"alone")
    return made


def _sender(server: PeerMember) -> bytes:
    return _vector(server.public_key) + b"\0\1" + _vector(server.identity)


def _vector(data: bytes) -> bytes:
    head = bytes([len(data)]) if len(data) < 64 else (0x4000 | len(data)).to_bytes(2, "big")
    return head + data


def test_group_context_extensions(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    """ts-mls proposes, mls-rs commits. ts-mls's own commits of them have no path, or one that nobody can decrypt."""
    required = (REQUIRED_CAPABILITIES, b"\0\0\2\0\1")
    a, b, c = members = group_of(b"context", PeerMember(ts_mls), PeerMember(mls_rs), PeerMember(ts_mls))
    deliver(a.propose(group_context_extensions([required])), members, a)
    deliver(b.commit().commit, members, b)
    agree(*members)
    assert a.status()["extensions"] == [list(required)]
    new = PeerMember(ts_mls)
    with pytest.raises(PeerError, match="does not support required capabilities"):
        a.commit(add(new.key_package(capable_credentials=[2])), merge=False)
    with pytest.raises(PeerError, match="missing required path"):
        b.process(a.commit(group_context_extensions([]), public=True, merge=False).commit)
    with pytest.raises(PeerError, match="OpenError"):
        c.process(a.commit(group_context_extensions([(1, b"")]), remove(identity=b.identity), merge=False).commit)
    made = a.commit(group_context_extensions([]), remove(identity=b.identity))  # an empty list is no list for it
    c.process(made.commit)
    assert a.status()["extensions"] == [list(required)]


def test_what_mls_rs_leaves_out_of_a_commit(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    """It commits what it can and drops the rest in silence: a PSK it lacks, an unknown extension or proposal type."""
    a, b = members = group_of(b"dropped", PeerMember(ts_mls), PeerMember(mls_rs))
    for proposal in (psk(b"unknown"), group_context_extensions([(0xFF01, b"")]), custom(0xF001, b"body")):
        deliver(a.propose(proposal), members, a)
        made = b.commit()
        assert a.process(made.commit).proposals == ()
    agree(a, b)
    ts_mls.call("psk", psk_id=b"ours", psk=bytes(32))
    with pytest.raises(PeerError, match="Missing required Psk"):
        b.process(a.commit(psk(b"ours"), public=True, merge=False).commit)
    with pytest.raises(PeerError, match="Unsupported custom proposal type"):
        b.process(a.commit(custom(0xF001, b"body"), public=True, merge=False).commit)


def test_what_the_mls_rs_driver_refuses(mls_rs: MlsPeer) -> None:
    a = _rust_member(mls_rs)
    refused = {
        "no such operation": lambda: a.clear_pending(),
        "suite 2": lambda: PeerMember(mls_rs, suite=2),
        "credential x509": lambda: PeerMember(mls_rs, x509=[b""]),
        "proposal update": lambda: a.propose(update()),
        "a commit of psk": lambda: a.commit(psk(b"")),
        "authenticated data": lambda: a.encrypt(b"", aad=b"x"),
        "a Remove by leaf index": lambda: a.commit(remove(index=1)),
        "handle never came": lambda: a.commit(remove(identity=b"stranger")),
    }
    for reason, attempt in refused.items():
        with pytest.raises(PeerError, match=reason):
            attempt()
    with pytest.raises(PeerError, match="commit already pending"):
        a.commit(merge=False)
        a.commit(merge=False)


def test_mls_rs_wants_different_identities(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    a = _rust_member(mls_rs)
    with pytest.raises(PeerError, match="duplicate signature key, hpke key or identity"):
        a.commit(add(PeerMember(ts_mls, a.identity).key_package()))


def test_mls_rs_from_its_own_storage(mls_rs: MlsPeer) -> None:
    members = group_of(b"stored", PeerMember(mls_rs), PeerMember(mls_rs))
    for member in members:
        mls_rs.call("reload", group=member.group, group_id=b"stored")
        agree(*members)
        deliver(member.commit().commit, members, member)
        agree(*members)


def test_ts_mls_external_pub_is_bare_without_the_driver(ts_mls: MlsPeer) -> None:
    """Its own encoding goes with itself only; the driver writes and reads the RFC's."""
    for bare in (False, True):
        a, new = members = [PeerMember(ts_mls), PeerMember(ts_mls)]
        a.create(b"external")
        info, other = (a.group_info(tree=False, bare=flag) for flag in (bare, not bare))
        with pytest.raises(PeerError):
            new.external_join(other, a.tree(), bare=bare)
        deliver(new.external_join(info, a.tree(), bare=bare), members, new)
        agree(*members)


def test_a_valid_tree_that_ts_mls_cannot_join(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    """Leaves 1 and 5 are unmerged under the root and each under a parent of its own: the lists differ, and may."""
    everyone = group_of(b"unmerged", *(PeerMember(mls_rs) for _ in range(8)))
    made = everyone[0].commit(remove(identity=everyone[1].identity), remove(identity=everyone[5].identity))
    members = [member for number, member in enumerate(everyone) if number not in (1, 5)]
    deliver(made.commit, members, everyone[0])
    for member in members:
        deliver(member.commit().commit, members, member)
    first, second, third = PeerMember(ts_mls), PeerMember(ts_mls), PeerMember(mls_rs)
    made = members[0].commit(add(first.key_package()))
    deliver(made.commit, members, members[0])
    assert made.welcome is not None
    first.join(made.welcome)
    made = members[0].commit(add(second.key_package()), add(third.key_package()))
    deliver(made.commit, [*members, first], members[0])
    assert made.welcome is not None
    third.join(made.welcome)
    agree(members[0], first, third)
    with pytest.raises(PeerError, match="must list leaf node in its unmerged_leaves"):
        second.join(made.welcome)


def test_grease_and_extensions_of_a_leaf(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    a, b, c = PeerMember(ts_mls), PeerMember(mls_rs), PeerMember(ts_mls)
    a.create(b"grease", grease=True)
    own = c.key_package(grease=True, leaf_extensions=[(0xFF02, b"own")], capable_extensions=[0xFF02])
    made = a.commit(add(b.key_package()), add(own))
    assert made.welcome is not None
    b.join(made.welcome)
    c.join(made.welcome)
    agree(a, b, c)


def test_x509_credentials_are_carried_as_they_are(ts_mls: MlsPeer, mls_rs: MlsPeer) -> None:
    """ts-mls judges no certificate; mls-rs's members do not list the type, so that they cannot be together."""
    chain = [b"leaf certificate", b"issuer"]
    a, b = PeerMember(ts_mls, x509=chain), PeerMember(ts_mls)
    members = group_of(b"x509", a, b)
    agree(*members)
    assert ts_mls.call("members", group=b.group)["members"] == [[0, chain], [1, b.identity]]
    rust = PeerMember(mls_rs)
    made = a.commit(add(rust.key_package()))
    assert made.welcome is not None
    with pytest.raises(PeerError, match="unsupported credential type"):
        rust.join(made.welcome)


@pytest.mark.parametrize("name", ["ts_mls", "mls_rs"])
def test_benchmark_operations(name: str, request: pytest.FixtureRequest) -> None:
    """Each gives one time a repetition, and leaves a group that works."""
    peer: MlsPeer = request.getfixturevalue(name)
    a, b = PeerMember(peer), PeerMember(peer)
    a.create(b"bench")
    packages = peer.call("bench_key_packages", name="filler", n=3)["key_packages"]
    made = a.commit(*map(add, packages), add(b.key_package()))
    joined = peer.call("bench_join", client=b.name, group=b.group, welcome=made.welcome, n=2)
    commits = peer.call("bench_commit", group=a.group, n=3)
    processed = peer.call("bench_process", group=b.group, messages=commits["commits"])
    sealed = peer.call("bench_encrypt", group=a.group, n=4, size=256)
    opened = peer.call("bench_decrypt", group=b.group, messages=sealed["messages"])
    timed = [joined["ms"], commits["ms"], commits["merge_ms"], processed["ms"], sealed["ms"], opened["ms"]]
    assert [len(times) for times in timed] == [2, 3, 3, 3, 4, 4]
    assert all(0 <= time < 60_000 for times in timed for time in times)
    agree(a, b)
