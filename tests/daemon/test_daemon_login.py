"""Logging in, and what a login is good for (SR-16), over real connections."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from daemon.town import Town, town
from daemon.visitor import raw, visiting
from letterlock.apps.daemon import DaemonSettings

pytestmark = pytest.mark.anyio


async def test_a_login_leads_to_the_page_and_to_calls(both: Town) -> None:
    async with visiting(both.ana, by="stranger") as stranger:
        login = await stranger.ask("GET", both.ana.login_url().removeprefix(both.ana.daemon.url))
        assert login.status == 303 and re.fullmatch("/#proof=[0-9a-f]{64}", login.headers["Location"])
        cookie = login.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert login.headers["Referrer-Policy"] == "no-referrer"
    async with visiting(both.ana) as ana:
        page = await ana.ask("GET", "/")
        assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
        assert (await ana.ask("GET", "/static/main.js")).headers["Content-Type"].startswith("text/javascript")
        assert (await ana.call("me"))["number"] == both.ana.number
        check = (await ana.ask("GET", "/api/v1/check")).json()
        assert check["ok"] is True


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/v1/check", "/api/v1/events", "/media/00/x", "/nowhere"])
async def test_nothing_is_there_for_who_is_not_logged_in(both: Town, path: str) -> None:
    """SR-16."""
    async with visiting(both.ana, by="stranger") as stranger:
        answer = await stranger.ask("GET", path)
        assert answer.status == 401 and b"letterlock web" in answer.body
        for header in ({"Authorization": "Bearer x"}, {"Authorization": "Basic x"}, {"Cookie": "a=b"}):
            assert (await stranger.ask("GET", path, header)).status == 401


async def test_a_refusal_reads_as_one_of_json_rpc(both: Town) -> None:
    async with visiting(both.ana, by="stranger") as stranger:
        refused = (await stranger.ask("GET", "/api/v1/check")).json()
        assert refused["code"] == refused["error"]["data"]["code"] == "daemon.login"
        assert refused["error"]["message"] == refused["message"] and refused["error"]["data"]["exit"] == 1
        icon = await stranger.ask("GET", "/favicon.ico")
        assert (icon.status, icon.body) == (204, b"")


async def test_calls_and_uploads_need_a_login(both: Town) -> None:
    """SR-16."""
    async with visiting(both.ana, by="stranger") as stranger:
        assert (await stranger.post({"jsonrpc": "2.0", "id": 1, "method": "me"})).status == 401
        assert (await stranger.upload(b"x", chat=both.ben.number, name="x")).status == 401


async def test_a_login_address_is_replayed_in_vain(both: Town) -> None:
    """SR-16: once; and fetching it in advance, or its head alone, does not use it up."""
    path = both.ana.login_url().removeprefix(both.ana.daemon.url)
    async with visiting(both.ana, by="stranger") as stranger:
        assert (await stranger.ask("HEAD", path)).status == 405
        assert (await stranger.ask("GET", path, {"Sec-Purpose": "prefetch"})).status == 503
        assert (await stranger.ask("GET", path)).status == 303
        again = await stranger.ask("GET", path)
        assert again.status == 403 and b"letterlock web" in again.body and "Set-Cookie" not in again.headers
        for wrong in ("/login", "/login?t=", "/login?t=0000", "/login?t=%FF"):
            assert (await stranger.ask("GET", wrong)).status == 403
    async with visiting(both.ana) as ana:
        # Who is logged in and opens an old tab is led to the page, and gets nothing new.
        old_tab = await ana.ask("GET", path)
        assert old_tab.status == 303 and "Set-Cookie" not in old_tab.headers


async def test_a_login_address_ends(tmp_path: Path) -> None:
    """SR-16: by the daemon's own clock; two minutes are its setting, none is this one's."""
    assert DaemonSettings().login_s == 120
    async with town(tmp_path, DaemonSettings(login_s=0.0)) as both, visiting(both.ana, by="stranger") as stranger:
        assert (await stranger.ask("GET", both.ana.login_url().removeprefix(stranger.base))).status == 403


async def test_a_link_from_elsewhere_logs_in_without_a_redirect(both: Town) -> None:
    """A redirect after somebody else's link counts as theirs, and the browser keeps the cookie back."""
    async with visiting(both.ana, by="stranger") as stranger:
        path = both.ana.login_url().removeprefix(stranger.base)
        fetch = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        answer = await stranger.ask("GET", path, fetch)
        assert answer.status == 200 and "Set-Cookie" in answer.headers
        assert re.search(rb'url=/#proof=[0-9a-f]{64}"', answer.body)


