"""The decoders of certificates for tests/decoders.py: what each reads, with honest examples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from letterlock.codec.x509 import decode_certificate, decode_name
from letterlock.errors import InvalidRcc16
from letterlock.mls.wire.credential import Credential
from letterlock.rcc16.credentials.anchors import TrustAnchors, decode_anchor_list, sign_anchor_list
from letterlock.rcc16.credentials.checking import FOLLOWING, check_chain
from letterlock.rcc16.credentials.numbers import subject_name
from letterlock.rcc16.credentials.participant import decode_participant_information
from letterlock.rcc16.credentials.proof import decode_proof
from letterlock.rcc16.enrolment.linking import LinkAnswer, LinkRequest, decode_link_answer, decode_link_request
from rcc16.certificates import CRYPTO, NOW, Lab, key_pair

__all__ = ["credential_decoders"]


def credential_decoders() -> tuple[tuple[str, Callable[[bytes], Any], tuple[bytes, ...]], ...]:
    lab = Lab("decoders")
    person = lab.enrol("+15550100")
    request, leaf = person.request, person.chain[0]
    anchors = TrustAnchors(7, lab.anchors.certificates, frozenset({5, 1 << 100}))
    head, root = anchors.entries()

    def checked(der: bytes) -> object:
        credential = Credential.x509((der, *person.chain[1:]))
        with contextlib.suppress(InvalidRcc16):  # documented: a rule that it breaks
            return check_chain(credential, anchors=lab.anchors, policy=FOLLOWING, now=NOW, crypto=CRYPTO)
        return None

    return (
        ("x509 certificate", lambda data: decode_certificate(data, max_bytes=1 << 14), (leaf, root)),
        ("x509 name", decode_name, (subject_name("client"), lab.root.certificate.subject)),
        ("rcc16 participant information", decode_participant_information, (request.participant_information,)),
        ("rcc16 identity proof", decode_proof, (request.proof,)),
        ("rcc16 trust anchors", decode_anchor_list, (sign_anchor_list(anchors, key_pair("signer").sign),)),
        ("rcc16 trust anchor entries", lambda data: TrustAnchors.of((data, root)), (head, root)),
        (
            "rcc16 link request",
            decode_link_request,
            (LinkRequest("id", person.leaf.public, request.leaf_pop).encode(),),
        ),
        (
            "rcc16 link answer",
            decode_link_answer,
            (LinkAnswer(request.participant_information, request.csr_pop).encode(),),
        ),
        ("rcc16 credential", checked, (leaf,)),
    )
