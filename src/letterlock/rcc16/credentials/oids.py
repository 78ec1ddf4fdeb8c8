"""Object identifiers of RCC.16 certificates (rcc16.md 1.2), and those of RFC 5280 that they use."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACS_PARTICIPANT_INFORMATION",
    "ANY_POLICY",
    "AUTHORITY_INFORMATION_ACCESS",
    "AUTHORITY_KEY_IDENTIFIER",
    "BASIC_CONSTRAINTS",
    "CERTIFICATE_POLICIES",
    "COMMON_NAME",
    "COUNTRY_NAME",
    "CRL_DISTRIBUTION_POINTS",
    "E2EE_POLICY",
    "EXTENDED_KEY_USAGE",
    "KEY_USAGE",
    "LOCALITY_NAME",
    "MLS_CLIENT",
    "ORGANIZATION_NAME",
    "PARTICIPANT_INFORMATION",
    "STATE_NAME",
    "SUBJECT_ALT_NAME",
    "SUBJECT_KEY_IDENTIFIER",
    "VENDOR_ID",
]

# The arc of the GSMA.
E2EE_POLICY: Final = "2.23.146.2.1.2"
MLS_CLIENT: Final = "2.23.146.2.1.3"
"""id-kp-rcsMlsClient."""
PARTICIPANT_INFORMATION: Final = "2.23.146.2.1.4"
ACS_PARTICIPANT_INFORMATION: Final = "2.23.146.2.1.5"
"""id-acsParticipantInformation: the SignedEncryptionIdentityProof."""
VENDOR_ID: Final = "2.23.146.2.1.6"

SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
SUBJECT_ALT_NAME: Final = "2.5.29.17"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
CRL_DISTRIBUTION_POINTS: Final = "2.5.29.31"
CERTIFICATE_POLICIES: Final = "2.5.29.32"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
AUTHORITY_INFORMATION_ACCESS: Final = "1.3.6.1.5.5.7.1.1"

ANY_POLICY: Final = "2.5.29.32.0"

COMMON_NAME: Final = "2.5.4.3"
COUNTRY_NAME: Final = "2.5.4.6"
LOCALITY_NAME: Final = "2.5.4.7"
STATE_NAME: Final = "2.5.4.8"
ORGANIZATION_NAME: Final = "2.5.4.10"
