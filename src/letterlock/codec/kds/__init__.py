"""The JSON bodies of a key distribution server (rcc16.md 1.8; docs/kds.md): certificates, key packages, federation.

The names of members are those of the recorded lab form; what that form lacks (one package for each device, the
server's number, counts, federation) is ours. Numbers are written `tel:+E164`, bytes are base64 with padding. A request
with a member that is not in the specification, or one twice, is refused; of answers, unknown members are passed over.
"""

from __future__ import annotations

from .answers import (
    CertificateAnswer,
    ClaimAnswer,
    ClaimedPackage,
    FederatedAnswer,
    Pool,
    Refused,
    TrustAnchors,
    decode_certificate_answer,
    decode_claim_answer,
    decode_federated_answer,
    decode_pool,
    decode_refused,
    decode_stored,
    decode_trust_anchors,
    encode_stored,
)
from .json_object import BodyLimits, encode
from .requests import (
    CertificateRequest,
    ClaimRequest,
    Upload,
    Withdrawal,
    decode_certificate_request,
    decode_claim_request,
    decode_upload,
    decode_withdrawal,
)

__all__ = [
    "BodyLimits",
    "CertificateAnswer",
    "CertificateRequest",
    "ClaimAnswer",
    "ClaimRequest",
    "ClaimedPackage",
    "FederatedAnswer",
    "Pool",
    "Refused",
    "TrustAnchors",
    "Upload",
    "Withdrawal",
    "decode_certificate_answer",
    "decode_certificate_request",
    "decode_claim_answer",
    "decode_claim_request",
    "decode_federated_answer",
    "decode_pool",
    "decode_refused",
    "decode_stored",
    "decode_trust_anchors",
    "decode_upload",
    "decode_withdrawal",
    "encode",
    "encode_stored",
]
