"""The configuration document of RCC.14 (rcs.md 2.11): `wap-provisioningdoc`, a tree of characteristics with parameters.

Read as a whole or not at all: a value that cannot be (an address that is none, a negative size, a validity of a
thousand years) refuses the document, so that no client ends up with half of a configuration (SR-14). What we do not
know is passed over. Our own part is an application of its own, `urn:letterlock:provisioning:v1`.

What RCC.16 adds (rcc16.md 1.7) has the names of a recorded lab network, `openrcs-...`: those of the GSMA are not known.
They are found in any characteristic, in either case, and written into SERVICEPROVIDEREXT.
"""

from __future__ import annotations

from .document import (
    DISABLED,
    DORMANT,
    MEDIA_TYPE,
    RESET,
    DocumentLimits,
    EncryptionServices,
    ImsAccount,
    Messaging,
    OperatorServices,
    ProvisioningDocument,
)
from .reading import decode_document
from .writing import encode_document

__all__ = [
    "DISABLED",
    "DORMANT",
    "MEDIA_TYPE",
    "RESET",
    "DocumentLimits",
    "EncryptionServices",
    "ImsAccount",
    "Messaging",
    "OperatorServices",
    "ProvisioningDocument",
    "decode_document",
    "encode_document",
]
