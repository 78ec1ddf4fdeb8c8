"""`OurMember`: a member that is us, with the methods of `mls_peers.PeerMember`, so that one test serves both directions."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any

from crypto.deterministic import seeded_rng
from interop.mls_peers import Committed, PeerMember, Processed, add
from letterlock.crypto.pyca import Pyca
from letterlock.ids import Instant
from letterlock.mls.client import Client, make_capabilities
from letterlock.mls.evolution.effects import CommitEffects
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import Application, OwnEcho, PendingCommit, ProposalReceived, Result, StagedCommit
from letterlock.mls.key_packages import KeyPackages, make_key_package
from letterlock.mls.outside import propose_as_external_sender, propose_to_join
from letterlock.mls.policy import DEFAULT_POLICY, Policy
from letterlock.mls.registries import BASIC, EXTERNAL_SENDERS, GREASE_VALUES, SELF_REMOVE, X509
from letterlock.mls.suites import CipherSuite, cipher_suite
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import Extension, decode_external_senders, find_extension
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import (
    Add,
    CustomProposal,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
)
from letterlock.mls.wire.psk import PreSharedKeyID, PSKType, ResumptionPSKUsage
from letterlock.mls.wire.welcome import GroupInfo, Welcome
from mls.any_credential import AnyCredential

__all__ = ["CRYPTO", "Member", "OurMember", "agree", "decode", "deliver", "group_of", "now", "suite_of", "talk"]

CRYPTO = Pyca()
ALL_SUITES = (1, 2, 3, 5, 7)
_names = itertools.count(1)


def now() -> Instant:
    return time.time_ns() // 1_000_000


def suite_of(number: int) -> CipherSuite:
    return cipher_suite(number, CRYPTO)


def decode(message: bytes, policy: Policy = DEFAULT_POLICY) -> Any:
    return decode_message(message, policy.proposal_types, policy.max_message_bytes)


class OurMember:
    """One client with the group that it is in, under the policy that Letterlock has by default.

    `leaf_extensions` and `capable_*` as in `PeerMember.key_package`; `grease` adds every reserved value.
    """

    def __init__(
        self,
        identity: bytes = b"",
        suite: int = 1,
        *,
        x509: Sequence[bytes] | None = None,
        private_key: bytes | None = None,
        public_key: bytes | None = None,
        grease: bool = False,
        capable_extensions: Sequence[int] = (),
        capable_proposals: Sequence[int] = (),
        capable_credentials: Sequence[int] = (BASIC, X509),
        leaf_extensions: Iterable[tuple[int, bytes]] = (),
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        self.suite = suite
        algorithms = suite_of(suite)
        self.name = f"ours{next(_names)}"
        self.identity = identity or self.name.encode()
        self.rng = seeded_rng(self.name)
        if private_key is None or public_key is None:
            private_key, public_key = algorithms.generate_signature_key(self.rng)
        self.public_key = public_key
        extra = sorted(GREASE_VALUES) if grease else []
        self.client = Client(
            suite=algorithms,
            credential=Credential.basic(self.identity) if x509 is None else Credential.x509(tuple(x509)),
            signature_key=public_key,
            sign=algorithms.signer(private_key),
            capabilities=make_capabilities(
                [*ALL_SUITES, *extra],
                [*capable_credentials, *extra],
                extensions=[*capable_extensions, *extra],
                proposals=[SELF_REMOVE, *capable_proposals, *extra],
            ),
            authentication=AnyCredential(),
            policy=policy,
            leaf_extensions=_extensions(leaf_extensions),
        )
        self.packages = KeyPackages()
        self.psks: dict[bytes, bytes] = {}
        self.group: Group | None = None
        self.rows: dict[str, bytes] = {}
        self.seen: list[Result] = []
        """What `process` gave, latest last."""
        self.pending_effects: CommitEffects | None = None
        """Of our own latest commit."""

    @classmethod
    def inside(cls, group: Group) -> OurMember:
        """The member whose group this is."""
        made = cls(group.client.credential.identity, group.client.suite.number)
        made.client, made.group = group.client, group
        return made

    # --- ways in -----------------------------------------------------------------------------------
    def key_package(
        self, *, extensions: Iterable[tuple[int, bytes]] = (), last_resort: Extension | None = None
    ) -> bytes:
        bundle = make_key_package(
            self.client,
            now(),
            self.rng,
            lifetime_seconds=84 * 86_400,
            last_resort=last_resort,
            extensions=_extensions(extensions),
        )
        self.packages.add(bundle)
        return bundle.message

    def create(self, group_id: bytes, group_extensions: Iterable[tuple[int, bytes]] = ()) -> None:
        extensions = _extensions(group_extensions)
        self.group = Group.create(
            self.client, group_id, extensions=extensions, find_psk=self.find_psk, rng=self.rng, now=now()
        )

    def join(self, welcome: bytes, tree: bytes | None = None, resuming: OurMember | None = None) -> None:
        message = decode(welcome)
        assert isinstance(message, Welcome)
        bundle = self.packages.find(message)
        assert bundle is not None, "the Welcome is for no key package of ours, or was opened before"
        groups = {} if resuming is None else {resuming.g.group_id: resuming.g}
        self.group = Group.join(
            self.client, bundle, welcome, tree=tree, find_psk=self.find_psk, groups=groups, now=now()
        )
        self.packages.used(bundle, message)

    def external_join(
        self,
        group_info: bytes,
        tree: bytes | None = None,
        *,
        resync: bool = False,
        aad: bytes = b"",
        psk_ids: Iterable[bytes] = (),
    ) -> bytes:
        """Gives the external Commit. `resync` replaces our leaf in the group that we are in."""
        old = self.g.own_leaf if resync else None
        self.group, made = Group.join_externally(
            self.client,
            group_info,
            tree=tree,
            resync=old,
            psks=[PreSharedKeyID.external(psk_id, self.rng(self.client.suite.hash_length)) for psk_id in psk_ids],
            find_psk=self.find_psk,
            authenticated_data=aad,
            rng=self.rng,
            now=now(),
        )
        return made.message

    def propose_join(self, group_info: bytes) -> bytes:
        context = _group_info(group_info).group_context
        package = decode(self.key_package())
        assert isinstance(package, KeyPackage)
        return propose_to_join(self.client, package, context.group_id, context.epoch)

    def propose_external(self, group_info: bytes, proposal: dict[str, Any]) -> bytes:
        context = _group_info(group_info).group_context
        listed = find_extension(context.extensions, EXTERNAL_SENDERS)
        assert listed is not None
        keys = [sender.signature_key for sender in decode_external_senders(listed)]
        return propose_as_external_sender(
            self.client.suite,
            self.client.sign,
            keys.index(self.public_key),
            self._proposal(proposal),
            context.group_id,
            context.epoch,
        )

    # --- in the group ------------------------------------------------------------------------------
    def propose(self, proposal: dict[str, Any], *, public: bool = False, aad: bytes = b"") -> bytes:
        if proposal["type"] == "update":
            return self.g.propose_update(rng=self.rng, now=now(), authenticated_data=aad, public=public)
        return self.g.propose(self._proposal(proposal), rng=self.rng, now=now(), authenticated_data=aad, public=public)

    def commit(
        self,
        *proposals: dict[str, Any],
        merge: bool = True,
        public: bool = False,
        tree: bool = True,
        path: bool = True,
        without_pending: bool = False,
        aad: bytes = b"",
        group_info_extensions: Iterable[tuple[int, bytes]] = (),
    ) -> Committed:
        pending = self.g.commit(
            [self._proposal(proposal) for proposal in proposals],
            options=CommitOptions(
                path=path,
                public=public,
                authenticated_data=aad,
                tree_in_welcome=tree,
                group_info_extensions=_extensions(group_info_extensions),
            ),
            references=() if without_pending else None,
            rng=self.rng,
            now=now(),
        )
        self.pending_effects = pending.staged.effects
        if merge:
            self.merge()
        welcome = pending.welcomes[0].message if pending.welcomes else None
        return Committed(pending.message, welcome, pending.staged.state.tree.encode(), 0.0)

    @property
    def pending(self) -> PendingCommit:
        assert self.g.pending is not None
        return self.g.pending

    def merge(self) -> None:
        self.g.merge(self.pending, now=now())

    def clear_pending(self) -> None:
        self.g.discard()

    def process(self, message: bytes, sender: bytes | None = None) -> Processed:
        """A commit takes force at once. An application message must be from `sender`, where that is given."""
        result = self.g.process(message, now=now())
        self.seen.append(result)
        match result:
            case Application(data=data, leaf=leaf):
                assert sender is None or leaf.credential.identity in (sender, b"")
                return Processed("application", data, ())
            case StagedCommit():
                self.g.merge(result, now=now())
                return Processed("commit", None, ())
            case ProposalReceived():
                return Processed("proposal", None, ())
            case OwnEcho(pending=PendingCommit() as pending):
                self.g.merge(pending, now=now())
                return Processed("commit", None, ())
            case _:
                return Processed(type(result).__name__, None, ())

    def encrypt(self, data: bytes, aad: bytes = b"") -> bytes:
        return self.g.encrypt(data, rng=self.rng, authenticated_data=aad)

    # --- what it knows -----------------------------------------------------------------------------
    @property
    def g(self) -> Group:
        assert self.group is not None
        return self.group

    def export(self, label: str, context: bytes = b"", length: int = 32) -> bytes:
        return self.g.export(label, context, length)

    def group_info(self, *, tree: bool = True, external_pub: bool = True) -> bytes:
        return self.g.group_info(with_tree=tree, external_pub=external_pub)

    def tree(self) -> bytes:
        return self.g.state.tree.encode()

    def status(self) -> dict[str, Any]:
        context = self.g.state.context
        return {
            "epoch": self.g.epoch,
            "epoch_authenticator": self.g.epoch_authenticator if self.g.active else b"",
            "tree_hash": context.tree_hash,
            "confirmed_transcript_hash": context.confirmed_transcript_hash,
            "extensions": [[e.extension_type, e.extension_data] for e in context.extensions],
        }

    @property
    def epoch(self) -> int:
        return self.g.epoch

    @property
    def epoch_authenticator(self) -> bytes:
        return self.g.epoch_authenticator

    def leaf_of(self, identity: bytes) -> int:
        return next(leaf for leaf, node in self.g.members() if node.credential.identity == identity)

    def leaf_key(self, leaf_index: int) -> bytes:
        """The signature key of a member, as we see it."""
        return dict(self.g.members())[leaf_index].signature_key

    def find_psk(self, psk: PreSharedKeyID) -> bytes | None:
        return self.psks.get(psk.psk_id) if psk.psktype == PSKType.EXTERNAL else None

    def _proposal(self, given: dict[str, Any]) -> Proposal:
        nonce = self.rng(self.client.suite.hash_length)
        match given["type"]:
            case "add":
                package = decode(given["key_package"])
                assert isinstance(package, KeyPackage)
                return Add(package)
            case "remove":
                return Remove(given["index"] if "index" in given else self.leaf_of(given["identity"]))
            case "psk":
                return PreSharedKey(PreSharedKeyID.external(given["psk_id"], nonce))
            case "resumption_psk":
                usage = ResumptionPSKUsage[given["usage"].upper()]
                return PreSharedKey(PreSharedKeyID.resumption(usage, given["group_id"], given["epoch"], nonce))
            case "reinit":
                return ReInit(given["group_id"], 1, given["suite"], _extensions(given["extensions"]))
            case "group_context_extensions":
                return GroupContextExtensions(_extensions(given["extensions"]))
            case "custom":
                return CustomProposal(given["proposal_type"], given["data"])
            case other:
                raise AssertionError(other)


Member = OurMember | PeerMember


def agree(*members: Member) -> None:
    """All are in the same epoch with the same tree, and derive the same from it."""
    for label, context, length in (("probe", b"context", 48), ("other", b"", 32)):
        assert len({member.export(label, context, length) for member in members}) == 1
    assert len({hashlib.sha256(member.tree()).hexdigest() for member in members}) == 1
    told = [status for status in (member.status() for member in members) if "epoch" in status]
    for what in ("epoch", "epoch_authenticator", "tree_hash", "confirmed_transcript_hash"):
        assert len({status[what] for status in told}) == 1, what


def talk(*members: Member) -> None:
    """Everybody reads everybody."""
    for sender in members:
        sealed = sender.encrypt(b"from " + sender.identity)
        for reader in members:
            if reader is not sender:
                assert reader.process(sealed, sender.identity).data == b"from " + sender.identity


def group_of(*members: Member, **options: Any) -> list[Member]:
    """The first creates it, with `options`, and adds the others in one commit. Every group has an id of its own."""
    first, *others = members
    first.create(f"group {next(_names)}".encode(), **options)
    made = first.commit(*(add(other.key_package()) for other in others))
    for other in others:
        assert made.welcome is not None
        other.join(made.welcome)
    return list(members)


def deliver(message: bytes, members: Iterable[Member], sender: Member | None = None) -> None:
    """Everybody but the sender processes it."""
    for member in members:
        if member is not sender:
            member.process(message, None if sender is None else sender.identity)


def _extensions(pairs: Iterable[tuple[int, bytes]]) -> tuple[Extension, ...]:
    return tuple(Extension(kind, data) for kind, data in pairs)


def _group_info(message: bytes) -> GroupInfo:
    info = decode(message)
    assert isinstance(info, GroupInfo)
    return info
