"""Files on their way to somebody: given by menu, drop or paste, as an answer, with a text; seen again after a reload."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Locator, Route, expect

from client.phones import event
from daemon.town import Town
from daemon.visitor import visiting
from letterlock.engine import events as ev
from letterlock.services.content import ContentLimits, ContentServer
from web.conftest import Visitors
from web.scenes import acquainted
from web.screen import Screen, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

_DROP = """async (name) => {
  await import("/static/files/attachments.js");  // what watches for it comes after the first paint
  const data = new DataTransfer();
  data.items.add(new File(["dropped"], name, { type: "text/plain" }));
  const target = document.querySelector("ll-timeline");
  for (const type of ["dragover", "drop"])
    target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }));
}"""
_COPY = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
  const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
}"""


async def opened(both: Town, visitors: Visitors, name: str = "") -> Screen:
    visit = await visitors(both.ana.login_url())
    visit.expect("ERR_INTERNET_DISCONNECTED|ERR_FAILED")
    screen = Screen(visit.page)
    await screen.open(name or both.ben.number)
    return screen


def rows(screen: Screen) -> Locator:
    return screen.page.get_by_role("list", name=say("dialog.upload.label")).get_by_role("listitem")


async def test_what_is_on_its_way_is_listed_after_a_reload_and_in_a_second_window(
    both: Town, visitors: Visitors, tmp_path: Path
) -> None:
    (tmp_path / "plan.txt").write_text("plan")
    await acquainted(both)
    await both.content.close()  # so that it does not end by itself first
    ana = await opened(both, visitors)
    other = await opened(both, visitors)
    await ana.give(tmp_path / "plan.txt")
    for screen in (ana, other):
        await expect(rows(screen)).to_contain_text("plan.txt")
        await expect(rows(screen).get_by_role("progressbar")).to_be_visible()
    await ana.page.reload()
    await expect(rows(ana)).to_contain_text("plan.txt")
    await expect(rows(ana).get_by_role("progressbar")).to_be_visible()
    await rows(ana).get_by_role("button", name=say("dialog.upload.cancel", name="plan.txt")).click()
    for screen in (ana, other):
        await expect(rows(screen)).to_have_count(0)
    assert not await both.ana.client.transfers()
    await expect(ana.bubble("plan.txt")).to_have_count(0)


async def test_what_failed_while_nobody_looked_says_why_until_it_is_removed(
    both: Town, visitors: Visitors, tmp_path: Path
) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(50_000))
    await acquainted(both)
    await both.content.close()
    ana = await opened(both, visitors)
    async with ana.page.expect_response("**/api/v1/files*"):
        await ana.give(tmp_path / "large.bin")
    await expect(rows(ana)).not_to_contain_text(say("dialog.upload.queued"))
    await ana.page.context.set_offline(True)
    small = ContentServer(
        tmp_path / "small", password_of=None, port=both.content.port, limits=ContentLimits(max_file=10_000)
    )
    await small.start()
    await event(both.ana.client, ev.TransferChanged, where=lambda seen: seen.state == "failed")
    await ana.page.context.set_offline(False)
    again = rows(ana).get_by_role("button", name=say("dialog.upload.retry"))
    await expect(again).to_be_visible(timeout=20_000)  # the file itself is still on the page
    await ana.page.reload()
    await expect(rows(ana)).to_contain_text("too large for this server")
    await expect(again).to_be_hidden()
    await rows(ana).get_by_role("button", name=say("dialog.upload.remove", name="large.bin")).click()
    await expect(rows(ana)).to_have_count(0)
    await small.close()


