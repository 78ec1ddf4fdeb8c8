"""JSON-RPC 2.0 over whatever carries bytes: a body in, a body out, or none where nothing is to be answered.

Bounds come before memory (SR-08): size, depth and the number of values are looked at before anything is made of them.
Parameters are checked against the table of verbs, strictly, and the answer names the wrong one. Calls of a batch are done
one after the other, in the order in which they stand. No exception leaves here: what is our fault is an error of class
`Bug`, without a traceback, and logged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ...client.slices import json_in_slices
from ...errors import Bug, DecodeError, LetterlockError, NotEncrypted, TrustRequired
from ..verbs import METHODS, Context, Verb, WrongParameter, checked, error_object
from ..verbs.names import chat_label, conversation_named
from .openrpc import DISCOVER, document

__all__ = [
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "MAX_BATCH",
    "MAX_BODY",
    "METHOD_NOT_FOUND",
    "PARSE_ERROR",
    "Refusal",
    "answer",
    "read",
]

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32_700, -32_600, -32_601, -32_602

MAX_BODY = 1 << 18
"""Far more than a text, and little enough that reading it holds nobody up."""
MAX_BATCH = 100
MAX_DEPTH = 16
MAX_VALUES = 10_000
_MAX_ID = 256
_MAX_DIGITS = 64

_log = logging.getLogger(__name__)

# Texts may hold brackets and commas; what is counted are those of the structure. A text without an end is taken to the
# end of the body, so that nothing is ever looked at twice: time grows with the length alone.
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.S)


class Refusal(DecodeError):
    """A body or a call that is none; `error` is what the answer says."""

    def __init__(self, code: int, name: str, message: str, hint: str = "") -> None:
        super().__init__(message, code=name, hint=hint)
        self.error = {
            "code": code,
            "message": message,
            "data": {"class": "DecodeError", "code": name, "hint": hint, "exit": 1},
        }


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `id` None with `answered` False: a notification, to which nothing is said."""

    method: str
    params: Any
    id: str | int | float | None
    answered: bool


async def answer(context: Context, body: bytes, methods: Mapping[str, Verb] = METHODS) -> bytes | None:
    """Do what a body asks; the body of the answer, None if it held notifications alone."""
    try:
        calls, batch = read(body)
    except Refusal as refusal:
        return await _line(_failed(None, refusal.error))
    answers = []
    for call in calls:
        done = _failed(None, call.error) if isinstance(call, Refusal) else await _perform(context, call, methods)
        if done is not None:
            answers.append(done)
    if not answers:
        return None
    lines = [await _line(each) for each in answers]
    return b"[" + b",".join(lines) + b"]" if batch else lines[0]


def read(body: bytes) -> tuple[list[Call | Refusal], bool]:
    """The calls of a body and whether they are a batch. Raises Refusal for what is no JSON, or no request at all."""
    value = _parsed(body)
    if not isinstance(value, list):
        return [_call(value)], False
    if not 0 < len(value) <= MAX_BATCH:
        raise Refusal(INVALID_REQUEST, "rpc.batch", f"a batch has 1 to {MAX_BATCH} calls")
    return [_call(each) for each in value], True


def _parsed(body: bytes) -> Any:
    if len(body) > MAX_BODY:
        raise Refusal(INVALID_REQUEST, "rpc.too_large", f"a request has at most {MAX_BODY:,} bytes")
    _bounded(body)
    try:
        text = body.decode("utf-8")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)
    except (ValueError, RecursionError):
        raise Refusal(PARSE_ERROR, "rpc.json", "not JSON", "one JSON-RPC 2.0 request, or an array of them") from None


