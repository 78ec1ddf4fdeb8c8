"""Two key distribution servers (docs/spec/kds-federation.md): packages of the other's numbers, and nothing else."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from letterlock.codec import kds as codec
from letterlock.codec.kds_signature import (
    ANSWER_HEADER,
    HEADER,
    RequestSignature,
    SignerKind,
    answer_text,
    decode_answer,
    decode_signature,
    encode_answer,
    encode_signature,
    signed_text,
)
from letterlock.conversation_seam import Claimed, ClaimOutcome
from letterlock.errors import InputError
from letterlock.ids import Number
from letterlock.rcc16.credentials.anchors import decode_anchor_list
from letterlock.rcc16.credentials.authentication import CertificateAuthentication
from letterlock.rcc16.credentials.checking import STRICT
from letterlock.rcc16.credentials.packages import check_claimed
from letterlock.services.buckets import Rate
from letterlock.services.kds import Peer, Routing, describe, read_peer
from letterlock.services.kds.federation import CLAIM_PATH
from postgres import ONLY_SQLITE
from rcc16.certificates import CRYPTO, Lab, key_pair
from services.kds_lab import ANA, DAY, EASY, NOW, Device, Key, Town, Turning, ask, signed

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]

BEN = Number("+49301000")
ELSEWHERE = Number("+49302000")


@dataclasses.dataclass
class Pair:
    """Ana's server, and Ben's."""

    here: Town
    there: Town
    ana: Device
    ben: Device

    async def claim(self, of: Number = BEN, named: int = 0) -> Claimed:
        return (await self.ana.client.claim([of], {of: named}))[of]

    async def refused(self, of: Number = BEN) -> tuple[int, str]:
        body, path = codec.encode(codec.ClaimRequest(of)), "/mls/v1/keypackages/claim"
        status, answer = await ask(self.here, "POST", path, body, signed(self.ana, "POST", path, body))
        return status, answer["code"]


@contextlib.asynccontextmanager
async def pair(folder: Path, peer: Callable[[Peer], Peer] = lambda peer: peer, **there: Any) -> AsyncIterator[Pair]:
    """Each has pinned the other; numbers that begin with +49 are at home there. Its rows are in a file always."""
    clock = Turning()
    async with (
        Town.open(folder, str(folder / "there.db"), name="there", kds=7, clock=clock) as other,
        Town.open(folder, name="here", kds=2, clock=clock) as own,
    ):
        await other.restart(routing=Routing(7, [own.as_peer()], [("+1", 2)]), **there)
        await own.restart(routing=Routing(2, [peer(other.as_peer())], [("+49", 7)]))
        yield Pair(own, other, await own.enrolled(ANA), await other.enrolled(BEN))


async def test_a_claim_at_the_other_server(tmp_path: Path) -> None:
    async with pair(tmp_path) as two:
        package, last = await two.ben.publish(1)
        for expected in (package, last):
            assert await two.claim() == Claimed(ClaimOutcome.SERVED, (expected,))
        # Whoever claimed it finds that it holds, by the list of anchors of its own server.
        anchors = await two.ana.client.anchors(two.here.anchor_source, None, CRYPTO)
        assert set(anchors.certificates) == {t.lab.root.certificate.der for t in (two.here, two.there)}
        judge = CertificateAuthentication(CRYPTO, anchors, STRICT, remember=1)
        for message in (package, last):
            check_claimed(message, BEN, judge, NOW, max_bytes=32_768)


@ONLY_SQLITE
async def test_where_a_number_is_at_home() -> None:
    def peer(kds: int) -> Peer:
        return Peer(kds, f"https://{kds}.test", key_pair("x").public, (b"",))

    routing = Routing(2, [peer(7), peer(8)], [("+49", 7), ("+4930", 8), ("+493055", 2), ("+49301000", 7)])

    def home(text: str, named: int = 0) -> int:
        found = routing.home(Number(text), named)
        return 2 if found is None else found.kds

    assert [home(text) for text in ("+4912345", "+4930123", "+49305512", "+49301000", "+15550100")] == [7, 8, 2, 7, 2]
    # What the carrier says of a number counts only where the operator says nothing.
    assert home("+15550100", 8) == 8 and home("+4912345", 8) == 7 and home("+15550100", 99) == 2
    for peers, routes in (
        ([peer(2)], []),
        ([peer(7), peer(7)], []),
        ([peer(7)], [("+49", 9)]),
        ([peer(7)], [("49", 7)]),
        ([peer(7)], [("+", 7)]),
        ([peer(7)], [("+49", 7), ("+49", 2)]),
    ):
        with pytest.raises(InputError):
            Routing(2, peers, routes)


async def test_named_by_its_capabilities(tmp_path: Path) -> None:
    """rcc16.md 1.8: a claim may say which server the peer's `mls-kds` names."""
    async with pair(tmp_path) as two:
        eve = await two.there.enrolled("+33100000")
        (package,) = await eve.publish(0)
        assert (await two.claim(eve.number)).outcome is ClaimOutcome.NONE
        assert (await two.claim(eve.number, 99)).outcome is ClaimOutcome.NONE
        assert await two.claim(eve.number, 7) == Claimed(ClaimOutcome.SERVED, (package,))


