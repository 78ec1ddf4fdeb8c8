"""Cards and carousels of chatbots (docs/chatbots.md): what is on them is shown, and nothing of it happens by itself.

Their media lie where the bot says, so fetching them would tell it who reads when: that is the user's to ask for (SR-14).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...codec.chatbot import maap
from ...codec.chatbot import model as bot
from ...codec.chatbot.limits import ChatbotLimits
from ...codec.chatbot.model import Media, Suggestion
from .parts import Read

__all__ = ["CARD_TYPE", "CHATBOT_LIMITS", "Card", "Carousel", "read_card"]

CARD_TYPE = maap.MESSAGE_TYPE
CHATBOT_LIMITS = ChatbotLimits(
    max_body=256 * 1024,
    max_depth=16,
    max_cards=12,
    max_chips=32,
    max_label=200,
    max_postback=4_096,
    max_title=400,
    max_description=4_000,
    max_url=2_048,
)
"""Wider than what may be sent (codec/chatbot/checking.py): platforms differ, and nothing is gained by refusing."""


@dataclass(frozen=True, slots=True)
class Card:
    """A rich card, and the suggestions below it."""

    card: bot.Card
    chips: tuple[Suggestion, ...] = ()

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """All that the user may tap, those on the card first. The number of one is its place here, from 1."""
        return (*self.card.content.suggestions, *self.chips)

    @property
    def media(self) -> tuple[Media, ...]:
        """What may be fetched when the user asks for it, in its order."""
        return (self.card.content.media,) if self.card.content.media is not None else ()


@dataclass(frozen=True, slots=True)
class Carousel:
    """Cards side by side, and the suggestions below them."""

    carousel: bot.Carousel
    chips: tuple[Suggestion, ...] = ()

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """As of a Card, card by card."""
        return (*(each for card in self.carousel.cards for each in card.suggestions), *self.chips)

    @property
    def media(self) -> tuple[Media, ...]:
        """As of a Card."""
        return tuple(card.media for card in self.carousel.cards if card.media is not None)


def read_card(read: Read, chips: tuple[Suggestion, ...] = ()) -> Card | Carousel:
    """Raises DecodeError."""
    found = maap.decode_message(read.body, CHATBOT_LIMITS)
    return Card(found, chips) if isinstance(found, bot.Card) else Carousel(found, chips)