def _bounded(body: bytes) -> None:
    """SR-08: a megabyte of brackets would be a million objects, and a deep one would exhaust the stack."""
    if sum(map(body.count, (b",", b"[", b"{"))) <= MAX_DEPTH:
        return
    structure = _TEXTS.sub(b"", body)
    if sum(map(structure.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise Refusal(INVALID_REQUEST, "rpc.too_many", f"a request has at most {MAX_VALUES:,} values")
    depth = 0
    for bracket in re.findall(rb"[\[\]{}]", structure):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise Refusal(INVALID_REQUEST, "rpc.too_deep", f"values lie at most {MAX_DEPTH} deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values with one name another reader might take the other."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number without end")
    return int(digits)


def _call(value: Any) -> Call | Refusal:
    """The call, or why it is none; in a batch the others are done all the same."""
    if not isinstance(value, dict):
        return Refusal(INVALID_REQUEST, "rpc.request", "a request is an object")
    if value.get("jsonrpc") != "2.0":
        return Refusal(INVALID_REQUEST, "rpc.version", 'a request says "jsonrpc": "2.0"')
    if more := set(value) - {"jsonrpc", "method", "params", "id"}:
        return Refusal(INVALID_REQUEST, "rpc.request", f"a request has no {sorted(more)[0][:40]!r}")
    if not isinstance(method := value.get("method"), str):
        return Refusal(INVALID_REQUEST, "rpc.method", "a request names its method")
    given = value.get("id")
    if not (given is None or (isinstance(given, str | int | float) and not isinstance(given, bool))):
        return Refusal(INVALID_REQUEST, "rpc.id", "the id of a request is a text or a number")
    if isinstance(given, str) and len(given) > _MAX_ID:
        return Refusal(INVALID_REQUEST, "rpc.id", f"the id of a request has at most {_MAX_ID} characters")
    return Call(method, value.get("params"), given, "id" in value)


async def _perform(context: Context, call: Call, methods: Mapping[str, Verb]) -> dict[str, Any] | None:
    """The answer to a call; None for a notification, whatever became of it."""
    try:
        result = await _result(context, call, methods)
    except Refusal as refusal:
        failed: dict[str, Any] = refusal.error
    except WrongParameter as error:
        failed = _wrong_parameter(error)
    except (NotEncrypted, TrustRequired) as error:
        failed = error_object(error, context.locale, await _contact(context, call.params))
    except LetterlockError as error:
        failed = error_object(error, context.locale)
    except Exception as error:  # ours: whoever asked waits for an answer all the same
        _log.error("%s failed", call.method, exc_info=error)
        bug = Bug(
            f"{call.method} failed: {type(error).__name__}", hint="this is ours; report it with what the log says"
        )
        failed = error_object(bug, context.locale)
    else:
        return {"jsonrpc": "2.0", "id": call.id, "result": result} if call.answered else None
    return _failed(call.id, failed) if call.answered else None


async def _result(context: Context, call: Call, methods: Mapping[str, Verb]) -> Any:
    if call.method == DISCOVER:
        if call.params:
            raise WrongParameter(f"{DISCOVER} has no parameters", param="", code="input.param_unknown")
        return document()
    verb = methods.get(call.method)
    if verb is None:
        raise Refusal(
            METHOD_NOT_FOUND, "rpc.unknown_method", f"there is no method {call.method[:60]!r}", f"{DISCOVER} lists them"
        )
    return await verb.perform(context, checked(verb, call.params))


async def _contact(context: Context, params: Any) -> str:
    """What the user calls the contact of a chat: a refusal is read by a person."""
    given = params.get("chat") if isinstance(params, dict) else None
    if not isinstance(given, str):
        return ""
    with contextlib.suppress(LetterlockError):
        talk = await conversation_named(context.client, given)
        return (await talk.summary()).name or chat_label(talk.name)
    return given


def _wrong_parameter(error: WrongParameter) -> dict[str, Any]:
    data = {"class": "InputError", "code": error.code, "hint": error.hint, "exit": 1, "param": error.param}
    return {"code": INVALID_PARAMS, "message": str(error), "data": data}


def _failed(call: str | int | float | None, error: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call, "error": error}


async def _line(value: Any) -> bytes:
    """ASCII, on one line: half of a surrogate pair in a peer's text cannot break the answer. A long one holds nobody up."""
    return await json_in_slices(value, ensure_ascii=True)
