"""Where pre-shared keys come from: the application's own, and the resumption PSKs of groups that we were in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ...errors import MissingPsk
from ..rules import rule
from ..schedule.psk_secret import psk_secret
from ..suites import CipherSuite
from ..wire.psk import PreSharedKeyID, PSKType, ResumptionPSKUsage

__all__ = ["FindPsk", "HasResumptionPsk", "combine", "no_psks", "only_linking_psk", "with_resumption"]

FindPsk = Callable[[PreSharedKeyID], bytes | None]
"""The key for an id, None if we do not have it."""

_ONLY_ONE = rule(
    "MLS-12.4.3.1-01", "RFC 9420 section 12.4.3.1", "one PSK for reinit or branch at most", module=__name__
)


class HasResumptionPsk(Protocol):
    """A group that we are or were in."""

    def resumption_psk(self, epoch: int, /) -> bytes | None:
        """That of an epoch; None if it is no longer kept."""
        ...


def no_psks(psk: PreSharedKeyID) -> bytes | None:
    """For groups without external PSKs."""
    return None


def with_resumption(external: FindPsk, groups: Mapping[bytes, HasResumptionPsk]) -> FindPsk:
    """Resumption PSKs come from the groups; the application may know more of them than these."""

    def find(psk: PreSharedKeyID) -> bytes | None:
        group = groups.get(psk.psk_group_id) if psk.psktype == PSKType.RESUMPTION else None
        value = None if group is None else group.resumption_psk(psk.psk_epoch)
        return external(psk) if value is None else value

    return find


def combine(suite: CipherSuite, psks: Sequence[PreSharedKeyID], find: FindPsk) -> bytes:
    """psk_secret (section 8.4). Raises MissingPsk: a key that is not there is never made up or left out."""
    found: list[tuple[PreSharedKeyID, bytes]] = []
    for psk in psks:
        value = find(psk)
        if value is None:
            kind = "external" if psk.psktype == PSKType.EXTERNAL else "resumption"
            raise MissingPsk(f"a {kind} pre-shared key is not here", hint="get the key, then try the message again")
        found.append((psk, value))
    return psk_secret(suite, found)


def only_linking_psk(psks: Sequence[PreSharedKeyID]) -> PreSharedKeyID | None:
    """The PSK that links a Welcome to an older group, if there is one. Raises InvalidGroupMessage for two."""
    linking = [
        psk
        for psk in psks
        if psk.psktype == PSKType.RESUMPTION and psk.usage in (ResumptionPSKUsage.REINIT, ResumptionPSKUsage.BRANCH)
    ]
    if len(linking) > 1:
        _ONLY_ONE.fail("two pre-shared keys for reinit or branch")
    return linking[0] if linking else None
