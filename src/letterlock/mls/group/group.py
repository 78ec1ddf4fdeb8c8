"""`Group`: one member's view of one group, from its first epoch to its last.

What arrives goes through `process`, which says what it was and changes nothing that matters; a commit, ours or
somebody else's, takes force only by `merge`. `take_changes` gives the rows that differ since last asked: write
them in one transaction with whatever is sent or shown because of them, and only then send.

Not safe for two threads at once. A method that raises has changed nothing, but for message keys that are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...errors import InputError
from ...ids import Instant, Rng
from ..client import Client
from ..evolution.state import PublicState
from ..key_packages import KeyPackageBundle
from ..registries import PRIVATE_MESSAGE
from ..schedule.key_schedule import exporter
from ..schedule.ratchet import RatchetKind
from ..wire.extensions import Extension
from ..wire.framing import FramedContent, Sender
from ..wire.key_package import KeyPackage
from ..wire.leaf_node import LeafNode
from ..wire.message import decode_message, encode_message
from ..wire.proposals import CustomProposal, PreSharedKey, Proposal, ReInit
from ..wire.psk import PreSharedKeyID, ResumptionPSKUsage
from ..wire.welcome import GroupInfo, Welcome
from .committing import CommitOptions, commit_waiting
from .creating import create_member
from .external import ExternalJoin, join_externally
from .group_infos import make_group_info
from .joining import FormerGroup, join
from .linking import check_parameters, continue_group
from .member import Member
from .merging import merge
from .messages import authenticate, own_content, protect
from .proposing import propose, propose_update
from .psks import FindPsk, no_psks, with_resumption
from .receiving import receive, verify_passing
from .results import FutureEpoch, PassingProposal, PastEpoch, PendingCommit, Result, StagedCommit
from .row_loading import load_member
from .rows import all_rows, note_all, take_changes

__all__ = ["CommitOptions", "Group"]

_DEFAULT = CommitOptions()


class Group:
    """See the module. Made by `create`, `join`, `join_externally` or `load`."""

    __slots__ = ("_member",)

    def __init__(self, member: Member) -> None:
        """For this package; see the class methods."""
        self._member = member

    # --- ways in -----------------------------------------------------------------------------------
    @classmethod
    def create(
        cls,
        client: Client,
        group_id: bytes,
        *,
        extensions: Sequence[Extension] = (),
        find_psk: FindPsk = no_psks,
        rng: Rng,
        now: Instant,
    ) -> Group:
        """A new group with us alone (RFC 9420 section 11). Raises InvalidGroupMessage if we lack what it requires."""
        member = create_member(client, group_id, tuple(extensions), find_psk, rng, now)
        note_all(member)
        return cls(member)

    @classmethod
    def join(
        cls,
        client: Client,
        bundle: KeyPackageBundle,
        welcome: bytes,
        *,
        tree: bytes | None = None,
        find_psk: FindPsk = no_psks,
        groups: Mapping[bytes, Group] | None = None,
        now: Instant,
    ) -> Group:
        """Join by an MLSMessage(Welcome). `tree` if it came beside it; `groups` are those we are in, by group_id.

        Afterwards tell `KeyPackages.used`. Raises InvalidGroupMessage, DecodeError, MissingPsk.
        """
        return cls.join_with_info(client, bundle, welcome, tree=tree, find_psk=find_psk, groups=groups, now=now)[0]

    @classmethod
    def join_with_info(
        cls,
        client: Client,
        bundle: KeyPackageBundle,
        welcome: bytes,
        *,
        tree: bytes | None = None,
        find_psk: FindPsk = no_psks,
        groups: Mapping[bytes, Group] | None = None,
        now: Instant,
    ) -> tuple[Group, GroupInfo]:
        """Like `join`, with the GroupInfo that the Welcome held: who signed it, and extensions for new members alone."""
        known: dict[bytes, FormerGroup] = dict(groups or {})
        message = _decode(client, welcome)
        if not isinstance(message, Welcome):
            raise InputError("not a Welcome", code="mls.input.message")
        joined = join(client, bundle, message, tree, with_resumption(find_psk, known), known, now)
        member = Member(client, joined.state, joined.index, joined.epoch, find_psk)
        note_all(member)
        return cls(member), joined.info

    @classmethod
    def join_externally(
        cls,
        client: Client,
        group_info: bytes,
        *,
        tree: bytes | None = None,
        resync: int | None = None,
        psks: Sequence[PreSharedKeyID] = (),
        find_psk: FindPsk = no_psks,
        self_removes: Sequence[bytes] = (),
        proposals: Sequence[CustomProposal] = (),
        authenticated_data: bytes = b"",
        rng: Rng,
        now: Instant,
    ) -> tuple[Group, ExternalJoin]:
        """Join by an external commit (section 12.4.3.2): send `ExternalJoin.message`; keep the group if accepted.

        `resync` is our old leaf, which the same commit removes. `self_removes` are SelfRemove messages that the
        delivery service gave with the GroupInfo, `proposals` of the application's own types.
        Raises InvalidGroupMessage, DecodeError, MissingPsk.
        """
        message = _decode(client, group_info)
        if not isinstance(message, GroupInfo):
            raise InputError("not a GroupInfo", code="mls.input.message")
        made = join_externally(
            client,
            message,
            tree,
            resync=resync,
            psks=psks,
            find_psk=find_psk,
            self_removes=self_removes,
            proposals=proposals,
            authenticated_data=authenticated_data,
            rng=rng,
            now=now,
        )
        member = Member(client, made.state, made.index, made.epoch, find_psk)
        note_all(member)
        return cls(member), made

    @classmethod
    def load(
        cls,
        client: Client,
        rows: Mapping[str, bytes],
        *,
        find_psk: FindPsk = no_psks,
        rotated: Client | None = None,
    ) -> Group:
        """A stored group; it goes on exactly where the rows were taken. `client` is the one that is its member by now,
        `rotated` the one that takes its place by a pending commit that rotates our keys.

        Raises DecodeError for rows that are damaged, missing or of another version; InputError for another client.
        """
        return cls(load_member(client, rows, find_psk, rotated))

    # --- reading -----------------------------------------------------------------------------------
    @property
    def client(self) -> Client:
        return self._member.client

    @property
    def state(self) -> PublicState:
        """What is not secret about the current epoch."""
        return self._member.state

    @property
    def group_id(self) -> bytes:
        return self._member.state.group_id

    @property
    def epoch(self) -> int:
        return self._member.state.epoch

    @property
    def active(self) -> bool:
        """False once we were removed, or the group was reinitialised."""
        return self._member.epoch is not None and self._member.reinit is None

    @property
    def reinit(self) -> ReInit | None:
        """The parameters of the group that continues this one, if its last commit was a ReInit."""
        return self._member.reinit

    @property
    def own_leaf(self) -> int:
        return self._member.active_or_closed().own_leaf

    @property
    def pending(self) -> PendingCommit | None:
        """Our commit that has not been accepted yet."""
        return self._member.pending

    @property
    def epoch_authenticator(self) -> bytes:
        """Equal for members that see the same group (section 8.7)."""
        return self._member.active_or_closed().keys.epoch_authenticator

    def members(self) -> Iterator[tuple[int, LeafNode]]:
        """(leaf, LeafNode) of everybody in the group."""
        return self._member.state.tree.leaves()

    def proposals(self) -> Iterator[tuple[bytes, Proposal, Sender]]:
        """What waits for a commit: (reference, proposal, sender)."""
        for reference, kept in self._member.proposals.items():
            yield reference, kept.queued.proposal, kept.queued.sender

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """A secret for use outside of MLS, bound to this epoch (section 8.5)."""
        return exporter(self.state.suite, self._member.active_or_closed().keys.exporter_secret, label, context, length)

    def next_generation(self) -> int:
        """The generation that our next application message will have."""
        epoch = self._member.active()
        return epoch.messages.peek_generation(epoch.own_leaf, RatchetKind.APPLICATION)

    def resumption_psk(self, epoch: int) -> bytes | None:
        """The resumption PSK of the current or a past epoch (section 8.6); None if it is no longer kept."""
        if epoch == self.epoch:
            return None if self._member.epoch is None else self._member.epoch.keys.resumption_psk
        past = self._member.past.find(epoch)
        return None if past is None else past.resumption_psk

    def group_info(
        self, *, with_tree: bool = True, external_pub: bool = True, extensions: Sequence[Extension] = ()
    ) -> bytes:
        """MLSMessage(GroupInfo) of the current epoch, for external joins."""
        member = self._member
        return encode_message(
            make_group_info(
                member.client,
                member.state,
                member.active(),
                with_tree=with_tree,
                with_external_pub=external_pub,
                extensions=extensions,
            )
        )

    # --- sending -----------------------------------------------------------------------------------
    def encrypt(self, data: bytes, *, rng: Rng, authenticated_data: bytes = b"") -> bytes:
        """MLSMessage(PrivateMessage) with application data; store the changes before it is sent.

        Raises InputError while proposals wait for a commit (section 12.4), GroupInactive.
        """
        member = self._member
        epoch = member.active()
        if member.proposals:
            raise InputError(
                "proposals are waiting: they have to be committed before anything is sent",
                code="mls.input.proposals",
                hint="commit() and merge, then encrypt",
            )
        content = own_content(member, data, authenticated_data)
        signed = authenticate(member.client, member.state, PRIVATE_MESSAGE, content)
        return protect(member.state, epoch, signed, member.client.policy.padding(len(data)), rng)

    def encrypt_ahead(self, data: bytes, *, rng: Rng, authenticated_data: bytes = b"") -> bytes:
        """Application data in the epoch that our pending commit opens, to travel with the commit.

        Whoever merges the commit can read it; if the commit is discarded nobody ever can. Store the changes before it
        is sent. Raises InputError without a pending commit.
        """
        member, pending = self._member, self._member.pending
        if pending is None or pending.staged.secrets is None:
            raise InputError("no commit of ours is pending", code="mls.input.no_pending")
        state, secrets = pending.staged.state, pending.staged.secrets
        content = FramedContent.build(
            group_id=state.group_id,
            epoch=state.epoch,
            sender=Sender.member(secrets.own_leaf),
            authenticated_data=authenticated_data,
            content=data,
            types=member.client.policy.proposal_types,
        )
        signed = authenticate(pending.client, state, PRIVATE_MESSAGE, content)
        member.note_pending()  # its secret tree has moved on
        return protect(state, secrets, signed, member.client.policy.padding(len(data)), rng)

    def propose(
        self, proposal: Proposal, *, rng: Rng, now: Instant, authenticated_data: bytes = b"", public: bool | None = None
    ) -> bytes:
        """MLSMessage with a proposal, which somebody has to commit. For an Update of ours use `propose_update`.

        A client sends one SelfRemove in an epoch: asked for another, this gives the first one again.
        Raises InvalidGroupMessage if it breaks a rule, GroupInactive.
        """
        return propose(self._member, proposal, authenticated_data, public, rng, now)

    def propose_update(
        self, *, rng: Rng, now: Instant, authenticated_data: bytes = b"", public: bool | None = None
    ) -> bytes:
        """Propose a new leaf of ours (section 12.1.2), for somebody else to commit."""
        return propose_update(self._member, authenticated_data, public, rng, now)

    def external_psk(self, psk_id: bytes, *, rng: Rng) -> PreSharedKey:
        """A proposal to mix in an external PSK, with a fresh nonce (section 8.4)."""
        return PreSharedKey(PreSharedKeyID.external(psk_id, rng(self.state.suite.hash_length)))

    def past_epoch_psk(self, epoch: int, *, rng: Rng) -> PreSharedKey:
        """A proposal to mix in the resumption PSK of an epoch of this group."""
        nonce = rng(self.state.suite.hash_length)
        return PreSharedKey(PreSharedKeyID.resumption(ResumptionPSKUsage.APPLICATION, self.group_id, epoch, nonce))

    def commit(
        self,
        proposals: Sequence[Proposal] = (),
        *,
        options: CommitOptions = _DEFAULT,
        references: Sequence[bytes] | None = None,
        rng: Rng,
        now: Instant,
    ) -> PendingCommit:
        """A commit of `proposals` by value and of what waits (or only of `references`); it is kept as `pending`.

        What waits is left out where it would make the list invalid; given `references` are not.

        Nothing takes force: send `message`, and when the delivery service took it, `merge`; else `discard`.
        Raises InvalidGroupMessage, MissingPsk, GroupInactive; InputError while another commit is pending.
        """
        return commit_waiting(self._member, proposals, references, options, self._find_psk(), rng, now)

    def discard(self) -> None:
        """Our pending commit was not accepted: forget it."""
        self._member.pending = None
        self._member.note_pending()

    # --- receiving ---------------------------------------------------------------------------------
    def process(self, message: bytes, *, now: Instant) -> Result:
        """What an MLSMessage is; see `results`. Raises InvalidGroupMessage, DecodeError, BadMac, MissingProposal,
        MissingPsk, TooFarAhead, GroupInactive; then nothing has changed.
        """
        return receive(self._member, message, self._find_psk(), now)

    def verify_passing(self, message: bytes, *, now: Instant) -> PassingProposal | PastEpoch | FutureEpoch:
        """Judge an MLSMessage with a proposal of a passing type, of this epoch or one whose messages are still read.

        Nothing is kept and nothing changes. Raises InvalidGroupMessage, DecodeError, GroupInactive.
        """
        return verify_passing(self._member, message, now)

    def merge(self, commit: StagedCommit | PendingCommit, *, now: Instant) -> list[bytes]:
        """The commit takes force. Gives messages that had come too early: process them before the changes are stored,
        or store them along, for the group does not hold them any longer.
        """
        return merge(self._member, commit, now)

    def drop_proposals(self, references: Sequence[bytes] | None = None) -> None:
        """Forget proposals that wait (all without `references`): the application refuses them."""
        self._member.drop_proposals(references)

    # --- groups that follow from this one ----------------------------------------------------------
    def reinitialize(
        self, client: Client, packages: Sequence[KeyPackage], *, rng: Rng, now: Instant
    ) -> tuple[Group, PendingCommit]:
        """After a merged ReInit: the group that continues this one, and its first commit with the Welcomes.

        `client` is ourselves for the new cipher suite, `packages` are fresh ones of all other members. Merge the
        commit when the delivery service has accepted the new group. Raises InputError.
        """
        reinit = self.reinit
        if reinit is None:
            raise InputError("the last commit was no ReInit", code="mls.input.reinit")
        check_parameters(client, reinit)
        usage = ResumptionPSKUsage.REINIT
        return self._linked(client, usage, reinit.group_id, reinit.extensions, packages, rng, now)

    def branch(
        self, group_id: bytes, packages: Sequence[KeyPackage], *, rng: Rng, now: Instant
    ) -> tuple[Group, PendingCommit]:
        """A subgroup with some of our members and the same parameters (section 11.3). Raises InputError."""
        usage = ResumptionPSKUsage.BRANCH
        return self._linked(self.client, usage, group_id, self.state.extensions, packages, rng, now)

    def _linked(
        self,
        client: Client,
        usage: ResumptionPSKUsage,
        group_id: bytes,
        extensions: Sequence[Extension],
        packages: Sequence[KeyPackage],
        rng: Rng,
        now: Instant,
    ) -> tuple[Group, PendingCommit]:
        member, commit = continue_group(
            client, self, self.own_leaf, self._member.find_psk, usage, group_id, extensions, packages, rng, now
        )
        return Group(member), commit

    # --- storage -----------------------------------------------------------------------------------
    def take_changes(self) -> dict[str, bytes | None]:
        """Rows to write (None to delete) since the last call. They hold secrets (SR-11).

        If they cannot be written, throw the group away and load it again: what was taken is not given twice.
        """
        return take_changes(self._member)

    def rows(self) -> dict[str, bytes]:
        """All rows, for a store that has none of them yet."""
        return all_rows(self._member)

    # --- inside ------------------------------------------------------------------------------------
    def _find_psk(self) -> FindPsk:
        return with_resumption(self._member.find_psk, {self.group_id: self})


def _decode(client: Client, data: bytes) -> object:
    return decode_message(data, client.policy.proposal_types, client.policy.max_message_bytes)
