"""What a key distribution server decides, as functions of tables, request and time (rcc16.md 1.8, 1.9; SR-13, SR-17).

Who asks is known by a leaf key that was certified here, or by a participant key that the ACS has vouched for. A refusal
is a `KdsError` with its HTTP status; what was written before it stands (a nonce). The server is not trusted by clients:
what is checked here protects honest ones from each other, and they check all of it again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from ...codec.kds import ClaimedPackage, Pool
from ...codec.kds_signature import RequestSignature, SignerKind, key_id, signed_text
from ...codec.tls import opaque, u8
from ...crypto.provider import CryptoProvider
from ...errors import CryptoError, InputError, KdsError
from ...ids import Instant, Number, number
from ...rcc16.credentials.algorithms import spki_of
from ..buckets import Buckets, Rate
from .authority import Admitted
from .limits import KdsLimits
from .packages import CheckedPool
from .peers import Peer, Routing
from .tables import Device, Owner, Tables

__all__ = ["Registry", "SignedRequest"]

_NONCE_LABEL: Final = b"\xff\x80letterlock/kds-nonce/v1\x00"  # SR-23


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came: the parts that its signature covers."""

    method: str
    path: str
    body: bytes = field(repr=False)
    signature: RequestSignature


class Registry:
    """The server's rules over its tables. Its rates count in this process; for one thread at a time."""

    def __init__(self, crypto: CryptoProvider, limits: KdsLimits, routing: Routing) -> None:
        self._crypto, self._limits, self._routing = crypto, limits, routing
        self._buckets = Buckets(limits.max_buckets)

    # --- who asks --------------------------------------------------------------------------------
    def check_signature(self, request: SignedRequest, kind: SignerKind, now: Instant) -> None:
        """What needs no tables: the kind of key, the time, the signature by the key that the request names."""
        signed = request.signature
        if signed.kind is not kind:
            raise _unauthenticated()
        if abs(signed.timestamp - now) > self._limits.request_window_ms:
            raise KdsError(
                "the request's time is too far from the server's",
                code="kds.clock",
                hint="set this device's clock",
                status=401,
            )
        text = signed_text(request.method, request.path, request.body, signed)
        try:
            self._crypto.p256_verify(signed.key, text, signed.signature)
        except CryptoError as error:
            raise _unauthenticated() from error

    def device(self, tables: Tables, request: SignedRequest, now: Instant) -> Device:
        """The device behind a request whose signature holds. One answer for all who are none: nobody learns who is."""
        signed = request.signature
        found = tables.device(_number(signed.signer), key_id(signed.key))
        if found is None or found.ends <= now:
            raise _unauthenticated()
        self._once(tables, signed, now)
        self._spend("calls", (found.number, found.device), self._limits.calls, now)
        return found

    def owner(self, tables: Tables, request: SignedRequest, now: Instant) -> Owner:
        """The account behind a request that the participant key signed."""
        signed = request.signature
        found = tables.owner(_number(signed.signer))
        if found is None or found.participant != spki_of(signed.key):
            raise _unauthenticated()
        self._once(tables, signed, now)
        self._spend("calls", found.number, self._limits.calls, now)
        return found

    def peer(self, tables: Tables, request: SignedRequest, now: Instant) -> Peer:
        """The server behind a request: pinned by its number and key, and asking us and nobody else."""
        signed = request.signature
        found = (
            self._routing.peer(int(signed.signer)) if signed.signer.isascii() and signed.signer.isdecimal() else None
        )
        if found is None or found.federation_key != signed.key or signed.to != self._routing.me:
            raise _unauthenticated()
        self._once(tables, signed, now)
        return found

    # --- certificates ----------------------------------------------------------------------------
    def may_enrol(self, tables: Tables, admitted: Admitted, now: Instant) -> None:
        """Before a certificate is signed. Raises KdsError."""
        self._spend("certificates", admitted.number, self._limits.certificates, now)
        self._check_enrolment(tables, admitted)

    def enrolled(self, tables: Tables, admitted: Admitted, ends: Instant) -> None:
        """A certificate was signed that ends then: its key speaks for the number from now on."""
        # Between the two steps another key may have come, or the device may have been withdrawn.
        self._check_enrolment(tables, admitted)
        known = tables.owner(admitted.number)
        if known is not None and known.participant != admitted.participant_spki:
            # SR-21: the number was set up with another key; devices that the old one vouched for are nobody's.
            tables.delete_devices(admitted.number)
            known = None
        latest = max(admitted.proof_expires, known.proof_expires if known is not None else 0)
        tables.put_owner(Owner(admitted.number, admitted.participant_spki, latest))
        tables.put_device(admitted.number, key_id(admitted.request.leaf_public), ends)

    def _check_enrolment(self, tables: Tables, admitted: Admitted) -> None:
        device = key_id(admitted.request.leaf_public)
        if tables.is_withdrawn(admitted.number, device):
            raise KdsError(
                "this device was withdrawn", code="kds.withdrawn", hint="link it again with a new key", status=403
            )
        known = tables.owner(admitted.number)
        if known is None:
            return
        if known.participant != admitted.participant_spki:
            # The ACS signs a later end for a later key, and never again for the one before: the proof that ends
            # last is the last word. An old one brings no old key back (SR-22).
            if admitted.proof_expires <= known.proof_expires:
                raise KdsError(
                    "this number was set up with another key",
                    code="kds.replaced",
                    hint="if that was not you, ask your operator for a code and set it up again",
                    status=403,
                )
            return
        if (
            tables.device(admitted.number, device) is None
            and tables.count_devices(admitted.number) >= self._limits.max_devices
        ):
            raise KdsError(
                "this number has too many devices",
                code="kds.devices",
                hint="withdraw those that are gone",
                status=409,
            )

    def withdraw(self, tables: Tables, request: SignedRequest, of: Number, device: bytes, now: Instant) -> None:
        """A device of the account is no longer: it is not handed out, and not certified again. Safe to repeat."""
        owner = self.owner(tables, request, now)
        self._spend("withdrawals", owner.number, self._limits.withdrawals, now)
        if of != owner.number:
            raise _unauthenticated()
        tables.withdraw(owner.number, device, now + self._limits.withdrawn_ms)

    # --- packages of the caller ------------------------------------------------------------------
    def may_upload(self, tables: Tables, request: SignedRequest, now: Instant) -> Device:
        """Before the body is looked at: it may be large."""
        device = self.device(tables, request, now)
        self._spend("uploads", (device.number, device.device), self._limits.uploads, now)
        return device

    def uploaded(self, tables: Tables, device: Device, pool: CheckedPool, now: Instant) -> int:
        """Put the pool in the place of what was there; how many packages it has now.

        Packages that were handed out stay out, whoever says them again (SR-13).
        """
        if tables.device(device.number, device.device) is None:
            raise _unauthenticated()  # withdrawn, or the number has gone, since the packages were looked at
        kept = CheckedPool(tables.unspent(pool.one_time), pool.last_resort)
        tables.replace_pool(device.number, device.device, kept, now)
        return len(kept.one_time) + 1

    def pool(self, tables: Tables, request: SignedRequest, now: Instant) -> Pool:
        device = self.device(tables, request, now)
        return Pool(tables.count(device.number, device.device, now), device.last_resort_served)

    # --- packages of others ----------------------------------------------------------------------
    def claim(
        self, tables: Tables, request: SignedRequest, target: Number, named: int, now: Instant
    ) -> tuple[ClaimedPackage, ...] | Peer:
        """A package of every device of `target`; or the server where it is at home, for the caller to ask."""
        claimer = self.device(tables, request, now)
        self._spend("claims", claimer.number, self._limits.claims, now)
        self._spend("claims of one", (claimer.number, target), self._limits.claims_of_one, now)
        self._spend("claims of one a day", (claimer.number, target), self._limits.claims_of_one_a_day, now)
        return self._routing.home(target, named) or self._handed_out(
            tables, target, claimer.number, self._limits.last_resort_by_one, now
        )

    def claim_for_peer(self, tables: Tables, peer: Peer, target: Number, now: Instant) -> tuple[ClaimedPackage, ...]:
        """The same for another server; nothing for whatever reason there is nothing, so that it learns no more."""
        self._spend("peer", peer.kds, self._limits.peer, now)
        self._spend("peer about one", (peer.kds, target), self._limits.peer_target, now)
        if self._routing.home(target, 0) is not None:
            return ()  # not ours: we do not ask on, so that no question goes round in circles
        try:
            return self._handed_out(tables, target, peer.kds, self._limits.last_resort_by_peer, now)
        except KdsError:
            return ()

    def _handed_out(
        self, tables: Tables, target: Number, claimer: Number | int, last_resorts: Rate, now: Instant
    ) -> tuple[ClaimedPackage, ...]:
        """One package of each device that has one which lasts 30 days (A.4.2.2), gone from the tables.

        Raises KdsError 404 `kds.never_uploaded` or `kds.withheld`, 429 when only last resorts are left and were given
        too often. Then nothing was taken.
        """
        uploaded = tables.claimable(target, now)
        if not uploaded:
            raise KdsError("nobody there has key packages", code="kds.never_uploaded", status=404)
        able = [(device, fresh) for device, fresh in uploaded if fresh or device.last_resort_until >= now]
        if not able:
            raise KdsError("no key package lasts for 30 days", code="kds.withheld", status=404)
        for device, fresh in able:
            if not fresh:
                self._spend("last resort by one", (claimer, target, device.device), last_resorts, now)
                self._spend("last resort", (target, device.device), self._limits.last_resort, now)
        return tuple(self._taken(tables, device, now) for device, _ in able)

    def _taken(self, tables: Tables, device: Device, now: Instant) -> ClaimedPackage:
        # Remembered for as long as somebody could upload it again: its certificate ends 30 days after the last claim.
        taken = tables.take(device.number, device.device, now, remember_ms=self._limits.floor_ms)
        if taken is None:
            taken = tables.take_last_resort(device.number, device.device)
        return ClaimedPackage(taken.message, taken.last_resort)

    # --- once, and not too often -----------------------------------------------------------------
    def _once(self, tables: Tables, signed: RequestSignature, now: Instant) -> None:
        # After the signature: otherwise anybody could burn another's nonce or fill the table.
        who = _NONCE_LABEL + u8(signed.kind) + opaque(signed.signer.encode()) + signed.key + signed.nonce
        until = signed.timestamp + self._limits.request_window_ms
        if not tables.remember_nonce(hashlib.sha256(who).digest(), until):
            raise KdsError("this request was made before", code="kds.replay", status=401)

    def _spend(self, purpose: str, key: object, rate: Rate, now: Instant) -> None:
        self._buckets.spend(KdsError, purpose, key, rate, now)


def _number(text: str) -> Number:
    try:
        return number(text)
    except InputError as error:
        raise _unauthenticated() from error


def _unauthenticated() -> KdsError:
    return KdsError(
        "this device has no certificate from here", code="kds.unauthenticated", hint="enrol it again", status=401
    )
