"""Signal sessions: ours beside libsignal's Node binding, interleaved, both serialising their state after every operation.

`./run bench signal [--json] [--rounds N]`. Medians; a ratio above 1 means that ours is faster (or smaller). Rows
named OP_floor are the primitives that the operation cannot do without, called one after the other: what
lies between them and OP is our own overhead.

`setup` runs from a bundle to the first decrypted message: bundle verified, session made, message encrypted,
its session made on the other side, message decrypted. On both sides its pre-keys were made just before.
The post-quantum ratchet's first ML-KEM-768 key is not in it: the specification makes it with the first message, we
with the second, which is the first that carries more of it than its rho. `second_message` is that one, encrypted.
`setup_cold` is the same with a pre-key that was not: we keep a KEM key as its seed and expand it on use.
`encrypt` and `decrypt` are 200 bytes one way; `ping_pong` is one of each, with a turn of the ratchet every time.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from letterlock.codec.prekeys import PreKeyBundle, decode_bundle, decode_upload, encode_bundle
from letterlock.crypto.kyber import kyber1024_decapsulate, kyber1024_encapsulate
from letterlock.crypto.pyca import Pyca
from letterlock.ids import DeviceId
from letterlock.seam import Key, RecordKind, Staged, Writes
from letterlock.signal import prekeys
from letterlock.signal.keys import IdentityKeyPair, verify_bundle
from letterlock.signal.limits import LIBSIGNAL_LIMITS
from letterlock.signal.messages import PREKEY_TYPE, decode_prekey_message, decode_signal_message
from letterlock.signal.session import Session
from report import Row, row, show

SIZE = 200
NOW = 1_700_000_000_000
PEER = Path(__file__).parents[1] / "tests" / "interop" / "libsignal"
CRYPTO = Pyca()
LIMITS = replace(LIBSIGNAL_LIMITS, one_time_prekeys=1, prekey_batch=1)  # a bundle's worth, as the peer makes
Samples = dict[str, list[float]]


class Records:
    """State over a dict of bytes: every record goes through its codec."""

    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}

    def get(self, key: Key[Any]) -> Any:
        data = self.bytes.get(key.name)
        return None if data is None else key.kind.decode(data)

    def scan(self, kind: RecordKind[Any], prefix: str = "") -> list[Key[Any]]:
        return [Key(kind, name) for name in sorted(self.bytes) if name.startswith(f"{kind.name}/{prefix}")]

    def apply(self, writes: Writes) -> None:
        for key, value in writes.items():
            if value is None:
                self.bytes.pop(key.name, None)
            else:
                self.bytes[key.name] = key.kind.encode(value)


class Party:
    """One device: live session, and its bytes after every operation."""

    def __init__(self) -> None:
        self.identity = IdentityKeyPair.generate(CRYPTO, os.urandom)
        self.address = b"\x00" + os.urandom(16) + b"\x01"
        self.records = Records()
        self.session: Session | None = None
        self.packed = b""

    def bundle(self) -> bytes:
        step = prekeys.replenish(
            self.records, CRYPTO, self.identity, registration_id=4242, limits=LIMITS, now=NOW, rng=os.urandom
        )
        self.records.apply(step.writes)
        assert step.publish is not None
        upload = decode_upload(step.publish.payload, max_one_time=100)
        kem, one_time = upload.one_time_kem[0], upload.one_time[0]
        return encode_bundle(PreKeyBundle(4242, DeviceId(1), self.identity.public, upload.signed, kem, False, one_time))

    def start(self, peer: Party, bundle: bytes) -> None:
        decoded = decode_bundle(bundle)
        verified = verify_bundle(CRYPTO, decoded, identity_key=peer.identity.public, device=DeviceId(1))
        self._keep(
            Session.initiate(
                CRYPTO,
                self.identity,
                verified,
                local_address=self.address,
                remote_address=peer.address,
                registration_id=4242,
                now=NOW,
                rng=os.urandom,
            )
        )

    def encrypt(self, plaintext: bytes) -> tuple[int, bytes]:
        assert self.session is not None
        session, kind, message = self.session.encrypt(CRYPTO, plaintext, NOW, LIMITS, os.urandom)
        self._keep(session)
        return kind, message

    def decrypt(self, peer: Party, sent: tuple[int, bytes]) -> bytes:
        kind, data = sent
        if kind == PREKEY_TYPE and self.session is None:
            return self._answer(peer, data)
        if kind == PREKEY_TYPE:
            message = decode_prekey_message(data, LIMITS.max_message).message
        else:
            message = decode_signal_message(data, LIMITS.max_message)
        assert self.session is not None
        session, plaintext = self.session.decrypt(CRYPTO, message, LIMITS)
        self._keep(session)
        return plaintext

    def _answer(self, peer: Party, data: bytes) -> bytes:
        message = decode_prekey_message(data, LIMITS.max_message)
        answer = prekeys.answer(Staged(self.records), CRYPTO, self.identity, message, limits=LIMITS, now=NOW)
        session = Session.respond(
            CRYPTO,
            self.identity,
            message,
            answer.secrets,
            signed_private=answer.signed_private,
            signed_public=answer.signed_public,
            local_address=self.address,
            remote_address=peer.address,
            registration_id=4242,
            now=NOW,
        )
        session, plaintext = session.decrypt(CRYPTO, message.message, LIMITS, require_addresses=True)
        self.records.apply(answer.writes)
        self._keep(session)
        return plaintext

    def _keep(self, session: Session) -> None:
        self.session = session
        self.packed = session.pack()


class Ours:
    """The same operations as bench.mjs, timed the same way."""

    def __init__(self) -> None:
        self.plaintext = bytes(SIZE)
        self.a, self.b = Party(), Party()
        self.a.start(self.b, self.b.bundle())
        for _ in range(60):
            self._round()

    def _round(self) -> None:
        self.b.decrypt(self.a, self.a.encrypt(self.plaintext))
        self.a.decrypt(self.b, self.b.encrypt(self.plaintext))

    def setup_cold(self, n: int) -> Samples:
        return {"setup_cold": self.setup(n, cold=True)["setup"]}

    def setup(self, n: int, *, cold: bool = False) -> Samples:
        samples: Samples = {"setup": [], "second_message": []}
        x, y = Party(), Party()  # as on the peer's side: two devices that know each other, with a new session each time
        for _ in range(n):
            x.session = y.session = None
            y.records.bytes.clear()
            bundle = y.bundle()
            if cold:
                global CRYPTO
                CRYPTO = Pyca()  # as after a restart: without the expanded key
            t = time.perf_counter_ns()
            x.start(y, bundle)
            y.decrypt(x, x.encrypt(self.plaintext))
            samples["setup"].append((time.perf_counter_ns() - t) / 1000)
            t = time.perf_counter_ns()
            x.encrypt(self.plaintext)
            samples["second_message"].append((time.perf_counter_ns() - t) / 1000)
        return samples

    def one_way(self, n: int) -> Samples:
        samples: Samples = {"encrypt": [], "decrypt": []}
        sent = []
        self.a.decrypt(self.b, self.b.encrypt(self.plaintext))
        self.b.decrypt(self.a, self.a.encrypt(self.plaintext))
        for _ in range(n):
            t = time.perf_counter_ns()
            sent.append(self.a.encrypt(self.plaintext))
            samples["encrypt"].append((time.perf_counter_ns() - t) / 1000)
        for message in sent:
            t = time.perf_counter_ns()
            self.b.decrypt(self.a, message)
            samples["decrypt"].append((time.perf_counter_ns() - t) / 1000)
        return samples

    def ping_pong(self, n: int) -> Samples:
        samples: Samples = {"ping_pong": [], "state": []}
        for turn in range(n):
            x, y = (self.b, self.a) if turn % 2 else (self.a, self.b)
            t = time.perf_counter_ns()
            y.decrypt(x, x.encrypt(self.plaintext))
            samples["ping_pong"].append((time.perf_counter_ns() - t) / 1000)
            samples["state"].append(len(x.packed))
        return samples


class Floors:
    """The primitives alone."""

    def __init__(self) -> None:
        self.key, self.iv, self.body = os.urandom(32), os.urandom(16), bytes(370)
        self.ciphertext = CRYPTO.aes_cbc_encrypt(self.key, self.iv, bytes(SIZE))
        self.private, self.public = CRYPTO.x25519_generate(os.urandom)
        self.ec_signature = CRYPTO.xeddsa_sign(self.private, bytes(33), os.urandom)
        self.seed = os.urandom(64)
        self.kem = CRYPTO.mlkem1024_public(self.seed)
        self.kem_signature = CRYPTO.xeddsa_sign(self.private, self.kem, os.urandom)
        self.kem_ciphertext = kyber1024_encapsulate(CRYPTO, self.kem, os.urandom)[1]

    def message_keys(self) -> None:
        CRYPTO.hmac_sha256(self.key, b"\x01")
        CRYPTO.hmac_sha256(self.key, b"\x02")
        CRYPTO.hkdf_sha256(self.key, b"", bytes(38), 64)  # next key of the post-quantum chain
        CRYPTO.hkdf_sha256(self.key, self.key, b"WhisperMessageKeys", 80)
        CRYPTO.hmac_sha256(self.key, self.body)

    def encrypt(self) -> None:
        self.message_keys()
        CRYPTO.aes_cbc_encrypt(self.key, self.iv, bytes(SIZE))

    def decrypt(self) -> None:
        self.message_keys()
        CRYPTO.aes_cbc_decrypt(self.key, self.iv, self.ciphertext)

    def turn(self) -> None:
        CRYPTO.x25519(self.private, self.public)
        CRYPTO.hkdf_sha256(self.key, self.key, b"WhisperRatchet", 64)

    def ping_pong(self) -> None:
        CRYPTO.x25519_generate(os.urandom)
        self.turn()
        self.encrypt()
        self.turn()
        self.decrypt()

    def setup(self) -> None:
        CRYPTO.xeddsa_verify(self.public, bytes(33), self.ec_signature)
        CRYPTO.xeddsa_verify(self.public, self.kem, self.kem_signature)
        CRYPTO.x25519_generate(os.urandom)
        kyber1024_encapsulate(CRYPTO, self.kem, os.urandom)
        for _ in range(3):  # signed and one-time pre-key, base key
            CRYPTO.x25519_check(self.public)
        kyber1024_decapsulate(CRYPTO, self.seed, self.kem_ciphertext)
        for _ in range(8):
            CRYPTO.x25519(self.private, self.public)
        for _ in range(6):  # PQXDH, and the post-quantum ratchet's chain and authenticator, on both sides
            CRYPTO.hkdf_sha256(self.key, b"", bytes(32), 96)
        self.ping_pong()

    def measure(self, op: str, n: int) -> list[float]:
        run = getattr(self, op)
        samples = []
        for _ in range(n):
            if op == "setup":
                CRYPTO.mlkem1024_public(self.seed)  # the KEM key is there in its expanded form
            t = time.perf_counter_ns()
            run()
            samples.append((time.perf_counter_ns() - t) / 1000)
        return samples


class Peer:
    """The Node process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["node", "bench.mjs"], cwd=PEER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.name = f"libsignal-client {self.call('hello')['libsignal']}"

    def call(self, op: str, n: int = 0) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"op": op, "n": n, "size": SIZE}) + "\n")
        result: dict[str, Any] = json.loads(self.process.stdout.readline())
        return result

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run bench signal", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=40, help="interleaved batches of each operation")
    arguments = parser.parse_args()
    peer = Peer() if shutil.which("node") and (PEER / "node_modules").is_dir() else None
    ours, floors = Ours(), Floors()
    our_samples: Samples = {}
    peer_samples: Samples = {}
    gc.freeze()
    for turn in range(arguments.rounds + 2):
        for op, n in (("setup", 20), ("setup_cold", 20), ("one_way", 25), ("ping_pong", 50)):
            mine = getattr(ours, op)(n)
            theirs = peer.call(op, n) if peer and op != "setup_cold" else {}
            if turn >= 2:  # two rounds to warm up
                for into, samples in ((our_samples, mine), (peer_samples, theirs)):
                    for name, values in samples.items():
                        into.setdefault(name, []).extend(values)
        for op in ("setup", "encrypt", "decrypt", "ping_pong"):
            our_samples.setdefault(f"{op}_floor", []).extend(floors.measure(op, 5 if op == "setup" else 25))
    if peer:
        peer.close()
    rows = []
    for op in ("setup", "encrypt", "decrypt", "ping_pong"):
        rows.append(_row(op, "us", our_samples[op], peer_samples.get(op), peer, statistics.median))
        rows.append(_row(f"{op}_floor", "us", our_samples[f"{op}_floor"], None, peer, statistics.median))
    rows.insert(
        2, _row("setup_cold", "us", our_samples["setup_cold"], peer_samples.get("setup"), peer, statistics.median)
    )
    rows.insert(3, _row("second_message", "us", our_samples["second_message"], None, peer, statistics.median))
    rows.append(_row("ping_pong_p99", "us", our_samples["ping_pong"], peer_samples.get("ping_pong"), peer, _p99))
    rows.append(_row("state_packed", "B", our_samples["state"], peer_samples.get("state"), peer, max))
    show("signal", rows, as_json=arguments.json)
    print(f"peer: {peer.name}, Node binding" if peer else "no peer: node or its modules are absent", file=sys.stderr)


def _row(
    op: str,
    unit: str,
    ours: list[float],
    theirs: list[float] | None,
    peer: Peer | None,
    value: Callable[[list[float]], float],
) -> Row:
    return row(
        op,
        len(ours),
        value(ours),
        unit,
        peer=value(theirs) if theirs and peer else None,
        peer_name=peer.name if peer else None,
    )


def _p99(samples: list[float]) -> float:
    return sorted(samples)[len(samples) * 99 // 100]


if __name__ == "__main__":
    main()
