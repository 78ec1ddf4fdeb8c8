"""How an error of the library reads in JSON-RPC and to a shell: one exit code, one object, everywhere.

The code of the JSON-RPC error is -32000 minus the exit code, `data` carries the stable dotted code and the hint, and of
a refusal what the user may choose, in the words of the string table (SR-01).
"""

from __future__ import annotations

from typing import Any

from ...engine.policy import PlainOption
from ...errors import (
    Bug,
    IdentityChanged,
    InputError,
    InvalidFile,
    InvalidGroupMessage,
    InvalidRcc16,
    LetterlockError,
    NotEncrypted,
    RemoteError,
    ServiceError,
    StoreError,
    TransportError,
    TrustRequired,
)
from ...ids import bot_of
from ...words import ENGLISH, text

__all__ = ["EXIT", "error_object", "exit_code", "option_record", "option_token"]

EXIT = {"ok": 0, "user": 1, "bug": 2, "network": 3, "trust": 4, "rate": 5, "not_encrypted": 7}
"""Exit codes, as signal-cli's users know them; 7 is ours: it would have been unencrypted."""

_FIRST = -32_000


def exit_code(error: LetterlockError) -> int:
    """The exit code that tells a script what kind of error it was."""
    if isinstance(error, NotEncrypted):
        return EXIT["not_encrypted"]
    if isinstance(error, TrustRequired):
        return EXIT["trust"]
    if isinstance(error, ServiceError) and error.status == 429:
        return EXIT["rate"]
    # 511: a code is wanted, or the given one was wrong (RCC.14).
    if isinstance(error, ServiceError) and (400 <= error.status < 500 or error.status == 511):
        return EXIT["user"]
    if isinstance(error, TransportError | StoreError | RemoteError):
        return EXIT["network"]
    if isinstance(error, Bug):
        return EXIT["bug"]
    if isinstance(error, InputError):
        return EXIT["user"]
    return EXIT["bug"]


def option_token(option: PlainOption) -> str:
    """What a person or script hands back to choose an option; of this chat and this transition only (SR-01)."""
    return f"{option.name}.{option.transition}.{option.nonce.hex()}"


def option_record(option: PlainOption, locale: str = ENGLISH) -> dict[str, str]:
    """An option, its token, and who can read what is sent by it."""
    words = "option.business" if bot_of(option.chat) is not None else f"option.{option.name}"
    return {
        "name": option.name,
        "token": option_token(option),
        "label": text(f"{words}.label", locale),
        "sentence": text(f"{words}.sentence", locale),
    }


def error_object(error: LetterlockError, locale: str = ENGLISH, name: str = "") -> dict[str, Any]:
    """The `error` of a JSON-RPC answer. `name` is what the user calls the contact whom it is about, where that is known."""
    code = exit_code(error)
    name = name or text("security.contact", locale)
    data: dict[str, Any] = {
        "class": type(error).__name__,
        "code": error.code,
        "hint": error.hint,
        "exit": code,
    }
    if isinstance(error, NotEncrypted):
        data["reason"] = error.reason
        data |= _state_words(error, locale, name)
        data["options"] = [option_record(option, locale) for option in error.options if isinstance(option, PlainOption)]
    elif isinstance(error, TrustRequired):
        data |= {
            "label": text("security.no-longer-verified.label", locale, name=name),
            "sentence": text("security.no-longer-verified.sentence", locale, name=name),
        }
    elif isinstance(error, IdentityChanged):
        data["old"], data["new"] = error.old.hex(), error.new.hex()
    elif isinstance(error, ServiceError):
        data["status"], data["retry_after_s"] = error.status, error.retry_after_s
    elif isinstance(error, InvalidFile | InvalidGroupMessage | InvalidRcc16):
        data["rule"] = error.rule
    return {"code": _FIRST - code, "message": str(error), "data": data}


def _state_words(error: NotEncrypted, locale: str, name: str) -> dict[str, str]:
    """The label and sentence of the state that is the reason, as a chip on the page has them."""
    try:
        words = {part: text(f"security.{error.reason}.{part}", locale, name=name) for part in ("label", "sentence")}
        return {part: word.replace(" ({wait})", "") for part, word in words.items()}
    except KeyError:  # a reason that is no state of a chat
        return {"label": text("refusal.not-encrypted", locale), "sentence": str(error)}
