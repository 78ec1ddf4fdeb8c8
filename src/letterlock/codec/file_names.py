"""From the name that a stranger gave a file to one that is safe to make in a folder of ours (SR-14)."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["safe_file_name"]

_SEPARATORS = re.compile(r"[/\\:\u2044\u2215\u29f5\u29f8\uff0f\uff3c]")
# Windows takes the superscript digits for digits here, and does not mind a space before the extension.
_RESERVED = re.compile(
    r"(?i:con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]) ?(?:\..*)?",
    re.DOTALL,
)
_FORBIDDEN = frozenset('<>"|?*')
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show as nothing: a row of them would push the extension out of sight."""
_MAX_BYTES = 160
_MAX_EXTENSION = 16


def safe_file_name(name: str, fallback: str = "file") -> str:
    """One path component: no separators, nothing invisible or that turns the text around, not hidden, of bounded length.

    Only what stands behind the last separator is kept. The extension is kept as it is: nothing opens a file by itself,
    and what it claims to be is shown whole, without the characters that would hide its end.
    """
    last = _SEPARATORS.split(name[-4096:])[-1]
    normal = unicodedata.normalize("NFC", last)
    kept = "".join("_" if c in _FORBIDDEN else c for c in normal if _harmless(c))
    # A leading dot hides a file, a leading dash makes it an option; Windows drops dots and spaces at the end.
    kept = " ".join(kept.split()).lstrip(".-~ ").rstrip(". ")
    if not kept:
        return fallback
    if _RESERVED.fullmatch(kept):
        kept = f"_{kept}"
    return _shortened(kept)


def _harmless(c: str) -> bool:
    # Cc controls, Cf direction changes and joiners, Cs lone surrogates, Co and Cn private or unknown; Zl, Zp line ends.
    if c in _BLANK:
        return False
    return unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or c == "\t"


def _shortened(name: str) -> str:
    if len(name.encode()) <= _MAX_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension.encode()) > _MAX_EXTENSION:
        stem, dot, extension = name, "", ""
    room = _MAX_BYTES - len((dot + extension).encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + dot + extension
