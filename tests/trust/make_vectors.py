"""Makes tests/vectors/device-list.json: `python tests/trust/make_vectors.py` with src and tests on the path.

The vectors of docs/spec/device-list.md and docs/spec/directory.md. `test_trust_vectors.py` makes them again
and compares, so a format cannot change without its file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from letterlock import ids, trust
from letterlock.trust import labels
from letterlock.trust.device_entry import identity_agreement, mls_agreement
from letterlock.trust.requests import decode_signature, participant_key_hash, signed_text
from letterlock.trust.security_code import libsignal_code
from letterlock.trust.signed_list import encode_body
from trust.people import NOW, Device, Owner, stream

PATH = Path(__file__).parents[1] / "vectors" / "device-list.json"


def vectors() -> dict[str, Any]:
    """All of them, as the file holds them."""
    ana, ben = Owner.make("+15550100", mls=True), Owner.make("+15550101")
    first = ana.list
    offer = trust.encode_offer(trust.offer_for(first))
    request = trust.encode_request(Device.make(ana.number, 2).entry(ana.number, ana.spki))
    second, third = ana.add(2), ana.remove(2, now=NOW + 1)
    about = (ana.number, ana.spki, ana.primary.id, ana.primary.identity_key, ana.primary.mls_key)
    code = trust.security_code(ana.number, ana.spki, ben.number, ben.spki)
    signal = libsignal_code(b"+14152222222", ana.primary.identity_key, b"+14153333333", ben.primary.identity_key)
    body = b'{"number": "+15550101", "since": 0}'
    header = ana.signer().sign("POST", "/v1/lists/query", body, NOW, stream("vector request"))
    return {
        "now": NOW,
        "number": ana.number,
        "participant_private_key": ana.private.hex(),
        "participant_spki": ana.spki.hex(),
        "account_id": ana.account.hex(),
        "account_uuid": ids.account_uuid(ana.account),
        "primary": {
            "identity_private_key": ana.primary.identity_private.hex(),
            "identity_key": ana.primary.identity_key.hex(),
            "mls_private_key": ana.primary.mls_private.hex(),
            "mls_signature_key": ana.primary.mls_key.hex(),
            "identity_agreement": identity_agreement(*about).hex(),
            "mls_agreement": mls_agreement(*about).hex(),
        },
        "chain": [
            {
                "signed_text": (labels.DEVICE_LIST_SIGNATURE + encode_body(item.content)).hex(),
                "encoded": item.encoded.hex(),
                "head": item.head.hex(),
                "devices": [entry.device for entry in item.devices],
            }
            for item in (first, second, third)
        ],
        "enrolment": {"offer": offer, "request": request},
        "security_code": {
            "remote_number": ben.number,
            "remote_spki": ben.spki.hex(),
            "digits": code.digits,
            "scannable": code.scannable.hex(),
        },
        "libsignal_code": {
            "local_id": b"+14152222222".hex(),
            "local_key": ana.primary.identity_key.hex(),
            "remote_id": b"+14153333333".hex(),
            "remote_key": ben.primary.identity_key.hex(),
            "digits": signal.digits,
            "scannable": signal.scannable.hex(),
        },
        "request": {
            "method": "POST",
            "path": "/v1/lists/query",
            "body": body.decode(),
            "header": header,
            "signed_text": signed_text("POST", "/v1/lists/query", body, decode_signature(header)).hex(),
            "participant_key_hash": participant_key_hash(ana.spki).hex(),
        },
        "labels": {name: getattr(labels, name).hex() for name in labels.__all__ if name != "label"},
    }


def text() -> str:
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
