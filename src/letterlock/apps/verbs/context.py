"""What a verb works with: the opened profile, and what the way that it came by can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ...client import Client
from ...engine.content import File
from ...errors import InputError
from ...words import ENGLISH

__all__ = ["Context", "Media", "Subscriptions", "other_transport"]


class Media(Protocol):
    """Whoever shows files under paths that nobody can guess: the HTTP edge, for one session."""

    async def show(self, chat: str, message_id: str, file: File, thumbnail: bool) -> dict[str, Any]:
        """`{path, content_type, size, name, inline}`: where it can be fetched from now on."""
        ...


class Subscriptions(Protocol):
    """Whoever hands out events on its own connection, by the number of the subscription."""

    def subscribe(self, after: int) -> int:
        """Begin to hand out every event behind this cursor."""
        ...

    def unsubscribe(self, subscription: int) -> bool:
        """End it; whether there was one."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """One client, and one way to ask it.

    `media` is None where files cannot be shown, `subscriptions` where events come another way. `paths` says whether
    whoever asks may name places on this machine's disk (SR-16): programs of the same user may, a page in a browser may
    not.
    """

    client: Client
    media: Media | None = None
    subscriptions: Subscriptions | None = None
    paths: bool = False
    locale: str = ENGLISH
    now: Callable[[], int] | None = None


def other_transport(verb: str, hint: str) -> InputError:
    """The refusal of a verb that this way cannot serve."""
    return InputError(f"{verb} does not work over this connection", code="input.transport", hint=hint)
