"""Every class of `letterlock.errors` as an error of JSON-RPC and as an exit code: the same for all, and with what is its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from letterlock import errors
from letterlock.apps.daemon.openrpc import ERRORS
from letterlock.apps.daemon.rpc import answer
from letterlock.apps.verbs import EXIT, Context, Verb, error_object, exit_code, option_token
from letterlock.apps.verbs.schemas import NOTHING
from letterlock.engine.policy import PlainOption
from letterlock.ids import BotAddress, Number

OPTION = PlainOption(Number("+15550199"), 3, b"n" * 16)
SMS = PlainOption(Number("+15550199"), 3, b"s" * 16, "plain-sms")
SHOP = PlainOption(BotAddress("sip:shop@bots.example.com"), 1, b"b" * 16)

_OWN: dict[str, dict[str, Any]] = {
    "NotEncrypted": {"reason": "no-keys-found", "options": (OPTION, SMS)},
    "IdentityChanged": {"old": b"\x05" * 33, "new": b"\x06" * 33},
    "InvalidFile": {"rule": "LL-FILE-05"},
    "InvalidGroupMessage": {"rule": "MLS-7.3-03"},
    "InvalidRcc16": {"rule": "RCC-A.3.8-01"},
    "MissingProposal": {"references": ()},
}
_EXITS = {
    "LetterlockError": 2,
    "Bug": 2,
    "InputError": 1,
    "NotEncrypted": 7,
    "TrustRequired": 4,
}
"""All others are the network's or the store's."""


def made(name: str) -> errors.LetterlockError:
    error: errors.LetterlockError = getattr(errors, name)("what happened", hint="what to do", **_OWN.get(name, {}))
    return error


@pytest.mark.parametrize("name", errors.__all__)
def test_every_class_has_one_form(name: str) -> None:
    error = made(name)
    code = exit_code(error)
    assert code == _EXITS.get(name, 3)

    async def fail(context: Context) -> None:
        raise made(name)

    methods = {"fail": Verb("fail", "fails", fail, NOTHING)}
    request = b'{"jsonrpc":"2.0","id":1,"method":"fail"}'
    body = asyncio.run(answer(Context(client=None), request, methods))  # type: ignore[arg-type]
    assert body is not None
    told = json.loads(body)["error"]
    assert told == error_object(error)
    assert (told["code"], told["message"]) == (-32_000 - code, "what happened")
    data = told["data"]
    assert (data["class"], data["code"], data["hint"], data["exit"]) == (name, error.code, "what to do", code)
    (described,) = [each for each in ERRORS.values() if each["code"] == told["code"]]
    assert described["data"]["required"] == ["class", "code", "hint", "exit"]


def test_a_refusal_names_who_can_read_and_what_may_be_chosen() -> None:
    """SR-01: an option is its token; the words beside it are those of the one table."""
    data = error_object(made("NotEncrypted"))["data"]
    assert (data["reason"], data["label"]) == ("no-keys-found", "No keys found")
    assert [each["name"] for each in data["options"]] == ["plain-rcs", "plain-sms"]
    assert data["options"][0]["token"] == option_token(OPTION) == f"plain-rcs.3.{(b'n' * 16).hex()}"
    assert "carriers" in data["options"][0]["sentence"] and "SMS" in data["options"][1]["label"]
    business = errors.NotEncrypted("not sent", reason="business", options=(SHOP,))
    assert "business" in error_object(business)["data"]["options"][0]["sentence"]
    odd = error_object(errors.NotEncrypted("not sent", reason="of-a-later-version"))["data"]
    assert odd["label"] and odd["sentence"] == "not sent" and odd["options"] == []


@pytest.mark.parametrize(
    ("status", "code"), [(429, EXIT["rate"]), (404, EXIT["user"]), (511, EXIT["user"]), (503, EXIT["network"])]
)
def test_the_status_of_a_service_decides_about_its_code(status: int, code: int) -> None:
    error = errors.DirectoryError("no", code="directory.no", status=status, retry_after_s=7)
    told = error_object(error)
    assert (exit_code(error), told["code"]) == (code, -32_000 - code)
    assert (told["data"]["status"], told["data"]["retry_after_s"]) == (status, 7)


def test_what_is_its_own_is_there() -> None:
    assert error_object(made("InvalidRcc16"))["data"]["rule"] == "RCC-A.3.8-01"
    assert error_object(made("IdentityChanged"))["data"]["new"] == "06" * 33
    assert error_object(made("TrustRequired"))["data"]["sentence"].startswith("You verified the contact,")
    assert "You verified Ben," in error_object(made("TrustRequired"), name="Ben")["data"]["sentence"]
    waiting = errors.NotEncrypted("not sent", reason="checking")
    assert error_object(waiting, name="Ben")["data"]["sentence"] == "Waiting for Ben's keys."


def test_the_words_of_a_refusal_are_of_the_locale() -> None:
    mirrored = error_object(made("NotEncrypted"), "ar-XB")["data"]
    assert mirrored["label"].startswith("\u202e") and mirrored["options"][0]["label"].startswith("\u202e")
