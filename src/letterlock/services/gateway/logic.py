"""What the gateway decides, as functions of tables, request, time and randomness: who is let in, what is kept, what goes.

A refusal is a `GatewayError` with the HTTP status and the code that the caller sees. Nothing here touches a socket, a
clock or a disk.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass, field

from ...carriage import NetworkResult
from ...codec.gateway import GapReason
from ...errors import GatewayError
from ...ids import Instant, Number, Rng
from .limits import GatewayLimits
from .sealing import Sealer
from .tables import Credentials, Device, Stored, Tables

__all__ = ["Enrolment", "Office", "Opened", "Page", "checked_enrolment", "is_token", "token_hash", "unknown"]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_USERNAME = re.compile(r"[!-~]{1,255}", re.ASCII)
_MAX_PASSWORD = 255
_INBOX = 16
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a device asks for: to be known by this token, with this account at the carrier. Checked."""

    number: Number
    instance: str
    token: str = field(repr=False)
    sip_username: str
    sip_password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """An inbox as a client that links finds it: what comes begins behind `cursor`."""

    inbox: bytes
    cursor: int
    newest: int


@dataclass(frozen=True, slots=True)
class Page:
    """The next messages behind a cursor. `gap`: everything up to there that was behind the cursor is gone, and why."""

    messages: list[Stored]
    gap: int
    reason: GapReason
    newest: int


