"""JSON-RPC itself: what is a request, what is none, and what is answered to either. No profile is needed for it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from letterlock.apps.daemon.rpc import MAX_BATCH, MAX_BODY, answer
from letterlock.apps.verbs import METHODS, Context, Verb
from letterlock.apps.verbs.schemas import NOTHING
from letterlock.errors import InputError

NOBODY = Context(client=None)  # type: ignore[arg-type]


def ask(body: bytes | str | dict[str, Any] | list[Any], **methods: Verb) -> Any:
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    given = asyncio.run(answer(NOBODY, body.encode() if isinstance(body, str) else body, {**METHODS, **methods}))
    return None if given is None else json.loads(given)


def request(method: str = "strings", **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, **more}


@pytest.mark.parametrize(
    ("body", "code", "name"),
    [
        (b"", -32_700, "rpc.json"),
        (b"hello", -32_700, "rpc.json"),
        (b'{"jsonrpc":"2.0","id":1,"method":"me"', -32_700, "rpc.json"),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32_700, "rpc.json"),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"me"}', -32_700, "rpc.json"),
        (b'{"jsonrpc":"2.0","id":1,"method":"me","method":"chats"}', -32_700, "rpc.json"),
        (b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b',"method":"me"}', -32_700, "rpc.json"),
        (b'{"jsonrpc":"2.0","id":' + b"9" * 65 + b',"method":"me"}', -32_700, "rpc.json"),
        (b"[]", -32_600, "rpc.batch"),
        (b"1", -32_600, "rpc.request"),
        (b'"me"', -32_600, "rpc.request"),
        (b"null", -32_600, "rpc.request"),
        (b"{}", -32_600, "rpc.version"),
        (b'{"jsonrpc":"1.0","id":1,"method":"me"}', -32_600, "rpc.version"),
        (b'{"jsonrpc":"2.0","id":1}', -32_600, "rpc.method"),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32_600, "rpc.method"),
        (b'{"jsonrpc":"2.0","id":[1],"method":"me"}', -32_600, "rpc.id"),
        (b'{"jsonrpc":"2.0","id":true,"method":"me"}', -32_600, "rpc.id"),
        (b'{"jsonrpc":"2.0","id":"' + b"x" * 300 + b'","method":"me"}', -32_600, "rpc.id"),
        (b'{"jsonrpc":"2.0","id":1,"method":"me","extra":1}', -32_600, "rpc.request"),
    ],
)
def test_what_is_no_request_is_refused_with_a_stable_code(body: bytes, code: int, name: str) -> None:
    said = ask(body)
    assert (said["id"], said["error"]["code"], said["error"]["data"]["code"]) == (None, code, name)
    assert said["error"]["data"]["exit"] == 1


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b" " * (MAX_BODY + 1), "rpc.too_large"),
        (b"[" * 100_000, "rpc.too_many"),
        (b"[" * 500 + b"]" * 500, "rpc.too_deep"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "rpc.too_deep"),
        (b"[" + b"1," * 100_000 + b"1]", "rpc.too_many"),
        (b"[" + b'{"a":{}},' * 20_000 + b"1]", "rpc.too_many"),
    ],
)
def test_sr08_bounds_are_checked_before_anything_is_made_of_the_bytes(body: bytes, name: str) -> None:
    began = time.process_time()
    said = ask(body)
    assert said["error"]["data"]["code"] == name
    assert said["error"]["code"] == -32_600
    assert time.process_time() - began < 2  # and not by building a million objects first


@pytest.mark.parametrize("piece", [b'"\\', b',"', b"\\", b'"', b'\\"', b'{"'])
def test_sr08_the_time_to_read_grows_with_the_length_alone(piece: bytes) -> None:
    """A text without an end was once looked at again from each of its quotes: minutes for a megabyte."""
    body = (b"," * 20 + piece * MAX_BODY)[:MAX_BODY]
    began = time.process_time()
    assert ask(body)["error"]["data"]["code"] in ("rpc.json", "rpc.too_many")
    assert time.process_time() - began < 1


def test_brackets_and_commas_in_a_text_are_text() -> None:
    text = '{[,"' * 9_000
    said = ask(request("strings", params={"locale": text[:12_000]}))
    assert said["error"]["data"]["code"] == "input.locale"


def test_a_batch_is_answered_in_its_order_without_its_notifications() -> None:
    said = ask(
        [
            request("strings", params={"locale": "en"}),
            {"jsonrpc": "2.0", "method": "strings", "params": {}},
            7,
            {**request("nothing.of.the.kind"), "id": "b"},
            {**request("rpc.discover"), "id": None},
        ]
    )
    assert [each["id"] for each in said] == [1, None, "b", None]
    assert said[0]["result"]["dir"] == "ltr"
    assert said[1]["error"]["data"]["code"] == "rpc.request"
    assert said[2]["error"]["code"] == -32_601
    assert said[3]["result"]["openrpc"].startswith("1.3")
    many = [request()] * (MAX_BATCH + 1)
    assert ask(many)["error"]["data"]["code"] == "rpc.batch"


def test_notifications_are_never_answered_whatever_becomes_of_them() -> None:
    for method, params in (("strings", {}), ("nothing", {}), ("strings", {"locale": 7}), ("me", {})):
        assert ask({"jsonrpc": "2.0", "method": method, "params": params}) is None
    assert ask([{"jsonrpc": "2.0", "method": "strings"}] * 3) is None


def test_what_is_our_fault_is_an_error_without_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    async def slip(context: Context) -> None:
        raise ZeroDivisionError("the secret of the user")

    said = ask(request("slip"), slip=Verb("slip", "slips", slip, NOTHING))
    assert (said["error"]["code"], said["error"]["data"]["class"]) == (-32_002, "Bug")
    assert "secret" not in json.dumps(said) and "Traceback" not in json.dumps(said)
    assert "slip failed" in caplog.text


def test_half_a_surrogate_pair_breaks_no_answer() -> None:
    said = asyncio.run(answer(NOBODY, b'{"jsonrpc":"2.0","id":"\\ud83d","method":"nothing \\udc00"}'))
    assert said is not None and said.isascii() and b"\n" not in said
    assert json.loads(said)["id"] == "\ud83d"


def test_an_error_has_its_code_and_its_hint() -> None:
    async def refuse(context: Context) -> None:
        raise InputError("no", code="input.test", hint="yes")

    assert ask(request("refuse"), refuse=Verb("refuse", "refuses", refuse, NOTHING))["error"] == {
        "code": -32_001,
        "message": "no",
        "data": {"class": "InputError", "code": "input.test", "hint": "yes", "exit": 1},
    }


def test_a_long_answer_gives_others_their_turns() -> None:
    """No step of the daemon's loop encodes a whole page of messages."""

    async def long(context: Context) -> list[dict[str, str]]:
        return [{"message_id": str(number), "text": "x" * 900} for number in range(1_000)]

    async def turns_meanwhile(body: Any) -> tuple[Any, int]:
        answering = asyncio.ensure_future(answer(NOBODY, json.dumps(body).encode(), methods))
        turns = 0
        while not answering.done():
            turns += 1
            await asyncio.sleep(0)
        return json.loads(answering.result() or b""), turns

    methods = {"long": Verb("long", "takes long", long, NOTHING)}
    said, turns = asyncio.run(turns_meanwhile(request("long")))
    assert len(said["result"]) == 1_000 and turns > 20
    said, turns = asyncio.run(turns_meanwhile([request("long"), request("long")]))
    assert [len(each["result"]) for each in said] == [1_000, 1_000] and turns > 40
