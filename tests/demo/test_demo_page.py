"""The demo page without a browser: two real daemons, the real carrier, what the page is told, and who may ask (SR-16)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cli.terminals import clean_environment, command
from letterlock.apps.cli.terminal import Terminal
from letterlock.apps.demo.scene import Scene
from letterlock.apps.demo.server import DemoServer
from letterlock.apps.demo.show import show
from letterlock.errors import Bug

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

PATIENCE_SECONDS = 60.0
ANA, BEN = "+15550100", "+15550199"


class Page:
    """What the page of a browser does, by hand."""

    def __init__(self, server: DemoServer, session: aiohttp.ClientSession) -> None:
        self.server, self.session = server, session
        self.proof = ""

    @classmethod
    async def logged_in(cls, server: DemoServer, session: aiohttp.ClientSession) -> Page:
        page = cls(server, session)
        async with session.get(server.login_url(), allow_redirects=False) as answer:
            assert answer.status == 303
            page.proof = answer.headers["Location"].removeprefix("/#proof=")
        return page

    def get(self, path: str) -> Any:
        return self.session.get(path, headers={"Letterlock-Proof": self.proof})

    async def act(self, act: str, **values: Any) -> Any:
        async with self.session.post("/demo/act", json={"act": act, **values}, headers=self.own) as answer:
            return await answer.json()

    @property
    def own(self) -> dict[str, str]:
        return {"Origin": self.server.url, "Letterlock-Proof": self.proof}

    async def state(self) -> dict[str, Any]:
        async with self.get("/demo/state") as answer:
            assert answer.status == 200
            state: dict[str, Any] = await answer.json()
            return state

    async def until(self, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The state in which the condition holds; read again at each event of the server's."""
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            self.get("/demo/events") as stream,
        ):
            async for line in stream.content:
                if line.startswith(b"data:"):
                    state = await self.state()
                    if condition(state):
                        return state
        raise AssertionError("the stream ended")

    async def verdict(self, *wanted: str) -> dict[str, Any]:
        state = await self.until(lambda state: state["trial"] and state["trial"]["verdict"] in wanted)
        trial: dict[str, Any] = state["trial"]
        return trial


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    async with (
        DemoServer(tmp_path_factory.mktemp("demo"), None) as server,
        aiohttp.ClientSession(server.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        yield await Page.logged_in(server, session)


async def test_the_talk_is_seen_counted_and_not_found(page: Page) -> None:
    """Both phones say encrypted; the frames are there; what was written is looked for, and is not."""
    done = await page.act("tour", step=0)
    assert await page.act("tour", step=0) == {}, "they greet once, however many pages come"
    state = await page.until(lambda state: state["search"]["texts"] >= 2)
    assert state["search"]["found"] == []
    assert state["search"]["size"] > 10_000
    (pair,) = [pair for pair in state["ledger"]["pairs"] if {pair["one"], pair["other"]} == {ANA, BEN}]
    assert pair["sealed"] >= 4
    assert pair["plain"] == 0
    (frame,) = [frame for frame in state["frames"] if frame["id"] == done["message_id"]]
    assert (frame["from"], frame["to"], frame["kind"]) == (BEN, ANA, "sealed")
    async with page.get(f"/demo/frame/{frame['n']}") as answer:
        whole = await answer.json()
    assert whole["sealed"] > 100
    assert ["Content-Type", "application/vnd.letterlock.signal"] in whole["inner"]
    said = {saying.get("text") for saying in state["sayings"]}
    assert "Gladly! Half past twelve, by the blue crane." in said


@pytest.mark.parametrize("attack", ["tamper", "duplicate"])
async def test_an_attack_is_followed_to_its_end(page: Page, attack: str) -> None:
    """SR-05, SR-07: by the phones' own events: the message is there once, and its sender knows."""
    await page.act("try", attack=attack)
    trial = await page.verdict("arrived", "doubled", "believed", "failed")
    assert (trial["attack"], trial["verdict"]) == (attack, "arrived")
    assert trial["sender"] == ANA
    kinds = [step["kind"] for step in trial["steps"]]
    assert ("message-unreadable" in kinds) == (attack == "tamper")
    wanted = 3 if attack == "duplicate" else 1

    def copies(state: dict[str, Any]) -> list[dict[str, Any]]:
        """Of the first frame with this message, when it has gone on."""
        frames = [frame for frame in state["frames"] if frame["id"] == trial["message_id"]]
        return frames[0]["copies"] if frames and len(frames[0]["copies"]) >= wanted else []

    # The log is read a moment after it is written, as everywhere.
    state = await page.state()
    state = state if copies(state) else await page.until(copies)
    assert [copy["changed"] for copy in copies(state)] == [attack == "tamper"] * wanted
    assert state["orders"] == {}


@pytest.mark.parametrize(("attack", "verdict"), [("duplicate", "arrived"), ("delay", "arrived"), ("strip", "failed")])
async def test_an_attack_on_a_group_is_followed_to_its_end(page: Page, attack: str, verdict: str) -> None:
    """SR-01, SR-05: in sessions, over the carrier's focus; by what both phones say."""
    done = await page.act("try", attack=attack, where="group")
    assert done["chat"] not in (ANA, BEN)
    trial = await page.verdict("arrived", "doubled", "believed", "failed")
    assert (trial["attack"], trial["verdict"], trial["sender"]) == (attack, verdict, ANA)
    assert {step["chat"] for step in trial["steps"]} == {done["chat"]}
    received = [step for step in trial["steps"] if step["kind"] == "message-received"]
    assert [(step["phone"], step["encrypted"]) for step in received] == [(BEN, True)] * (verdict == "arrived")

    def copies(state: dict[str, Any]) -> list[dict[str, Any]]:
        """What left the relay of the message when it came from Ana."""
        frames = [f for f in state["frames"] if f["id"] == trial["message_id"] and f["from"] == ANA]
        wanted = 3 if attack == "duplicate" else 1
        return frames[0]["copies"] if frames and len(frames[0]["copies"]) >= wanted else []

    state = await page.state()
    state = state if copies(state) else await page.until(copies)
    assert {copy["changed"] for copy in copies(state)} == {attack == "strip"}


async def test_what_is_done_to_everything_is_followed_on_what_somebody_wrote(page: Page) -> None:
    """Word that somebody types passes before the message, and is hit first."""
    await page.act("order", attack="duplicate", once=False)
    ana = page.server.scene.ana
    await ana.call("typing", chat=BEN, active=True)
    await page.until(lambda state: state["trial"]["message_id"])
    sent = (await page.act("say", phone="ana", text="to everything"))["message_id"]
    state = await page.until(lambda state: state["trial"]["verdict"] == "arrived")
    assert state["trial"]["message_id"] == sent
    assert [step["kind"] for step in state["trial"]["steps"]].count("message-received") == 1
    await page.act("honest")


async def test_forged_receipts_leave_the_message_where_it_is(page: Page) -> None:
    """SR-05: the receipts are on the wire, made up by the carrier; Ana's phone says no more than that the network took it."""
    await page.act("try", attack="forge")
    await page.until(lambda state: len([f for f in state["frames"] if f["made"] and f["kind"] == "receipt"]) == 2)
    trial = (await page.state())["trial"]
    assert trial["verdict"] == "hit"
    assert {"message-delivered", "message-displayed"}.isdisjoint(step["kind"] for step in trial["steps"])
    await page.act("honest")


@pytest.mark.parametrize(("lie", "verdict"), [("ghost", "refused"), ("hide", "unchanged"), ("impostor", "noticed")])
async def test_a_lying_directory_is_found_out(page: Page, lie: str, verdict: str) -> None:
    """SR-01, SR-04, SR-21, each as Ana's own phone says it."""
    await page.act("try", attack=lie)
    trial = await page.verdict("refused", "unchanged", "noticed", "accepted")
    assert (trial["attack"], trial["verdict"]) == (lie, verdict)
    assert lie in (await page.state())["orders"]
    await page.act("honest")
    assert (await page.state())["orders"] == {}


async def test_sr_01_nothing_goes_unencrypted_until_somebody_says_so_and_then_it_is_found(page: Page) -> None:
    """SR-01; and the control: a search that could not find this would prove nothing."""
    await page.act("tour", step=5)
    text = "Dan, will you join us at the crane?"
    state = await page.until(lambda state: text in {saying.get("text") for saying in state["sayings"]})
    readable = [frame for frame in state["frames"] if frame["kind"] == "plain"]
    assert readable == [], readable
    assert await page.act("plain") == {}
    state = await page.until(lambda state: state["search"]["found"])
    assert [found["text"] for found in state["search"]["found"]] == [text]
    assert [frame["from"] for frame in state["frames"] if frame["kind"] == "plain"] == [ANA]


async def test_sr_16_the_door(page: Page) -> None:
    """SR-16: no login, another name, another page, a form, a path that goes up: refused; the policy frames the two phones alone."""
    url = page.server.url
    async with aiohttp.ClientSession(url) as stranger:
        for path in ("/", "/demo/state", "/demo/phones", "/static/demo/main.js"):
            async with stranger.get(path) as answer:
                assert answer.status == 401
        async with stranger.get("/login?t=guessed") as answer:
            assert answer.status == 403
    body = json.dumps({"act": "honest"})
    json_type = {"Content-Type": "application/json", "Letterlock-Proof": page.proof}
    for headers, status in (
        ({**json_type, "Origin": "https://example.com"}, 403),
        ({**json_type, "Origin": url, "Host": "attacker.example"}, 421),
        ({**json_type, "Origin": url, "Sec-Fetch-Site": "same-site"}, 403),
        (json_type, 403),
        ({**json_type, "Content-Type": "text/plain", "Origin": url}, 415),
    ):
        async with page.session.post("/demo/act", data=body, headers=headers) as answer:
            assert answer.status == status, headers
    async with page.session.get("/static/demo/..%2f..%2fserver.py") as answer:
        assert answer.status == 404
    async with page.session.get("/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    frames = " ".join(handset.url for handset in page.server.scene.handsets)
    assert f"frame-src {frames}" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "frame-ancestors 'none'" in policy


async def test_sr_16_the_cookie_alone_opens_nothing(page: Page) -> None:
    """SR-16: browsers give it to every port of 127.0.0.1; a program that listens there has it, and any header it likes."""
    seen: list[str] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        async with page.session.get(f"http://127.0.0.1:{port}/"):
            pass
    (cookie,) = [line.partition(": ")[2] for line in seen[0].split("\r\n") if line.lower().startswith("cookie:")]
    replayed = {"Cookie": cookie, "Origin": page.server.url, "Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession(page.server.url, cookie_jar=aiohttp.DummyCookieJar()) as thief:
        for path in (
            "/demo/state",
            "/demo/phones",
            "/demo/strings",
            "/demo/frame/1",
            "/demo/events",
            "/demo/events?proof=0",
        ):
            for proof in ({}, {"Letterlock-Proof": "0" * 64}):
                async with thief.get(path, headers={**replayed, **proof}) as answer:
                    assert answer.status == 401, path
        async with thief.post("/demo/act", json={"act": "honest"}, headers=replayed) as answer:
            assert answer.status == 401
        # The same with the proof is let in; so the refusals are for want of it. Elsewhere than for events it is no part of an address.
        async with thief.get("/demo/phones", headers={**replayed, "Letterlock-Proof": page.proof}) as answer:
            assert answer.status == 200
        async with thief.get(f"/demo/phones?proof={page.proof}", headers=replayed) as answer:
            assert answer.status == 401


async def test_sr_08_strangers_shut_out_nobody(page: Page) -> None:
    """SR-08: three hundred connections of somebody who says nothing; the page goes on, and can be opened anew."""
    idle = [await asyncio.open_connection("127.0.0.1", page.server.port) for _ in range(300)]
    try:
        assert await page.state()
        async with aiohttp.ClientSession(page.server.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            assert (await (await Page.logged_in(page.server, session)).state())["scene"] == 1
    finally:
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize(
    "asked", [{"act": "nothing"}, {"act": ["order"]}, {"act": "order", "attack": "x"}, {"act": "try", "attack": ["drop"]}, {"act": "withdraw", "attack": {}}, {"act": "tour", "step": 9}, {"act": "tour", "step": False},
              {"act": "say", "text": "x" * 501}, {"act": "withdraw"}]
)  # fmt: skip
async def test_what_is_no_act_is_one_error(page: Page, asked: dict[str, Any]) -> None:
    async with page.session.post("/demo/act", json=asked, headers=page.own) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"].startswith("input.")


async def test_both_phones_forget(page: Page) -> None:
    """Last, for it makes all of it new: other keys, an empty log, and the frames lead to the new daemons."""
    before = [handset.url for handset in page.server.scene.handsets]
    assert await page.act("forget") == {}
    state = await page.state()
    assert (state["scene"], state["trial"], state["search"]["texts"]) == (2, None, 0)
    async with page.get("/demo/phones") as answer:
        phones = (await answer.json())["phones"]
    assert all(phone.startswith(handset.url) for phone, handset in zip(phones, page.server.scene.handsets, strict=True))
    assert before != [handset.url for handset in page.server.scene.handsets]


async def test_how_long_nobody_has_looked_is_counted_from_the_last_look(tmp_path: Path) -> None:
    """A clock of our own: nobody yet, somebody, nobody any more."""
    clock = [0.0]
    async with (
        DemoServer(tmp_path, None, now=lambda: clock[0]) as server,
        aiohttp.ClientSession(server.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        clock[0] = 500.0
        assert server.unwatched_seconds() == 500.0
        page = await Page.logged_in(server, session)
        async with asyncio.timeout(PATIENCE_SECONDS), page.get("/demo/events") as stream:
            assert await stream.content.readline() == b"retry: 1000\n"
            clock[0] = 2_000.0
            assert server.unwatched_seconds() == 0.0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while server.unwatched_seconds() == 0.0:
                clock[0] += 1.0
                await asyncio.sleep(0.01)
        assert server.unwatched_seconds() < 2_000.0


async def test_a_phone_that_does_not_start_says_why(tmp_path: Path) -> None:
    """Both have the same complaint; neither is lost while the other one is still being started."""
    scene = Scene(tmp_path, lambda kind, data: None)
    with pytest.raises(Bug, match=r"'s phone does not start: .*not an origin of this machine"):
        await scene.start("nowhere")


async def test_it_ends_when_nobody_looks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten minutes in life; here less than a second."""
    async with asyncio.timeout(2 * PATIENCE_SECONDS):
        code = await show(tmp_path, None, Terminal(as_json=False), say=[], browser=False, unwatched_s=0.3)
    assert code == 0
    assert "nobody had the page open for 0.005 minutes: the demo ends" in capsys.readouterr().err


def test_the_command_says_where_it_is_and_ends_with_its_phones(tmp_path: Path) -> None:
    """`letterlock -o json demo`: one line of JSON; Ctrl-C ends it, and nothing stays behind."""
    with subprocess.Popen(
        command("-o", "json", "demo", "--no-open"),
        env=clean_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as demo:
        try:
            assert demo.stdout is not None
            said = json.loads(demo.stdout.readline())
            assert said["login"].startswith(said["url"])
            phones = _children(demo.pid)
            assert len(phones) == 2
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=PATIENCE_SECONDS) == 0
            assert not [phone for phone in phones if Path(f"/proc/{phone}").exists()]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(demo.pid, signal.SIGKILL)


def test_killed_it_leaves_no_phone_behind(tmp_path: Path) -> None:
    """SIGKILL: nobody tells the phones, and they end all the same."""
    with subprocess.Popen(
        command("-o", "json", "demo", "--no-open"),
        env=clean_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as demo:
        assert demo.stdout is not None
        demo.stdout.readline()
        phones = [os.pidfd_open(phone) for phone in _children(demo.pid)]
        demo.kill()
        try:
            assert len(phones) == 2
            for phone in phones:
                # Readable once the process has ended.
                assert select.select([phone], [], [], PATIENCE_SECONDS)[0] == [phone]
        finally:
            for phone in phones:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(phone, signal.SIGKILL)
                os.close(phone)


def _children(parent: int) -> list[int]:
    """The processes that a process has started."""
    return [int(each) for each in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def test_the_control_of_the_talk_is_not_for_the_page(tmp_path: Path) -> None:
    done = subprocess.run(
        command("demo", "--plain"), env=clean_environment(tmp_path), capture_output=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 1
    assert b"--headless --plain" in done.stderr
