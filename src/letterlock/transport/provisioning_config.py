"""What a client of the provisioning server says, and every bound and time of its contacts in one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..codec.provisioning import DocumentLimits
from ..codec.xml import XmlLimits
from ..ids import Number

__all__ = ["Contact", "ProvisioningSettings"]


@dataclass(frozen=True, slots=True)
class ProvisioningSettings:
    """Bounds and times of contacts. A configuration has to be asked for again within a year at most."""

    timeout_s: float = 20.0
    max_document: int = 65_536
    max_cookies: int = 4
    max_retry_after_s: int = 86_400
    max_validity_s: int = 366 * 86_400
    max_group: int = 10_000
    max_size: int = 1 << 40

    @property
    def documents(self) -> DocumentLimits:
        return DocumentLimits(XmlLimits(self.max_document, 12, 512), self.max_validity_s, self.max_group, self.max_size)


@dataclass(frozen=True, slots=True)
class Contact:
    """What a client says of itself: its number, the hash of its participant key, the version it has, and its proof.

    `participant_spki`, the key itself in DER, asks for the configuration server's word for it (rcc16.md 1.7).
    """

    number: Number
    key_hash: bytes
    version: int = 0
    token: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
    participant_spki: bytes = field(default=b"", repr=False)
