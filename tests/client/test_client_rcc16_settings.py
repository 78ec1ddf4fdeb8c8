"""The settings of a profile that speaks RCC.16; those of before still open."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from client.phones import CHEAP
from letterlock.client import Client, Environment, KdsAccount
from letterlock.client.addresses import Addresses
from letterlock.client.driver import StepFunction
from letterlock.client.encryption import check_protocols
from letterlock.client.settings import SETTINGS, Settings, spoken
from letterlock.engine.step import Step
from letterlock.errors import DecodeError, InputError
from letterlock.keystore import KeyFile

KDS = KdsAccount("https://kds.example", b"proof", "https://kds.example/anchors", 7, b"signer", vendor=3)


def _settings(**more: object) -> Settings:
    return Settings.new("https://directory.example", None, os.urandom, **more)  # type: ignore[arg-type]


def test_they_are_read_as_they_were_written() -> None:
    settings = _settings(kds=KDS, protocols=("signal", "rcc16"))
    assert SETTINGS.kind.decode(SETTINGS.kind.encode(settings)) == settings
    assert "proof" not in repr(settings)


def test_settings_of_before_speak_signal() -> None:
    """Old profiles open."""
    old = json.loads(SETTINGS.kind.encode(_settings()))
    del old["kds"], old["protocols"]
    read = SETTINGS.kind.decode(json.dumps(old).encode())
    assert (read.kds, read.protocols) == (None, ("signal",))


@pytest.mark.parametrize("field", ["url", "identity_proof", "anchors_generation", "vendor"])
def test_a_damaged_record_is_a_decode_error(field: str) -> None:
    record = json.loads(SETTINGS.kind.encode(_settings(kds=KDS, protocols=("rcc16",))))
    record["kds"][field] = ["neither"]
    with pytest.raises(DecodeError):
        SETTINGS.kind.decode(json.dumps(record).encode())


@pytest.mark.parametrize(
    ("protocols", "kds", "code"),
    [
        (("smoke",), None, "input.protocol"),
        ((), None, "input.protocol"),
        (("rcc16",), None, "input.kds"),
        (("signal", "rcc16"), KDS, ""),
        (("signal",), None, ""),
    ],
)
def test_what_cannot_be_spoken_is_refused(protocols: tuple[str, ...], kds: KdsAccount | None, code: str) -> None:
    settings = _settings(kds=kds, protocols=protocols)
    if not code:
        check_protocols(settings)
        return
    with pytest.raises(InputError) as refused:
        check_protocols(settings)
    assert refused.value.code == code and refused.value.hint


def test_our_order_of_preference_is_one() -> None:
    assert spoken(["rcc16", "signal", "rcc16"]) == ("signal", "rcc16")
    assert spoken(["smoke", "signal"]) == ("signal", "smoke")


def test_a_profile_that_cannot_be_is_not_begun(tmp_path: Path) -> None:
    async def attempt() -> None:
        KeyFile(tmp_path / "key").create(os.urandom)
        environment = Environment(state=tmp_path / "state", argon2=CHEAP)
        with pytest.raises(InputError) as refused:
            await Client.create(
                tmp_path / "profile",
                "+15550100",
                directory="https://directory.example",
                code="123456",
                protocols=("rcc16",),
                key_file=tmp_path / "key",
                environment=environment,
            )
        assert refused.value.code == "input.kds"
        assert not (tmp_path / "profile").exists()

    asyncio.run(attempt())


class _Records:
    """As much of a store as `Addresses` needs."""

    def __init__(self) -> None:
        self.kept: dict[object, str] = {}

    def scan(self, kind: object, prefix: str = "") -> list[object]:
        return list(self.kept)

    def get(self, key: object) -> str | None:
        return self.kept.get(key)

    def note(self, step: StepFunction[None]) -> None:
        done: Step[None] = step(None, 0, os.urandom)  # type: ignore[arg-type]
        for key, value in done.writes.items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value


def test_addresses_of_conferences_survive_the_process() -> None:
    records = _Records()
    before = Addresses(records, records.note)  # type: ignore[arg-type]
    before["aa"], before["bb"] = "sip:one", "sip:two"
    before["aa"] = "sip:three"
    del before["bb"]
    assert dict(Addresses(records, records.note)) == {"aa": "sip:three"}  # type: ignore[arg-type]
