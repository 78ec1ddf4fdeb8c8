"""From Apple's contents to ours, and on their way with the id that the application has chosen."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from .. import ids
from ..client import Client, Conversation
from ..codec.chatbot import model
from ..engine.content import DeviceReport, File, Location, Reaction, Reference, Sendable, Text
from ..engine.content import SuggestionResponse as Tapped
from ..engine.policy import PlainOption
from ..engine.security import Security
from ..errors import InputError, NotEncrypted
from ..version import __version__
from . import messages
from .business import BusinessCard, BusinessCardCarousel, SuggestionResponse, suggestion_of
from .errors import unsupported
from .files import file_of
from .handles import RCSURI, RCSGroupHandle, RCSHandle, RCSMessageID, bot_of, chat_of
from .messages import (
    AddEmoji,
    ComposingIndicator,
    ComposingState,
    Disposition,
    DispositionNotification,
    FileTransfer,
    GeolocationPush,
    RCSContent,
    RemoveEmoji,
    Reply,
)

__all__ = ["answer", "dispose", "must_be_encrypted", "post", "say_composing", "sendable", "tell_device"]

_ANSWER_SECONDS = 5.0
"""For the directory to say whether there are keys; after that the message waits in its chat."""


def sendable(content: RCSContent) -> Sendable:
    """The content as ours. Raises InputError."""
    match content:
        case messages.Text(body):
            return Text(body)
        case Reply(target, messages.Text(body)):
            return Text(body, Reference(ids.message_id(target)))
        case messages.Reaction(target, AddEmoji(emoji)):
            return Reaction(Reference(ids.message_id(target)), emoji)
        case messages.Reaction(target, RemoveEmoji(emoji)):
            return Reaction(Reference(ids.message_id(target)), emoji, remove=True)
        case GeolocationPush():
            return Location(content.latitude, content.longitude, content.description or "")
        case FileTransfer():
            return _file(content)
        case Reply(target, FileTransfer() as file):
            return replace(_file(file), reply_to=Reference(ids.message_id(target)))
        case Reply():
            raise unsupported("only a text or a file can answer a message")
        case BusinessCard() | BusinessCardCarousel():
            raise unsupported("cards are sent by businesses")
        case _:
            raise unsupported("this cannot be sent as a message")


def must_be_encrypted(content: RCSContent) -> bool:
    """Whether the application demands it. Of an answer its inner content says so."""
    if isinstance(content, Reply):
        return content.content.is_end_to_end_encrypted
    return not isinstance(content, BusinessCard | BusinessCardCarousel) and content.is_end_to_end_encrypted


async def post(
    client: Client,
    conversation: Conversation,
    content: Sendable,
    message_id: RCSMessageID,
    encrypted: bool,
    decision: PlainOption | None = None,
) -> None:
    """Send under this id. Raises NotEncrypted, with what the user may choose where there is such a choice (SR-01)."""
    if encrypted and decision is not None:
        raise InputError("either encrypted, or unencrypted by decision", code="input.allow")
    if decision is None and conversation.security is Security.PLAIN_SMS:
        # By the user's choice what is written here goes by SMS, which is another service.
        state = Security.PLAIN_SMS
        options = () if encrypted else tuple(await conversation.options())
        raise NotEncrypted("not sent: this chat goes by SMS", reason=state.value, options=options)
    if decision is not None and decision.name != "plain-rcs":
        raise InputError("this decision is for SMS", code="input.allow", hint="SMSService.send_message takes it")
    if decision is not None:
        await conversation.send_content(content, allow=decision, message_id=message_id)
        return
    try:
        await conversation.send_content(content, wait=False, message_id=message_id, only_encrypted=encrypted)
        return
    except NotEncrypted as error:
        if error.reason != Security.CHECKING.value:
            raise
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ANSWER_SECONDS):
            await client.settled()
    await conversation.send_content(content, message_id=message_id, only_encrypted=encrypted)


async def answer(client: Client, response: SuggestionResponse, decision: PlainOption | None) -> None:
    """The two texts of a suggestion go back as they came. What an action asks for is the application's to do, and the
    user's to decide (SR-14)."""
    tapped, address = suggestion_of(response.suggestion), bot_of(response.destination)
    original = Reference(ids.message_id(response.originating_message_id), address)
    said = Tapped(tapped.text, tapped.postback, isinstance(tapped, model.Action), original)
    bot = await client.bot(address)
    await post(client, bot, said, response.message_id, encrypted=False, decision=decision)


async def tell_device(client: Client, to: RCSURI, message_id: RCSMessageID, decision: PlainOption | None) -> None:
    """What a business may know of the device when the user agrees: our name and version, and nothing of the machine."""
    report = DeviceReport(model.DeviceData(client_vendor="Letterlock", client_version=__version__))
    await post(client, await client.bot(bot_of(to)), report, message_id, encrypted=False, decision=decision)


async def say_composing(client: Client, content: ComposingIndicator, to: RCSHandle) -> None:
    """Tell that the user types. It is said encrypted wherever the chat is, and not at all in groups."""
    if isinstance(to, RCSGroupHandle):
        raise unsupported("typing is not told in groups")
    chat = await client.chat(chat_of(to))
    if content.is_end_to_end_encrypted and not chat.security.encrypted:
        raise _not_encrypted(chat.security)
    await chat.typing(content.state is ComposingState.ACTIVE)


async def dispose(client: Client, content: DispositionNotification, where: RCSHandle) -> None:
    """Tell the author of a message. That it was delivered has been said when it came."""
    if content.disposition is Disposition.DELIVERED:
        return
    if content.disposition is not Disposition.DISPLAYED:
        raise unsupported("what could not be read is said by itself, and asked for again")
    conversation = await client.conversation(chat_of(where))
    found = await conversation.find(content.disposed_message_id)
    theirs = [view for view in found if not view.mine]
    if not theirs:
        raise InputError("there is no such message", code="input.target")
    if content.is_end_to_end_encrypted and not all(view.encrypted for view in theirs):
        raise _not_encrypted(conversation.security)
    await conversation.mark_displayed(ids.message_id(content.disposed_message_id))


def _file(content: FileTransfer) -> File:
    file, thumbnail = file_of(content.file_metadata)
    if thumbnail:
        raise InputError("a thumbnail is no file by itself", code="input.file")
    # What came as an answer answers nothing when it is sent on.
    return replace(file, reply_to=None)


def _not_encrypted(state: Security) -> NotEncrypted:
    """What is demanded of a chat that the user left unencrypted."""
    return NotEncrypted("not sent: this chat is not encrypted", reason=state.value)
