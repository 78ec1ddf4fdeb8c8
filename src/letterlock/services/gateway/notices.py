"""What a client should hear of beside its messages, the latest of each: rosters, features, conferences, the registration.

Nothing here is kept over a restart, as nothing of it is by a client that speaks with the carrier itself: a focus says its
roster again, features are asked for again. So a slow client costs one entry for each thing that changes, and no queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from ...codec.gateway import ConferenceKept, ConferenceSeen, FeaturesChanged, GatewayFrame, Registration, encode
from ...ids import GroupId, Number

__all__ = ["Notices"]

K = TypeVar("K")
V = TypeVar("V")


class Notices:
    """Of one device. `on_more` is called when there is something new."""

    def __init__(self, max_notices: int) -> None:
        self._max = max_notices
        self._views: dict[GroupId, ConferenceSeen] = {}
        self._features: dict[Number, FeaturesChanged] = {}
        self._registration = Registration("offline", "not started")
        self._due: dict[object, GatewayFrame] = {}  # for the link there is
        self.on_more: Callable[[], None] | None = None

    def seen(self, view: ConferenceSeen) -> None:
        """A focus claims this now."""
        _put(self._views, view.group, view, self._max)
        self._tell(view.group, view)

    def changed(self, change: FeaturesChanged) -> None:
        """A number has other features."""
        earlier = self._features.pop(change.number, None)
        if earlier is not None:  # not told yet: from what it was when the client heard of it last
            change = FeaturesChanged(change.number, change.features, earlier.before)
        _put(self._features, change.number, change, self._max)
        self._tell(change.number, change)

    def kept(self, name: str, address: str | None) -> None:
        """The conference of a group is there now."""
        self._tell(("kept", name), ConferenceKept(name, address))

    def registered(self, state: str, reason: str) -> None:
        """The registration stands like this."""
        self._registration = Registration(state, reason)
        self._tell("registration", self._registration)

    def begin(self, differing: dict[str, str | None]) -> None:
        """A client has linked: tell it all. `differing`: where conferences are, other than it knows."""
        self._due = {"registration": self._registration}
        for name, address in differing.items():
            self._due["kept", name] = ConferenceKept(name, address)
        for group, view in self._views.items():
            self._due[group] = view
        for number, change in self._features.items():
            self._due[number] = change

    def due(self) -> Iterator[bytes]:
        """What is to go to the client now, encoded."""
        while self._due:
            key = next(iter(self._due))
            frame = self._due.pop(key)
            if isinstance(frame, FeaturesChanged):
                self._features.pop(frame.number, None)
            yield encode(frame)

    def _tell(self, key: object, frame: GatewayFrame) -> None:
        if self.on_more is not None:
            # Of each kind there are so many at most; whose client does not read hears of the oldest with its next link.
            _put(self._due, key, frame, 4 * self._max)
            self.on_more()


def _put(known: dict[K, V], key: K, value: V, most: int) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > most:
        del known[next(iter(known))]
