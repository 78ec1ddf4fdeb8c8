"""The mailbox: an application server that keeps messages for devices that are away (docs/kamailio.md).

Kamailio hands it MESSAGEs; it stores each on its disk, one copy for each device of the number, before it answers 202,
and sends every copy on when its device is there. Bodies are opaque: what goes out is byte for byte what came in.
"""

from __future__ import annotations

from .limits import MailboxLimits
from .sip import Mailbox

__all__ = ["Mailbox", "MailboxLimits"]
