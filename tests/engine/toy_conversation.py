"""A protocol that keeps the members of a conversation itself, without cryptography: what the engine needs to be tested.

It claims packages, makes groups, welcomes, adds, removes, ends and revives, seals letters for an epoch, gives and takes
receipts, pins keys. Bodies are JSON under a fixed mask, so that a text that leaves in the clear is seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from letterlock.conversation_seam import (
    AddMembers,
    Change,
    Claimed,
    ClaimKeyPackages,
    ClaimOutcome,
    Conversation,
    ConversationView,
    Ended,
    EndEncryption,
    HealthMoved,
    KeysSeen,
    KeyState,
    Leave,
    Letter,
    LetterReceipt,
    LetterReceived,
    MemberView,
    MetadataChanged,
    Notice,
    Packet,
    PacketHeader,
    Progress,
    PublishKeyPackages,
    Refusal,
    RemoveMembers,
    RenewCertificate,
    Retry,
    Revive,
    RosterChanged,
    Secured,
    SendAgain,
    SetMetadata,
    Stalled,
    Unreadable,
    UntilWhen,
    Waits,
)
from letterlock.errors import InputError, TrustRequired
from letterlock.ids import GroupId, Instant, MessageId, Number, Rng, new_message_id
from letterlock.seam import Key, RecordKind, Staged, State, Writes

__all__ = ["CONTROL", "LETTER", "NAMESPACE", "RECEIPT", "ToyConversations"]

LETTER, CONTROL, RECEIPT = "message/toy", "message/toy-control", "message/toy-receipt"
NAMESPACE = "urn:toy"
_RECORD = RecordKind[dict[str, Any]]("toyconv", lambda value: json.dumps(value).encode(), lambda data: json.loads(data))
_PINS = RecordKind[dict[str, Any]]("toypin", lambda value: json.dumps(value).encode(), lambda data: json.loads(data))


def mask(data: bytes) -> bytes:
    return bytes(byte ^ 0x5A for byte in data)


class ToyConversations:
    """The protocol of one number with this participant key; `device` tells its leaves apart."""

    name = "keep"
    media_types = frozenset({LETTER, CONTROL, RECEIPT})

    def __init__(self, me: Number, spki: bytes, device: int = 1) -> None:
        self.me = me
        self.spki = spki
        self.leaf = hashlib.sha256(spki + bytes([device])).digest()[:16]

    # --- ourselves -------------------------------------------------------------------------------------------
    def package(self) -> bytes:
        return json.dumps({"number": self.me, "spki": self.spki.hex()}).encode()

    def _own(self, state: State) -> dict[str, Any]:
        return state.get(_RECORD.key("own")) or {"enrolled": False, "published": False, "asked": False}

    def rolled_back(self, state: State) -> Writes:
        return dict.fromkeys(state.scan(_RECORD))

    def ready(self, state: State, now: Instant) -> bool:
        return bool(self._own(state)["published"])

    def on_timer(self, state: State, now: Instant, rng: Rng) -> Progress:
        own = self._own(state)
        if own["asked"]:
            return Progress(wake_at=now + 3_600_000)
        return Progress({_RECORD.key("own"): {**own, "asked": True}}, requests=(RenewCertificate("enrol"),))

    def enrolled(
        self,
        state: State,
        request: str,
        chain: tuple[bytes, ...] | None,
        anchors: tuple[bytes, ...],
        now: Instant,
        rng: Rng,
    ) -> Progress:
        if chain is None:
            return Progress({_RECORD.key("own"): {**self._own(state), "asked": False}}, wake_at=now + 1_000)
        own = {**self._own(state), "enrolled": True}
        return Progress({_RECORD.key("own"): own}, requests=(PublishKeyPackages("publish", (self.package(),)),))

    def looked_up(self, state: State, number: Number, answer: Claimed, now: Instant, rng: Rng) -> tuple[Progress, bool]:
        members: dict[str, str] = {number: json.loads(answer.packages[-1])["spki"]} if answer.packages else {}
        writes, notices = self._pins(state, members)
        return Progress(writes, notices=tuple(notices)), bool(members)

    def uploaded(self, state: State, request: str, stored: bool, now: Instant, rng: Rng) -> Progress:
        return Progress({_RECORD.key("own"): {**self._own(state), "published": stored}})

    # --- setting up --------------------------------------------------------------------------------------------
    def upgrade(
        self, state: State, conversation: Conversation, members: tuple[Number, ...], now: Instant, rng: Rng
    ) -> Progress:
        record = self._load(state, conversation)
        if record is not None and record["state"] in ("claiming", "on", "ended"):
            return Progress()
        record = {**_fresh(conversation), "state": "claiming", "wanted": list(members), "seen": {}}
        request = ClaimKeyPackages(f"claim-{_name(conversation)}", members)
        return Progress({_key(conversation): record}, requests=(request,))

    def claimed(
        self, state: State, request: str, answers: Mapping[Number, Claimed], now: Instant, rng: Rng
    ) -> Progress:
        conversation = _conversation(request.removeprefix("claim-").removeprefix("add-"))
        record = self._load(state, conversation)
        assert record is not None
        if any(answer.outcome is not ClaimOutcome.SERVED for answer in answers.values()):
            failed = "none" if any(a.outcome is ClaimOutcome.NONE for a in answers.values()) else "off"
            return Progress({_key(conversation): {**record, "state": failed if record["state"] != "on" else "on"}})
        packages = [json.loads(package) for answer in answers.values() for package in answer.packages]
        fresh = {each["number"]: each["spki"] for each in packages}
        if request.startswith("add-"):
            record["members"] = {**record["members"], **fresh}
            record["epoch"] += 1
            return self._commit(state, conversation, record, "commit", tuple(fresh), (), now, rng)
        record = {**record, "state": "on", "era": record["era"] + 1, "epoch": 1, "members": {self.me: self.spki.hex()}}
        record["members"].update(fresh)
        return self._commit(state, conversation, record, "welcome", (), (), now, rng)

    def _commit(
        self,
        state: State,
        conversation: Conversation,
        record: dict[str, Any],
        kind: str,
        added: tuple[Number, ...],
        removed: tuple[Number, ...],
        now: Instant,
        rng: Rng,
    ) -> Progress:
        """Ours counts at once: the toy's focus refuses nobody."""
        body = {"kind": kind, "era": record["era"], "epoch": record["epoch"], "members": record["members"]}
        body["subject"] = record["subject"]
        roster = PacketHeader(NAMESPACE, "Roster", " ".join([*(f"+{n}" for n in added), *(f"-{n}" for n in removed)]))
        packet = Packet(
            conversation,
            None,
            new_message_id(rng),
            CONTROL,
            (roster,),
            mask(json.dumps(body).encode()),
            large=True,
        )
        writes, notices = self._pins(state, record["members"])
        if kind == "welcome" or kind == "revive":
            notices.append(Secured(conversation, record["era"], self.me))
        if added or removed:
            notices.append(RosterChanged(conversation, self.me, added, removed, record["era"], record["epoch"]))
        return Progress({_key(conversation): record, **writes}, (packet,), notices=tuple(notices))

    # --- letters -------------------------------------------------------------------------------------------------
    def seal(self, state: State, conversation: Conversation, letter: Letter, now: Instant, rng: Rng) -> Progress:
        record = self._load(state, conversation)
        held = _held(record)
        if isinstance(held, Waits):
            return Progress(waits=held)
        if isinstance(held, Refusal):
            return Progress(refused=held)
        assert record is not None
        if any(self._pin(state, n)["state"] == "broken" for n in record["members"] if n != self.me):
            return Progress(refused=Refusal.UNPINNED)
        body = {
            "root": letter.root,
            "epoch": record["epoch"],
            "headers": [[h.namespace, h.name, h.value] for h in letter.headers],
            "entity": letter.entity.hex(),
            "leaf": self.leaf.hex(),
        }
        packet = Packet(
            conversation,
            None,
            letter.message_id,
            LETTER,
            (PacketHeader(NAMESPACE, "Era", str(record["era"])),),
            mask(json.dumps(body).encode()),
            ("positive-delivery", "negative-delivery", "display"),
            until=UntilWhen.RECEIPTS,
        )
        return Progress(packets=(packet,))

    def displayed(
        self, state: State, conversation: Conversation, message_id: MessageId, sender: Number, now: Instant, rng: Rng
    ) -> Progress:
        return Progress(packets=(self._receipt(conversation, message_id, sender, "displayed", rng),))

    def _receipt(self, conversation: Conversation, message_id: MessageId, to: Number, kind: str, rng: Rng) -> Packet:
        body = mask(json.dumps({"kind": kind, "of": message_id}).encode())
        return Packet(conversation, to, new_message_id(rng), RECEIPT, (), body)

    # --- what comes ------------------------------------------------------------------------------------------------
    def receive(self, state: State, packet: Packet, sender: Number | None, now: Instant, rng: Rng) -> Progress:
        if packet.content_type not in self.media_types or sender is None or sender == self.me:
            return Progress()
        try:
            body = json.loads(mask(packet.body))
        except ValueError:
            return Progress(
                notices=(Unreadable(packet.conversation, sender, packet.message_id, "bad_mac", repairing=False),)
            )
        if packet.content_type == CONTROL:
            return self._control(state, packet.conversation, body, sender)
        record = self._load(state, packet.conversation)
        if record is None or record["state"] not in ("on", "ended") or sender not in record["members"]:
            return Progress(
                notices=(Unreadable(packet.conversation, sender, packet.message_id, "no_group", repairing=True),)
            )
        if packet.content_type == RECEIPT:
            of = MessageId(body["of"])
            if body["kind"] == "again":
                return Progress(notices=(SendAgain(packet.conversation, of, sender),))
            displayed = body["kind"] == "displayed"
            return Progress(notices=(LetterReceipt(packet.conversation, of, sender, displayed),))
        return self._letter(record, packet, body, sender, rng)

    def _letter(
        self, record: dict[str, Any], packet: Packet, body: dict[str, Any], sender: Number, rng: Rng
    ) -> Progress:
        conversation = packet.conversation
        if body["epoch"] != record["epoch"]:
            again = self._receipt(conversation, packet.message_id, sender, "again", rng)
            noted = Unreadable(conversation, sender, packet.message_id, "epoch", repairing=True)
            return Progress(packets=(again,), notices=(noted,))
        receipt = self._receipt(conversation, packet.message_id, sender, "delivered", rng)
        seen = f"{body['leaf']}.{packet.message_id}"
        if seen in record["seen"]:
            return Progress(packets=(receipt,))
        record = {**record, "seen": {**record["seen"], seen: 1}}
        letter = LetterReceived(
            conversation,
            sender,
            bytes.fromhex(body["leaf"]),
            packet.message_id,
            MessageId(body["root"]),
            tuple(PacketHeader(*header) for header in body["headers"]),
            bytes.fromhex(body["entity"]),
        )
        return Progress({_key(conversation): record}, (receipt,), notices=(letter,))

    def _control(self, state: State, conversation: Conversation, body: dict[str, Any], sender: Number) -> Progress:
        record = self._load(state, conversation) or {**_fresh(conversation), "seen": {}}
        kind = body["kind"]
        if kind == "end":
            record = {**record, "state": "ended"}
            return Progress({_key(conversation): record}, notices=(Ended(conversation, sender, "asked"),))
        other_keys = kind == "welcome" and body["members"] != record["members"]
        old = (body["era"], body["epoch"]) <= (record["era"], record["epoch"])
        if old and record["state"] != "ended" and not other_keys:
            return Progress()
        before = set(record["members"]) if record["state"] == "on" else set()
        first = record["state"] != "on"
        old_subject = record["subject"]
        record = {**record, "members": body["members"], "era": body["era"], "epoch": body["epoch"]}
        record["subject"] = body["subject"]
        if self.me not in record["members"]:
            if record["state"] != "on":
                return Progress()
            record["state"] = "left"
            removed = RosterChanged(conversation, sender, (), (self.me,), body["era"], body["epoch"])
            return Progress({_key(conversation): record}, notices=(removed,))
        record["state"] = "on"
        writes, notices = self._pins(state, record["members"])
        if first or kind in ("revive", "welcome"):
            notices.append(Secured(conversation, body["era"], sender))
        else:
            now_in = set(record["members"])
            added, gone = tuple(sorted(now_in - before)), tuple(sorted(before - now_in))
            if added or gone:
                change = RosterChanged(conversation, sender, added, gone, body["era"], body["epoch"])
                notices.append(change)
        if record["subject"] != old_subject:
            notices.append(MetadataChanged(conversation, sender, record["subject"], None))
        return Progress({_key(conversation): record, **writes}, notices=tuple(notices))

    def network(
        self, state: State, conversation: Conversation, message_id: MessageId, accepted: bool, now: Instant, rng: Rng
    ) -> Progress:
        return Progress()

    # --- decisions -----------------------------------------------------------------------------------------------
    def change(self, state: State, conversation: Conversation, change: Change, now: Instant, rng: Rng) -> Progress:
        record = self._load(state, conversation)
        if record is None:
            raise InputError("no such conversation", code="input.conversation")
        match change:
            case AddMembers(numbers):
                return Progress(requests=(ClaimKeyPackages(f"add-{_name(conversation)}", numbers),))
            case RemoveMembers(numbers):
                members = {n: spki for n, spki in record["members"].items() if n not in numbers}
                record = {**record, "members": members, "epoch": record["epoch"] + 1}
                return self._commit(state, conversation, record, "commit", (), numbers, now, rng)
            case Leave():
                members = {n: spki for n, spki in record["members"].items() if n != self.me}
                gone = {**record, "members": members, "epoch": record["epoch"] + 1, "state": "left"}
                return replace(self._commit(state, conversation, gone, "commit", (), (self.me,), now, rng), notices=())
            case SetMetadata(subject=subject):
                record = {**record, "subject": subject or "", "epoch": record["epoch"] + 1}
                step = self._commit(state, conversation, record, "commit", (), (), now, rng)
                noted = MetadataChanged(conversation, self.me, record["subject"], None)
                return replace(step, notices=(*step.notices, noted))
            case EndEncryption():
                record = {**record, "state": "ended"}
                body = mask(json.dumps({"kind": "end"}).encode())
                packet = Packet(conversation, None, new_message_id(rng), CONTROL, (), body)
                return Progress(
                    {_key(conversation): record}, (packet,), notices=(Ended(conversation, self.me, "user"),)
                )
            case Revive():
                record = {**record, "state": "on", "era": record["era"] + 1, "epoch": 1}
                return self._commit(state, conversation, record, "revive", (), (), now, rng)
            case Retry():
                record = {**record, "state": "on"}
                return Progress({_key(conversation): record}, notices=(HealthMoved(conversation, "healthy", "healed"),))

    def stall(self, state: State, conversation: Conversation) -> Progress:
        """For tests: repair came to nothing."""
        record = self._load(state, conversation)
        assert record is not None
        return Progress(
            {_key(conversation): {**record, "state": "stalled"}}, notices=(Stalled(conversation, "budget"),)
        )

    def trust(self, state: State, number: Number, spki: bytes, verified: bool, now: Instant) -> Progress:
        pin = self._pin(state, number)
        if pin["spki"] != spki.hex():
            raise TrustRequired("another key")
        return Progress({_PINS.key(number): {**pin, "state": "verified" if verified else "pinned"}})

    def described(
        self, state: State, conversation: Conversation, subject: str | None, icon: str | None, now: Instant, rng: Rng
    ) -> Progress:
        """Its subjects are not secret: it takes the word of the conference."""
        return Progress(notices=(MetadataChanged(conversation, None, subject, None),))

    def view(self, state: State, conversation: Conversation) -> ConversationView | None:
        record = self._load(state, conversation)
        if record is None:
            return None
        on = record["state"] in ("on", "stalled")
        members = tuple(
            MemberView(Number(n), bytes.fromhex(spki), KeyState(self._pin(state, Number(n))["state"] or "pinned"), 1)
            for n, spki in record["members"].items()
        )
        return ConversationView(
            conversation,
            on,
            record["state"] == "ended",
            record["state"] == "left",
            record["era"],
            record["epoch"],
            "healthy",
            members,
            record["subject"],
        )

    # --- inside --------------------------------------------------------------------------------------------------
    def _load(self, state: State, conversation: Conversation) -> dict[str, Any] | None:
        return state.get(_key(conversation))

    def _pin(self, state: State, number: Number) -> dict[str, Any]:
        return state.get(_PINS.key(number)) or {"spki": "", "state": ""}

    def _pins(self, state: State, members: Mapping[str, str]) -> tuple[Writes, list[Notice]]:
        staged, notices = Staged(state), []
        for number, spki in members.items():
            if number == self.me:
                continue
            pin = self._pin(staged, Number(number))
            if pin["spki"] == spki:
                continue
            before = pin["spki"]
            state_now = "pinned" if not before else "broken" if pin["state"] == "verified" else "new"
            staged.put(_PINS.key(number), {"spki": spki, "state": state_now})
            notices.append(KeysSeen(Number(number), bytes.fromhex(spki), bytes.fromhex(before)))
        return staged.writes, list(notices)


def _held(record: dict[str, Any] | None) -> Waits | Refusal | None:
    states: dict[str, Waits | Refusal | None] = {
        "claiming": Waits.SETTING_UP,
        "none": Refusal.NO_KEYS,
        "ended": Refusal.ENDED,
        "left": Refusal.LEFT,
        "stalled": Refusal.STALLED,
        "off": Waits.SETTING_UP,
        "on": None,
    }
    return states[record["state"]] if record is not None else Refusal.NO_KEYS


def _fresh(conversation: Conversation) -> dict[str, Any]:
    return {"state": "none", "members": {}, "era": 0, "epoch": 0, "subject": ""}


def _name(conversation: Conversation) -> str:
    return conversation.peer or (conversation.group or b"").hex()


def _conversation(name: str) -> Conversation:
    return Conversation(peer=Number(name)) if name.startswith("+") else Conversation(group=GroupId(bytes.fromhex(name)))


def _key(conversation: Conversation) -> Key[dict[str, Any]]:
    return _RECORD.key("conv-" + _name(conversation))