async def test_sr18_the_other_side_learns_served_or_none(tmp_path: Path) -> None:
    """SR-18: never there, never uploaded, withheld, spent too often and another's number are one answer."""
    limits = dataclasses.replace(EASY, last_resort=Rate(1, DAY))
    async with pair(tmp_path, limits=limits) as two:
        answers = [await _asked(two, of) for of in (BEN, ELSEWHERE, ANA)]
        await two.ben.publish(0)
        served = await _asked(two, BEN)
        answers.append(await _asked(two, BEN))
        two.here.clock.now += 60 * DAY
        answers.append(await _asked(two, BEN))
        assert served[1]["outcome"] == "served"
        assert answers == [(200, {"outcome": "none", "key_packages": []})] * 5
        await two.ana.enrol()
        assert await two.refused() == (404, "kds.none")


async def _asked(two: Pair, of: Number) -> tuple[int, dict[str, Any]]:
    """As Ana's server asks."""
    body = codec.encode(codec.ClaimRequest(of))
    return await ask(two.there, "POST", CLAIM_PATH, body, _signature(two, body))


def _signature(two: Pair, body: bytes, **changes: Any) -> str:
    key = changes.pop("by", two.here.federation)
    unsigned = RequestSignature(
        **{
            "kind": SignerKind.SERVER,
            "signer": "2",
            "key": key.public_key,
            "to": 7,
            "timestamp": two.here.clock.now,
            "nonce": two.here.rng(16),
            **changes,
        }
    )
    text = signed_text("POST", CLAIM_PATH, body, unsigned)
    return encode_signature(dataclasses.replace(unsigned, signature=key.sign(text)))


async def test_sr17_only_pinned_servers_are_answered(tmp_path: Path) -> None:
    """SR-17: by number and key, in time, once, and only when they ask us."""
    async with pair(tmp_path) as two:
        await two.ben.publish(3)
        body = codec.encode(codec.ClaimRequest(BEN))
        far = NOW + EASY.request_window_ms + 1
        cases = [
            (None, "kds.unauthenticated"),
            (_signature(two, body, signer="3"), "kds.unauthenticated"),
            (_signature(two, body, signer="+15550100"), "kds.unauthenticated"),
            (_signature(two, body, signer="²"), "kds.signature"),
            (_signature(two, body, by=Key(key_pair("mallory"))), "kds.unauthenticated"),
            (_signature(two, body, to=8), "kds.unauthenticated"),
            (_signature(two, body, kind=SignerKind.DEVICE), "kds.unauthenticated"),
            (_signature(two, body + b" "), "kds.unauthenticated"),
            (_signature(two, body, timestamp=far), "kds.clock"),
            (signed(two.ana, "POST", CLAIM_PATH, body), "kds.unauthenticated"),
        ]
        for signature, code in cases:
            status, answer = await ask(two.there, "POST", CLAIM_PATH, body, signature)
            assert (answer["code"], status) == (code, 400 if code == "kds.signature" else 401)
        signature = _signature(two, body)
        assert (await ask(two.there, "POST", CLAIM_PATH, body, signature))[0] == 200
        assert (await ask(two.there, "POST", CLAIM_PATH, body, signature))[1]["code"] == "kds.replay"
        assert (await two.ben.client.pool()).one_time == 2


