"""Device lists: every rule of docs/spec/device-list.md has a list that breaks only it (SR-04, SR-12, SR-22)."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from letterlock import ids, trust
from letterlock.crypto.pyca import Pyca
from letterlock.errors import DecodeError, DeviceListError, InputError, LimitExceeded
from letterlock.ids import DeviceId
from letterlock.trust import ecdsa
from letterlock.trust.device_list import from_store
from letterlock.trust.signed_list import LIMITS, decode_list, encode_list
from trust.people import CRYPTO, DAY, NOW, Device, Owner

ANA = "+15550100"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def ana() -> Owner:
    """Two devices; the primary has an MLS key. Serial 2."""
    owner = Owner.make(ANA, mls=True)
    owner.add(2)
    return owner


def refused(data: bytes, now: int = NOW) -> str:
    with pytest.raises(DeviceListError) as caught:
        trust.verify_list(data, CRYPTO, now)
    return caught.value.code


# --- honest lists ----------------------------------------------------------------------------------
def test_an_honest_list_verifies(ana: Owner) -> None:
    verified = trust.verify_list(ana.list.encoded, CRYPTO, NOW)
    assert verified == ana.list
    assert verified.account == ids.account_id(ana.spki)
    assert [entry.device for entry in verified.devices] == [1, 2]
    assert verified.head == trust.head_of(ana.list.encoded) and len(verified.head) == 32
    assert encode_list(verified.content) == ana.list.encoded


def test_a_recipient_names_all_devices_and_keys(ana: Owner) -> None:
    recipient = trust.recipient_of(ana.list)
    assert (recipient.number, recipient.account, recipient.list_head) == (ANA, ana.account, ana.list.head)
    first, second = recipient.devices
    assert first.keys == {"signal": ana.primary.identity_key, "rcc16": ana.primary.mls_key}
    assert second.keys == {"signal": ana.others[2].identity_key}
    assert first.capabilities == {"signal", "rcc16"} and second.capabilities == {"signal"}


def test_the_primary_goes_on_renewing_adding_and_removing(ana: Owner) -> None:
    later = NOW + 29 * DAY
    before = ana.list
    ana.remove(2, now=later)
    assert trust.changes_between(before, ana.list) == trust.DeviceChanges((), (DeviceId(2),), ())
    ana.renew(now=later + DAY)
    assert ana.list.serial == 4 and ana.list.expires == later + 31 * DAY
    other = Device.make("other", 2)
    later += DAY
    ana.add(2, now=later, seed="again")
    assert trust.changes_between(before, ana.list).rekeyed == (2,)
    renamed = dataclasses.replace(ana.list.devices[0], name="kitchen", added_at=0)
    changed = trust.replace_device(ana.list, renamed, sign=ana.sign, crypto=CRYPTO, now=later)
    assert changed.devices[0].name == "kitchen" and changed.devices[0].added_at == NOW
    nine = dataclasses.replace(renamed, device=DeviceId(9))
    for code, call in (
        ("taken", lambda: trust.add_device(ana.list, other.entry(ana.number, ana.spki), **by(ana))),
        ("unknown", lambda: trust.replace_device(ana.list, nine, **by(ana))),
        ("primary", lambda: trust.remove_device(ana.list, DeviceId(1), **by(ana))),
        ("unknown", lambda: trust.remove_device(ana.list, DeviceId(9), **by(ana))),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.code == f"input.device_{code}"


def by(owner: Owner) -> dict[str, object]:
    return {"sign": owner.sign, "crypto": CRYPTO, "now": owner.list.content.issued}


def test_a_clock_set_back_makes_no_list_that_others_refuse(ana: Owner) -> None:
    assert ana.renew(now=NOW - 5 * 60_000).content.issued == NOW


def test_a_device_that_agreed_to_another_account_cannot_be_added_sr04(ana: Owner) -> None:
    ben = Owner.make("+15550101")
    theirs = Device.make("theirs", 3).entry(ben.number, ben.spki)
    with pytest.raises(InputError, match="did not agree"):
        trust.add_device(ana.list, theirs, sign=ana.sign, crypto=CRYPTO, now=NOW)


def test_the_list_holds_at_most_its_number_of_devices(ana: Owner) -> None:
    for device in range(3, LIMITS.max_devices + 1):
        ana.add(device)
    assert len(ana.list.devices) == LIMITS.max_devices and len(ana.list.encoded) <= LIMITS.max_bytes
    with pytest.raises(InputError):
        trust.next_device(ana.list)
    with pytest.raises(InputError):
        ana.add(100)


@pytest.mark.parametrize(
    "wrong",
    [
        {"registration_id": 0},
        {"capabilities": ("Signal",)},
        {"name": "\x00"},
        {"name": "\u202eenohp"},
        {"name": "\ue000"},
        {"name": "\udcff"},  # what os.fsdecode makes of a command line that is not UTF-8
        {"name": "x" * 65},
        {"sign_identity": lambda message: b"short"},
        {"mls_signature_key": b"\x04" + bytes(64)},
        {"sign_mls": lambda message: b""},
    ],
)
def test_an_entry_that_none_would_accept_is_not_made(ana: Owner, wrong: dict[str, object]) -> None:
    good = {
        "number": ana.number,
        "participant_spki": ana.spki,
        "device": DeviceId(3),
        "registration_id": 5,
        "identity_key": ana.primary.identity_key,
        "sign_identity": ana.primary.sign_identity,
        "capabilities": ("signal",),
    }
    trust.create_entry(**good, name="\u0378 of a later Unicode")
    with pytest.raises(InputError) as caught:
        trust.create_entry(**{**good, **wrong})
    assert caught.value.code == "input.device_entry"


# --- only verification marks a list ------------------------------------------------------------------
def test_only_verification_makes_a_verified_list(ana: Owner) -> None:
    with pytest.raises(TypeError):
        trust.VerifiedDeviceList(ana.list.content, ana.list.encoded, ana.list.head, ana.account, object())
    other = dataclasses.replace(ana.list.content, number=ids.number("+15550109"))
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(ana.list, content=other)
    assert from_store(ana.list.encoded) == ana.list


# --- dishonest lists -----------------------------------------------------------------------------------
Forge = Callable[[Owner], bytes]


def entries(owner: Owner, *, first: dict[str, object] | None = None, second: dict[str, object] | None = None) -> bytes:
    """A genuinely signed list whose entries were changed, with counter-signatures that match the change."""
    one, two = owner.list.devices
    one = owner.primary.agree_again(dataclasses.replace(one, **(first or {})), owner.number, owner.spki)
    two = owner.others[2].agree_again(dataclasses.replace(two, **(second or {})), owner.number, owner.spki)
    return owner.signed(devices=(one, two))


def raw_entries(owner: Owner, index: int, **changes: object) -> bytes:
    """A genuinely signed list whose entry was changed and nothing else."""
    devices = list(owner.list.devices)
    devices[index] = dataclasses.replace(devices[index], **changes)
    return owner.signed(devices=tuple(devices))


def another_key_listed(owner: Owner) -> bytes:
    """Ben's real key, listed by Ana: the signatures that Ben once gave are for his own account."""
    ben = Owner.make("+15550101")
    theirs = Device.make("theirs", 2).entry(ben.number, ben.spki)
    return owner.signed(devices=(owner.list.devices[0], dataclasses.replace(theirs, added_at=NOW)))


