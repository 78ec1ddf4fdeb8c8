"""What the page may ask for: the hostile buttons, the tour, and what the phones are to write for it.

Each act is a name and at most three values, checked here. Whatever is written is written by the phones, through the
calls that anybody's program has.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ...carrier.hostile import Attack
from ...errors import InputError
from ...ids import Number
from ...words import text
from .handset import Handset, PhoneRefused
from .lying_directory import Lie
from .scene import NOBODY, Scene

__all__ = ["act"]

_MOST_TEXT = 500
_TRIES = 50
_TRY_SECONDS = 0.1


async def act(scene: Scene, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Do it. Raises InputError for what is no act, PhoneRefused when a phone says no."""
    name = asked.get("act")
    does = _ACTS.get(name) if isinstance(name, str) else None
    if does is None:
        raise InputError("no such act", code="input.act")
    return await does(scene, asked)


async def _order(scene: Scene, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Be hostile from the next message on, to that one (`once`) or until it is switched off."""
    what = _attack(asked)
    once = asked.get("once") is True
    if what in _LIES:
        again = scene.hostility.lie(Lie(what))
        await _look(scene, asked)
        scene.hostility.settle(again)
    elif what in _ATTACKS:
        scene.hostility.order(Attack(what), 1 if once else None)
    else:
        raise InputError("no such attack", code="input.attack")
    return {}


async def _try(scene: Scene, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Be hostile once, and have Ana write something to be hostile to; in a group, if that is where."""
    what = _attack(asked)
    grouped = asked.get("where") == "group" and what in _ATTACKS
    # First, for what it takes to begin a group is hit as anything else.
    chat = await scene.group(text("demo.try.group"), text("demo.try.group.first")) if grouped else scene.ben.number
    if what not in _ATTACKS:
        return await _order(scene, asked)
    scene.hostility.order(Attack(what), 1, Number(scene.ana.number))
    await _said(scene, scene.ana, chat, f"demo.try.{what}")
    if what in _OVERTAKEN:
        # So that there is something that comes before it.
        await _said(scene, scene.ana, chat, f"demo.try.after.{what}")
    return {"chat": chat}


async def _withdraw(scene: Scene, asked: Mapping[str, Any]) -> dict[str, Any]:
    what = _attack(asked)
    if what not in _ATTACKS | _LIES:
        raise InputError("no such attack", code="input.attack")
    scene.hostility.withdraw(what)
    return {}


async def _honest(scene: Scene, asked: Mapping[str, Any]) -> dict[str, Any]:
    lied = scene.hostility.told
    scene.hostility.be_honest()
    if lied is not None:
        await _look(scene, asked)
    return {}


async def _look(scene: Scene, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Ana's phone asks for Ben's keys, as it does when she opens the screen with the security code."""
    try:
        await scene.ana.call("code", chat=scene.ben.number)
    except PhoneRefused as error:
        # That it says no is what there is to see; why stands in its events.
        return {"refused": str(error), "code": error.code}
    return {}


async def _say(scene: Scene, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One of the phones writes a text of the viewer's to the other."""
    given = asked.get("text")
    if not isinstance(given, str) or not 0 < len(given) <= _MOST_TEXT:
        raise InputError("a text is wanted, and not a long one", code="input.text")
    speaker, other = (scene.ben, scene.ana) if asked.get("phone") == "ben" else (scene.ana, scene.ben)
    return {"message_id": await scene.say(speaker, other.number, given)}


async def _tour(scene: Scene, asked: Mapping[str, Any]) -> dict[str, Any]:
    step = asked.get("step")
    does = _STEPS.get(step) if type(step) is int else None
    if does is None:
        raise InputError("no such step", code="input.step")
    return await does(scene)


async def _hello(scene: Scene) -> dict[str, Any]:
    """So that there is something to look at; whoever comes later finds it said."""
    if scene.greeted:
        return {}
    scene.greeted = True
    return await _talk(scene, "hello")


async def _more(scene: Scene) -> dict[str, Any]:
    return await _talk(scene, "more")


async def _talk(scene: Scene, about: str) -> dict[str, Any]:
    """Ana says something, and when Ben has it, he answers."""
    sent = await _said(scene, scene.ana, scene.ben.number, f"demo.tour.ana.{about}")
    await scene.until(scene.ben, "message-received", sent)
    return {"message_id": await _said(scene, scene.ben, scene.ana.number, f"demo.tour.ben.{about}")}


async def _inside(scene: Scene) -> dict[str, Any]:
    return {"message_id": (await _said(scene, scene.ana, scene.ben.number, "demo.tour.ana.inside"))}


async def _secret(scene: Scene) -> dict[str, Any]:
    return await _talk(scene, "secret")


async def _tampered(scene: Scene) -> dict[str, Any]:
    return await _try(scene, {"attack": Attack.TAMPER.value})


async def _nobody(scene: Scene) -> dict[str, Any]:
    """Ana writes to somebody without keys. Her phone does not send it; what she may choose is what it says."""
    try:
        await scene.say(scene.ana, NOBODY, text("demo.tour.ana.plain"))
    except PhoneRefused as error:
        return {"refused": str(error), "code": error.code}
    return {}


async def _plain(scene: Scene, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The control: Ana decides that what waits for Dan goes all the same, unencrypted."""
    for _ in range(_TRIES):
        # While it still looks for keys there is nothing to choose, and what was offered before it found out is void.
        with contextlib.suppress(PhoneRefused):
            if await _released(scene):
                return {}
        await asyncio.sleep(_TRY_SECONDS)
    raise InputError("there is nothing to decide: the tour's last step comes first", code="input.option")


async def _released(scene: Scene) -> bool:
    for option in await scene.ana.call("options", chat=NOBODY):
        if option["name"] == "plain-rcs":
            done = await scene.ana.call("release", chat=NOBODY, allow=option["token"])
            return bool(done["released"])
    return False


def _attack(asked: Mapping[str, Any]) -> str:
    given = asked.get("attack")
    return given if isinstance(given, str) else ""


async def _said(scene: Scene, speaker: Handset, to: str, key: str) -> str:
    return await scene.say(speaker, to, text(key))


_ATTACKS = frozenset(attack.value for attack in Attack)
_OVERTAKEN = frozenset({Attack.DROP.value, Attack.DELAY.value})
_LIES = frozenset(lie.value for lie in Lie)
_STEPS: Mapping[int, Callable[[Scene], Awaitable[dict[str, Any]]]] = {
    0: _hello,
    1: _more,
    2: _inside,
    3: _secret,
    4: _tampered,
    5: _nobody,
}
_ACTS: Mapping[str, Callable[[Scene, Mapping[str, Any]], Awaitable[dict[str, Any]]]] = {
    "order": _order,
    "try": _try,
    "withdraw": _withdraw,
    "honest": _honest,
    "look": _look,
    "say": _say,
    "tour": _tour,
    "plain": _plain,
}
