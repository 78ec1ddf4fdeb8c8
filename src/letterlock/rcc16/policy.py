"""RCC.16 as a policy of MLS: cipher suite, wire formats, proposal types, how long the past is kept, and what a leaf
says it supports (rcc16.md 1.10, 2.5, 6).

One suite, 2. Commits and proposals are PublicMessages, because the focus judges them; the other way is refused (client
reason 5). No padding: the deployed sizes show that nobody pads.
"""

from __future__ import annotations

from typing import Final

from ..mls.policy import Policy, no_padding
from ..mls.registries import BASIC, LAST_RESORT, PROTOCOL_VERSION_MLS10, X509
from ..mls.wire.leaf_node import Capabilities
from .choices import Revision
from .wire.extensions import (
    END_MLS,
    ERA,
    ICON_COMMITMENT,
    ICON_KEY,
    METADATA_KEYS_REQUESTED,
    SUBJECT_COMMITMENT,
    SUBJECT_KEY,
    TESTING_EXPIRY,
)
from .wire.proposals import END_MLS_PROPOSAL, PROPOSAL_TYPES, RCS_SIGNATURE, SELF_REMOVE, SERVER_REMOVE

__all__ = ["CIPHER_SUITE", "OURS_V3", "OURS_V4", "capabilities", "mls_policy"]

CIPHER_SUITE: Final = 0x0002
"""MLS_128_DHKEMP256_AES128GCM_SHA256_P256: the only one in use."""

_DAY_MS: Final = 86_400_000
_PAST_DAYS: Final = {Revision.V3: 3, Revision.V4: 30}

_BAND: Final = tuple(range(0xF012, 0xF031))
_OLD_BAND: Final = tuple(range(0xF010, 0xF019))
_NAMED: Final = (
    ERA,
    END_MLS,
    ICON_KEY,
    ICON_COMMITMENT,
    SUBJECT_KEY,
    SUBJECT_COMMITMENT,
    TESTING_EXPIRY,
    METADATA_KEYS_REQUESTED,
)


def _leaf(extensions: tuple[int, ...], proposals: tuple[int, ...]) -> Capabilities:
    return Capabilities((PROTOCOL_VERSION_MLS10,), (CIPHER_SUITE,), extensions, proposals, (BASIC, X509))


_OURS: Final = (*_NAMED, *range(0xF010, 0xF031), LAST_RESORT)
"""With the mark of a last-resort package: RFC 9420 section 10 wants it listed by a leaf whose package carries it."""

OURS_V3: Final = _leaf(
    _OURS,
    (END_MLS_PROPOSAL, RCS_SIGNATURE, SELF_REMOVE, SERVER_REMOVE, *_OLD_BAND),
)
OURS_V4: Final = _leaf(
    _OURS,
    (RCS_SIGNATURE, SELF_REMOVE, SERVER_REMOVE, *_BAND),
)
"""Never the union: a proposal that is advertised and not known blocks the group once it waits for a commit."""


def capabilities(revision: Revision) -> Capabilities:
    """What our leaves say."""
    return OURS_V3 if revision is Revision.V3 else OURS_V4


def mls_policy(
    revision: Revision,
    *,
    max_members: int,
    max_message_bytes: int,
    max_past_epochs: int,
    max_lifetime_seconds: int,
    forward: int,
    out_of_order: int,
) -> Policy:
    """The policy of every RCC.16 group. The limits are the edge's; the rest is the protocol's.

    Lifetimes of leaves are not judged here: certificates decide (rcc16.md 1.6). Nothing of later epochs is held in MLS:
    the conversation parks it, with its headers.
    """
    return Policy(
        public_handshakes=True,
        accept_public_handshakes=True,
        accept_private_handshakes=False,
        max_message_bytes=max_message_bytes,
        max_members=max_members,
        max_lifetime_seconds=max_lifetime_seconds,
        check_received_lifetimes=True,
        check_tree_lifetimes=False,
        past_epochs=max_past_epochs,
        past_epoch_ms=_PAST_DAYS[revision] * _DAY_MS,
        resumption_epochs=1,
        out_of_order=out_of_order,
        forward=forward,
        future_messages=0,
        future_bytes=0,
        future_epochs=0,
        max_proposals=2 * max_members,
        passing_proposals=frozenset({RCS_SIGNATURE}),
        external_commits=True,
        resync=True,
        padding=no_padding,
        proposal_types=PROPOSAL_TYPES,
    )