def moved_to_another_id(owner: Owner) -> bytes:
    return raw_entries(owner, 1, device=DeviceId(3))


def mls_key_of_another(owner: Owner) -> bytes:
    """The identity key agrees to a stolen MLS key; the MLS key's own word is for another entry."""
    thief = owner.primary
    stolen = Device.make("victim", 1, mls=True)
    entry = dataclasses.replace(owner.list.devices[0], mls_signature_key=stolen.mls_key)
    entry = thief.agree_again(entry, owner.number, owner.spki)
    return owner.signed(devices=(entry, owner.list.devices[1]))


def mls_key_without_agreement(owner: Owner) -> bytes:
    stolen = Device.make("victim", 1, mls=True)
    return entries(owner, second={"mls_signature_key": stolen.mls_key})


def same_identity_key(owner: Owner) -> bytes:
    one, two = owner.list.devices
    twin = dataclasses.replace(two, identity_key=one.identity_key)
    return owner.signed(devices=(one, owner.primary.agree_again(twin, owner.number, owner.spki)))


def same_mls_key(owner: Owner) -> bytes:
    one, two = owner.list.devices
    both = dataclasses.replace(owner.others[2], mls_private=owner.primary.mls_private, mls_key=owner.primary.mls_key)
    twin = dataclasses.replace(two, mls_signature_key=one.mls_signature_key)
    return owner.signed(devices=(one, both.agree_again(twin, owner.number, owner.spki)))


