"""The cache of feature tags, and what tags may not do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import letterlock
from letterlock.codec.sip import Headers, NameAddr, Request, Response, Uri
from letterlock.ids import Number
from letterlock.sip.capabilities import CapabilitiesChanged, CapabilityCache
from letterlock.sip.options import ALLOW, CPM_SESSION, LETTERLOCK_FEATURES, FeatureTags, response_headers

BOB = Number("+15550199")
DAY = 24 * 3600 * 1000
NOW = 1_700_000_000_000


def answer(status: int, tags: FeatureTags | None = LETTERLOCK_FEATURES) -> Response:
    contact = () if tags is None else (("Contact", NameAddr(Uri("sip", "b", "h"), params=tags.params()).encode()),)
    return Response(status, "x", Headers(contact))


def test_what_is_learned_is_known_until_it_is_too_old() -> None:
    cache = CapabilityCache(DAY, 10)
    assert cache.of(BOB, NOW) is None
    changed = cache.on_answer(BOB, answer(200), NOW)
    assert changed == CapabilitiesChanged(BOB, LETTERLOCK_FEATURES, None)
    assert cache.of(BOB, NOW + DAY - 1) == LETTERLOCK_FEATURES
    assert cache.of(BOB, NOW + DAY) is None


def test_a_changed_tag_is_told_once() -> None:
    cache = CapabilityCache(DAY, 10)
    cache.on_answer(BOB, answer(200), NOW)
    assert cache.on_answer(BOB, answer(200), NOW + 1) is None
    fewer = FeatureTags(icsi=frozenset({CPM_SESSION}))
    assert cache.on_answer(BOB, answer(200, fewer), NOW + 2) == CapabilitiesChanged(BOB, fewer, LETTERLOCK_FEATURES)
    # Also when it is too old to be used: the change is one all the same.
    assert cache.on_answer(BOB, answer(200, fewer), NOW + 2 * DAY) is None


@pytest.mark.parametrize("status", [404, 405, 410, 501, 604])
def test_no_rcs_is_knowledge(status: int) -> None:
    cache = CapabilityCache(DAY, 10)
    assert cache.on_answer(BOB, answer(status, None), NOW) == CapabilitiesChanged(BOB, FeatureTags(), None)
    assert cache.of(BOB, NOW + 1) == FeatureTags()


@pytest.mark.parametrize("status", [408, 480, 503, 500, 403, 302])
def test_not_knowing_is_never_kept(status: int) -> None:
    cache = CapabilityCache(DAY, 10)
    assert cache.on_answer(BOB, answer(status, None), NOW) is None
    assert cache.of(BOB, NOW) is None
    cache.on_answer(BOB, answer(200), NOW)
    cache.on_answer(BOB, answer(status, None), NOW + 1)
    assert cache.of(BOB, NOW + 2) == LETTERLOCK_FEATURES
    assert cache.of(BOB, NOW + DAY) is None  # nor does it make what was known last any longer


def test_an_answer_without_contact_has_no_tags() -> None:
    cache = CapabilityCache(DAY, 10)
    cache.on_answer(BOB, answer(200, None), NOW)
    assert cache.of(BOB, NOW) == FeatureTags()
    unreadable = Response(200, "x", Headers([("Contact", '<sip:b@h>;x="')]))
    assert cache.on_answer(BOB, unreadable, NOW) is None


def test_who_asks_tells_about_itself() -> None:
    cache = CapabilityCache(DAY, 10)
    request = Request("OPTIONS", "sip:a@h", answer(200).headers)
    assert cache.on_request(BOB, request, NOW) is not None
    assert cache.of(BOB, NOW) == LETTERLOCK_FEATURES
    assert cache.on_request(BOB, Request("MESSAGE", "sip:a@h", Headers()), NOW) is None


def test_a_clock_that_is_set_back_does_not_make_knowledge_eternal() -> None:
    cache = CapabilityCache(DAY, 10)
    cache.on_answer(BOB, answer(200), NOW + 365 * DAY)
    assert cache.of(BOB, NOW) is None


def test_it_is_bounded() -> None:
    """SR-08."""
    cache = CapabilityCache(DAY, 10)
    for i in range(100):
        cache.on_answer(Number(f"+1555{i:04}"), answer(200), NOW + i)
    assert len(cache) == 10
    assert cache.of(Number("+15550099"), NOW + 100) is not None


def test_we_say_what_we_understand() -> None:
    headers = dict(response_headers(Uri("sip", "a", "h"), LETTERLOCK_FEATURES))
    assert headers["Allow"] == ALLOW
    assert {"INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "MESSAGE", "NOTIFY", "OPTIONS"} == set(ALLOW.split(", "))


def test_what_decides_about_encryption_cannot_see_tags() -> None:
    """SR-02: a stripped or made-up tag must not lead to plaintext. Nothing that seals or decides imports them."""
    root = Path(letterlock.__file__).parent
    for package in ("engine", "signal", "trust", "mls"):
        for path in sorted((root / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
                assert not any(
                    name.split(".")[0] == "sip" or ".sip" in name or name == "FeatureTags" for name in names
                ), path
