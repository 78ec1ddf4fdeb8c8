"""The configuration server of RCC.16 (rcc16.md 1.1, 1.7): whose participant key it is, signed anew at each contact."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
from pathlib import Path

import aiohttp
import pytest

from letterlock.codec.provisioning import EncryptionServices, ProvisioningDocument, decode_document, encode_document
from letterlock.crypto.pyca import Pyca
from letterlock.errors import DecodeError, InvalidRcc16, ProvisioningError
from letterlock.ids import Number
from letterlock.rcc16.credentials.proof import check_proof, decode_proof
from letterlock.services.database import open_database
from letterlock.services.provisioning import AccountState, EncryptionOffer
from letterlock.services.provisioning.tables import Account, Tables
from letterlock.transport.provisioning import ProvisioningClient
from letterlock.transport.provisioning_config import Contact, ProvisioningSettings
from letterlock.trust.requests import participant_key_hash
from postgres import ONLY_SQLITE
from provisioning.lab import ANA, BEN, NOW, Operator
from rcc16.certificates import key_pair
from services.kds_lab import Key

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]

ACS, SIGNER = Key(key_pair("acs")), key_pair("anchors")
ANAS, ANEW = key_pair("ana's participant key"), key_pair("ana's next one")
HASH, HASH_ANEW = participant_key_hash(ANAS.spki), participant_key_hash(ANEW.spki)
DAY_S = 86_400
OFFER = EncryptionOffer(
    "https://kds.example.test", 2, "https://kds.example.test/mls/v1/trust-anchors/3", 3, SIGNER.spki, ACS
)
LIMITS = ProvisioningSettings().documents


def holds(proof: bytes, *, of: Number = ANA, spki: bytes = ANAS.spki, kds: str = "2", now: int = NOW) -> bool:
    """Whether the key distribution server would take it."""
    try:
        check_proof(
            decode_proof(proof),
            number=of,
            participant_spki=spki,
            home_kds=kds,
            acs_spki=ACS.spki,
            crypto=Pyca(),
            now=now,
        )
    except InvalidRcc16:
        return False
    return True


async def configured(operator: Operator, spki: bytes = ANAS.spki) -> ProvisioningDocument:
    """A first contact that shows the key, with its code."""
    key_hash = participant_key_hash(spki)
    async with ProvisioningClient(operator.url) as client:
        assert await client.contact(Contact(ANA, key_hash, participant_spki=spki)) is None
        code = operator.codes.pop().code
        document = await client.contact(Contact(ANA, key_hash, code=code, participant_spki=spki))
    assert document is not None
    return document


async def test_the_document_carries_the_proof(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        operator.server.offer = operator.offer(encryption=OFFER)
        document = await configured(operator)
        services = document.encryption
        assert document.ims is not None and services is not None
        assert (services.kds_uri, services.anchors_uri) == (OFFER.kds_uri, OFFER.anchors_uri)
        assert (services.anchors_generation, services.anchors_signer) == (3, SIGNER.spki)
        proof = services.identity_proof
        assert decode_proof(proof).expires == NOW // 1000 + 92 * DAY_S + 60  # because it came with a code
        assert holds(proof) and not holds(proof, of=BEN) and not holds(proof, spki=ANEW.spki)
        assert not holds(proof, kds="3") and not holds(proof, now=NOW + 93 * DAY_S * 1000)


async def test_a_client_that_shows_no_key_gets_none_of_it(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        operator.server.offer = operator.offer(encryption=OFFER)
        document = await operator.configured(ANA, HASH)
        assert document.ims is not None and document.encryption is None
        # Its next contact may show it; from then on it is retained.
        for shown in (ANAS.spki, b""):
            later = await operator.contact(ANA, HASH, version=1, token=document.token, participant_spki=shown)
            assert later is not None and later.ims is None and later.encryption is not None
            assert holds(later.encryption.identity_proof)


async def test_an_operator_without_rcc16(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        assert (await configured(operator)).encryption is None


async def test_the_proof_is_signed_anew_at_each_contact(tmp_path: Path) -> None:
    """Also in a document that says nothing else is new; and also after a restart."""
    async with Operator.open(tmp_path) as operator:
        operator.server.offer = operator.offer(encryption=OFFER)
        token = (await configured(operator)).token
        ends = []
        for _ in range(3):
            operator.clock.now += 30 * DAY_S * 1000
            await operator.restart()
            operator.server.offer = operator.offer(encryption=OFFER)
            document = await operator.contact(ANA, HASH, version=1, token=token)
            assert document is not None and document.encryption is not None and document.ims is None
            assert holds(document.encryption.identity_proof, now=operator.clock.now)
            ends.append(decode_proof(document.encryption.identity_proof).expires)
        assert ends == [NOW // 1000 + (92 + 30 * n) * DAY_S for n in (1, 2, 3)]


async def test_sr21_another_key_needs_another_code(tmp_path: Path) -> None:
    """SR-21: with the token of the old key no other is vouched for, and after the change the old one is not either."""
    async with Operator.open(tmp_path) as operator:
        operator.server.offer = operator.offer(encryption=OFFER)
        old = await configured(operator)
        operator.clock.now += 60_000
        # A token with another key is a first contact: a code goes to the owner.
        assert await operator.contact(ANA, HASH_ANEW, token=old.token, participant_spki=ANEW.spki) is None
        assert operator.codes.pop().replaces
        new = await configured(operator, ANEW.spki)
        assert new.encryption is not None and old.encryption is not None
        assert holds(new.encryption.identity_proof, spki=ANEW.spki)
        # The key distribution server takes the proof that ends last for the last word.
        assert decode_proof(new.encryption.identity_proof).expires > decode_proof(old.encryption.identity_proof).expires
        assert await operator.contact(ANA, HASH, version=1, token=old.token, participant_spki=ANAS.spki) is None


async def test_sr21_the_key_before_gets_no_proof_that_outlasts_the_one_of_the_code(tmp_path: Path) -> None:
    """Until the code is spent the old token is good; the key distribution server believes the proof that ends last."""
    async with Operator.open(tmp_path) as operator:
        operator.server.offer = operator.offer(encryption=OFFER)
        old = await configured(operator)
        operator.clock.now += 60_000
        async with ProvisioningClient(operator.url) as client:
            assert await client.contact(Contact(ANA, HASH_ANEW, participant_spki=ANEW.spki)) is None
            code = operator.codes.pop().code
            operator.clock.now += 2_000
            # A moment after ours was signed, and a moment before the code is spent: as good as in the same second.
            last = await operator.contact(ANA, HASH, version=1, token=old.token, participant_spki=ANAS.spki)
            new = await client.contact(Contact(ANA, HASH_ANEW, code=code, participant_spki=ANEW.spki))
        assert last is not None and last.encryption is not None
        assert new is not None and new.encryption is not None
        ends = [decode_proof(each.encryption.identity_proof).expires for each in (last, new) if each.encryption]
        assert ends[1] >= ends[0] + 30


async def test_a_number_that_is_not_in_use_has_no_proof(tmp_path: Path) -> None:
    async with Operator.open(tmp_path) as operator:
        operator.server.offer = operator.offer(encryption=OFFER)
        token = (await configured(operator)).token
        await operator.server.set_state(ANA, AccountState.DORMANT)
        document = await operator.contact(ANA, HASH, version=1, token=token)
        assert document is not None and document.version == -2 and document.encryption is None
        await operator.server.set_state(ANA, AccountState.ACTIVE)
        document = await operator.contact(ANA, HASH, version=1, token=token)
        assert document is not None and document.encryption is not None
        operator.server.offer = operator.offer(encryption=OFFER, sip_password=lambda number: None)
        document = await operator.contact(ANA, HASH, version=1, token=token)
        assert document is not None and document.version == -1 and document.encryption is None


@ONLY_SQLITE
@pytest.mark.parametrize(
    "key",
    [
        base64.urlsafe_b64encode(ANEW.spki).decode(),
        "!",
        "AAAA",
        "A" * 2_000,
        base64.urlsafe_b64encode(ANAS.spki[:-1]).decode(),
        base64.urlsafe_b64encode(ANAS.spki + b"\x00").decode(),
        base64.urlsafe_b64encode(ANAS.public).decode(),
    ],
)
async def test_a_key_that_is_not_that_of_its_hash(tmp_path: Path, key: str) -> None:
    async with Operator.open(tmp_path) as operator, aiohttp.ClientSession() as session:
        query = {"msisdn": ANA, "participant_key_hash": HASH.hex(), "vers": "0", "participant_key": key}
        async with session.get(operator.url, params=query) as answer:
            assert answer.status == 400 and (await answer.json())["code"] == "provisioning.query"
        async with session.get(operator.url + "?" + "&participant_key=" * 2, params=query) as answer:
            assert answer.status == 400
        assert operator.codes == []


OLD_SCHEMA = """
CREATE TABLE accounts (
    number TEXT PRIMARY KEY, key_hash BLOB NOT NULL, state INTEGER NOT NULL, changed_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE tokens (hash BLOB PRIMARY KEY);
"""


@ONLY_SQLITE
async def test_a_database_of_the_version_before(database: str) -> None:
    """Numbers that were set up before there was RCC.16 keep their state, and show their key at the next contact."""

    def make() -> None:
        old = open_database(
            database, OLD_SCHEMA, version=1, application_id=0x4C4C5052, name="provisioning", hint="", exclusive=False
        )
        old.begin()
        old.execute("INSERT INTO accounts VALUES (?, ?, ?, ?)", (ANA, HASH, 1, NOW))
        old.commit()
        old.close()

    def upgraded() -> tuple[Account | None, Account | None]:
        tables = Tables(database)
        tables.connection.begin()
        found = tables.account(ANA)
        tables.put_account(Account(ANA, HASH, 1, ANAS.spki), NOW)
        again = tables.account(ANA)
        tables.connection.commit()
        tables.close()
        return found, again

    await asyncio.to_thread(make)
    assert await asyncio.to_thread(upgraded) == (Account(ANA, HASH, 1), Account(ANA, HASH, 1, ANAS.spki))


# --- the document ----------------------------------------------------------------------------------------------
SERVICES = EncryptionServices("https://k.test", b"proof\xff", "https://k.test/a/7", 7, b"signer\xfe")


def document(parms: str, where: str = '<characteristic type="SERVICEPROVIDEREXT">{}</characteristic>') -> bytes:
    vers = '<characteristic type="VERS"><parm name="version" value="3"/><parm name="validity" value="60"/></characteristic>'
    return f'<?xml version="1.0"?><wap-provisioningdoc>{vers}{where.format(parms)}</wap-provisioningdoc>'.encode()


@ONLY_SQLITE
def test_what_is_written_is_read_again() -> None:
    for given in (ProvisioningDocument(3, 60, encryption=SERVICES), ProvisioningDocument(3, 60)):
        assert decode_document(encode_document(given), LIMITS) == given


@ONLY_SQLITE
@pytest.mark.parametrize(
    "where",
    [
        "{}",
        '<characteristic type="APPLICATION"><parm name="AppID" value="ap2002"/>'
        '<characteristic type="ServiceProviderExt">{}</characteristic></characteristic>',
        '<characteristic type="APPLICATION"><characteristic type="x"><characteristic type="y">{}'
        "</characteristic></characteristic></characteristic>",
    ],
)
def test_the_names_are_found_anywhere_and_in_either_case(where: str) -> None:
    """rcc16.md 1.7."""
    parms = (
        '<parm name="OpenRCS-KDS-Uri" value="https://k.test"/><parm name="OPENRCS-TRUST-ANCHORS-GENERATION" value="7"/>'
    )
    found = decode_document(document(parms, where), LIMITS)
    assert found.encryption == EncryptionServices("https://k.test", anchors_generation=7)


@ONLY_SQLITE
@pytest.mark.parametrize(
    "parms",
    [
        '<parm name="openrcs-kds-uri" value="ftp://k.test"/>',
        '<parm name="openrcs-kds-uri" value="https://a"/><parm name="OPENRCS-KDS-URI" value="https://b"/>',
        '<parm name="openrcs-encryption-identity-proof" value="not base64!"/>',
        '<parm name="openrcs-encryption-identity-proof" value="AAA"/>',
        f'<parm name="openrcs-encryption-identity-proof" value="{"A" * 1_400}"/>',
        '<parm name="openrcs-trust-anchors-generation" value="-1"/>',
        '<parm name="openrcs-trust-anchors-generation" value="x"/>',
        '<parm name="openrcs-trust-anchors-generation" value="9999999999999999"/>',
        '<parm name="openrcs-trust-anchors-signer" value="é"/>',
    ],
)
def test_sr14_a_document_is_read_whole_or_not_at_all(parms: str) -> None:
    with pytest.raises(DecodeError):
        decode_document(document(parms), LIMITS)


async def test_a_signer_that_fails_costs_no_code(tmp_path: Path) -> None:
    """A security module that is away: the code still stands, and so does the token."""

    class Away(Key):
        def sign(self, message: bytes) -> bytes:
            raise OSError("the module is away")

    async with Operator.open(tmp_path) as operator, ProvisioningClient(operator.url) as client:
        good, broken = OFFER, dataclasses.replace(OFFER, signer=Away(key_pair("acs")))
        operator.server.offer = operator.offer(encryption=broken)
        contact = Contact(ANA, HASH, participant_spki=ANAS.spki)
        assert await client.contact(contact) is None
        contact = dataclasses.replace(contact, code=operator.codes.pop().code)
        for _ in range(6):
            with pytest.raises(ProvisioningError) as caught:
                await client.contact(contact)
            assert (caught.value.code, caught.value.status) == ("provisioning.signer", 503)
        operator.server.offer = operator.offer(encryption=good)
        document = await client.contact(contact)
        assert document is not None and document.encryption is not None