def signed_by_another(owner: Owner) -> bytes:
    return dataclasses.replace(owner, private=Owner.make("+15550101").private).signed()


def high_s(owner: Owner) -> bytes:
    """The other signature that verifies for the same list: it would give it a second head."""
    r_length = owner.list.content.signature[3]
    r = owner.list.content.signature[4 : 4 + r_length]
    s = int.from_bytes(owner.list.content.signature[6 + r_length :], "big")
    other = (ORDER - s).to_bytes(33, "big")
    other = other if other[1] & 0x80 else other[1:]
    body = b"\x02" + bytes((r_length,)) + r + b"\x02" + bytes((len(other),)) + other
    signature = b"\x30" + bytes((len(body),)) + body
    CRYPTO.p256_verify(CRYPTO.p256_from_spki(owner.spki), _signed_text(owner), signature)  # it does verify
    return encode_list(dataclasses.replace(owner.list.content, signature=signature))


def _signed_text(owner: Owner) -> bytes:
    from letterlock.trust import labels
    from letterlock.trust.signed_list import encode_body

    return labels.DEVICE_LIST_SIGNATURE + encode_body(owner.list.content)


def other_curve_key(owner: Owner) -> bytes:
    return owner.signed(participant_spki=b"\x30\x2a" + owner.spki[2:44])


def torsion_point(owner: Owner) -> bytes:
    return raw_entries(owner, 1, identity_key=b"\x05" + bytes(32))


def non_canonical_point(owner: Owner) -> bytes:
    key = owner.list.devices[1].identity_key
    return entries(owner, second={"identity_key": key[:-1] + bytes((key[-1] | 0x80,))})


