"""An agent of RCS Business Messaging: sends messages, takes them back, asks what phones can do (chatbots.md B1)."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote

from ... import ids
from ...codec.chatbot.json_text import web_url, written
from ...codec.chatbot.model import BotMessage
from ...codec.chatbot.rbm import AgentMessage, encode_agent_message
from ...errors import InputError, TransportError
from ...ids import Instant, Number, Rng
from .account import ServiceAccount, checked_base
from .calls import Calls, RbmSettings

__all__ = ["Capabilities", "RbmAgent", "Reach", "UploadedFile"]

_REGIONS = ("us", "europe", "asia")
_MOST_NUMBERS = 10_000


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a phone can show: names as the platform has them (RICHCARD_STANDALONE, ACTION_DIAL ...), of which a program
    passes over those that it does not know. `carrier` is said of American numbers alone."""

    features: frozenset[str]
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which of many numbers the agent reaches; of a random sample of `sampled` the platform reached `sample_reached`."""

    numbers: tuple[Number, ...]
    sampled: int = 0
    sample_reached: int = 0


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """Names for `Media.file_name` and `thumbnail_name`, or those of a `LinkedFile`."""

    name: str
    thumbnail_name: str = ""


class RbmAgent:
    """One agent. Use it as an async context manager, or call `close`.

    `region` is us, europe or asia; without one the platform's address for all of them is used. `base_url` is for tests
    and proxies. Methods raise InputError for what was not sent, RbmError when the platform refused (`code`, `hint`),
    TransportError when it did not answer: then the message may have got there, and sending it again under its id is safe.
    """

    def __init__(
        self,
        agent_id: str,
        account: ServiceAccount,
        *,
        region: str = "",
        base_url: str = "",
        settings: RbmSettings | None = None,
        now: Callable[[], Instant] = lambda: time.time_ns() // 1_000_000,
        rng: Rng = os.urandom,
    ) -> None:
        if region and region not in _REGIONS:
            raise InputError(f"no region {region[:20]!r}", code="input.rbm", hint=f"regions are {', '.join(_REGIONS)}")
        if not agent_id or not agent_id.isascii() or not agent_id.isprintable():
            raise InputError("an agent has an id", code="input.rbm")
        prefix = f"{region}-" if region else ""
        base = checked_base(base_url or f"https://{prefix}rcsbusinessmessaging.googleapis.com")
        self.agent_id = agent_id
        self._rng = rng
        self._calls = Calls(base, account, settings or RbmSettings(), now, rng)

    async def __aenter__(self) -> RbmAgent:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._calls.close()

    # --- messages ----------------------------------------------------------------------------------------------
    async def send(self, to: str, message: AgentMessage | BotMessage | str, *, message_id: str = "") -> str:
        """Send a message; its id. The platform keeps it for a phone that is away.

        With a `message_id` of the caller's, sending again is safe across restarts: the platform takes each id once.
        """
        if isinstance(message, str):
            message = BotMessage(message)
        if isinstance(message, BotMessage):
            message = AgentMessage(message)
        body = encode_agent_message(message)
        name = _id(message_id) if message_id else self._new_id()
        await self._call("POST", f"{_phone(to)}/agentMessages", {"messageId": name}, body)
        return name

    async def revoke(self, to: str, message_id: str) -> None:
        """Take a message back that was not delivered yet. What a phone has stays there."""
        await self._call("DELETE", f"{_phone(to)}/agentMessages/{quote(_id(message_id), safe='')}", {})

    async def typing(self, to: str) -> None:
        """Show the user that an answer is being written."""
        await self._event(to, {"eventType": "IS_TYPING"})

    async def read(self, to: str, message_id: str) -> None:
        """Tell the user that the agent has read this message."""
        await self._event(to, {"eventType": "READ", "messageId": _id(message_id)})

    # --- phones ------------------------------------------------------------------------------------------------
    async def capabilities(self, to: str) -> Capabilities:
        """What the phone of this number can show. RbmError `rbm.unreachable` without RCS."""
        answer = await self._call("GET", f"{_phone(to)}/capabilities", {"requestId": self._new_id()})
        carrier = answer.get("carrier")
        return Capabilities(frozenset(_texts(answer.get("features"))), carrier if isinstance(carrier, str) else "")

    async def reach(self, numbers: Sequence[str]) -> Reach:
        """Which of these numbers the agent reaches: 500 to 10,000 of one region, for which the agent needs a `region`."""
        if len(numbers) > _MOST_NUMBERS:
            raise InputError(f"{len(numbers)} numbers, at most {_MOST_NUMBERS} at once", code="input.rbm")
        body = written({"users": [ids.number(each) for each in numbers], "agentId": self.agent_id})
        answer = await self._calls.call("POST", "users:batchGet", {}, body)
        asked = set(numbers)
        return Reach(
            tuple(ids.number(each) for each in _texts(answer.get("reachableUsers")) if each in asked),
            _count(answer.get("totalRandomSampleUserCount")),
            _count(answer.get("reachableRandomSampleUserCount")),
        )

    # --- files -------------------------------------------------------------------------------------------------
    async def upload(self, url: str, thumbnail_url: str = "") -> UploadedFile:
        """Have the platform fetch a file once and keep it; its names are for messages."""
        if not web_url(url) or (thumbnail_url and not web_url(thumbnail_url)):
            raise InputError("a file is at an http or https address", code="input.rbm")
        body = {"fileUrl": url, "agentId": self.agent_id} | ({"thumbnailUrl": thumbnail_url} if thumbnail_url else {})
        answer = await self._calls.call("POST", "files", {}, written(body))
        name, small = answer.get("name"), answer.get("thumbnailName") or ""
        if not isinstance(name, str) or not name or not isinstance(small, str):
            raise TransportError("the platform names no file", code="transport.rbm")
        return UploadedFile(name, small)

    async def _event(self, to: str, body: dict[str, Any]) -> None:
        await self._call("POST", f"{_phone(to)}/agentEvents", {"eventId": self._new_id()}, written(body))

    async def _call(self, method: str, path: str, query: dict[str, str], body: bytes | None = None) -> dict[str, Any]:
        return await self._calls.call(method, path, query | {"agentId": self.agent_id}, body)

    def _new_id(self) -> str:
        return str(uuid.UUID(bytes=self._rng(16), version=4))


def _phone(text: str) -> str:
    return f"phones/{quote(ids.number(text), safe='+')}"


def _id(text: str) -> str:
    return ids.message_id(text)


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _count(value: object) -> int:
    return value if type(value) is int and value >= 0 else 0
