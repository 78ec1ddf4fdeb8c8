"""Why a file has no thumbnail or waveform: one error with few codes, whatever a decoder said."""

from __future__ import annotations

from typing import Final

from ...errors import InputError

__all__ = ["problem"]

_TEXTS: Final = {
    "too_large": "the picture has more pixels than are decoded",
    "too_long": "the sound is longer than an hour",
    "unreadable": "it cannot be decoded",
    "unavailable": "there is no decoder on this device",
}


def problem(name: object) -> InputError:
    """Of code `media.NAME`; what a worker says that it should not counts as unreadable."""
    known = name if isinstance(name, str) and name in _TEXTS else "unreadable"
    return InputError(_TEXTS[known], code=f"media.{known}", hint="the file itself can be sent all the same")
