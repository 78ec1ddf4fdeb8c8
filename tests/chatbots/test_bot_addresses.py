"""Addresses of chatbots: a third kind of name, which never reads as one of the others."""

from __future__ import annotations

import pytest

from letterlock import ids
from letterlock.carriage import Inbound, Outbound
from letterlock.codec.sip import Headers, Request, Uri
from letterlock.errors import InputError
from letterlock.ids import BotAddress, ConversationId, MessageId, Number
from letterlock.sip.pager import OutgoingMessage, PagerProfile, build_message, read_message
from letterlock.transport.rcs.replies import Contributions

ME = Number("+15550100")
BOT = BotAddress("sip:shop@bots.example.com")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sip:shop@bots.example.com", BOT),
        ("SIP:shop@Bots.Example.COM;transport=tcp", BOT),
        ("sip:106500@botplatform.rcs.example", "sip:106500@botplatform.rcs.example"),
        ("sip:A_b.c-d@h", "sip:A_b.c-d@h"),
    ],
)
def test_an_address_is_normalised(text: str, address: str) -> None:
    assert ids.bot_address(text) == ids.chat_name(text) == ids.peer_name(text) == address
    assert ids.bot_of(BotAddress(address)) == address
    assert ids.group_of(BotAddress(address)) is None


@pytest.mark.parametrize(
    "text",
    [
        "sip:+15550100@bots.example.com",  # reads as a number
        "sip:%2B15550100@bots.example.com",
        "sip:bots.example.com",
        "sip:@bots.example.com",
        "sip:shop@",
        "sip:shop/../chat@bots.example.com",
        "sip:shop@bots.example.com/x",
        "sip:shop@bots.example.com:5060",
        "sip:shop:secret@bots.example.com",
        "sip:sh op@bots.example.com",
        "sip:shop@bots..example.com",
        "sip:shop@-bots.example",
        "sip:shop@bots.example.com\n",
        "sip:shop@bots.example.com?Subject=x",
        "sip:sh\u043ep@bots.example.com",  # a Cyrillic o
        "sip:" + "s" * 65 + "@bots.example.com",
        "sip:shop@" + "a." * 130 + "example",
        "sips:shop@bots.example.com",
        "shop@bots.example.com",
    ],
)
def test_a_hostile_name_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        ids.bot_address(text)
    assert caught.value.code == "input.bot"
    with pytest.raises(InputError):
        ids.chat_name(text)


def test_a_chatbot_is_no_number_and_no_group() -> None:
    assert ids.bot_of(ME) is None
    assert ids.bot_of(ids.GroupName("0" * 32)) is None
    arrived = Inbound(BOT, ME, MessageId("m"), "text/plain", b"", 0)
    assert (arrived.number, Inbound(ME, ME, MessageId("m"), "text/plain", b"", 0).number) == (None, ME)


# --- on the wire -------------------------------------------------------------------------------------------------
def test_a_chatbot_is_asked_for_by_its_address_and_with_its_tags() -> None:
    profile = PagerProfile(Uri.parse(f"sip:{ME}@ims.example.test"), "ims.example.test", "test")
    message = OutgoingMessage(BOT, MessageId("m-1"), ConversationId(bytes(16)), b"cpim", large=False)
    request = build_message(profile, message, (), lambda n: bytes(n))
    assert (request.uri, request.headers.get("To")) == (BOT, f"<{BOT}>")
    tags = request.headers.all("Accept-Contact")
    assert tags[-1] == (
        '*;+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcs.chatbot.sa";+g.gsma.rcs.botversion="#=1,#=2"'
    )
    number = build_message(
        profile, OutgoingMessage(ME, MessageId("m-1"), ConversationId(bytes(16)), b"cpim", False), (), bytes
    )
    assert "chatbot" not in "".join(number.headers.all("Accept-Contact"))


def sender_of(*headers: tuple[str, str], trust_from: bool = False) -> str | None:
    items = [("To", f"<sip:{ME}@ims.example.test>"), ("Content-Type", "message/cpim"), *headers]
    request = Request("MESSAGE", f"sip:{ME}@127.0.0.1", Headers(items), b"")
    return read_message(request, max_body=1_000, trust_from=trust_from).sender


PAI = "P-Asserted-Identity"


