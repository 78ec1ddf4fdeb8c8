"""A profile from a number and an address; documents that are refused whole; what the operator may decide later (SR-21)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from letterlock.client import Client, ProvisioningState, Settings
from letterlock.client.provisioned import PROVISIONED, Provisioned, settings_of
from letterlock.client.settings import SETTINGS
from letterlock.codec.provisioning import (
    ImsAccount,
    Messaging,
    OperatorServices,
    ProvisioningDocument,
    decode_document,
    encode_document,
)
from letterlock.engine.events import ProvisioningChanged
from letterlock.errors import DecodeError, InputError, ProvisioningError, StoreError, TransportError
from letterlock.services.provisioning import AccountState
from letterlock.transport.provisioning import ProvisioningClient
from letterlock.transport.provisioning_config import Contact, ProvisioningSettings
from provisioning.lab import ANA, BEN, KEY, Operator

pytestmark = pytest.mark.anyio


class Phone:
    """Opens a profile and notes with which settings a carrier was wanted."""

    def __init__(self, operator: Operator, path: Path) -> None:
        self.operator, self.path = operator, path
        self.wanted: list[Settings] = []

    def _transport(self, environment: Any, settings: Settings, identity: Any, on_message: Any) -> None:
        self.wanted.append(settings)

    def open(self) -> Client:
        environment = self.operator.environment(transport=self._transport)
        return Client.open(self.path, passphrase="tulip", environment=environment)

    async def told(self, after: int = 0) -> ProvisioningChanged:
        """The next thing that the profile hears of its operator, on a day when it asks."""
        async with self.open() as me, contextlib.aclosing(me.events(after)) as events, asyncio.timeout(20):
            async for recorded in events:
                if isinstance(recorded.event, ProvisioningChanged):
                    await me.settled()
                    return recorded.event
        raise AssertionError

    async def cursor(self) -> int:
        async with self.open() as me:
            return await me.cursor()

    async def sip(self) -> Any:
        async with self.open():
            return self.wanted[-1].sip


# --- setting up ------------------------------------------------------------------------------------------------
async def test_a_number_and_an_address_are_all(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        phone = Phone(operator, await operator.provision())
        async with phone.open() as me:
            assert me.number == ANA and len(await me.devices()) == 1
        (settings,) = phone.wanted
        assert settings.sip is not None and settings.content is not None
        assert (settings.sip.server, settings.sip.port, settings.sip.tls) == ("127.0.0.1", 5060, False)
        assert (settings.sip.username, settings.sip.password) == (ANA, "sip-a")
        assert (settings.sip.msrp_relay, settings.sip.idle_s) == ("msrp://127.0.0.1:2855;tcp", 45)
        assert settings.sip.conference_factory == "sip:conference-factory@ims.example.test"
        assert settings.content.password == f"files-{ANA}" and settings.directory == operator.directory.url
        config = settings.sip.config(ANA, settings.instance)
        assert config.sessions.msrp_relay == settings.sip.msrp_relay and config.sessions.idle_s == 45.0


async def test_a_slip_of_the_finger(tmp_path: Path) -> None:
    """The code still stands, in the next process too: the cookie of the contact was kept."""
    async with Operator.open(tmp_path) as operator:

        async def wrong() -> str:
            return f"{(int(operator.codes[0].code) + 1) % 10**8:08d}"

        with pytest.raises(ProvisioningError) as caught:
            await operator.provision(code=wrong)
        assert caught.value.code == "provisioning.code"
        right = operator.codes[0].code
        path = await operator.provision(code=f" {right[:4]} {right[4:]} ")
        assert len(operator.codes) == 1
        async with Phone(operator, path).open() as me:
            assert me.number == ANA


async def test_interrupted_anywhere_it_goes_on(tmp_path: Path) -> None:
    """The directory fails at the claim: the next run comes with the token, and nobody is asked for a code again."""
    async with Operator.open(tmp_path) as operator:
        broken = Operator.environment(operator)

        def unreachable(environment: Any, settings: Any, identity: Any) -> Any:
            raise TransportError("no directory")

        with pytest.raises(TransportError):
            await operator.provision(environment=dataclasses.replace(broken, directory=unreachable))
        with pytest.raises(StoreError):
            async with Phone(operator, tmp_path / ANA).open():
                pass
        path = await operator.provision(code="")
        assert operator.codes == []
        async with Phone(operator, path).open() as me:
            assert me.number == ANA


async def test_what_cannot_be_begun(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        for url in ("http://provisioning.example.test/", "ftp://x/", "https://user:secret@x/", "nonsense"):
            with pytest.raises(InputError):
                await operator.provision(url=url)
        with pytest.raises(InputError):
            await operator.provision(code="12ab")
        path = await operator.provision()
        with pytest.raises(InputError) as caught:
            await operator.provision()
        assert caught.value.code == "input.profile_exists" and path.exists()


@pytest.mark.parametrize("state", [AccountState.RESET, AccountState.DISABLED, AccountState.DORMANT])
async def test_a_number_that_the_operator_does_not_let_be_used(tmp_path: Path, state: AccountState) -> None:
    async with Operator.open(tmp_path) as operator:
        await operator.configured(ANA, KEY)
        await operator.server.set_state(ANA, state)
        with pytest.raises(ProvisioningError) as caught:
            await operator.provision()
        assert caught.value.code == f"provisioning.{state.name.lower()}"
        with pytest.raises(StoreError):
            async with Phone(operator, tmp_path / ANA).open():
                pass


# --- documents that are refused (SR-14) ------------------------------------------------------------------------
GOOD = ProvisioningDocument(
    3,
    86_400,
    "token",
    999,
    ImsAccount("sip.example.test", 5061, True, "ims.example.test", f"sip:{ANA}@ims.example.test", ANA, ANA, "secret"),
    Messaging(
        "sip:conference-factory@ims.example.test", 100, 1000, 1 << 20, 30, "https://files.example.test/u", "u", "p"
    ),
    OperatorServices("https://keys.example.test", "12345678", "msrps://relay.example.test:2855;tcp"),
)
LIMITS = ProvisioningSettings().documents
ELSEWHERE = Provisioned("https://config.example.test/", None, ProvisioningState.ACTIVE)


def test_the_good_one() -> None:
    assert decode_document(encode_document(GOOD), LIMITS) == GOOD
    settings = settings_of(GOOD, ANA, ELSEWHERE, "5b1c1d9e-7c3f-4a7b-9f57-0d9b9d7f9e11")
    assert settings.sip is not None and settings.sip.tls and settings.sip.port == 5061


def parm(name: str, value: str) -> Callable[[bytes], bytes]:
    """The document with another value of one parameter."""

    def change(document: bytes) -> bytes:
        before, found, rest = document.partition(f'name="{name}" value="'.encode())
        assert found, name
        return before + found + value.encode() + rest[rest.index(b'"') :]

    return change


HOSTILE: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("not XML", lambda document: document[:-5]),
    ("another document", lambda document: b"<html><body>welcome</body></html>"),
    ("nothing", lambda document: b""),
    ("entities", lambda document: b'<!DOCTYPE a [<!ENTITY b "c">]>' + document[document.index(b"<wap") :]),
    ("too long", lambda document: document + b" " * 70_000),
    ("too many elements", lambda document: document.replace(b"</wap", b"<parm/>" * 600 + b"</wap")),
    ("too deep", lambda document: document.replace(b"</wap", b"<a>" * 20 + b"</a>" * 20 + b"</wap")),
    ("no version", parm("version", "")),
    ("a version of letters", parm("version", "one")),
    ("a version too low", parm("version", "-3")),
    ("a version too high", parm("version", "99999999999")),
    ("no validity", lambda document: document.replace(b'<parm name="validity" value="86400"/>', b"", 1)),
    ("validity of a thousand years", parm("validity", "31536000000")),
    ("negative validity", parm("validity", "-5")),
    ("validity of nothing", parm("validity", "0")),
    ("a parameter twice", lambda document: document.replace(b'<parm name="validity"', b'<parm name="validity" value="1"/><parm name="validity"', 1)),
    ("an address that is none", parm("Address1", "sip host")),
    ("an address with a path", parm("Address1", "evil/..:5061")),
    ("a port too high", parm("Address1", "sip.example.test:99999")),
    ("no address", parm("Address1", "")),
    ("this machine as the carrier", parm("Address1", "127.0.0.1:5061")),
    ("in the clear", lambda document: document.replace(b"SIPoTLS", b"SIPoTCP")),
    ("another number", parm("Public_User_Identity1", f"sip:{BEN}@ims.example.test")),
    ("no identity", parm("Public_User_Identity1", "")),
    ("a line end in an identity", parm("Public_User_Identity1", f"sip:{ANA}&#10;@x")),
    ("no domain", parm("Home_network_domain_name", "")),
    ("a domain that is none", parm("Home_network_domain_name", "a..b")),
    ("no password", parm("UserPwd", "")),
    ("a line end in a password", parm("UserPwd", "a&#10;b")),
    ("AKA", parm("AuthType", "AKA")),
    ("a negative group", parm("max_adhoc_group_size", "-1")),
    ("a group of millions", parm("max_adhoc_group_size", "5000000")),
    ("a negative size", parm("MaxSize1to1", "-1")),
    ("a size of letters", parm("MaxSizeFileTr", "1e9")),
    ("a size beyond all", parm("MaxSizeFileTr", "999999999999999")),
    ("idle for years", parm("TimerIdle", "99999999")),
    ("a factory that is none", parm("conf-fcty-uri", "javascript:alert(1)")),
    ("a content server in the clear", parm("ftHTTPCSURI", "http://files.example.test/u")),
    ("a content server on this machine", parm("ftHTTPCSURI", "https://127.0.0.1/u")),
    ("a content server of another kind", parm("ftHTTPCSURI", "file:///etc/passwd")),
    ("a directory in the clear", parm("DirectoryURL", "http://keys.example.test")),
    ("a directory on this machine", parm("DirectoryURL", "https://localhost")),
    ("a directory with a path", parm("DirectoryURL", "https://keys.example.test/a")),
    ("a directory with a password", parm("DirectoryURL", "https://u:p@keys.example.test")),
    ("no directory", parm("DirectoryURL", "")),
    ("a code that is none", parm("ClaimCode", "12ab5678")),
    ("a relay in the clear", parm("MsrpRelay", "msrp://relay.example.test:2855;tcp")),
    ("a relay on this machine", parm("MsrpRelay", "msrps://127.0.0.1:2855;tcp")),
    ("a token with spaces", parm("token", "a b")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change"), HOSTILE, ids=[what for what, _ in HOSTILE])
def test_sr14_hostile_documents_are_refused_whole(what: str, change: Callable[[bytes], bytes]) -> None:
    """SR-14, SR-19: by the decoder or by what may be configured; the good one differs in this alone."""
    data = change(encode_document(GOOD))
    with pytest.raises((DecodeError, ProvisioningError)) as caught:
        settings_of(decode_document(data, LIMITS), ANA, ELSEWHERE, "5b1c1d9e-7c3f-4a7b-9f57-0d9b9d7f9e11")
    if isinstance(caught.value, ProvisioningError):
        assert caught.value.code == "provisioning.document"


class Fake:
    """A provisioning server that answers what it is told to."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.queries: list[dict[str, str]] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def telling(cls, *answers: tuple[int, bytes]) -> AsyncIterator[tuple[Fake, str]]:
        fake = cls()
        fake.answers = list(answers)
        app = web.Application()
        app.router.add_get("/", fake._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield fake, f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.queries.append(dict(request.query))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, body=body)


