"""What may come in, by the head of a request alone (SR-16). Each refusal is of a request that differs in one thing from one
that is let in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.apps.daemon.guard import Head, Rules, refusal

OWN = "http://127.0.0.1:8440"
RULES = Rules(
    frozenset({"127.0.0.1:8440", "localhost:8440"}),
    frozenset({OWN, "http://localhost:8440"}),
    {"/api/v1/rpc": 1000, "/api/v1/files": 5000},
)
SOCKET = Rules(frozenset(), frozenset(), RULES.body_bytes)


def head(method: str = "GET", path: str = "/", **headers: str | list[str] | None) -> Head:
    given: dict[str, list[str]] = {"host": ["127.0.0.1:8440"]}
    for name, value in headers.items():
        key = name.replace("_", "-")
        if value is None:
            given.pop(key, None)
        else:
            given[key] = [value] if isinstance(value, str) else value
    return Head(method, path, given)


def call(**changes: Any) -> Head:
    """A call as the page's own `fetch` makes it."""
    headers = {"content_type": "application/json", "content_length": "20", "cookie": "c=1", "origin": OWN}
    return head("POST", "/api/v1/rpc", **{**headers, "sec_fetch_site": "same-origin", **changes})


def code(head: Head, rules: Rules = RULES) -> str:
    refused = refusal(head, rules)
    return "" if refused is None else refused.code.removeprefix("daemon.")


def test_the_page_and_programs_are_let_in() -> None:
    assert code(call()) == ""
    assert code(call(content_type="Application/JSON; charset=utf-8")) == ""
    assert code(call(host="LOCALHOST:8440", origin="http://localhost:8440")) == ""
    # A program: no browser's headers, but a token.
    assert code(call(origin=None, sec_fetch_site=None, cookie=None, authorization="Bearer x")) == ""
    assert code(head()) == ""
    assert code(head(sec_fetch_site="none", sec_fetch_mode="navigate", sec_fetch_dest="document")) == ""
    assert code(head("GET", "/api/v1/events", sec_fetch_site="same-origin", cookie="c=1")) == ""
    assert code(head("HEAD", "/media/x/y")) == ""


@pytest.mark.parametrize(
    "host", ["evil.example:8440", "evil.example", "127.0.0.1", "127.0.0.1:8441", "0.0.0.0:8440", ""]
)
def test_a_name_that_was_rebound_is_refused(host: str) -> None:
    """SR-16: DNS rebinding. The browser takes the page of evil.example to be ours, and says so in Host alone."""
    assert code(head(host=host)) == "host"
    assert code(call(host=host, origin=None)) == "host"


def test_no_host_and_two_hosts_are_refused() -> None:
    assert code(head(host=None)) == "host"
    assert code(head(host=["127.0.0.1:8440", "evil.example"])) == "header"


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "https://127.0.0.1:8440", "null"])
def test_another_origin_is_refused(origin: str) -> None:
    """SR-16: a page on another port gets our cookie sent along, and cannot take its own origin off."""
    assert code(call(origin=origin, sec_fetch_site=None)) == "origin"
    assert code(head("GET", "/api/v1/events", origin=origin)) == "origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/api/v1/rpc", "/api/v1/events", "/media/a/b", "/static/main.js", "/api/v1/check"])
def test_another_site_is_refused(site: str, path: str) -> None:
    """SR-16: a picture, a script or a form of another page has no Origin in a GET, but this."""
    assert code(head("GET", path, sec_fetch_site=site, sec_fetch_mode="no-cors")) == "site"
    assert code(head("GET", path, sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="document")) == "site"
    assert code(call(sec_fetch_site=site)) == "site"


