"""Official passive-client vectors and recordings: a member who only listens follows a group of other stacks.

`epochs` hold proposals and a commit each, in order; after every commit the epoch authenticator is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from letterlock.mls.client import Client
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import ProposalReceived, StagedCommit
from letterlock.mls.key_packages import KeyPackageBundle
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS
from letterlock.mls.wire.psk import PreSharedKeyID, PSKType

from .any_credential import AnyCredential
from .lab import LAB, NOW, suite
from .storing import assert_same
from .vectors import SUPPORTED_SUITES, load

# File and its cases for the supported suites.
FILES = [
    ("passive-client-welcome", 40),
    ("passive-client-handling-commit", 65),
    ("passive-client-random", 1),
    ("interop-passive/application", 30),
    ("interop-passive/branch", 160),
    ("interop-passive/commit", 220),
    ("interop-passive/external_join", 30),
    ("interop-passive/external_proposals", 140),
    ("interop-passive/reinit", 240),
    ("interop-passive/welcome_join", 40),
]


def private_key(case: dict[str, Any], name: str) -> bytes:
    """P-521 scalars come without their leading zeros."""
    private = bytes.fromhex(case[name])
    return private.rjust(66, b"\0") if case["cipher_suite"] == 5 else private


def follow(case: dict[str, Any], step: Callable[[Group], Group] = lambda group: group) -> None:
    """Join, then process everything; raises or asserts at the first difference. `step` is done after each of them."""
    algorithms = suite(case["cipher_suite"])
    package = decode_message(bytes.fromhex(case["key_package"]), RFC_PROPOSALS, 1 << 20)
    assert isinstance(package, KeyPackage)
    leaf = package.leaf_node
    client = Client(
        suite=algorithms,
        credential=leaf.credential,
        signature_key=leaf.signature_key,
        sign=algorithms.signer(private_key(case, "signature_priv")),
        capabilities=leaf.capabilities,
        authentication=AnyCredential(),
        policy=replace(LAB, past_epochs=2),
    )
    bundle = KeyPackageBundle(
        key_package=package,
        reference=algorithms.key_package_ref(package.encoded),
        init_private=private_key(case, "init_priv"),
        encryption_private=private_key(case, "encryption_priv"),
        last_resort=False,
    )
    psks = {bytes.fromhex(psk["psk_id"]): bytes.fromhex(psk["psk"]) for psk in case["external_psks"]}

    def find_psk(psk: PreSharedKeyID) -> bytes | None:
        return psks.get(psk.psk_id) if psk.psktype == PSKType.EXTERNAL else None

    tree = case.get("ratchet_tree")
    group = Group.join(
        client,
        bundle,
        bytes.fromhex(case["welcome"]),
        tree=None if tree is None else bytes.fromhex(tree),
        find_psk=find_psk,
        now=NOW,
    )
    group = step(group)
    assert group.epoch_authenticator.hex() == case["initial_epoch_authenticator"]
    for epoch in case["epochs"]:
        for proposal in epoch["proposals"]:
            assert isinstance(group.process(bytes.fromhex(proposal), now=NOW), ProposalReceived)
            group = step(group)
        staged = group.process(bytes.fromhex(epoch["commit"]), now=NOW)
        assert isinstance(staged, StagedCommit)
        group.merge(staged, now=NOW)
        group = step(group)
        assert group.epoch_authenticator.hex() == epoch["epoch_authenticator"]


@pytest.mark.parametrize(("name", "expected"), FILES)
def test_passive_client(name: str, expected: int) -> None:
    cases = [case for case in load(name) if case["cipher_suite"] in SUPPORTED_SUITES]
    for case in cases:
        follow(case)
    assert len(cases) == expected


@pytest.mark.parametrize(("name", "expected"), [FILES[1], FILES[7]])
def test_passive_client_that_restarts_after_each_step(name: str, expected: int) -> None:
    """From its stored rows, in which there is nothing that we did not write ourselves."""

    def restarted(group: Group) -> Group:
        assert group.take_changes()
        loaded = Group.load(group.client, group.rows(), find_psk=group._member.find_psk)
        assert_same(loaded, group)
        return loaded

    cases = [case for case in load(name) if case["cipher_suite"] in SUPPORTED_SUITES]
    for case in cases:
        follow(case, restarted)
    assert len(cases) == expected
