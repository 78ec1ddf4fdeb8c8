"""Against two SMSCs that we did not write, as processes: what is submitted, what comes, and what breaks between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab_certificate import write_lab_certificate
from letterlock.carriage import Medium
from letterlock.errors import InputError, TransportError
from letterlock.transport.sms.config import LongMessages
from letterlock.transport.sms.transport import probe
from sms.smscs import ANA, BEN, End, Notes, Smsc, eventually, missing_node, text

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.node,
    pytest.mark.skipif(bool(missing_node()), reason=missing_node() or "there is one"),
]

EMOJI = "🦊 ünïcode " * 20  # 220 UTF-16 units and more: four parts


@pytest.fixture
def smsc(tmp_path: Path) -> Iterator[Smsc]:
    with Smsc("node") as made:
        yield made.start(store=str(tmp_path / "kept.json"))


async def test_a_wrong_account_is_told_plainly(smsc: Smsc) -> None:
    end = End(smsc.port)
    await probe(end.config)
    for change, words in (({"password": "wrong"}, "password"), ({"system_id": "nobody"}, "user")):
        with pytest.raises(TransportError, match=words) as caught:
            await probe(replace(end.config, **change))
        assert (caught.value.code, bool(caught.value.hint)) == ("sms.bind", True)
        assert "wrong" not in str(caught.value)
    with pytest.raises(TransportError) as caught:
        await probe(replace(end.config, port=1))
    assert caught.value.code == "sms.connect"


async def test_sr19_plaintext_beyond_this_machine_is_a_lab_option_that_says_so() -> None:
    with pytest.raises(InputError) as caught:
        await probe(replace(End(1).config, host="smsc.example.net"))
    assert caught.value.code == "sms.plaintext"


async def test_sr19_tls_is_verified(tmp_path: Path) -> None:
    lab = write_lab_certificate(tmp_path)
    with Smsc("node") as smsc:
        smsc.start(key=str(lab.key), cert=str(lab.certificate))
        with pytest.raises(TransportError) as caught:
            await probe(replace(End(smsc.port).config, tls=True))
        assert caught.value.code == "sms.connect"
        await probe(replace(End(smsc.port).config, tls=True, ca_file=str(lab.authority)))


@pytest.mark.parametrize("way", list(LongMessages))
@pytest.mark.parametrize("said", ["hello", "[€] {~}", "€" * 161, EMOJI, "x" * 153 + "🦊" * 70])
async def test_texts_arrive_as_they_were_written(smsc: Smsc, way: LongMessages, said: str) -> None:
    async with End(smsc.port, long_messages=way) as ana, End(smsc.port, "ben") as ben:
        assert (await ana.transport.send(text(said))).accepted
        await ben.until(lambda: ben.texts)
        await ana.until(lambda: ana.receipts)
        (came,) = ben.seen.values()
        assert (came.body.decode(), came.sender, came.medium) == (said, ANA, Medium.SMS)
        (receipt,) = ana.seen.values()
        assert (receipt.sender, receipt.medium) == (BEN, Medium.SMS)
        assert "message-1" in receipt.body.decode() and "<delivered/>" in receipt.body.decode()
    assert ana.notes.kept == {} and ben.notes.kept == {}


async def test_parts_are_what_phones_understand(smsc: Smsc) -> None:
    async with End(smsc.port) as ana:
        await ana.transport.send(text(EMOJI))
        submits = await smsc.ask("submits")
    assert len(submits) == 4
    assert {(each["esm_class"], each["data_coding"], each["registered"]) for each in submits} == {(0x40, 8, 1)}
    assert "".join(each["text"] for each in submits) == EMOJI
    assert len({each["udh"][:-2] for each in submits}) == 1
    assert [each["udh"][-4:] for each in submits] == ["0401", "0402", "0403", "0404"]
    assert all(each["udh"].startswith("060804") for each in submits)


async def test_an_smsc_that_asks_for_time_gets_it_and_loses_nothing(smsc: Smsc) -> None:
    await smsc.ask("behave", throttle=5)
    async with End(smsc.port) as ana:
        results = await asyncio.gather(*(ana.transport.send(text(f"n {n}", f"message-{n}")) for n in range(12)))
        assert all(result.accepted for result in results)
        assert sorted(each["text"] for each in await smsc.ask("submits")) == sorted(f"n {n}" for n in range(12))


async def test_a_patience_that_ends_is_told_with_the_time_to_wait(smsc: Smsc) -> None:
    await smsc.ask("behave", throttle=1_000)
    async with End(smsc.port, patience_s=0.2) as ana:
        result = await ana.transport.send(text("hello"))
    assert (result.accepted, result.reason, result.final) == (False, "throttled", False)
    assert result.retry_after_ms is not None and result.retry_after_ms > 0


async def test_a_refusal_for_good_is_final(smsc: Smsc) -> None:
    await smsc.ask("behave", final=1)
    async with End(smsc.port) as ana:
        result = await ana.transport.send(text("hello"))
    assert (result.accepted, result.status, result.reason, result.final) == (False, 11, "ESME_RINVDSTADR", True)


async def test_a_lost_answer_is_repeated_with_the_same_reference_and_only_where_it_was_lost(smsc: Smsc) -> None:
    async with End(smsc.port) as ana:
        await ana.transport.send(text("first", "message-0"))
        await smsc.ask("behave", mute=1)
        with pytest.raises(TransportError):
            await ana.transport.send(text(EMOJI))
        await eventually(lambda: _bound(smsc, "ana"))
        await ana.transport.bound()
        assert (await ana.transport.send(text(EMOJI))).accepted
        assert (await ana.transport.send(text(EMOJI))).accepted  # nothing is left to be submitted
        submits = [each for each in await smsc.ask("submits") if each["text"] != "first"]
    # The first part is doubled, which nobody can help; the reference says so. The others are not.
    assert [each["udh"][-2:] for each in submits] == ["01", "01", "02", "03", "04"]
    assert len({each["reference"] for each in submits}) == 1
    assert len({each["udh"][:-2] for each in submits}) == 1


async def test_a_receipt_that_comes_after_a_restart_of_ours_is_ours(smsc: Smsc) -> None:
    await smsc.ask("behave", receipts="none")
    notes = Notes()
    async with End(smsc.port, notes=notes) as ana:
        await ana.transport.send(text(EMOJI))
    ids = [each["id"] for each in await smsc.ask("submits")]
    for carrier_id in ids[:2]:
        await smsc.ask("receipt", of=carrier_id)
    async with End(smsc.port, notes=notes) as ana:
        await eventually(lambda: _drained(smsc))
        assert ana.receipts == []
        for carrier_id in (ids[3], ids[2]):
            await smsc.ask("receipt", of=carrier_id)
        await ana.until(lambda: ana.receipts)
        assert "message-1" in ana.receipts[0]
    assert notes.kept == {}


async def test_sr05_forged_receipts_do_nothing(smsc: Smsc) -> None:
    await smsc.ask("behave", receipts="none")
    async with End(smsc.port) as ana:
        await ana.transport.send(text("hello"))
        (submit,) = await smsc.ask("submits")
        await smsc.ask("receipt", of="m999")
        await smsc.ask("receipt", of=submit["id"], **{"from": "15550155"})
        await smsc.ask("receipt", of=submit["id"], stat="ENROUTE")
        await eventually(lambda: _drained(smsc))
        assert ana.seen == {}
        await smsc.ask("receipt", of=submit["id"], stat="UNDELIV")
        await ana.until(lambda: ana.receipts)
        assert "<failed/>" in ana.receipts[0]


async def test_parts_that_come_out_of_order_and_twice_are_one_message(smsc: Smsc) -> None:
    parts = ["three", "one ", "two ", "one "]
    numbers = [3, 1, 2, 1]
    async with End(smsc.port) as ana:
        for part, number in zip(parts, numbers, strict=True):
            octets = bytes([5, 0, 3, 77, 3, number]) + part.encode()
            answer = await smsc.ask("deliver", user="ana", **{"from": "15550199"}, hex=octets.hex(), esm_class=0x40)
            assert answer["status"] == 0
        await ana.until(lambda: ana.texts)
        assert ana.texts == ["one two three"]
        binary = await smsc.ask("deliver", user="ana", **{"from": "15550199"}, hex="0605040b8423f00a0b", esm_class=0x40)
        assert binary["status"] == 0
        name = await smsc.ask("deliver", user="ana", **{"from": "BANK"}, ton=5, text="your code is 1")
        assert name["status"] == 0
        await ana.until(lambda: len(ana.seen) == 3)
        port, named = list(ana.seen.values())[1:]
        assert (port.content_type, port.sender) == ("application/octet-stream", BEN)
        assert (named.sender, named.sender_name) == (None, "BANK")


async def test_sr06_what_is_not_on_disk_is_not_acknowledged(smsc: Smsc) -> None:
    async with End(smsc.port) as ana:
        ana.refuse = True
        answer = await smsc.ask("deliver", user="ana", **{"from": "15550199"}, text="hello")
        assert answer["status"] == 0x64
        ana.refuse, ana.notes.full = False, True
        assert (await smsc.ask("deliver", user="ana", **{"from": "15550199"}, text="hello"))["status"] == 0x64
        ana.notes.full = False
        assert (await smsc.ask("deliver", user="ana", **{"from": "15550199"}, text="hello"))["status"] == 0
        assert ana.texts == ["hello"]


async def test_the_same_words_twice_are_two_messages_and_a_repeat_is_none(smsc: Smsc) -> None:
    async with End(smsc.port) as ana, End(smsc.port, "ben") as ben:
        for number in range(2):
            await ben.transport.send(text("ok", f"message-{number}", ANA))
        await ana.until(lambda: len(ana.texts) == 2)
        await eventually(lambda: _confirmed(ana))
        await smsc.ask("behave", lost_acks=1)
        await ben.transport.send(text("ok", "message-2", ANA))
        await eventually(lambda: _drained(smsc))
        assert (ana.texts, ana.repeats) == (["ok"] * 3, 1)
        await eventually(lambda: _confirmed(ana))
        # What was confirmed is over: the same words by another connection are new ones.
        await smsc.ask("kick")
        await eventually(lambda: _bound(smsc, "ana"))
        await smsc.ask("deliver", user="ana", **{"from": "15550199"}, text="ok")
        assert len(ana.texts) == 4


async def test_a_repeat_to_a_later_process_of_ours_is_none(smsc: Smsc) -> None:
    notes = Notes()
    async with End(smsc.port, notes=notes) as ana, End(smsc.port, "ben") as ben:
        await smsc.ask("behave", lost_acks=1_000)
        await ben.transport.send(text("ok", "message-1", ANA))
        await ben.transport.send(text(EMOJI, "message-2", ANA))
        await ana.until(lambda: len(ana.texts) == 1)
    seen = dict(ana.seen)
    await smsc.ask("behave", lost_acks=0)
    ana = End(smsc.port, notes=notes)
    ana.seen.update(seen)
    async with ana:
        await eventually(lambda: _drained(smsc))
    assert sorted(ana.texts) == sorted(["ok", EMOJI])


async def test_an_smsc_that_is_killed_in_the_middle_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    store = str(tmp_path / "kept.json")
    smsc = Smsc("node").start(store=store)
    try:
        async with End(smsc.port) as ana, End(smsc.port, "ben") as ben:
            left = {f"message-{n}": f"{n} {EMOJI}" for n in range(8)}

            async def send_all() -> None:
                while left:
                    for message_id, said in list(left.items()):
                        with contextlib.suppress(TransportError):
                            if (await ana.transport.send(text(said, message_id))).accepted:
                                left.pop(message_id)
                        await asyncio.sleep(0.01)

            sending = asyncio.create_task(send_all())
            await ben.until(lambda: len(ben.texts) >= 2)
            smsc.kill()
            port, smsc = smsc.port, Smsc("node")
            smsc.port = port
            smsc.start(store=store)
            async with asyncio.timeout(30):
                await sending
            await ben.until(lambda: len(ben.texts) >= 8)
            await eventually(lambda: _drained(smsc, "ben"))
            assert sorted(ben.texts) == sorted(f"{n} {EMOJI}" for n in range(8))
    finally:
        smsc.close()


async def test_another_smsc(tmp_path: Path) -> None:
    """PyPI's smpp34: another implementation, in another language, of the same document."""
    with Smsc("smpp34") as smsc:
        smsc.start()
        async with End(smsc.port) as ana, End(smsc.port, "ben") as ben:
            assert (await ana.transport.send(text("hello [€]"))).accepted
            assert (await ana.transport.send(text(EMOJI, "message-2"))).accepted
            await ben.until(lambda: len(ben.texts) == 2)
            await ana.until(lambda: len(ana.receipts) == 2)
            # Nobody promises an order of two messages: it answers from threads, and the second one is of several parts.
            assert sorted(ben.texts) == sorted(["hello [€]", EMOJI])
            await smsc.ask("behave", throttle=3)
            assert (await ana.transport.send(text("slower", "message-3"))).accepted
            await ben.until(lambda: len(ben.texts) == 3)


async def _bound(smsc: Smsc, user: str) -> bool:
    return user in (await smsc.ask("state"))["sessions"]


async def _drained(smsc: Smsc, user: str = "ana") -> bool:
    return user not in (await smsc.ask("state"))["waiting"]


async def _confirmed(end: End) -> bool:
    return not any(name.startswith("taken/") for name in end.notes.kept)
