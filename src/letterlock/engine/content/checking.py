"""What a user may send: the bounds of every field (SR-08). Text is data, whatever Unicode it holds."""

from __future__ import annotations

from dataclasses import replace

from ...codec.chatbot.checking import check_response
from ...codec.chatbot.model import SuggestionResponse as Said
from ...errors import InputError, InvalidRcc16
from ...files.pointer import encode_pointer
from ...rcc16.files import check_descriptor
from ..limits import EngineLimits
from .changes import Delete, Edit
from .entity import Sendable
from .file import FILE_LIMITS, File, pointed
from .location import Location
from .reaction import Reaction
from .suggestions import DeviceReport, SuggestionResponse
from .text import Text

__all__ = ["check"]


def check(content: Sendable, limits: EngineLimits) -> None:
    """Raises InputError."""
    match content:
        case Text() | Edit():
            _text(content.text, limits)
        case Reaction():
            if not content.emoji or _size(content.emoji) > limits.max_emoji or content.emoji != content.emoji.strip():
                raise InputError("a reaction is one emoji", code="input.emoji")
        case Location():
            if _size(content.label) > limits.max_label:
                raise InputError(f"a label has at most {limits.max_label} bytes", code="input.label")
            # NaN compares as false, so it is refused too.
            if not (
                abs(content.latitude) <= 90 and abs(content.longitude) <= 180 and 0 <= content.radius <= 40_000_000
            ):
                raise InputError(
                    "not a place on earth",
                    code="input.location",
                    hint="latitude is -90 to 90, longitude -180 to 180, radius in metres",
                )
        case File():
            _file(content)
        case SuggestionResponse():
            check_response(Said(content.text, content.postback))
        case DeviceReport():
            device = content.device
            for text in (device.model, device.platform_version, device.client_vendor, device.client_version):
                if _size(text) > limits.max_label:
                    raise InputError(f"a name has at most {limits.max_label} bytes", code="input.chatbot")
        case Delete():
            pass


def _text(text: str, limits: EngineLimits) -> None:
    if not text:
        raise InputError("an empty message", code="input.text_empty")
    size = _size(text)
    if size > limits.max_text:
        raise InputError(f"text of {size} bytes, at most {limits.max_text} allowed", code="input.text_size")


def _file(file: File) -> None:
    if file.pointer is not None:
        encode_pointer(file.pointer)
        if replace(file, reply_to=None) != pointed(file.pointer):
            raise InputError("the file is another one than its pointer's", code="input.file")
        return
    for pointer in (file.file, *((file.thumbnail,) if file.thumbnail else ())):
        url = pointer.url
        if not url.startswith(("https://", "http://")) or not url.isascii() or not url.isprintable() or " " in url:
            raise InputError("not the address of a file", code="input.url")
        if len(url) > FILE_LIMITS.max_url or _size(pointer.name) > FILE_LIMITS.max_name or pointer.size < 0:
            raise InputError("the address or name of a file is too long", code="input.file")
        if not pointer.content_type or not pointer.content_type.isprintable() or len(pointer.content_type) > 127:
            raise InputError("not a media type", code="input.file")
    if len(file.digest) > 128 or not file.digest.isascii() or (file.digest and not file.digest.isprintable()):
        raise InputError("not a digest", code="input.file")
    if file.sealed is None:
        return
    try:
        check_descriptor(file.file)
    except InvalidRcc16:
        raise InputError(
            "the document of an encrypted file says what the file is called", code="input.file_name"
        ) from None
    for metadata in (file.sealed, *((file.sealed_thumbnail,) if file.sealed_thumbnail else ())):
        if not metadata.name or _size(metadata.name) > FILE_LIMITS.max_name:
            raise InputError("the name of a file has 1 to 255 bytes", code="input.file")


def _size(text: str) -> int:
    # A lone surrogate cannot be written as UTF-8; better here than in the middle of a step.
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InputError("the text is not valid Unicode", code="input.text_unicode") from None
