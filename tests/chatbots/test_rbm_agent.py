"""An agent against a double of the platform: tokens, ids that are used once, and what is left after each refusal."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator

import pytest

from chatbots.messages import CARD, CAROUSEL, CHIPS
from chatbots.rbm_double import AGENT, Fault, RbmDouble, everything
from letterlock.codec.chatbot import model as m
from letterlock.errors import InputError, RbmError, TransportError
from letterlock.transport.rbm import AgentMessage, RbmAgent, RbmSettings, Traffic, read_service_account

PHONE, OLD, NOBODY = "+15550190", "+15550191", "+15550192"
START = 1_796_000_000_000
QUICK = RbmSettings(timeout_s=5.0, attempts=4, backoff_s=(0.001, 0.002))

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def platform(clock: Clock) -> AsyncIterator[RbmDouble]:
    phones = {PHONE: everything(), OLD: frozenset({"ACTION_DIAL"})}
    async with RbmDouble(clock, phones) as double:
        yield double


@pytest.fixture
async def agent(platform: RbmDouble, clock: Clock) -> AsyncIterator[RbmAgent]:
    account = read_service_account(platform.key_file)
    async with RbmAgent(AGENT, account, base_url=platform.url, settings=QUICK, now=clock) as agent:
        yield agent


async def test_messages_of_all_sorts_are_taken(platform: RbmDouble, agent: RbmAgent) -> None:
    texts = [
        "hello",
        m.BotMessage("hello", CHIPS),
        m.BotMessage(CARD),
        m.BotMessage(CAROUSEL, CHIPS),
        AgentMessage(m.BotMessage(m.LinkedFile("https://shop.example/f.pdf")), Traffic.PROMOTION, ttl_s=60),
        AgentMessage(m.BotMessage("later"), expires=START + 60_000),
    ]
    names = [await agent.send(PHONE, text) for text in texts]
    assert list(platform.messages) == names
    assert platform.messages[names[0]] == {"contentMessage": {"text": "hello"}}
    assert platform.messages[names[4]]["ttl"] == "60s"
    assert platform.messages[names[5]]["expireTime"].startswith("2026-")
    assert platform.tokens_given == 1


async def test_sr06_an_id_is_taken_once_however_often_it_is_sent(platform: RbmDouble, agent: RbmAgent) -> None:
    order = str(uuid.uuid5(uuid.NAMESPACE_URL, "https://shop.example/orders/7"))
    for name in (order, order, order.upper()):
        assert await agent.send(PHONE, "your code is 7", message_id=name) == order
    assert list(platform.messages) == [order]
    # The platform takes UUIDs alone, and in one form.
    for wrong in ("a/b", "order-7", order.replace("-", ""), f"{{{order}}}", f"urn:uuid:{order}"):
        with pytest.raises(InputError) as caught:
            await agent.send(PHONE, "x", message_id=wrong)
        assert caught.value.code == "input.message_id"


@pytest.mark.parametrize(
    "fault", [Fault(500), Fault(503, taken=True), Fault(429, "0"), Fault(500, cut=True, taken=True)]
)
async def test_trouble_is_outlasted_under_the_same_id(platform: RbmDouble, agent: RbmAgent, fault: Fault) -> None:
    platform.faults.extend([fault, fault])
    name = await agent.send(PHONE, "hello")
    assert list(platform.messages) == [name]
    assert len(platform.calls) == 3


@pytest.mark.parametrize(
    ("status", "code", "word", "calls"),
    [
        (400, "rbm.feature", "plainer", 1),
        (403, "rbm.forbidden", "stop", 1),
        (404, "rbm.unreachable", "SMS", 1),
        (409, "rbm.refused", "does not take", 1),
        (302, "rbm.redirect", "address", 1),
        (429, "rbm.busy", "quota", 4),
        (500, "rbm.unavailable", "later", 4),
    ],
)
async def test_each_refusal_says_what_is_left_to_do(
    platform: RbmDouble, agent: RbmAgent, status: int, code: str, word: str, calls: int
) -> None:
    platform.faults.extend([Fault(status)] * 4)
    with pytest.raises(RbmError) as caught:
        await agent.send(PHONE, "hello")
    error = caught.value
    assert (error.code, error.status, word in error.hint) == (code, status, True)
    assert "text of the message" not in str(error) and PHONE not in str(error)  # SR-10: nothing that was written
    assert len(platform.calls) == calls and not platform.messages


async def test_who_is_told_to_wait_for_long_is_told_so(platform: RbmDouble, agent: RbmAgent) -> None:
    platform.faults.append(Fault(429, "600"))
    with pytest.raises(RbmError) as caught:
        await agent.send(PHONE, "hello")
    assert (caught.value.code, caught.value.retry_after_s, len(platform.calls)) == ("rbm.busy", 600, 1)


async def test_a_platform_that_cannot_be_reached(platform: RbmDouble, agent: RbmAgent) -> None:
    platform.faults.extend([Fault(500, cut=True)] * 4)
    with pytest.raises(TransportError) as caught:
        await agent.send(PHONE, "hello")
    assert caught.value.code == "transport.rbm"


async def test_what_phones_cannot_show_is_refused_whole(platform: RbmDouble, agent: RbmAgent) -> None:
    with pytest.raises(RbmError) as caught:
        await agent.send(OLD, m.BotMessage(CARD))
    assert caught.value.code == "rbm.feature"
    with pytest.raises(RbmError) as caught:
        await agent.send(NOBODY, "hello")
    assert caught.value.code == "rbm.unreachable"


# --- tokens ------------------------------------------------------------------------------------------------------
async def test_a_token_is_kept_and_renewed_in_time(platform: RbmDouble, agent: RbmAgent, clock: Clock) -> None:
    for _ in range(3):
        await agent.send(PHONE, "hello")
    assert platform.tokens_given == 1
    clock.at += 3_600_000 - 59_000
    await agent.send(PHONE, "hello")
    assert platform.tokens_given == 2


async def test_a_token_that_is_refused_is_renewed_once(platform: RbmDouble, agent: RbmAgent) -> None:
    await agent.send(PHONE, "one")
    platform.forget_tokens()
    await agent.send(PHONE, "two")
    assert platform.tokens_given == 2 and len(platform.messages) == 2
    platform.faults.extend([Fault(401)] * 3)
    with pytest.raises(RbmError) as caught:
        await agent.send(PHONE, "three")
    assert (caught.value.code, platform.tokens_given) == ("rbm.credentials", 3)


async def test_an_account_that_is_not_taken_says_so(platform: RbmDouble, agent: RbmAgent) -> None:
    platform.account_deleted = True
    with pytest.raises(RbmError) as caught:
        await agent.send(PHONE, "hello")
    assert caught.value.code == "rbm.credentials"
    assert platform.calls == []


async def test_an_assertion_is_of_now(platform: RbmDouble, agent: RbmAgent, clock: Clock) -> None:
    late = Clock()
    late.at -= 3_600_000
    account = read_service_account(platform.key_file)
    async with RbmAgent(AGENT, account, base_url=platform.url, settings=QUICK, now=late) as other:
        with pytest.raises(RbmError, match="not taken"):
            await other.send(PHONE, "hello")


async def test_many_wait_for_one_token(platform: RbmDouble, agent: RbmAgent) -> None:
    await asyncio.gather(*(agent.send(PHONE, f"{n}") for n in range(20)))
    assert (platform.tokens_given, len(platform.messages)) == (1, 20)


async def test_many_hear_of_one_refusal(platform: RbmDouble, agent: RbmAgent) -> None:
    """Who waited asked with the others: one after the other they would wait for a token server that is slow to refuse."""
    platform.account_deleted = True
    sends = (agent.send(PHONE, f"{n}") for n in range(20))
    errors = await asyncio.gather(*sends, return_exceptions=True)
    assert {getattr(error, "code", "") for error in errors} == {"rbm.credentials"}
    assert platform.tokens_asked == 1


# --- the rest ----------------------------------------------------------------------------------------------------
async def test_taking_back_typing_and_reading(platform: RbmDouble, agent: RbmAgent) -> None:
    name = await agent.send(PHONE, "hello")
    await agent.revoke(PHONE, name)
    await agent.typing(PHONE)
    await agent.read(PHONE, "user-1")
    assert platform.revoked == [name]
    assert platform.events == [(PHONE, "IS_TYPING", ""), (PHONE, "READ", "user-1")]
    # Who is told to fall back to SMS here sends a message twice that the phone has.
    platform.delivered.add(name)
    with pytest.raises(RbmError, match="404") as caught:
        await agent.revoke(PHONE, name)
    assert caught.value.code == "rbm.delivered"


async def test_a_phone_names_its_messages_as_it_likes(platform: RbmDouble, agent: RbmAgent) -> None:
    names = ["a/b+c=", "Mx 7", "x" * 256, "\N{REPLACEMENT CHARACTER}"]
    for name in names:
        await agent.read(PHONE, name)
    assert [each for _, _, each in platform.events] == names
    for wrong in ("", "x" * 257):
        with pytest.raises(InputError):
            await agent.read(PHONE, wrong)


async def test_what_phones_can_do(platform: RbmDouble, agent: RbmAgent) -> None:
    found = await agent.capabilities(PHONE)
    assert {"RICHCARD_CAROUSEL", "SOMETHING_NEW"} <= found.features and found.carrier == "Lab Mobile"
    reach = await agent.reach([PHONE, OLD, NOBODY])
    assert (reach.numbers, reach.sampled, reach.sample_reached) == ((PHONE, OLD), 0, 0)
    reach = await agent.reach([PHONE, OLD, *(f"+1202555{n:04d}" for n in range(498))])
    assert (reach.numbers, reach.sampled, reach.sample_reached) == ((PHONE, OLD), 375, 2)
    platform.faults.append(Fault(400))
    with pytest.raises(RbmError) as refused:
        await agent.reach([PHONE])
    assert (refused.value.code, "region" in refused.value.hint) == ("rbm.refused", True)
    async with RbmAgent(AGENT, read_service_account(platform.key_file)) as nowhere:
        with pytest.raises(InputError, match="region by region"):
            await nowhere.reach([PHONE])
    with pytest.raises(InputError, match="10000"):
        await agent.reach([PHONE] * 10_001)


async def test_files_are_named_for_messages(platform: RbmDouble, agent: RbmAgent) -> None:
    file = await agent.upload("https://shop.example/film.mp4", "https://shop.example/small.jpg")
    small = await agent.upload("https://shop.example/small.jpg")
    assert (file.name, small.name) == ("files/1", "files/2")
    assert platform.files == ["https://shop.example/film.mp4", "https://shop.example/small.jpg"]
    media = m.Media(m.Height.TALL, file_name=file.name, thumbnail_name=small.name)
    name = await agent.send(PHONE, m.BotMessage(m.Card(m.CardContent(media=media))))
    card = platform.messages[name]["contentMessage"]["richCard"]["standaloneCard"]["cardContent"]
    assert card["media"]["uploadedRbmFile"] == {"fileName": "files/1", "thumbnailName": "files/2"}
    with pytest.raises(InputError):
        await agent.upload("file:///etc/passwd")


async def test_nothing_is_sent_that_the_platform_would_refuse(platform: RbmDouble, agent: RbmAgent) -> None:
    for message in (m.BotMessage(""), m.BotMessage("x", CHIPS * 6), m.BotMessage("x", (m.Reply("x" * 26, "p"),))):
        with pytest.raises(InputError):
            await agent.send(PHONE, message)
    with pytest.raises(InputError):
        await agent.send("12345", "hello")
    assert platform.calls == []


async def test_where_an_agent_speaks(platform: RbmDouble) -> None:
    account = read_service_account(platform.key_file)
    assert str(account).find("PRIVATE") < 0 and "key=" not in repr(account)  # SR-10
    for wrong in ("http://platform.example", "https://user@platform.example", "ftp://x", "https://", "https://x/?y"):
        with pytest.raises(InputError):
            RbmAgent(AGENT, account, base_url=wrong)  # SR-19
    with pytest.raises(InputError, match="region"):
        RbmAgent(AGENT, account, region="mars")
    with pytest.raises(InputError):
        RbmAgent("", account)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"{" * 2_000, os.urandom(70_000)])
def test_what_is_no_key_file(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_service_account(data)
    assert caught.value.code == "input.rbm"
