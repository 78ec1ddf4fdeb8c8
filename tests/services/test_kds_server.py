"""The key distribution server over HTTP: who may ask, what is certified, and each refusal with its code (SR-17)."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from letterlock.codec import kds as codec
from letterlock.codec.kds_signature import HEADER, SignerKind, key_id
from letterlock.conversation_seam import Claimed, ClaimOutcome
from letterlock.errors import InputError, KdsError
from letterlock.rcc16.credentials.extensions import vendor_id
from letterlock.rcc16.credentials.leaf import certificate_of
from letterlock.rcc16.credentials.proof import issue_proof
from letterlock.services.buckets import Rate
from letterlock.services.kds import Authority
from postgres import ONLY_SQLITE
from rcc16.certificates import key_pair
from services.kds_lab import ANA, BEN, DAY, EASY, NOW, Key, Town, Turning, ask, signed

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]

CLAIM = codec.encode(codec.ClaimRequest(BEN))
CLAIM_PATH = "/mls/v1/keypackages/claim"


async def test_enrol_publish_claim(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        published = await ben.publish(2)
        claims = [await ana.client.claim([BEN]) for _ in range(3)]
        assert claims == [{BEN: Claimed(ClaimOutcome.SERVED, (package,))} for package in published]


async def test_what_anybody_may_know(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        assert await ask(town, "GET", "/mls/v1/health") == (200, {"status": "ok"})
        assert await ask(town, "GET", "/mls/v1/supported-ciphersuites") == (200, {"ciphersuites": [2]})
        status, listed = await ask(town, "GET", "/mls/v1/trust-anchors")
        assert status == 200 and (listed["generation"], listed["uri"]) == (1, town.server.anchors_uri)
        status, missing = await ask(town, "GET", "/mls/v1/nothing")
        assert (status, missing["code"]) == (404, "kds.http")


# --- certificates ----------------------------------------------------------------------------------------------
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
async def test_openssl_verifies_what_was_issued(tmp_path: Path) -> None:
    """An independent verifier follows the chain that came over HTTP."""
    async with Town.open(tmp_path) as town:
        ana = await town.enrolled(ANA)
        leaf, *issuers = ana.chain
        names = []
        for name, certificates in (("leaf", [leaf]), ("issuers", issuers), ("root", [town.lab.root.certificate.der])):
            names.append(tmp_path / f"{name}.pem")
            names[-1].write_bytes(
                b"".join(
                    subprocess.run(
                        ["openssl", "x509", "-inform", "DER"], input=der, capture_output=True, check=True
                    ).stdout
                    for der in certificates
                )
            )
        verified = subprocess.run(
            ["openssl", "verify", "-ignore_critical", "-attime", str(NOW // 1000), "-x509_strict",
             "-CAfile", names[2], "-untrusted", names[1], names[0]],
            capture_output=True, text=True,
        )  # fmt: skip
        assert verified.returncode == 0 and verified.stdout.endswith(": OK\n"), verified.stderr


async def test_what_was_asked_for_stands_there_verbatim(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana = town.device(ANA)
        request = ana.request()
        leaf = certificate_of((await ana.client.enrol(request))[0])
        values = {extension.value for extension in leaf.extensions}
        assert leaf.subject == request.subject
        assert {request.subject_alt_name, request.participant_information, request.proof} <= values
        assert leaf.not_after - leaf.not_before == 75.5 * DAY and leaf.not_before == NOW - 3_600_000


async def test_a_leaf_does_not_outlive_its_proof(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana = await town.device(ANA).enrol(proof_days=50)
        assert certificate_of(ana.chain[0]).not_after <= NOW + 50 * DAY


async def test_one_key_for_both(tmp_path: Path) -> None:
    """The lab form of rcc16.md 1.8; a server may insist on it."""
    async with Town.open(tmp_path, limits=dataclasses.replace(EASY, separate_participant_keys=False)) as town:
        ana = town.device(ANA)
        with pytest.raises(KdsError) as caught:
            await ana.enrol()
        assert (caught.value.code, caught.value.status) == ("kds.request", 422)
        ana.leaf = ana.participant
        await ana.enrol()
        assert certificate_of(ana.chain[0]).spki == ana.participant.spki


def _other_acs(town: Town) -> bytes:
    expires = (NOW + 92 * DAY) // 1000
    return issue_proof(ANA, key_pair(f"participant {ANA}").spki, "2", expires, key_pair("another acs").sign)


OTHER = key_pair("somebody else's")


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("possession of the participant key", lambda town: {"csr_pop": OTHER.sign(b"tel:" + ANA.encode())}),
        ("possession of the leaf key", lambda town: {"leaf_pop": OTHER.sign(b"x")}),
        ("an expired proof", lambda town: {"proof": town.proof(ANA, key_pair(f"participant {ANA}").spki, days=0)}),
        ("a proof that ends too soon", lambda town: {"proof_days": 30.5}),
        ("another ACS", lambda town: {"proof": _other_acs(town)}),
        ("a proof for another server", lambda town: {
            "proof": town.proof(ANA, key_pair(f"participant {ANA}").spki, kds=3)}),
        ("a proof for another number", lambda town: {"proof": town.proof(BEN, key_pair(f"participant {ANA}").spki)}),
        ("a proof for another key", lambda town: {"proof": town.proof(ANA, OTHER.spki)}),
        ("no proof", lambda town: {"proof": b"\x00"}),
        ("information of another key", lambda town: {
            "participant_information": town.lab.request(ANA, participant=OTHER).participant_information}),
        ("information in another window", lambda town: {"window": (NOW - 90 * DAY, NOW - DAY)}),
        ("information that ends too soon", lambda town: {"window": (NOW - DAY, NOW + 30 * DAY)}),
        ("another vendor", lambda town: {"vendor_id": 2}),
        ("another name", lambda town: {"subject": b"\x30\x00"}),
    ],
)  # fmt: skip
async def test_a_certificate_that_is_not_issued(tmp_path: Path, what: str, changes: Any) -> None:
    async with Town.open(tmp_path) as town:
        with pytest.raises(KdsError) as caught:
            await town.device(ANA).enrol(**changes(town))
        assert (caught.value.code, caught.value.status) == ("kds.request", 422), what


async def test_sr21_a_number_set_up_anew(tmp_path: Path) -> None:
    """SR-21, SR-22: the later word of the ACS holds; what the old key vouched for is gone, and does not come back."""
    async with Town.open(tmp_path) as town:
        old, ana = await town.enrolled(BEN), await town.enrolled(ANA)
        await old.publish()
        town.clock.now += 60_000
        new = await town.device(BEN, participant="ben anew").enrol()
        assert (await ana.client.claim([BEN]))[BEN].outcome is ClaimOutcome.NONE
        for use in (old.client.pool, old.publish):
            with pytest.raises(KdsError) as caught:
                await use()
            assert caught.value.code == "kds.unauthenticated"
        with pytest.raises(KdsError) as caught:
            await old.enrol(proof=town.proof(BEN, old.participant.spki, days=92 - 1 / 24))
        assert (caught.value.code, caught.value.status) == ("kds.replaced", 403)
        (package,) = await new.publish(0)
        assert (await ana.client.claim([BEN]))[BEN].packages == (package,)
        # With a word of the ACS that is later still, which takes a new code, he is back.
        town.clock.now += 60_000
        await old.enrol()
        with pytest.raises(KdsError):
            await new.client.pool()


async def test_devices_of_a_number_are_bounded(tmp_path: Path) -> None:
    async with Town.open(tmp_path, limits=dataclasses.replace(EASY, max_devices=2)) as town:
        for index in (1, 2, 2, 1):
            await town.enrolled(ANA, index)
        with pytest.raises(KdsError) as caught:
            await town.enrolled(ANA, 3)
        assert (caught.value.code, caught.value.status) == ("kds.devices", 409)


async def test_certificates_are_limited_by_number(tmp_path: Path) -> None:
    async with Town.open(tmp_path, limits=dataclasses.replace(EASY, certificates=Rate(2, DAY))) as town:
        for _ in range(2):
            await town.enrolled(ANA)
        with pytest.raises(KdsError) as caught:
            await town.enrolled(ANA)
        assert (caught.value.code, caught.value.status) == ("kds.rate", 429)
        await town.enrolled(BEN)


@ONLY_SQLITE
async def test_an_authority_that_is_none(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        lab = town.lab
        client_ca, ica, root = (i.certificate.der for i in (lab.client_ca, lab.ica, lab.root))
        assert vendor_id(certificate_of(root)) == town.authority.vendor_id
        for chain, key in (((), lab.client_ca_key), ((client_ca, root), lab.client_ca_key),
                           ((client_ca, ica, root), lab.ica_key), ((client_ca, ica), lab.client_ca_key)):  # fmt: skip
            with pytest.raises(InputError):
                Authority.of(2, chain, Key(key), lab.acs_key.spki)


# --- who asks --------------------------------------------------------------------------------------------------
async def test_sr17_what_is_not_signed_is_not_answered(tmp_path: Path) -> None:
    """SR-17: no call that means somebody goes without a signature, and a bad one says nothing about who is there."""
    async with Town.open(tmp_path) as town:
        ana = await town.enrolled(ANA)
        stranger = town.device(BEN)
        far = NOW + EASY.request_window_ms + 1
        cases = [
            (None, "kds.unauthenticated"),
            ("!", "kds.signature"),
            (signed(stranger, "POST", CLAIM_PATH, CLAIM), "kds.unauthenticated"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM, signer=BEN), "kds.unauthenticated"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM, signer="nobody"), "kds.unauthenticated"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM, sign=OTHER.sign), "kds.unauthenticated"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM, sign=OTHER.sign, key=OTHER.public), "kds.unauthenticated"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM, key=b"\x04" + bytes(64)), "kds.unauthenticated"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM + b" "), "kds.unauthenticated"),
            (signed(ana, "PUT", CLAIM_PATH, CLAIM), "kds.unauthenticated"),
            (signed(ana, "POST", "/mls/v1/keypackages", CLAIM), "kds.unauthenticated"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM, kind=SignerKind.PARTICIPANT), "kds.unauthenticated"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM, kind=SignerKind.SERVER), "kds.unauthenticated"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM, timestamp=far), "kds.clock"),
            (signed(ana, "POST", CLAIM_PATH, CLAIM, timestamp=2 * NOW - far), "kds.clock"),
        ]
        for signature, code in cases:
            status, answer = await ask(town, "POST", CLAIM_PATH, CLAIM, signature)
            assert answer["code"] == code and status == (400 if code == "kds.signature" else 401)
        # At the very edge of the window it passes: there is nothing of Ben's.
        status, answer = await ask(
            town, "POST", CLAIM_PATH, CLAIM, signed(ana, "POST", CLAIM_PATH, CLAIM, timestamp=far - 1)
        )
        assert (status, answer["code"]) == (404, "kds.never_uploaded")


async def test_sr05_a_request_counts_once(tmp_path: Path) -> None:
    """SR-05: said again it is refused, also after a restart, and it takes nothing."""
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        await ben.publish(2)
        signature = signed(ana, "POST", CLAIM_PATH, CLAIM)
        assert (await ask(town, "POST", CLAIM_PATH, CLAIM, signature))[0] == 200
        for _ in range(2):
            status, answer = await ask(town, "POST", CLAIM_PATH, CLAIM, signature)
            assert (status, answer["code"]) == (401, "kds.replay")
            await town.restart()
        assert (await ben.client.pool()).one_time == 1


async def test_a_device_whose_certificate_has_ended_is_nobody(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana = await town.enrolled(ANA)
        town.clock.now = certificate_of(ana.chain[0]).not_after - 1
        await ana.client.pool()
        town.clock.now += 1
        with pytest.raises(KdsError) as caught:
            await ana.client.pool()
        assert caught.value.code == "kds.unauthenticated"
        await ana.enrol()
        await ana.client.pool()


async def test_packages_of_another_number(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        upload = codec.encode(codec.Upload(BEN, (), ben.package(last_resort=True).message))
        path = "/mls/v1/keypackages"
        status, answer = await ask(town, "POST", path, upload, signed(ana, "POST", path, upload))
        assert (status, answer["code"]) == (403, "kds.number")


async def test_withdrawing_a_device(tmp_path: Path) -> None:
    """SR-22: what was withdrawn is not handed out, and an old request does not bring it back."""
    async with Town.open(tmp_path) as town:
        ana, one, two = await town.enrolled(ANA), await town.enrolled(BEN, 1), await town.enrolled(BEN, 2)
        for device in (one, two):
            await device.publish()
        assert len((await ana.client.claim([BEN]))[BEN].packages) == 2
        request = two.request()
        for _ in range(2):
            await one.client.withdraw(key_id(two.leaf.public), one.account)
        assert len((await ana.client.claim([BEN]))[BEN].packages) == 1
        with pytest.raises(KdsError) as caught:
            await two.publish()
        assert caught.value.code == "kds.unauthenticated"
        with pytest.raises(KdsError) as caught:
            await two.client.enrol(request)
        assert (caught.value.code, caught.value.status) == ("kds.withdrawn", 403)


async def test_only_the_account_withdraws_its_devices(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        path, device = "/mls/v1/devices/withdraw", key_id(ben.leaf.public)
        for of in (ANA, BEN):
            body = codec.encode(codec.Withdrawal(of, device))
            leaf = signed(ben, "POST", path, body)
            as_ana = signed(
                ana, "POST", path, body,
                kind=SignerKind.PARTICIPANT, signer=of, key=ana.participant.public, sign=ana.participant.sign,
            )  # fmt: skip
            for signature in (leaf, as_ana) if of == BEN else (leaf,):
                status, answer = await ask(town, "POST", path, body, signature)
                assert (status, answer["code"]) == (401, "kds.unauthenticated")
        own = codec.encode(codec.Withdrawal(BEN, device))
        mixed = signed(
            ana, "POST", path, own, kind=SignerKind.PARTICIPANT, key=ana.participant.public, sign=ana.participant.sign
        )
        assert (await ask(town, "POST", path, own, mixed))[1]["code"] == "kds.unauthenticated"
        await ben.client.pool()


# --- bodies ----------------------------------------------------------------------------------------------------
async def test_sr08_a_body_that_is_too_long(tmp_path: Path) -> None:
    small = dataclasses.replace(EASY, bodies=dataclasses.replace(EASY.bodies, max_body=10_000))
    async with Town.open(tmp_path, limits=small) as town:
        ana = await town.enrolled(ANA)
        path = "/mls/v1/keypackages"
        for body in (b" " * 10_001, codec.encode(codec.Upload(ANA, (b"x" * 5_000,) * 3, b"x"))):
            status, answer = await ask(town, "POST", path, body, signed(ana, "POST", path, body))
            assert (status, answer["code"]) == (413, "kds.body")

        async def parts() -> Any:
            for _ in range(11):
                yield b" " * 1_000

        async with aiohttp.ClientSession() as session:
            header = {HEADER: signed(ana, "POST", path, b"")}
            async with session.post(town.server.url + path, data=parts(), headers=header) as answered:
                assert answered.status == 413


async def test_sr17_a_body_that_does_not_come(tmp_path: Path) -> None:
    async with Town.open(tmp_path, limits=dataclasses.replace(EASY, body_timeout_s=0.05)) as town:
        ana = await town.enrolled(ANA)
        reader, writer = await asyncio.open_connection("127.0.0.1", town.server.port)
        signature = signed(ana, "POST", CLAIM_PATH, CLAIM)
        writer.write(
            f"POST {CLAIM_PATH} HTTP/1.1\r\nHost: x\r\n{HEADER}: {signature}\r\nContent-Length: 50\r\n\r\n{{".encode()
        )
        assert b" 408 " in await reader.readline()
        writer.close()


async def test_too_many_packages(tmp_path: Path) -> None:
    async with Town.open(tmp_path, limits=dataclasses.replace(EASY, max_one_time=2)) as town:
        ana = await town.enrolled(ANA)
        await ana.publish(2)
        with pytest.raises(KdsError) as caught:
            await ana.publish(3)
        assert (caught.value.code, caught.value.status) == ("kds.packages", 413)


async def test_calls_are_limited_by_address_and_by_device(tmp_path: Path) -> None:
    async with Town.open(tmp_path, limits=dataclasses.replace(EASY, calls=Rate(3, DAY))) as town:
        ana, ben = await town.enrolled(ANA), await town.enrolled(BEN)
        for _ in range(3):
            await ana.client.pool()
        with pytest.raises(KdsError) as caught:
            await ana.client.pool()
        assert (caught.value.code, caught.value.status) == ("kds.rate", 429)
        await ben.client.pool()
        await town.restart(limits=dataclasses.replace(EASY, address=Rate(1, DAY)))
        await ben.client.pool()
        status, answer = await ask(town, "GET", "/mls/v1/supported-ciphersuites")
        assert (status, answer["code"]) == (429, "kds.rate")


@ONLY_SQLITE
def test_sr19_beyond_this_machine_it_speaks_tls(tmp_path: Path) -> None:
    town = Town(tmp_path, str(tmp_path / "x.db"), "lab", 2, Turning())
    with pytest.raises(InputError) as caught:
        town.make(host="192.0.2.1")
    assert caught.value.code == "kds.tls"
