"""The RCS side of an accepted request: members come, go and are put out, subject and icon change, all at once."""

from __future__ import annotations

import base64
from dataclasses import replace

from ....codec.conference_info import EncryptedDescription
from ....codec.dates import rfc3339_seconds
from ....ids import Instant, Number
from ....rcc16.wire.control import MetadataChange
from ..conference import Change, Conference, admit, leave, put_out
from ..limits import FocusLimits
from ..roster import address_of
from .outcome import Accepted

__all__ = ["reshape"]


def reshape(
    conference: Conference,
    sender: Number,
    accepted: Accepted,
    *,
    position: int,
    domain: str,
    limits: FocusLimits,
    now: Instant,
) -> Change:
    """What the request does to the conference, in one change. Raises FocusError when the conference cannot take it."""
    step = accepted.roster
    parts = [admit(conference, sender, step.added, position, limits)]
    for number in step.removed:
        parts.append(put_out(parts[-1].conference, sender, number))
    if step.left:
        parts.append(leave(parts[-1].conference, sender))
    after = parts[-1].conference
    described = _described(after, accepted.metadata, address_of(sender, domain), now)
    return Change(
        described,
        added=parts[0].added,
        altered=tuple(dict.fromkeys(number for part in parts for number in part.altered)),
        departed=tuple(departure for part in parts for departure in part.departed),
        described=described != after,
    )


def _described(conference: Conference, change: MetadataChange | None, by: str, now: Instant) -> Conference:
    """An empty text says that it was deleted (rcc16.md 2.6)."""
    if change is None:
        return conference
    subject, icon = conference.encrypted_subject, conference.encrypted_icon
    if change.delete_subject or change.encrypted_subject is not None:
        text = "" if change.delete_subject else base64.b64encode(change.encrypted_subject or b"").decode()
        subject = EncryptedDescription(text, by, rfc3339_seconds(now))
    if change.delete_icon or change.encrypted_icon_url is not None:
        icon = EncryptedDescription(
            "" if change.delete_icon else change.encrypted_icon_url or "", by, rfc3339_seconds(now)
        )
    return replace(conference, encrypted_subject=subject, encrypted_icon=icon)
