"""The directory: which devices speak for a number, and their pre-keys.

It is not trusted: clients verify every list and bundle. See docs/spec/directory.md.
"""

from __future__ import annotations

from ..buckets import Rate
from .codes import IssuedCode
from .http import Directory
from .limits import DirectoryLimits

__all__ = ["Directory", "DirectoryLimits", "IssuedCode", "Rate"]
