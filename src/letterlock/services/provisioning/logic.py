"""What the provisioning server decides, as functions of tables, contact, time and randomness (SR-21).

A first contact makes a one-time code for the owner of the number, by the operator's own way. The code is bound to
the number, to the hash of one participant key and to the cookie of the contact that asked for it; it has five tries
and ten minutes. Whoever brings it gets a token, bound to number and key in the same way, for later contacts. A
refusal is a `ProvisioningError` with its HTTP status; what was written before it stands (a spent try).
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
from dataclasses import dataclass, field, replace

from ...codec import tls
from ...codec.provisioning import DISABLED, DORMANT, RESET
from ...errors import ProvisioningError
from ...ids import Instant, Number, Rng
from ..buckets import Buckets, Rate, too_many
from .limits import ProvisioningLimits
from .tables import Account, PendingCode, Tables, Token

__all__ = ["AccountState", "Begun", "Contact", "Granted", "IssuedCode", "Registrar"]

_CODE_DIGITS = 8
_CODE_LABEL = b"\xff\x80letterlock/provisioning-code/v1\x00"  # SR-23
_TOKEN_LABEL = b"\xff\x80letterlock/provisioning-token/v1\x00"
_SESSION_LABEL = b"\xff\x80letterlock/provisioning-session/v1\x00"


class AccountState(enum.IntEnum):
    """What the operator has decided about a number; all but ACTIVE are the versions that say so to the client."""

    ACTIVE = 1
    RESET = RESET
    DISABLED = DISABLED
    DORMANT = DORMANT


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact of a client, read and of the right form. `version` is what it has, 0 if nothing.

    `participant` is the key whose hash it is, in DER; empty when the client does not show it.
    """

    number: Number
    key_hash: bytes
    version: int
    token: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
    session: str = field(default="", repr=False)
    participant: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A one-time code for the operator to bring to the owner of the number, never to whoever asked (SR-21)."""

    number: Number
    code: str = field(repr=False)
    expires: Instant
    replaces: bool
    """Whether another key was set up with this number: using the code replaces it."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A first contact: the cookie for its second half."""

    session: str = field(repr=False)
    issued: IssuedCode


@dataclass(frozen=True, slots=True)
class Granted:
    """Who the client is, and the token by which it is known from now on. `participant` is its key, if it was shown."""

    number: Number
    state: AccountState
    token: str = field(repr=False)
    participant: bytes = field(repr=False)


