"""Content in CPIM as RCS pager mode carries it, and the receipts that it asks for (RFC 5438 section 7.2.1)."""

from __future__ import annotations

from ..codec import cpim, imdn, iscomposing
from ..codec.cpim import Cpim
from ..codec.mime import MimePart

__all__ = ["chat_message"]

_ASK_ALL = "positive-delivery, negative-delivery, display"


def chat_message(
    content_type: str,
    body: bytes,
    *,
    message_id: str,
    date_time: str = "",
    receipts: bool = False,
    dispositions: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
    addresses: tuple[str, str] | None = None,
) -> Cpim:
    """Any content as a message. `receipts` asks for all of them, `dispositions` for these; a receipt or typing asks for none.
    `headers` follow the others: names and values as they are to be written, declarations of their namespaces before.

    Who it is from and for stands outside, where the network asserts it; `addresses` writes it inside too, for a peer
    that insists (RFC 3862 section 2.3). Raises ValueError for values that cannot
    stand in a header.
    """
    kind = content_type.partition(";")[0].strip().lower()
    receipt = kind == imdn.MEDIA_TYPE
    sender, recipient = addresses or (cpim.ANONYMOUS, cpim.ANONYMOUS)
    pairs = [
        ("From", sender),
        ("To", recipient),
        ("NS", f"imdn <{cpim.IMDN}>"),
        ("imdn.Message-ID", message_id),
    ]
    if date_time:
        pairs.append(("DateTime", date_time))
    # RFC 5438 section 7.2.1: a receipt must not ask for one, or two phones would never stop.
    asked = _ASK_ALL if receipts else ", ".join(dispositions)
    if asked and not receipt and kind != iscomposing.MEDIA_TYPE:
        pairs.append(("imdn.Disposition-Notification", asked))
    return Cpim(
        cpim.headers(*pairs, *headers), MimePart.of(content_type, body, disposition="notification" if receipt else "")
    )
