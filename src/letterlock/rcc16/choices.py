"""The switch: what we chose where RCC.16 is open, or where nobody outside the GSMA has read it.

`OURS` is the only one: code that has to choose reads a field of a `Choices` value and nothing else. `open_points` says
of every field what is not known, how well it is sourced and where it takes effect, and of further points that have no
other side to switch to.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

__all__ = ["OURS", "Choices", "ControlNumbers", "Revision", "SharedWith"]


class Revision(enum.Enum):
    """The version of RCC.16 whose shapes we write; what is read may have either (rcc16.md 10)."""

    V3 = "3.0"
    V4 = "4.0"


class SharedWith(enum.Enum):
    """Where the keys of a group's subject and icon may stand."""

    MEMBERS = "members"
    """In the GroupInfo that a Welcome encrypts, and in messages. What servers see has commitments only."""
    SERVERS = "servers"
    """Also in the GroupContext, as deployed v3.0 clients do: whoever reads a GroupInfo has the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlNumbers:
    """The protobuf field numbers of what a client tells the focus; none of them is sourced (rcc16.md 12, item 2)."""

    commit: int = 1
    group_info: int = 2
    ratchet_tree: int = 3
    welcome: int = 4
    base_epoch_authenticator: int = 5
    epoch_authenticator: int = 6
    era: int = 7
    key_delivery: int = 8
    message_id: int = 9
    roster: int = 10
    proposal: int = 11
    metadata: int = 12
    operation: int = 13
    roster_add: int = 1
    roster_remove: int = 2
    roster_leave: int = 3
    metadata_subject: int = 1
    metadata_icon_url: int = 2
    metadata_delete_subject: int = 3
    metadata_delete_icon: int = 4
    bundle_handshake: int = 1
    bundle_ratchet_tree: int = 2
    bundle_key_delivery: int = 3
    bundle_epoch_authenticator: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Each field is a row of `open_points.CHOICES`. `OURS` has what we chose; another value is another dialect."""

    revision: Revision = Revision.V3
    control_numbers: ControlNumbers = field(default_factory=ControlNumbers)
    """Section 12, item 2."""
    accept_resent: bool = True
    """Section 12, item 3."""
    federation_path: str = "/mls/v1/federation"
    """Section 12, item 8."""
    external_commits_a_day: int = 50
    era_advances_an_hour: int = 2
    era_advances_a_day: int = 5
    epoch_advances_an_hour: int = 600
    """Section 12, item 10."""
    own_namespace: str = "urn:letterlock:cpim:v1"
    """Section 12, item 13."""
    control_in_session: bool = True
    """Section 12, item 16."""
    metadata_keys_type: str = "message/mls-rcs-group-metadata-keys"
    """Section 12, item 12."""
    metadata_keys_with: SharedWith = SharedWith.MEMBERS
    generation_must_match: bool = True
    kds_selector: int = 2
    identity_proof: str = "rcc16-identity-proof"
    """Section 12, item 6: the label of what an ACS signs."""
    anchor_list: str = "rcc16-trust-anchors"
    leaf_possession: str = "rcc16-leaf-possession"


OURS: Final = Choices()
