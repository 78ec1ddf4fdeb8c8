"""Packets as they go over the wire: CPIM as deployed peers write it (rcc16.md 3.1, 3.3), read back whatever the prefixes."""

from __future__ import annotations

from letterlock.codec.cpim import CpimLimits, decode_cpim
from letterlock.conversation_seam import Conversation, Packet, PacketHeader
from letterlock.engine.conversations.outbox import outbound_of
from letterlock.ids import GroupId, MessageId, Number
from letterlock.transport.rcs.content import open_content, wrap

ANA, BEN = Number("+15550100"), Number("+15550199")
MLS = "http://www.gsma.com/rcs/mls"
AUTHENTICATOR = "A" * 43 + "="
ASKED = ("positive-delivery", "negative-delivery", "display")


def _packet(conversation: Conversation, **changes: object) -> Packet:
    fields: dict[str, object] = {
        "conversation": conversation,
        "to": None,
        "message_id": MessageId("MxAAAAAAAAAAAAAAAAAAAAAA"),
        "content_type": "message/mls",
        "headers": (PacketHeader(MLS, "Era-ID", "1"), PacketHeader(MLS, "Epoch-Authenticator", AUTHENTICATOR)),
        "body": b"\x00\x01\xff\r\n",
        "dispositions": ASKED,
    }
    return Packet(**{**fields, **changes})  # type: ignore[arg-type]


def test_an_application_message_is_written_as_deployed_peers_write_it() -> None:
    out = outbound_of(ANA, _packet(Conversation(peer=BEN)), None)
    assert wrap(out, 1_795_411_200_000) == (
        b"From: <sip:anonymous@anonymous.invalid>\r\n"
        b"To: <sip:anonymous@anonymous.invalid>\r\n"
        b"NS: imdn <urn:ietf:params:imdn>\r\n"
        b"imdn.Message-ID: MxAAAAAAAAAAAAAAAAAAAAAA\r\n"
        b"DateTime: 2026-11-23T05:20:00.000Z\r\n"
        b"imdn.Disposition-Notification: positive-delivery, negative-delivery, display\r\n"
        b"NS: mls <http://www.gsma.com/rcs/mls>\r\n"
        b"mls.Era-ID: 1\r\n"
        b"mls.Epoch-Authenticator: " + AUTHENTICATOR.encode() + b"\r\n"
        b"\r\n"
        b"Content-Type: message/mls\r\n"
        b"Content-Length: 5\r\n"
        b"\r\n"
        b"\x00\x01\xff\r\n"
    )


def test_it_is_read_back_by_namespace_and_as_it_was() -> None:
    out = outbound_of(ANA, _packet(Conversation(peer=BEN)), None)
    written = wrap(out, 0).replace(b"mls <", b"x9 <").replace(b"mls.Era-ID", b"x9.Era-Id")
    opened = open_content("message/cpim", written, 1 << 20)
    assert (opened.content_type, opened.body) == ("message/mls", b"\x00\x01\xff\r\n")
    named = {(header.namespace, header.local.lower()): header.value for header in opened.headers}
    assert named[MLS, "era-id"] == "1"


def test_a_control_packet_asks_for_no_receipt_and_is_for_the_conference_itself() -> None:
    group = GroupId(bytes(range(16)))
    control = _packet(Conversation(group=group), content_type="message/mls-rcs-client", dispositions=(), large=True)
    out = outbound_of(ANA, control, None)
    assert (out.to, out.group, out.large, out.packet) == (None, group, True, True)
    cpim = decode_cpim(wrap(out, 0, ("<sip:a@x>", "<sip:conf-1@x>")), CpimLimits(1 << 16, 64, 8192))
    assert cpim.disposition_notification == ()
    assert cpim.recipients[0].uri == "sip:conf-1@x"
    # Sent again to one who has not confirmed: the same bytes, to that member alone.
    assert outbound_of(ANA, control, BEN).to == BEN


def test_headers_of_other_namespaces_get_prefixes_of_their_own() -> None:
    headers = (PacketHeader("urn:x", "A", "1"), PacketHeader("urn:y", "B", "2"), PacketHeader("urn:x", "C", "3"))
    out = outbound_of(ANA, _packet(Conversation(peer=BEN), headers=headers), None)
    assert [name for name, _ in out.headers].count("NS") == 2
    read = decode_cpim(wrap(out, 0), CpimLimits(1 << 16, 64, 8192))
    assert [(h.namespace, h.local, h.value) for h in read.headers if h.namespace in ("urn:x", "urn:y")] == [
        ("urn:x", "A", "1"),
        ("urn:y", "B", "2"),
        ("urn:x", "C", "3"),
    ]
