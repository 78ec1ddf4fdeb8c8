"""What a verb works with: the opened profile, and what the way that it came by can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ...client import Client
from ...engine.content import File
from ...errors import InputError
from ...words import ENGLISH

__all__ = ["Context", "Media", "Outgoing", "Subscriptions", "other_transport"]


class Media(Protocol):
    """Whoever shows files under paths that nobody can guess: the HTTP edge, for one session."""

    async def show(self, chat: str, message_id: str, file: File, thumbnail: bool) -> dict[str, Any]:
        """`{path, content_type, size, name, inline, here}`: where it can be fetched from now on."""
        ...


class Outgoing(Protocol):
    """Whoever has files that pages gave it and that are not sent yet: the HTTP edge. `upload` is the id of the transfer."""

    async def uploads(self, locale: str) -> list[dict[str, Any]]:
        """All of them, in the order in which they came."""
        ...

    async def again(self, upload: str, token: str) -> dict[str, Any]:
        """Send what was refused, by a decision perhaps, or go on with what has failed."""
        ...

    async def remove(self, upload: str) -> None:
        """Give one up."""
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

    `media` is None where files cannot be shown, `outgoing` where nobody uploads any, `subscriptions` where events come another way. `paths` says whether
    whoever asks may name places on this machine's disk (SR-16): programs of the same user may, a page in a browser may
    not.
    """

    client: Client
    media: Media | None = None
    outgoing: Outgoing | None = None
    subscriptions: Subscriptions | None = None
    paths: bool = False
    locale: str = ENGLISH
    now: Callable[[], int] | None = None


def other_transport(verb: str, hint: str) -> InputError:
    """The refusal of a verb that this way cannot serve."""
    return InputError(f"{verb} does not work over this connection", code="input.transport", hint=hint)
