"""Whether a member's application message may pass (rcc16.md 3.1, 4.5): of an epoch that was lately accepted, of a
sender whose credential has not run out. The focus reads no more of it than what stands in the clear."""

from __future__ import annotations

from ....codec.tls import Reader
from ....errors import DecodeError, InvalidRcc16
from ....ids import Instant, Number
from ....mls.registries import PRIVATE_MESSAGE
from ....rcc16.wire.reasons import ServerReason
from .limits import OrderingLimits
from .outcome import Refused
from .refusing import ordering_rule, refused
from .state import ControlRecord, GroupState, RecordKind

__all__ = ["judge_application", "judge_receipt"]

_R = ServerReason

_AVAILABLE = ordering_rule(
    "50", "4.5", "there is an MLS group to encrypt to", _R.ENCRYPTION_NOT_AVAILABLE, module=__name__
)
_HEADERS = ordering_rule(
    "51", "3.1", "an application message has Era-ID and Epoch-Authenticator", _R.INVALID_INPUT, module=__name__
)
_ERA = ordering_rule("52", "4.5", "its era was lately accepted", _R.INCORRECT_ERA, module=__name__)
_AUTHENTICATOR = ordering_rule(
    "53", "4.5", "its epoch was lately accepted", _R.INCORRECT_EPOCH_AUTHENTICATOR, module=__name__
)
_ENDED = ordering_rule("54", "5.7", "it is of an epoch without end_mls", _R.MLS_GROUP_HAS_END_MLS, module=__name__)
_BODY = ordering_rule(
    "55",
    "3.2",
    "it is a PrivateMessage of the group and epoch that its headers name",
    _R.INCORRECT_EPOCH,
    module=__name__,
)
_MEMBER = ordering_rule(
    "56", "4.5", "its sender has a leaf in the tree", _R.MISMATCHED_RCS_GROUP_STATE, module=__name__
)
_EXPIRED = ordering_rule(
    "57", "1.6, 4.5", "a credential of its sender is still valid", _R.EXPIRED_CREDENTIAL, module=__name__
)


def judge_application(
    state: GroupState | None,
    sender: Number,
    era: int | None,
    authenticator: bytes | None,
    body: bytes,
    limits: OrderingLimits,
    now: Instant,
) -> Refused | None:
    """None lets it pass. `era` and `authenticator` are the headers', `body` the MLSMessage."""
    try:
        _judge(state, sender, era, authenticator, body, limits, now)
    except (DecodeError, InvalidRcc16) as error:
        return refused(error)
    return None


def judge_receipt(state: GroupState | None, era: int | None) -> Refused | None:
    """A receipt names an era or nothing; what it is for may be long ago."""
    if state is None or era is None:
        return None
    try:
        if era > state.at.era:
            _ERA.fail(f"a receipt of era {era}, the group is in {state.at.era}")
    except InvalidRcc16 as error:
        return refused(error)
    return None


def _judge(
    state: GroupState | None,
    sender: Number,
    era: int | None,
    authenticator: bytes | None,
    body: bytes,
    limits: OrderingLimits,
    now: Instant,
) -> None:
    if state is None:
        _AVAILABLE.fail("no group to encrypt to")
        return
    if era is None or authenticator is None:
        _HEADERS.fail("no Era-ID or no Epoch-Authenticator")
        return
    recent = _recent(state, limits, now)
    if not any(each.epoch.era == era for each in recent):
        _ERA.fail(f"era {era}, the group is in {state.at.era}")
    named = next((each for each in recent if each.epoch.era == era and each.epoch.authenticator == authenticator), None)
    if named is None:
        _AUTHENTICATOR.fail("an epoch that was not accepted, or long ago")
        return
    if named.ended:
        _ENDED.fail("encryption was ended here")
    if _head(body) != (state.group_id, named.epoch.epoch):
        _BODY.fail("the message is of another epoch than its headers name")
    expires = state.members.get(sender)
    if expires is None:
        _MEMBER.fail("no leaf is certified for the sender")
    elif expires < now:
        _EXPIRED.fail("the credential has run out")


def _recent(state: GroupState, limits: OrderingLimits, now: Instant) -> list[ControlRecord]:
    """The current epoch, and those before it that ended not long ago."""
    found: list[ControlRecord] = []
    ended_at = now
    for record in reversed(state.history):
        if record.kind is RecordKind.PROPOSAL:
            continue
        if len(found) > limits.recent_epochs or (found and ended_at < now - limits.recent_ms):
            break
        found.append(record)
        ended_at = record.at
    return found


def _head(body: bytes) -> tuple[bytes, int]:
    """Group id and epoch of MLSMessage(PrivateMessage): they stand in the clear. Raises DecodeError."""
    reader = Reader(body)
    if (reader.u16(), reader.u16()) != (1, PRIVATE_MESSAGE):
        raise DecodeError("not a PrivateMessage", code="rcc16.application")
    return reader.vector(), reader.u64()