FORGERIES: list[tuple[str, Forge]] = [
    ("device_list.malformed", lambda o: b""),
    ("device_list.malformed", lambda o: b"\x02" + o.list.encoded[1:]),
    ("device_list.malformed", lambda o: o.list.encoded + b"\x00"),
    ("device_list.malformed", lambda o: bytes(LIMITS.max_bytes + 1)),
    ("device_list.malformed", lambda o: o.signed(number="5550100")),
    ("device_list.participant_key", other_curve_key),
    ("device_list.serial", lambda o: o.signed(serial=0)),
    ("device_list.previous_head", lambda o: o.signed(previous_head=bytes(32))),
    ("device_list.previous_head", lambda o: o.signed(serial=1)),
    ("device_list.lifetime", lambda o: o.signed(expires=NOW + 30 * DAY + 1)),
    ("device_list.lifetime", lambda o: o.signed(issued=NOW + 1, expires=NOW + 1)),
    ("device_list.future", lambda o: o.signed(issued=NOW + LIMITS.clock_skew_ms + 1)),
    ("device_list.expired", lambda o: o.signed(issued=NOW - DAY, expires=NOW, devices=old_entries(o))),
    ("device_list.primary", lambda o: o.signed(devices=())),
    ("device_list.primary", lambda o: o.signed(devices=o.list.devices[1:])),
    ("device_list.order", lambda o: o.signed(devices=(*o.list.devices, o.list.devices[1]))),
    ("device_list.order", lambda o: o.signed(devices=(o.list.devices[0], *o.list.devices[::-1]))),
    ("device_list.same_key", same_identity_key),
    ("device_list.same_key", same_mls_key),
    ("device_list.added_at", lambda o: raw_entries(o, 1, added_at=NOW + 1)),
    ("device_list.device_id", lambda o: raw_entries(o, 1, device=128)),
    ("device_list.registration_id", lambda o: raw_entries(o, 1, registration_id=0)),
    ("device_list.registration_id", lambda o: raw_entries(o, 1, registration_id=0x4000)),
    ("device_list.identity_key", lambda o: entries(o, second={"identity_key": b"\x06" + o.others[2].identity_key[1:]})),
    ("device_list.identity_key", torsion_point),
    ("device_list.identity_key", non_canonical_point),
    ("device_list.mls_key", lambda o: entries(o, first={"mls_signature_key": o.primary.mls_key[:64]})),
    ("device_list.capabilities", lambda o: raw_entries(o, 0, capabilities=("signal", "rcc16"))),
    ("device_list.capabilities", lambda o: raw_entries(o, 1, capabilities=("signal", "signal"))),
    ("device_list.capabilities", lambda o: raw_entries(o, 1, capabilities=("Signal",))),
    ("device_list.malformed", lambda o: raw_entries(o, 1, capabilities=tuple(f"c{n:02}" for n in range(17)))),
    ("device_list.name", lambda o: raw_entries(o, 1, name="phone\x1b[31m")),
    ("device_list.name", lambda o: raw_entries(o, 1, name="\u202eenohp")),
    ("device_list.malformed", lambda o: raw_entries(o, 1, name="n" * 65)),
    ("device_list.counter_signature", another_key_listed),
    ("device_list.counter_signature", moved_to_another_id),
    ("device_list.counter_signature", mls_key_of_another),
    ("device_list.counter_signature", mls_key_without_agreement),
    ("device_list.counter_signature", lambda o: raw_entries(o, 1, identity_signature=bytes(64))),
    ("device_list.counter_signature", lambda o: raw_entries(o, 0, mls_signature=b"")),
    ("device_list.counter_signature", lambda o: raw_entries(o, 0, mls_signature_key=b"", mls_signature=b"")),
    ("device_list.counter_signature", lambda o: raw_entries(o, 1, mls_signature=b"left over")),
    ("device_list.signature", signed_by_another),
    ("device_list.signature", high_s),
    ("device_list.signature", lambda o: encode_list(dataclasses.replace(o.list.content, signature=b""))),
    ("device_list.signature", lambda o: encode_list(dataclasses.replace(o.list.content, serial=3))),
]


def old_entries(owner: Owner) -> tuple[trust.DeviceEntry, ...]:
    return tuple(dataclasses.replace(entry, added_at=NOW - DAY) for entry in owner.list.devices)


@pytest.mark.parametrize(("code", "forge"), FORGERIES, ids=[f"{n}-{code}" for n, (code, _) in enumerate(FORGERIES)])
def test_a_list_that_breaks_one_rule_is_refused_sr04_sr12_sr22(ana: Owner, code: str, forge: Forge) -> None:
    assert refused(forge(ana)) == code


def test_a_list_expires_to_the_millisecond_sr22(ana: Owner) -> None:
    trust.verify_list(ana.list.encoded, CRYPTO, ana.list.expires - 1)
    assert refused(ana.list.encoded, ana.list.expires) == "device_list.expired"
    assert ana.list.expired(ana.list.expires) and not ana.list.expired(ana.list.expires - 1)


