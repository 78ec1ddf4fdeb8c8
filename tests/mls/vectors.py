"""Reader for the published MLS vectors (mlswg/mls-implementations), kept compressed in tests/vectors/mls.

The format of each file is described in that repository's test-vectors.md. Every test states how many cases it
ran, so that a filter which lets nothing through fails.
"""

from __future__ import annotations

import json
import lzma
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "SUPPORTED_SUITES", "load"]

FOLDER = Path(__file__).parents[1] / "vectors" / "mls"

SUPPORTED_SUITES = frozenset((1, 2, 3, 5, 7))
"""4 and 6 are X448 and Ed448, which the project leaves out."""


@lru_cache(maxsize=4)
def load(name: str) -> Any:
    """The parsed JSON of `tests/vectors/mls/{name}.json.xz`; `name` like "treekem" or "interop-passive/branch".

    The value is shared between callers: read it, do not change it.
    """
    return json.loads(lzma.decompress((FOLDER / f"{name}.json.xz").read_bytes()))