async def test_what_was_refused_while_the_page_was_away_is_sent_by_trying_again(
    both: Town, visitors: Visitors, tmp_path: Path
) -> None:
    (tmp_path / "plan.txt").write_text("plan")
    group = await both.ben.client.create_group([both.ana.number], "Lake")
    await event(both.ana.client, ev.GroupJoined)
    await both.content.close()
    ana = await opened(both, visitors, "Lake")
    dialog = await ana.give(tmp_path / "plan.txt", send=False)
    await dialog.get_by_role("textbox").fill("as promised")
    await dialog.get_by_role("button", name=say("dialog.attach.send", count=1), exact=True).click()
    await expect(rows(ana).get_by_role("progressbar")).to_be_visible()
    await ana.page.goto("about:blank")
    await (await both.ana.client.group(group.name)).leave()
    server = ContentServer(tmp_path / "again", password_of=None, port=both.content.port)
    await server.start()
    await ana.page.go_back()
    again = rows(ana).get_by_role("button", name=say("dialog.upload.retry"))
    await expect(again).to_be_visible(timeout=20_000)
    await group.add(both.ana.number)
    await ana.writing.wait_for()
    await again.click()
    await expect(rows(ana)).to_have_count(0)
    kept = ana.page.get_by_role("article")
    await expect(kept.filter(has_text="as promised")).to_have_count(1)
    await expect(kept.filter(has_text="plan.txt")).to_have_count(1)
    await server.close()


