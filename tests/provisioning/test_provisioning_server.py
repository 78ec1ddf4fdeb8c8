"""The provisioning server: a code for the owner, bound to number, key and contact; tokens; the operator's decisions (SR-21)."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import aiohttp
import pytest

from letterlock.codec.provisioning import ProvisioningDocument
from letterlock.errors import DirectoryError, InputError, ProvisioningError, TransportError
from letterlock.services.credentials import operator_token
from letterlock.services.directory import Directory
from letterlock.services.provisioning import AccountState, DirectoryClaims, Offer, ProvisioningServer
from letterlock.transport.provisioning import ProvisioningClient
from letterlock.transport.provisioning_config import Contact
from postgres import database_in, rows_of
from provisioning.lab import ANA, BEN, EASY, KEY, OTHER, Operator, Rate

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]


# --- first contact ---------------------------------------------------------------------------------------------
async def test_a_first_contact_and_the_document(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        document = await operator.configured()
        assert (document.version, document.validity_s) == (1, 86_400) and document.token
        assert document.ims is not None and document.ims.password == "sip-a" and not document.ims.tls
        assert document.ims.public_identity == f"sip:{ANA}@ims.example.test" and document.ims.port == 5060
        assert document.messaging is not None and document.messaging.content_password == f"files-{ANA}"
        assert (document.messaging.max_group, document.messaging.idle_s) == (100, 45)
        assert document.services is not None and len(document.services.claim_code) == 8
        assert document.services.directory_url == operator.directory.url
        # The code for the directory is in the document alone: its operator need not bring it to anybody.
        assert operator.directory_codes == []


async def test_sr21_511_says_nothing_and_the_code_goes_to_the_operator(tmp_path: Path) -> None:
    """SR-21: whoever asks gets a cookie; the code is in no answer."""
    async with Operator.open(tmp_path) as operator, aiohttp.ClientSession() as session:
        query = {"msisdn": ANA, "participant_key_hash": KEY.hex(), "vers": "0"}
        async with session.get(operator.url, params=query) as answer:
            assert answer.status == 511 and await answer.read() == b""
            told = str(answer.headers)
        (issued,) = operator.codes
        assert issued.number == ANA and issued.code not in told and not issued.replaces
        assert "HttpOnly" in told and "SameSite=Strict" in told


async def test_a_number_that_is_no_subscribers_gets_the_same_answer(tmp_path: Path) -> None:
    """SR-17: nobody learns who is one, and no stranger is sent a code."""
    async with Operator.open(tmp_path) as operator:
        assert await operator.contact("+15550000") is None  # type: ignore[arg-type]
        assert operator.codes == []


async def test_sr21_five_tries(tmp_path: Path) -> None:
    """SR-21: the sixth is refused, the right one too."""
    async with Operator.open(tmp_path) as operator, ProvisioningClient(operator.url) as client:
        await client.contact(Contact(ANA, KEY))
        code = operator.codes[0].code
        wrong = f"{(int(code) + 1) % 10**8:08d}"
        told = []
        for attempt in (wrong, wrong, wrong, wrong, wrong, code):
            with pytest.raises(ProvisioningError) as caught:
                await client.contact(Contact(ANA, KEY, code=attempt))
            told.append((caught.value.code, caught.value.status))
        assert told == [("provisioning.code", 511)] * 4 + [("provisioning.code_spent", 403)] * 2


async def test_sr21_ten_minutes(tmp_path: Path) -> None:
    """SR-21: then it is void."""
    async with Operator.open(tmp_path) as operator, ProvisioningClient(operator.url) as client:
        await client.contact(Contact(ANA, KEY))
        operator.clock.now += 600_000
        with pytest.raises(ProvisioningError) as caught:
            await client.contact(Contact(ANA, KEY, code=operator.codes[0].code))
        assert caught.value.code == "provisioning.code_spent"


async def test_sr21_a_code_works_once_and_for_one_key_number_and_contact(tmp_path: Path) -> None:
    """SR-21: bound to the participant key, the number, and the cookie of the contact that asked for it."""
    async with Operator.open(tmp_path) as operator, ProvisioningClient(operator.url) as client:
        await client.contact(Contact(ANA, KEY))
        code = operator.codes[0].code
        for number, key in ((ANA, OTHER), (BEN, KEY)):
            with pytest.raises(ProvisioningError):
                await client.contact(Contact(number, key, code=code))
        async with ProvisioningClient(operator.url) as stranger:
            # Without the cookie not even a try is spent.
            for _ in range(6):
                with pytest.raises(ProvisioningError):
                    await stranger.contact(Contact(ANA, KEY, code="00000000"))
        assert await client.contact(Contact(ANA, KEY, code=code)) is not None
        with pytest.raises(ProvisioningError):
            await client.contact(Contact(ANA, KEY, code=code))


async def test_a_new_first_contact_makes_the_old_code_void(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator, ProvisioningClient(operator.url) as client:
        await client.contact(Contact(ANA, KEY))
        await client.contact(Contact(ANA, KEY))
        first, second = (issued.code for issued in operator.codes)
        if first != second:
            with pytest.raises(ProvisioningError):
                await client.contact(Contact(ANA, KEY, code=first))
        assert await client.contact(Contact(ANA, KEY, code=second)) is not None


async def test_sr21_another_key_takes_over_and_the_operator_is_told(tmp_path: Path) -> None:
    """SR-21: a reset; the tokens of the old key are void from then on."""
    async with Operator.open(tmp_path) as operator:
        old = await operator.configured()
        await operator.contact(ANA, OTHER)
        assert operator.codes[-1].replaces
        assert (await operator.contact(token=old.token)) is not None
        new = await operator.configured(ANA, OTHER)
        assert await operator.contact(ANA, KEY, token=old.token) is None
        assert await operator.contact(ANA, OTHER, token=new.token) is not None


async def test_a_directory_that_is_down_for_long_costs_the_owner_no_tries(tmp_path: Path) -> None:
    """They are for guesses; the right code is none."""
    async with Operator.open(tmp_path) as operator, ProvisioningClient(operator.url) as client:
        assert await client.contact(Contact(ANA, KEY)) is None
        code = operator.codes.pop().code
        operator.directory_down = True
        for _ in range(2 * EASY.code_tries):
            with pytest.raises(ProvisioningError) as caught:
                await client.contact(Contact(ANA, KEY, code=code))
            assert caught.value.status == 503
        operator.directory_down = False
        wrong = "00000000" if code != "00000000" else "11111111"
        for _ in range(EASY.code_tries - 1):
            with pytest.raises(ProvisioningError, match="wrong"):
                await client.contact(Contact(ANA, KEY, code=wrong))
        assert await client.contact(Contact(ANA, KEY, code=code)) is not None


async def test_when_the_directory_is_down_the_code_stays(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator, ProvisioningClient(operator.url) as client:
        await client.contact(Contact(ANA, KEY))
        code = operator.codes[0].code
        operator.directory_down = True
        with pytest.raises(ProvisioningError) as caught:
            await client.contact(Contact(ANA, KEY, code=code))
        assert caught.value.status == 503
        operator.directory_down = False
        assert await client.contact(Contact(ANA, KEY, code=code)) is not None


# --- later contacts --------------------------------------------------------------------------------------------
async def test_a_token_for_later(tmp_path: Path) -> None:
    """Nothing new: the version alone. Something new: all of it, without a code for the directory."""
    async with Operator.open(tmp_path) as operator:
        first = await operator.configured()
        again = await operator.contact(version=1, token=first.token)
        assert again is not None and (again.version, again.ims) == (1, None) and again.token == first.token
        operator.server.offer = operator.offer(version=2, sip_port=5070)
        newer = await operator.contact(version=1, token=first.token)
        assert newer is not None and newer.ims is not None and (newer.version, newer.ims.port) == (2, 5070)
        assert newer.services is not None and newer.services.claim_code == ""
        # One that has nothing yet was interrupted: it gets what it needs to claim its number.
        whole = await operator.contact(version=0, token=first.token)
        assert whole is not None and whole.services is not None and whole.services.claim_code
        assert operator.codes == []


@pytest.mark.parametrize("token", ["", "x", "A" * 43])
async def test_a_token_that_is_none_is_a_first_contact(tmp_path: Path, token: str) -> None:
    async with Operator.open(tmp_path) as operator:
        await operator.configured()
        assert await operator.contact(token=token) is None and len(operator.codes) == 1


async def test_a_token_is_bound_to_number_and_key_and_ends_when_it_is_not_used(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        token = (await operator.configured()).token
        assert await operator.contact(BEN, KEY, token=token) is None
        assert await operator.contact(ANA, OTHER, token=token) is None
        for _ in range(3):
            operator.clock.now += EASY.token_lifetime_ms - 1
            assert await operator.contact(token=token) is not None
        operator.clock.now += EASY.token_lifetime_ms
        assert await operator.contact(token=token) is None


async def test_codes_and_tokens_survive_a_restart_and_only_as_hashes(tmp_path: Path) -> None:
    """SR-17: a stolen database opens nothing."""
    async with Operator.open(tmp_path) as operator, ProvisioningClient(operator.url) as client:
        token = (await operator.configured(BEN, OTHER)).token
        await client.contact(Contact(ANA, KEY))
        await operator.restart()
        code = operator.codes[0].code
        assert await client.contact(Contact(ANA, KEY, code=code)) is not None
        assert await operator.contact(BEN, OTHER, token=token) is not None
    text = repr(rows_of(database_in(tmp_path, "provisioning.db"), "provisioning"))
    assert ANA in text
    assert token not in text and code not in text and "sip-a" not in text


@pytest.mark.parametrize("state", [AccountState.RESET, AccountState.DISABLED, AccountState.DORMANT])
async def test_the_operator_decides(tmp_path: Path, state: AccountState) -> None:
    async with Operator.open(tmp_path) as operator:
        token = (await operator.configured()).token
        await operator.server.set_state(ANA, state)
        told = await operator.contact(version=1, token=token)
        assert told is not None and told.version == state and told.ims is None and told.services is None
        # For a new key, too: a code is no way around the operator.
        assert (await operator.configured(ANA, OTHER)).version == state
        await operator.server.set_state(ANA, AccountState.ACTIVE)
        assert (await operator.configured(ANA, OTHER)).version == 1
        with pytest.raises(ProvisioningError):
            await operator.server.set_state(BEN, state)


async def test_one_who_is_no_subscriber_any_more_is_disabled(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        token = (await operator.configured()).token
        operator.server.offer = operator.offer(version=2, sip_password={BEN: "x"}.get)
        told = await operator.contact(version=1, token=token)
        assert told is not None and told.version == AccountState.DISABLED and told.ims is None


# --- limits ----------------------------------------------------------------------------------------------------
async def test_sr17_codes_are_limited_by_number_and_address(tmp_path: Path) -> None:
    limits = dataclasses.replace(EASY, codes_by_number_and_address=Rate(3, 3_600_000))
    async with Operator.open(tmp_path, limits) as operator:
        for _ in range(3):
            assert await operator.contact() is None
        with pytest.raises(ProvisioningError) as caught:
            await operator.contact()
        assert caught.value.status == 429 and len(operator.codes) == 3
        assert await operator.contact(BEN) is None
    limits = dataclasses.replace(EASY, codes_by_number=Rate(2, 3_600_000))
    (tmp_path / "second").mkdir()
    async with Operator.open(tmp_path / "second", limits) as operator:
        for key in (KEY, OTHER):
            await operator.contact(ANA, key)
        with pytest.raises(ProvisioningError):
            await operator.contact(ANA, b"\x03" * 32)


async def test_sr17_codes_that_wait_and_contacts_are_bounded(tmp_path: Path) -> None:
    limits = dataclasses.replace(EASY, max_codes_per_number=2, contacts=Rate(4, 600_000))
    async with Operator.open(tmp_path, limits) as operator:
        for index in range(2):
            await operator.contact(ANA, bytes([index]) * 32)
        with pytest.raises(ProvisioningError):
            await operator.contact(ANA, b"\x07" * 32)
        token_free = [await operator.contact(BEN)]
        with pytest.raises(ProvisioningError) as caught:
            await operator.contact(BEN)
        assert caught.value.code == "provisioning.rate" and token_free == [None]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "msisdn=%2B15550100",
        "msisdn=15550100&participant_key_hash=" + "01" * 32,
        "msisdn=%2B15550100&participant_key_hash=" + "0g" * 32,
        "msisdn=%2B15550100&participant_key_hash=" + "01" * 31,
        "msisdn=%2B15550100&msisdn=%2B15550199&participant_key_hash=" + "01" * 32,
        "msisdn=%2B15550100&vers=x&participant_key_hash=" + "01" * 32,
        "msisdn=%2B15550100&OTP=1234abcd&participant_key_hash=" + "01" * 32,
        "msisdn=%2B15550100&token=" + "x" * 129 + "&participant_key_hash=" + "01" * 32,
        "msisdn=%2B15550100%0D%0A&participant_key_hash=" + "01" * 32,
    ],
)
async def test_queries_that_are_none(tmp_path: Path, query: str) -> None:
    async with Operator.open(tmp_path) as operator, aiohttp.ClientSession() as session:
        async with session.get(f"{operator.url}?{query}") as answer:
            assert answer.status == 400 and "code" in await answer.json()
        assert operator.codes == []


async def test_what_is_old_is_dropped(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        await operator.configured()
        await operator.contact(BEN)
        operator.clock.now += EASY.account_age_ms + 1
        await operator.server.purge()
    rows = rows_of(database_in(tmp_path, "provisioning.db"), "provisioning")
    assert [rows[table] for table in ("accounts", "codes", "tokens")] == [[], [], []]


def test_sr19_not_beyond_loopback_without_tls(tmp_path: Path) -> None:
    async def claims(number: str, key_hash: bytes) -> str:
        return ""

    offer = Offer(1, 1, "h", 1, True, "d", "https://d", lambda number: None, lambda number: None)
    with pytest.raises(InputError):
        ProvisioningServer(
            str(tmp_path / "x"),
            offer,
            claims=claims,
            on_code=lambda issued: None,
            host="192.0.2.1",  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    "url", ["http://directory.example.test", "http://192.0.2.1:80", "ftp://127.0.0.1", "127.0.0.1"]
)
def test_sr19_the_operators_token_goes_over_tls_beyond_this_machine(url: str) -> None:
    """Whoever reads it gets a code for any number."""
    with pytest.raises(InputError):
        DirectoryClaims(url, "token")
    DirectoryClaims("https://directory.example.test", "token")
    DirectoryClaims("http://127.0.0.1:8460", "token")


# --- the directory's interface for the operator ----------------------------------------------------------------
async def test_codes_from_a_directory_in_another_process(tmp_path: Path) -> None:
    """The operator's services know each other by a token; nobody else gets a code this way (SR-21)."""
    token = operator_token(b"s" * 32, "directory")
    directory = Directory(str(tmp_path / "d.db"), on_code=lambda issued: None, operator=token)
    await directory.start()
    right, wrong = DirectoryClaims(directory.url, token), DirectoryClaims(directory.url, token[:-1] + "A")
    try:
        code = await right(ANA, KEY)
        assert len(code) == 8 and code.isdecimal()
        for claims, key, status in ((wrong, KEY, 401), (right, b"short", 400)):
            with pytest.raises(DirectoryError) as caught:
                await claims(ANA, key)
            assert caught.value.status == status
    finally:
        await right.close()
        await wrong.close()
        await directory.close()
    with pytest.raises(TransportError):
        await right(ANA, KEY)
    await right.close()


async def test_without_an_operator_there_is_no_such_interface(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path / "d.db"), on_code=lambda issued: None)
    await directory.start()
    claims = DirectoryClaims(directory.url, "")
    try:
        with pytest.raises(DirectoryError) as caught:
            await claims(ANA, KEY)
        assert caught.value.status in (404, 405)
    finally:
        await claims.close()
        await directory.close()


async def test_many_first_contacts_at_once_use_one_code_once(tmp_path: Path) -> None:
    """The right code in many requests at once gives one account, whatever their order."""
    async with Operator.open(tmp_path) as operator, ProvisioningClient(operator.url) as client:
        await client.contact(Contact(ANA, KEY))
        code = operator.codes[0].code

        async def once() -> ProvisioningDocument | None:
            async with ProvisioningClient(operator.url, cookies=client.cookies) as same:
                try:
                    return await same.contact(Contact(ANA, KEY, code=code))
                except ProvisioningError:
                    return None

        found = [document for document in await asyncio.gather(*(once() for _ in range(12))) if document]
        assert 1 <= len(found) <= EASY.code_tries
