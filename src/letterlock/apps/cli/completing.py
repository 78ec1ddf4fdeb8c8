"""What Tab completes of a profile: its chats and the newest messages of one, asked of the process that has it open.

`letterlock completion --answer KIND` reads the words of the line from standard input, where no other user sees them, each
ended by a zero byte, the one to complete last; it prints a line for each choice, and behind a tab what it is. Somebody
waits for it in the middle of a command line, so:
- the standard library alone, no passphrase, and nothing at all where no process of this user has the profile open;
- nothing but choices is printed, whatever goes wrong;
- what a peer chose (SR-14) is only completed where it is printable, stands for one group alone, and cannot be taken for an
  option; a group is completed by its id otherwise. The shell quotes it.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import platformdirs

from ...errors import InputError
from ...net.own_sockets import MAX_SOCKET_PATH, is_ours, socket_of
from .places import DEFAULT_PROFILE, profile_folder

__all__ = ["Choice", "Owner", "choices", "profile_of", "run"]

_SECONDS = 2.0
_MOST_BYTES = 8 << 20
_MOST_WORDS = 1 << 16
_MOST_CHOICES = 200
_MESSAGES = 30
_SHORT = 8
_LONGEST_SUBJECT = 64
_LONGEST_TEXT = 40
_BEGINNING = 4
"""So many characters of a group's id name it (`verbs.names.group_named`)."""
_MESSAGE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")

