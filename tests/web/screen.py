"""One person's page, as somebody finds their way on it: by roles and names, which are those of the string table."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Locator, Page, expect

from letterlock import words

__all__ = ["Screen", "say"]


def say(key: str, **values: object) -> str:
    """What the page says, in English."""
    return words.text(key, **values)


class Screen:
    """`page` shows the page of somebody who is logged in."""

    def __init__(self, page: Page, *, locale: str = words.ENGLISH) -> None:
        self.page, self._locale = page, locale

    def say(self, key: str, **values: object) -> str:
        """What this page says."""
        return words.text(key, self._locale, **values)

    def button(self, key: str, **values: object) -> Locator:
        return self.page.get_by_role("button", name=self.say(key, **values), exact=True)

    # --- the list ------------------------------------------------------------------------------------------
    @property
    def list(self) -> Locator:
        return self.page.get_by_role("navigation", name=self.say("page.chats"))

    def row(self, name: str) -> Locator:
        """A chat in the list, by what it is called there."""
        return self.list.get_by_role("link", name=re.compile(f"^{re.escape(name)}"))

    async def open(self, name: str) -> None:
        """Open a chat of the list."""
        await self.row(name).click()
        await self.writing.wait_for()

    async def begin(self, number: str, name: str = "") -> None:
        """A new chat, by the dialogue for it."""
        await self.button("page.new_chat").first.click()
        await self.begin_here(number, name)

    async def begin_here(self, number: str, name: str = "") -> None:
        """In that dialogue, which is open."""
        dialog = self.dialog(self.say("dialog.new.name"))
        await dialog.get_by_label(self.say("dialog.new.number")).fill(number)
        if name:
            await dialog.get_by_label(self.say("dialog.new.called")).fill(name)
        await dialog.get_by_role("button", name=self.say("dialog.new.begin"), exact=True).click()
        await self.writing.wait_for()

    async def search(self, text: str) -> None:
        """Look for a text in all chats."""
        await self.page.get_by_role("searchbox").first.fill(text)

    # --- a conversation ------------------------------------------------------------------------------------
    @property
    def chip(self) -> Locator:
        """The state of the chat in its header, a button that explains it."""
        return self.page.locator("ll-conversation header [aria-haspopup=dialog]")

    @property
    def writing(self) -> Locator:
        """The field for a new message."""
        return self.page.locator("ll-composer").get_by_role("textbox")

    def bubble(self, text: str) -> Locator:
        """A message by its text."""
        return self.page.get_by_role("article").filter(has_text=text)

    async def write(self, text: str) -> Locator:
        """Type and press Enter."""
        await self.writing.fill(text)
        await self.writing.press("Enter")
        bubble = self.bubble(text)
        await bubble.wait_for()
        return bubble

    async def attach(self, key: str) -> None:
        """Choose something in the menu of the button that attaches."""
        await self.button("page.attach").click()
        await self.page.get_by_role("menuitem", name=self.say(key), exact=True).click()

    async def give(self, *paths: Path, send: bool = True) -> Locator:
        """Choose files, and send them from the dialogue in which they are looked at first."""
        async with self.page.expect_file_chooser() as chooser:
            await self.attach("dialog.attach.file")
        await (await chooser.value).set_files(list(paths))
        dialog = self.dialog(self.say("dialog.attach.name", count=len(paths)))
        await dialog.wait_for()
        if send:
            await dialog.get_by_role(
                "button", name=self.say("dialog.attach.send", count=len(paths)), exact=True
            ).click()
            await dialog.wait_for(state="hidden")
        return dialog

    async def menu(self, bubble: Locator) -> Locator:
        """The menu of a message, by the keyboard."""
        await bubble.focus()
        await bubble.press("Enter")
        return self.page.get_by_role("menu", name=self.say("page.actions"))

    async def act(self, bubble: Locator, key: str) -> None:
        """Choose something in the menu of a message."""
        menu = await self.menu(bubble)
        await menu.get_by_role("menuitem", name=self.say(key), exact=True).click()

    async def sees(self, text: str) -> Locator:
        """Wait for a message."""
        bubble = self.bubble(text)
        await expect(bubble).to_be_visible()
        return bubble

    # --- dialogues -----------------------------------------------------------------------------------------
    def dialog(self, name: str | re.Pattern[str]) -> Locator:
        """An open dialogue by its name."""
        return self.page.get_by_role("dialog", name=name)
