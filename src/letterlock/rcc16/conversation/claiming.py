"""Key packages of the others: asked for, checked, and looked at before they are used (rcc16.md 1.8, 1.9, 6).

Everybody or nobody: one member without a usable package aborts what they were claimed for, because the focus refuses a
tree that is not the roster. Participant keys are noticed here, before a Welcome exists; a number whose key was verified
and shows another one stops everything until the user has decided.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...conversation_seam import Claimed, ClaimKeyPackages, ClaimOutcome
from ...errors import LetterlockError
from ...ids import Number
from ...mls.wire.key_package import KeyPackage
from ..credentials.leaf import participant_key
from ..credentials.packages import check_claimed
from ..health.budgets import Charge
from .chat import Device, Kind
from .members import device_id
from .pins import broken, see_keys
from .records import CLAIMS
from .step import Work

__all__ = ["ask", "look_at", "usable"]

_MAX_DEVICES = 16
"""Packages of one number that are looked at (SR-08)."""


def ask(work: Work, numbers: tuple[Number, ...]) -> bool:
    """Claim for the pending operation. False if the budget of claims is spent: nobody's packages are ours to drain."""
    ledger, budgets = work.chat.ledger, work.core.settings.budgets
    for number in numbers:
        spent = ledger.spend(Charge.CLAIM, budgets, work.now, number)
        if spent is None:
            return False
        ledger = spent
    request = f"claim-{work.rng(8).hex()}"
    work.update(ledger=ledger)
    work.operation(numbers=numbers, request=request, next_at=0)
    work.state.put(CLAIMS.key(request), work.conversation)
    work.requests.append(ClaimKeyPackages(request, numbers))
    return True


def usable(work: Work, answers: Mapping[Number, Claimed], numbers: tuple[Number, ...]) -> list[KeyPackage] | str:
    """A package of every device of everybody, or why not: `retry`, `no-keys` or `unpinned`."""
    found: list[KeyPackage] = []
    devices: list[Device] = []
    # A group that is made anew begins with us alone; to the one in force only devices come that are not in it.
    operation = work.chat.operation
    adds = operation is not None and operation.kind is Kind.ADD
    known = {one.device for one in work.chat.members if adds or one.number == work.core.number}
    if work.client is not None:
        known.add(device_id(work.client.signature_key))
    for number in numbers:
        answer = answers.get(number, Claimed(ClaimOutcome.FAILED))
        if answer.outcome is ClaimOutcome.FAILED:
            return "retry"
        packages = _checked(work, number, answer.packages[:_MAX_DEVICES])
        if answer.outcome is not ClaimOutcome.SERVED or not packages:
            return "no-keys"
        for package in packages:
            leaf = package.leaf_node
            device = device_id(leaf.signature_key)
            if device not in known:
                known.add(device)
                found.append(package)
                devices.append(Device(number, device, participant_key(leaf.credential), 0))
    see_keys(work, devices)
    return "unpinned" if broken(work, devices) else found


def look_at(work: Work, number: Number, answer: Claimed) -> bool:
    """Notice the keys of a number, and use nothing of it. Whether there was one that holds."""
    packages = _checked(work, number, answer.packages[:_MAX_DEVICES]) if answer.outcome is ClaimOutcome.SERVED else []
    leaves = [package.leaf_node for package in packages]
    see_keys(
        work, [Device(number, device_id(leaf.signature_key), participant_key(leaf.credential), 0) for leaf in leaves]
    )
    return bool(leaves)


def _checked(work: Work, number: Number, packages: tuple[bytes, ...]) -> list[KeyPackage]:
    """Those that hold. A server that hands out a wrong one among good ones keeps nobody from talking."""
    authentication = work.core.enrolment.authentication(work.state)
    if authentication is None:
        return []
    found = []
    for data in packages:
        try:
            found.append(
                check_claimed(data, number, authentication, work.now, max_bytes=work.core.settings.max_message_bytes)
            )
        except LetterlockError:
            continue
    return found
