"""Verbs of a connection that carries events beside answers: standard input and output, not HTTP, which has `/api/v1/events`."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from .context import Context, other_transport
from .schemas import BOOLEAN, INTEGER, record
from .verb import Example, Kind, Param, Verb, param

__all__ = ["VERBS"]

_HINT = "over HTTP events come from GET /api/v1/events?after=CURSOR"
_MOST = (1 << 63) - 1


async def _subscribe(context: Context, after: int) -> dict[str, Any]:
    if context.subscriptions is None:
        raise other_transport("subscribe", _HINT)
    cursor = await context.client.cursor()
    start = cursor if after < 0 else after
    if start > cursor:
        raise InputError("there is no event with that cursor yet", code="input.cursor", hint=f"the newest is {cursor}")
    return {"subscription": context.subscriptions.subscribe(start), "cursor": start}


async def _unsubscribe(context: Context, subscription: int) -> dict[str, Any]:
    if context.subscriptions is None:
        raise other_transport("unsubscribe", _HINT)
    return {"ended": context.subscriptions.unsubscribe(subscription)}


VERBS = (
    Verb(
        "subscribe",
        "have events sent over this connection",
        _subscribe,
        record(subscription=INTEGER, cursor=INTEGER),
        (
            Param(
                "after",
                Kind.INTEGER,
                "the cursor of the last event that you have; -1: from now on",
                default=-1,
                lowest=-1,
                highest=_MOST,
            ),
        ),
        description="From now on every event behind the cursor comes as a notification `event` with the number of the "
        "subscription and the event, those that were before first. Events are kept: none is lost because nobody listened.",
        instead="listen",
        examples=(Example("everything that was and comes", {"after": 0}),),
    ),
    Verb(
        "unsubscribe",
        "end a subscription",
        _unsubscribe,
        record(ended=BOOLEAN),
        (param("subscription", Kind.INTEGER, "what `subscribe` gave", lowest=1, highest=_MOST),),
        description="No more events of this subscription come; `ended` is false if there was none.",
        instead="listen, until Ctrl-C",
        examples=(Example("enough", {"subscription": 1}),),
    ),
)
