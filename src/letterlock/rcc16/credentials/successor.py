"""A certificate that follows another one of the same client (rcc16.md 1.5): the same subject, key and number."""

from __future__ import annotations

from ...mls.wire.credential import Credential
from ..rules import rule
from .leaf import decode_chain
from .numbers import certified

__all__ = ["check_successor"]

_SUCCESSOR = rule(
    "RCC-A.4.1-14",
    "RCC.16 A.4.1 (rcc16.md 1.5)",
    "a renewed certificate has the subject, key and number of the one before",
    module=__name__,
)


def check_successor(before: Credential, after: Credential) -> None:
    """Serial number, dates and issuers may differ. Raises InvalidRcc16."""
    old, new = decode_chain(before)[0], decode_chain(after)[0]
    if (old.subject, old.spki, certified(old)) != (new.subject, new.spki, certified(new)):
        _SUCCESSOR.fail("the renewed certificate is for another client")
