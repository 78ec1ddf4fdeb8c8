"""How a device gets its certificate and others get its keys: provisioning, proofs, trust anchors, the key distribution server."""

from __future__ import annotations

from typing import Final

from .choice import Choice

__all__ = ["KEYS"]

KEYS: Final[tuple[Choice, ...]] = (
    Choice(
        "federation_path",
        8,
        "how one key distribution server asks another",
        "N 1.8",
        "a protocol of ours beside the client's calls",
        "services/kds/federation.py",
    ),
    Choice(
        "kds_selector",
        0,
        "value of the feature tag mls-kds",
        "W 1.10",
        "2, as deployed; any whole number is accepted of others",
        "rcc16/wire/capability_tags.py",
    ),
    Choice(
        "provisioning_prefix",
        7,
        "GSMA names of the provisioning parameters",
        "N 1.7",
        "the vendor names that were seen",
        "codec/provisioning/reading.py, codec/provisioning/writing.py",
    ),
    Choice(
        "participant_key_parameter",
        7,
        "how the participant key reaches the configuration server",
        "N 1.7",
        "a request parameter, participant_key, beside its hash; retained, and proven by the code that the hash is bound to",
        "services/provisioning/encryption.py",
    ),
    Choice(
        "home_kds",
        6,
        "what an identity proof names as the home key distribution server",
        "N 1.3",
        "its number, as in mls-kds, in decimal; the proof that ends last is the last word about whose a number is",
        "services/provisioning/encryption.py, services/kds/logic.py",
    ),
    Choice(
        "identity_proof",
        6,
        "what exactly the ACS signs in .5, who knows its key, how rolled participant keys are followed",
        "N 1.3",
        "a label of ours, number, participant key, home KDS and end; checked by that KDS alone; rolls are refused",
        "rcc16/credentials/labels.py, rcc16/credentials/proof.py",
    ),
    Choice(
        "anchor_list",
        0,
        "form of the signed list of trust anchors; how revoked serial numbers get about",
        "C 1.7",
        "generation, certificates and revoked serial numbers, signed under a label of ours",
        "rcc16/credentials/labels.py, rcc16/credentials/anchors.py",
    ),
    Choice(
        "leaf_possession",
        0,
        "how a KDS learns a leaf key that is not the participant key, and that its holder agrees",
        "C 1.8",
        "`leaf_pub` beside the parts of the lab's request, with a signature of that key over number and participant key",
        "rcc16/credentials/labels.py, rcc16/credentials/request.py",
    ),
    Choice(
        "leaf_key_of_its_own",
        0,
        "how a request names a leaf key that is not the participant key",
        "W 1.1",
        "leaf_pub and leaf_pop beside the recorded members; without them one key is both",
        "codec/kds/requests.py",
    ),
    Choice(
        "kds_authentication",
        0,
        "how a device authenticates at the key distribution server",
        "N 1.8",
        "a signature by its leaf key over method, path, body, time and nonce, in a header",
        "codec/kds_signature.py",
    ),
    Choice(
        "claims_of_all_devices",
        0,
        "how an answer carries a package of every device, and what last_resort in an upload is",
        "C 1.8",
        "key_packages beside the recorded members; last_resort is the package itself",
        "codec/kds/answers.py, codec/kds/requests.py",
    ),
    Choice(
        "floor_of_packages",
        0,
        "by which end the 30 days of a package are counted at the server",
        "D 1.6, 1.9",
        "the earliest of the package's, each certificate's, .4's and .5's: whoever claims it asks for all of them",
        "services/kds/packages.py",
    ),
)
