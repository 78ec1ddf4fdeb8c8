"""One conversation with one number, as the user of the library sees it."""

from __future__ import annotations

from ..engine.policy import PlainOption
from ..errors import InputError
from ..ids import Number
from ..trust import SecurityCode
from .asks import Asks
from .conversation import Conversation
from .history import FreshCode

__all__ = ["Chat"]


class Chat(Conversation):
    """The conversation with one number. Get it from `Client.chat`."""

    __slots__ = ("number",)

    def __init__(self, number: Number, asks: Asks) -> None:
        super().__init__(number, asks)
        self.number = number

    async def capabilities(self, *, fresh: bool = False) -> tuple[str, ...] | None:
        """What the carrier says that the contact's phones can do: names of RCS services as `oma.cpm.session`, and
        `rcc16` where their tags say so; none for a number without RCS, None when nobody knows now. Kept for a day; `fresh` asks all the same.

        A hint that anybody on the way can change: it never decides about encryption (SR-02). Raises TransportError.
        """
        return await self._asks.ask(lambda profile: profile.capabilities(self.number, fresh))

    async def release(self, allow: PlainOption) -> int:
        """Send the messages that wait for keys unencrypted, by the user's decision; how many there were (SR-01)."""
        return await self._asks.ask(lambda profile: profile.release(self.number, allow))

    async def typing(self, active: bool = True) -> None:
        """Tell the contact that the user is typing: encrypted, or as the user left the chat."""
        await self._asks.ask(lambda profile: profile.typing(self.number, active))

    # --- trust ---------------------------------------------------------------------------------------------
    async def security_code(self) -> SecurityCode:
        """Sixty digits, and bytes for a QR code, to compare with the contact. Raises InputError before keys are known."""
        return await self._asks.ask(lambda profile: profile.security_code(self.number))

    async def fresh_code(self, *, patience: float = 10.0) -> FreshCode:
        """The same after both sides' keys were asked for again, for at most `patience` seconds: what is shown is compared
        with what the directory says now. Raises InputError before keys are known."""
        return await self._asks.ask(lambda profile: profile.fresh_code(self.number, patience))

    async def withdraw(self) -> None:
        """The user no longer vouches for the contact's keys: the chat is encrypted, and not verified any more. Raises
        InputError before keys are known."""
        await self._asks.ask(lambda profile: profile.withdraw(self.number))

    async def verify(self, *, scanned: bytes | None = None, last_group: str | None = None) -> None:
        """The user has compared codes: give what was scanned, or the last group of five digits that the contact read out.

        Raises TrustRequired (`trust.code_differs`) when it is not the same, or the contact's keys changed meanwhile.
        """
        if (scanned is None) == (last_group is None):
            raise InputError("give what was scanned, or the last group of digits", code="input.verify")
        await self._asks.ask(lambda profile: profile.verify(self.number, scanned, last_group))

    async def accept_keys(self) -> None:
        """The user goes on with the contact's new keys without comparing ("send anyway")."""
        await self._asks.ask(lambda profile: profile.accept_keys(self.number))
