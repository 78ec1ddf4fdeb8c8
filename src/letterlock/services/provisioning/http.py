"""The provisioning server over HTTP (RCC.14, rcs.md 2.11): one GET, answered with 511 or with a document.

`GET /?vers=V&msisdn=N&participant_key_hash=H&token=T&OTP=C&participant_key=K&...`; what else deployed clients put there
is passed over.
Without a token that holds it answers 511 Network Authentication Required, sets a cookie, and gives a code to the
operator. A number that is no subscriber's gets the same answer, so that nobody learns who is one. Numbers stand in
queries, as RCC.14 has it: nothing here logs them, and a proxy in front must not (SR-17).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import re
import ssl
from collections.abc import Callable

from aiohttp import web

from ... import ids
from ...codec.provisioning import EncryptionServices, ProvisioningDocument, encode_document
from ...errors import DirectoryError, InputError, LetterlockError, ProvisioningError
from ...ids import Instant, Number, Rng
from ..http import NO_STORE, Guard, Listener, address_key, system_now
from ..writer import Writer
from .claims import Claims
from .encryption import read_participant_key
from .limits import ProvisioningLimits
from .logic import AccountState, Contact, Granted, IssuedCode, Registrar
from .offer import Offer, document_for
from .tables import Tables

__all__ = ["ProvisioningServer"]

_log = logging.getLogger("letterlock.provisioning")
_RETRY_S = 10
_COOKIE = "letterlock_provisioning"
_HANDOVER_MS = 60_000
"""How much later the proof of a key ends that comes with a code. The key distribution server believes the proof that ends
last: until the code is spent the key before it still gets proofs, and one signed in that second, or while a slow key
signs ours, must not outlast ours (SR-21)."""
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_VERSION = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_TEXT = re.compile(r"[A-Za-z0-9_-]{0,128}", re.ASCII)
_CODE = re.compile(r"[0-9]{1,16}", re.ASCII)
_PARAMETERS = ("msisdn", "participant_key_hash", "participant_key", "vers", "token", "OTP")


class ProvisioningServer:
    """The provisioning server. `await start()`, then `url` is what clients are told; `await close()` ends it.

    `on_code` gets every one-time code; it is the operator's part to bring it to the owner of the number. `claims`
    gives the codes for the directory. Without `tls` it listens on loopback only (SR-19).
    """

    def __init__(
        self,
        database: str,
        offer: Offer,
        *,
        claims: Claims,
        on_code: Callable[[IssuedCode], None],
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        limits: ProvisioningLimits | None = None,
        now: Callable[[], Instant] = system_now,
        rng: Rng = os.urandom,
    ) -> None:
        self._tls = tls
        self._limits = limits or ProvisioningLimits()
        self._claims, self._on_code, self._now, self._rng = claims, on_code, now, rng
        self._registrar = Registrar(self._limits)
        self._writer = Writer(database, Tables, ProvisioningError, "provisioning")
        self._listener = Listener(
            host, port, tls, name="provisioning server", refusal=ProvisioningError, purge=self.purge, log=_log
        )
        self._guard = Guard(
            ProvisioningError,
            name="provisioning server",
            max_in_flight=self._limits.max_in_flight,
            max_in_flight_by_address=self._limits.max_in_flight_by_address,
            admit=self._admit,
            log=_log,
            retry_s=_RETRY_S,
        )
        self.offer = offer
        """What is offered now; another one may be put here at any time."""

    async def start(self) -> None:
        """Open the database and listen. Raises StoreLocked, StoreError or OSError."""
        await self._writer.start()
        async with contextlib.AsyncExitStack() as begun:
            begun.push_async_callback(self.close)
            app = web.Application(middlewares=[self._guard.middleware], client_max_size=1)
            app.router.add_get("/", self._contact)
            app.router.add_get("/health", self._health)
            await self._listener.start(app, max_line=4096)
            begun.pop_all()

    async def close(self) -> None:
        """Stop listening, finish what has begun, close the database."""
        await self._listener.close()
        await self._writer.close()

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"{self._listener.base}/"

    async def set_state(self, number: Number, state: AccountState) -> None:
        """The operator's decision about a number; its client hears of it at its next contact."""
        await self._writer.run(lambda tables: self._registrar.set_state(tables, number, state, self._now()))

    async def purge(self) -> None:
        """Drop what is older than its bound; done at the start and every hour."""
        await self._writer.run(lambda tables: tables.purge(self._now(), self._limits))

    # --- contacts --------------------------------------------------------------------------------
    async def _contact(self, request: web.Request) -> web.Response:
        contact = _read(request)
        granted = None
        if contact.token:
            granted = await self._writer.run(lambda tables: self._registrar.known(tables, contact, self._now()))
        if granted is not None:
            document = await self._configuration(contact, granted)
            encryption = await self._encryption(granted.number, granted.participant, self._now())
            return _document(_with(document, encryption))
        address = address_key(request.remote)
        self._registrar.spend("contacts", address, self._limits.contacts, self._now())
        if not contact.code:
            return await self._begin(contact, address)
        await self._writer.run(lambda tables: self._registrar.check_code(tables, contact, self._now()))
        # Asked for while the code still stands: if the directory is down, the owner repeats it and loses nothing.
        try:
            claim_code = await self._claim_code(contact)
            encryption = await self._encryption(contact.number, contact.participant, self._now() + _HANDOVER_MS)
        except LetterlockError:
            await self._writer.run(lambda tables: self._registrar.excused(tables, contact))
            raise
        granted = await self._writer.run(lambda tables: self._registrar.grant(tables, contact, self._now(), self._rng))
        return _document(_with(self._whole(granted, claim_code), encryption))

    async def _begin(self, contact: Contact, address: str) -> web.Response:
        self._registrar.spend(
            "codes by address", (address, contact.number), self._limits.codes_by_number_and_address, self._now()
        )
        begun = await self._writer.run(lambda tables: self._registrar.begin(tables, contact, self._now(), self._rng))
        if self.offer.serves(contact.number):
            self._on_code(begun.issued)
        answer = web.Response(status=511, headers=NO_STORE)
        answer.set_cookie(
            _COOKIE,
            begun.session,
            max_age=self._limits.code_lifetime_ms // 1000,
            secure=self._tls is not None,
            httponly=True,
            samesite="Strict",
        )
        return answer

    async def _configuration(self, contact: Contact, granted: Granted) -> ProvisioningDocument:
        """What a client gets that is known by its token: nothing new, or all of it."""
        if granted.state is AccountState.ACTIVE and contact.version != self.offer.version:
            # One that has nothing yet did not get as far as claiming its number.
            claim_code = await self._claim_code(contact) if contact.version == 0 else ""
            return self._whole(granted, claim_code)
        return self._version(granted)

    def _whole(self, granted: Granted, claim_code: str) -> ProvisioningDocument:
        if granted.state is not AccountState.ACTIVE or not self.offer.serves(granted.number):
            return self._version(granted)
        return document_for(self.offer, granted.number, granted.token, self._token_validity_s, claim_code)

    def _version(self, granted: Granted) -> ProvisioningDocument:
        active = granted.state is AccountState.ACTIVE
        version = self.offer.version if active else int(granted.state)
        if active and not self.offer.serves(granted.number):
            version = int(AccountState.DISABLED)
        return ProvisioningDocument(version, self.offer.validity_s, granted.token, self._token_validity_s)

    async def _encryption(self, number: Number, participant: bytes, now: Instant) -> EncryptionServices | None:
        """What RCC.16 needs, with a proof that is signed as of `now`, for a client that has shown its key."""
        offer = self.offer.encryption
        if offer is None or not participant:
            return None
        try:
            # The key may be in hardware, and slow.
            return await asyncio.to_thread(offer.services_for, number, participant, now)
        except Exception as error:  # whatever drives that hardware raises
            _log.exception("no identity proof can be signed")
            raise ProvisioningError(
                "nothing can be signed now", code="provisioning.signer", hint="try again later", status=503
            ) from error

    @property
    def _token_validity_s(self) -> int:
        return self._limits.token_lifetime_ms // 1000

    async def _claim_code(self, contact: Contact) -> str:
        if not self.offer.serves(contact.number):
            return ""
        try:
            return await self._claims(contact.number, contact.key_hash)
        except DirectoryError as error:
            if error.code == "directory.claimed":
                return ""  # this very key holds the number: there is nothing to claim
            _log.error("no claim code from the directory: %s (%s)", error, error.code)
            raise ProvisioningError(
                "the directory gives no code now", code="provisioning.directory", hint="try again later", status=503
            ) from error

    def _admit(self, address: str) -> None:
        self._registrar.spend("address", address, self._limits.address, self._now())

    async def _health(self, request: web.Request) -> web.Response:
        await self._writer.run(lambda tables: None)
        return web.Response(text="ok\n")


