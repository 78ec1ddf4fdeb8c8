"""Which receipts a message asks for, and the one that answers it (RFC 5438 section 7.2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..codec import cpim
from ..codec.cpim import Cpim
from ..codec.imdn import MEDIA_TYPE, Disposition, Imdn, Status, encode_imdn
from ..codec.mime import MimePart

__all__ = ["UnauthenticatedReceipt", "receipt_for", "receipts_asked"]

_POSITIVE = "positive-delivery"
_NEGATIVE = "negative-delivery"
_DISPLAY = "display"

# RFC 5438 wants a token; deployed ids hold "=" as well. What could not be written back gets no receipt.
_MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True, slots=True)
class UnauthenticatedReceipt:
    """A plain receipt. Anybody on the way can write one (section 14.1): show it as a hint, never as a state (SR-05)."""

    claim: Imdn


def receipts_asked(message: Cpim) -> frozenset[str]:
    """The receipts that an endpoint may have to give: of `positive-delivery`, `negative-delivery`, `display`.

    Empty for a receipt, whatever it asks for: an endpoint must not answer a receipt with one. Values
    that we do not know, and `processing`, which only intermediaries may give, are passed over.
    """
    content = message.content
    if content.content_type.media_type == MEDIA_TYPE or content.disposition == "notification":
        return frozenset()
    if message.message_id is None or not _MESSAGE_ID.fullmatch(message.message_id):
        return frozenset()
    return frozenset(message.disposition_notification) & {_POSITIVE, _NEGATIVE, _DISPLAY}


def receipt_for(message: Cpim, disposition: Disposition, status: Status, *, message_id: str) -> Cpim | None:
    """The receipt that tells the sender of `message` this, None when it did not ask for it.

    `message_id` is the receipt's own, fresh one. The caller gives one receipt per disposition at
    most: "delivered" is never followed by "failed".
    """
    if _asked_by(disposition, status) not in receipts_asked(message):
        return None
    recipients = message.all("To")
    uris = message.recipients
    original = message.value("Original-To", cpim.IMDN)
    receipt = Imdn(
        message.message_id or "",
        message.date_time or "",
        disposition,
        status,
        recipient_uri=uris[0].uri if uris else None,
        original_recipient_uri=None if original is None else original.rpartition("<")[2].rstrip("> "),
        subject=message.value("Subject"),
    )
    senders = message.all("From")
    pairs = [
        ("From", recipients[0].text if recipients else cpim.ANONYMOUS),
        ("To", senders[0].text if senders else cpim.ANONYMOUS),
        ("NS", f"imdn <{cpim.IMDN}>"),
        ("imdn.Message-ID", message_id),
    ]
    # The way back is the recorded one, in its order; an empty set means: straight to the sender.
    pairs += (("imdn.IMDN-Route", hop.text) for hop in message.all("IMDN-Record-Route", cpim.IMDN))
    # No Disposition-Notification here: it is forbidden to ask for a receipt of a receipt.
    return Cpim(cpim.headers(*pairs), MimePart.of(MEDIA_TYPE, encode_imdn(receipt), disposition="notification"))


def _asked_by(disposition: Disposition, status: Status) -> str:
    if disposition is Disposition.DISPLAY:
        return _DISPLAY
    if disposition is Disposition.DELIVERY:
        return _POSITIVE if status is Status.DELIVERED else _NEGATIVE
    raise ValueError("an endpoint gives no processing receipts")
