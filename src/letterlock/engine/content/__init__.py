"""What people write and what devices tell each other, one family a file.

`entity` reads and writes all of them inside the encryption; the same parts are CPIM and MIME in a chat that the user
left unencrypted.
"""

from __future__ import annotations

from ...codec.dates import rfc3339
from .card import Card, Carousel
from .changes import Delete, Edit, Emptied
from .checking import check
from .composing import Typing, encode_typing, read_typing, typing_document
from .entity import (
    ENCRYPTED_ONLY,
    BotContent,
    Change,
    Content,
    Control,
    Entity,
    Sendable,
    ToBot,
    bounded,
    encode,
    encode_text,
    express,
    is_sealed_file,
    names_group,
    parts_of,
    read,
    read_parts,
    with_chat,
    with_heads,
    with_keys,
    without_chat,
    without_heads,
)
from .file import File, FileFormat, pointed
from .group import GROUP_TYPE, REQUEST_TYPE, GroupChange, GroupRequest
from .location import Location
from .parts import Parts, Read, Reference
from .reaction import Reaction
from .receipt import (
    MOST_RECEIPTS,
    Receipt,
    Receipts,
    ResendRequest,
    encode_receipt,
    encode_receipts,
    encode_resend_request,
    read_receipt,
    receipt_document,
)
from .suggestions import DeviceReport, SuggestionResponse, Suggestions
from .text import TEXT_TYPE, Text
from .unknown import Unknown

__all__ = [
    "ENCRYPTED_ONLY",
    "GROUP_TYPE",
    "MOST_RECEIPTS",
    "REQUEST_TYPE",
    "TEXT_TYPE",
    "BotContent",
    "Card",
    "Carousel",
    "Change",
    "Content",
    "Control",
    "Delete",
    "DeviceReport",
    "Edit",
    "Emptied",
    "Entity",
    "File",
    "FileFormat",
    "GroupChange",
    "GroupRequest",
    "Location",
    "Parts",
    "Reaction",
    "Read",
    "Receipt",
    "Receipts",
    "Reference",
    "ResendRequest",
    "Sendable",
    "SuggestionResponse",
    "Suggestions",
    "Text",
    "ToBot",
    "Typing",
    "Unknown",
    "bounded",
    "check",
    "encode",
    "encode_receipt",
    "encode_receipts",
    "encode_resend_request",
    "encode_text",
    "encode_typing",
    "express",
    "is_sealed_file",
    "names_group",
    "parts_of",
    "pointed",
    "read",
    "read_parts",
    "read_receipt",
    "read_typing",
    "receipt_document",
    "rfc3339",
    "typing_document",
    "with_chat",
    "with_heads",
    "with_keys",
    "without_chat",
    "without_heads",
]
