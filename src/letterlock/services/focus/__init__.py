"""The conversation focus: group chats as RCS has them, with storage for members who are away.

It is not trusted: what participants of an encrypted group believe of its members stands in their own signed log. See
docs/focus.md.
"""

from __future__ import annotations

from .limits import FocusLimits, Rate
from .mls.settings import MlsSettings
from .msrp import MsrpTls
from .settings import FocusSettings
from .sip import Focus

__all__ = ["Focus", "FocusLimits", "FocusSettings", "MlsSettings", "MsrpTls", "Rate"]
