"""A delivery service for the tests: it orders handshakes, one commit for each epoch, and carries everything else.

Where handshakes are public it judges them with `PublicGroup`, as a server should; where they are private it can only
compare the epoch and swap it. It gives joiners what they need: GroupInfo, tree, and SelfRemoves that wait.
"""

from __future__ import annotations

from letterlock.mls.client import Client
from letterlock.mls.public_group import PublicGroup, PublicProposal, StagedPublicCommit, WrongEpoch
from letterlock.mls.tree.ratchet_tree import RatchetTree
from letterlock.mls.wire.framing import ContentType, PrivateMessage, PublicMessage
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import SelfRemove
from letterlock.mls.wire.tree_nodes import decode_ratchet_tree

from .lab import NOW

__all__ = ["OrderingServer"]

_LIMIT = 1 << 24


class OrderingServer:
    """One group. `log` has every message that was taken, in order."""

    def __init__(self, client: Client, group_info: bytes, tree: bytes, epoch: int, *, judges: bool) -> None:
        """`client` lends suite, policy and judgement of credentials; with `judges` handshakes have to be public."""
        self.epoch = epoch
        self.group_info = group_info
        self.tree = tree
        self.log: list[bytes] = []
        self.group: PublicGroup | None = None
        self._suite = client.suite
        self._types = client.policy.proposal_types
        self._self_removes: dict[int, bytes] = {}
        if judges:
            self.group = PublicGroup(
                client.suite,
                group_info,
                tree=tree,
                authentication=client.authentication,
                policy=client.policy,
                now=NOW,
            )

    def submit(self, message: bytes) -> bool:
        """An application message, whatever its epoch, or a proposal, if it is for the current one."""
        parsed, epoch, content_type = self._header(message)
        if content_type != ContentType.APPLICATION:
            if epoch != self.epoch:
                return False
            if self.group is not None:
                assert isinstance(self.group.process(message, now=NOW), PublicProposal)
            if isinstance(parsed, PublicMessage) and isinstance(parsed.content.content, SelfRemove):
                self._self_removes[parsed.content.sender.index] = message
        self.log.append(message)
        return True

    def submit_commit(self, message: bytes, group_info: bytes, tree: bytes) -> bool:
        """The first commit of an epoch is taken, with the GroupInfo and the tree of the next one."""
        _, epoch, content_type = self._header(message)
        assert content_type == ContentType.COMMIT
        if self.group is not None:
            judged = self.group.process(message, now=NOW)
            if isinstance(judged, WrongEpoch):
                return False
            assert isinstance(judged, StagedPublicCommit)
            self.group.check_group_info(judged, group_info)
            self.group.merge(judged)
            assert self.group.state.tree.encode() == tree
        elif epoch != self.epoch:
            return False
        self.epoch += 1
        self.group_info, self.tree = group_info, tree
        self._self_removes.clear()
        self.log.append(message)
        return True

    def self_removes(self, but: int | None) -> list[bytes]:
        """SelfRemoves of the epoch for somebody who joins from outside, without that of leaf `but`."""
        return [message for leaf, message in self._self_removes.items() if leaf != but]

    def leaves(self) -> dict[bytes, int]:
        """The leaf of each identity in the current tree."""
        return {leaf.credential.identity: index for index, leaf in self._read().leaves()}

    def tree_hash(self) -> bytes:
        """Of the group as the server sees it."""
        return self._read().tree_hash() if self.group is None else self.group.state.tree.tree_hash()

    def _read(self) -> RatchetTree:
        return RatchetTree.from_nodes(self._suite, decode_ratchet_tree(self.tree, _LIMIT))

    def _header(self, message: bytes) -> tuple[PublicMessage | PrivateMessage, int, ContentType]:
        """What anybody can read of a message."""
        parsed = decode_message(message, self._types, _LIMIT)
        if isinstance(parsed, PublicMessage):
            return parsed, parsed.content.epoch, parsed.content.content_type
        assert isinstance(parsed, PrivateMessage)
        return parsed, parsed.epoch, parsed.content_type
