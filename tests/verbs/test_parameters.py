"""Every parameter of every verb, given wrongly: refused before anything is done, by a stable code that names it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from letterlock.apps.daemon.rpc import INVALID_PARAMS, answer
from letterlock.apps.verbs import METHODS, Context, Kind, Param, Verb, WrongParameter, checked

NOBODY = Context(client=None)  # type: ignore[arg-type]

_GOOD: dict[Kind, Any] = {
    Kind.TEXT: "hi",
    Kind.WORD: "word",
    Kind.CHAT: "+15550199",
    Kind.NUMBER: "+15550199",
    Kind.MESSAGE: "0a1b2c3d",
    Kind.PATH: "there",
    Kind.INTEGER: 1,
    Kind.DECIMAL: 1.5,
    Kind.FLAG: True,
}


def good(verb: Verb) -> dict[str, Any]:
    """What the verb would take: everything that it needs."""
    needed = [each for each in verb.params if each.required]
    return {each.name: [_GOOD[each.kind]] if each.many else _GOOD[each.kind] for each in needed}


def bad(param: Param) -> list[Any]:
    """What it must not take."""
    if param.many:
        items: list[Any] = [[value] for value in _bad_one(param)]
        most = param.highest or 256
        return ["+15550199", 1, {}, *items, [_GOOD[param.kind]] * (most + 1), *([[]] if param.required else [])]
    return _bad_one(param)


def _bad_one(param: Param) -> list[Any]:
    match param.kind:
        case Kind.FLAG:
            return [0, 1, "true", [], {}]
        case Kind.INTEGER:
            outside = [value for value in (param.lowest, param.highest) if value is not None]
            beyond = [outside[0] - 1, outside[-1] + 1] if len(outside) == 2 else []
            return ["1", 1.5, True, [], {}, 10**40, -(10**40), *beyond]
        case Kind.DECIMAL:
            return ["1.5", True, [], {}, 10**40]
        case _:
            assert param.most_characters is not None
            wrong: list[Any] = [7, 1.5, True, [], {}, "x" * (param.most_characters + 1)]
            return [*wrong, "none of these"] if param.choices else wrong


CASES = [
    pytest.param(verb, param, id=f"{verb.method}-{param.name}") for verb in METHODS.values() for param in verb.params
]


def refused(verb: Verb, params: Any) -> dict[str, Any]:
    request = {"jsonrpc": "2.0", "id": 1, "method": verb.method, "params": params}
    body = asyncio.run(answer(NOBODY, json.dumps(request).encode()))
    assert body is not None
    error: dict[str, Any] = json.loads(body)["error"]
    assert error["code"] == INVALID_PARAMS, error
    assert (error["data"]["class"], error["data"]["exit"]) == ("InputError", 1)
    return error


@pytest.mark.parametrize(("verb", "param"), CASES)
def test_a_parameter_of_another_form_is_refused_by_name(verb: Verb, param: Param) -> None:
    for value in bad(param):
        error = refused(verb, {**good(verb), param.name: value})
        assert (error["data"]["code"], error["data"]["param"]) == ("input.param", param.name), value


@pytest.mark.parametrize(("verb", "param"), CASES)
def test_a_parameter_that_is_needed_is_missed_by_name(verb: Verb, param: Param) -> None:
    given = {name: value for name, value in good(verb).items() if name != param.name}
    if param.required:
        error = refused(verb, given)
        assert (error["data"]["code"], error["data"]["param"]) == ("input.param_missing", param.name)
        assert param.name in error["message"]
    else:
        assert checked(verb, given)[param.name] == ([] if param.many else param.default)


@pytest.mark.parametrize("verb", [pytest.param(verb, id=verb.method) for verb in METHODS.values()])
def test_what_the_verb_does_not_have_is_refused_by_name(verb: Verb) -> None:
    error = refused(verb, {**good(verb), "replyTo": "x"})
    assert (error["data"]["code"], error["data"]["param"]) == ("input.param_unknown", "replyTo")
    assert error["data"]["hint"].startswith(verb.method)
    for form in ([], ["+15550199"], "x", 7, True):
        assert refused(verb, form)["data"]["code"] == "input.param_form"


def test_a_whole_number_is_a_number() -> None:
    assert checked(METHODS["location"], {"chat": "+1", "latitude": 1, "longitude": -2})["latitude"] == 1.0


def test_a_number_without_end_is_none() -> None:
    """JSON has 1e999, which is no constant and becomes infinity; it must not be one where a bound is on one side alone."""
    param = Param("far", Kind.DECIMAL, "how far", lowest=0)
    verb = dataclasses.replace(METHODS["check"], params=(param,))
    assert checked(verb, {"far": 2})["far"] == 2.0
    for value in (float("inf"), float("-inf"), float("nan")):
        with pytest.raises(WrongParameter):
            checked(verb, {"far": value})