def test_every_flipped_byte_is_refused(ana: Owner) -> None:
    data = ana.list.encoded
    for place in range(len(data)):
        for bit in (0x01, 0x80):
            broken = data[:place] + bytes((data[place] ^ bit,)) + data[place + 1 :]
            with pytest.raises(DeviceListError):
                trust.verify_list(broken, CRYPTO, NOW)


def test_every_cut_is_refused(ana: Owner) -> None:
    for length in range(len(ana.list.encoded)):
        assert refused(ana.list.encoded[:length]) == "device_list.malformed"


# --- chains --------------------------------------------------------------------------------------------
def follow(old: trust.VerifiedDeviceList, *chain: bytes, now: int = NOW) -> trust.VerifiedDeviceList:
    return trust.verify_successor(old, chain, CRYPTO, now)


def not_followed(old: trust.VerifiedDeviceList, *chain: bytes, now: int = NOW) -> str:
    with pytest.raises(DeviceListError) as caught:
        follow(old, *chain, now=now)
    return caught.value.code


def test_a_chain_is_followed_to_its_newest_list(ana: Owner) -> None:
    second = ana.list
    third, fourth = ana.add(3), ana.renew(now=NOW + DAY)
    assert follow(second, third.encoded, fourth.encoded, now=NOW + DAY) == fourth
    assert follow(second) == second and follow(second, second.encoded) == second
    assert follow(second, second.encoded, third.encoded) == third


def test_only_the_newest_of_a_chain_must_be_current_sr22(ana: Owner) -> None:
    second = ana.list
    third, fourth = ana.renew(now=NOW + DAY), ana.renew(now=NOW + 40 * DAY)
    assert follow(second, third.encoded, fourth.encoded, now=NOW + 41 * DAY) == fourth
    assert not_followed(second, third.encoded, now=NOW + 41 * DAY) == "device_list.expired"
    assert not_followed(second, now=NOW + 41 * DAY) == "device_list.expired"


def test_an_old_list_replayed_is_refused_sr22(ana: Owner) -> None:
    second, third = ana.list, ana.remove(2)
    assert not_followed(third, second.encoded) == "device_list.replay"


def test_two_lists_of_one_serial_are_a_fork(ana: Owner) -> None:
    second, third = ana.list, ana.add(3)
    other = trust.renew_list(second, sign=ana.sign, crypto=CRYPTO, now=NOW)
    assert not_followed(third, other.encoded) == "device_list.fork"
    assert not_followed(second, third.encoded, other.encoded) == "device_list.fork"


def test_a_list_that_does_not_chain_is_refused_sr04(ana: Owner) -> None:
    second = ana.list
    third, fourth = ana.add(3), ana.add(4)
    assert not_followed(second, fourth.encoded) == "device_list.gap"
    assert (
        not_followed(second, ana.sign_content(dataclasses.replace(third.content, previous_head=b"x" * 32)))
        == "device_list.chain"
    )
    early = dataclasses.replace(
        third.content,
        issued=NOW - 1,
        expires=NOW + DAY,
        devices=tuple(dataclasses.replace(e, added_at=0) for e in third.devices),
    )
    assert not_followed(second, ana.sign_content(early)) == "device_list.issued"


def test_a_list_of_another_account_does_not_follow_sr21(ana: Owner) -> None:
    reset = Owner.make(ANA, "new key")
    assert not_followed(ana.list, reset.list.encoded) == "device_list.other_account"
    moved = dataclasses.replace(ana.list.content, serial=3, previous_head=ana.list.head, number="+15550109")
    moved = dataclasses.replace(
        moved,
        devices=tuple(
            ana.device(entry.device).agree_again(entry, ids.number("+15550109"), ana.spki) for entry in moved.devices
        ),
    )
    assert not_followed(ana.list, ana.sign_content(moved)) == "device_list.other_account"


