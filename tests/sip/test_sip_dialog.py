"""RFC 3261 section 12: tags, routes, targets and numbers."""

from __future__ import annotations

import pytest

from letterlock.codec.sip import Headers, Request, Response
from letterlock.errors import DecodeError, ProtocolError
from letterlock.sip.dialog import Dialog, dialog_key, record_route

BASE = [("From", "<sip:a@h>;tag=1"), ("To", "<sip:b@h>"), ("Call-ID", "c"), ("CSeq", "7 INVITE")]


def invite(*extra: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:b@h", Headers([*BASE, ("Contact", "<sip:a@10.0.0.1>"), *extra]))


def accepted(*extra: tuple[str, str], tag: str = ";tag=2", contact: str = "<sip:b@10.0.0.2>") -> Response:
    items = [BASE[0], ("To", f"<sip:b@h>{tag}"), *BASE[2:], ("Contact", contact), *extra]
    return Response(200, "OK", Headers(items))


ROUTES = (("Record-Route", "<sip:p2;lr>, <sip:p1;lr>"), ("Record-Route", "<sip:p0;lr>"))


def test_the_two_ends_of_a_dialog_see_each_other() -> None:
    caller = Dialog.of_response(invite(), accepted(*ROUTES))
    called = Dialog.of_request(invite(*ROUTES), "2")
    assert caller.key == ("c", "1") and called.key == ("c", "2")
    assert caller.routes == ("<sip:p0;lr>", "<sip:p1;lr>", "<sip:p2;lr>")  # reversed, section 12.1.2
    assert called.routes == ("<sip:p2;lr>", "<sip:p1;lr>", "<sip:p0;lr>")  # in order, section 12.1.1
    assert (caller.target.host, called.target.host) == ("10.0.0.2", "10.0.0.1")
    after, bye = caller.request("BYE")
    assert after.local_sequence == 8
    assert bye.headers.get("CSeq") == "8 BYE"
    assert bye.uri == "sip:b@10.0.0.2"
    assert bye.headers.all("Route") == caller.routes
    assert called.has(bye)
    _, back = called.request("BYE")
    assert back.headers.get("CSeq") == "1 BYE"
    assert caller.has(back)
    assert dialog_key(bye) == called.key


def test_a_strict_router_gets_what_it_expects() -> None:
    """Section 12.2.1.1."""
    dialog = Dialog.of_response(invite(), accepted(("Record-Route", "<sip:loose;lr>, <sip:strict>")))
    _, request = dialog.request("BYE")
    assert request.uri == "sip:strict"
    assert request.headers.all("Route") == ("<sip:loose;lr>", "<sip:b@10.0.0.2>")


def test_numbers_rise() -> None:
    dialog = Dialog.of_request(invite(), "2")
    later = dialog.received(Request("BYE", "sip:x", Headers([("CSeq", "9 BYE")])))
    assert later.remote_sequence == 9
    for number in (7, 8, 9):
        with pytest.raises(ProtocolError) as caught:
            later.received(Request("BYE", "sip:x", Headers([("CSeq", f"{number} BYE")])))
        assert caught.value.code == "sip.dialog.order"


def test_a_challenge_costs_a_number() -> None:
    dialog = Dialog.of_response(invite(), accepted())
    sent = Request("BYE", "sip:x", Headers([("CSeq", "12 BYE")]))
    assert dialog.numbered(sent).request("INFO")[1].headers.get("CSeq") == "13 INFO"
    assert dialog.numbered(Request("BYE", "sip:x", Headers([("CSeq", "3 BYE")]))) == dialog


def test_target_refresh_and_recomputed_routes() -> None:
    dialog = Dialog.of_response(invite(), accepted(*ROUTES))
    moved = dialog.retargeted(accepted(contact="<sip:b@10.0.0.3>"))
    assert (moved.target.host, moved.routes) == ("10.0.0.3", dialog.routes)
    assert dialog.retargeted(Request("UPDATE", "sip:x", Headers())) == dialog


def test_contact_headers_do_not_get_into_requests() -> None:
    dialog = Dialog.of_response(invite(), accepted(contact="<sip:b@10.0.0.2?Subject=x>"))
    assert dialog.request("BYE")[1].uri == "sip:b@10.0.0.2"


@pytest.mark.parametrize(
    "response",
    [
        accepted(tag=""),
        accepted(contact="<tel:+1>"),
        accepted(contact="<sip:b@h>, <sip:c@h>"),
        accepted(contact="junk"),
        accepted(("Record-Route", "junk<")),
        accepted(("Record-Route", ", ".join(["<sip:p;lr>"] * 17))),
    ],
)
def test_what_makes_no_dialog(response: Response) -> None:
    with pytest.raises((DecodeError, ProtocolError)):
        Dialog.of_response(invite(), response)


def test_dialog_key_of_requests_outside() -> None:
    assert dialog_key(invite()) is None
    with pytest.raises(DecodeError):
        dialog_key(Request("BYE", "sip:x", Headers([("To", "junk<")])))


def test_record_route_is_copied_as_it_stands() -> None:
    assert record_route(invite(*ROUTES)) == ROUTES