Chat: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What may stand there, and what it is: shown beside it, never put into the line."""

    value: str
    about: str = ""


def run(given: Sequence[str]) -> int:
    """Answer a shell. Always 0: there is nobody to read what went wrong."""
    words = [os.fsdecode(word) for word in sys.stdin.buffer.read(_MOST_WORDS).split(b"\0")[:-1]]
    kind = given[0] if given else ""
    try:
        profile = profile_of(words, os.environ)
        for choice in choices(kind, words, Owner(profile, _SECONDS)) if words else ():
            line = f"{choice.value}\t{choice.about}"
            sys.stdout.buffer.write(line.encode(errors="replace") + b"\n")
    except (OSError, InputError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # no owner, one of another version, or one that has just gone
    return 0


def choices(kind: str, words: Sequence[str], owner: Owner) -> list[Choice]:
    """What the last of the words may become; `kind` is chats, numbers, groups or messages."""
    *before, typed = (_unquoted(word) for word in words)
    if typed is None or kind not in _KINDS:
        return []
    found = _KINDS[kind](owner, [word for word in before if word], typed)
    return [choice for _, choice in zip(range(_MOST_CHOICES), found, strict=False)]


class Owner:
    """The process that has the profile open, whichever verb it runs; asked over its socket (SR-16). Raises OSError, ValueError."""

    def __init__(self, profile: Path, seconds: float) -> None:
        self._path = socket_of(profile, "owner")
        self._until = time.monotonic() + seconds

    def ask(self, method: str, **params: Any) -> Any:
        """What it answers."""
        if len(os.fsencode(self._path)) > MAX_SOCKET_PATH:
            raise ValueError("no place for a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._left())
            connection.connect(os.fspath(self._path))
            if not is_ours(connection):
                raise ValueError("somebody else's")  # who would have us print what he likes
            request = json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\n"
            connection.sendall(request)
            return json.loads(self._second_line(connection))["result"]

    def _second_line(self, connection: socket.socket) -> bytes:
        """The first is its greeting."""
        read = bytearray()
        while read.count(b"\n") < 2:
            connection.settimeout(self._left())
            piece = connection.recv(1 << 16)
            if not piece or len(read) > _MOST_BYTES:
                raise ValueError("no answer")
            read += piece
        return bytes(read).split(b"\n")[1]

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


# --- what may stand there ----------------------------------------------------------------------------------
def _chats(owner: Owner, before: Sequence[str], typed: str) -> Iterator[Choice]:
    found = owner.ask("summaries")
    yield from _groups_of(found, typed)
    yield from _others_of(found, typed, ("+", "sip:"))


def _numbers(owner: Owner, before: Sequence[str], typed: str) -> Iterator[Choice]:
    for choice in _others_of(owner.ask("summaries"), typed, ("+",)):
        if choice.value not in before:
            yield choice


def _groups(owner: Owner, before: Sequence[str], typed: str) -> Iterator[Choice]:
    yield from _groups_of(owner.ask("summaries"), typed)


def _messages(owner: Owner, before: Sequence[str], typed: str) -> Iterator[Choice]:
    """The newest of the chat that the line names, newest first."""
    chats = owner.ask("summaries")
    chat = next((chat for word in before for chat in chats if _is_named(chat, word)), None)
    if chat is None:
        return
    messages, _, _ = owner.ask("window", number=chat["chat"], limit=_MESSAGES, before="", after="", around="")
    ids = [each["message_id"] for each in messages if _MESSAGE_ID.fullmatch(each["message_id"] or "")]
    for each in reversed(messages):
        name = each["message_id"]
        if name not in ids or each["notice"] is not None or not name.startswith(typed):
            continue
        short = name[:_SHORT]
        alone = len(typed) <= _SHORT and sum(other.startswith(short) for other in ids) == 1
        who = "me" if each["mine"] else each["sender"]
        yield Choice(short if alone else name, _shown(f"{who}: {each['text'] or ''}"))


def _groups_of(found: Sequence[Chat], typed: str) -> Iterator[Choice]:
    groups = [chat for chat in found if _is_group(chat)]
    for chat in groups:
        name, subject = chat["chat"], chat["subject"]
        by_id = bool(typed) and name.startswith(typed.lower())
        if by_id or not _can_be_typed(subject, groups):
            if by_id or _begins(subject, typed):
                yield Choice(name, _shown(subject))
        elif _begins(subject, typed):
            yield Choice(subject)


def _others_of(found: Sequence[Chat], typed: str, kinds: tuple[str, ...]) -> Iterator[Choice]:
    """Numbers and chatbots; also by what the user calls them."""
    for chat in found:
        if chat["chat"].startswith(kinds) and (chat["chat"].startswith(typed) or _begins(chat["name"], typed)):
            yield Choice(chat["chat"], _shown(chat["name"]))


_KINDS: Mapping[str, Callable[[Owner, Sequence[str], str], Iterator[Choice]]] = {
    "chats": _chats,
    "numbers": _numbers,
    "groups": _groups,
    "messages": _messages,
}


def _is_group(chat: Chat) -> bool:
    return not chat["chat"].startswith(("+", "sip:"))


def _is_named(chat: Chat, word: str) -> bool:
    """As `verbs.names.conversation_named` takes it."""
    if not _is_group(chat):
        return bool(chat["chat"] == word)
    by_id = len(word) >= _BEGINNING and chat["chat"].startswith(word.lower())
    return by_id or bool(chat["subject"] == word)


def _can_be_typed(subject: str, groups: Sequence[Chat]) -> bool:
    """Whether this subject, which a peer may have chosen, names one group and nothing else (SR-14)."""
    plain = 0 < len(subject) <= _LONGEST_SUBJECT and subject.isprintable() and subject == subject.strip()
    if not plain or subject.startswith(("-", "+")) or subject[:4].lower() == "sip:":
        return False
    return sum(_is_named(chat, subject) for chat in groups) == 1


def _begins(name: str, typed: str) -> bool:
    return name.casefold().startswith(typed.casefold())


def _shown(text: str) -> str:
    """What a peer wrote, as one short line without control and direction-changing characters (SR-14)."""
    short = text[:_LONGEST_TEXT] + ("…" if len(text) > _LONGEST_TEXT else "")
    return "".join(c if c.isprintable() else " " for c in short)


# --- the line ----------------------------------------------------------------------------------------------
def _unquoted(word: str) -> str | None:
    """What a word of the line stands for; None where a quotation is open, which we leave to whoever types it."""
    if len(word) > 1 and word[0] in "'\"" and word[-1] == word[0]:
        return word[1:-1]
    if word[:1] in ("'", '"', "$", "`"):
        return None
    return re.sub(r"\\(.)", r"\1", word)


def profile_of(words: Sequence[str], environment: Mapping[str, str]) -> Path:
    """The folder of the profile that the line means: by its options, the environment, the defaults. Raises InputError."""
    profile = _option(words, "--profile") or environment.get("LETTERLOCK_PROFILE") or DEFAULT_PROFILE
    data = _option(words, "--data-dir") or environment.get("LETTERLOCK_DATA_DIR")
    folder = Path(data).expanduser() if data else platformdirs.user_data_path("letterlock")
    return profile_folder(profile, folder).absolute()


def _option(words: Sequence[str], name: str) -> str:
    """The value of an option, `--name value` or `--name=value`, of which bash makes `--name = value`."""
    for at, word in enumerate(words[:-1]):
        if word == name:
            rest = [each for each in words[at + 1 : -1] if each != "="]
            return _unquoted(rest[0]) or "" if rest else ""
        if word.startswith(f"{name}="):
            return _unquoted(word.partition("=")[2]) or ""
    return ""
