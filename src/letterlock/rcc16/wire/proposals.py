"""The proposal types of RCC.16 (rcc16.md 2.5), in a number space of their own.

`rcs_signature` carries the signature of a receipt in its authenticated data and is never committed. `server_remove` is
`uint32 to_remove`, bare; committed it removes that leaf. `end_mls` is of v3.0, void in v4.0, and read in both.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ...codec.tls import u32
from ...mls.wire.proposals import CustomProposal, CustomProposalType, ProposalTypes

__all__ = [
    "END_MLS_PROPOSAL",
    "PROPOSAL_TYPES",
    "RCS_SIGNATURE",
    "SELF_REMOVE",
    "SERVER_REMOVE",
    "server_remove",
]

END_MLS_PROPOSAL: Final = 0xF001
RCS_SIGNATURE: Final = 0xF002
SELF_REMOVE: Final = 0xF003
SERVER_REMOVE: Final = 0xF004


def server_remove(leaf: int) -> CustomProposal:
    """Remove a further leaf of a participant in its external commit (rcc16.md 2.5)."""
    return CustomProposal(SERVER_REMOVE, u32(leaf))


PROPOSAL_TYPES: Final = ProposalTypes(
    self_remove=SELF_REMOVE,
    custom=MappingProxyType(
        {
            END_MLS_PROPOSAL: CustomProposalType(
                END_MLS_PROPOSAL, "end_mls", None, path_required=False, external_senders=False, external_commit=False
            ),
            RCS_SIGNATURE: CustomProposalType(
                RCS_SIGNATURE,
                "rcs_signature",
                lambda reader: b"",
                path_required=False,
                external_senders=False,
                external_commit=False,
            ),
            SERVER_REMOVE: CustomProposalType(
                SERVER_REMOVE,
                "server_remove",
                lambda reader: reader.take(4),
                path_required=True,
                external_senders=False,
                external_commit=True,
                removes=lambda body: int.from_bytes(body, "big"),
            ),
        }
    ),
)
"""What a decoder of RCC.16 knows. Every other custom type is unknown, and a message with one cannot be read."""
