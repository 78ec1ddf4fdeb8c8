"""group-life.json: a whole short life of an RCC.16 group, with the secrets of every epoch.

Ana creates it, adds Ben, they talk and send receipts, Ben renews his keys, Ana gives the group a subject and adds Cleo,
removes Ben, and ends encryption.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from letterlock.crypto.pyca import Pyca
from letterlock.ids import MessageId, Rng
from letterlock.mls.group.results import Application, PendingCommit, StagedCommit
from letterlock.mls.tree.update_path import decrypt_path
from letterlock.mls.wire.commit import Commit
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.framing import PublicMessage
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import Add, GroupContextExtensions, Proposal, Remove
from letterlock.rcc16.choices import OURS, Revision
from letterlock.rcc16.metadata import Slot, context_changes, seal_subject, welcome_extensions
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.control import EndReason
from letterlock.rcc16.wire.derived_content import (
    Delivery,
    DeliveryStatus,
    DerivedContent,
    Display,
    DisplayStatus,
    Report,
)
from letterlock.rcc16.wire.extensions import END_MLS, end_mls_extension, merge
from letterlock.rcc16.wire.proposals import PROPOSAL_TYPES
from letterlock.rcc16.wire.receipts import sign_receipt
from letterlock.rcc16.wire.secret_payload import SecretPayload, encode_content, encode_secret_payload, text_entity

from .certificates import NOW, Lab
from .groups import Member
from .section11 import key_then_iv

__all__ = ["group_life"]

_KEYS = (
    "sender_data_secret",
    "exporter_secret",
    "external_secret",
    "confirmation_key",
    "membership_key",
    "resumption_psk",
    "epoch_authenticator",
    "init_secret",
)


def group_life() -> dict[str, Any]:
    life = _Life()
    ana, ben, cleo = life.members
    drawn: list[bytes] = []
    ana.create(rng=_kept(ana.rng, drawn))
    life.epoch_begins(ana, epoch_secret=_epoch_secret(ana, drawn).hex())

    life.commit(ana, [Add(ben.bundle.key_package)], [], path=False, joining=ben)
    life.say(ana, "hello Ben")
    life.receipt(ben, Delivery(DeliveryStatus.DELIVERED, life.last_id))
    life.receipt(ben, Display(DisplayStatus.DISPLAYED, life.last_id))
    life.say(ben, "hello Ana")
    life.say(ben, "how are you?")

    life.commit(ben, [], [ana])
    life.say(ana, "these keys are new")
    life.receipt(ben, Delivery(DeliveryStatus.FAILED, life.last_id, 4))

    subject = seal_subject("a group subject", crypto=Pyca(), rng=key_then_iv())
    listed = merge(ana.g.state.extensions, context_changes(Slot.SUBJECT, subject.metadata, OURS))
    life.commit(ana, [GroupContextExtensions(listed)], [ben])

    inside = welcome_extensions(subject.metadata, None, b"\x5a" * 32)
    life.commit(ana, [Add(cleo.bundle.key_package)], [ben], path=False, joining=cleo, inside=inside)
    life.say(cleo, "hello everybody")

    life.commit(ana, [Remove(1)], [ben, cleo])
    life.say(cleo, "without Ben")

    ended = merge(
        ana.g.state.extensions, {END_MLS: end_mls_extension(EndReason.MEMBER_FAILS_CAPABILITIES, Revision.V3)}
    )
    life.commit(ana, [GroupContextExtensions(ended)], [cleo])
    return life.written()


@dataclass
class _Life:
    lab: Lab = field(default_factory=lambda: Lab("group life"))
    epochs: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    last_id: MessageId = field(init=False)

    def __post_init__(self) -> None:
        judge = self.lab.authentication()
        numbers = {"ana": "+15550100", "ben": "+15550101", "cleo": "+15550102"}
        self.members = [Member(self.lab.enrol(number, authentication=judge), name) for name, number in numbers.items()]
        self._count = 0

    def _id(self) -> MessageId:
        self._count += 1
        return MessageId(f"00000000-0000-4000-8000-{self._count:012X}")

    def epoch_begins(self, member: Member, **more: Any) -> None:
        state, keys = member.g.state, member.g._member.active().keys
        self.epochs.append(
            {
                "epoch": state.epoch,
                "extensions": [[one.extension_type, one.extension_data.hex()] for one in state.extensions],
                "ratchet_tree": state.tree.encode().hex(),
                "group_context": state.context.encoded.hex(),
                "confirmation_tag": state.confirmation_tag.hex(),
                "interim_transcript_hash": state.interim_transcript_hash.hex(),
                "secrets": {name: getattr(keys, name).hex() for name in _KEYS},
                **more,
            }
        )

    def commit(
        self,
        by: Member,
        proposals: list[Proposal],
        others: list[Member],
        *,
        path: bool = True,
        joining: Member | None = None,
        inside: tuple[Extension, ...] = (),
    ) -> None:
        """A commit that everybody follows; the joiner comes by the Welcome and the tree beside it."""
        message_id = self._id()
        aad = encode_authenticated_data(message_id, 1)
        pending = by.commit(proposals, path=path, authenticated_data=aad, group_info_extensions=inside)
        secret = bytes(32)
        staged: list[tuple[Member, StagedCommit]] = []
        for other in others:
            result = other.g.process(pending.message, now=NOW)
            assert isinstance(result, StagedCommit)
            staged.append((other, result))
            if not result.effects.self_removed and path:
                secret = _commit_secret(other, result, pending)
        by.g.merge(pending, now=NOW)
        for other, result in staged:
            other.g.merge(result, now=NOW)
        framed = pending.content.content
        more: dict[str, Any] = {
            "commit": {
                "by": by.g.own_leaf,
                "message_id": message_id,
                "era": 1,
                "commit_secret": secret.hex(),
                "content": framed.encoded_content.hex(),
                "message": pending.message.hex(),
            }
        }
        if joining is not None:
            joining.join(pending, by.g.state.tree.encode())
            more["welcome"] = {
                "for": self.members.index(joining),
                "signer": by.g.own_leaf,
                "message": pending.welcomes[0].message.hex(),
                "extensions": [[one.extension_type, one.extension_data.hex()] for one in inside],
            }
        self.epoch_begins(by, **more)

    def say(self, by: Member, text: str) -> None:
        """A letter, which all other members open."""
        self.last_id = self._id()
        aad = encode_authenticated_data(self.last_id, 1)
        generation = by.g.next_generation()
        payload = encode_secret_payload(SecretPayload(generation, encode_content((), text_entity(text))))
        message = by.g.encrypt(payload, rng=by.rng, authenticated_data=aad)
        for other in self.members:
            if other is not by and other.group is not None and other.g.active:
                opened = other.g.process(message, now=NOW)
                assert isinstance(opened, Application) and opened.data == payload
        self.messages.append(
            {
                "epoch": by.g.epoch,
                "sender": by.g.own_leaf,
                "generation": generation,
                "message_id": self.last_id,
                "era": 1,
                "text": text,
                "payload": payload.hex(),
                "message": message.hex(),
            }
        )

    def receipt(self, by: Member, report: Report) -> None:
        own = self._id()
        signature = sign_receipt(by.g, DerivedContent(own, 1, report), rng=by.rng, now=NOW)
        self.receipts.append(
            {
                "epoch": by.g.epoch,
                "sender": by.g.own_leaf,
                "receipt_id": own,
                "era": 1,
                "type": 1 if isinstance(report, Delivery) else 2,
                "status": int(report.status),
                "message_id": report.message_id,
                **({"reason": report.reason} if isinstance(report, Delivery) else {}),
                "header": signature,
            }
        )

    def written(self) -> dict[str, Any]:
        return {
            "description": (
                "A group of RCC.16 from its creation to end_mls: cipher suite 2, X.509 credentials, commits as PublicMessage, "
                "treeless Welcomes, letters, signed receipts. Given are private keys, the epoch_secret of epoch 0 and the "
                "commit_secret of each commit with a path; all else follows from them."
            ),
            "cipher_suite": 2,
            "group_id": self.members[0].g.group_id.decode(),
            "now": NOW // 1000,
            "members": [
                {
                    "number": member.identity.number,
                    "leaf_private": member.identity.leaf.private.hex(),
                    "init_private": member.bundle.init_private.hex(),
                    "key_package": encode_message(member.bundle.key_package).hex(),
                }
                for member in self.members
            ],
            "cases": self.epochs,
            "messages": self.messages,
            "receipts": self.receipts,
        }


def _kept(rng: Rng, drawn: list[bytes]) -> Rng:
    """The same stream, writing down what is drawn."""

    def draw(length: int) -> bytes:
        drawn.append(rng(length))
        return drawn[-1]

    return draw


def _epoch_secret(creator: Member, drawn: list[bytes]) -> bytes:
    """The first epoch's secret is drawn; it is the one from which the epoch's secrets follow."""
    keys, suite = creator.g._member.active().keys, creator.g.state.suite
    return next(secret for secret in drawn if suite.derive_secret(secret, "init") == keys.init_secret)


def _commit_secret(receiver: Member, staged: StagedCommit, pending: PendingCommit) -> bytes:
    """What the path encrypts for this receiver leads to."""
    message = decode_message(pending.message, PROPOSAL_TYPES, 1 << 24)
    assert isinstance(message, PublicMessage) and isinstance(message.content.content, Commit)
    path = message.content.content.path
    assert path is not None
    applied, epoch = staged.next_epoch.applied, receiver.g._member.active()
    secret, _ = decrypt_path(
        staged.next_epoch.tree,
        applied.committer,
        epoch.own_leaf,
        epoch.private_keys,
        path,
        staged.next_epoch.provisional.encoded,
        frozenset(applied.added),
    )
    return secret
