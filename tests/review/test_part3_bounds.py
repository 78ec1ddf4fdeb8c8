"""Memory and time that a hostile peer can take (SR-08, SR-17)."""

from __future__ import annotations

import pytest

from letterlock.codec.msrp import FailureReport, Flag, MsrpUri, Request, Status, encode_end, encode_head
from msrp.relays import RELAY_SETTINGS, authorized, network


@pytest.mark.parametrize("method", ["SEND", "REPORT"])
def test_whole_requests_for_somebody_who_takes_nothing_are_not_piled_up_by_the_relay(method: str) -> None:
    """Chunks pause their sender (RFC 4976 section 6.4.1), and so must what goes through in one piece."""
    net = network()
    sender, _, alice_path = authorized(net, "alice", 1)
    taker, _, bob_path = authorized(net, "bob", 2)
    alice = MsrpUri.parse("msrps://alice.invalid:2855/alice1234567890;tcp")
    bob = MsrpUri.parse("msrps://bob.invalid:2855/bob1234567890;tcp")
    fed = 0
    for count in range(10_000):
        request = Request(
            f"trans{count:05d}",
            method,
            (*alice_path, *bob_path, bob),
            (alice,),
            message_id="message-1",
            failure_report=FailureReport.NO,
            status=Status(200) if method == "REPORT" else None,
        )
        data = encode_head(request) + encode_end(request.transaction, Flag.COMPLETE, after_body=False)
        net.relay.receive_data(sender, data, net.now)
        fed += len(data)
        if net.relay.paused(sender):
            break
    assert fed < 4 * RELAY_SETTINGS.max_control
    # Once it is taken, the sender is told to go on.
    net.relay.touched()
    while net.relay.data_to_send(taker, 16_384, net.now):
        pass
    assert not net.relay.paused(sender)
    assert sender in net.relay.touched()
