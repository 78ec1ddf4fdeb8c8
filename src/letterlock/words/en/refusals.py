"""What the user may choose where a message cannot be encrypted, and how a refusal begins. Who can read is always named."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STRINGS"]

STRINGS: Mapping[str, str | Mapping[str, str]] = {
    "option.plain-rcs.label": "Send unencrypted",
    "option.plain-rcs.sentence": "The carriers of both ends can read what you send.",
    "option.plain-sms.label": "Send as SMS, not encrypted",
    "option.plain-sms.sentence": "The carriers, and every network that an SMS passes on its way, can read what you send. Only text can go.",
    "option.business.label": "Write to the business",
    "option.business.sentence": "The business, its platform and the carriers can read what you send, and see your number.",
    "refusal.not-encrypted": "Not sent: it would not have been encrypted.",
}