async def test_a_body_that_cannot_be_read_is_answered_under_signature(tmp_path: Path) -> None:
    async with pair(tmp_path) as two:
        for body in (b"{", b"[]", b'{"target_msisdn":"tel:+1"}'):
            status, answer = await ask(two.there, "POST", CLAIM_PATH, body, _signature(two, body))
            assert status == 400 and answer["code"].startswith("kds.")


async def test_servers_are_limited_about_one_number(tmp_path: Path) -> None:
    async with pair(tmp_path, limits=dataclasses.replace(EASY, peer_target=Rate(2, DAY))) as two:
        await two.ben.publish(5)
        outcomes = [(await two.claim()).outcome for _ in range(3)]
        assert outcomes == [ClaimOutcome.SERVED, ClaimOutcome.SERVED, ClaimOutcome.FAILED]
        assert (await two.claim(ELSEWHERE)).outcome is ClaimOutcome.NONE


async def test_a_server_that_is_away(tmp_path: Path) -> None:
    async with pair(tmp_path) as two:
        await two.there.server.close()
        assert await two.refused() == (503, "kds.peer")
        assert (await two.claim()).outcome is ClaimOutcome.FAILED
        await two.there.restart()


async def test_a_question_does_not_go_round(tmp_path: Path) -> None:
    """A server asks about a number only when its own device does; of a number that it takes for ours it says none."""
    async with pair(tmp_path) as two:
        await two.ana.publish(1)
        await two.there.restart(routing=Routing(7, [two.here.as_peer()], [("+49302", 2)]))
        assert (await two.claim(ELSEWHERE)).outcome is ClaimOutcome.NONE


async def test_packages_of_an_authority_that_is_not_that_servers(tmp_path: Path) -> None:
    """Each server speaks for its own numbers under its own roots."""
    other = Lab("another root").root.certificate.der
    async with pair(tmp_path, lambda peer: dataclasses.replace(peer, anchors=(other,))) as two:
        await two.ben.publish(1)
        assert await two.refused() == (503, "kds.peer")


