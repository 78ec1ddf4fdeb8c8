"""The provisioning server: finds out whose a number is, and hands a client its whole configuration (RCC.14).

See docs/provisioning.md.
"""

from __future__ import annotations

from .claims import DirectoryClaims
from .encryption import EncryptionOffer
from .http import ProvisioningServer
from .limits import ProvisioningLimits
from .logic import AccountState, IssuedCode
from .offer import Offer

__all__ = [
    "AccountState",
    "DirectoryClaims",
    "EncryptionOffer",
    "IssuedCode",
    "Offer",
    "ProvisioningLimits",
    "ProvisioningServer",
]
