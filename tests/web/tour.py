"""Every screen of the page, and how one comes there: for what must hold of all of them, and for the screenshots."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from daemon.town import Town
from web.scenes import acquainted, heard
from web.screen import Screen

__all__ = ["SCREENS", "furnished"]

CLEO, STRANGER = "+15550142", "+15550777"
_TALK = (
    ("ana", "Have you seen the weather for Sunday?"),
    ("ben", "Sun until four, they say."),
    ("ben", "I can bring the big blanket and something to drink."),
    ("ana", "Then we meet at the lake. I have told Cleo."),
)


async def furnished(both: Town) -> set[str]:
    """Ana knows Ben, has talked with him, is in a group, and has written to somebody without keys. What people wrote."""
    cleo = await both.person("cleo", CLEO)
    await acquainted(both, both.ana, cleo)
    await acquainted(both)
    chats = {
        "ana": await both.ana.client.chat(both.ben.number),
        "ben": await both.ben.client.chat(both.ana.number),
    }
    readers = {"ana": both.ben, "ben": both.ana}
    for who, text in _TALK:
        last = await chats[who].send(text)
        await heard(readers[who], "message-received", message_id=last)
    await chats["ben"].react(last, "👍")
    await chats["ben"].send_location(52.432, 13.238, label="At the lake")
    for number, name in ((both.ben.number, "Ben"), (CLEO, "Cleo")):
        await (await both.ana.client.chat(number)).set_name(name)
    group = await both.ana.client.create_group([both.ben.number, CLEO], "Picnic")
    sent = await group.send("Who brings bread?")
    await heard(both.ben, "message-received", message_id=sent)
    await (await both.ben.client.group(group.name)).send("I do")
    stranger = await both.ana.client.chat(STRANGER)
    await both.ana.client.settled()
    assert stranger.security.value == "no-keys-found"
    numbers = {both.ana.number, both.ben.number, CLEO, STRANGER}
    said = ["Who brings bread?", "Who brings ", "bread", "I do", *(text for _, text in _TALK)]
    said += [f"hello from {name}" for name in ("ana", "ben", "cleo")]
    facts = ["52.432000° N, 13.238000° E", "ana's phone", "RCS"]
    return {*numbers, "Ben", "Cleo", "Picnic", "At the lake", *said, *facts}


async def _home(screen: Screen, both: Town) -> None:
    while await screen.page.locator("dialog[open], [popover]:popover-open").count():
        await screen.page.keyboard.press("Escape")
    await screen.page.evaluate("location.hash = '#/'")
    await screen.row("Ben").wait_for()


async def _chat(screen: Screen, both: Town) -> None:
    await _home(screen, both)
    await screen.row("Ben").click()
    await screen.sees("Then we meet at the lake.")


async def _group_chat(screen: Screen, both: Town) -> None:
    await _home(screen, both)
    await screen.row("Picnic").click()
    await screen.sees("Who brings bread?")


async def _menu(screen: Screen, both: Town) -> None:
    await _chat(screen, both)
    bubble = screen.bubble("Sun until four")
    await bubble.focus()
    await bubble.press("Enter")
    await screen.page.get_by_role("menu").wait_for()


async def _attach(screen: Screen, both: Town) -> None:
    await _chat(screen, both)
    await screen.button("page.attach").click()
    await screen.page.get_by_role("menu").wait_for()


async def _place(screen: Screen, both: Town) -> None:
    await _attach(screen, both)
    await screen.page.get_by_role("menuitem", name=screen.say("dialog.attach.place"), exact=True).click()
    await screen.dialog(screen.say("dialog.place.name")).wait_for()


async def _emoji(screen: Screen, both: Town) -> None:
    await _chat(screen, both)
    await screen.button("page.emoji").click()
    await screen.page.locator("[popover]:popover-open").wait_for()


async def _new(screen: Screen, both: Town) -> None:
    await _home(screen, both)
    await screen.button("page.new_chat").first.click()
    await screen.dialog(screen.say("dialog.new.name")).wait_for()


async def _new_group(screen: Screen, both: Town) -> None:
    await _new(screen, both)
    await screen.page.get_by_role("radio", name=screen.say("dialog.new.group")).check()


async def _settings(screen: Screen, both: Town) -> None:
    await _home(screen, both)
    await screen.button("page.settings").click()
    await screen.page.get_by_role("dialog").wait_for()
    await screen.page.wait_for_timeout(200)


async def _code(screen: Screen, both: Town) -> None:
    await _chat(screen, both)
    await screen.chip.click()
    await screen.page.get_by_label(screen.say("dialog.code.digits")).wait_for()


async def _group(screen: Screen, both: Town) -> None:
    await _group_chat(screen, both)
    await screen.chip.click()
    members = screen.page.get_by_role("list", name=screen.say("dialog.group.members-label"))
    await members.get_by_role("listitem").first.wait_for()


async def _search(screen: Screen, both: Town) -> None:
    await _home(screen, both)
    await screen.search("bread")
    await screen.page.get_by_role("link").filter(has_text="Who brings").last.wait_for()


async def _search_done(screen: Screen, both: Town) -> None:
    await screen.search("")
    await _home(screen, both)


async def _stranger(screen: Screen, both: Town) -> None:
    await _home(screen, both)
    await screen.row(STRANGER).click()
    await screen.writing.wait_for()


async def _fallback(screen: Screen, both: Town) -> None:
    await _stranger(screen, both)
    await screen.writing.fill("is this your number?")
    await screen.writing.press("Enter")
    await screen.page.get_by_role("dialog").get_by_role("button", name=screen.say("option.plain-rcs.label")).wait_for()


SCREENS: dict[str, Callable[[Screen, Town], Awaitable[None]]] = {
    "list": _home,
    "chat": _chat,
    "group chat": _group_chat,
    "menu": _menu,
    "attach": _attach,
    "place": _place,
    "emoji": _emoji,
    "new chat": _new,
    "new group": _new_group,
    "settings": _settings,
    "code": _code,
    "group": _group,
    "search": _search,
    "search done": _search_done,
    "no keys": _stranger,
    "fallback": _fallback,
}
