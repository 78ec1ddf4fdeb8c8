"""What RCC.16 leaves open, or what nobody outside the GSMA has read: one row a point, with our choice.

A row whose `id` is a field of `choices.Choices` can be switched there. One without is a decision that has no other side
to switch to: `where` is the place that says it. docs/spec/rcc16-choices.md is drawn from here.

Numbers of policy that no other side can see (how often we try, how long we wait) are not choices of this kind: they
stand with the machine that uses them.
"""

from __future__ import annotations

from typing import Final

from .choice import Choice
from .focus import FOCUS
from .keys import KEYS
from .members import MEMBERS
from .messages import MESSAGES

__all__ = ["CHOICES", "Choice"]

CHOICES: Final = (*MESSAGES, *MEMBERS, *FOCUS, *KEYS)