@pytest.mark.parametrize(
    ("headers", "sender"),
    [
        (((PAI, f"<{BOT}>"),), BOT),
        (((PAI, f"<{BOT};user=bot>"), (PAI, f"<{BOT}>")), BOT),
        # SR-03: what a bot calls itself has no part in who it is.
        (((PAI, f'"+15550199" <{BOT}>'), ("From", "<sip:+15550199@ims.example.test>")), BOT),
        (((PAI, f'"Ana" <{BOT}>'), ("From", '"Ana" <tel:+15550199>'), ("Contact", "<sip:+15550199@h>")), BOT),
        # And whom the network calls a number is no bot, wherever its address is.
        (((PAI, "<sip:+15550199@bots.example.com>"),), "+15550199"),
        (((PAI, "<sip:+1-555-0199@bots.example.com>"), ("From", f"<{BOT}>")), "+15550199"),
        (((PAI, f"<{BOT}>"), (PAI, "<tel:+15550199>")), "+15550199"),
        # Nobody is certain.
        (((PAI, f"<{BOT}>"), (PAI, "<sip:other@bots.example.com>")), None),
        (((PAI, "<sip:%2B15550199@bots.example.com>"),), None),
        (((PAI, "<https://bots.example.com>"),), None),
        # A telephone's, in a form that says nothing of whose number it is: nobody's, and least of all a bot's.
        (((PAI, "<sip:15550199@ims.example.test;user=phone>"),), None),
        (((PAI, "<sip:15550199@ims.example.test;User=PHONE>"),), None),
        (((PAI, f"<{BOT}>"), (PAI, "<tel:15550199>")), None),
        (((PAI, f"<{BOT}>"), (PAI, "<tel:5550199;phone-context=+1>")), None),
        (((PAI, f"<{BOT}>"), (PAI, "<sip:%2B15550199@ims.example.test>")), None),
        (((PAI, f"<{BOT}>"), (PAI, "nonsense")), None),
        (((PAI, f"<{BOT}>"), (PAI, "<sips:other@bots.example.com>")), None),
        ((*((PAI, f"<{BOT}>"),) * 4, (PAI, "<tel:+15550199>")), None),
        (((PAI, '"Anonymous" <sip:anonymous@anonymous.invalid>'),), None),
        (((PAI, "<sip:shop@[2001:db8::1]>"),), None),
        (((PAI, "<sip:shop@bots.example.com.>"),), None),
        (((PAI, "<sip:sh%6Fp@bots.example.com>"),), None),
        (((PAI, "<sip:SHOP@Bots.Example.Com>"),), "sip:SHOP@bots.example.com"),
        # From proves nothing.
        ((("From", f"<{BOT}>"),), None),
    ],
)
def test_sr03_who_sends_is_whom_the_network_asserts(headers: tuple[tuple[str, str], ...], sender: str | None) -> None:
    assert sender_of(*headers) == sender


def test_in_a_lab_that_asserts_nobody_from_may_count() -> None:
    assert sender_of(("From", f"<{BOT}>"), trust_from=True) == BOT
    assert sender_of(("From", f"<{BOT}>"), (PAI, "<sip:other@h>"), trust_from=True) == "sip:other@h"


def test_which_message_is_answered_is_remembered_for_bots_and_within_bounds() -> None:
    name = "6f0ca7c8-0000-4000-8000-000000000007"
    known = Contributions()
    for sender, contribution in ((None, name), (ME, name), (BOT, None), (BOT, "x\r\nEvil: 1"), (BOT, "6" * 65)):
        known.note(sender, MessageId("m-1"), contribution)

    def answer(to: Number | BotAddress, *headers: tuple[str, str]) -> str:
        return known.answered_by(
            Outbound(to, MessageId("a"), ConversationId(bytes(16)), "text/plain", b"", False, headers=headers)
        )

    assert answer(BOT, ("ll.Reference-ID", "m-1")) == answer(ME, ("ll.Reference-ID", "m-1")) == ""
    known.note(BOT, MessageId("m-1"), name.upper())
    assert (answer(BOT, ("ll.Reference-ID", "m-1")), answer(BOT, ("ll.Reference-ID", "m-2")), answer(BOT)) == (
        name,
        "",
        "",
    )
    for n in range(1_024):  # SR-08: the oldest is forgotten
        known.note(BOT, MessageId(f"x-{n}"), name)
    assert answer(BOT, ("ll.Reference-ID", "m-1")) == ""
