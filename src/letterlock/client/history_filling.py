"""What follows from the history (engine/derived.py), made up for messages that an older version has stored.

Once in the life of such a profile, before anything else happens in it: some hundred messages a commit, each with how far
it has come, so that a kill costs one commit and repeats nothing. The reading and cutting is done in the driver's thread,
and the event loop is free meanwhile.
"""

from __future__ import annotations

from ..engine.derived import searchable, summed, unseen
from ..engine.history_records import SUMMARY, Summary, search_key, summary_key
from ..engine.records import MESSAGE, thread_key
from ..engine.step import Step
from ..ids import ChatName, Instant, Rng, chat_name
from ..seam import Key, RecordKind, State, Writes
from ..store import Store
from .checkpoints import Checkpoint
from .driver import Driver

__all__ = ["FILLED", "fill_history"]

FILLED: Key[str] = RecordKind[str]("history-filled", str.encode, bytes.decode).key("to")
"""The last message that is in summaries and index, of those that were there before; `DONE` when all are."""
DONE = "~"
"""Behind every chat."""

_PAGE = 400


async def fill_history(store: Store, driver: Driver, checkpoint: Checkpoint) -> None:
    """Raises StoreError. Does nothing in a profile that is filled."""
    while store.get(FILLED) != DONE:

        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            return Step(None, _next_page(store, state))

        await driver.submit(step, heavy=True)
        checkpoint("history.filled")


def _next_page(store: Store, state: State) -> Writes:
    """Nobody else writes meanwhile: what the store has is what there is."""
    begun = state.get(FILLED)
    page = store.after(MESSAGE, begun or "", _PAGE)
    writes: Writes = {FILLED: page[-1][0] if len(page) == _PAGE else DONE}
    if begun is None:  # whatever there is was counted by nobody who has finished
        writes.update(dict.fromkeys(state.scan(SUMMARY)))
    summaries: dict[ChatName, Summary] = {}
    for part, message in page:
        chat = chat_name(part.partition("/")[0])
        known = summaries.get(chat) or (state.get(summary_key(chat)) if begun else None) or Summary()
        summaries[chat] = summed(known, message, int(unseen(message)))
        text = searchable(message, state.get(thread_key(chat, message.order)))
        if text:
            writes[search_key(chat, message.order)] = text
    for chat, summary in summaries.items():
        writes[summary_key(chat)] = summary
    return writes
