"""Rules of the ordering: numbered checks, each with the server reason that a request breaking it is refused with.

A rule is used as everywhere, `if bad: _RULE.fail("what")`. What the MLS code itself refuses, and what cannot be read,
has a reason too: `refused` turns any error of a judgement into one value.
"""

from __future__ import annotations

from typing import Final

from ....errors import DecodeError, InvalidGroupMessage, InvalidRcc16, LetterlockError
from ....rcc16.rules import Rule, rule
from ....rcc16.wire.reasons import ServerReason
from .outcome import Refused

__all__ = ["REASONS", "ordering_rule", "refused"]

REASONS: Final[dict[str, ServerReason]] = {}
"""The server reason of every rule of the ordering."""

_CLAUSE: Final = "RCC.16 focus (rcc16.md {})"


def ordering_rule(number: str, section: str, text: str, reason: ServerReason, *, module: str) -> Rule:
    """Declare one: `RCC-5.8-` and the number; `section` of rcc16.md."""
    made = rule(f"RCC-5.8-{number}", _CLAUSE.format(section), text, module=module)
    REASONS[made.id] = reason
    return made


def refused(error: LetterlockError) -> Refused:
    """What the sender is told of an error. A credential that does not hold is `expired-credential`, as it is the only
    reason that asks for another one."""
    if isinstance(error, InvalidRcc16):
        reason = REASONS.get(error.rule, ServerReason.INVALID_COMMIT)
        return Refused(reason, error.rule, str(error))
    if isinstance(error, InvalidGroupMessage):
        return Refused(ServerReason.INVALID_COMMIT, error.rule, str(error))
    if isinstance(error, DecodeError):
        return Refused(ServerReason.UNPARSABLE_COMMIT, error.code, str(error))
    return Refused(ServerReason.INVALID_COMMIT, error.code, str(error))
