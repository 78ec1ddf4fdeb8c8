"""`letterlock push ...` against doubles: what an operator types to try his keys."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab_certificate import write_lab_certificate
from letterlock.apps.cli import main
from letterlock.codec import push_subscription
from letterlock.crypto.key_files_pyca import generate_key
from letterlock.services.push import PushKind, Subscription

from .apns_double import KEY_ID, TEAM, TOPIC, Answer, ApnsDouble
from .fcm_double import FcmDouble
from .push_lab import apns
from .web_double import WebDouble

pytestmark = pytest.mark.anyio


async def run(folder: Path, *arguments: str) -> int:
    """The command in a thread, because it has a loop of its own."""
    return await asyncio.to_thread(main, ["-o", "json", "--data-dir", str(folder), "push", *arguments])


def written(folder: Path, subscription: Subscription) -> str:
    path = folder / "subscription.json"
    path.write_bytes(push_subscription.encode(subscription) + b"\n")
    return str(path)


def secret(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    path.chmod(0o600)
    return str(path)


async def test_the_public_key_stays_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(tmp_path, "key") == 0
    first = json.loads(capsys.readouterr().out)["application_server_key"]
    assert await run(tmp_path, "key") == 0
    assert json.loads(capsys.readouterr().out)["application_server_key"] == first
    assert (tmp_path / "push.pem").stat().st_mode & 0o777 == 0o600
    os.chmod(tmp_path / "push.pem", 0o640)
    assert await run(tmp_path, "key") == 1
    assert json.loads(capsys.readouterr().err)["error"] == "input.secret"


async def test_an_endpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate = write_lab_certificate(tmp_path)
    async with WebDouble(certificate) as double:
        file = written(tmp_path, double.register("phone"))
        options = [
            "test",
            file,
            "--push-ca",
            str(certificate.authority),
            "--push-contact",
            "mailto:operator@example.test",
        ]
        assert await run(tmp_path, *options) == 1, "it is in a private network"
        error = json.loads(capsys.readouterr().err)
        assert error["error"] == "push.address" and "--push-allow HOST:PORT" in error["hint"]
        options += ["--push-allow", f"localhost:{double.port}"]
        assert await run(tmp_path, *options) == 0
        assert json.loads(capsys.readouterr().out) == {"kind": "unifiedpush", "outcome": "sent"}
        assert len(double.accepted) == 1
        double.script = deque([(410, {})])
        assert await run(tmp_path, *options) == 3
        error = json.loads(capsys.readouterr().err)
        assert (error["error"], error["message"]) == (
            "transport.push",
            "unifiedpush: the push service knows this device no more",
        )


async def test_apple(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate = write_lab_certificate(tmp_path)
    pem = generate_key(None)
    public = serialization.load_pem_private_key(pem, None).public_key()
    async with ApnsDouble(certificate, public) as double:  # type: ignore[arg-type]
        file = written(tmp_path, apns(1))
        assert await run(tmp_path, "test", file) == 1
        assert json.loads(capsys.readouterr().err)["hint"].startswith("give --apns-key")
        key = secret(tmp_path / "key.p8", pem)
        options = ["test", file, "--push-ca", str(certificate.authority), "--apns-key", key]
        assert await run(tmp_path, *options) == 1
        capsys.readouterr()
        options += ["--apns-key-id", KEY_ID, "--apns-team", TEAM, "--apns-topic", TOPIC, "--apns-alert"]
        options += ["--apns-server", f"localhost:{double.port}"]
        assert await run(tmp_path, *options) == 0
        assert double.accepted[0].headers["apns-push-type"] == "alert"
        capsys.readouterr()
        double.script.append(Answer(400, "BadDeviceToken"))
        assert await run(tmp_path, *options) == 3
        assert json.loads(capsys.readouterr().err)["message"] == "apns: the push service knows this device no more"


async def test_google(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate = write_lab_certificate(tmp_path)
    async with FcmDouble(certificate, rsa.generate_private_key(65537, 2048)) as double:
        account = secret(tmp_path / "account.json", double.service_account())
        file = written(tmp_path, Subscription(PushKind.FCM, "registration-token-1"))
        options = ["test", file, "--push-ca", str(certificate.authority), "--fcm-account", account]
        assert await run(tmp_path, *options, "--fcm-url", double.url) == 0
        assert json.loads(capsys.readouterr().out) == {"kind": "fcm", "outcome": "sent"}
        # SR-19: the access token goes with each push.
        for clear in ("http://fcm.example.test", "fcm.example.test", "https://["):
            assert await run(tmp_path, *options, "--fcm-url", clear) == 1
            assert json.loads(capsys.readouterr().err)["hint"] == "--fcm-url https://HOST"


@pytest.mark.parametrize(
    "options",
    [
        ["--push-allow", "nowhere"],
        ["--push-contact", "me"],
        ["--push-ca", "/nonexistent"],
        ["--fcm-account", "/nonexistent"],
        ["--apns-key", "/nonexistent", "--apns-key-id", "a", "--apns-team", "b", "--apns-topic", "c"],
    ],
    ids=lambda options: options[0],
)
async def test_what_is_wrong_with_the_options(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, Subscription(PushKind.FCM, "registration-token-1"))
    assert await run(tmp_path, "test", file, *options) == 1
    assert json.loads(capsys.readouterr().err)["error"].startswith("input.")


@pytest.mark.parametrize("text", ["{}", "no JSON", '{"kind": "pigeon", "token": "x"}'])
async def test_a_file_that_is_no_subscription_says_what_is_wanted(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.json").write_text(text)
    assert await run(tmp_path, "test", str(tmp_path / "wrong.json")) == 1
    error = json.loads(capsys.readouterr().err)
    assert error["error"] == "input.push" and "docs/push.md" in error["hint"]
