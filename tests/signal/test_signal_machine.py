"""Two devices under a hostile schedule: messages lost, repeated, reordered, restarts, new sessions (Hypothesis)."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crypto.deterministic import seeded_rng
from letterlock.crypto.pyca import Pyca
from letterlock.errors import DuplicateMessage, NoSession, RemoteError
from signal_device import SignalDevice

pytestmark = pytest.mark.slow

CRYPTO = Pyca()
WINDOW = 4  # turns that a message may be late: five chains are kept, and one earlier epoch


class TwoDevices(RuleBasedStateMachine):
    """Whatever arrives within the window is read exactly once and never as something else."""

    def __init__(self) -> None:
        super().__init__()
        rng = seeded_rng("machine")
        self.devices = [SignalDevice(CRYPTO, rng, b"\x00" + bytes((n,)) * 16 + b"\x01") for n in (1, 2)]
        self.devices[0].process_bundle(self.devices[1].address, self.devices[1].bundle())
        self.flight: list[tuple[int, int, bytes, bytes, int]] = []
        self.read: list[tuple[int, int, bytes]] = []
        self.turns = 0
        self.last_reader = -1
        self.count = 0

    def _may_send(self, sender: int) -> bool:
        device, peer = self.devices[sender], self.devices[1 - sender]
        session = device.record(peer.address).current
        return session is not None and session.may_send(device.now, device.limits)

    @rule(sender=st.integers(0, 1), count=st.integers(1, 8))
    def send(self, sender: int, count: int) -> None:
        if not self._may_send(sender):
            return
        device, peer = self.devices[sender], self.devices[1 - sender]
        for _ in range(count):
            self.count += 1
            text = f"message {self.count}".encode()
            self.flight.append((sender, *device.encrypt(peer.address, text), text, self.turns))

    @precondition(lambda self: self.flight)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        sender, kind, message, text, _ = self.flight.pop(data.draw(st.integers(0, len(self.flight) - 1)))
        receiver, peer = self.devices[1 - sender], self.devices[sender]
        assert receiver.decrypt(peer.address, kind, message) == text
        self.read.append((sender, kind, message))
        if self.last_reader != 1 - sender:
            self.last_reader = 1 - sender
            self.turns += 1
        self.flight = [sent for sent in self.flight if self.turns - sent[4] < WINDOW]

    @precondition(lambda self: self.flight)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.flight.pop(data.draw(st.integers(0, len(self.flight) - 1)))

    @precondition(lambda self: self.read)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        sender, kind, message = data.draw(st.sampled_from(self.read[-30:]))
        receiver, peer = self.devices[1 - sender], self.devices[sender]
        before = receiver.snapshot()
        try:
            receiver.decrypt(peer.address, kind, message)
        except (DuplicateMessage, NoSession, RemoteError):
            assert receiver.snapshot() == before
        else:
            raise AssertionError("a message was read twice")

    @precondition(lambda self: self.flight)
    @rule(data=st.data(), flip=st.integers(0, 7))
    def forge(self, data: st.DataObject, flip: int) -> None:
        sender, kind, message, _, _ = data.draw(st.sampled_from(self.flight))
        receiver, peer = self.devices[1 - sender], self.devices[sender]
        broken = bytearray(message)
        broken[-1 - data.draw(st.integers(0, 7))] ^= 1 << flip  # in the MAC, or in a pre-key message's KEM ciphertext
        before = receiver.snapshot()
        try:
            receiver.decrypt(peer.address, kind, bytes(broken))
        except RemoteError:
            assert receiver.snapshot() == before
        else:
            # Only a session that exists already can overlook it: then the KEM ciphertext is not looked at again.
            assert kind == 3
            self.flight = [sent for sent in self.flight if sent[2] != message]
            self.read.append((sender, kind, message))

    @rule(device=st.integers(0, 1))
    def restart(self, device: int) -> None:
        self.devices[device].restart()

    @rule(starter=st.integers(0, 1))
    def new_session(self, starter: int) -> None:
        """A reset, at any time and by either side or both; what is in flight of the old session still lands."""
        if len(self.devices[starter].record(self.devices[1 - starter].address).archived) > 20:
            return
        device, peer = self.devices[starter], self.devices[1 - starter]
        device.process_bundle(peer.address, peer.bundle(one_time=self.count % 2 == 0))

    @invariant()
    def state_stays_bounded(self) -> None:
        for device, peer in (self.devices, self.devices[::-1]):
            session = device.record(peer.address).current
            if session is not None:
                skipped = sum(len(chain.skipped) for chain in session._ratchet.receiving)
                assert len(session.pack()) - 2 * skipped <= 4096


TestTwoDevices = TwoDevices.TestCase
TestTwoDevices.settings = settings(max_examples=25, stateful_step_count=60, deadline=None)