async def test_the_cookie_of_one_daemon_is_none_at_the_other(both: Town) -> None:
    """SR-16: browsers send a cookie to every port of a machine."""
    async with visiting(both.ana) as ana, visiting(both.ben) as ben:
        crossed = {"Cookie": ana.headers["Cookie"], "Letterlock-Proof": ana.headers["Letterlock-Proof"]}
        assert (await ben.ask("GET", "/api/v1/check", crossed)).status == 401
        renamed = {"Cookie": ben.headers["Cookie"].split("=")[0] + "=" + ana.headers["Cookie"].split("=")[1]}
        assert (await ben.ask("GET", "/api/v1/check", renamed)).status == 401
        together = {"Cookie": f"{ana.headers['Cookie']}; {ben.headers['Cookie']}"}
        assert (await ben.ask("GET", "/api/v1/check", together)).status == 200


async def test_sr16_a_cookie_that_another_port_saw_asks_and_hears_nothing(both: Town) -> None:
    """Browsers send it to every port of a machine; whoever listens there sends it on, with all that a page would say."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "me"}
    async with visiting(both.ana) as ana, visiting(both.ana) as other:
        assert (await ana.post(call)).status == 200
        for proof in ("", "0" * 64, other.headers["Letterlock-Proof"]):
            seen = {"Letterlock-Proof": proof}
            assert (await ana.post(call, seen)).status == 401
            assert (await ana.upload(b"x", seen, chat=both.ben.number, name="x")).status == 401
            assert (await ana.ask("GET", "/api/v1/check", seen)).status == 401
            for path in ("/api/v1/events", f"/api/v1/events?proof={proof}"):
                assert (await ana.ask("GET", path, seen)).status == 401
        # Whoever can send a header does not put it into an address.
        given = ana.headers["Letterlock-Proof"]
        assert (await ana.ask("GET", f"/api/v1/check?proof={given}", {"Letterlock-Proof": ""})).status == 401
        listening = ana.session.get(
            f"{ana.base}/api/v1/events", params={"proof": given}, headers={**ana.headers, "Letterlock-Proof": ""}
        )
        async with listening as answer:
            assert answer.status == 200


async def test_a_page_logs_out(both: Town) -> None:
    """SR-16: its cookie is worth nothing from then on, and another browser's still is."""
    async with visiting(both.ana) as ana, visiting(both.ana) as other, visiting(both.ana, by="program") as program:
        assert (await ana.ask("POST", "/api/v1/logout", {"Letterlock-Proof": ""})).status == 401
        assert (await ana.ask("POST", "/api/v1/logout", {"Sec-Fetch-Site": "same-site"})).status == 403
        assert (await ana.ask("GET", "/api/v1/logout")).status == 405
        left = await ana.ask("POST", "/api/v1/logout")
        assert left.status == 204 and "Max-Age=0" in left.headers["Set-Cookie"]
        for path in ("/", "/api/v1/check", "/api/v1/events"):
            assert (await ana.ask("GET", path)).status == 401
        assert (await other.ask("GET", "/api/v1/check")).status == 200
        assert (await program.ask("POST", "/api/v1/logout")).status == 403
        assert (await program.ask("GET", "/api/v1/check")).status == 200


async def test_programs_have_a_token_in_a_file_that_is_theirs_alone(both: Town) -> None:
    """SR-16."""
    token = both.ana.daemon.token_file
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    async with visiting(both.ana, by="program") as program:
        assert (await program.call("me"))["number"] == both.ana.number
    async with visiting(both.ben, by="program") as other:
        answer = await other.ask("GET", "/api/v1/check", {"Authorization": f"Bearer {token.read_text().strip()}"})
        assert answer.status == 401
    await both.ana.daemon.close()
    assert not token.exists() and not both.ana.daemon.socket.exists()


