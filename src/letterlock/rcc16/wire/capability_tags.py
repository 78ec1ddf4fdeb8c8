"""The RCS feature tags that say a client takes part in RCC.16 (rcc16.md 1.10).

Whether somebody can be asked for encryption, never whether encryption is used (SR-02): a carrier writes them. A client
shows them only once it has a certificate and published key packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..choices import Choices

__all__ = ["KDS_TAG", "LAUNCH_TAG", "SUPPORTS_GROUPS_TAG", "VERSION_TAG", "capability_tags", "passes"]

VERSION_TAG: Final = "+g.gsma.rcs.mls.mls-version"
KDS_TAG: Final = "+g.gsma.rcs.mls.mls-kds"
LAUNCH_TAG: Final = "+g.google.rcs.mls-launch-iteration"
"""Google's own; read, never written."""
SUPPORTS_GROUPS_TAG: Final = "+g.google.rcs.mls-supports-groups"

_VERSION: Final = "v1"
_LAUNCH: Final = "1"


def capability_tags(choices: Choices) -> tuple[tuple[str, str], ...]:
    """Ours: name and value, without quotes."""
    return (VERSION_TAG, _VERSION), (KDS_TAG, str(choices.kds_selector))


def passes(tags: Mapping[str, str], *, group: bool) -> bool:
    """Whether a peer with these tags takes part. `mls-kds` is a hard gate; deployed lines leave `mls-version` out."""
    read = {name.lower(): value.strip().strip('"').lower() for name, value in tags.items()}
    kds = read.get(KDS_TAG, "")
    if not (kds.isascii() and kds.isdigit()):
        return False
    return (
        read.get(VERSION_TAG) == _VERSION
        or read.get(LAUNCH_TAG) == _LAUNCH
        or (group and read.get(SUPPORTS_GROUPS_TAG) == "true")
    )
