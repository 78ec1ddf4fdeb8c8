"""What can be asked of an opened profile, as one table: for the command line, JSON-RPC and the page.

`METHODS["send"]` is a `Verb`; `checked(verb, params)` checks what came from outside, `verb.perform(context, checked)` does
it, `error_object(error)` phrases what went wrong. A rule about chats is not here: it belongs into engine or client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import WrongParameter, checked
    from .context import Context, Media, Subscriptions
    from .errors import EXIT, error_object, exit_code, option_token
    from .table import METHODS, VERBS
    from .verb import Example, Kind, Param, Verb

__all__ = [
    "EXIT",
    "METHODS",
    "VERBS",
    "Context",
    "Example",
    "Kind",
    "Media",
    "Param",
    "Subscriptions",
    "Verb",
    "WrongParameter",
    "checked",
    "error_object",
    "exit_code",
    "option_token",
]

_MODULES = {
    "checking": ("WrongParameter", "checked"),
    "context": ("Context", "Media", "Subscriptions"),
    "errors": ("EXIT", "error_object", "exit_code", "option_token"),
    "table": ("METHODS", "VERBS"),
    "verb": ("Example", "Kind", "Param", "Verb"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: a server that wants exit codes alone starts without the client."""
    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
