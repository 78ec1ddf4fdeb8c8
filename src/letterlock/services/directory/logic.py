"""What the directory decides, as functions of tables, request, time and randomness.

Nothing here touches a socket, a clock or a disk. A refusal is a `DirectoryError` with the HTTP status
and the code that the caller sees; what was written before it stands (a spent try, a nonce).
The directory is not trusted by clients: every check here protects honest users from each other and
the tables from nonsense, and clients check all of it again.

Who asks is judged in `callers`; here is whose number it is and which lists it has, and `codes` and `prekeys` beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...crypto.provider import CryptoProvider
from ...errors import DeviceListError, DirectoryError
from ...ids import Instant, Number
from ...trust.device_list import VerifiedDeviceList, changes_between, from_store, verify_list, verify_successor
from ...trust.signed_list import PRIMARY
from .callers import Callers, SignedRequest, registered, unauthenticated
from .codes import Codes
from .limits import DirectoryLimits
from .prekeys import PreKeys
from .tables import Account, Alert, Tables

__all__ = ["Registry"]


class Registry:
    """The directory's rules over its tables."""

    def __init__(self, crypto: CryptoProvider, limits: DirectoryLimits) -> None:
        self._crypto = crypto
        self._limits = limits
        self._callers = Callers(crypto, limits)
        self.codes = Codes(self._callers, limits)
        self.prekeys = PreKeys(self._callers, crypto, limits)

    # --- claims (SR-21) --------------------------------------------------------------------------
    def claim(self, tables: Tables, request: SignedRequest, digits: str, data: bytes, now: Instant) -> Account:
        """Give a number to the account whose primary device signed the request and whose key the code was made for.

        Saying the same again after a lost answer changes nothing.
        """
        self._callers.check_time(request.signature, now)
        known = tables.account(request.signature.account)
        offered = self._follow(known, data, now)
        entry = offered.device(PRIMARY)
        signed = request.signature
        if entry is None or (signed.number, signed.account, signed.device) != (
            offered.number,
            offered.account,
            PRIMARY,
        ):
            raise unauthenticated()
        # Before the code is looked at: only the key's holder may spend its tries.
        self._callers.check_signature(tables, entry, request, now)
        if known is not None and known.replaced_at is None:
            if known.list == data:
                return known
            raise DirectoryError("this key holds the number already", code="directory.claimed", status=409)
        self.codes.use(tables, offered, digits, now)
        current = tables.current(offered.number)
        if current is not None:
            tables.mark_replaced(current.account, now)
            tables.put_alert(current.account, 0, Alert("replaced", now))
        tables.put_account(offered.account, offered.number, now)
        tables.delete_alert(offered.account, 0, "replaced")
        if known is None or known.list != data:
            tables.append_list(offered.account, offered.serial, data, offered.expires, now)
        return _known(tables.account(offered.account))

    # --- device lists (SR-04, SR-22) -------------------------------------------------------------
    def upload_list(self, tables: Tables, request: SignedRequest, data: bytes, now: Instant) -> Account:
        """Take the next list of the caller's own account. The same list again changes nothing."""
        caller = self._callers.authenticate(tables, request, now)
        account = caller.account
        if account.list == data:
            return account
        self._callers.spend("lists", account.account, self._limits.list_uploads, now)
        old = from_store(account.list)
        new = self._follow(account, data, now)
        tables.append_list(account.account, new.serial, data, new.expires, now)
        changes = changes_between(old, new)
        for device in changes.removed + changes.rekeyed:
            tables.forget_device(account.account, device)
        return _known(tables.account(account.account))

    def lists(
        self, tables: Tables, request: SignedRequest, number: Number, since: int, now: Instant
    ) -> tuple[Account, Sequence[bytes]]:
        """The current account of a number and its lists after `since`, oldest first, but always the newest.

        `since` 0 asks for the newest alone: history is of no use to one who holds nothing of it.
        """
        # A replaced device may still ask about its own number: the new list is how it hears of the reset (SR-21).
        caller = self._callers.authenticate(tables, request, now, replaced=number == request.signature.number)
        self._callers.spend("lookups", caller.account.account, self._limits.lookups, now)
        account = registered(tables, number)
        # An account that replaced another starts at 1 again: `since` may lie beyond its end.
        if not 0 < since < account.serial:
            return account, (account.list,)
        found = tables.lists_since(account.account, since, self._limits.max_lists_per_answer)
        return account, found

    def _follow(self, known: Account | None, data: bytes, now: Instant) -> VerifiedDeviceList:
        try:
            if known is None:
                first = verify_list(data, self._crypto, now)
                if first.serial != 1:
                    raise DeviceListError("the first list of an account has serial 1", code="device_list.serial")
                return first
            return verify_successor(from_store(known.list), (data,), self._crypto, now)
        except DeviceListError as error:
            raise DirectoryError(str(error), code=error.code, hint=error.hint, status=422) from error

    # --- alerts ----------------------------------------------------------------------------------
    def alerts(self, tables: Tables, request: SignedRequest, now: Instant) -> Sequence[Alert]:
        """What this device should hear, also when its account was replaced (SR-21)."""
        caller = self._callers.authenticate(tables, request, now, replaced=True)
        return tables.alerts(caller.account.account, caller.entry.device)


def _known(account: Account | None) -> Account:
    assert account is not None  # written in this very transaction
    return account
