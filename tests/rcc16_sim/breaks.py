"""One defence switched off at a time: each has to make the simulation fail, or it defends nothing that is looked at.

A break is a numbered rule whose `fail` does nothing, or a seam of the simulation's own wiring; nothing in the library
exists only to be broken. Its plan is a small group in good weather in which the lie it defends against is told often.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final

from letterlock.conversation_seam import KeyState, PacketHeader
from letterlock.errors import DecodeError, LetterlockError
from letterlock.mls import rules as mls_rules
from letterlock.mls.wire.message import decode_message
from letterlock.rcc16 import rules as rcc16_rules
from letterlock.rcc16.conversation import control, healing, letters, pins, receipts
from letterlock.rcc16.health.budgets import Budgets, Charge, Ledger
from letterlock.rcc16.wire import receipts as receipts_wire
from letterlock.rcc16.wire.derived_content import decode_derived_content
from letterlock.rcc16.wire.extensions import end_mls_of
from letterlock.rcc16.wire.packet_headers import ORIGINAL_MESSAGE_ID, find_header
from letterlock.rcc16.wire.proposals import PROPOSAL_TYPES
from letterlock.services.focus.mls.logic import OrderedGroup

from .plan import Plan, quiet_plan

__all__ = ["BREAKS", "Break"]


@dataclass(frozen=True)
class Break:
    """`text` says what is off; `lies` are told in its seeds, with this `share`; `changes` are other fields of the plan."""

    name: str
    text: str
    lies: tuple[str, ...]
    off: Callable[[], AbstractContextManager[None]]
    share: float = 0.8
    changes: tuple[tuple[str, Any], ...] = ()

    def plan(self, seed: int) -> Plan:
        return replace(quiet_plan(seed, self.lies), **dict(self.changes))


@contextmanager
def rules_off(*ids: str) -> Iterator[None]:
    """These rules do nothing, for everybody."""
    kept = [(made, made.fail) for made in (mls_rules.Rule, rcc16_rules.Rule)]

    def quiet(fail: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
        def told(self: Any, what: str) -> None:
            if self.id not in ids:
                fail(self, what)

        return told

    for made, fail in kept:
        made.fail = quiet(fail)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for made, fail in kept:
            made.fail = fail  # type: ignore[method-assign]


@contextmanager
def replaced(module: Any, name: str, other: Any) -> Iterator[None]:
    """A function of the wiring is another one."""
    kept = getattr(module, name)
    setattr(module, name, other)
    try:
        yield
    finally:
        setattr(module, name, kept)


def _rules(*ids: str) -> Callable[[], AbstractContextManager[None]]:
    return lambda: rules_off(*ids)


def _replaced(module: Any, name: str, other: Any) -> Callable[[], AbstractContextManager[None]]:
    return lambda: replaced(module, name, other)


def _unverified(
    group: Any, signature: str, receipt: Any, receipt_id: Any, era: int, *, now: int
) -> Any:  # as `verify_receipt`, but for its checks
    try:
        message = decode_message(base64.b64decode(signature), PROPOSAL_TYPES, 1 << 20)
        content = message.content  # type: ignore[union-attr]
        derived = decode_derived_content(content.authenticated_data)
        leaf = group.state.tree.leaf(content.sender.index)
    except (LetterlockError, AttributeError, ValueError) as error:
        raise DecodeError("no receipt at all", code="sim") from error
    report = receipts_wire.report_of(receipt)
    if report is None:
        raise DecodeError("no receipt at all", code="sim")
    return receipts_wire.SignedReceipt(replace(derived, report=report), content.epoch, content.sender.index, leaf)


def _any_acceptance(work: Any, control_id: str, identifier: Any) -> bool:
    """As `matches`, but for the state that was accepted."""
    operation = work.chat.operation
    return operation is not None and bool(operation.control_id) and operation.control_id == control_id


def _installed(self: OrderedGroup, accepted: Any) -> None:
    """As `install`, but for the comparison with what is stored."""
    before, self.state = self.state, None
    try:
        install(self, replace(accepted, before=None))
    except LetterlockError:
        self.state = before


def _spent(self: Ledger, charge: Charge, budgets: Budgets, now: int, subject: str = "") -> Ledger:
    """As `spend`, but for the allowance."""
    return self


def _from_envelope(work: Any, packet: Any, sender: Any, result: Any, content: Any) -> None:
    """As `_received`, but for where the root stands."""
    original = find_header(packet.headers, ORIGINAL_MESSAGE_ID)
    if original is not None:
        header = PacketHeader(work.core.settings.choices.own_namespace, "Root", original)
        content = replace(content, headers=(header, *content.headers))
    received(work, packet, sender, result, content)


install, received = OrderedGroup.install, letters._received

_ALL: list[Break] = [
    # --- who is in it
    Break(
        "ghost",
        "a stranger may let itself in by an external commit, or make a new era",
        ("ghost",),
        _rules("RCC-9.5-01", "RCC-9.3-05"),
    ),
    Break("welcome-signer", "a stranger may make a new era", ("ghost",), _rules("RCC-9.3-05")),
    Break(
        "roster",
        "the focus takes a commit whose tree is not the RCS roster",
        ("insider-adds",),
        _rules("RCC-5.8-18"),
    ),
    Break(
        "certificate-path",
        "certificates may lead to an authority that nobody trusts",
        ("rogue-authority",),
        _rules("RCC-A.4.1-04", "RCC-A.4.1-06", "RCC-A.4.1-02", "RCC-A.4.1-03"),
    ),
    Break(
        "claimed-number",
        "a key package may be another number's, to members and to the focus",
        ("swapped-credential",),
        _rules("RCC-A.4.1-09", "RCC-5.8-18", "RCC-5.8-46"),
        share=0.2,
    ),
    Break(
        "participant-pin",
        "a participant key is not compared with the one that was verified",
        ("substituted-key",),
        _replaced(pins, "key_state", lambda state, number, spki: KeyState.PINNED),
        changes=(("verified", True),),
    ),
    Break(
        "leaf-signature",
        "key packages and their leaves need not be signed",
        ("altered-package",),
        _rules("MLS-7.3-01", "MLS-10.1-02"),
        share=0.3,
    ),
    # --- handshakes
    Break("membership-tag", "the membership tag of a commit is not checked", ("forged-tag",), _rules("MLS-6.2-01")),
    Break(
        "confirmation-tag",
        "the confirmation tag of a commit is not checked",
        ("insider-confirmation",),
        _rules("MLS-6.1-01"),
    ),
    Break(
        "member-signature",
        "who sent a message need not have signed it",
        ("insider-impersonates",),
        _rules("MLS-6.1-24"),
    ),
    Break(
        "group-info-signature",
        "a GroupInfo need not be signed by who vouches for it",
        ("forged-end",),
        _rules("MLS-12.4.3.1-07"),
        changes=(("rollbacks", 4), ("changes", 6)),
    ),
    Break(
        "control-id",
        "a commit need not name the id that it came with",
        ("swapped-commit-id",),
        _rules("RCC-7.5.3.1-01"),
    ),
    Break(
        "epoch-cas",
        "the focus writes what it accepted without comparing where the group stands",
        (),
        _replaced(OrderedGroup, "install", _installed),
        changes=(("crowds", 6),),
    ),
    Break(
        "verify-then-adopt",
        "a commit counts as accepted whatever state was accepted",
        ("forged-acceptance-of-another",),
        _replaced(control, "matches", _any_acceptance),
    ),
    # --- letters and receipts
    Break("aad-id", "a letter may come under another message id", ("swapped-id",), _rules("RCC-7.5.3.1-01")),
    Break("sender-binding", "a letter may come under another name", ("swapped-sender",), _rules("RCC-7.5.3.1-03")),
    Break("counter", "the counter in a letter may be any", ("insider-counter",), _rules("RCC-7.5.4-01")),
    Break(
        "receipt-signature",
        "receipts are believed without their signature",
        ("forged-receipts",),
        _replaced(receipts, "verify_receipt", _unverified),
    ),
    Break("receipt-binding", "a signed receipt may stand for another one", ("forged-receipts",), _rules("RCC-7.7-01")),
    Break(
        "root-inside",
        "which letter one repeats is read off the envelope",
        ("swapped-root",),
        _replaced(letters, "_received", _from_envelope),
    ),
    Break(
        "reuse-key",
        "a phone whose store is an old copy is not told so, and uses message keys again",
        (),
        nullcontext,
        changes=(("rollbacks", 4), ("letters", 60)),
    ),
    Break(
        "budgets",
        "repair and repeats have no limits",
        ("forged-failures",),
        _replaced(Ledger, "spend", _spent),
    ),
    # --- downgrade
    Break(
        "end-mls-by-member-only",
        "end_mls in a fetched GroupInfo counts whoever vouches for it",
        ("forged-end",),
        _replaced(healing, "_ended_by_member", lambda work, fetched: end_mls_of(fetched.extensions) is not None),
        changes=(("rollbacks", 4),),
    ),
]

BREAKS: Final[dict[str, Break]] = {one.name: one for one in _ALL}
