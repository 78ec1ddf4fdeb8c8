"""The harness itself: what it has to notice, it notices."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from playwright.async_api import Browser, expect

from web.browser import Visit

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

_POLICY = (
    "default-src 'none'; script-src 'self'; img-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_PAGES = {
    "/quiet": "<title>quiet</title><script type=module src=/quiet.js></script>",
    "/throws": "<title>throws</title><script type=module src=/throws.js></script>",
    "/inline": "<title>inline</title><script>1</script>",
    "/markup": "<title>markup</title><script type=module src=/markup.js></script>",
    "/picture": "<title>picture</title><img alt='' src='http://127.0.0.1:9/x.png'>",
}
_SCRIPTS = {
    "/quiet.js": "document.title = 'done';",
    "/throws.js": "setTimeout(() => { throw new Error('oh'); }); document.title = 'done';",
    "/markup.js": "try { document.body.innerHTML = '<b>x</b>'; } catch { document.title = 'done'; }",
}


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[str]:
    async def serve(request: web.Request) -> web.Response:
        if request.path in _SCRIPTS:
            return web.Response(text=_SCRIPTS[request.path], content_type="text/javascript")
        if request.path in _PAGES:
            headers = {"Content-Security-Policy": _POLICY}
            return web.Response(text=_PAGES[request.path], content_type="text/html", headers=headers)
        raise web.HTTPNotFound

    application = web.Application()
    application.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", 0)
        await listener.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/quiet", ""),
        ("/throws", "uncaught"),
        ("/inline", "securitypolicyviolation: script-src"),
        ("/markup", "securitypolicyviolation: require-trusted-types-for"),
        ("/picture", "securitypolicyviolation: img-src"),
    ],
)
async def test_what_a_page_does_wrong_is_noticed(browser: Browser, site: str, path: str, told: str) -> None:
    async with Visit.to(browser, site + path) as visit:
        if path not in ("/inline", "/picture"):
            await expect(visit.page).to_have_title("done")
        await visit.page.evaluate("new Promise(done => setTimeout(done, 50))")
        assert any(told in each for each in visit.wrongs) if told else not visit.wrongs, visit.complaints
        visit.expect(".")
        assert not visit.wrongs
