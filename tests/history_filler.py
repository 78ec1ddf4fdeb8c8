"""A long history in seconds: messages as the engine would have stored them, without sending one.

`fill` writes into an open store, `fill_profile` into a profile that nobody has open. Texts are of several scripts and
lengths, some are edited, deleted, answered, reacted to; what follows from them (summaries, index) is derived by the
engine's own code.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

from letterlock.client.environment import Environment
from letterlock.client.identity import IDENTITY
from letterlock.client.opening import open_store
from letterlock.client.profile import ProfilePaths, unlock_with
from letterlock.engine.content import TEXT_TYPE
from letterlock.engine.derived import derive
from letterlock.engine.record_values import Chat, InboxEntry, Message, Status
from letterlock.engine.records import (
    chat_key,
    contact_key,
    inbox_key,
    message_key,
    order_of,
    place_key,
    thread_key,
)
from letterlock.engine.thread import Edited, Mark, Place, Thread
from letterlock.ids import AccountId, ChatName, DeviceId, MessageId, Number
from letterlock.seam import Party, Staged
from letterlock.store import ProfileLock, Store

__all__ = ["fill", "fill_profile", "sentence"]

_SAID = (
    "the train leaves at nine and we meet under the clock before breakfast bring your coat because rain is likely "
    "Grüße aus Köln schöne Straße über morgen café naïve résumé "
    "東京に行きます 明日は雨でしょう мы встретимся завтра у вокзала "
    "مرحبا كيف حالك 😀 👍 https://example.com/a?b=c 12:30 ok"
)
_WORDS = _SAID.split()
_COMMIT = 2_000
_STEP_MS = 60_000


def sentence(rng: random.Random) -> str:
    """A text as people write them: mostly short."""
    return " ".join(rng.choices(_WORDS, k=min(120, 2 + int(rng.expovariate(0.12)))))


def fill(
    store: Store,
    me: Party,
    chat: ChatName,
    count: int,
    *,
    unread: int = 0,
    until: int = 1_750_000_000_000,
    seed: int = 1,
) -> list[MessageId]:
    """Add `count` messages to a chat, the last `unread` of them not seen, the newest at `until`; gives their ids."""
    rng = random.Random(seed)
    known = store.get(chat_key(chat)) or Chat(chat, accepted=True)
    contact = store.get(contact_key(Number(chat))) if chat.startswith("+") else None
    theirs = AccountId(b"\x11" * 16) if contact is None else contact.account
    base = known.lamport
    ids: list[MessageId] = []
    for start in range(0, count, _COMMIT):
        staged = Staged(store)
        for n in range(start, min(start + _COMMIT, count)):
            message = _message(rng, me, chat, theirs, base + n + 1, n, unseen=n >= count - unread)
            message = replace(
                message, at=until - (count - 1 - n) * _STEP_MS, sent_at=until - (count - 1 - n) * _STEP_MS
            )
            _put(rng, staged, chat, message, me, theirs, ids)
            ids.append(message.message_id)
        staged.put(chat_key(chat), replace(known, lamport=base + min(start + _COMMIT, count)))
        derive(staged, ())
        store.commit((), staged.writes, store.generation)
    return ids


def _message(
    rng: random.Random, me: Party, chat: ChatName, theirs: AccountId, lamport: int, n: int, *, unseen: bool
) -> Message:
    mine = not unseen and rng.random() < 0.45
    account, device = (me.account, me.device) if mine else (theirs, DeviceId(1))
    status = rng.choice((Status.DELIVERED, Status.DISPLAYED)) if mine else Status.RECEIVED if unseen else Status.SEEN
    return Message(
        order=order_of(lamport, account, device, n + 1),
        message_id=MessageId(f"filled-{lamport:08x}"),
        sender=me.number if mine else Number(chat),
        mine=mine,
        encrypted=True,
        status=status,
        sent_at=0,
        at=0,
        content_type=TEXT_TYPE,
        text=sentence(rng),
    )


def _put(
    rng: random.Random,
    staged: Staged,
    chat: ChatName,
    message: Message,
    me: Party,
    theirs: AccountId,
    before: list[MessageId],
) -> None:
    account = me.account if message.mine else theirs
    if before and rng.random() < 0.05:
        message = replace(message, reply_to=rng.choice(before[-50:]))
    staged.put(message_key(chat, message.order), message)
    staged.put(place_key(chat, message.message_id, account), Place(message.order, 0))
    if message.status is Status.RECEIVED:
        entry = InboxEntry(bytes(16), message.order, message.at, message.at)
        staged.put(inbox_key(chat, message.message_id, account, 1), entry)
    chance = rng.random()
    if chance < 0.06:
        mark = Mark(theirs if message.mine else me.account, me.number, "👍", message.order + "0", True)
        staged.put(thread_key(chat, message.order), Thread(marks=(mark,)))
    elif chance < 0.08:
        edited = Edited(message.order + "1", MessageId(f"{message.message_id}-e"), sentence(rng), message.at, 0)
        staged.put(thread_key(chat, message.order), Thread(edited=edited))
    elif chance < 0.09:
        staged.put(message_key(chat, message.order), replace(message, text="", reply_to=""))
        staged.put(thread_key(chat, message.order), Thread(deleted=message.order + "2"))


async def fill_profile(
    profile: str | os.PathLike[str],
    chat: ChatName,
    count: int = 50_000,
    *,
    unread: int = 0,
    passphrase: str | None = "tulip",
    key_file: str | os.PathLike[str] | None = None,
    environment: Environment | None = None,
    seed: int = 1,
) -> list[MessageId]:
    """The same for a profile that is set up and that no process has open."""
    environment = environment or Environment()
    paths, unlock = ProfilePaths.of(Path(profile), environment.state), unlock_with(passphrase, key_file)
    assert unlock is not None
    store = await open_store(paths, unlock, environment, ProfileLock.acquire(paths.lock))
    with store:
        identity = store.get(IDENTITY)
        assert identity is not None
        return fill(store, identity.party, chat, count, unread=unread, seed=seed, until=environment.clock())
