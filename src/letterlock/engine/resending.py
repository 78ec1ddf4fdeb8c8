"""A message of ours that failed is sent again: the same content as a new message, by the rules of sending."""

from __future__ import annotations

from dataclasses import replace

from ..errors import InputError
from ..ids import ChatName, MessageId
from ..seam import State
from .content import File, Location, Reference, Sendable, SuggestionResponse, Text
from .history_records import Failure, failure_key
from .record_values import Status
from .view import MessageView

__all__ = ["content_again", "superseded"]

_FAILED = (Status.FAILED, Status.EXPIRED)


def content_again(state: State, chat: ChatName, found: tuple[MessageView, ...]) -> Sendable:
    """What is to be sent once more. Raises InputError (`input.resend`): not ours, has not failed, was sent again."""
    shown = next((each for each in found if each.mine), None)
    if shown is None:
        raise _refused("no message of yours with this id in this chat")
    if shown.status not in _FAILED:
        raise _refused("this message has not failed")
    if shown.superseded_by:
        raise _refused("this message was sent again already")
    content = shown.content
    if not isinstance(content, Text | File | Location | SuggestionResponse):
        raise _refused("this message cannot be sent again")  # deleted ones, too: nothing of them is left
    if isinstance(content, Text | File) and shown.reply is not None:
        # What it answered may be gone by now; what was said is worth more than that.
        gone = shown.reply.missing or shown.reply.deleted
        return replace(content, reply_to=None if gone else Reference(shown.reply.message_id))
    return content


def superseded(state: State, message_id: MessageId, by: MessageId) -> Failure:
    """What is known of the failed message, with the one that came in its place."""
    return replace(state.get(failure_key(message_id)) or Failure(), superseded_by=by)


def _refused(why: str) -> InputError:
    return InputError(why, code="input.resend", hint="write it again, or send it again once it has failed")
