"""SR-19, SR-14: what an address says by itself; plaintext, and what a peer may name, hang on it."""

from __future__ import annotations

import pytest

from letterlock.codec.addresses import is_loopback, is_public


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"])
def test_sr_19_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "localhost.example", "127.0.0.1.example", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "::", "192.0.2.1", "[::2]"],
)  # fmt: skip
def test_sr_19_not_certainly_this_machine(host: str) -> None:
    """Names that begin so, and short forms that some resolvers take for it, are no reason to speak in the clear."""
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "[2001:4860:4860::8888]", "64:ff9b::808:808"])
def test_public(host: str) -> None:
    assert is_public(host)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1",
     "fe80::1%eth0", "fd00::1", "fec0::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "ff02::1", "example.org", ""],
)  # fmt: skip
def test_sr_14_not_public(host: str) -> None:
    assert not is_public(host)