class Registrar:
    """The provisioning server's rules over its tables."""

    def __init__(self, limits: ProvisioningLimits) -> None:
        self._limits = limits
        self._buckets = Buckets(limits.max_buckets)

    # --- first contact ---------------------------------------------------------------------------
    def begin(self, tables: Tables, contact: Contact, now: Instant, rng: Rng) -> Begun:
        """Make a code for the owner of the number. Whoever asks gets a cookie and nothing else."""
        self.spend("codes", contact.number, self._limits.codes_by_number, now)
        mine, total = tables.count_codes(contact.number, now)
        if mine >= self._limits.max_codes_per_number or total >= self._limits.max_codes:
            raise too_many(ProvisioningError, self._limits.code_lifetime_ms)
        digits = f"{int.from_bytes(rng(16), 'big') % 10**_CODE_DIGITS:0{_CODE_DIGITS}d}"
        session = _text(rng(24))
        expires = now + self._limits.code_lifetime_ms
        tables.put_code(
            contact.number,
            contact.key_hash,
            PendingCode(_code_hash(contact, digits), _hash(_SESSION_LABEL, session), expires, self._limits.code_tries),
        )
        account = tables.account(contact.number)
        replaces = account is not None and account.key_hash != contact.key_hash
        return Begun(session, IssuedCode(contact.number, digits, expires, replaces))

    def check_code(self, tables: Tables, contact: Contact, now: Instant) -> None:
        """Whether this is the owner. Spends a try; the code stays until `grant`. Raises ProvisioningError.

        A wrong one with tries left is 511 again, as RCC.14 has it; else the contact must begin anew: 403.
        """
        pending = tables.code(contact.number, contact.key_hash)
        # In one voice: whether there is a code, of whom, spent or expired, is nobody's business.
        if pending is None or now >= pending.expires or pending.tries_left < 1:
            raise _spent()
        # Only whoever began this contact may spend its tries.
        if not hmac.compare_digest(pending.session_hash, _hash(_SESSION_LABEL, contact.session)):
            raise _spent()
        tables.spend_try(contact.number, contact.key_hash)
        if not hmac.compare_digest(pending.code_hash, _code_hash(contact, contact.code)):
            if pending.tries_left <= 1:
                raise _spent()
            raise ProvisioningError(
                "the code is wrong", code="provisioning.code", hint="look again and repeat it", status=511
            )

    def excused(self, tables: Tables, contact: Contact) -> None:
        """The code was right and nothing came of it by no fault of its owner: it has the try back."""
        tables.return_try(contact.number, contact.key_hash)

    def grant(self, tables: Tables, contact: Contact, now: Instant, rng: Rng) -> Granted:
        """The owner has shown himself: the number belongs to this key from now on, and tokens of others are void."""
        tables.delete_code(contact.number, contact.key_hash)
        tables.delete_tokens_of_other_keys(contact.number, contact.key_hash)
        known = tables.account(contact.number)
        # What the operator has decided about the number holds for a new key, too.
        state = AccountState.ACTIVE if known is None else AccountState(known.state)
        shown = contact.participant
        if not shown and known is not None and known.key_hash == contact.key_hash:
            shown = known.participant
        tables.put_account(Account(contact.number, contact.key_hash, state, shown), now)
        token = _text(rng(32))
        kept = Token(contact.number, contact.key_hash, now + self._limits.token_lifetime_ms)
        tables.put_token(_hash(_TOKEN_LABEL, token), kept, self._limits.max_tokens)
        return Granted(contact.number, state, token, shown)

    # --- later contacts --------------------------------------------------------------------------
    def known(self, tables: Tables, contact: Contact, now: Instant) -> Granted | None:
        """Who comes with this token; None when it is not, or no longer, one: then it is a first contact."""
        digest = _hash(_TOKEN_LABEL, contact.token)
        token = tables.token(digest)
        if token is None or now >= token.expires:
            return None
        if token.number != contact.number or not hmac.compare_digest(token.key_hash, contact.key_hash):
            return None
        account = tables.account(contact.number)
        if account is None or account.key_hash != contact.key_hash:
            return None
        renewed = Token(token.number, token.key_hash, now + self._limits.token_lifetime_ms)
        tables.put_token(digest, renewed, self._limits.max_tokens)
        # Its hash was bound to the code and to the token, so that it can be the one key only.
        if contact.participant and contact.participant != account.participant:
            account = replace(account, participant=contact.participant)
            tables.put_account(account, now)
        return Granted(contact.number, AccountState(account.state), contact.token, account.participant)

    # --- the operator ----------------------------------------------------------------------------
    def set_state(self, tables: Tables, number: Number, state: AccountState, now: Instant) -> None:
        """Decide about a number that was set up. Raises ProvisioningError 404 for another."""
        account = tables.account(number)
        if account is None:
            raise ProvisioningError("this number was not set up", code="provisioning.unknown", status=404)
        tables.put_account(replace(account, state=int(state)), now)

    # --- rates -----------------------------------------------------------------------------------
    def spend(self, purpose: str, key: object, rate: Rate, now: Instant) -> None:
        """Raises ProvisioningError 429."""
        self._buckets.spend(ProvisioningError, purpose, key, rate, now)


def _text(random: bytes) -> str:
    return base64.urlsafe_b64encode(random).decode().rstrip("=")


def _hash(label: bytes, text: str) -> bytes:
    return hashlib.sha256(label + text.encode()).digest()


def _code_hash(contact: Contact, digits: str) -> bytes:
    bound = tls.opaque(contact.number.encode()) + contact.key_hash
    return hashlib.sha256(_CODE_LABEL + bound + digits.encode()).digest()


def _spent() -> ProvisioningError:
    return ProvisioningError(
        "wrong, used or expired code",
        code="provisioning.code_spent",
        hint="after five wrong tries or ten minutes begin again for a new code",
        status=403,
    )
