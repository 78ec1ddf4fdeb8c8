"""Pictures, films, sounds, places and files: sealed on their way, looked at while they are decrypted."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, Request, expect

from daemon.town import Town
from letterlock.carrier import Seen
from web.conftest import Visitors
from web.samples import SECONDS, Samples
from web.scenes import acquainted
from web.screen import Screen, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


async def talking(both: Town, visitors: Visitors, **options: object) -> tuple[Screen, Screen]:
    await acquainted(both)
    made = await asyncio.gather(*(visitors(who.login_url(), **options) for who in (both.ana, both.ben)))
    ana, ben = (Screen(each.page) for each in made)
    await asyncio.gather(ana.open(both.ben.number), ben.open(both.ana.number))
    return ana, ben


async def test_a_picture_arrives_small_first_and_is_seen_large(both: Town, visitors: Visitors, media: Samples) -> None:
    ana, ben = await talking(both, visitors)
    await ana.give(media["picture.png"])
    small = ben.page.get_by_role("button", name=say("dialog.media.picture", name="picture.png"))
    await expect(small.locator("img")).to_be_visible()
    await small.click()
    viewer = ben.dialog("picture.png")
    large = viewer.get_by_role("img", name=say("dialog.media.picture", name="picture.png"))
    await expect(large).to_be_visible()
    assert await large.evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == [640, 480]
    await ben.page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    await expect(small).to_be_focused()
    # The sender sees it too, and that it was seen.
    await expect(ana.page.get_by_role("article").last).to_contain_text(say("page.status_displayed"))


async def test_a_file_is_saved_as_it_was(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    content = bytes(range(256)) * 3000
    (tmp_path / "table.bin").write_bytes(content)
    ana, ben = await talking(both, visitors)
    await ana.give(tmp_path / "table.bin")
    button = ben.page.get_by_role("button", name=say("dialog.media.save-name", name="table.bin"))
    async with ben.page.expect_download() as downloading:
        await button.click()
    download = await downloading.value
    assert download.suggested_filename == "table.bin"
    assert hashlib.sha256(Path(await download.path()).read_bytes()).digest() == hashlib.sha256(content).digest()


async def test_several_files_keep_their_order(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.txt" for number in range(3)]
    for path in paths:
        path.write_text(path.name * 1000)
    ana, ben = await talking(both, visitors)
    await ana.give(*paths)
    for path in paths:
        await ben.page.get_by_role("button", name=say("dialog.media.save-name", name=path.name)).wait_for()
    shown = await ben.page.get_by_role("button", name=say("dialog.media.save-name", name="")).evaluate_all(
        "(buttons) => buttons.map((button) => button.getAttribute('aria-label'))"
    )
    assert shown == [say("dialog.media.save-name", name=path.name) for path in paths]


async def test_progress_is_shown_and_an_upload_can_be_cancelled(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"l" * 24_000_000)
    ana, ben = await talking(both, visitors)
    # A slow line between the page and the daemon, so that there is something to cancel.
    session = await ana.page.context.new_cdp_session(ana.page)
    await session.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000}
    await session.send("Network.emulateNetworkConditions", slow)
    await ana.give(path)
    row = ana.page.get_by_role("list", name=say("dialog.upload.label")).get_by_role("listitem")
    bar = row.get_by_role("progressbar", name=say("dialog.upload.progress", name="large.bin"))
    await expect(bar).to_be_visible()
    await expect(bar).to_have_attribute("value", re.compile("[1-9]"))
    await row.get_by_role("button", name=say("dialog.upload.cancel", name="large.bin")).click()
    await expect(row).to_have_count(0)
    await session.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    await ana.write("no, not this one")
    await ben.sees("no, not this one")
    assert await ben.page.get_by_text("large.bin").count() == 0
    # Nothing of it lies about at the daemon.
    assert not [each for each in both.ana.folder.rglob("*") if each.is_file() and each.stat().st_size > 20_000_000]


def film(screen: Screen, name: str) -> Locator:
    return screen.page.get_by_role("button", name=say("dialog.media.film", name=name))


async def seek(page: Page, to: float) -> float:
    """Play a little, jump, and say where it plays a moment after."""
    place: float = await page.evaluate(
        """async (to) => {
          const video = document.querySelector('video');
          const until = (holds) => new Promise((done) => {
            const look = () => holds() ? done() : requestAnimationFrame(look);
            look();
          });
          await until(() => video.currentTime > 0.2);
          video.currentTime = to;
          await until(() => !video.seeking && video.currentTime > to + 0.1);
          return video.currentTime;
        }""",
        to,
    )
    return place


@pytest.mark.parametrize("name", ["front.mp4", "end.mp4", "vp9.webm", "av1.mp4"])
async def test_a_film_plays_and_seeks_while_it_is_decrypted(
    both: Town, visitors: Visitors, media: Samples, name: str
) -> None:
    ana, ben = await talking(both, visitors)
    answers: list[tuple[int, str]] = []
    ben.page.on("response", lambda answer: answers.append((answer.status, answer.url)))
    await ana.give(media[name])
    await film(ben, name).click()
    await ben.page.locator("video").wait_for()
    place = await asyncio.wait_for(seek(ben.page, SECONDS * 0.85), 60)
    assert SECONDS * 0.85 < place <= SECONDS + 0.5
    assert await ben.page.locator("video").evaluate("(video) => video.videoWidth") == 320
    # It was read by ranges, from an address that nobody can guess, and no plain copy was made of it.
    media_answers = [status for status, url in answers if "/media/" in url]
    assert 206 in media_answers, answers
    original = media[name].read_bytes()[:4096]
    assert not [path for path in both.ben.folder.rglob("*") if path.is_file() and original in path.read_bytes()]


async def test_a_film_shows_its_first_picture_only_where_nothing_is_fetched_for_it(
    both: Town, visitors: Visitors, media: Samples
) -> None:
    """The sender's is on this machine, the receiver's once it was played; before that there are its length and size."""
    ana, ben = await talking(both, visitors)
    asked: list[str] = []
    ben.page.on("request", lambda request: asked.append(request.url))
    await ana.give(media["front.mp4"])
    await expect(film(ana, "front.mp4").locator(".still video")).to_be_visible()
    assert await film(ana, "front.mp4").locator("video").evaluate("(video) => video.videoWidth") == 320
    await expect(film(ben, "front.mp4")).to_contain_text(f"0:{SECONDS:02}")
    # Whatever it would do by itself it has done when the next message is there.
    await (await both.ana.client.chat(both.ben.number)).send("look")
    await ben.sees("look")
    assert await film(ben, "front.mp4").locator("video").count() == 0
    assert not [url for url in asked if "/media/" in url]
    await film(ben, "front.mp4").click()
    await asyncio.wait_for(seek(ben.page, SECONDS * 0.85), 60)
    await ben.page.locator("video").evaluate("async (video) => { await (await fetch(video.src)).arrayBuffer(); }")
    await ben.page.reload()
    await expect(film(ben, "front.mp4").locator(".still video")).to_be_visible()


async def test_a_broken_film_says_so_and_can_be_saved(both: Town, visitors: Visitors, media: Samples) -> None:
    ana, ben = await talking(both, visitors)
    await ana.give(media["broken.mp4"])
    await film(ben, "broken.mp4").click()
    said = ben.page.get_by_role("status").filter(has_text=say("dialog.media.damaged"))
    await expect(said).to_be_visible()
    async with ben.page.expect_download() as downloading:
        await said.get_by_role("button", name=say("dialog.media.save-name", name="broken.mp4")).click()
    assert Path(await (await downloading.value).path()).read_bytes() == media["broken.mp4"].read_bytes()


async def test_hevc_says_why_and_offers_to_save(both: Town, visitors: Visitors, media: Samples) -> None:
    ana, ben = await talking(both, visitors)
    await ana.give(media["hevc.mp4"])
    await film(ben, "hevc.mp4").click()
    said = ben.page.get_by_role("article").last.get_by_role("status")
    await expect(said.get_by_role("button", name=say("dialog.media.save-name", name="hevc.mp4"))).to_be_visible()
    text = await said.text_content() or ""
    assert say("dialog.media.no-pictures") in text or say("dialog.media.no-play", type="video/mp4") in text


@contextlib.asynccontextmanager
async def moving(slider: Locator) -> AsyncIterator[None]:
    """What is done meanwhile lets it leave its start. The page itself looks, because a short sound may be over, and the
    slider back, before anybody outside has looked again."""
    await slider.evaluate("""(slider) => {
      slider.moved = new Promise((done) => {
        const look = () => (slider.valueAsNumber > 0 ? done() : requestAnimationFrame(look));
        look();
      });
    }""")
    yield
    async with asyncio.timeout(30):
        await slider.evaluate("(slider) => slider.moved")


async def test_a_sound_plays(both: Town, visitors: Visitors, media: Samples) -> None:
    ana, ben = await talking(both, visitors)
    await ana.give(media["tone.mp3"])
    sound = ben.page.get_by_role("group", name=say("dialog.sound.name", name="tone.mp3"))
    slider = sound.get_by_role("slider", name=say("dialog.sound.seek"))
    async with moving(slider):
        await sound.get_by_role("button", name=say("dialog.sound.play"), exact=True).click()


async def test_a_voice_message_is_recorded_sent_and_heard(both: Town, visitors: Visitors) -> None:
    ana, ben = await talking(both, visitors, permissions=["microphone"])
    await ana.button("page.voice_record").click()
    recording = ana.page.get_by_role("group", name=say("dialog.voice.label"))
    await expect(recording.get_by_role("timer")).to_have_text(re.compile("[1-9]"))
    await recording.get_by_role("button", name=say("dialog.voice.send"), exact=True).click()
    await expect(recording).to_have_count(0)
    sound = ben.page.get_by_role("article").last.get_by_role("slider", name=say("dialog.sound.seek"))
    await sound.wait_for()
    async with moving(sound):
        await ben.page.get_by_role("button", name=say("dialog.sound.play"), exact=True).click()


async def test_escape_and_cancel_send_no_voice(both: Town, visitors: Visitors) -> None:
    ana, ben = await talking(both, visitors, permissions=["microphone"])
    for cancel in ("Escape", "button"):
        await ana.button("page.voice_record").click()
        recording = ana.page.get_by_role("group", name=say("dialog.voice.label"))
        await expect(recording.get_by_role("timer")).to_have_text(re.compile("[1-9]"))
        if cancel == "Escape":
            await ana.page.keyboard.press("Escape")
        else:
            await recording.get_by_role("button", name=say("dialog.voice.cancel"), exact=True).click()
        await expect(recording).to_have_count(0)
    await ana.write("I would rather write")
    await ben.sees("I would rather write")
    assert await ben.page.get_by_role("slider").count() == 0


async def test_a_microphone_that_is_refused_is_explained(both: Town, visitors: Visitors) -> None:
    await acquainted(both)
    visit = await visitors(both.ana.login_url())
    # The switch of the browser that says yes to everybody is for the whole of it: so the page is told no here.
    await visit.page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError')); }"
    )
    ana = Screen(visit.page)
    await ana.open(both.ben.number)
    await ana.button("page.voice_record").click()
    await expect(ana.page.get_by_role("alert").filter(has_text=say("dialog.voice.refused"))).to_be_visible()
    await (
        ana.page.get_by_role("group", name=say("dialog.voice.label"))
        .get_by_role("button", name=say("dialog.close"), exact=True)
        .click()
    )
    await expect(ana.writing).to_be_visible()


async def test_a_place_is_sent_from_where_this_device_is(both: Town, visitors: Visitors) -> None:
    here = {"latitude": 48.85837, "longitude": 2.294481, "accuracy": 30}
    ana, ben = await talking(both, visitors, geolocation=here, permissions=["geolocation"])
    asked: list[str] = []
    ben.page.on("request", lambda request: asked.append(_host(request)))
    await ana.attach("dialog.attach.place")
    dialog = ana.dialog(say("dialog.place.name"))
    await dialog.get_by_role("button", name=say("dialog.place.here"), exact=True).click()
    await expect(dialog.get_by_label(say("dialog.place.at"))).to_have_value("48.858370, 2.294481")
    await dialog.get_by_label(say("dialog.place.label")).fill("under the tower")
    await dialog.get_by_role("button", name=say("dialog.place.send"), exact=True).click()
    place = ben.page.get_by_role("article").last.get_by_role("figure")
    await expect(place).to_contain_text("under the tower")
    await expect(place).to_contain_text("48.858370° N, 2.294481° E")
    await expect(place.get_by_role("link", name=say("dialog.place.open"))).to_have_attribute(
        "href", "geo:48.858370,2.294481;u=30"
    )
    # Whoever serves maps would learn the place: nobody is asked.
    assert set(asked) <= {both.ben.daemon.url}


def _host(request: Request) -> str:
    return "/".join(request.url.split("/")[:3])


async def test_the_carrier_sees_neither_name_nor_content(both: Town, visitors: Visitors, tmp_path: Path) -> None:
    """What goes over the wire of both ends while a file is sent says nothing of it (SR-19)."""
    passed: list[bytes] = []

    def watch(seen: Seen) -> None:
        passed.append(repr(seen.message).encode())

    path = tmp_path / "divorce-papers.pdf"
    path.write_bytes(b"%PDF-1.4 strictly confidential " * 500)
    ana, ben = await talking(both, visitors)
    both.tap = watch
    await ana.give(path)
    await ben.page.get_by_role("button", name=say("dialog.media.save-name", name=path.name)).wait_for()
    wire = b"".join(passed)
    assert wire
    assert b"divorce" not in wire
    assert b"confidential" not in wire
    stored = b"".join(each.read_bytes() for each in (both.folder / "content").rglob("*") if each.is_file())
    assert len(stored) > 10_000
    assert b"strictly confidential" not in stored
