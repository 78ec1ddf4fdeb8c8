"""One conversation with a chatbot: as with a number, but for its suggestions, and never encrypted."""

from __future__ import annotations

from ..codec.chatbot.model import Action, DeviceData, Suggestion
from ..engine.content import BotContent, DeviceReport, Reference, SuggestionResponse
from ..engine.policy import PlainOption
from ..errors import InputError
from ..ids import BotAddress, MessageId, message_id
from .asks import Asks
from .conversation import Conversation

__all__ = ["BotChat"]


class BotChat(Conversation):
    """The conversation with a chatbot. Get it from `Client.bot`.

    Nothing here is encrypted, ever: the business, its platform and the carriers read it, and the bot sees this number.
    The first send raises NotEncrypted, as in every chat that is not; its option is the user's decision (SR-01).
    """

    __slots__ = ("address",)

    def __init__(self, address: BotAddress, asks: Asks) -> None:
        super().__init__(address, asks)
        self.address = address

    async def suggestions(self, message: str) -> tuple[Suggestion, ...]:
        """What may be tapped at a message of the bot; the number of one is its place, from 1. Raises InputError."""
        return (await self._tappable(message)).suggestions

    async def answer(self, message: str, number: int, *, allow: PlainOption | None = None) -> MessageId:
        """Tap a suggestion: the bot gets back what stands on it and its postback, exactly as they came.

        That is all that happens. What an action asks of a phone (to dial, to open a page, to make a calendar entry) is
        the caller's to do, and the user's to decide; a place for `ShareLocation` goes with `send_location`, and what
        `DeviceSpecifics` asks for with `tell_device`. Raises InputError (`input.suggestion`), and as `send` does.
        """
        suggestions = (await self._tappable(message)).suggestions
        if not 1 <= number <= len(suggestions):
            raise InputError(
                f"there is no suggestion {number} at this message",
                code="input.suggestion",
                hint=f"it has {len(suggestions)}: letterlock chats {self.address}",
            )
        tapped = suggestions[number - 1]
        response = SuggestionResponse(
            tapped.text, tapped.postback, isinstance(tapped, Action), Reference(message_id(message), self.address)
        )
        return await self._send(response, allow, True)

    async def tell_device(self, device: DeviceData, *, allow: PlainOption | None = None) -> MessageId:
        """Tell the bot about this device, as it asked with `DeviceSpecifics` and the user agreed."""
        return await self._send(DeviceReport(device), allow, True)

    async def _tappable(self, message: str) -> BotContent:
        found = [each.content for each in await self.find(message) if not each.mine]
        content = next((each for each in found if isinstance(each, BotContent)), None)
        if content is None:
            raise InputError("this message suggests nothing", code="input.suggestion")
        return content
