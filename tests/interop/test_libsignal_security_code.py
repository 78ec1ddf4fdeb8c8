"""The security code is libsignal's algorithm: for its kind of keys both show and scan the same."""

from __future__ import annotations

import pytest

from interop.peer import LibsignalPeer, b64, raw
from letterlock.trust import matches
from letterlock.trust.security_code import libsignal_code
from trust.people import CRYPTO, stream


@pytest.mark.node
def test_display_and_scannable_bytes_are_equal(peer: LibsignalPeer) -> None:
    for n in range(8):
        rng = stream(f"fingerprint {n}")
        a, b = (b"\x05" + CRYPTO.x25519_generate(rng)[1] for _ in range(2))
        a_id, b_id = (rng(16), rng(16)) if n % 2 else (b"+14152222222", b"+14153333333")
        mine, theirs = libsignal_code(a_id, a, b_id, b), libsignal_code(b_id, b, a_id, a)
        keys = {"local_id": b64(a_id), "local_key": b64(a), "remote_id": b64(b_id), "remote_key": b64(b)}
        answer = peer.call("fingerprint", **keys, compare_with=b64(theirs.scannable))
        assert answer["display"] == mine.digits
        assert raw(answer["scannable"]) == mine.scannable
        assert answer["matches"] and matches(mine, theirs.scannable)
