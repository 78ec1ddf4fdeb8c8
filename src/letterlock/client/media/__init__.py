"""What a file is, and a small picture or the shape of its sound, made on the device of whoever sends it.

`describe` is all: what it finds goes into the pointer of a sealed file (docs/spec/files.md 5). What is decoded is
decoded in a process of its own that may use little memory and time.
"""

from __future__ import annotations

from .describe import MediaInfo, describe
from .sandbox import Thumbnail
from .sniff import SNIFFED, Kind, announced_type, disagreement, sniff

__all__ = ["SNIFFED", "Kind", "MediaInfo", "Thumbnail", "announced_type", "describe", "disagreement", "sniff"]
