"""The push service: wakes devices that are away, without a word about why, and accounts for every wake-up.

Who asks is another service of the operator, the gateway. It learns nothing of a message but that there is
one; the push services of Apple, Google or whoever runs an endpoint learn when a device was woken (docs/push.md).
"""

from __future__ import annotations

from ...codec.push_subscription import PushKind, Subscription
from .limits import PushLimits
from .outcome import Fate, Gone, Later, Outcome, Reason, Refused, Sent, Unknown
from .provider import Provider
from .pushes import Accounting, Pushes
from .steps import Target

__all__ = [
    "Accounting",
    "Fate",
    "Gone",
    "Later",
    "Outcome",
    "Provider",
    "PushKind",
    "PushLimits",
    "Pushes",
    "Reason",
    "Refused",
    "Sent",
    "Subscription",
    "Target",
    "Unknown",
]
