"""What an operator says of MLS groups at the focus: whom to trust, and how much is allowed."""

from __future__ import annotations

from dataclasses import dataclass, field

from ....crypto.provider import CryptoProvider
from ....mls.suites import cipher_suite
from ....rcc16.choices import OURS
from ....rcc16.credentials.anchors import TrustAnchors
from ....rcc16.credentials.authentication import CertificateAuthentication
from ....rcc16.credentials.checking import FOLLOWING, CredentialPolicy
from ....rcc16.credentials.leaf import FLOOR_MS
from ....rcc16.policy import CIPHER_SUITE, mls_policy
from ....rcc16.wire.control import ControlLimits
from .leaves import Terms
from .limits import OrderingLimits

__all__ = ["MlsSettings"]

_DAY = 86_400_000
_MAX_PAGE = 128
"""Control messages in one answer to a pull. Clients have bounds of their own, and what is over them helps nobody."""


def _ordering_limits() -> OrderingLimits:
    return OrderingLimits(
        max_external_commits_a_day=OURS.external_commits_a_day,
        max_eras_an_hour=OURS.era_advances_an_hour,
        max_eras_a_day=OURS.era_advances_a_day,
        max_epochs_an_hour=OURS.epoch_advances_an_hour,
        max_external_commits_a_day_by_one=10,
        max_eras_a_day_by_one=3,
        max_epochs_an_hour_by_one=200,
        min_credential_ms=FLOOR_MS,
        max_pending=64,
        recent_epochs=64,
        recent_ms=3 * _DAY,
        max_history=512,
        max_history_bytes=16 << 20,
        max_page_bytes=256 << 10,
        max_group_info=64 * 1024,
        max_leaf=16 * 1024,
        max_leaves_of_one=16,
        max_key_delivery=64 * 1024,
        max_subject=4096,
        max_icon=2048,
    )


@dataclass(frozen=True, slots=True)
class MlsSettings:
    """`anchors` are the roots of the credentials that may enter a group. `max_kept_leaves`: trees of so many leaves in all
    stay in memory (a leaf costs some twelve kilobytes), `max_kept_states` so many groups without their trees."""

    anchors: TrustAnchors
    crypto: CryptoProvider
    credentials: CredentialPolicy = FOLLOWING
    limits: OrderingLimits = field(default_factory=_ordering_limits)
    max_members: int = 4_000
    """Leaves of one tree: devices, not numbers."""
    max_kept_leaves: int = 10_000
    max_kept_states: int = 2_000

    def terms(self, max_control: int) -> Terms:
        """By what the focus judges; `max_control` bounds each part of a request."""
        authentication = CertificateAuthentication(
            self.crypto, self.anchors, self.credentials, remember=2 * self.max_members
        )
        policy = mls_policy(
            OURS.revision,
            max_members=self.max_members,
            max_message_bytes=max_control,
            max_past_epochs=0,
            max_lifetime_seconds=400 * 86_400,
            forward=0,
            out_of_order=0,
        )
        return Terms(cipher_suite(CIPHER_SUITE, self.crypto), policy, authentication, self.limits)

    def control(self, max_control: int) -> ControlLimits:
        """Bounds of control messages."""
        return ControlLimits(max_size=max_control, max_roster=self.max_members, max_page=_MAX_PAGE)
