"""Our own pre-keys: made, published, rotated, used once, and forgotten in time (SR-13).

Each private half is a record of its own, so that using one deletes one small record. `Stock` is the one
record that counts them. One-time keys are gone with their first use; those that wait at the directory are renewed
as a whole before their private halves are over their time. The last-resort KEM key and the
signed key serve many sessions: they are rotated, kept a while for messages under way, and the
last-resort key remembers every base key it met, so that a replayed first message is known for what it is.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple, TypeVar

from ..codec.prekeys import MAX_PREKEY_ID, KemPreKey, OneTimePreKey, PreKeyUpload, SignedPreKey, encode_upload
from ..crypto.provider import CryptoProvider
from ..errors import Bug, DuplicateMessage, UnknownPrekey
from ..ids import Instant, Rng
from ..seam import Publish, RecordKind, Staged, State, TimerStep, Writes
from .keys import IdentityKeyPair
from .limits import Limits
from .messages import PreKeySignalMessage
from .pqxdh import Secrets, respond
from .prekey_records import (
    BASE_KEYS,
    KEM_PREKEYS,
    NO_UPLOAD,
    ONE_TIME_PREKEYS,
    RECORD_KINDS,
    SIGNED_PREKEYS,
    STOCK,
    EcPreKeyPair,
    KemPreKeyPair,
    Stock,
    base_keys_key,
    kem_key,
    one_time_key,
    signed_key,
)

__all__ = ["RECORD_KINDS", "Answer", "answer", "on_published", "replenish"]

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_MOST = 0xFFFFFFFF


# --- publishing ----------------------------------------------------------------------------------
def replenish(
    state: State,
    crypto: CryptoProvider,
    identity: IdentityKeyPair,
    *,
    registration_id: int,
    limits: Limits,
    now: Instant,
    rng: Rng,
) -> TimerStep:
    """Rotate what is old, make one-time keys while they are few, forget what is over its time.

    At most one upload is on its way at a time, and one call makes at most one batch, so that it stays short.
    """
    staged = Staged(state)
    notes: list[str] = []
    stored = staged.get(STOCK)
    stock = _first_stock(rng) if stored is None else _counted(stored, staged)
    if stock.drained:
        notes.append("prekeys_drained")
        stock = stock._replace(drained=False)
    if stock.awaiting != NO_UPLOAD and now - stock.uploaded_at >= limits.prekey_rotation_ms:
        # Whoever had that upload has lost it; whether it was to replace what the directory holds, the next one will.
        stock = stock._replace(awaiting=NO_UPLOAD, uploading=0, renewed_at=0)
    publish = None
    if stock.awaiting == NO_UPLOAD:
        rotate = stored is None or stock.worn or now - stock.rotated_at >= limits.prekey_rotation_ms
        if rotate:
            _forget_expired(staged, limits, now)
            stock = _rotate(staged, crypto, stock, now, rng)
            # What is handed out on the last day still has the retention time to arrive.
            if now - stock.renewed_at >= limits.one_time_prekey_ms - limits.prekey_retention_ms:
                stock = stock._replace(renewed_at=now, remaining=0)
        batch = limits.prekey_batch if _is_short(stock, limits) and (rotate or _may_fill(stock, limits, now)) else 0
        if rotate or batch:
            _forget_oldest(staged, limits.max_one_time_held - batch)
            replaces = rotate and stock.renewed_at == now
            stock, upload = _make_upload(staged, crypto, identity, stock, registration_id, batch, replaces, now, rng)
            publish = Publish(encode_upload(upload))
            digest = hashlib.sha256(publish.payload).digest()
            stock = stock._replace(awaiting=digest, uploading=batch, uploaded_at=now, held=_held(staged))
    if stock != stored:
        staged.put(STOCK, stock)
    # First messages use keys up, and wear the last resort out, without a word to the timer: so it looks every hour.
    next_at = now + (_MINUTE_MS if _is_short(stock, limits) else _HOUR_MS)
    return TimerStep(staged.writes, publish, next_at, tuple(notes))


def on_published(state: State, publish: Publish, remaining: int | None) -> Writes:
    """The directory took an upload, and says how many one-time keys it now holds."""
    stored = state.get(STOCK)
    if stored is None:
        return {}
    stock = _counted(stored, state)
    if remaining is not None:
        remaining = max(0, min(remaining, _MOST))
    expected = stock.remaining
    if stock.awaiting == hashlib.sha256(publish.payload).digest():
        expected += stock.uploading
        stock = stock._replace(awaiting=NO_UPLOAD, uploading=0)
    if remaining is None:
        return {STOCK: stock._replace(remaining=expected)}
    # SR-13: keys that were handed out and never used are what an attacker leaves who drains them.
    drained = remaining * 2 < expected
    return {STOCK: stock._replace(remaining=remaining, drained=stock.drained or drained)}


# --- answering -----------------------------------------------------------------------------------
class Answer(NamedTuple):
    """Secrets of a session that a peer began, the signed pre-key it began with, and what to store if it is genuine."""

    secrets: Secrets
    signed_private: bytes
    signed_public: bytes
    writes: Writes
    one_time: bool

    def __repr__(self) -> str:
        return "Answer(<redacted>)"


def answer(
    state: State,
    crypto: CryptoProvider,
    identity: IdentityKeyPair,
    message: PreKeySignalMessage,
    *,
    limits: Limits,
    now: Instant,
) -> Answer:
    """The responder's half of PQXDH with the pre-keys that the message names.

    Apply `writes` only when the message has decrypted: they delete the one-time keys and remember the base
    key. Raises UnknownPrekey, DuplicateMessage (a replay that the last-resort key has met), BadPublicKey.
    """
    signed = _usable(state.get(signed_key(message.signed_id)), limits, now)
    kem = _usable(state.get(kem_key(message.kem_id)), limits, now)
    one_time = None if message.one_time_id is None else state.get(one_time_key(message.one_time_id))
    if signed is None or kem is None or (one_time is None and message.one_time_id is not None):
        raise UnknownPrekey("the message names a pre-key that is not held here (any more)")
    writes: Writes = {}
    if kem.is_last_resort:
        met_key = base_keys_key(message.kem_id)
        met = state.get(met_key) or frozenset()
        if message.base_key in met:
            raise DuplicateMessage("this first message has begun a session before", code="protocol.duplicate.base_key")
        if len(met) >= limits.max_base_keys:
            raise UnknownPrekey("the last-resort pre-key is worn out", code="protocol.unknown_prekey.worn")
        writes[met_key] = met | {message.base_key}
        stock = state.get(STOCK)
        if stock is not None and 2 * len(met) >= limits.max_base_keys:
            writes[STOCK] = stock._replace(worn=True)
    else:
        writes[kem_key(message.kem_id)] = None
    if message.one_time_id is not None:
        writes[one_time_key(message.one_time_id)] = None
    secrets = respond(
        crypto,
        identity,
        signed_private=signed.private,
        one_time_private=None if one_time is None else one_time.private,
        kem_seed=kem.seed,
        their_identity_key=message.identity_key,
        base_key=message.base_key,
        kem_ciphertext=message.kem_ciphertext,
    )
    return Answer(secrets, signed.private, signed.public, writes, one_time is not None and not kem.is_last_resort)


# --- helpers -------------------------------------------------------------------------------------
_Pair = TypeVar("_Pair", EcPreKeyPair, KemPreKeyPair)


def _usable(pair: _Pair | None, limits: Limits, now: Instant) -> _Pair | None:
    if pair is None or (pair.retired_at is not None and now - pair.retired_at > limits.prekey_retention_ms):
        return None
    return pair


def _held(state: State) -> int:
    return sum(1 for _ in state.scan(ONE_TIME_PREKEYS))


def _counted(stock: Stock, state: State) -> Stock:
    """Less what was used since the last count. Counting here keeps the first message of a session to small writes."""
    held = _held(state)
    return stock._replace(remaining=max(stock.remaining - max(stock.held - held, 0), 0), held=held)


def _is_short(stock: Stock, limits: Limits) -> bool:
    return stock.remaining + stock.uploading <= limits.one_time_prekeys - limits.prekey_batch


def _may_fill(stock: Stock, limits: Limits, now: Instant) -> bool:
    """SR-08: the first fill goes fast; after that a directory that always says 0 gets one batch a minute out of us."""
    return stock.held < limits.one_time_prekeys or not 0 <= now - stock.uploaded_at < _MINUTE_MS


def _first_stock(rng: Rng) -> Stock:
    # PQXDH 4.13: ids run on from a random start, so that they say nothing about how many there were.
    ec, kem = (int.from_bytes(rng(3), "big") % MAX_PREKEY_ID + 1 for _ in range(2))
    return Stock(0, 0, ec, kem, 0)


def _after(prekey_id: int) -> int:
    return prekey_id % MAX_PREKEY_ID + 1


def _rotate(staged: Staged, crypto: CryptoProvider, stock: Stock, now: Instant, rng: Rng) -> Stock:
    """A new signed and a new last-resort pre-key; the old ones are kept for messages under way."""
    old_signed = staged.get(signed_key(stock.signed_id))
    if old_signed is not None:
        staged.put(signed_key(stock.signed_id), old_signed._replace(retired_at=now))
    old_kem = staged.get(kem_key(stock.last_resort_id))
    if old_kem is not None:
        staged.put(kem_key(stock.last_resort_id), old_kem._replace(retired_at=now))
    signed_id, kem_id = stock.next_ec_id, stock.next_kem_id
    private, public = crypto.x25519_generate(rng)
    staged.put(signed_key(signed_id), EcPreKeyPair(private, public, now, None))
    staged.put(kem_key(kem_id), KemPreKeyPair(rng(64), True, now, None))
    return stock._replace(
        signed_id=signed_id,
        last_resort_id=kem_id,
        next_ec_id=_after(signed_id),
        next_kem_id=_after(kem_id),
        rotated_at=now,
        worn=False,
    )


def _make_upload(
    staged: Staged,
    crypto: CryptoProvider,
    identity: IdentityKeyPair,
    stock: Stock,
    registration_id: int,
    batch: int,
    replaces: bool,
    now: Instant,
    rng: Rng,
) -> tuple[Stock, PreKeyUpload]:
    signed = staged.get(signed_key(stock.signed_id))
    last_resort = staged.get(kem_key(stock.last_resort_id))
    if signed is None or last_resort is None:
        raise Bug("the current pre-keys are not in the store", code="bug.prekeys")
    one_time: list[OneTimePreKey] = []
    one_time_kem: list[KemPreKey] = []
    ec_id, kem_id = stock.next_ec_id, stock.next_kem_id
    for _ in range(batch):
        private, public = crypto.x25519_generate(rng)
        staged.put(one_time_key(ec_id), EcPreKeyPair(private, public, now, None))
        one_time.append(OneTimePreKey(ec_id, b"\x05" + public))
        seed = rng(64)
        staged.put(kem_key(kem_id), KemPreKeyPair(seed, False, now, None))
        one_time_kem.append(_signed_kem(crypto, identity, kem_id, seed, rng))
        ec_id, kem_id = _after(ec_id), _after(kem_id)
    public = b"\x05" + signed.public
    upload = PreKeyUpload(
        registration_id,
        SignedPreKey(stock.signed_id, public, identity.sign(crypto, public, rng)),
        _signed_kem(crypto, identity, stock.last_resort_id, last_resort.seed, rng),
        tuple(one_time),
        tuple(one_time_kem),
        replaces,
    )
    return stock._replace(next_ec_id=ec_id, next_kem_id=kem_id), upload


def _signed_kem(crypto: CryptoProvider, identity: IdentityKeyPair, kem_id: int, seed: bytes, rng: Rng) -> KemPreKey:
    public = b"\x08" + crypto.mlkem1024_public(seed)
    return KemPreKey(kem_id, public, identity.sign(crypto, public, rng))


def _forget_expired(staged: Staged, limits: Limits, now: Instant) -> None:
    for signed in staged.scan(SIGNED_PREKEYS):
        pair = staged.get(signed)
        if pair is not None and _usable(pair, limits, now) is None:
            staged.delete(signed)
    for kem in staged.scan(KEM_PREKEYS):
        kem_pair = staged.get(kem)
        if kem_pair is None:
            continue
        too_old = not kem_pair.is_last_resort and now - kem_pair.created_at > limits.one_time_prekey_ms
        if too_old or _usable(kem_pair, limits, now) is None:
            staged.delete(kem)
            # What the key met is needed for as long as the key can be used, and no longer.
            staged.delete(BASE_KEYS.key(kem.name.rpartition("/")[2]))
    for one_time in staged.scan(ONE_TIME_PREKEYS):
        pair = staged.get(one_time)
        if pair is not None and now - pair.created_at > limits.one_time_prekey_ms:
            staged.delete(one_time)


def _forget_oldest(staged: Staged, most: int) -> None:
    """Keep at most so many one-time keys of each sort (SR-08)."""
    if _held(staged) <= most:
        return
    kinds: tuple[RecordKind[Any], ...] = (ONE_TIME_PREKEYS, KEM_PREKEYS)
    for kind in kinds:
        unused = [
            (pair.created_at, key.name, key)
            for key in staged.scan(kind)
            if (pair := staged.get(key)) is not None and not getattr(pair, "is_last_resort", False)
        ]
        for _, _, key in sorted(unused)[: max(len(unused) - most, 0)]:
            staged.delete(key)
