"""The profile that this process owns: the API on top of engine, driver and store."""

from __future__ import annotations

import asyncio
import dataclasses
import hmac
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..carriage import ConferenceView, Inbound, Medium
from ..codec.ft_http import RemoteFile
from ..codec.push_subscription import Subscription
from ..crypto.provider import CryptoProvider
from ..engine.content import File, FileFormat, Sendable
from ..engine.engine import Engine
from ..engine.events import Recorded
from ..engine.groups.values import GROUP
from ..engine.policy import PlainOption
from ..engine.records import CHAT, EVENT, EVENT_LOG, MESSAGE, chat_key, event_key
from ..engine.security import Security
from ..engine.step import Step
from ..engine.view import MessageView
from ..errors import InputError, NotEncrypted, StoreError, TrustRequired
from ..files.pointer import FilePointer
from ..ids import (
    ChatName,
    GroupName,
    Instant,
    MessageId,
    Number,
    Peer,
    Rng,
    account_id,
    account_uuid,
    chat_name,
    group_of,
    peer_name,
)
from ..rcc16.wire.file_info import FileMetadata
from ..seam import RecordKind, State
from ..store import Store
from ..trust import SecurityCode, matches, security_code
from .addresses import UNVISITED, Addresses
from .alerts import Alerts
from .api import (
    MOST_MESSAGES,
    CertificateInfo,
    ChatState,
    Delivered,
    DeviceInfo,
    EncryptionInfo,
    GroupInfo,
    GroupMember,
    Me,
    SmsInfo,
)
from .checkpoints import Checkpoint
from .devices import Devices
from .driver import Driver, StepFunction
from .effects import Effects
from .encryption import feature_tags
from .files.cached import CachedFiles, CacheInfo
from .files.rcc16 import Ciphertexts
from .files.reading import FileReadings
from .files.records import TransferInfo
from .files.sealed_transfers import Sealing, blob_of
from .files.transfers import Content, Transfers
from .history_filling import fill_history
from .identity import Identity
from .local_history import LocalHistory
from .network import (
    Advertises,
    Capabilities,
    Conferences,
    Directory,
    KeptConferences,
    OnMessage,
    SmsRecords,
    Transport,
    Wakeable,
)
from .settings import SETTINGS
from .sms import SmsMemory

if TYPE_CHECKING:
    from .encryption_watch import EncryptionWatch
    from .key_server import KeyServer
    from .linked_devices import LinkedDevices

__all__ = ["LocalProfile"]

T = TypeVar("T")

_PAGE = 100
_MANY_CARDS = 16_384
_REQUESTS_KEPT_MS = 24 * 3600 * 1000
_FORGET_EVERY = 256  # requests: an owner that runs for months must not wait for its next start (SR-08)

_CURSOR = RecordKind[int]("client-cursor", lambda n: n.to_bytes(8, "big"), lambda data: int.from_bytes(data, "big"))
_REQUEST = RecordKind[str]("client-request", str.encode, bytes.decode)
"""When and what a send with this request id gave: a caller whose owner died asks the next one again, and is not sent twice."""


