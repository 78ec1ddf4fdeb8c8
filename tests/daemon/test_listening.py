"""Where a daemon may listen (SR-16)."""

from __future__ import annotations

import pytest

from letterlock.apps.daemon.listening import listen_address, loopback_origin
from letterlock.errors import InputError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("127.8.9.10:8440", ("127.8.9.10", 8440)),
        ("[::1]:8440", ("::1", 8440)),
        ("localhost:65535", ("127.0.0.1", 65535)),
    ],
)
def test_on_this_machine(text: str, address: tuple[str, int]) -> None:
    assert listen_address(text) == address


@pytest.mark.parametrize(
    "text",
    (
        *("0.0.0.0:8440", "[::]:8440", ":8440", "*:8440", "192.168.1.5:8440", "8.8.8.8:80", "example.com:80", "0:8440"),
        *("[::ffff:0.0.0.0]:1", "[::ffff:192.168.1.5]:1", "localhost.evil.example:1", "127.0.0.1.evil.example:1"),
    ),
)
def test_nowhere_that_others_could_reach(text: str) -> None:
    """SR-16: refused, not warned about."""
    with pytest.raises(InputError) as refused:
        listen_address(text)
    assert refused.value.code == "input.listen"
    assert "does not listen" in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:٣"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError):
        listen_address(text)


def test_who_may_frame_the_page() -> None:
    assert loopback_origin("http://127.0.0.1:8000") == "http://127.0.0.1:8000"
    assert loopback_origin("http://localhost:08000") == "http://localhost:8000"
    for text in (
        "*",
        "http://evil.example:80",
        "https://127.0.0.1:1",
        "http://127.0.0.1:1/x",
        "http://127.0.0.1:1; script-src *",
        "null",
        "http://127.0.0.1",
    ):
        with pytest.raises(InputError):
            loopback_origin(text)