# --- what comes back -------------------------------------------------------------------------------------------
@dataclasses.dataclass
class Impostor:
    """Something in the place of the other server; `make` gives status, body and header for a request."""

    two: Pair
    make: Callable[[RequestSignature], tuple[int, bytes, str]]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async def answer(request: web.Request) -> web.Response:
            await request.read()
            status, body, header = self.make(decode_signature(request.headers[HEADER]))
            return web.Response(status=status, body=body, headers={ANSWER_HEADER: header} if header else {})

        app = web.Application()
        app.router.add_post(CLAIM_PATH, answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        there = dataclasses.replace(self.two.there.as_peer(), url=f"http://127.0.0.1:{port}")
        await self.two.here.restart(routing=Routing(2, [there], [("+49", 7)]))
        try:
            yield
        finally:
            await runner.cleanup()


async def test_an_answer_that_is_not_that_servers(tmp_path: Path) -> None:
    """Signed over the request that it answers, or it is nobody's: no redirect, no proxy, no replay puts packages in."""
    async with pair(tmp_path) as two:
        packages = await two.ben.publish(4)
        federation, rightful = two.there.federation, []

        def body(last_resort: bool = False, *which: bytes) -> bytes:
            found = tuple(codec.ClaimedPackage(package, last_resort) for package in which or packages[:1])
            return codec.encode(codec.FederatedAnswer(found))

        def made(
            content: bytes = b"", *, key: Key = federation, server: int = 7, status: int = 200, said: int = 200
        ) -> Callable[[RequestSignature], tuple[int, bytes, str]]:
            def make(request: RequestSignature) -> tuple[int, bytes, str]:
                rightful.append(request)
                text = answer_text(request, server, status, content)
                return said, content, encode_answer(key.sign(text))

            return make

        good = body()
        async with Impostor(two, made(good)).running():
            # Proof that what follows fails for its own reason.
            assert await two.claim() == Claimed(ClaimOutcome.SERVED, packages[:1])
        for make in (
            lambda request: (200, good, ""),
            lambda request: (200, good, "!"),
            lambda request: (200, good, encode_answer(b"\x30" * 71)),
            lambda request: (200, good, encode_answer(federation.sign(answer_text(rightful[0], 7, 200, good)))),
            made(good, key=Key(key_pair("mallory"))),
            made(good, server=8),
            made(good, said=404),
            made(good, status=404),
            made(b"{}"),
            made(good + b" " * (2 << 20)),
            made(body(True)),
            made(body(False, packages[0], packages[1])),
            made(body(False, b"x")),
            made(good, status=302, said=302),
        ):
            async with Impostor(two, make).running():
                assert await two.refused() == (503, "kds.peer")


# --- how they come to know each other ------------------------------------------------------------------------------
async def test_anchors_of_others_come_and_go_with_a_generation(tmp_path: Path) -> None:
    async with Town.open(tmp_path, name="here", kds=2) as town:
        roots = town.lab.root.certificate.der, Lab("there").root.certificate.der
        peer = Peer(7, "http://127.0.0.1:1", key_pair("x").public, roots[1:])

        async def listed() -> tuple[int, tuple[bytes, ...], frozenset[int]]:
            anchors = decode_anchor_list(
                await town.device(ANA).client._exchange("GET", town.server.anchors_uri, b"", {})
            )
            return anchors.generation, anchors.certificates, anchors.revoked

        assert await listed() == (1, roots[:1], frozenset())
        await town.restart()
        assert await listed() == (1, roots[:1], frozenset())
        await town.restart(routing=Routing(2, [peer], []))
        assert await listed() == (2, roots, frozenset())
        await town.restart(routing=Routing(2, [peer], []), revoked=[77])
        assert await listed() == (3, roots, frozenset({77}))
        await town.restart()
        assert await listed() == (4, roots[:1], frozenset())


@ONLY_SQLITE
def test_the_description_of_a_server() -> None:
    key, root = key_pair("x"), Lab("there").root.certificate.der
    assert read_peer(describe(7, "https://kds.test", key.spki, [root])) == Peer(
        7, "https://kds.test", key.public, (root,)
    )
    for kds, url, spki, anchors in (
        (0, "https://kds.test", key.spki, [root]),
        (7, "http://kds.test", key.spki, [root]),
        (7, "https://kds.test/path", key.spki, [root]),
        (7, "https://kds.test:0", key.spki, [root]),
        (7, "https://u:p@kds.test", key.spki, [root]),
        (7, "kds.test", key.spki, [root]),
        (7, "https://kds.test", key.spki[:-1], [root]),
        (7, "https://kds.test", key.spki, []),
        (7, "https://kds.test", key.spki, [root[:-1]]),
        (7, "https://kds.test", key.spki, [root] * 17),
    ):
        with pytest.raises(InputError):
            read_peer(describe(kds, url, spki, anchors))
    for text in (b"", b"[]", b'{"kds":7}', b"\xff"):
        with pytest.raises(InputError):
            read_peer(text)


@ONLY_SQLITE
def test_the_header_of_an_answer() -> None:
    assert decode_answer(encode_answer(b"\x30" * 70)) == b"\x30" * 70
