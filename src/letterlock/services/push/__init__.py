"""The push service: wakes devices that are away, without a word about why, and accounts for every wake-up.

Who asks is another service of the operator (the gateway, the mailbox). It learns nothing of a message but that there is
one; the push services of Apple, Google or whoever runs an endpoint learn when a device was woken (docs/push.md).
"""

from __future__ import annotations

from ...codec.push_subscription import PushKind, Subscription
from .limits import PushLimits
from .outcome import Fate, Reason
from .provider import Provider
from .pushes import Accounting, Pushes

__all__ = ["Accounting", "Fate", "Provider", "PushKind", "PushLimits", "Pushes", "Reason", "Subscription"]