async def test_a_page_may_name_no_place_on_the_disk_and_a_program_may(both: Town, tmp_path: Path) -> None:
    """SR-16: a page that was led astray does not write files."""
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "file.send",
        "params": {"chat": both.ben.number, "path": str(tmp_path / "none")},
    }
    codes = []
    for by in ("browser", "program", "socket"):
        async with visiting(both.ana, by=by) as visitor:
            codes.append((await visitor.post(call)).json()["error"]["data"]["code"])
    assert codes == ["input.transport", "transfer.file", "transfer.file"]


async def test_the_token_is_in_no_answer_and_no_log(both: Town, caplog: pytest.LogCaptureFixture) -> None:
    """SR-10."""
    caplog.set_level(0)
    async with visiting(both.ana) as ana, visiting(both.ana, by="program") as program:
        said = [(await who.ask("GET", path)).body for who in (ana, program) for path in ("/api/v1/check", "/nowhere")]
        await ana.call("me")
        secrets = [ana.headers["Cookie"].split("=")[1], both.ana.daemon.token_file.read_text().strip()]
    for secret in secrets:
        assert secret not in caplog.text and not any(secret.encode() in body for body in said)


async def test_every_answer_has_the_headers(both: Town) -> None:
    """SR-16: the strict policy is on pages, calls, refusals and errors alike; what no version has to tell is not told."""
    async with visiting(both.ana) as ana, visiting(both.ana, by="stranger") as stranger:
        answers = [
            await ana.ask("GET", "/"),
            await ana.ask("GET", "/api/v1/check"),
            await ana.ask("GET", "/nowhere"),
            await ana.ask("PUT", "/"),
            await stranger.ask("GET", "/"),
            await stranger.ask("GET", "/", {"Host": "evil.example"}),
        ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
        assert {"require-trusted-types-for 'script'", "trusted-types 'none'", "form-action 'none'"} <= set(policy)
        assert not any("unsafe" in rule or "http" in rule or "*" in rule for rule in policy)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert not any(name.startswith("Access-Control") for name in answer.headers)
        assert answer.headers["Server"] == "letterlock"


@pytest.mark.parametrize(
    "head", ["NOTHING\n\n", "GET / HTTP/1.1\nHost: a\nCookie: {long}\n\n", "GET / HTTP/1.1\nno header\n\n"]
)
async def test_sr16_what_is_no_request_is_answered_as_strictly_and_without_its_bytes(both: Town, head: str) -> None:
    answer = await raw(both.ana, head.format(long="secret" * 4000))
    said, _, body = answer.partition(b"\r\n\r\n")
    assert said.split(b" ")[1] == b"400" and b"Server: letterlock" in said and b"aiohttp" not in answer
    for header in (
        b"Content-Security-Policy: default-src 'none'",
        b"X-Content-Type-Options: nosniff",
        b"Cache-Control: no-store",
    ):
        assert header in said
    assert body and not any(word in body for word in (b"secret", b"NOTHING", b"no header"))


async def test_only_who_was_named_may_frame_the_page(tmp_path: Path) -> None:
    """SR-16: for the demo, whose page shows two phones."""
    frames = ("http://127.0.0.1:9",)
    async with town(tmp_path, DaemonSettings(frames=frames)) as both, visiting(both.ana) as ana:
        page = await ana.ask("GET", "/")
        assert "frame-ancestors http://127.0.0.1:9;" in page.headers["Content-Security-Policy"]
        assert "X-Frame-Options" not in page.headers


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/__init__.py", "/static//etc/passwd", "/static/vendor"]
)
async def test_only_the_files_of_the_page_are_given_out(both: Town, path: str) -> None:
    async with visiting(both.ana) as ana:
        head = f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{both.ana.daemon.port}\nCookie: {ana.headers['Cookie']}\n"
        answer = await raw(both.ana, head + "Connection: close\n\n")
        assert answer.startswith(b"HTTP/1.1 404")
