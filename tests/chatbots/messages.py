"""One of everything that a chatbot can send."""

from __future__ import annotations

from letterlock.codec.chatbot import model as m
from letterlock.engine.content.card import CHATBOT_LIMITS as LIMITS
from letterlock.ids import Number

__all__ = ["ACTIONS", "CARD", "CAROUSEL", "CHIPS", "COMMON", "LIMITS", "MAAP_ONLY", "MEDIA", "SHOP"]

SHOP = Number("+15550190")

COMMON: tuple[m.ActionKind, ...] = (
    m.OpenUrl("https://shop.example/a?b=1#c", m.Application.WEBVIEW, m.View.HALF),
    m.OpenUrl("http://shop.example"),
    m.Dial(SHOP),
    m.ViewLocation(48.25, -16.5, "the shop"),
    m.ViewLocation(0.0, 0.0),
    m.ViewLocation(query="shops near me"),
    m.ShareLocation(),
    m.CalendarEvent(1_796_000_000_000, 1_796_003_600_000, "Fitting", "Bring the shoes"),
    m.ComposeText(SHOP, "I would like"),
    m.ComposeRecording(SHOP, m.Recording.VIDEO),
    m.ComposeRecording(SHOP, m.Recording.AUDIO),
)
"""What both forms have."""
MAAP_ONLY: tuple[m.ActionKind, ...] = (
    m.VideoCall(SHOP),
    m.EnrichedCall(SHOP, "my order"),
    m.DeviceSpecifics(),
    m.DisableAnonymization(),
    m.EnableDisplayed(),
)
ACTIONS = (*COMMON, *MAAP_ONLY)

MEDIA = m.Media(
    m.Height.MEDIUM,
    "https://shop.example/shoe.png",
    "image/png",
    12_345,
    "https://shop.example/small.png",
    "image/png",
    99,
    "a shoe",
)
CHIPS: tuple[m.Suggestion, ...] = (
    m.Reply("Yes, please", "order:7:yes"),
    m.Action("Our page", "order:7:page", m.OpenUrl("https://shop.example/7")),
)
CARD = m.Card(
    m.CardContent(
        "Seat 4A", "By the window.\nForward cabin.", MEDIA, (m.Reply("Keep", "keep"), m.Reply("Change", "c"))
    ),
    m.Orientation.HORIZONTAL,
    m.ImageAlignment.RIGHT,
    m.Fonts((m.FontStyle.BOLD,), (m.FontStyle.ITALICS, m.FontStyle.UNDERLINE)),
)
CAROUSEL = m.Carousel(
    (
        m.CardContent("Red", "size 42", MEDIA, (m.Reply("Take red", "take:red"),)),
        m.CardContent("Blue", media=MEDIA, suggestions=(m.Action("Call us", "call", m.Dial(SHOP)),)),
        m.CardContent(description="neither"),
    ),
    m.Width.SMALL,
)
