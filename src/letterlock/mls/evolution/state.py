"""`PublicState`: everything about one epoch that is not secret. A value; the next epoch is another one."""

from __future__ import annotations

from dataclasses import dataclass

from ..suites import CipherSuite
from ..tree.ratchet_tree import RatchetTree
from ..wire.extensions import Extension, find_extension
from ..wire.welcome import GroupContext

__all__ = ["PublicState"]


@dataclass(frozen=True, slots=True)
class PublicState:
    """The group as every member and an ordering server see it in one epoch."""

    suite: CipherSuite
    context: GroupContext
    tree: RatchetTree
    confirmation_tag: bytes
    interim_transcript_hash: bytes

    @property
    def group_id(self) -> bytes:
        return self.context.group_id

    @property
    def epoch(self) -> int:
        return self.context.epoch

    @property
    def extensions(self) -> tuple[Extension, ...]:
        return self.context.extensions

    def extension(self, extension_type: int) -> bytes | None:
        """The data of one GroupContext extension, None if the group has none of that type."""
        return find_extension(self.context.extensions, extension_type)