class LocalProfile(LocalHistory):
    """Owns the store. `receive` is where the transport hands in what arrives."""

    shared = False

    def __init__(
        self,
        identity: Identity,
        store: Store,
        engine: Engine,
        crypto: CryptoProvider,
        *,
        clock: Callable[[], Instant],
        rng: Rng,
        checkpoint: Checkpoint,
    ) -> None:
        self.identity = identity
        self.me = Me(
            identity.number,
            account_uuid(identity.account),
            identity.device,
            identity.name,
            identity.participant_private is not None,
        )
        self._store = store
        self._engine = engine
        self._clock = clock
        self._rng = rng
        self._checkpoint = checkpoint
        self._effects = Effects(engine, clock, checkpoint)
        self._driver = Driver(store, clock=clock, rng=rng, perform=self._effects.perform, checkpoint=checkpoint)
        self._requests = 0
        self._transport: Transport | None = None
        self._sms: Transport | None = None
        self._directory: Directory | None = None
        self.key_server: KeyServer | None = None
        self._watching: EncryptionWatch | None = None
        self._linked: LinkedDevices | None = None
        self._devices = Devices(identity, store, engine, self._driver, crypto, clock, rng)
        self._alerts = Alerts(self._driver, engine)
        ciphertexts = Ciphertexts(store.path.with_name("transfers"), crypto, rng)
        self._cache = CachedFiles(store, self._driver, clock)
        sealing = Sealing(ciphertexts, self._cache.files, crypto, rng)
        self._transfers = Transfers(store, self._driver, clock, ciphertexts, sealing, self._cache)
        self._readings = FileReadings(self._cache.files, crypto)

    async def start(
        self,
        transport: Callable[[OnMessage], Transport | None] | None,
        directory: Directory | None,
        first: Sequence[StepFunction[None]] = (),
        content: Content | None = None,
        requests: KeyServer | None = None,
        sms: Callable[[OnMessage, SmsRecords], Transport | None] | None = None,
    ) -> None:
        """Begin to work: `first` steps, then everything that was pending, then the network."""
        self.key_server = requests
        self._effects.serve_requests(requests)
        self._transport = transport(self.receive) if transport is not None else None
        self._directory = directory
        self._effects.connect(self._driver, self._transport, directory)
        self._devices.connect(directory)
        self._driver.start()
        await fill_history(self._store, self._driver, self._checkpoint)
        for step in (*first, self._forget_requests):
            await self._driver.submit(step, heavy=True)
        await self._transfers.start(content)
        await self._devices.renew()
        self._sms = sms(self.receive, SmsMemory(self._store, self._driver.submit)) if sms is not None else None
        self._effects.carry_sms(self._sms)
        if self._sms is not None:
            await self._sms.start()
        self._watch()
        if self._transport is not None:
            await self._transport.start()
            await self._visit()
        await self._driver.submit(self._engine.start, heavy=True)
        if directory is not None and self._transport is not None:
            self._alerts.start(directory)
        if requests is not None:
            self._watch_encryption(requests)

    async def carry_with(
        self, transport: Callable[[OnMessage], Transport | None] | None, content: Content | None
    ) -> None:
        """Change carrier and content server while the profile is open; without a carrier messages wait."""
        old, self._transport = self._transport, None
        self._effects.connect(self._driver, None, self._directory)
        if old is not None:
            await old.close()
        await self._transfers.work_with(content)
        self._transport = None if transport is None else transport(self.receive)
        if self._transport is None:
            return
        self._effects.connect(self._driver, self._transport, self._directory)
        self._watch()
        self._advertise()
        await self._transport.start()
        await self._driver.submit(self._engine.start, heavy=True)  # what waited goes out

    def provisioned(self) -> None:
        """The operator was asked: what it named may be newer than before."""
        if self._watching is not None:
            self._watching.look_again()

    async def submit(self, step: StepFunction[None]) -> None:
        """Run a step of the client's own, as the engine's are."""
        await self._driver.submit(step)

    async def receive(self, inbound: Inbound) -> None:
        """Something arrived. When this returns it is on disk and may be acknowledged to the network (SR-06)."""
        self._checkpoint("receive.before")
        await self._driver.submit(
            lambda state, now, rng: self._engine.received(state, inbound, now, rng), heavy=_is_heavy(inbound)
        )
        self._checkpoint("receive.committed")

    async def _visit(self) -> None:
        if isinstance(self._transport, KeptConferences) and self._store.get(UNVISITED):
            self._transport.visit_conferences()
            await self._driver.submit(lambda s, now, rng: Step(None, {UNVISITED: None}))

    def _watch_encryption(self, requests: KeyServer) -> None:
        from .encryption_watch import EncryptionWatch

        async def submit(step: StepFunction[None]) -> None:
            await self._driver.submit(step, heavy=True)

        watch = EncryptionWatch(requests, self._engine, self._store, self._clock, submit, self._advertise)
        self._watching, requests.on_answered = watch, watch.look_again
        watch.start()
        if self.me.primary:
            from .linked_devices import LinkedDevices

            self._linked = LinkedDevices(self.identity, self._devices, requests, self._engine, self._store, submit)
            self._linked.start()

    def _advertise(self) -> None:
        if isinstance(self._transport, Advertises):
            self._transport.advertise(feature_tags(self._engine, self._store, self._clock()))

    def _watch(self) -> None:
        if isinstance(self._transport, Conferences):
            self._transport.watch_conferences(self._conference_seen)
        if isinstance(self._transport, KeptConferences):
            self._transport.remember_conferences(Addresses(self._store, self._effects.note))
        if isinstance(self._transport, Capabilities):
            self._transport.watch_capabilities(self._capabilities_seen)

    def _capabilities_seen(self, number: Number, features: tuple[str, ...], before: tuple[str, ...]) -> None:
        self._effects.note(lambda s, now, rng: self._engine.on_capabilities(s, number, features, before, now, rng))

    async def _conference_seen(self, view: ConferenceView) -> None:
        await self._driver.submit(lambda state, now, rng: self._engine.on_conference(state, view, now, rng))

    # --- chats ---------------------------------------------------------------------------------------------
    def security(self, number: ChatName) -> Security:
        return self._engine.security(self._store, number, self._clock())

    async def capabilities(self, number: Number, fresh: bool) -> tuple[str, ...] | None:
        if not isinstance(self._transport, Capabilities):
            return None
        return await self._transport.features(number, fresh=fresh)

    async def open_chat(self, number: Peer) -> ChatState:
        await self._driver.submit(lambda s, now, rng: self._engine.open_chat(s, number, now, rng))
        # Read again, in one go with the cursor: what the step gave may be older than the newest event.
        return ChatState(number, self.security(number), self._newest())

    async def chats(self) -> Sequence[ChatState]:
        names = [chat_name(key.name.partition("/")[2]) for key in self._store.scan(CHAT)]
        newest = self._newest()
        return [ChatState(name, self.security(name), newest) for name in names if not self._is_bystander(name)]

    def _is_bystander(self, name: ChatName) -> bool:
        """A number that is known from a group alone: nothing was ever said in the chat with it."""
        chat = self._store.get(chat_key(name))
        if group_of(name) is not None or chat is None or chat.accepted or chat.lamport:
            return False
        groups = (self._store.get(key) for key in self._store.scan(GROUP))
        return any(member.number == name for group in groups if group is not None for member in group.members)

    async def send(
        self,
        number: ChatName,
        content: Sendable,
        allow: PlainOption | None,
        wait: bool,
        request: str,
        message_id: str = "",
        only_encrypted: bool = False,
        keep: bool = False,
    ) -> MessageId:
        engine, chosen = self._engine, MessageId(message_id) if message_id else None

        def step(state: State, now: Instant, rng: Rng) -> Step[MessageId]:
            return engine.send(
                state,
                number,
                content,
                now,
                rng,
                allow=allow,
                wait=wait,
                message_id=chosen,
                only_encrypted=only_encrypted,
                keep=keep,
            )

        try:
            return MessageId(await self._once(step, request, heavy=group_of(number) is not None))
        except NotEncrypted as error:
            if error.reason == Security.NO_KEYS_FOUND.value and group_of(number) is None:
                await self.open_chat(peer_name(number))  # by the time the user has decided, there may be some
            raise

    async def _once(self, step: StepFunction[Any], request: str, *, heavy: bool = True) -> str:
        """Run a step whose value is text, or nothing; with a request id only the first time. One that encrypts for a
        whole group takes tens of milliseconds: it runs beside the event loop."""

        def once(state: State, now: Instant, rng: Rng) -> Step[str]:
            key = _REQUEST.key(request)
            if (known := state.get(key)) is not None:
                return Step(known.partition(" ")[2], {})
            done = step(state, now, rng)
            self._requests += 1
            forgotten = self._forget_requests(state, now, rng).writes if self._requests % _FORGET_EVERY == 0 else {}
            writes = {**forgotten, **done.writes, key: f"{now:015d} {done.value or ''}"}
            return dataclasses.replace(done, value=done.value or "", writes=writes)

        return await self._driver.submit(once if request else step, heavy=heavy) or ""

    async def options(self, number: ChatName) -> Sequence[PlainOption]:
        return self._engine.options(self._store, number)

    async def keep_waiting(self, number: ChatName) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.keep_waiting(s, number, now, rng))

    async def release(self, number: Number, allow: PlainOption) -> int:
        return await self._driver.submit(lambda s, now, rng: self._engine.release(s, number, allow, now, rng))

    async def typing(self, number: Number, active: bool) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.typing(s, number, active, now, rng))

    async def mark_displayed(self, number: ChatName, message_id: MessageId) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.mark_displayed(s, number, message_id, now, rng))

    async def messages(self, number: ChatName, limit: int, before: str) -> Sequence[MessageView]:
        newest_first = self._store.before(
            MESSAGE, f"{number}/{before}" if before else "", max(1, min(limit, MOST_MESSAGES)), prefix=f"{number}/"
        )
        return [self._engine.view(self._store, number, message) for _, message in reversed(newest_first)]

    async def find(self, number: ChatName, message_id: MessageId) -> Sequence[MessageView]:
        return self._engine.find(self._store, number, message_id)

    async def carried(self, medium: str) -> bool:
        return (self._sms if medium == Medium.SMS.label else self._transport) is not None

    # --- trust ---------------------------------------------------------------------------------------------
    async def security_code(self, number: Number) -> SecurityCode:
        theirs = self._participant(number)
        mine = self.identity
        # Some 10 ms of hashing.
        return await asyncio.to_thread(security_code, mine.number, mine.participant_spki, number, theirs)

    async def verify(self, number: Number, scanned: bytes | None, last_group: str | None) -> None:
        account = account_id(self._participant(number))
        code = await self.security_code(number)
        if scanned is not None:
            same = matches(code, scanned)
        else:
            typed = "".join((last_group or "").split())
            same = hmac.compare_digest(typed.encode(), code.groups[-1].encode())
        if not same:
            raise TrustRequired(
                "the codes differ",
                code="trust.code_differs",
                hint="check that both phones are up to date and show this chat, then compare again",
            )
        await self._driver.submit(lambda s, now, rng: self._engine.mark_verified(s, number, account, now, rng))

    async def accept_keys(self, number: Number) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.accept_keys(s, number, now, rng))

    def _participant(self, number: Number) -> bytes:
        return self._engine.participant(self._store, number)

    # --- groups --------------------------------------------------------------------------------------------
    async def create_group(self, numbers: Sequence[Number], subject: str, request: str, protocol: str) -> GroupName:
        engine = self._engine
        made = await self._once(
            lambda s, now, rng: engine.create_group(s, numbers, subject, now, rng, protocol=protocol), request
        )
        return GroupName(made)

    async def group(self, group: GroupName) -> GroupInfo:
        await self._driver.submit(lambda s, now, rng: self._engine.open_group(s, group, now, rng))
        return self._group(group)

    async def groups(self) -> Sequence[GroupInfo]:
        names = [chat_name(key.name.partition("/")[2]) for key in self._store.scan(CHAT)]
        return [self._group(GroupName(name)) for name in names if group_of(name) is not None]

    def _group(self, name: GroupName) -> GroupInfo:
        now, group = self._clock(), self._engine.group(self._store, name)
        members = tuple(
            GroupMember(each.number, each.account, each.state, each.current, each.me, each.removable)
            for each in self._engine.members(self._store, name, now)
        )
        security = self.security(name)
        return GroupInfo(
            name,
            group.subject,
            members,
            group.joined,
            security,
            self._newest(),
            group.icon,
            group.icon_digest,
            self._engine.conversation(self._store, name)[0] or "signal",
        )

    async def add_members(self, group: GroupName, numbers: Sequence[Number], request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.add_members(s, group, numbers, now, rng), request)

    async def remove_member(self, group: GroupName, number: Number, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.remove_member(s, group, number, now, rng), request)

    async def leave_group(self, group: GroupName, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.leave_group(s, group, now, rng), request)

    async def set_subject(self, group: GroupName, subject: str, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.set_subject(s, group, subject, now, rng), request)

    async def set_icon(self, group: GroupName, digest: bytes, url: str, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.set_icon(s, group, digest, url, now, rng), request)

    async def set_sealed_icon(self, group: GroupName, file: File, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.set_sealed_icon(s, group, file, now, rng), request)

    async def icon(self, group: GroupName) -> File | None:
        return self._engine.icon(self._store, group)

    async def encryption(self, number: ChatName) -> EncryptionInfo:
        name, view = self._engine.conversation(self._store, number)
        protocol, security = name or ("signal" if self._engine.speaks("signal") else ""), self.security(number)
        if view is None:
            return EncryptionInfo(number, protocol, security)
        return EncryptionInfo(number, protocol, security, view.era, view.epoch, view.health)

    async def end_encryption(self, number: ChatName) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.end_encryption(s, number, now, rng), heavy=True)

    async def revive_encryption(self, number: ChatName) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.revive_encryption(s, number, now, rng), heavy=True)

    async def retry_encryption(self, number: ChatName) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.retry_encryption(s, number, now, rng), heavy=True)

    async def certificate(self) -> CertificateInfo | None:
        return None if self.key_server is None else self.key_server.certificate()

    async def sms(self) -> SmsInfo | None:
        settings = self._store.get(SETTINGS)
        account = None if settings is None else settings.sms
        return None if account is None else SmsInfo(account.host, account.port, account.username, account.tls)

    async def delivered(self, message_id: MessageId) -> Delivered:
        return Delivered(*self._engine.delivery(self._store, message_id))

    async def set_push(self, push: Subscription | None) -> None:
        if not isinstance(self._transport, Wakeable):
            raise InputError(
                "nobody takes messages for this device while it is away",
                code="push.no_gateway",
                hint="set the profile up with a gateway: letterlock setup NUMBER --gateway URL",
            )
        await self._transport.subscribe(push)

    # --- devices -------------------------------------------------------------------------------------------
    async def devices(self) -> Sequence[DeviceInfo]:
        return self._devices.listed()

    async def device_offer(self) -> str:
        return self._devices.offer()

    async def add_device(self, request: str) -> int:
        return await self._devices.add(request.partition(".")[0])

    async def vouch_for_device(self, request: str) -> str:
        if self._linked is None:
            raise InputError(
                "only the primary device of an account with rcc16 vouches for others", code="input.not_primary"
            )
        return await self._linked.vouch(request)

    async def remove_device(self, device: int) -> None:
        if self._linked is not None and device != self.me.device:
            await self._linked.remove(device)
        await self._devices.remove(device)

    # --- files ---------------------------------------------------------------------------------------------
    async def file_format(self, number: ChatName, wait: bool = False) -> FileFormat:
        return self._engine.file_format(self._store, number, self._clock(), wait=wait)

    async def upload(
        self,
        transfer: str,
        path: str,
        name: str,
        content_type: str,
        thumbnail: str | None,
        thumbnail_type: str,
        form: FileFormat = FileFormat.PLAIN,
        described: bool = True,
    ) -> TransferInfo:
        return await self._transfers.upload(
            transfer, path, name, content_type, thumbnail, thumbnail_type, form, described
        )

    async def download(
        self,
        transfer: str,
        file: RemoteFile,
        size: int | None,
        to: str,
        sha256: bytes | None,
        sealed: FileMetadata | None = None,
    ) -> TransferInfo:
        return await self._transfers.download(transfer, file, size, to, sha256, sealed)

    async def download_sealed(self, transfer: str, pointer: FilePointer, to: str, thumbnail: bool) -> TransferInfo:
        return await self._transfers.download_sealed(transfer, pointer, to, thumbnail)

    async def read_file(self, reader: str, pointer: FilePointer, thumbnail: bool, offset: int, length: int) -> bytes:
        at = blob_of(pointer, thumbnail)
        data = await self._readings.read(reader, at, offset, length, self._transfers.read_range)
        await self._cache.note(pointer)
        return data

    async def close_file(self, reader: str) -> None:
        await self._readings.close(reader)

    async def cache(self) -> CacheInfo:
        return await self._cache.info()

    async def prune_cache(self, to: int) -> int:
        return await self._cache.prune(to)

    async def set_cache_budget(self, budget: int) -> None:
        await self._cache.set_budget(budget)

    async def transfers(self) -> Sequence[TransferInfo]:
        return await self._transfers.listed()

    async def transfer(self, transfer: str) -> TransferInfo:
        return await self._transfers.one(transfer)

    async def pause_transfer(self, transfer: str) -> TransferInfo:
        return await self._transfers.pause(transfer)

    async def resume_transfer(self, transfer: str) -> TransferInfo:
        return await self._transfers.resume(transfer)

    async def cancel_transfer(self, transfer: str) -> None:
        await self._transfers.cancel(transfer)

    # --- events --------------------------------------------------------------------------------------------
    async def cursor(self) -> int:
        return self._newest()

    def _newest(self) -> int:
        log = self._store.get(EVENT_LOG)
        return log.next - 1 if log is not None else 0

    async def events(self, after: int) -> AsyncGenerator[Recorded, None]:
        """Every event behind the cursor `after`, then those to come. Ends when the profile is closed."""
        cursor = after
        while True:
            change = self._driver.next_change()  # before reading, so that nothing falls in between
            try:
                page = self._recorded_after(cursor)
            except StoreError as error:
                if error.code == "client.closed":
                    return
                raise
            for recorded in page:
                self._checkpoint("event.before")
                yield recorded
                cursor = recorded.cursor
            if not page:
                try:
                    await asyncio.shield(change)
                except asyncio.CancelledError:
                    if change.cancelled() and not _being_cancelled():
                        return
                    raise

    def _recorded_after(self, cursor: int) -> Sequence[Recorded]:
        """A page of events behind the cursor."""
        newest = self._newest()
        if newest - cursor > _PAGE:
            return [recorded for _, recorded in self._store.after(EVENT, f"{cursor:020d}", _PAGE)]
        # Whoever keeps up finds them decoded in the store's cache. One that is not there any more was pruned.
        recent = (self._store.get(event_key(number)) for number in range(cursor + 1, newest + 1))
        return [recorded for recorded in recent if recorded is not None]

    async def recall(self, consumer: str) -> int | None:
        return self._store.get(_CURSOR.key(_consumer(consumer)))

    async def keep(self, consumer: str, cursor: int) -> None:
        key = _CURSOR.key(_consumer(consumer))
        await self._driver.submit(lambda s, now, rng: Step(None, {key: cursor}))

    # --- the end -------------------------------------------------------------------------------------------
    async def settled(self) -> None:
        """Wait until nothing is queued or under way: every frame was answered by the network or will be retried later."""
        while True:
            await self._driver.idle()
            if not self._effects.busy:
                return
            await self._effects.settled()

    async def close(self) -> None:
        """Disconnect, finish what was begun, give the profile back."""
        try:
            if self._transport is not None:
                await self._transport.close()
            if self._sms is not None:
                await self._sms.close()
            await self._alerts.close()
            for upkeep in (self._watching, self._linked):
                if upkeep is not None:
                    await upkeep.close()
            await self._readings.close_all()
            await self._transfers.close()
            await self._devices.close()
            await self._effects.close()
            await self._driver.close()
        finally:
            try:
                if self._directory is not None:
                    await self._directory.close()
                if self.key_server is not None:
                    await self.key_server.close()
            finally:
                await asyncio.to_thread(self._store.close)

    def _forget_requests(self, state: State, now: Instant, rng: Rng) -> Step[None]:
        before = f"{now - _REQUESTS_KEPT_MS:015d}"
        return Step(None, {key: None for key in state.scan(_REQUEST) if (state.get(key) or "") < before})

    def __repr__(self) -> str:
        return f"LocalProfile({self.me.number}, device {self.me.device})"


def _is_heavy(inbound: Inbound) -> bool:
    """A commit or a Welcome of a large group costs far more than a slice of the event loop, and so do ten full cards."""
    if inbound.number is None and len(inbound.body) > _MANY_CARDS:
        return True
    return inbound.content_type.startswith("message/mls-rcs")


def _consumer(name: str) -> str:
    if not name or "/" in name or len(name) > 64:
        raise InputError("a consumer's name has 1 to 64 characters and no slash", code="input.consumer")
    return name


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
