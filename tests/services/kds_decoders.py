"""The decoders of the key distribution server's bodies and headers, with honest examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from letterlock.codec import kds, kds_signature
from letterlock.ids import Number

LIMITS = kds.BodyLimits(max_body=65_536, max_packages=16, max_package=8_192, max_certificate=4_096, max_chain=4)
_ANA = Number("+15550100")
_PACKAGE = kds.ClaimedPackage(b"package" * 30, False)


def kds_decoders() -> tuple[tuple[str, Callable[[bytes], Any], tuple[bytes, ...]], ...]:
    def limited(decode: Callable[[bytes, kds.BodyLimits], Any]) -> Callable[[bytes], Any]:
        return lambda data: decode(data, LIMITS)

    signature = kds_signature.RequestSignature(
        kds_signature.SignerKind.DEVICE, _ANA, b"\x04" * 65, 0, 1_790_000_000_000, bytes(range(16)), b"\x30" * 71
    )
    parts = (b"subject", b"san", b"information", b"proof", b"\x30" * 71)
    request = kds.CertificateRequest(_ANA, b"\x04" * 65, b"\x05" * 65, *parts, b"\x31" * 71)
    lab_request = kds.CertificateRequest(_ANA, b"\x04" * 65, b"\x04" * 65, *parts)
    return (
        (
            "kds certificate request",
            limited(kds.decode_certificate_request),
            (kds.encode(request), kds.encode(lab_request)),
        ),
        (
            "kds certificate answer",
            limited(kds.decode_certificate_answer),
            (kds.encode(kds.CertificateAnswer(b"leaf", (b"ca", b"root"))),),
        ),
        (
            "kds upload",
            limited(kds.decode_upload),
            (kds.encode(kds.Upload(_ANA, (b"one" * 50, b"two" * 50), b"last" * 40)),),
        ),
        (
            "kds trust anchors",
            limited(kds.decode_trust_anchors),
            (kds.encode(kds.TrustAnchors(3, "https://kds.example/mls/v1/trust-anchors/3", b"signer")),),
        ),
        ("kds stored", limited(kds.decode_stored), (kds.encode_stored(11),)),
        ("kds claim", limited(kds.decode_claim_request), (kds.encode(kds.ClaimRequest(_ANA, 2)),)),
        (
            "kds claim answer",
            limited(kds.decode_claim_answer),
            (
                kds.encode(kds.ClaimAnswer((_PACKAGE, kds.ClaimedPackage(b"other", True)))),
                b'{"key_package":"AAAA","is_last_resort":true}',
            ),
        ),
        (
            "kds federated answer",
            limited(kds.decode_federated_answer),
            (kds.encode(kds.FederatedAnswer((_PACKAGE,))), kds.encode(kds.FederatedAnswer(()))),
        ),
        ("kds withdrawal", limited(kds.decode_withdrawal), (kds.encode(kds.Withdrawal(_ANA, bytes(16))),)),
        ("kds pool", limited(kds.decode_pool), (kds.encode(kds.Pool(10, 2)),)),
        ("kds refusal", limited(kds.decode_refused), (kds.encode(kds.Refused("kds.rate", "too many", "wait")),)),
        (
            "kds signature",
            lambda data: kds_signature.decode_signature(data.decode("latin-1")),
            (kds_signature.encode_signature(signature).encode(),),
        ),
        (
            "kds answer signature",
            lambda data: kds_signature.decode_answer(data.decode("latin-1")),
            (kds_signature.encode_answer(b"\x30" * 71).encode(),),
        ),
    )
