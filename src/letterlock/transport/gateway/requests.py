"""What was asked of the gateway and is not answered yet: it outlives links, and goes over the next one again.

The id of a send is a hash of what is sent, so that a process that was killed and asks again asks for the same. When its
answer has come that is said to the gateway (`Settled`): from then on the same is a new attempt.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable
from typing import TypeVar

from ...codec.gateway import (
    AskFeatures,
    Done,
    Failure,
    FeaturesAnswer,
    MakeConference,
    RequestId,
    Result,
    Send,
    Subscribe,
    SyncConference,
    encode,
)
from ...errors import TransportError

__all__ = ["Answer", "Asked", "Requests", "named"]

Asked = Send | SyncConference | MakeConference | AskFeatures | Subscribe
Answer = Result | Failure | Done | FeaturesAnswer
A = TypeVar("A", bound=Asked)

_MAX_SETTLED = 1_024


class Requests:
    """`say` puts frames on their way when there is a link."""

    def __init__(self, say: Callable[[bytes], None]) -> None:
        self._say = say
        self._waiting: dict[RequestId, tuple[bytes, asyncio.Future[Answer]]] = {}
        self._settled: dict[RequestId, None] = {}

    async def ask(self, asked: Asked, seconds: float) -> Answer:
        """Its answer, over as many links as it takes. Raises TransportError when there is none in time."""
        known = self._waiting.get(asked.request)
        if known is None:
            known = self._waiting[asked.request] = (encode(asked), asyncio.get_running_loop().create_future())
            self._say(known[0])
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(known[1])
        except TimeoutError:
            raise TransportError("no answer of the gateway in time", code="transport.timeout") from None
        finally:
            if not known[1].done() and self._waiting.get(asked.request) is known:
                del self._waiting[asked.request]

    def answered(self, answer: Answer) -> None:
        """An answer has come. One that nobody waits for any more is not settled: who asks again is to have it."""
        known = self._waiting.pop(answer.request, None)
        if known is not None and not known[1].done():
            known[1].set_result(answer)
        if isinstance(answer, Result) and known is not None:
            self._settled[answer.request] = None
            if len(self._settled) > _MAX_SETTLED:
                del self._settled[next(iter(self._settled))]

    def again(self) -> None:
        """There is a new link: say everything that is not answered."""
        for data, _ in list(self._waiting.values()):
            self._say(data)

    def settled(self) -> tuple[RequestId, ...]:
        """Those whose answers the gateway may forget; each is told once."""
        told, self._settled = tuple(self._settled), {}
        return told


def named(asked: A) -> A:
    """The same with the id that is a hash of it."""
    return dataclasses.replace(asked, request=RequestId(hashlib.sha256(encode(asked)).digest()[:16]))
