"""The network of a lab: a number, a code, and from there a certificate, packages and claims (rcc16.md 1.7, 1.8)."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from letterlock.apps.cli import main
from letterlock.apps.cli.lab import Lab as Network
from letterlock.conversation_seam import Claimed, ClaimOutcome
from letterlock.ids import Number
from letterlock.services.kds.folder import OUR_VENDOR
from letterlock.services.provisioning import IssuedCode
from letterlock.transport.kds import AnchorSource, KdsClient
from letterlock.transport.provisioning import ProvisioningClient
from letterlock.transport.provisioning_config import Contact
from letterlock.trust.requests import participant_key_hash
from rcc16.certificates import CRYPTO, Lab, key_pair
from services.kds_lab import ANA, BEN, Device, Turning

pytestmark = pytest.mark.anyio


class _At:
    def __init__(self, url: str) -> None:
        self.url = url


class _People:
    """As `kds_lab.Town`, around the network's server, with the proofs that the configuration server gave."""

    def __init__(self, url: str) -> None:
        self.clock = Turning(time.time_ns() // 1_000_000)
        self.lab = Lab("network", self.clock.now, vendor_id=OUR_VENDOR)
        self.server, self.rng = _At(url), os.urandom
        self.clients: list[KdsClient] = []


async def test_from_a_code_to_a_claim(tmp_path: Path) -> None:
    codes: dict[Number, str] = {}

    def on_code(issued: IssuedCode) -> None:
        codes[issued.number] = issued.code

    async with contextlib.AsyncExitStack() as stack:
        network = Network(tmp_path / "network", free_ports=True)
        await network.start(stack, on_code, lambda issued: None)
        people, devices = None, {}
        for number in (ANA, BEN):
            participant, leaf = key_pair(f"participant {number}"), key_pair(f"leaf {number}")
            contact = Contact(number, participant_key_hash(participant.spki), participant_spki=participant.spki)
            async with ProvisioningClient(network.provisioning.url) as server:
                assert await server.contact(contact) is None
                document = await server.contact(
                    Contact(number, contact.key_hash, code=codes[number], participant_spki=participant.spki)
                )
            assert document is not None
            said = document.encryption
            assert said is not None and said.kds_uri == network.kds.url == network.addresses["kds"]
            people = people or _People(said.kds_uri)
            device = Device(people, number, participant, leaf)  # type: ignore[arg-type]
            stack.push_async_callback(device.client.close)
            devices[number] = await device.enrol(proof=said.identity_proof)
            source = AnchorSource(said.anchors_uri, said.anchors_generation, said.anchors_signer)
            anchors = await device.client.anchors(source, None, CRYPTO)
            assert anchors.certificates == network.kds.anchors.certificates
        (package,) = await devices[BEN].publish(0)
        claimed = await devices[ANA].client.claim([BEN])
        assert claimed == {BEN: Claimed(ClaimOutcome.SERVED, (package,))}
    # The keys stay: started again, it is the same authority.
    async with contextlib.AsyncExitStack() as stack:
        again = Network(tmp_path / "network", free_ports=True)
        await again.start(stack, on_code, lambda issued: None)
        assert again.kds.anchors == network.kds.anchors and again.kds.anchors.generation == 1


def test_the_command_line_wants_all_of_rcc16_or_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kds = tmp_path / "kds"
    assert main(["kds", "init", "--folder", str(kds), "--unprotected-keys"]) == 0
    base = ["--data-dir", str(tmp_path), "provisioning", "--secret-file", str(tmp_path / "secret"), "--port", "0"]
    whole = {
        "--kds": "https://kds.test",
        "--acs-key": str(kds / "acs.key"),
        "--trust-anchors": "https://kds.test/mls/v1/trust-anchors/1",
        "--anchors-signer": str(kds / "anchors.pub"),
    }
    capsys.readouterr()
    for changes, words in (
        ({"--acs-key": ""}, "needs all of"),
        ({"--kds": ""}, "needs all of"),
        ({"--anchors-signer": str(tmp_path / "none")}, "cannot be read"),
        ({"--anchors-signer": str(kds / "acs.key")}, "not a public key"),
        ({"--acs-key": str(kds / "acs.pub")}, "others can read"),
        ({"--acs-passphrase-file": str(kds / "kds.json")}, "not encrypted"),
    ):
        arguments = [part for pair in {**whole, **changes}.items() for part in pair if pair[1]]
        assert main([*base, *arguments]) == 1 and words in capsys.readouterr().err, changes
