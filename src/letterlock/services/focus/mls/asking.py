"""A control message as it is asked: whether it has its parts, and what it would do to the RCS roster.

Tree and roster move together: the change of the roster stands in the request itself (rcc16.md 2.6, 6).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from ....ids import Instant, Number
from ....rcc16.choices import OURS
from ....rcc16.wire.control import ClientMessage, Operation, RosterChange, encode_client_message
from ....rcc16.wire.reasons import ServerReason
from .limits import OrderingLimits
from .outcome import RosterStep
from .refusing import ordering_rule

__all__ = ["FOUNDING", "Asked", "ask", "digest_of"]

_R = ServerReason

_MEMBER = ordering_rule(
    "01", "5.8", "the sender is a member of the RCS group", _R.MISMATCHED_RCS_GROUP_STATE, module=__name__
)
_ID = ordering_rule("07", "4.2", "the control id is that of the envelope", _R.INVALID_INPUT, module=__name__)
_PARTS = ordering_rule(
    "16", "2.6", "a request has the parts that its operation needs, within bounds", _R.INVALID_INPUT, module=__name__
)
_CHANGE = ordering_rule(
    "17",
    "5.8, 6",
    "a roster change goes with its operation, adds strangers and removes others",
    _R.MISMATCHED_RCS_GROUP_STATE,
    module=__name__,
)

FOUNDING: Final = (Operation.NEW_GROUP, Operation.NEW_ERA)
"""The operations that bring a fresh MLS group."""

_AUTHENTICATOR: Final = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """`before` is the RCS roster as it is, `after` as it is once `step` is done. `digest` recognises a repetition."""

    request: ClientMessage
    sender: Number
    digest: bytes
    before: frozenset[Number]
    after: frozenset[Number]
    step: RosterStep
    now: Instant

    @property
    def external(self) -> bool:
        return self.request.operation is Operation.EXTERNAL_COMMIT


def digest_of(request: ClientMessage) -> bytes:
    """Equal for equal requests."""
    return hashlib.sha256(encode_client_message(request, OURS.control_numbers)).digest()


def ask(
    request: ClientMessage,
    message_id: str,
    sender: Number,
    digest: bytes,
    roster: frozenset[Number],
    limits: OrderingLimits,
    now: Instant,
) -> Asked:
    """Raises InvalidRcc16."""
    if sender not in roster:
        _MEMBER.fail("who sends it is not in the RCS group")
    if request.message_id != message_id:
        _ID.fail("the request names another control id than its envelope")
    _check_parts(request, limits)
    step = _roster_step(request, sender, roster)
    gone = {*step.removed, sender} if step.left else set(step.removed)
    return Asked(request, sender, digest, roster, roster - gone | set(step.added), step, now)


def _check_parts(request: ClientMessage, limits: OrderingLimits) -> None:
    proposal = request.operation is Operation.PROPOSAL
    if not proposal and len(request.epoch_authenticator) != _AUTHENTICATOR:
        _PARTS.fail("no epoch authenticator")
    if len(request.key_delivery) > limits.max_key_delivery:
        _PARTS.fail("the key delivery is too long")
    if request.operation in FOUNDING and not request.ratchet_tree:
        _PARTS.fail("a new group without its tree")
    if proposal and (request.commit or request.welcome or request.metadata is not None):
        _PARTS.fail("a proposal together with something else")
    metadata = request.metadata
    if metadata is not None:
        if request.operation is Operation.EXTERNAL_COMMIT:
            _PARTS.fail("an external commit changes no subject")
        if len(metadata.encrypted_subject or b"") > limits.max_subject:
            _PARTS.fail("the encrypted subject is too long")
        if len(metadata.encrypted_icon_url or "") > limits.max_icon:
            _PARTS.fail("the address of the icon is too long")


def _roster_step(request: ClientMessage, sender: Number, roster: frozenset[Number]) -> RosterStep:
    change = request.roster or RosterChange()
    if request.operation is Operation.PROPOSAL:
        return RosterStep(left=change.leave)
    if change.leave:
        _CHANGE.fail("who commits does not leave")
    if request.operation is Operation.EXTERNAL_COMMIT and (change.add or change.remove):
        _CHANGE.fail("an external commit changes no roster")
    if any(each in roster for each in change.add) or sender in change.remove:
        _CHANGE.fail("who is there is added, or the sender removes itself")
    if any(each not in roster for each in change.remove):
        _CHANGE.fail("who is not there is removed")
    return RosterStep(tuple(dict.fromkeys(change.add)), tuple(dict.fromkeys(change.remove)))
