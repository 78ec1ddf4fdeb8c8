"""The documents of file transfer over HTTP (RCC.07 as read in rcs.md 2.6): what was uploaded, and how far an upload got.

`application/vnd.gsma.rcs-ft-http+xml` names a file and perhaps a thumbnail, each with size, type, address and time of
expiry; it travels from the content server to the sender and in a message to the receiver. `file-resume-info` answers
`get_upload_info`. Everything in them is the word of a stranger: names and addresses are kept as data and nothing here
decides what may be opened or fetched (SR-14). Elements that we do not know are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import DecodeError, InputError, LimitExceeded
from ..ids import Instant
from .xml import Element, XmlLimits, decode_xml, escape, escape_attribute

__all__ = [
    "MEDIA_TYPE",
    "FileDocument",
    "FileLimits",
    "RemoteFile",
    "ResumeInfo",
    "decode_file",
    "decode_resume_info",
    "encode_file",
    "encode_resume_info",
    "given_media_type",
    "instant_of",
    "iso8601",
    "media_type",
]

MEDIA_TYPE = "application/vnd.gsma.rcs-ft-http+xml"
"""Of the file document in a message."""

_NAMESPACE = "urn:gsma:params:xml:ns:rcs:rcs:fthttp"
_MEDIA_NAMESPACE = "urn:gsma:params:xml:ns:rcs:rcs:rram"
_RESUME_NAMESPACE = "urn:gsma:params:xml:ns:rcs:rcs:fthttpresume"

_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,63}/[A-Za-z0-9!#$&^_.+-]{1,63}", re.ASCII)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,9}))?"
    r"(?:(Z)|([+-])([0-9]{2}):?([0-9]{2}))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Bounds, checked before a value is kept (SR-08). Lengths are in characters."""

    xml: XmlLimits
    max_file_size: int
    max_name: int
    max_url: int


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file at a content server. `until` None: the document does not say. `name` is empty for a thumbnail.

    The address is all that anybody needs to fetch it: it stands in no `repr` (SR-10).
    """

    size: int
    content_type: str
    url: str = field(repr=False)
    until: Instant | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class FileDocument:
    """A file, perhaps its thumbnail; `render` asks to play it in place, for a voice message of `playing_seconds`."""

    file: RemoteFile
    thumbnail: RemoteFile | None = None
    render: bool = False
    playing_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class ResumeInfo:
    """The bytes `start` to `end`, both included, have arrived; the rest goes to `url` by PUT."""

    start: int
    end: int
    url: str = field(repr=False)


# --- the file document ---------------------------------------------------------------------------------------
def encode_file(document: FileDocument) -> bytes:
    """The document."""
    parts = []
    if document.thumbnail is not None:
        parts.append(_encode_info("thumbnail", document.thumbnail))
    disposition = f' file-disposition="{"render" if document.render else "attach"}"'
    length = document.playing_seconds
    playing = "" if length is None else f"<am:playing-length>{length}</am:playing-length>"
    parts.append(_encode_info("file", document.file, disposition, playing))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<file xmlns="{_NAMESPACE}" xmlns:am="{_MEDIA_NAMESPACE}">'
        f"{''.join(parts)}</file>"
    ).encode()


def _encode_info(kind: str, file: RemoteFile, disposition: str = "", playing: str = "") -> str:
    name = f"<file-name>{escape(file.name)}</file-name>" if file.name else ""
    until = "" if file.until is None else f' until="{iso8601(file.until)}"'
    return (
        f'<file-info type="{kind}"{disposition}><file-size>{file.size}</file-size>{name}'
        f"<content-type>{escape(file.content_type)}</content-type>{playing}"
        f'<data url="{escape_attribute(file.url)}"{until}/></file-info>'
    )


def decode_file(data: bytes, limits: FileLimits) -> FileDocument:
    """Read a document. Raises DecodeError, LimitExceeded."""
    root = decode_xml(data, limits.xml)
    # Some peers write the document without its namespace.
    if root.name != "file" or root.namespace not in (_NAMESPACE, ""):
        raise DecodeError("not a file document", code="fthttp.root")
    infos: dict[str, Element] = {}
    for child in root.children:
        kind = child.attribute("type")
        if child.name == "file-info" and kind in ("file", "thumbnail"):
            if kind in infos:
                raise DecodeError(f"more than one {kind}", code="fthttp.repeated")
            infos[kind] = child
    if "file" not in infos:
        raise DecodeError("a document without its file", code="fthttp.file")
    main = infos["file"]
    thumbnail = infos.get("thumbnail")
    return FileDocument(
        _decode_info(main, limits),
        None if thumbnail is None else _decode_info(thumbnail, limits),
        main.attribute("file-disposition") == "render",
        _playing_length(main),
    )


def _decode_info(info: Element, limits: FileLimits) -> RemoteFile:
    size = _number(info.child_text("file-size"), "fthttp.size")
    if size > limits.max_file_size:
        raise LimitExceeded(f"a file of {size} bytes, at most {limits.max_file_size} allowed", code="fthttp.limit")
    data = info.child("data")
    url = "" if data is None else data.attribute("url") or ""
    _check_url(url, limits)
    name = info.child_text("file-name") or ""
    if len(name) > limits.max_name:
        raise LimitExceeded(f"a name of {len(name)} characters", code="fthttp.limit")
    until = None if data is None else data.attribute("until")
    return RemoteFile(
        size,
        media_type(info.child_text("content-type")),
        url,
        # An expiry that cannot be read is as good as none: it only says when asking is of no use any more.
        None if until is None else instant_of(until),
        name,
    )


def _playing_length(info: Element) -> int | None:
    for child in info.children:
        if child.name == "playing-length" and child.namespace in (_MEDIA_NAMESPACE, info.namespace):
            return int(child.text) if len(child.text) <= 9 and _DIGITS.fullmatch(child.text) else None
    return None


# --- how far an upload got -----------------------------------------------------------------------------------
def encode_resume_info(info: ResumeInfo) -> bytes:
    """The document."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<file-resume-info xmlns="{_RESUME_NAMESPACE}">'
        f'<file-range start="{info.start}" end="{info.end}"/><data url="{escape_attribute(info.url)}"/>'
        "</file-resume-info>"
    ).encode()


