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
_MOST_USER_ID = 256
_NOT_REVOKED = {
    404: ("rbm.delivered", "the phone has it already, or it was never sent: it needs no SMS"),
    400: ("rbm.refused", "the platform does not take this call"),
}
_NOT_COUNTED = {400: ("rbm.refused", "all numbers are of the agent's region: the platform asks for one region a call")}
_NOT_ASKED = {400: ("rbm.refused", "the platform does not take this call")}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a phone can show: names as the platform has them (RICHCARD_STANDALONE, ACTION_DIAL ...), of which a program
    passes over those that it does not know. `carrier` is said of American numbers alone."""

    features: frozenset[str]
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which of many numbers the agent reaches; of a random sample of `sampled`, in all networks, the platform reached
    `sample_reached`. There is a sample of 500 numbers and more."""

    numbers: tuple[Number, ...]
    sampled: int = 0
    sample_reached: int = 0


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A name for `Media.file_name` or `thumbnail_name`, or those of a `LinkedFile`."""

    name: str


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
        self._regional = bool(region or base_url)
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

        With a `message_id` of the caller's, a UUID, sending again is safe across restarts: the platform takes each id of
        an agent once, and passes over what comes later under it, whatever it says and whomever it is for.
        """
        if isinstance(message, str):
            message = BotMessage(message)
        if isinstance(message, BotMessage):
            message = AgentMessage(message)
        body = encode_agent_message(message)
        name = _uuid(message_id) if message_id else self._new_id()
        query = {"messageId": name, "agentId": self.agent_id}
        await self._calls.call("POST", f"{_phone(to)}/agentMessages", query, body)
        return name

    async def revoke(self, to: str, message_id: str) -> None:
        """Take a message back that was not delivered yet. RbmError `rbm.delivered` when it was: it stays there."""
        path = f"{_phone(to)}/agentMessages/{_uuid(message_id)}"
        await self._calls.call("DELETE", path, {"agentId": self.agent_id}, ways=_NOT_REVOKED)

    async def typing(self, to: str) -> None:
        """Show the user that an answer is being written."""
        await self._event(to, {"eventType": "IS_TYPING"})

    async def read(self, to: str, message_id: str) -> None:
        """Tell the user that the agent has read this message. Phones choose the ids of what they send."""
        if not 0 < len(message_id) <= _MOST_USER_ID:
            raise InputError("not the id of a user's message", code="input.message_id")
        await self._event(to, {"eventType": "READ", "messageId": message_id})

    # --- phones ------------------------------------------------------------------------------------------------
    async def capabilities(self, to: str) -> Capabilities:
        """What the phone of this number can show. RbmError `rbm.unreachable` without RCS."""
        query = {"requestId": self._new_id(), "agentId": self.agent_id}
        answer = await self._calls.call("GET", f"{_phone(to)}/capabilities", query, ways=_NOT_ASKED)
        carrier = answer.get("carrier")
        return Capabilities(frozenset(_texts(answer.get("features"))), carrier if isinstance(carrier, str) else "")

    async def reach(self, numbers: Sequence[str]) -> Reach:
        """Which of these numbers the agent reaches: at most 10,000, all of the agent's `region`, which it needs here."""
        if not self._regional:
            raise InputError(
                "the platform counts numbers region by region",
                code="input.rbm",
                hint=f"give the agent a region: {', '.join(_REGIONS)}",
            )
        if len(numbers) > _MOST_NUMBERS:
            raise InputError(f"{len(numbers)} numbers, at most {_MOST_NUMBERS} at once", code="input.rbm")
        body = written({"users": [ids.number(each) for each in numbers], "agentId": self.agent_id})
        answer = await self._calls.call("POST", "users:batchGet", {}, body, ways=_NOT_COUNTED)
        asked = set(numbers)
        return Reach(
            tuple(ids.number(each) for each in _texts(answer.get("reachableUsers")) if each in asked),
            _count(answer.get("totalRandomSampleUserCount")),
            _count(answer.get("reachableRandomSampleUserCount")),
        )

    # --- files -------------------------------------------------------------------------------------------------
    async def upload(self, url: str, thumbnail_url: str = "") -> UploadedFile:
        """Have the platform fetch a file once and keep it for 60 days; its name is for messages. Without a thumbnail the
        platform makes one."""
        if not web_url(url) or (thumbnail_url and not web_url(thumbnail_url)):
            raise InputError("a file is at an http or https address", code="input.rbm")
        body = {"fileUrl": url, "agentId": self.agent_id} | ({"thumbnailUrl": thumbnail_url} if thumbnail_url else {})
        answer = await self._calls.call("POST", "files", {}, written(body), ways=_NOT_ASKED)
        name = answer.get("name")
        if not isinstance(name, str) or not name:
            raise TransportError("the platform names no file", code="transport.rbm")
        return UploadedFile(name)

    async def _event(self, to: str, body: dict[str, Any]) -> None:
        query = {"eventId": self._new_id(), "agentId": self.agent_id}
        await self._calls.call("POST", f"{_phone(to)}/agentEvents", query, written(body), ways=_NOT_ASKED)

    def _new_id(self) -> str:
        return str(uuid.UUID(bytes=self._rng(16), version=4))


def _phone(text: str) -> str:
    return f"phones/{quote(ids.number(text), safe='+')}"


def _uuid(text: str) -> str:
    """As the platform asks for it (RFC 9562), in one form: written otherwise it would be another id."""
    try:
        found = str(uuid.UUID(text))
    except ValueError:
        found = ""
    if found != text.lower():
        raise InputError(
            f"the id of a message is a UUID, not {text[:64]!r}",
            code="input.message_id",
            hint="make one that follows from what you answer: uuid.uuid5",
        )
    return found


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _count(value: object) -> int:
    return value if type(value) is int and value >= 0 else 0
