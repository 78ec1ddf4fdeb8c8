"""How a `Chat` and what it is made of become bytes, field by field; a stored profile depends on every order here."""

from __future__ import annotations

from ...conversation_seam import Conversation
from ...ids import GroupId
from ...mls.wire.extensions import Extension
from ..forms import BOOL, BYTES, TEXT, U64, Form, many, maybe, nested, record
from ..health.budgets import decode_ledger, encode_ledger
from ..health.ending import Backoff
from ..health.states import State as HealthState
from ..health.transitions import Health, Moment
from .chat import Again, Chat, Device, Heal, HeldGroup, Kind, Metadata, Operation

__all__ = ["CHAT", "CONVERSATION", "DEVICE"]


def _group(text: str) -> GroupId | None:
    return GroupId(bytes.fromhex(text)) if text else None


CONVERSATION: Form[Conversation] = Form(
    lambda value: TEXT.write(value.peer or "") + TEXT.write("" if value.group is None else value.group.hex()),
    lambda reader: Conversation(TEXT.read(reader) or None, _group(TEXT.read(reader))),
)
_HELD = record(HeldGroup, number=U64, era=U64, stamp=BYTES)
DEVICE = record(Device, number=TEXT, device=BYTES, spki=BYTES, since_epoch=U64)
_KIND: Form[Kind] = Form(U64.write, lambda reader: Kind(reader.u64()))
_STATE: Form[HealthState] = Form(U64.write, lambda reader: HealthState(reader.u64()))
_MOMENT = record(Moment, era=U64, epoch=U64)
_HEALTH = record(Health, state=_STATE, recovered_at=maybe(_MOMENT), last_healthy=maybe(U64), request=TEXT)
_BACKOFF = record(Backoff, count=U64, last=U64)
_OPERATION = record(
    Operation,
    kind=_KIND,
    started_at=U64,
    numbers=many(TEXT),
    attempts=U64,
    next_at=U64,
    request=TEXT,
    control_id=TEXT,
    era=U64,
    epoch=U64,
    authenticator=BYTES,
    candidate=maybe(_HELD),
    asked=BOOL,
)
_HEAL = record(
    Heal,
    since=U64,
    cause=TEXT,
    from_future=BOOL,
    begun=BOOL,
    spent=BOOL,
    looks=U64,
    next_at=U64,
    asked=BOOL,
    not_found=BOOL,
    election_waits=Form(lambda value: U64.write(value + 1), lambda reader: reader.u64() - 1),
    replay_failed=BOOL,
    external_failed=BOOL,
    advance_failed=BOOL,
    mismatched=BOOL,
)
_EXTENSION = record(Extension, extension_type=U64, extension_data=BYTES)
_METADATA = record(Metadata, key=BYTES, ciphertext=BYTES, text=TEXT, at=U64)
_ACCEPTED: Form[tuple[str, int, int, bytes]] = Form(
    lambda value: TEXT.write(value[0]) + U64.write(value[1]) + U64.write(value[2]) + BYTES.write(value[3]),
    lambda reader: (TEXT.read(reader), reader.u64(), reader.u64(), reader.vector()),
)
CHAT = record(
    Chat,
    conversation=CONVERSATION,
    mls_id=TEXT,
    groups=U64,
    group=maybe(_HELD),
    epoch=U64,
    authenticator=BYTES,
    leaving=many(BYTES),
    latched=BOOL,
    left=BOOL,
    ended=TEXT,
    ended_by=TEXT,
    blocked=TEXT,
    health=_HEALTH,
    ledger=nested(encode_ledger, decode_ledger),
    backoff=_BACKOFF,
    era_seen=U64,
    held=_MOMENT,
    context=many(_EXTENSION),
    strangers=many(TEXT),
    runs=U64,
    stalled=TEXT,
    rejoin=BOOL,
    operation=maybe(_OPERATION),
    heal=maybe(_HEAL),
    wants=BOOL,
    adds=many(TEXT),
    removes=many(TEXT),
    ends=TEXT,
    revives=BOOL,
    refreshes=BOOL,
    subject_wish=maybe(TEXT),
    icon_wish=maybe(BYTES),
    asks_keys=BOOL,
    gives_keys_at=U64,
    again=many(record(Again, message_id=TEXT, member=TEXT, signed=BOOL, at=U64)),
    refusals=U64,
    commit_at=U64,
    refreshed_at=U64,
    sends=U64,
    parked=U64,
    accepted=many(_ACCEPTED),
    continuity=BYTES,
    subject=maybe(_METADATA),
    keys=many(BYTES),
    described_subject=BYTES,
    described_icon=TEXT,
    next_subject=maybe(_METADATA),
    icon=BYTES,
)