@pytest.mark.parametrize(
    "what", ["not XML", "negative validity", "a negative size", "another number", "a relay in the clear"]
)
async def test_sr14_a_refused_document_leaves_no_partial_profile(tmp_path: Path, what: str) -> None:
    """SR-14: one clear error; keys, and nothing of the document; a good one later finds the same keys."""
    change = dict(HOSTILE)[what]
    async with Operator.open(tmp_path) as operator, Fake.telling((200, change(encode_document(GOOD)))) as (fake, url):
        with pytest.raises(ProvisioningError) as caught:
            await operator.provision(url=url, code="")
        assert caught.value.code == "provisioning.document"
        with pytest.raises(StoreError) as unfinished:
            async with Phone(operator, tmp_path / ANA).open():
                pass
        assert unfinished.value.code == "store.unclaimed"
        with pytest.raises(ProvisioningError):
            await operator.provision(url=url, code="")
        assert len({query["participant_key_hash"] for query in fake.queries}) == 1, "the keys were made anew"
        await operator.provision()
        async with Phone(operator, tmp_path / ANA).open() as me:
            assert me.number == ANA


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ((200, b"x" * 100_000), ProvisioningError, "provisioning.document"),
        ((302, b""), ProvisioningError, "provisioning.refused"),
        ((403, b'{"code":"provisioning.unknown","message":"no"}'), ProvisioningError, "provisioning.unknown"),
        ((403, b"[" * 5000), ProvisioningError, "provisioning.refused"),
        ((503, b'{"code":"\\u0000","message":5}'), ProvisioningError, "provisioning.refused"),
    ],
)
async def test_answers_that_are_none(answer: tuple[int, bytes], error: type[Exception], code: str) -> None:
    async with Fake.telling(answer) as (_, url), ProvisioningClient(url) as client:
        with pytest.raises(error) as caught:
            await client.contact(Contact(ANA, KEY))
        assert getattr(caught.value, "code", "") == code
    async with ProvisioningClient(url) as client:
        with pytest.raises(TransportError):
            await client.contact(Contact(ANA, KEY))


