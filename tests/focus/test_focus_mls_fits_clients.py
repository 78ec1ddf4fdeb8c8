"""What the focus accepts and hands out, a client of ours can take: a commit that only the focus has room for would leave
every member behind."""

from __future__ import annotations

from letterlock.client.encryption import enrolment_of
from letterlock.client.environment import Environment
from letterlock.client.identity import Identity, Stage
from letterlock.crypto.secret import Secret
from letterlock.ids import DeviceId, number
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.services.focus import FocusLimits, MlsSettings
from letterlock.transport.rcs.config import ConferenceConfig
from rcc16.certificates import CRYPTO, Lab

FOCUS = MlsSettings(Lab().anchors, CRYPTO)
WIRE = FOCUS.control(FocusLimits().max_control)


def test_a_tree_is_not_larger_than_clients_take() -> None:
    """The policy in force, not the number that it is meant to come from: that was lost once and nobody saw it."""
    secret = Secret(bytes(32))
    me = Identity(number("+15550100"), b"spki", DeviceId(2), 7, "", Stage.ACTIVE, secret, None)
    assert enrolment_of(me, Environment()).settings.policy.max_members >= FOCUS.max_members


def test_a_page_of_missed_messages_is_read_whole() -> None:
    assert WIRE.max_page <= DEPLOYED.control.max_page


def test_a_page_leaves_room_for_group_info_and_tree() -> None:
    """They come in one message of a session, with the tree of two hundred devices at two and a half kilobytes."""
    pulled = FOCUS.limits.max_page_bytes + FOCUS.limits.max_group_info + 200 * 2_560
    assert pulled <= ConferenceConfig().max_message