async def test_a_file_whose_answer_was_lost_is_sent_once(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    """The daemon has it, and the page was told of a failure: it is one row, and one message."""
    (tmp_path / "plan.txt").write_text("plan")
    await acquainted(both)
    ana = await opened(both, visitors)

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await ana.page.route("**/api/v1/files*", lose, times=1)
    await ana.give(tmp_path / "plan.txt")
    await expect(ana.bubble("plan.txt")).to_be_visible()
    again = rows(ana).get_by_role("button", name=say("dialog.upload.retry"))
    if await again.count():  # its message may be here before the page knows that the answer is lost
        await again.click()
    await expect(rows(ana)).to_have_count(0)
    await (await both.ben.client.chat(both.ana.number)).send("thanks")
    await ana.sees("thanks")
    await expect(ana.bubble("plan.txt")).to_have_count(1)


async def test_a_file_that_was_sent_while_nobody_heard_of_it_is_not_said_to_have_failed(
    both: Town, visitors: Visitors, tmp_path: Path
) -> None:
    """Neither its answer came nor the event of its end: the row goes, and its text is sent once."""
    (tmp_path / "plan.txt").write_text("plan")
    await acquainted(both)
    ana = await opened(both, visitors)

    async def lose(route: Route) -> None:
        await ana.page.evaluate("async () => (await import('/static/daemon/store.js')).store.stream.close()")
        await route.fetch()
        async with visiting(both.ana) as other:
            while await other.call("uploads"):
                await asyncio.sleep(0)
        await route.abort()

    await ana.page.route("**/api/v1/files*", lose, times=1)
    dialog = await ana.give(tmp_path / "plan.txt", send=False)
    await dialog.get_by_role("textbox").fill("the plan")
    await dialog.get_by_role("button", name=say("dialog.attach.send", count=1), exact=True).click()
    await dialog.wait_for(state="hidden")
    await expect(rows(ana)).to_have_count(0)
    await ana.page.reload()
    await expect(ana.bubble("plan.txt")).to_have_count(1)
    await expect(ana.bubble("the plan")).to_have_count(1)


async def test_what_is_cancelled_before_the_daemon_has_answered_is_not_sent(
    both: Town, visitors: Visitors, tmp_path: Path
) -> None:
    (tmp_path / "plan.txt").write_text("plan")
    await acquainted(both)
    await both.content.close()
    ana = await opened(both, visitors)
    cancelled = asyncio.Event()

    async def hold(route: Route) -> None:
        await route.fetch()
        await cancelled.wait()
        await route.abort()

    await ana.page.route("**/api/v1/files*", hold, times=1)
    await ana.give(tmp_path / "plan.txt")
    await event(both.ana.client, ev.TransferChanged, where=lambda seen: seen.state == "running")
    await rows(ana).get_by_role("button", name=say("dialog.upload.cancel", name="plan.txt")).click()
    cancelled.set()
    await event(both.ana.client, ev.TransferChanged, where=lambda seen: seen.state == "cancelled")
    await expect(rows(ana)).to_have_count(0)
    assert not await both.ana.client.transfers()


async def test_a_file_answers_and_its_text_comes_behind_it(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    paths = [tmp_path / "first.txt", tmp_path / "second.txt"]
    for path in paths:
        path.write_text(path.name)
    await acquainted(both)
    ana = await opened(both, visitors)
    await ana.act(ana.bubble("hello from ben"), "page.reply")
    dialog = await ana.give(*paths, send=False)
    await dialog.get_by_role("textbox").fill("both of them")
    await dialog.get_by_role("button", name=say("dialog.attach.send", count=2), exact=True).click()
    await expect(ana.page.locator("ll-composer .context")).to_be_hidden()
    ben = Screen((await visitors(both.ben.login_url())).page)
    await ben.open(both.ana.number)
    for screen in (ana, ben):
        newest = [screen.page.get_by_role("article").nth(at) for at in (-3, -2, -1)]
        for bubble, text in zip(newest, ("first.txt", "second.txt", "both of them"), strict=True):
            await expect(bubble).to_contain_text(text)
        await expect(newest[0]).to_contain_text(say("page.in_reply_to"))
        await expect(newest[0].locator(".quote")).to_contain_text("hello from ben")
        await expect(newest[1].locator(".quote")).to_have_count(0)
        await expect(newest[2].locator(".quote")).to_have_count(0)
    await expect(rows(ana)).to_have_count(0)


async def test_the_text_of_a_file_that_is_cancelled_is_given_back(
    both: Town, visitors: Visitors, tmp_path: Path
) -> None:
    (tmp_path / "plan.txt").write_text("plan")
    await acquainted(both)
    await both.content.close()
    ana = await opened(both, visitors)
    dialog = await ana.give(tmp_path / "plan.txt", send=False)
    await dialog.get_by_role("textbox").fill("the plan")
    await dialog.get_by_role("button", name=say("dialog.attach.send", count=1), exact=True).click()
    await ana.writing.fill("begun since")
    await rows(ana).get_by_role("button", name=say("dialog.upload.cancel", name="plan.txt")).click()
    await expect(ana.writing).to_have_value("the plan\nbegun since")
    await expect(ana.writing).to_be_focused()


async def test_the_text_of_a_file_that_is_cancelled_during_an_edit_is_there_after_it(
    both: Town, visitors: Visitors, tmp_path: Path
) -> None:
    (tmp_path / "plan.txt").write_text("plan")
    await acquainted(both)
    await both.content.close()
    ana = await opened(both, visitors)
    dialog = await ana.give(tmp_path / "plan.txt", send=False)
    await dialog.get_by_role("textbox").fill("the plan")
    await dialog.get_by_role("button", name=say("dialog.attach.send", count=1), exact=True).click()
    await ana.act(ana.bubble("hello from ana"), "page.edit")
    await expect(ana.writing).to_have_value("hello from ana")
    await rows(ana).get_by_role("button", name=say("dialog.upload.cancel", name="plan.txt")).click()
    await expect(rows(ana)).to_have_count(0)
    await expect(ana.writing).to_have_value("hello from ana")
    await ana.writing.press("Escape")
    await expect(ana.writing).to_have_value("the plan")


async def test_files_are_dropped_and_pasted(both: Town, visitors: Visitors) -> None:
    """What is pasted comes by the keyboard alone: paste, look, send."""
    await acquainted(both)
    ana = await opened(both, visitors)
    await ana.page.evaluate(_DROP, "dropped.txt")
    dialog = ana.dialog(say("dialog.attach.name", count=1))
    await expect(dialog).to_contain_text("dropped.txt")
    await ana.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(rows(ana)).to_have_count(0)
    await ana.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ana.page.evaluate(_COPY)
    await ana.writing.focus()
    await ana.page.keyboard.press("Control+V")
    await expect(dialog).to_contain_text("image.png")
    send = dialog.get_by_role("button", name=say("dialog.attach.send", count=1), exact=True)
    while not await send.evaluate("(button) => button === document.activeElement"):
        await ana.page.keyboard.press("Tab")
    await ana.page.keyboard.press("Enter")
    await expect(
        ana.page.get_by_role("button", name=say("dialog.media.picture", name="image.png")).first
    ).to_be_visible()