def test_a_successor_is_verified_like_any_list_sr04(ana: Owner) -> None:
    forged = dataclasses.replace(ana.list.content, serial=3, previous_head=ana.list.head)
    assert not_followed(ana.list, encode_list(forged)) == "device_list.signature"
    assert (
        not_followed(ana.list, ana.signed(serial=3, previous_head=ana.list.head, devices=())) == "device_list.primary"
    )


def test_a_chain_is_bounded(ana: Owner) -> None:
    limits = dataclasses.replace(LIMITS, max_chain=3)
    with pytest.raises(DeviceListError, match="more than 3"):
        trust.verify_successor(ana.list, [ana.list.encoded] * 4, CRYPTO, NOW, limits)


# --- decoders ------------------------------------------------------------------------------------------
GOOD = Owner.make(ANA, mls=True).list.encoded


@given(st.binary(max_size=600))
@example(GOOD)
def test_any_bytes_give_a_list_or_a_decode_error(data: bytes) -> None:
    try:
        content = decode_list(data)
    except DecodeError:
        return
    assert encode_list(content) == data


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))
def test_any_change_gives_a_list_or_a_decode_error(place: int, patch: bytes) -> None:
    data = GOOD[:place] + patch + GOOD[place + len(patch) :]
    with contextlib.suppress(DecodeError):
        assert encode_list(decode_list(data)) == data
    if data != GOOD:
        with pytest.raises(DeviceListError):
            trust.verify_list(data, CRYPTO, NOW)


def test_a_list_over_the_bound_is_not_even_parsed_sr08(ana: Owner) -> None:
    with pytest.raises(LimitExceeded) as caught:
        decode_list(b"", dataclasses.replace(LIMITS, max_bytes=-1))
    assert caught.value.code == "device_list.limit"


def test_a_participant_key_has_one_spelling(ana: Owner) -> None:
    """Also where a provider's parser takes several: the account id hashes the spelling."""

    class Lenient(Pyca):
        def p256_from_spki(self, spki: bytes) -> bytes:
            return super().p256_from_spki(spki[:91])

    spelt = ana.spki + b"\x00"
    devices = tuple(ana.device(e.device).agree_again(e, ana.number, spelt) for e in ana.list.devices)
    data = ana.signed(participant_spki=spelt, devices=devices)
    with pytest.raises(DeviceListError) as caught:
        trust.verify_list(data, Lenient(), NOW)
    assert caught.value.code == "device_list.participant_key"


def test_more_devices_than_allowed_are_refused_while_decoding(ana: Owner) -> None:
    with pytest.raises(LimitExceeded):
        decode_list(ana.list.encoded, dataclasses.replace(LIMITS, max_devices=1))


@given(st.binary(max_size=80))
def test_any_bytes_are_a_signature_in_one_form_or_none(data: bytes) -> None:
    if ecdsa.is_canonical(data):
        assert ecdsa.low_s(data) == data


def test_what_a_broken_signer_gives_is_no_signature(ana: Owner) -> None:
    good = ana.list.content.signature
    assert ecdsa.low_s(good) == good
    for bad in (b"", b"\x31" + good[1:], good + b"\x00", good[:-1], b"\x30\x06\x02\x01\x00\x02\x01\x01"):
        with pytest.raises(DecodeError):
            ecdsa.low_s(bad)


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
def test_both_s_give_one_signature(r: int, s: int) -> None:
    def der(value: int) -> bytes:
        data = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return b"\x02" + bytes((len(data),)) + data

    def both(s: int) -> bytes:
        body = der(r) + der(s)
        return b"\x30" + bytes((len(body),)) + body

    assert ecdsa.low_s(both(s)) == ecdsa.low_s(both(ORDER - s))
    assert ecdsa.is_canonical(both(min(s, ORDER - s))) and not ecdsa.is_canonical(both(max(s, ORDER - s)))
