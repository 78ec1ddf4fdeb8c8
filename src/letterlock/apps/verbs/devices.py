"""Verbs of the devices of one account."""

from __future__ import annotations

from typing import Any

from .context import Context
from .records import device_record
from .schemas import INTEGER, STRING, array, record, ref
from .verb import Example, Kind, Verb, param

__all__ = ["VERBS"]


async def _devices(context: Context) -> list[dict[str, Any]]:
    return [device_record(device) for device in await context.client.devices()]


async def _offer(context: Context) -> dict[str, Any]:
    return {"offer": await context.client.device_offer()}


async def _add(context: Context, request: str) -> dict[str, Any]:
    return {"device": await context.client.add_device(request)}


async def _vouch(context: Context, request: str) -> dict[str, Any]:
    return {"answer": await context.client.vouch_for_device(request)}


async def _remove(context: Context, device: int) -> list[dict[str, Any]]:
    await context.client.remove_device(device)
    return await _devices(context)


VERBS = (
    Verb(
        "devices",
        "the devices of your account",
        _devices,
        array(ref("Device")),
        description="The devices that contacts encrypt for, by the list that the primary device signs.",
        examples=(Example("which there are"),),
    ),
    Verb(
        "devices offer",
        "begin to add a device: a string for it",
        _offer,
        record(offer=STRING),
        description="A string for the new device (`letterlock setup --join OFFER`). On the primary device only.",
        examples=(Example("on the first device"),),
    ),
    Verb(
        "devices add",
        "list the device that made this request",
        _add,
        record(device=INTEGER),
        (param("request", Kind.WORD, "what the new device printed", metavar="REQUEST"),),
        description="List the device that made this request, and publish the list.",
        examples=(Example("the new one", {"request": "LL-REQUEST..."}),),
    ),
    Verb(
        "devices vouch",
        "vouch for the RCC.16 key of a listed device",
        _vouch,
        record(answer=STRING),
        (param("request", Kind.WORD, "what the new device printed", metavar="REQUEST"),),
        description="Vouch for the RCC.16 key of a listed device that made this request; the answer is for that device "
        "(`letterlock devices link ANSWER`).",
        examples=(Example("for groups by RCC.16", {"request": "LL-LINK..."}),),
    ),
    Verb(
        "devices remove",
        "take a device off the list",
        _remove,
        array(ref("Device")),
        (param("device", Kind.INTEGER, "its number", lowest=1, highest=127, metavar="DEVICE"),),
        description="Take a device off the list; contacts stop encrypting for it.",
        examples=(Example("the lost one", {"device": 2}),),
    ),
)