@pytest.mark.parametrize("path", ["/", "/login"])
def test_a_link_to_the_page_is_followed_and_a_frame_is_not(path: str) -> None:
    navigation = {"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate"}
    assert code(head("GET", path, **navigation, sec_fetch_dest="document")) == ""
    assert code(head("GET", path, **navigation, sec_fetch_dest="iframe")) == "frame"
    assert code(head("GET", path, sec_fetch_site="same-site", sec_fetch_mode="no-cors")) == "site"
    framed = Rules(RULES.hosts, RULES.origins, RULES.body_bytes, ("http://127.0.0.1:9",))
    assert code(head("GET", path, **navigation, sec_fetch_dest="iframe"), framed) == ""


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        None,
        "application/jsonp",
    ],
)
def test_what_a_form_can_send_is_refused(content_type: str | None) -> None:
    """SR-16: a form of any page posts these without asking; for another type the browser asks, and is never told yes."""
    assert code(call(content_type=content_type)) == "type"
    upload = head("POST", "/api/v1/files", content_type=content_type, origin=OWN, cookie="c=1")
    assert code(upload) == "type"


def test_a_cookie_alone_posts_nothing() -> None:
    """SR-16: a browser too old to say who asks is no reason to believe that our page does."""
    assert code(call(origin=None, sec_fetch_site=None)) == "origin"
    assert code(call(origin=None)) == "" and code(call(sec_fetch_site=None)) == ""


@pytest.mark.parametrize(("length", "refused"), [("1000", ""), ("1001", "too_large"), ("9" * 19, "too_large")])
def test_a_body_is_bounded_by_what_it_says(length: str, refused: str) -> None:
    assert code(call(content_length=length)) == refused


@pytest.mark.parametrize("length", ["-1", "1e3", "", "٣", "9" * 20, "0x10"])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    assert code(call(content_length=length)) == "header"


def test_other_methods_and_bodies_where_none_belong_are_refused() -> None:
    assert [code(head(method)) for method in ("OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "PATCH", "post")] == [
        "method"
    ] * 7
    assert code(head("GET", content_length="5")) == "body"
    assert code(head("GET", transfer_encoding="chunked")) == "body"
    assert code(call(content_encoding="gzip")) == "encoding"


@pytest.mark.parametrize("name", ["host", "origin", "sec_fetch_site", "content_type", "content_length", "cookie"])
def test_a_header_that_comes_twice_is_refused(name: str) -> None:
    value = call().headers[name.replace("_", "-")][0]
    assert code(call(**{name: [value, value]})) == "header"


def test_the_socket_is_not_for_pages() -> None:
    """SR-16: no browser speaks to a unix socket; one that is led there by something in between is told apart."""
    assert code(call(origin=None, sec_fetch_site=None, cookie=None, host="whatever"), SOCKET) == ""
    assert code(call(sec_fetch_site=None), SOCKET) == "origin"
    assert code(call(origin=None), SOCKET) == "origin"
    assert code(call(origin=None, sec_fetch_site=None, content_type="text/plain"), SOCKET) == "type"


_values = st.none() | st.sampled_from(
    ["", "null", OWN, "http://127.0.0.1:1", "same-origin", "same-site", "none", "navigate"]
)


@given(
    st.sampled_from(["GET", "POST", "HEAD"]),
    _values,
    _values,
    _values,
    _values,
    st.sampled_from(["/", "/login", "/api/v1/rpc"]),
)
def test_whatever_a_foreign_page_sends_is_no_call(
    method: str, origin: str | None, site: str | None, mode: str | None, dest: str | None, path: str
) -> None:
    """What is let in with somebody else's Origin or site is at most a link to the page."""
    given = {"origin": origin, "sec_fetch_site": site, "sec_fetch_mode": mode, "sec_fetch_dest": dest}
    refused = refusal(head(method, path, content_type="application/json", cookie="c=1", **given), RULES)
    foreign = (origin is not None and origin != OWN) or (site is not None and site not in ("same-origin", "none"))
    if foreign and refused is None:
        assert method == "GET" and path in ("/", "/login") and mode == "navigate"