def _with(document: ProvisioningDocument, encryption: EncryptionServices | None) -> ProvisioningDocument:
    """A number that is not in use gets no proof."""
    return dataclasses.replace(document, encryption=encryption) if document.version > 0 else document


def _read(request: web.Request) -> Contact:
    """The contact that a query means. Raises InputError."""
    query = request.query
    given = {name: query.getall(name, [""]) for name in _PARAMETERS}
    if any(len(values) > 1 for values in given.values()):
        raise InputError("a parameter stands there twice", code="provisioning.query")
    one = {name: values[0] for name, values in given.items()}
    key_hash, version = one["participant_key_hash"], one["vers"] or "0"
    session = request.cookies.get(_COOKIE, "")
    if not _HASH.fullmatch(key_hash) or not _VERSION.fullmatch(version):
        raise InputError("participant_key_hash or vers are not what they should be", code="provisioning.query")
    if not all(_TEXT.fullmatch(text) for text in (one["token"], session)) or not (
        _CODE.fullmatch(one["OTP"]) or not one["OTP"]
    ):
        raise InputError("token, OTP or cookie are not what they should be", code="provisioning.query")
    number, digest = ids.number(one["msisdn"]), bytes.fromhex(key_hash)
    participant = read_participant_key(one["participant_key"], digest)
    return Contact(number, digest, int(version), one["token"], one["OTP"], session, participant)


def _document(document: ProvisioningDocument) -> web.Response:
    return web.Response(body=encode_document(document), content_type="text/xml", charset="utf-8", headers=NO_STORE)
