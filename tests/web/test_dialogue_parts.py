"""What the dialogues work out by themselves: numbers, places, kinds of files, and sound in its other container."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from daemon.town import Town
from web.conftest import Visitors
from web.scenes import acquainted
from web.screen import Screen, say

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]


NUMBERS = {
    "+1 (555) 01-00": "+15550100",
    "0044 20 7946 0000": "+442079460000",
    "\u2066+49 30 1234\u2069": "+49301234",
    **dict.fromkeys(("", "555 0100", "+0 1234567", "+1555abc", "+12", "+1234567890123456", "+1555;sip:evil"), ""),
}
PLACES = {
    "48.858370, 2.294481": {"latitude": 48.85837, "longitude": 2.294481},
    "geo:-33.8568,151.2153;u=20": {"latitude": -33.8568, "longitude": 151.2153},
    "33.8568° S, 151.2153° E": {"latitude": -33.8568, "longitude": 151.2153},
    **dict.fromkeys(("91, 0", "0, 181", "here", "")),
}
FILES = [
    ("image/png", b"MZ\x90\x00", {"said": "image/png", "is": "application/x-executable"}),
    ("image/png", b"hello", {"said": "image/png", "is": None}),
    ("image/jpeg", b"\x89PNG\r\n", {"said": "image/jpeg", "is": "image/png"}),
    ("image/png", b"\x89PNG\r\n", None),
    ("application/vnd.oasis.opendocument.text", b"PK\x03\x04", None),
    ("text/x-sh", b"#!/bin/sh", None),
    ("text/plain", b"hello", None),
]


async def test_numbers_places_and_files_are_taken_for_what_they_are(both: Town, visitors: Visitors) -> None:
    """As people write and copy them; a file that is called otherwise than it begins is noticed before it is sent (SR-14)."""
    page = (await visitors(both.ana.login_url())).page

    async def of(module: str, call: str, given: Sequence[object]) -> list[Any]:
        answers: list[Any] = await page.evaluate(
            f"async (given) => {{ const m = await import('/static/{module}'); return Promise.all(given.map({call})); }}",
            given,
        )
        return answers

    assert await of("screens/people.js", "m.numberIn", [*NUMBERS]) == list(NUMBERS.values())
    assert await of("files/location.js", "m.placeIn", [*PLACES]) == list(PLACES.values())
    call = "([type, bytes]) => m.disagreement(new File([new Uint8Array(bytes)], 'it', { type }))"
    files = [[said, list(head)] for said, head, _ in FILES]
    assert await of("files/sniff.js", call, files) == [found for _, _, found in FILES]


async def test_a_recording_in_webm_becomes_ogg_that_others_can_read(
    both: Town, visitors: Visitors, tmp_path: Path
) -> None:
    page = (await visitors(both.ana.login_url(), permissions=["microphone"])).page
    made = await page.evaluate("""async () => {
      const m = await import('/static/files/ogg.js');
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const recorder = new MediaRecorder(stream, { mimeType: 'audio/webm;codecs=opus' });
      const parts = [];
      let enough;
      const heard = new Promise((done) => { enough = done; });
      recorder.ondataavailable = (event) => {
        parts.push(event.data);
        if (new Blob(parts).size > 6000) enough();
      };
      const ended = new Promise((done) => { recorder.onstop = done; });
      recorder.start(200);
      await heard;
      recorder.stop();
      await ended;
      const webm = new Uint8Array(await new Blob(parts).arrayBuffer());
      return { ogg: Array.from(m.oggFromWebm(webm)), cut: m.oggFromWebm(webm.slice(0, 40)), no: m.oggFromWebm(new Uint8Array(9)) };
    }""")
    assert made["cut"] is None
    assert made["no"] is None
    path = tmp_path / "voice.ogg"
    path.write_bytes(bytes(made["ogg"]))
    # Every page's checksum and every packet is looked at by somebody else's decoder.
    read = subprocess.run(
        ["/usr/bin/ffmpeg", "-v", "warning", "-i", str(path), "-f", "s16le", "-ac", "1", "-ar", "48000", "-"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert read.stderr == b""
    assert len(read.stdout) / 2 / 48_000 > 0.3


async def test_a_note_on_new_keys_counts_as_seen_after_some_seconds(both: Town, visitors: Visitors) -> None:
    """It stays on the screen while the chat is open, with the state it tells of, and is not there when one comes back."""
    await acquainted(both)
    cleo = await both.person("cleo", "+15550142")
    await acquainted(both, both.ana, cleo)
    visit = await visitors(both.ana.login_url())
    ana = Screen(visit.page)
    await ana.open(both.ben.number)
    new = await both.person("ben-new", both.ben.number)
    await (await new.client.chat(both.ana.number)).send("my new phone")
    note = visit.page.get_by_role("status").filter(has_text=say("security.keys-new.label", name=both.ben.number))
    await expect(note).to_be_visible()
    await visit.page.locator("ll-banner[data-read]").wait_for()
    await expect(note).to_be_visible()
    await expect(ana.chip).to_contain_text(say("security.keys-new.label", name=both.ben.number))
    await ana.open(cleo.number)
    await ana.open(both.ben.number)
    await expect(ana.chip).to_contain_text(say("security.encrypted.label"))
    await expect(note).to_be_hidden()
