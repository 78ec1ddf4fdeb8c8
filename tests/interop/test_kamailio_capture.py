"""What goes through Kamailio as tshark reads it: SIP without a malformed note (a second opinion on our codecs)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from interop.kamailio import Kamailio
from interop.test_kamailio_rcs import fresh_number, phone
from interop.tshark import Capture, unable

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


async def test_tshark_reads_all_of_it(kamailio: Kamailio, tmp_path: Path) -> None:
    reason = unable()
    if reason:
        pytest.skip(f"capture: {reason}")
    capture = Capture(kamailio.tcp_port, tmp_path / "sip.pcapng")
    try:
        async with phone(kamailio, fresh_number()) as alice, phone(kamailio, fresh_number()) as bob:
            sizes = (1, 900, 4_000, 30_000)
            for size in sizes:
                assert await alice.send(bob.me, os.urandom(size)) == 200
                assert len((await bob.next()).body) == size
            assert await alice.send(bob.me, "Grüße".encode(), "text/plain;charset=UTF-8") == 200
            await bob.next()
            assert await alice.transport.capabilities(bob.me) is not None
    finally:
        capture.end()
    # tshark must have seen what we think happened, before its silence means anything.
    messages = capture.read('sip.Method == "MESSAGE"', "sip.Content-Type")
    assert len(messages) >= 2 * (len(sizes) + 1)
    assert all("message/cpim" in line for line in messages)
    assert len(capture.read('sip.Method == "OPTIONS"')) >= 2
    assert len(capture.read('sip.Method == "REGISTER"')) >= 4
    statuses = " ".join(capture.read("sip.Status-Code", "sip.Status-Code"))
    assert re.search(r"\b200\b", statuses)
    assert capture.read("_ws.malformed") == []
