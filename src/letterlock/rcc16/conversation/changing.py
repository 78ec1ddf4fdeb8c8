"""What the user decides: members, leaving, subject, encryption on and off, another try at repair."""

from __future__ import annotations

from dataclasses import replace

from ...conversation_seam import (
    AddMembers,
    Change,
    EndEncryption,
    HealthMoved,
    Leave,
    RemoveDevice,
    RemoveMembers,
    Retry,
    Revive,
    RosterChanged,
    SetMetadata,
)
from ...errors import InputError
from ...ids import Number
from ...mls.wire.proposals import SelfRemove
from ..wire.authenticated_data import encode_authenticated_data
from ..wire.control import ClientMessage, RosterChange
from ..wire.control import Operation as Request
from ..wire.message_ids import new_message_id
from .chat import Heal, Kind
from .members import numbers_of
from .metadata import check_wished_icon
from .own_devices import unwant
from .posting import to_focus
from .refusals import lost
from .step import Work
from .withdrawn import withdrawn_members

__all__ = ["change"]


def change(work: Work, wanted: Change) -> None:
    """Take the wish down; it is done when it can be. Raises InputError for one that makes no sense."""
    chat = work.chat
    match wanted:
        case AddMembers(numbers):
            _in_group(work)
            if not numbers:
                raise InputError("nobody is named", code="rcc16.input.members")
            # A member may be named: then new devices of that number are added.
            work.update(adds=tuple(dict.fromkeys((*chat.adds, *numbers))), blocked="")
        case RemoveMembers(numbers):
            _in_group(work)
            _check_members(work, numbers)
            work.update(removes=tuple(dict.fromkeys((*chat.removes, *numbers))))
        case RemoveDevice(device):
            unwant(work, device)
        case Leave():
            _in_group(work)
            _leave(work)
        case EndEncryption():
            if chat.group is None and not chat.latched and not chat.rejoin:
                raise InputError("this conversation is not encrypted", code="rcc16.input.not_encrypted")
            work.update(ends="user")
        case Revive():
            _revive(work)
        case Retry():
            _retry(work)
        case SetMetadata(subject, icon):
            _in_group(work)
            _check_metadata(work, subject, icon)
            work.update(
                subject_wish=chat.subject_wish if subject is None else subject,
                icon_wish=chat.icon_wish if icon is None else icon,
            )


def _revive(work: Work) -> None:
    """Also while our own end is still on its way: it is taken back, or followed by this as soon as it has taken force."""
    chat = work.chat
    ending = chat.operation is not None and chat.operation.kind is Kind.END_MLS
    if chat.ended or ending:
        work.update(revives=True)
    elif chat.ends:
        work.update(ends="")
        work.notices.append(HealthMoved(work.conversation, work.health.label, ""))
    else:
        raise InputError("encryption was not ended here", code="rcc16.input.not_ended")


def _in_group(work: Work) -> None:
    if work.is_pair:
        raise InputError("a chat of two is neither joined nor left", code="rcc16.input.pair")
    if work.chat.group is None and not work.chat.rejoin:
        raise InputError("we are not in this group", code="rcc16.input.not_in_group")


def _check_members(work: Work, numbers: tuple[Number, ...]) -> None:
    if work.core.number in numbers:
        raise InputError("leave a group instead of removing yourself", code="rcc16.input.members")
    if not set(numbers) <= set(numbers_of(work.chat.members)):
        raise InputError("not a member", code="rcc16.input.members")


def _check_metadata(work: Work, subject: str | None, icon: bytes | None) -> None:
    if subject is None and icon is None:
        raise InputError("neither a subject nor an icon", code="rcc16.input.subject")
    if subject is not None and len(subject.encode()) > work.core.settings.max_subject_bytes:
        raise InputError("a subject that is too long", code="rcc16.input.subject")
    if icon:
        check_wished_icon(icon, work.core.settings.max_icon_bytes)


def _leave(work: Work) -> None:
    """A SelfRemove, which another member commits; here everything of the group is deleted at once (rcc16.md 6)."""
    if work.chat.operation is not None:
        lost(work)
    group, held = work.group(), work.chat.group
    if group is not None and held is not None:
        control_id = new_message_id(work.rng)
        proposal = group.propose(
            SelfRemove(),
            rng=work.rng,
            now=work.now,
            authenticated_data=encode_authenticated_data(control_id, held.era),
            public=True,
        )
        request = ClientMessage(
            operation=Request.PROPOSAL,
            era=held.era,
            message_id=control_id,
            proposal=proposal,
            base_epoch_authenticator=group.epoch_authenticator,
            roster=RosterChange(leave=True),
        )
        work.packets.append(to_focus(work, request, held.era, group.epoch_authenticator))
    own = work.core.number
    work.notices.append(RosterChanged(work.conversation, own, (), (own,), work.chat.moment.era, work.chat.epoch))
    work.drop(held)
    work.update(group=None, left=True, members=(), heal=None, rejoin=False, epoch=0, authenticator=b"", commit_at=0)


def _retry(work: Work) -> None:
    """Counters of repair start anew; those that others pay for do not (rcc16.md 9)."""
    if gone := withdrawn_members(work):
        raise InputError(
            f"the certificate of {', '.join(gone)} was withdrawn, and there is no other one yet",
            code="rcc16.input.withdrawn",
            hint="it goes on by itself as soon as the app there has a new certificate; or end encryption here",
        )
    chat = work.chat
    work.update(ledger=chat.ledger.retried(), runs=0, blocked="")
    if chat.stalled:
        since = work.now - work.core.settings.budgets.welcome_race_ms
        work.update(stalled="", heal=Heal(since=since, cause=chat.stalled, next_at=work.now))
    elif chat.heal is not None:
        work.update(heal=replace(chat.heal, next_at=work.now, looks=0, external_failed=False, advance_failed=False))