def decode_resume_info(data: bytes, limits: FileLimits) -> ResumeInfo:
    """Read a document, of any namespace: sources differ in it. Raises DecodeError, LimitExceeded."""
    root = decode_xml(data, limits.xml)
    if root.name != "file-resume-info":
        raise DecodeError("no resume information", code="fthttp.root")
    found, where = root.child("file-range"), root.child("data")
    if found is None or where is None:
        raise DecodeError("resume information without range or address", code="fthttp.range")
    start, end = (_number(found.attribute(name), "fthttp.range") for name in ("start", "end"))
    if not start <= end < limits.max_file_size:
        raise DecodeError("a range that cannot be", code="fthttp.range")
    url = where.attribute("url") or ""
    _check_url(url, limits)
    return ResumeInfo(start, end, url)


# --- values --------------------------------------------------------------------------------------------------
def media_type(text: str | None) -> str:
    """A media type without parameters, in lower case; `application/octet-stream` for what is none (SR-14)."""
    bare = (text or "").partition(";")[0].strip()
    return bare.lower() if _TYPE.fullmatch(bare) else "application/octet-stream"


def given_media_type(text: str) -> str:
    """The media type that a user gives a file, without parameters. Raises InputError for what is none."""
    bare = text.partition(";")[0].strip()
    if not _TYPE.fullmatch(bare):
        raise InputError(
            f"not a media type: {text[:60]!r}",
            code="input.media_type",
            hint="for example image/jpeg or application/pdf; without one, the file is looked at",
        )
    return bare.lower()


class _Date(NamedTuple):
    year: int
    month: int
    day: int


def iso8601(instant: Instant) -> str:
    """A time as documents write it: `2026-11-23T10:00:00Z`, whole seconds, never later than `instant`."""
    days, left = divmod(instant // 1000, 86_400)
    date = _date_of(days)
    return f"{date.year:04d}-{date.month:02d}-{date.day:02d}T{left // 3600:02d}:{left // 60 % 60:02d}:{left % 60:02d}Z"


def instant_of(text: str) -> Instant | None:
    """The time that an ISO 8601 text with a zone means; None when it means none."""
    found = _TIME.fullmatch(text.strip()) if len(text) <= 64 else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if year < 1970 or not 1 <= month <= 12 or not 1 <= day <= longest[month - 1]:
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    offset = 0
    if found[8] is None:
        if int(found[10]) > 23 or int(found[11]) > 59:
            return None
        offset = (int(found[10]) * 60 + int(found[11])) * (1 if found[9] == "+" else -1)
    seconds = _days_of(_Date(year, month, day)) * 86_400 + (hour * 60 + minute - offset) * 60 + second
    fraction = int((found[7] or "0").ljust(3, "0")[:3])
    return max(0, seconds * 1000 + fraction)


def _days_of(date: _Date) -> int:
    """Days since 1970-01-01, in the calendar that has been in use since (counted in years that begin in March)."""
    year = date.year - (date.month <= 2)
    of_year = (153 * ((date.month + 9) % 12) + 2) // 5 + date.day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719_468


def _date_of(days: int) -> _Date:
    """The other way."""
    era, of_era = divmod(days + 719_468, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return _Date(era * 400 + year_of_era + (month <= 2), month, day)


def _number(text: str | None, code: str) -> int:
    if text is None or not _DIGITS.fullmatch(text):
        raise DecodeError("a number of bytes is missing or is none", code=code)
    return int(text)


def _check_url(url: str, limits: FileLimits) -> None:
    if len(url) > limits.max_url:
        raise LimitExceeded(f"an address of {len(url)} characters", code="fthttp.limit")
    # What may be fetched is decided where it is fetched; a line end or a space in an address is a trick in any case.
    if not url.isascii() or not url.isprintable() or " " in url or not url.lower().startswith(("https://", "http://")):
        raise DecodeError("not an address of a file", code="fthttp.url")