class Office:
    """The gateway's rules over its tables."""

    def __init__(self, limits: GatewayLimits, sealer: Sealer) -> None:
        self._limits = limits
        self._sealer = sealer

    # --- devices ---------------------------------------------------------------------------------
    def enrol(self, tables: Tables, asked: Enrolment, now: Instant, rng: Rng) -> tuple[Device, bool, Device | None]:
        """Admit a device, or admit it again; whoever asks has shown that the account is theirs. The same again changes
        nothing.

        Returns it, whether anything is other than before, and the one that had to go for it. Raises GatewayError when there are too many.
        """
        hashed = token_hash(asked.token)
        gone, changed = None, True
        device = tables.device(asked.number, asked.instance)
        if device is None:
            gone = self._make_room(tables, asked.number, now)
            made = tables.add(asked.number, asked.instance, hashed, rng(_INBOX), now)
        else:
            made = device.id
            changed = not hmac.compare_digest(device.token, hashed)
            if changed:
                tables.readmit(made, hashed)
        known = tables.credentials(made)
        if known is None or (known.username, self._opened(asked.number, asked.instance, known)) != (
            asked.sip_username,
            asked.sip_password,
        ):
            sealed = self._sealer.seal(asked.number, asked.instance, asked.sip_password)
            tables.set_credentials(made, Credentials(asked.sip_username, sealed))
            changed = True
        return _there(tables.device_by_id(made)), changed, gone

    def credentials(self, tables: Tables, device: Device) -> tuple[str, str]:
        """User and password at the carrier. Raises GatewayError when they do not open."""
        sealed = tables.credentials(device.id)
        if sealed is None:
            raise unknown()
        return sealed.username, self._sealer.open(device.number, device.instance, sealed.sealed)

    def forget(self, tables: Tables, number: Number, instance: str) -> Device | None:
        """The device and all that is kept for it; None when there is no such."""
        device = tables.device(number, instance)
        if device is not None:
            tables.remove(device)
        return device

    def _opened(self, number: Number, instance: str, credentials: Credentials) -> str | None:
        try:
            return self._sealer.open(number, instance, credentials.sealed)
        except GatewayError:
            return None  # under another secret: sealed anew

    def _make_room(self, tables: Tables, number: Number, now: Instant) -> Device | None:
        if tables.count() >= self._limits.max_devices:
            raise GatewayError("the gateway is full", code="gateway.full", hint="ask its operator", status=503)
        devices = tables.devices_of(number)
        if len(devices) < self._limits.max_devices_per_number:
            return None
        oldest = devices[0]
        if now - max(oldest.linked, oldest.enrolled) < self._limits.enrolled_ms:
            raise GatewayError(
                f"the account has {len(devices)} devices here",
                code="gateway.devices",
                hint="remove one, or wait a day: then the one that linked longest ago makes room",
                status=409,
            )
        tables.remove(oldest)
        return oldest

    # --- inboxes ---------------------------------------------------------------------------------
    def begin(self, tables: Tables, rng: Rng) -> list[Device]:
        """All devices, when the gateway begins, with new inboxes: it may have begun on an older copy, and have taken so much
        since that a cursor of before would delete what its client never had. Acknowledged is what is on this disk."""
        tables.renumber([(device.id, rng(_INBOX)) for device in tables.devices()])
        return tables.devices()

    def linked(
        self, tables: Tables, device: int, inbox: bytes | None, cursor: int, tags: bytes, now: Instant, rng: Rng
    ) -> Opened:
        """A client has linked, and has everything up to `cursor` of that inbox.

        A cursor of another inbox counts for nothing, and so does one that this inbox has not reached: then the gateway is
        older than the client remembers, from a copy, and the inbox becomes another one, so that nothing that comes now is
        taken for what had come before.
        """
        found = _there(tables.device_by_id(device))
        tables.seen(device, now, tags)
        if inbox is None or not hmac.compare_digest(inbox, found.inbox):
            return Opened(found.inbox, found.acknowledged, found.newest)
        if cursor > found.newest:
            anew = rng(_INBOX)
            tables.renumber([(device, anew)])
            return Opened(anew, found.acknowledged, found.newest)
        if cursor > found.acknowledged:
            self.acknowledge(tables, device, cursor)
        return Opened(found.inbox, max(cursor, found.acknowledged), found.newest)

    def arrived(self, tables: Tables, device: int, frame: bytes, now: Instant) -> int:
        """Keep what the network has brought; where in the inbox. The oldest make room (SR-08), and leave a gap.

        Raises GatewayError when the gateway itself is full: then the network keeps it.
        """
        found = tables.device_by_id(device)
        if found is None:
            raise unknown()
        limits = self._limits
        if tables.total() + len(frame) > limits.max_total_bytes:
            raise GatewayError("all inboxes together are full", code="gateway.full", status=503)
        over = max(found.kept + 1 - limits.max_messages, 0)
        size = found.bytes + len(frame)
        if over or size > limits.max_bytes:
            last = 0
            while (over > 0 or size > limits.max_bytes) and (oldest := tables.oldest(device, last, _BATCH)):
                for cursor, each in oldest:
                    last, size, over = cursor, size - each, over - 1
                    if over <= 0 and size <= limits.max_bytes:
                        break
            if last:
                tables.drop_to(device, last)
                tables.note_gap(device, last, GapReason.OVERFLOW)
        return tables.put(device, frame, now)

    def page(self, tables: Tables, device: int, after: int) -> Page:
        """The next that a client gets behind a cursor."""
        found = _there(tables.device_by_id(device))
        messages = tables.page(device, after, self._limits.page, self._limits.page_bytes)
        reason = GapReason(found.gap_reason) if found.gap else GapReason.EXPIRED
        return Page(messages, found.gap if found.gap > after else 0, reason, found.newest)

    def acknowledge(self, tables: Tables, device: int, cursor: int) -> None:
        """Everything up to there is safe with the client: it is deleted here."""
        tables.drop_to(device, cursor)
        tables.acknowledged(device, cursor)

    # --- answers ---------------------------------------------------------------------------------
    def remember(self, tables: Tables, device: int, request: bytes, result: NetworkResult, now: Instant) -> None:
        """How the network answered, until the client has it for certain."""
        if tables.device_by_id(device) is not None:  # it may have been forgotten meanwhile
            tables.remember(device, request, result, now)

    def tidy(self, tables: Tables, device: int, cursor: int, settled: list[bytes]) -> None:
        """What a client has acknowledged and settled, collected."""
        if cursor:
            self.acknowledge(tables, device, cursor)
        if settled:
            tables.settle(device, settled)

    # --- retention -------------------------------------------------------------------------------
    def purge(self, tables: Tables, linked: list[int], now: Instant) -> list[Device]:
        """Drop what is older than its bound, but no device that is `linked`; the devices that are forgotten."""
        limits = self._limits
        tables.still_linked(linked, now)
        forgotten = tables.unlinked(now - limits.known_ms, now - limits.enrolled_ms)
        for device in forgotten:
            tables.remove(device)
        while expired := tables.expired(now - limits.message_ms, _BATCH):
            for owner, cursor in expired:
                tables.drop_to(owner, cursor)
                tables.note_gap(owner, cursor, GapReason.EXPIRED)
        tables.forget_results(now - limits.result_ms)
        return forgotten


def checked_enrolment(number: Number, instance: str, token: str, sip_username: str, sip_password: str) -> Enrolment:
    """From what a client wrote. Raises GatewayError."""
    try:
        named = str(uuid.UUID(instance))
    except ValueError:
        named = ""
    printable = sip_password.isprintable() and 0 < len(sip_password) <= _MAX_PASSWORD
    if named != instance or not is_token(token) or not _USERNAME.fullmatch(sip_username) or not printable:
        raise GatewayError("not an enrolment", code="gateway.enrolment", status=400)
    return Enrolment(number, instance, token, sip_username, sip_password)


def is_token(text: str) -> bool:
    """Whether it has the form of a device's token: 32 bytes in base64."""
    return _TOKEN.fullmatch(text) is not None


def token_hash(token: str) -> bytes:
    """What is kept of it. It is random, so that a plain hash does (SR-10)."""
    return hashlib.sha256(token.encode()).digest()


def _there(device: Device | None) -> Device:
    if device is None:
        raise unknown()
    return device


def unknown() -> GatewayError:
    """The device is not admitted, or not any more."""
    return GatewayError("this device is not known here", code="gateway.unknown", status=401)
