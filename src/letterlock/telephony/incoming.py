"""What has come, as Apple tells it: messages of others, and what has become of ours.

What has no place there is left out: messages that cannot be read or are of an unknown kind, deletions, and everything
that is told of keys and trust. An edit is a message that stands for the one whose text it replaces (`original_id`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..carriage import Medium
from ..client import Client
from ..engine.content import Card, Carousel, Content, File, Location, Suggestions
from ..engine.events import (
    MessageDelivered,
    MessageDisplayed,
    MessageEdited,
    MessageExpired,
    MessageFailed,
    MessageReceived,
    MessageResent,
    ReactionChanged,
    Recorded,
    TypingChanged,
)
from ..engine.view import MessageView
from ..ids import ChatName, GroupName, MessageId, group_of
from .business import Suggestion, card_of, carousel_of, suggestions_of
from .dates import date_of
from .files import metadata_of
from .handles import CellularServiceID, RCSGroupContext, RCSMessageID, group_handle, handle_of
from .messages import (
    AddEmoji,
    ComposingIndicator,
    ComposingState,
    Disposition,
    DispositionNotification,
    FileTransfer,
    GeolocationPush,
    RCSContent,
    RCSMessage,
    Reaction,
    RemoveEmoji,
    Reply,
    Text,
)

__all__ = ["IncomingMessageNotification", "notification"]


@dataclass(frozen=True, slots=True)
class IncomingMessageNotification:
    """One message. `group_context` is there where it was said in a group. `requested_dispositions` are those that the
    application sends: that a message was delivered is said by itself, and whether its author hears that it was displayed
    is the user's setting and the author's wish."""

    message: RCSMessage
    group_context: RCSGroupContext | None = None
    suggestions: tuple[Suggestion, ...] = ()
    requested_dispositions: tuple[Disposition, ...] = ()


async def notification(
    client: Client, line: CellularServiceID, recorded: Recorded
) -> IncomingMessageNotification | None:
    """An event of ours as a notification; None for what is none there."""
    event = recorded.event
    match event:
        case MessageReceived(medium="rcs"):
            view = await _view(client, event.chat, event.message_id, event.order)
            content = None if view is None else _content(view)
            if content is None:
                return None
            sender = event.sender or event.chat
            told = _told(line, event.chat, sender, event.message_id, content, asks=(Disposition.DISPLAYED,))
            return told if view is None else replace(told, suggestions=_chips(view.content))
        case MessageEdited() if event.text is not None and event.sender != client.number:
            text = Text(event.text, event.encrypted)
            return _told(line, event.chat, event.sender, event.change_id, text, event.message_id)
        case ReactionChanged() if event.sender != client.number:
            operation = RemoveEmoji(event.emoji) if event.removed else AddEmoji(event.emoji)
            mark = Reaction(RCSMessageID(event.message_id), operation, event.encrypted)
            return _told(line, event.chat, event.sender, event.change_id, mark)
        case TypingChanged():
            state = ComposingState.ACTIVE if event.active else ComposingState.IDLE
            typing = ComposingIndicator(state, date_of(recorded.at), is_end_to_end_encrypted=event.encrypted)
            return _told(line, event.chat, event.chat, "", typing)
        case MessageDelivered() | MessageDisplayed() | MessageFailed() | MessageExpired() | MessageResent():
            word = DispositionNotification(
                await _disposition(client, event), RCSMessageID(event.message_id), _authenticated(event)
            )
            return _told(line, event.chat, event.member or event.chat, "", word)
        case _:
            return None


_Outcome = MessageDelivered | MessageDisplayed | MessageFailed | MessageExpired | MessageResent


async def _disposition(client: Client, event: _Outcome) -> Disposition:
    if isinstance(event, MessageResent):
        # Its reader has asked for it again, and it was encrypted again.
        return Disposition.DELIVERY_FAILED_DUE_TO_DECRYPTION_FAILURE
    if isinstance(event, MessageDisplayed):
        return Disposition.DISPLAYED
    delivered = isinstance(event, MessageDelivered)
    if not _authenticated(event) and await _went_by_sms(client, event):
        return Disposition.INTERWORKING_DELIVERED if delivered else Disposition.INTERWORKING_FAILED
    return Disposition.DELIVERED if delivered else Disposition.DELIVERY_FAILED


def _authenticated(event: _Outcome) -> bool:
    """Whether a reader said so inside the encryption: no network can forge that (SR-05)."""
    match event:
        case MessageDelivered() | MessageDisplayed():
            return event.authenticated
        case MessageResent():
            return True
        case _:
            return False


async def _went_by_sms(client: Client, event: _Outcome) -> bool:
    found = await client.ask(lambda profile: profile.find(event.chat, event.message_id))
    return any(view.mine and view.medium is Medium.SMS for view in found)


async def _view(client: Client, chat: ChatName, message_id: MessageId, order: str) -> MessageView | None:
    found = await client.ask(lambda profile: profile.find(chat, message_id))
    return next((view for view in found if view.order == order), None)


def _content(view: MessageView) -> RCSContent | None:
    """What a message says now; None for what Apple has no kind for, and for what was deleted."""
    match view.content:
        case Card(card):
            return card_of(card)
        case Carousel(carousel):
            return carousel_of(carousel)
    # Below suggestions stands the message itself, which may be none.
    shown = view.content.beside if isinstance(view.content, Suggestions) else view.content
    content: Text | FileTransfer | GeolocationPush
    match shown:
        case Location() as place:
            content = GeolocationPush(place.latitude, place.longitude, place.label or None, view.encrypted)
        case File() as file:
            content = FileTransfer(*metadata_of(file), view.encrypted)
        case _ if view.text is not None:
            content = Text(view.text, view.encrypted)
        case None if isinstance(view.content, Suggestions):
            content = Text("", view.encrypted)
        case _:
            return None
    return content if view.reply is None else Reply(RCSMessageID(view.reply.message_id), content)


def _chips(content: Content | None) -> tuple[Suggestion, ...]:
    """Those below a message; those on a card stand on it."""
    return suggestions_of(content.chips) if isinstance(content, Card | Carousel | Suggestions) else ()


def _told(
    line: CellularServiceID,
    chat: ChatName,
    sender: str,
    message_id: str,
    content: RCSContent,
    original: str = "",
    asks: tuple[Disposition, ...] = (),
) -> IncomingMessageNotification:
    context = None if group_of(chat) is None else RCSGroupContext(group_handle(GroupName(chat)), True)
    message = RCSMessage(
        RCSMessageID(message_id), content, handle_of(sender), line, RCSMessageID(original) if original else None
    )
    return IncomingMessageNotification(message, context, (), asks)
