"""`signal` behind the seam: needs, seal, open, rejections, pre-key upkeep. A directory in a dict stands in the middle."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from crypto.deterministic import seeded_rng
from letterlock.codec.prekeys import PreKeyBundle, decode_bundle, decode_upload, encode_bundle
from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadSignature, IdentityChanged, InputError, NoSession
from letterlock.ids import AccountId, ConversationId, DeviceAddress, DeviceId, MessageId, Number
from letterlock.seam import (
    Content,
    Device,
    DeviceProtocol,
    Envelope,
    Frame,
    Header,
    Opened,
    Party,
    Recipient,
    Rejected,
    Rejection,
    Sealed,
    Seen,
)
from letterlock.signal.inner import encode_inner
from letterlock.signal.keys import IdentityKeyPair
from letterlock.signal.limits import LIBSIGNAL_LIMITS, Limits
from letterlock.signal.messages import PREKEY_TYPE, SIGNAL_TYPE
from letterlock.signal.prekey_records import STOCK, Stock
from letterlock.signal.protocol import SignalProtocol
from signal_device import NOW, Memory

CRYPTO = Pyca()
DAY_MS = 24 * 60 * 60 * 1000
ANA, BEN = Number("+15550100"), Number("+15550101")


class Phone:
    """A SignalProtocol with its state, and its shelf at the directory."""

    def __init__(self, number: Number, account: bytes, device: int, limits: Limits = LIBSIGNAL_LIMITS) -> None:
        self.rng = seeded_rng(f"{number}/{device}")
        self.me = Party(number, AccountId(account), DeviceId(device))
        self.identity = IdentityKeyPair.generate(CRYPTO, self.rng)
        self.protocol = SignalProtocol(CRYPTO, self.me, self.identity, limits, registration_id=77)
        self.state = Memory()
        self.now = NOW
        self.shelf: list[bytes] = []
        self.last_resort = b""
        self.uploads = 0
        self.timer()

    def timer(self) -> tuple[str, ...]:
        step = self.protocol.on_timer(self.state, self.now, self.rng)
        self.state.apply(step.writes)
        if step.publish is not None:
            self.uploads += 1
            upload = decode_upload(step.publish.payload, max_one_time=100)
            if upload.replaces:
                self.shelf.clear()
            bundle = PreKeyBundle(
                upload.registration_id,
                self.me.device,
                self.identity.public,
                upload.signed,
                upload.last_resort,
                True,
                None,
            )
            self.last_resort = encode_bundle(bundle)
            for ec, kem in zip(upload.one_time, upload.one_time_kem, strict=True):
                self.shelf.append(encode_bundle(replace(bundle, kem=kem, kem_is_last_resort=False, one_time=ec)))
            self.state.apply(self.protocol.published(self.state, step.publish, len(self.shelf), self.now))
        return step.notes

    def fetch(self) -> bytes:
        if not self.shelf:
            return self.last_resort
        signed = decode_bundle(self.last_resort).signed  # the newest, whenever the one-time keys came
        return encode_bundle(replace(decode_bundle(self.shelf.pop(0)), signed=signed))

    def entry(self, material: bytes | None = None) -> Device:
        return Device(self.me.device, {"signal": self.identity.public}, frozenset({"signal"}), material)

    def recipient(self, *others: Phone, fetch: bool = False) -> Recipient:
        phones = (self, *others)
        return Recipient(
            self.me.number,
            self.me.account,
            tuple(phone.entry(phone.fetch() if fetch else None) for phone in phones),
            b"L" * 32,
        )

    def content(self, to: Phone, body: bytes = b"hi", name: str = "m1") -> Content:
        header = Header(
            self.me,
            to.me,
            ConversationId(b"c" * 16),
            MessageId(name),
            1,
            1,
            (Seen(to.me.account, to.me.device, 4),),
            b"S" * 32,
            b"R" * 32,
        )
        return Content(header, body)

    def send(self, recipient: Recipient, content: Content) -> Sealed:
        needed = self.protocol.needs(self.state, (recipient,), self.now)
        assert not needed, needed
        (sealed,) = self.protocol.seal(self.state, content, (recipient,), self.now, self.rng)
        self.state.apply(sealed.writes)
        return sealed

    def frame(self, sender: Phone, sealed: Sealed, name: str = "m1") -> Frame:
        copy = next(copy for copy in sealed.copies if copy.device == self.me.device)
        envelope = Envelope(sender.me.number, self.me.number, MessageId(name))
        return Frame(envelope, sender.me, sender.entry(), self.me, copy.type, copy.ciphertext)

    def read(self, frame: Frame) -> Opened:
        opened = self.protocol.open(self.state, frame, self.now)
        assert isinstance(opened, Opened), opened
        self.state.apply(opened.writes)
        return opened

    def refuse(self, frame: Frame) -> Rejected:
        before = dict(self.state.records)
        rejected = self.protocol.open(self.state, frame, self.now)
        assert isinstance(rejected, Rejected)
        assert self.state.records == before
        return rejected


def phones() -> tuple[Phone, Phone]:
    return Phone(ANA, b"a" * 16, 1), Phone(BEN, b"b" * 16, 1)


def talking() -> tuple[Phone, Phone]:
    ana, ben = phones()
    ben.read(ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben))))
    ana.read(ana.frame(ben, ben.send(ana.recipient(), ben.content(ana))))
    return ana, ben


def test_it_implements_the_seam() -> None:
    protocol: DeviceProtocol = Phone(ANA, b"a" * 16, 1).protocol
    assert protocol.name == "signal"


def test_first_message_and_answer() -> None:
    ana, ben = phones()
    to_ben = ben.recipient()
    (needed,) = ana.protocol.needs(ana.state, (to_ben,), NOW)
    assert (needed.number, needed.account, needed.device) == (BEN, ben.me.account, 1)
    sealed = ana.send(ben.recipient(fetch=True), ana.content(ben, b"hello"))
    assert sealed.introduces and [copy.type for copy in sealed.copies] == [PREKEY_TYPE]
    assert ana.protocol.needs(ana.state, (to_ben,), NOW) == ()
    opened = ben.read(ben.frame(ana, sealed))
    assert opened.content.body == b"hello"
    assert opened.content.header.seen == (Seen(ben.me.account, ben.me.device, 4),)
    assert opened.content.header.recipient_list_head == b"L" * 32
    assert opened.notes == ("session_started",)
    answer = ben.send(ana.recipient(), ben.content(ana, b"hello back"))
    assert not answer.introduces and answer.copies[0].type == SIGNAL_TYPE
    assert ana.read(ana.frame(ben, answer)).content.body == b"hello back"


def test_several_devices_get_a_copy_each_and_the_sender_none() -> None:
    ana, ben = phones()
    tablet, laptop = Phone(BEN, b"b" * 16, 2), Phone(ANA, b"a" * 16, 2)
    to_ben = ben.recipient(tablet, fetch=True)
    to_own = ana.recipient(laptop, fetch=True)
    needed = ana.protocol.needs(ana.state, (ben.recipient(tablet), ana.recipient(laptop)), NOW)
    assert [(item.account, item.device) for item in needed] == [(b"b" * 16, 1), (b"b" * 16, 2), (b"a" * 16, 2)]
    sealed = ana.protocol.seal(ana.state, ana.content(ben), (to_ben, to_own), NOW, ana.rng)
    for part in sealed:
        ana.state.apply(part.writes)
    assert [[copy.device for copy in part.copies] for part in sealed] == [[1, 2], [2]]
    for phone, part in ((ben, sealed[0]), (tablet, sealed[0]), (laptop, sealed[1])):
        opened = phone.read(phone.frame(ana, part))
        # SR-03: each copy names the device that it is for.
        assert opened.content.header.recipient == phone.me


def test_sealing_in_one_step_twice_uses_no_key_twice() -> None:
    ana, ben = talking()
    to_ben = ben.recipient()
    first, second = ana.protocol.seal(ana.state, ana.content(ben), (to_ben, to_ben), NOW, ana.rng)
    assert first.copies != second.copies
    ana.state.apply(first.writes)
    ana.state.apply(second.writes)
    ben.read(ben.frame(ana, first))
    ben.read(ben.frame(ana, second))


def test_sr_03_an_envelope_that_says_otherwise_is_refused() -> None:
    ana, ben = talking()
    frame = ben.frame(ana, ana.send(ben.recipient(), ana.content(ben)))
    other = Party(Number("+15550199"), AccountId(b"x" * 16), DeviceId(1))
    for forged in (
        replace(frame, envelope=replace(frame.envelope, sender=other.number)),
        replace(frame, envelope=replace(frame.envelope, recipient=other.number)),
        replace(frame, envelope=replace(frame.envelope, message_id=MessageId("another"))),
        replace(frame, sender=replace(frame.sender, number=other.number)),
        replace(frame, recipient=other),
        replace(frame, sender_device=replace(frame.sender_device, id=DeviceId(9))),
    ):
        assert ben.refuse(forged).reason is Rejection.ENVELOPE_MISMATCH
    ben.read(frame)


def test_sr_03_a_copy_for_another_device_is_refused() -> None:
    """Same session keys cannot be, so the content itself is made to lie about its recipient."""
    ana, ben = talking()
    session = ana.state.get(ana.protocol.session_key(DeviceAddress(ben.me.account, ben.me.device)))
    content = ana.content(ben)
    for header in (
        replace(content.header, recipient=replace(ben.me, device=DeviceId(2))),
        replace(content.header, recipient=replace(ben.me, account=AccountId(b"z" * 16))),
        replace(content.header, sender=replace(ana.me, device=DeviceId(2))),
    ):
        plaintext = encode_inner(replace(content, header=header))
        _, kind, message = session.encrypt(CRYPTO, plaintext, NOW, LIBSIGNAL_LIMITS, ana.rng)
        frame = Frame(Envelope(ANA, BEN, MessageId("m1")), ana.me, ana.entry(), ben.me, kind, message)
        assert ben.refuse(frame).reason is Rejection.ENVELOPE_MISMATCH


def test_sr_04_only_the_listed_identity_may_speak() -> None:
    ana, ben = phones()
    frame = ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben)))
    mallory = IdentityKeyPair.generate(CRYPTO, ana.rng)
    listed = replace(ana.entry(), keys={"signal": mallory.public})
    assert ben.refuse(replace(frame, sender_device=listed)).reason is Rejection.IDENTITY_CHANGED
    unlisted = replace(ana.entry(), keys={})
    assert ben.refuse(replace(frame, sender_device=unlisted)).reason is Rejection.ENVELOPE_MISMATCH
    ben.read(frame)
    later = ben.frame(ana, ana.send(ben.recipient(), ana.content(ben, name="m2")), "m2")
    assert ben.refuse(replace(later, sender_device=listed)).reason is Rejection.IDENTITY_CHANGED
    ben.read(later)


def test_sr_04_a_session_with_a_former_identity_neither_sends_nor_reads() -> None:
    ana, ben = talking()
    frame = ben.frame(ana, ana.send(ben.recipient(), ana.content(ben)))
    relinked = Phone(ANA, b"a" * 16, 1)
    relinked.identity = IdentityKeyPair.generate(CRYPTO, relinked.rng)
    relinked.protocol = SignalProtocol(CRYPTO, relinked.me, relinked.identity, LIBSIGNAL_LIMITS, registration_id=78)
    relinked.state = Memory()
    relinked.shelf.clear()
    relinked.timer()
    # Ana's number has another identity now: the old session's message is refused, and Ben needs a new bundle.
    assert ben.refuse(replace(frame, sender_device=relinked.entry())).reason is Rejection.IDENTITY_CHANGED
    assert len(ben.protocol.needs(ben.state, (relinked.recipient(),), NOW)) == 1
    first = relinked.send(ben.recipient(fetch=True), relinked.content(ben))
    assert ben.read(ben.frame(relinked, first)).notes == ("session_started", "identity_changed")


def test_sr_04_a_former_identity_gains_nothing_by_calling_itself_the_new_one() -> None:
    """The identity key of a pre-key message is not authenticated by a session that there is already."""
    ana, ben = phones()
    ben.read(ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben))))
    again = ben.frame(ana, ana.send(ben.recipient(), ana.content(ben, name="m2")), "m2")
    relinked = IdentityKeyPair.generate(CRYPTO, ana.rng).public
    assert again.type == PREKEY_TYPE and again.ciphertext.count(ana.identity.public) == 1
    forged = replace(
        again,
        ciphertext=again.ciphertext.replace(ana.identity.public, relinked),
        sender_device=replace(ana.entry(), keys={"signal": relinked}),
    )
    assert ben.refuse(forged).reason is Rejection.IDENTITY_CHANGED
    ben.read(again)


def test_sr_12_a_bundle_that_does_not_hold_is_refused_before_use() -> None:
    ana, ben = phones()
    good = bytearray(ben.fetch())
    size = len(good)
    for position in (size - 60, 200, 45):  # KEM signature, KEM key, signed key: all under a signature
        bad = bytearray(good)
        bad[position] ^= 1
        recipient = replace(ben.recipient(), devices=(ben.entry(bytes(bad)),))
        with pytest.raises(BadSignature):
            ana.protocol.seal(ana.state, ana.content(ben), (recipient,), NOW, ana.rng)
    mallory = Phone(BEN, b"b" * 16, 1)
    mallory.identity = IdentityKeyPair.generate(CRYPTO, mallory.rng)
    mallory.shelf.clear()
    mallory.state = Memory()
    mallory.protocol = SignalProtocol(CRYPTO, mallory.me, mallory.identity, LIBSIGNAL_LIMITS, registration_id=1)
    mallory.timer()
    recipient = replace(ben.recipient(), devices=(ben.entry(mallory.fetch()),))
    with pytest.raises(IdentityChanged) as caught:
        ana.protocol.seal(ana.state, ana.content(ben), (recipient,), NOW, ana.rng)
    assert (caught.value.old, caught.value.new) == (ben.identity.public, mallory.identity.public)
    with pytest.raises(NoSession):
        ana.protocol.seal(ana.state, ana.content(ben), (ben.recipient(),), NOW, ana.rng)
    with pytest.raises(InputError):
        ana.protocol.seal(ana.state, ben.content(ana), (ben.recipient(),), NOW, ana.rng)


def test_sr_05_replay_and_reflection() -> None:
    ana, ben = talking()
    frame = ben.frame(ana, ana.send(ben.recipient(), ana.content(ben)))
    ben.read(frame)
    assert ben.refuse(frame).reason is Rejection.DUPLICATE
    own = replace(frame, sender=ben.me, sender_device=ben.entry())
    assert ben.refuse(own).reason is Rejection.ENVELOPE_MISMATCH


def test_sr_07_every_flipped_byte_of_a_frame_copy_is_rejected_without_a_trace() -> None:
    ana, ben = talking()
    message = ben.frame(ana, ana.send(ben.recipient(), ana.content(ben)))
    reasons = set()
    for position in range(len(message.ciphertext)):
        broken = bytearray(message.ciphertext)
        broken[position] ^= 0x55
        reasons.add(ben.refuse(replace(message, ciphertext=bytes(broken))).reason)
    assert reasons <= {
        Rejection.BAD_MAC,
        Rejection.NO_SESSION,
        Rejection.MALFORMED,
        Rejection.DOWNGRADE,
        Rejection.DUPLICATE,
        Rejection.TOO_FAR_AHEAD,
    }
    assert ben.refuse(replace(message, type=7)).reason is Rejection.MALFORMED
    assert ben.refuse(replace(message, ciphertext=b"")).reason is Rejection.MALFORMED
    assert ben.refuse(replace(message, ciphertext=b"\x33" + message.ciphertext[1:])).reason is Rejection.DOWNGRADE
    ben.read(message)


def test_after_on_rejected_the_next_message_begins_a_new_session_and_old_ones_still_read() -> None:
    ana, ben = talking()
    late = ana.frame(ben, ben.send(ana.recipient(), ben.content(ana)))
    ana.state.apply(ana.protocol.on_rejected(ana.state, ben.me, NOW))
    assert len(ana.protocol.needs(ana.state, (ben.recipient(),), NOW)) == 1
    sealed = ana.send(ben.recipient(fetch=True), ana.content(ben))
    assert sealed.introduces
    assert ana.read(late).content.body == b"hi"
    assert ben.read(ben.frame(ana, sealed)).notes == ("session_started",)
    assert ana.protocol.on_rejected(ana.state, Party(BEN, AccountId(b"q" * 16), DeviceId(1)), NOW) == {}


def test_sr06_in_an_old_copy_no_session_comes_to_life_again() -> None:
    """SR-06: a message that comes in a session of the old copy does not read, for it would make that session current."""
    ana, ben = talking()
    ana.state.apply(ana.protocol.on_rejected(ana.state, ben.me, NOW))
    ana.send(ben.recipient(fetch=True), ana.content(ben))
    late = ana.frame(ben, ben.send(ana.recipient(), ben.content(ana)))
    ana.state.apply(ana.protocol.rolled_back(ana.state))
    rejected = ana.refuse(late)
    assert (rejected.reason, rejected.ask_again) == (Rejection.NO_SESSION, True)
    assert len(ana.protocol.needs(ana.state, (ben.recipient(),), NOW)) == 1
    sealed = ana.send(ben.recipient(fetch=True), ana.content(ben))
    assert ben.read(ben.frame(ana, sealed)).notes == ("session_started",)


@pytest.mark.parametrize("last_resort", [False, True])
def test_sr06_in_an_old_copy_no_first_message_opens_again(last_resort: bool) -> None:
    """SR-06: its session would begin with the chains that have been sent with since the copy was made."""
    ana, ben = phones()
    if last_resort:
        ben.shelf.clear()
    copy = dict(ben.state.records)
    first = ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben)))
    ben.read(first)
    ben.send(ana.recipient(), ben.content(ana))
    ben.state.records = copy
    ben.state.apply(ben.protocol.rolled_back(ben.state))
    rejected = ben.refuse(first)
    assert rejected.reason is Rejection.UNKNOWN_PREKEY and rejected.ask_again
    ben.timer()  # new pre-keys take the place of those at the directory
    ana.state = Memory()
    ben.read(ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben))))


def test_archived_sessions_expire() -> None:
    ana, ben = talking()
    late = ana.frame(ben, ben.send(ana.recipient(), ben.content(ana)))
    ana.state.apply(ana.protocol.on_rejected(ana.state, ben.me, ana.now))
    archive = ana.protocol.archive_key(DeviceAddress(ben.me.account, ben.me.device))
    assert len(ana.state.get(archive)) == 1
    ana.now += 30 * DAY_MS + 1
    assert ana.refuse(late).reason is Rejection.NO_SESSION
    ana.timer()
    assert ana.state.get(archive) is None


def test_lost_state_is_asked_again() -> None:
    ana, ben = talking()
    frame = ben.frame(ana, ana.send(ben.recipient(), ana.content(ben)))
    ben.state.records = {
        name: data for name, data in ben.state.records.items() if not name.startswith("signal-session/")
    }
    rejected = ben.refuse(frame)
    assert rejected.reason is Rejection.NO_SESSION and rejected.ask_again


def test_notes_epochs() -> None:
    ana, ben = talking()
    notes: list[str] = []
    for _ in range(60):
        notes += ben.read(ben.frame(ana, ana.send(ben.recipient(), ana.content(ben)))).notes
        notes += ana.read(ana.frame(ben, ben.send(ana.recipient(), ben.content(ana)))).notes
    assert set(notes) == {"epoch_advanced"}


# --- pre-keys (SR-13) -------------------------------------------------------------------------------
def prekey_records(phone: Phone, kind: str) -> int:
    return sum(name.startswith(f"signal-{kind}/") for name in phone.state.records)


def test_sr_13_one_time_prekeys_are_consumed_and_replenished() -> None:
    ana, ben = phones()
    assert len(ben.shelf) == 20
    for _ in range(6):
        ben.timer()
    assert len(ben.shelf) == 100 and ben.uploads == 5
    before = prekey_records(ben, "one-time-prekey"), prekey_records(ben, "kem-prekey")
    for n in range(20):
        ana.state = Memory()
        opened = ben.read(ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben, name=f"m{n}")), f"m{n}"))
        assert "session_without_one_time_prekey" not in opened.notes
    assert prekey_records(ben, "one-time-prekey") == before[0] - 20
    assert prekey_records(ben, "kem-prekey") == before[1] - 20
    ben.timer()
    assert len(ben.shelf) == 100


def test_sr_13_what_messages_use_up_is_seen_within_the_hour() -> None:
    _, ben = phones()
    for _ in range(6):
        ben.timer()
    step = ben.protocol.on_timer(ben.state, ben.now, ben.rng)
    assert step.publish is None and not step.writes
    assert step.next_at is not None and step.next_at - ben.now <= 60 * 60_000


def test_sr_13_the_last_resort_is_noted_and_remembers_base_keys() -> None:
    ana, ben = phones()
    ben.shelf.clear()
    frame = ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben)))
    opened = ben.read(frame)
    assert opened.notes == ("session_started", "session_without_one_time_prekey")
    for name in [name for name in ben.state.records if name.startswith(("signal-session/", "signal-archive/"))]:
        del ben.state.records[name]
    assert ben.refuse(frame).reason is Rejection.DUPLICATE  # the replay of a first message begins nothing


def test_sr_13_a_one_time_prekey_serves_once() -> None:
    ana, ben = phones()
    frame = ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben)))
    ben.read(frame)
    for name in [name for name in ben.state.records if name.startswith("signal-session/")]:
        del ben.state.records[name]
    rejected = ben.refuse(frame)
    assert rejected.reason is Rejection.UNKNOWN_PREKEY and rejected.ask_again


def test_sr_13_a_refused_first_message_costs_no_prekey() -> None:
    ana, ben = phones()
    frame = ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben)))
    broken = bytearray(frame.ciphertext)
    broken[broken.index(b"\x22") + 300] ^= 1  # within the inner message
    ben.refuse(replace(frame, ciphertext=bytes(broken)))
    ben.read(frame)


def test_sr_13_rotation_keeps_replaced_keys_for_what_is_under_way_and_then_forgets_them() -> None:
    ana, ben = phones()
    ben.shelf.clear()
    under_way = [ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben)))]
    ana.state = Memory()
    under_way.append(ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben))))
    old = ben.last_resort
    ben.now += 2 * DAY_MS
    ben.timer()
    assert ben.last_resort != old
    ben.now += 29 * DAY_MS
    ben.read(under_way[0])
    ben.now += 2 * DAY_MS
    assert ben.refuse(under_way[1]).reason is Rejection.UNKNOWN_PREKEY
    ben.timer()
    assert prekey_records(ben, "base-keys") == 0
    assert prekey_records(ben, "signed-prekey") == 2  # the one replaced last, and the current one


def test_sr_13_a_worn_last_resort_key_is_rotated_early() -> None:
    limits = replace(LIBSIGNAL_LIMITS, max_base_keys=4)
    ana, ben = Phone(ANA, b"a" * 16, 1), Phone(BEN, b"b" * 16, 1, limits)
    ben.shelf.clear()
    reasons = []
    for n in range(6):
        ana.state = Memory()
        name = f"m{n}"
        frame = ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben, name=name)), name)
        opened = ben.protocol.open(ben.state, frame, ben.now)
        if isinstance(opened, Opened):
            ben.state.apply(opened.writes)
        else:
            reasons.append(opened.reason)
    assert reasons == [Rejection.UNKNOWN_PREKEY] * 2
    old = ben.last_resort
    ben.timer()
    assert ben.last_resort != old


def test_sr_13_draining_is_noticed() -> None:
    _, ben = phones()
    for _ in range(6):
        ben.timer()
    del ben.shelf[:90]  # somebody took ninety bundles and wrote to nobody
    ben.now += 2 * DAY_MS
    ben.timer()  # the rotation's upload brings the directory's count
    assert "prekeys_drained" in ben.timer()
    assert "prekeys_drained" not in ben.timer()


def test_sr_13_keys_that_wait_are_renewed_while_their_private_halves_are_held() -> None:
    """Few new contacts: a key that was handed out after half a year still opens."""
    ana, ben = phones()
    for day in range(200):
        ben.now = ana.now = NOW + day * DAY_MS
        for _ in range(6):
            ben.now += 60_000
            ben.timer()
        assert len(ben.shelf) >= 80 and prekey_records(ben, "one-time-prekey") <= 300
        if day % 10 == 0:
            ana.state = Memory()
            opened = ben.read(ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben))))
            assert "session_without_one_time_prekey" not in opened.notes


@pytest.mark.parametrize("last_moment", [0, 60 * DAY_MS - 1])
def test_sr_13_a_key_handed_out_on_its_last_day_opens_for_a_month(last_moment: int) -> None:
    ana, ben = phones()
    ben.now = NOW + last_moment
    frame = ben.frame(ana, ana.send(ben.recipient(fetch=True), ana.content(ben)))
    for _ in range(15):
        ben.now += 2 * DAY_MS - 1
        ben.timer()
    ben.read(frame)


def test_sr_08_a_directory_that_says_it_holds_nothing_gets_one_batch_a_minute_and_a_bounded_store() -> None:
    limits = replace(LIBSIGNAL_LIMITS, max_one_time_held=150)
    ben = Phone(BEN, b"b" * 16, 1, limits)
    uploads = []
    for _ in range(100):
        step = ben.protocol.on_timer(ben.state, ben.now, ben.rng)
        ben.state.apply(step.writes)
        if step.publish is None:
            assert step.next_at is not None
            ben.now = step.next_at
            continue
        uploads.append(ben.now)
        ben.state.apply(ben.protocol.published(ben.state, step.publish, 0, ben.now))
        assert prekey_records(ben, "one-time-prekey") <= 150
        assert prekey_records(ben, "kem-prekey") <= 150 + 1
    assert len(uploads) > 50
    assert all(later - earlier >= 60_000 for earlier, later in pairwise(uploads[5:]))


@pytest.mark.parametrize("remaining", [-1, 1 << 32, (1 << 63) - 1])
def test_sr_09_any_count_of_the_directory_can_be_stored(remaining: int) -> None:
    ben = Phone(BEN, b"b" * 16, 1)
    ben.now += 2 * DAY_MS
    step = ben.protocol.on_timer(ben.state, ben.now, ben.rng)
    ben.state.apply(step.writes)
    assert step.publish is not None
    ben.state.apply(ben.protocol.published(ben.state, step.publish, remaining, ben.now))
    ben.timer()


def test_a_stock_stored_by_an_earlier_version_still_opens() -> None:
    stock = Phone(BEN, b"b" * 16, 1).state.get(STOCK)
    assert stock is not None and stock.renewed_at == NOW
    assert Stock.unpack(b"\x01" + stock.pack()[1:-8]) == stock._replace(renewed_at=0)


def test_an_upload_that_is_never_confirmed_is_made_anew_after_a_while() -> None:
    rng = seeded_rng("lost upload")
    phone = Phone(ANA, b"a" * 16, 1)
    phone.state = Memory()
    first = phone.protocol.on_timer(phone.state, NOW, rng)
    phone.state.apply(first.writes)
    assert first.publish is not None
    assert phone.protocol.on_timer(phone.state, NOW + 60_000, rng).publish is None
    again = phone.protocol.on_timer(phone.state, NOW + 2 * DAY_MS, rng)
    assert again.publish is not None and again.publish != first.publish
    # What the directory holds is not known, so this one takes its place.
    assert decode_upload(again.publish.payload, max_one_time=100).replaces
