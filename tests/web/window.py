"""What one does with a page in a browser that is driven by W3C WebDriver: find by role and name, click, type, read.

Names and roles are those that the engine itself computes for assistive technology. Everything that looks, looks again
until it holds or patience ends, because pages take their time.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from web.engines import Engine
from web.webdriver import ELEMENT, Refused

__all__ = ["Found", "Window"]

_PATIENCE = 30.0
_KEYS = {"Escape": "\ue00c", "Enter": "\ue007", "Tab": "\ue004", "ArrowUp": "\ue013", "ArrowDown": "\ue015"}

# Where a role may be; the engine has the last word on what it is.
_SELECTORS = {
    "button": "button, [role=button], summary",
    "link": "a[href]",
    "textbox": "textarea, input:not([type]), input[type=text], input[type=tel]",
    "searchbox": "input[type=search]",
    "dialog": "dialog[open]",
    "heading": "h1, h2, h3",
    "image": "img, svg, canvas, [role=img]",
    "radio": "input[type=radio]",
}
_CANDIDATES = """
const [selector, text, root] = arguments;
return [...(root ?? document).querySelectorAll(selector)].filter((each) =>
  each.checkVisibility({ visibilityProperty: true }) && !each.closest("[inert]") && each.textContent.includes(text));
"""


class Found:
    """An element of a window."""

    def __init__(self, window: Window, identity: str) -> None:
        self.window, self.identity = window, identity

    async def click(self) -> None:
        await self.window.call("WebDriver:ElementClick", id=self.identity)

    async def type(self, text: str) -> None:
        """Into it, after what is there; `Escape`, `Enter` ... are keys."""
        await self.window.call("WebDriver:ElementSendKeys", id=self.identity, text=_KEYS.get(text, text))

    async def name(self) -> str:
        label: str = await self.window.call("WebDriver:GetComputedLabel", id=self.identity)
        return label

    async def role(self) -> str:
        role: str = await self.window.call("WebDriver:GetComputedRole", id=self.identity)
        return role

    async def text(self) -> str:
        text: str = await self.does("return arguments[0].textContent")
        return text

    async def does(self, script: str, *more: Any) -> Any:
        """A script with the element as its first argument."""
        return await self.window.run(script, self, *more)

    async def focused(self) -> bool:
        answer: bool = await self.does("return arguments[0] === document.activeElement")
        return answer


class Window:
    """The page that an engine shows."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def call(self, command: str, **parameters: Any) -> Any:
        return await self.engine.wire.call(command, **parameters)

    async def open(self, url: str) -> None:
        await self.call("WebDriver:Navigate", url=url)

    async def run(self, script: str, *arguments: Any) -> Any:
        """A script's result, elements as Found."""
        given = [{ELEMENT: each.identity} if isinstance(each, Found) else each for each in arguments]
        return self._found(await self.call("WebDriver:ExecuteScript", script=script, args=given))

    async def wait_for(self, script: str, *arguments: Any) -> Any:
        """A script's first result that is true."""

        async def look() -> Any:
            return await self.run(script, *arguments)

        return await self._until(look, script)

    def _found(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._found(each) for each in value]
        return Found(self, value[ELEMENT]) if isinstance(value, dict) and ELEMENT in value else value

    async def find(self, role: str, name: str, *, within: Found | None = None, begins: bool = False) -> Found:
        """What has this role and exactly this name, or one that `begins` so; the first of several."""

        async def look() -> Found | None:
            for each in await self.all(role, within=within):
                called = (await each.name()).strip()
                if called == name or (begins and called.startswith(name)):
                    return each
            return None

        return await self._until(look, f"{role} {name!r}")

    async def all(self, role: str, *, within: Found | None = None, text: str = "") -> list[Found]:
        """What has this role and holds this text, as it is now."""
        selector = _SELECTORS.get(role, f"[role={role}]")
        found: list[Found] = await self.run(_CANDIDATES, selector, text, within)
        return [each for each in found if await each.role() == role]

    async def sees(self, role: str, text: str, *, within: Found | None = None) -> Found:
        """What has this role and holds this text; the last of several."""

        async def look() -> Found | None:
            found = await self.all(role, within=within, text=text)
            return found[-1] if found else None

        return await self._until(look, f"{role} with {text!r}")

    async def press(self, key: str) -> None:
        """A key, wherever the focus is."""
        focus = await self.call("WebDriver:GetActiveElement")
        await Found(self, focus[ELEMENT]).type(key)

    async def drop(self, target: Found, path: Path, kind: str) -> None:
        """A file let go over an element: no system's dialogue for choosing one can be driven."""
        await target.does(
            """
            const [target, name, type, content] = arguments;
            const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name, { type }));
            for (const kind of ["dragover", "drop"]) {
              target.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
            }
            """,
            path.name,
            kind,
            base64.b64encode(path.read_bytes()).decode(),
        )

    async def resize(self, width: int, height: int) -> None:
        """As near as the engine's own window can come: neither becomes quite as narrow as a phone."""
        await self.call("WebDriver:SetWindowRect", x=0, y=0, width=width, height=height)

    async def screenshot(self) -> bytes:
        return base64.b64decode(await self.call("WebDriver:TakeScreenshot"))

    async def _until(self, look: Callable[[], Awaitable[Any]], what: str) -> Any:
        last = ""
        with_patience = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < with_patience:
            try:
                if found := await look():
                    return found
            except Refused as refusal:
                # It was replaced between the finding and the looking.
                if refusal.error not in ("stale element reference", "no such element"):
                    raise
                last = str(refusal)
            await asyncio.sleep(0.05)
        shown = await self.run("return document.body.innerText")
        raise AssertionError(f"no {what} in {self.engine.name} {last}; it shows:\n{shown[:3000]}")