async def test_what_a_contact_says_of_us() -> None:
    """The usual parameters, and nothing about the machine or who uses it but the number."""
    async with Fake.telling((511, b"")) as (fake, url), ProvisioningClient(url) as client:
        assert await client.contact(Contact(ANA, KEY, 4, "t")) is None
        (query,) = fake.queries
    assert {name: query[name] for name in ("vers", "rcs_state", "msisdn", "token", "rcs_profile")} == {
        "vers": "4",
        "rcs_state": "4",
        "msisdn": ANA,
        "token": "t",
        "rcs_profile": "UP_2.4",
    }
    assert "OTP" not in query and not {"IMSI", "IMEI"} & set(query)


# --- later contacts --------------------------------------------------------------------------------------------
DAY = 86_400_000


async def test_nothing_new_is_not_told(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        phone = Phone(operator, await operator.provision())
        asked: list[int] = []
        whole = operator.server.offer

        def watched(number: str) -> str | None:
            asked.append(1)
            return whole.sip_password(number)

        operator.server.offer = operator.offer(sip_password=watched)
        async with phone.open():
            pass
        assert not asked  # within the validity nobody asks
        operator.clock.now += DAY
        async with phone.open() as me:
            async with asyncio.timeout(20):
                while not asked:
                    await asyncio.sleep(0)
            assert not [event async for event in _now(me) if isinstance(event, ProvisioningChanged)]


async def _now(me: Client) -> AsyncIterator[Any]:
    last = await me.cursor()
    if last:
        async with contextlib.aclosing(me.events(0)) as events:
            async for recorded in events:
                yield recorded.event
                if recorded.cursor >= last:
                    return


async def test_a_new_configuration_is_used_at_once_and_the_directory_stays(tmp_path: Path) -> None:
    """Contacts know us by our directory: no later document moves us to another."""
    async with Operator.open(tmp_path) as operator:
        phone = Phone(operator, await operator.provision())
        operator.clock.now += DAY
        operator.server.offer = operator.offer(version=2, sip_port=5070, directory_url="http://127.0.0.1:9")
        told = await phone.told()
        assert told == ProvisioningChanged("active", 2)
        old, new = phone.wanted[0], phone.wanted[-1]
        assert old.sip is not None and new.sip is not None and (old.sip.port, new.sip.port) == (5060, 5070)
        assert new.directory == operator.directory.url and new.instance == old.instance


async def test_dormant_and_back(tmp_path: Path) -> None:
    """Version -2: the carrier is not used, across restarts, until the operator says so; the configuration stays."""
    async with Operator.open(tmp_path) as operator:
        phone = Phone(operator, await operator.provision())
        await operator.server.set_state(ANA, AccountState.DORMANT)
        operator.clock.now += DAY
        assert (await phone.told()).state == "dormant"
        assert phone.wanted[-1].sip is None and phone.wanted[-1].content is None
        assert await phone.sip() is None
        after = await phone.cursor()
        await operator.server.set_state(ANA, AccountState.ACTIVE)
        operator.clock.now += DAY
        assert await phone.told(after) == ProvisioningChanged("active", 1)
        assert phone.wanted[-1].sip is not None and phone.wanted[-1].sip.port == 5060


async def test_disabled_is_for_good(tmp_path: Path) -> None:
    """Version -1: the configuration is forgotten and nobody asks again."""
    async with Operator.open(tmp_path) as operator:
        phone = Phone(operator, await operator.provision())
        await operator.server.set_state(ANA, AccountState.DISABLED)
        operator.clock.now += DAY
        assert (await phone.told()).state == "disabled"
        assert phone.wanted[-1].sip is None
        await operator.server.set_state(ANA, AccountState.ACTIVE)
        operator.clock.now += 10 * DAY
        assert await phone.sip() is None
        assert operator.codes == []


async def test_reset_forgets_and_asks_for_all_of_it_again(tmp_path: Path) -> None:
    """Version 0."""
    async with Operator.open(tmp_path) as operator:
        phone = Phone(operator, await operator.provision())
        await operator.server.set_state(ANA, AccountState.RESET)
        operator.clock.now += DAY
        assert (await phone.told()).state == "reset"
        assert phone.wanted[-1].sip is None
        after = await phone.cursor()
        await operator.server.set_state(ANA, AccountState.ACTIVE)
        operator.clock.now += DAY
        assert (await phone.told(after)).state == "active"
        assert phone.wanted[-1].sip is not None and phone.wanted[-1].sip.password == "sip-a"


async def test_a_token_that_is_void_is_told_once_and_nobody_gets_messages(tmp_path: Path) -> None:
    """Each contact without a token is a message to the owner of the number: only the user may ask for one."""
    async with Operator.open(tmp_path) as operator:
        phone = Phone(operator, await operator.provision())
        await operator.configured(ANA, KEY)  # somebody, perhaps the user, set the number up with another key
        operator.clock.now += DAY
        assert await phone.told() == ProvisioningChanged("unknown", 1)
        operator.codes.clear()
        operator.clock.now += 10 * DAY
        # What there is stays in use: the carrier will say when it does not take it any more.
        assert (await phone.sip()).port == 5060
        assert operator.codes == []


async def test_a_later_document_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        phone = Phone(operator, await operator.provision())
        operator.clock.now += DAY
        operator.server.offer = operator.offer(version=2, sip_host="sip.example.test", sip_tls=False)
        assert await phone.told() == ProvisioningChanged("refused", 2, "provisioning.document")
        assert (await phone.sip()).server == "127.0.0.1"


async def test_an_operator_that_is_away_is_asked_later(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        phone = Phone(operator, await operator.provision())
        await operator.server.close()
        operator.clock.now += DAY
        assert (await phone.sip()).port == 5060


# --- records ---------------------------------------------------------------------------------------------------
def test_the_record_comes_back_as_it_was() -> None:
    record = Provisioned("https://x/", "/ca", ProvisioningState.DORMANT, 7, "token", 99, (("a", "b"), ("c", "d")))
    assert PROVISIONED.kind.decode(PROVISIONED.kind.encode(record)) == record
    assert "token" not in repr(record).replace("token_", "")
    for damaged in (b"", b"{}", b"[]", b'{"form": 2}', PROVISIONED.kind.encode(record).replace(b'"dormant"', b'"x"')):
        with pytest.raises(DecodeError):
            PROVISIONED.kind.decode(damaged)


def test_settings_of_an_older_version_have_no_relay() -> None:
    old = (
        b'{"version": 1, "directory": "https://d", "directory_ca": null, "instance": "i", "sip": {"server": "h", '
        b'"port": 5061, "domain": "d", "username": "u", "password": "p", "tls": true, "ca_file": null}}'
    )
    sip = SETTINGS.kind.decode(old).sip
    assert sip is not None and sip.msrp_relay is None and sip.idle_s == 30
