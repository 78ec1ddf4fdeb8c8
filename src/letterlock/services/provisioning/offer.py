"""What an operator offers his subscribers, and the document that one of them gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...codec.provisioning import ImsAccount, Messaging, OperatorServices, ProvisioningDocument
from ...ids import Number
from .encryption import EncryptionOffer

__all__ = ["Offer", "document_for"]


@dataclass(frozen=True, slots=True)
class Offer:
    """One configuration for all. Raise `version` when anything in it changes: clients fetch it at their next contact.

    `sip_password(number)` and `content_password(number)` give the passwords of the accounts, None for a number that
    is no subscriber. Sizes are in bytes, 0 and empty where the operator offers nothing.
    """

    version: int
    validity_s: int
    sip_host: str
    sip_port: int
    sip_tls: bool
    domain: str
    directory_url: str
    sip_password: Callable[[str], str | None] = field(repr=False)
    content_password: Callable[[str], str | None] = field(repr=False)
    content_url: str = ""
    msrp_relay: str = ""
    conference_factory: str = ""
    max_group: int = 0
    max_message: int = 0
    max_file: int = 0
    idle_s: int = 30
    gateway_url: str = ""
    gateway_password: Callable[[str], str | None] = field(default=lambda number: None, repr=False)
    encryption: EncryptionOffer | None = None
    """What RCC.16 needs, for clients that show their participant key."""

    def serves(self, number: Number) -> bool:
        """Whether this number is a subscriber's."""
        return self.sip_password(number) is not None


def document_for(
    offer: Offer, number: Number, token: str, token_validity_s: int, claim_code: str
) -> ProvisioningDocument:
    """The whole configuration of one subscriber. Each number has the passwords of its own accounts, and no other's."""
    return ProvisioningDocument(
        offer.version,
        offer.validity_s,
        token,
        token_validity_s,
        ImsAccount(
            offer.sip_host,
            offer.sip_port,
            offer.sip_tls,
            offer.domain,
            f"sip:{number}@{offer.domain}",
            number,
            number,
            offer.sip_password(number) or "",
            offer.domain,
        ),
        Messaging(
            offer.conference_factory,
            offer.max_group,
            offer.max_message,
            offer.max_file,
            offer.idle_s,
            offer.content_url,
            number if offer.content_url else "",
            (offer.content_password(number) or "") if offer.content_url else "",
        ),
        OperatorServices(
            offer.directory_url,
            claim_code,
            offer.msrp_relay,
            offer.gateway_url,
            (offer.gateway_password(number) or "") if offer.gateway_url else "",
        ),
    )
