"""The security code: shown, compared by what was read out and by a picture, marked, withdrawn."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Locator, expect

from daemon.town import Town
from web.browser import Visit, chromium
from web.conftest import Visitors
from web.scenes import acquainted
from web.screen import Screen, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


async def code_screen(screen: Screen, name: str) -> Locator:
    """Ana's way there: the chip of the chat's state in its header."""
    await screen.open(name)
    await screen.chip.click()
    dialog = screen.dialog(say("dialog.code.name"))
    await dialog.get_by_label(say("dialog.code.digits")).wait_for()
    return dialog


async def picture_of(dialog: Locator, name: str) -> bytes:
    return await dialog.get_by_role("img", name=say("dialog.code.qr", name=name)).screenshot()


async def test_both_show_the_same_digits_and_the_picture_holds_the_code(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    pages = [Screen((await visitors(who.login_url())).page) for who in (both.ana, both.ben)]
    shown = []
    for screen, other in zip(pages, (both.ben, both.ana), strict=True):
        dialog = await code_screen(screen, other.number)
        groups = dialog.get_by_label(say("dialog.code.digits")).get_by_role("group")
        await expect(groups).to_have_count(12)
        shown.append(await groups.all_text_contents())
        first = say("dialog.code.group", at=1, of=12, digits=" ".join(shown[-1][0]))
        await expect(groups.first).to_have_accessible_name(first)
        # Who is compared with whom.
        for number in (both.ana.number, both.ben.number):
            await expect(dialog.get_by_text(number).first).to_be_visible()
    code = await (await both.ana.client.chat(both.ben.number)).security_code()
    assert shown[0] == shown[1] == list(code.groups)
    picture = await picture_of(pages[0].dialog(say("dialog.code.name")), both.ben.number)
    (read,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    assert read.bytes == code.scannable


async def test_the_last_group_is_typed_wrong_then_right_then_it_is_withdrawn(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    screen = Screen((await visitors(both.ana.login_url())).page)
    dialog = await code_screen(screen, both.ben.number)
    last = (await (await both.ben.client.chat(both.ana.number)).security_code()).groups[-1]
    field = dialog.get_by_label(say("dialog.code.last", name=both.ben.number))
    match = dialog.get_by_role("button", name=say("dialog.code.match"), exact=True)
    # A click alone proves nothing.
    await expect(match).to_be_disabled()
    await field.fill(f"{(int(last) + 1) % 100_000:05d}")
    await match.click()
    await expect(dialog.get_by_role("alert").filter(has_text=say("dialog.code.differs"))).to_be_visible()
    await expect(field).to_have_value("")
    chat = await both.ana.client.chat(both.ben.number)
    assert chat.security.value == "encrypted"
    await field.fill(last)
    await field.press("Enter")
    await expect(
        dialog.get_by_role("status").filter(has_text=say("dialog.code.now-verified", name=both.ben.number))
    ).to_be_visible()
    assert chat.security.value == "verified"
    await dialog.get_by_role("button", name=say("dialog.done"), exact=True).click()
    await expect(screen.chip).to_contain_text(say("security.verified.label"))
    # Escape on the question is no.
    await screen.chip.click()
    await dialog.get_by_role("button", name=say("dialog.code.withdraw"), exact=True).click()
    question = screen.dialog(say("dialog.code.withdraw-name"))
    await question.wait_for()
    await screen.page.keyboard.press("Escape")
    await expect(question).to_be_hidden()
    assert chat.security.value == "verified"
    await dialog.get_by_role("button", name=say("dialog.code.withdraw"), exact=True).click()
    await question.get_by_role("button", name=say("dialog.code.withdraw"), exact=True).click()
    await expect(dialog.get_by_label(say("dialog.code.last", name=both.ben.number))).to_be_visible()
    await screen.page.keyboard.press("Escape")
    await expect(screen.chip).to_contain_text(say("security.encrypted.label"))
    assert chat.security.value == "encrypted"


async def test_escape_never_means_that_they_match(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    screen = Screen((await visitors(both.ana.login_url())).page)
    dialog = await code_screen(screen, both.ben.number)
    last = (await (await both.ben.client.chat(both.ana.number)).security_code()).groups[-1]
    await dialog.get_by_label(say("dialog.code.last", name=both.ben.number)).fill(last)
    await screen.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    assert (await both.ana.client.chat(both.ben.number)).security.value == "encrypted"
    # The focus is where it was.
    await expect(screen.chip).to_be_focused()


async def test_a_photo_of_the_others_screen_verifies(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    await acquainted(both)
    ana = Screen((await visitors(both.ana.login_url())).page)
    ben = Screen((await visitors(both.ben.login_url(), scheme="dark")).page)
    # As a camera sees it: turned a little, on a table, in bad light.
    shot = Image.open(io.BytesIO(await picture_of(await code_screen(ben, both.ana.number), both.ana.number))).convert(
        "RGB"
    )
    table = Image.new("RGB", (900, 700), (120, 96, 70))
    table.paste(shot.rotate(4, expand=True, fillcolor=(120, 96, 70)), (180, 90))
    photo = tmp_path / "photo.jpg"
    table.point(lambda value: value * 3 // 4 + 20).save(photo, quality=70)
    nothing = tmp_path / "nothing.png"
    Image.new("RGB", (300, 200), (200, 200, 200)).save(nothing)
    dialog = await code_screen(ana, both.ben.number)
    picker = dialog.get_by_label(say("dialog.scan.picture")).and_(dialog.locator("input"))
    await picker.set_input_files(nothing)
    await expect(dialog.get_by_role("status").filter(has_text=say("dialog.scan.nothing"))).to_be_visible()
    await picker.set_input_files(photo)
    await expect(
        dialog.get_by_role("status").filter(has_text=say("dialog.code.now-verified", name=both.ben.number))
    ).to_be_visible()
    assert (await both.ana.client.chat(both.ben.number)).security.value == "verified"


async def test_the_code_of_somebody_else_does_not_verify(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    await acquainted(both)
    cleo = await both.person("cleo", "+15550142")
    await acquainted(both, both.ana, cleo)
    ana = Screen((await visitors(both.ana.login_url())).page)
    other = Screen((await visitors(cleo.login_url())).page)
    picture = tmp_path / "cleo.png"
    picture.write_bytes(await picture_of(await code_screen(other, both.ana.number), both.ana.number))
    dialog = await code_screen(ana, both.ben.number)
    await dialog.get_by_label(say("dialog.scan.picture")).and_(dialog.locator("input")).set_input_files(picture)
    await expect(dialog.get_by_role("alert").filter(has_text=say("dialog.code.differs"))).to_be_visible()
    assert (await both.ana.client.chat(both.ben.number)).security.value == "encrypted"


async def test_a_camera_before_the_others_screen_verifies(both: Town, browser: Browser, tmp_path: Path) -> None:
    await acquainted(both)
    async with Visit.to(browser, both.ben.login_url()) as visit:
        shot = await picture_of(await code_screen(Screen(visit.page), both.ana.number), both.ana.number)
    view = Image.new("RGB", (640, 480), (70, 80, 90))
    view.paste(Image.open(io.BytesIO(shot)).convert("RGB").resize((360, 360)), (140, 60))
    frame = io.BytesIO()
    view.save(frame, "JPEG", quality=80)
    # What Chromium's camera without a lens sees: one picture after the other.
    film = tmp_path / "camera.mjpeg"
    film.write_bytes(frame.getvalue() * 5)
    async with (
        chromium(f"--use-file-for-fake-video-capture={film}") as with_camera,
        Visit.to(with_camera, both.ana.login_url()) as visit,
    ):
        dialog = await code_screen(Screen(visit.page), both.ben.number)
        await dialog.get_by_role("button", name=say("dialog.scan.camera"), exact=True).click()
        verified = say("dialog.code.now-verified", name=both.ben.number)
        await expect(dialog.get_by_role("status").filter(has_text=verified)).to_be_visible()
        assert visit.wrongs == []
    assert (await both.ana.client.chat(both.ben.number)).security.value == "verified"
