"""SMSService: texts by SMS, by the user's decision alone (SR-01). They are never end-to-end encrypted."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import NewType

from .. import ids
from ..carriage import Medium
from ..client import Client
from ..engine.content import Text
from ..engine.events import MessageReceived, Recorded, SmsFromUnknownSender
from ..engine.policy import PlainOption
from ..engine.security import Security
from ..errors import InputError, NotEncrypted
from .errors import sms_errors, unsupported
from .handles import CellularServiceID
from .streams import follow

__all__ = [
    "SMSContent",
    "SMSHandle",
    "SMSIncomingMessageNotification",
    "SMSMessage",
    "SMSMessageID",
    "SMSService",
]

SMSMessageID = NewType("SMSMessageID", int)
"""0 to 2**32 - 1, chosen by the application for what it sends, each for a single message."""


@dataclass(frozen=True, slots=True)
class SMSHandle:
    """A number; of what has come perhaps a name or short code, which nobody vouches for."""

    phone_number: str


@dataclass(frozen=True, slots=True)
class SMSContent:
    """A text."""

    body: str


@dataclass(frozen=True, slots=True)
class SMSMessage:
    """One message, of whatever number of parts."""

    cellular_service_id: CellularServiceID
    handle: SMSHandle
    message_id: SMSMessageID
    content: SMSContent


@dataclass(frozen=True, slots=True)
class SMSIncomingMessageNotification:
    """One that has come."""

    message: SMSMessage


class SMSService:
    """SMS on the line of a session. Raises SMSError, and SessionError when the session is closed."""

    def __init__(self, client: Client, line: CellularServiceID) -> None:
        self._client = client
        self._line = line

    async def is_viable(self, service_id: CellularServiceID) -> bool:
        """Whether this profile has an account for SMS."""
        with sms_errors():
            return service_id == self._line and await self._client.carried(Medium.SMS)

    async def send_message(self, message: SMSMessage, *, plaintext_decision: PlainOption | None = None) -> None:
        """Send by SMS, if the user has chosen that for this chat: by `plaintext_decision`, an option of the error that is
        raised otherwise, or with an earlier message. An encrypted chat has no such option."""
        with sms_errors():
            if message.cellular_service_id != self._line:
                raise InputError("not a line of this session", code="input.line")
            if not 0 <= message.message_id < 1 << 32:
                raise InputError("ids of SMS have 32 bits", code="input.message_id")
            chat = await self._client.chat(ids.number(message.handle.phone_number))
            if plaintext_decision is None and chat.security is not Security.PLAIN_SMS:
                await self._client.settled()
                options = tuple(option for option in await chat.options() if option.name == "plain-sms")
                raise NotEncrypted(
                    "not sent: nobody has chosen SMS for this chat", reason=chat.security.value, options=options
                )
            if plaintext_decision is not None and plaintext_decision.name != "plain-sms":
                raise InputError("this decision is for RCS", code="input.allow")
            text = Text(message.content.body)
            await chat.send_content(text, allow=plaintext_decision, message_id=f"sms.{message.message_id}")

    def incoming_message_notifications(self) -> AsyncGenerator[SMSIncomingMessageNotification, None]:
        """What has come by SMS, from where the application was."""

        async def told(recorded: Recorded) -> SMSIncomingMessageNotification | None:
            match recorded.event:
                case MessageReceived(medium="sms", text=str(text)) as event:
                    return self._told(event.chat, event.message_id, text)
                case SmsFromUnknownSender() as event:
                    return self._told(event.sender, event.message_id, event.text)
                case _:
                    return None

        return follow(self._client, "telephony.sms", told, sms_errors)

    async def report_spam(self, message: SMSMessage) -> None:
        """NOT_SUPPORTED."""
        with sms_errors():
            raise unsupported("there is nobody to report spam to")

    def _told(self, sender: str, message_id: str, text: str) -> SMSIncomingMessageNotification:
        # What SMSCs and we call a message has more than 32 bits; of an id that has come nothing is asked for again.
        short = SMSMessageID(int.from_bytes(hashlib.sha256(message_id.encode()).digest()[:4], "big"))
        return SMSIncomingMessageNotification(SMSMessage(self._line, SMSHandle(sender), short, SMSContent(text)))
