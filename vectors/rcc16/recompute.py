"""Recomputes every value of the JSON files beside it, without a line of Letterlock: `python recompute.py [FOLDER]`.

Standard library and `cryptography` only. Prints each difference and exits with 1 if there is any. It is an
implementation of its own, written from the descriptions in the files (RFC 9420, RFC 9180, RFC 5280 for the rest), and
may be read as a reference by those who write another one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Json = dict[str, Any]
un = bytes.fromhex


class Different(Exception):
    """A value of a file is not what follows from the others."""


def same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Different(what)


# --- primitives --------------------------------------------------------------------------------------------------
def u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def varint(value: int) -> bytes:
    """RFC 9420 section 2.1.2."""
    if value < 1 << 6:
        return u(value, 1)
    return u(value | 1 << 14, 2) if value < 1 << 14 else u(value | 1 << 31, 4)


def opaque(value: bytes) -> bytes:
    return varint(len(value)) + value


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise Different("a structure ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self) -> bytes:
        first = self.number(1)
        size = 1 << (first >> 6)
        length = int.from_bytes(u(first & 0x3F, 1) + self.take(size - 1), "big")
        same("a length in its shortest form", varint(length), self.data[self.at - size : self.at])
        return self.take(length)

    def more(self) -> bool:
        return self.at < len(self.data)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def expand(key: bytes, info: bytes, size: int) -> bytes:
    out, block, count = b"", b"", 0
    while len(out) < size:
        count += 1
        block = mac(key, block + info + u(count, 1))
        out += block
    return out[:size]


def scalar(private: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())


def point(private: bytes) -> bytes:
    return scalar(private).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def spki(private: bytes) -> bytes:
    return scalar(private).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(private: bytes, data: bytes) -> bytes:
    """ECDSA with SHA-256, nonce of RFC 6979."""
    return scalar(private).sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


# --- small structures ----------------------------------------------------------------------------------------------
def aad(message_id: str, era: int) -> bytes:
    return u(1, 2) + opaque(message_id.encode()) + u(era, 4) + b"\0"


def authenticated_data(file: Json) -> None:
    for case in file["cases"]:
        same(case["message_id"], aad(case["message_id"], case["era"]).hex(), case["authenticated_data"])


def escaped(text: str) -> str:
    short = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
    return "".join(short.get(c, f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c) for c in text)


def content(headers: list[list[str]], entity: bytes) -> bytes:
    prefixes: dict[str, str] = {}
    for space, _, _ in headers:
        prefixes.setdefault(space, f"n{len(prefixes) + 1}")
    lines = [f"NS: {prefix} <{space}>\r\n" for space, prefix in prefixes.items()]
    lines += [f"{prefixes[space]}.{name}: {escaped(value)}\r\n" for space, name, value in headers]
    return "".join(lines).encode() + b"\r\n" + entity


def payload(generation: int, inside: bytes, kind: int = 1) -> bytes:
    return u(1, 2) + u(kind, 2) + u(generation, 4) + opaque(inside)


def secret_payload(file: Json) -> None:
    for case in file["cases"]:
        inside = content(case["headers"], un(case["entity"]))
        same(case["what"], inside.hex(), case["content"])
        same(case["what"], payload(case["generation"], inside, case["type"]).hex(), case["payload"])


def report(case: Json) -> bytes:
    inner = u(1, 2) + u(case["status"], 2) + opaque(case["message_id"].encode())
    if case["type"] == 1:
        inner += u(case["reason"], 2) + (u(0, 2) if case["reason"] else b"")
    return inner


def derived(case: Json) -> bytes:
    return u(1, 2) + opaque(case["receipt_id"].encode()) + u(case["era"], 4) + u(case["type"], 1) + report(case) + b"\0"


CLIENT_REASONS = [
    "message-from-non-member",
    "invalid-credential",
    "invalid-commit",
    "failed-to-decrypt",
    "commit-in-privatemessage",
    "resent-message-for-me-failed-to-decrypt",
    "commit-processed-in-enhanced-self-heal",
    "commit-processed-in-self-heal",
    "commit-failed-then-era-advancement",
    "control-message-failed-due-to-downgrade",
    "proposal-processed-in-enhanced-self-heal",
    "proposal-processed-in-self-heal",
    "control-message-failed",
]
SERVER_REASONS = [
    "incorrect-era",
    "incorrect-epoch",
    "incorrect-epoch-authenticator",
    "expired-credential",
    "mismatched-rcs-group-state",
    "unparsable-commit",
    "mismatched-confirmation-tag",
    "pending-proposal",
    "transient-error",
    "encryption-not-available",
    "invalid-commit",
    "mls-group-not-found",
    "invalid-input",
    "era-advancement-quota-reached",
    "mls-group-has-end-mls",
    "epoch-advancement-quota-reached",
]


def imdn(message_id: str, when: str, kind: str, status: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">'
        f"<message-id>{message_id}</message-id><datetime>{when}</datetime>"
        f"<{kind}><status>{status}</status></{kind}></imdn>"
    )


def receipts(file: Json) -> None:
    for case in file["cases"]:
        same(case["message_id"], report(case).hex(), case["inner"])
        same(case["message_id"], derived(case).hex(), case["derived_content"])
    for case in file["documents"]:
        names = CLIENT_REASONS if case["arm"] == "client" else SERVER_REASONS
        same("name of a reason", names[case["number"] - 1], case["name"])
        arm = f"mls-{case['arm']}-failure-reason"
        failed = f"<failed><{arm}><{case['name']}/></{arm}></failed>"
        whole = imdn(case["message_id"], case["datetime"], "delivery-notification", failed)
        same(case["name"], whole, case["document"])
    first = file["documents"][0]
    bare, shown = (one["document"] for one in file["plain"])
    same("bare", imdn(first["message_id"], first["datetime"], "delivery-notification", "<failed/>"), bare)
    same("shown", imdn(first["message_id"], first["datetime"], "display-notification", "<displayed/>"), shown)


def extension(kind: int, data: bytes) -> bytes:
    return u(kind, 2) + opaque(data)


def extension_list(entries: list[list[Any]]) -> bytes:
    return opaque(b"".join(extension(kind, un(data)) for kind, data in entries))


def extensions(file: Json) -> None:
    for case in file["cases"]:
        inside = un(case["inside"])
        data = inside if case["bare"] else opaque(inside)
        same(case["what"], data.hex(), case["extension_data"])
        same(case["what"], extension(case["type"], data).hex(), case["extension"])
    lists = {one["what"]: one for one in file["lists"]}
    for one in lists.values():
        same(one["what"], extension_list(one["extensions"]).hex(), one["encoded"])
    era, icon = file["era_extension"], file["cases"][7]
    before = lists["a GroupContext before"]["extensions"]
    copied = [[kind, u(4, 4).hex() if kind == era else data] for kind, data in before]
    expected = {
        "without end_mls, with an icon commitment": [*before[:2], [icon["type"], icon["extension_data"]]],
        "the next era": copied,
        "the next era, revived": copied[:2],
        "the next era, born ended": [*copied[:2], [before[2][0], "0809"]],
    }
    for what, entries in expected.items():
        same(what, entries, lists[what]["extensions"])


def proposals(file: Json) -> None:
    for case in file["cases"]:
        same(case["what"], u(case["type"], 2).hex() + case["body"], case["proposal"])
    first = file["cases"][0]["body"]
    same("length of end_mls", opaque(un(first)[1:]).hex(), first)
    same("types", [case["type"] for case in file["cases"]], [0xF001, 0xF002, 0xF003, 0xF004])


def base128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def protobuf(fields: list[list[Any]]) -> bytes:
    out = b""
    for number, kind, value in fields:
        if kind == "varint":
            out += base128(number << 3) + base128(value)
            continue
        same("kind of a field", kind in ("bytes", "text", "message"), True)
        raw = value.encode() if kind == "text" else protobuf(value) if kind == "message" else un(value)
        out += base128(number << 3 | 2) + base128(len(raw)) + raw
    return out


def control_messages(file: Json) -> None:
    for case in file["cases"]:
        same(case["what"], protobuf(case["fields"]).hex(), case["message"])


def epoch_identifier(file: Json) -> None:
    for case in file["cases"]:
        fields = [[1, "varint", case["era"]], [2, "varint", case["epoch"]], [3, "bytes", case["authenticator"]]]
        written = protobuf([field for field in fields if field[2]])
        same("identifier", written.hex(), case["message"])


# --- files and commitments -------------------------------------------------------------------------------------------
def padme(length: int) -> int:
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    step = 1 << (exponent - (exponent.bit_length() - 1) - 1)
    return (length + step - 1) // step * step


def files(file: Json) -> None:
    salt = un(file["salt"])
    for case in file["cases"]:
        key, iv, plain = un(case["key_material"]), un(case["iv"]), un(case["content"])
        okm = expand(mac(salt, key), case["name"].encode(), 64)
        zeros = padme(len(plain)) - len(plain)
        same("padding", zeros, case["padding"])
        block = plain + bytes(zeros) + u(len(plain), 4) + u(zeros, 4)
        encryptor = Cipher(algorithms.AES256(okm[:32]), modes.CTR(iv + bytes(4))).encryptor()
        ciphertext = encryptor.update(block) + encryptor.finalize()
        same(case["name"], ciphertext.hex(), case["ciphertext"])
        tag = mac(okm[32:], iv + ciphertext)
        same(case["name"], tag.hex(), case["tag"])
        hint = base128(5 << 3 | 5) + len(plain).to_bytes(4, "little") if plain else b""
        info = protobuf([[1, "bytes", key.hex()], [2, "bytes", iv.hex()], [3, "bytes", tag.hex()], [4, "varint", 1]])
        names = protobuf([[1, "text", case["name"]], [2, "text", case["content_type"]]])
        metadata = names + protobuf([[3, "bytes", (info + hint).hex()]])
        same(case["name"], metadata.hex(), case["file_metadata"])
    known = {case["file_metadata"] for case in file["cases"]}
    for case in file["file_info"]:
        same(
            case["what"],
            protobuf([[number, "bytes", entry] for number, entry in case["entries"]]).hex(),
            case["message"],
        )
        same(case["what"], {entry for _, entry in case["entries"]} <= known, True)
    for shortest, longest, padded in file["padme"]:
        found = [padme(length) == padded for length in (shortest - 1, shortest, longest, longest + 1)]
        same("padme", found, [False, True, True, False])


def commitments(file: Json) -> None:
    for case in file["cases"]:
        found = sha256(opaque(case["label"].encode()) + opaque(un(case["value"])))
        same(case["label"], found.hex(), case["commitment"])
        same("revision", case["revision"] in ("3.0", "4.0"), True)
        name = case["label"].removesuffix("_commitment").removeprefix("group_")
        same("label", case["label"], f"{name}_commitment" if case["revision"] == "3.0" else f"group_{name}")
    for case in file["continuity"]:
        value = opaque(un(case["token"])) + opaque(un(case["epoch_authenticator"]))
        label = b"MLS 1.0 Continuity Token GroupInfo Commitment"
        same("continuity", sha256(opaque(label) + opaque(value)).hex(), case["commitment"])


def identity_hash(file: Json) -> None:
    for case in file["cases"]:
        people = sorted((number.lstrip("+").encode(), un(key)) for number, key in case["participants"])
        for order, listed in (("ascending", people), ("descending", people[::-1])):
            found = hashlib.sha512(b"".join(opaque(digits) + opaque(key) for digits, key in listed))
            same(order, found.hexdigest(), case[order])


# --- certificates ----------------------------------------------------------------------------------------------------
def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    length = (
        u(size, 1) if size < 128 else (lambda raw: u(0x80 | len(raw), 1) + raw)(u(size, (size.bit_length() + 7) // 8))
    )
    return u(tag, 1) + length + body


def sequence(*parts: bytes) -> bytes:
    return der(0x30, *parts)


def integer(value: int) -> bytes:
    return der(0x02, u(value, value.bit_length() // 8 + 1))


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    body = b""
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.insert(0, arc & 0x7F | 0x80)
        body += bytes(digits)
    return der(0x06, body)


def times(*instants: int) -> bytes:
    """UTCTime until 2049."""
    moments = [datetime.fromtimestamp(instant, UTC) for instant in instants]
    return sequence(*(der(0x17, f"{moment:%y%m%d%H%M%SZ}".encode()) for moment in moments))


ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"))
GSMA = "2.23.146.2.1."


def certificate(case: Json, private: bytes) -> bytes:
    parts = case["tbs_from"]
    listed = [
        sequence(oid(name), der(0x01, b"\xff") if critical else b"", der(0x04, un(value)))
        for name, critical, value in parts["extensions"]
    ]
    tbs = sequence(
        der(0xA0, integer(2)),
        integer(int(parts["serial"], 16)),
        ECDSA_SHA256,
        un(parts["issuer"]),
        times(parts["not_before"], parts["not_after"]),
        un(parts["subject"]),
        spki(private),
        der(0xA3, sequence(*listed)),
    )
    return sequence(tbs, ECDSA_SHA256, der(0x03, b"\0", sign(un(case["issuer_private"]), tbs)))


def key_identifier(private: bytes) -> bytes:
    return hashlib.sha1(point(private), usedforsecurity=False).digest()


def leaf_extensions(case: Json, file: Json) -> list[list[Any]]:
    leaf, participant = un(case["leaf_private"]), un(case["participant_private"])
    names = sequence(der(0x86, f"tel:{case['number']}".encode()))
    subject, vendor, window = (
        un(case["tbs_from"]["subject"]),
        integer(file["vendor_id"]),
        times(*case["participant_validity"]),
    )
    vouched = sign(participant, sequence(subject, vendor, window, spki(leaf), names))
    information = sequence(vendor, window, ECDSA_SHA256, der(0x03, b"\0", vouched), spki(participant))
    expires = u(case["proof_expires"], 8)
    proven = b"\xff\x80letterlock/rcc16-identity-proof/v1\0" + b"".join(
        opaque(part) for part in (f"tel:{case['number']}".encode(), spki(participant), file["home_kds"].encode())
    )
    proof = expires + opaque(sign(un(file["acs_private"]), proven + expires))
    return [
        ["2.5.29.14", False, der(0x04, key_identifier(leaf)).hex()],
        ["2.5.29.35", False, sequence(der(0x80, key_identifier(un(case["issuer_private"])))).hex()],
        ["2.5.29.15", True, "03020780"],
        ["2.5.29.17", False, names.hex()],
        ["2.5.29.32", False, sequence(sequence(oid(GSMA + "2"))).hex()],
        ["2.5.29.37", False, sequence(oid(GSMA + "3")).hex()],
        [GSMA + "4", True, information.hex()],
        [GSMA + "5", False, proof.hex()],
    ]


def certificates(file: Json) -> None:
    authorities = file["authorities"]
    for case, above in zip(authorities, [authorities[0], *authorities], strict=False):
        same(case["what"], certificate(case, un(case["private"])).hex(), case["certificate"])
        same(case["what"], case["issuer_private"], above["private"])
        same(case["what"], case["tbs_from"]["issuer"], above["tbs_from"]["subject"])
        verified(un(case["certificate"]), un(above["certificate"]))
    for case in file["cases"]:
        leaf, participant = un(case["leaf_private"]), un(case["participant_private"])
        same(case["number"], leaf_extensions(case, file), case["tbs_from"]["extensions"])
        same(case["number"], certificate(case, leaf).hex(), case["certificate"])
        same(case["number"], case["issuer_private"], authorities[2]["private"])
        chain = [case["certificate"], authorities[2]["certificate"], authorities[1]["certificate"]]
        same(case["number"], case["chain"], chain)
        verified(un(case["certificate"]), un(authorities[2]["certificate"]))
        pop = sign(participant, f"tel:{case['number']}".encode() + point(participant))
        same(case["number"], pop.hex(), case["csr_pop"])
        same("now", case["tbs_from"]["not_before"], file["now"] - 3600)


def verified(one: bytes, issuer: bytes) -> None:
    """A second opinion, of a library that knows nothing of RCC.16."""
    x509.load_der_x509_certificate(one).verify_directly_issued_by(x509.load_der_x509_certificate(issuer))


# --- the life of a group (RFC 9420) ------------------------------------------------------------------------------------
def labelled(label: str) -> bytes:
    return opaque(b"MLS 1.0 " + label.encode())


def sign_with_label(private: bytes, label: str, data: bytes) -> bytes:
    return sign(private, labelled(label) + opaque(data))


def expand_with_label(secret: bytes, label: str, context: bytes, size: int) -> bytes:
    return expand(secret, u(size, 2) + labelled(label) + opaque(context), size)


def derive(secret: bytes, label: str) -> bytes:
    return expand_with_label(secret, label, b"", 32)


def ref(label: str, value: bytes) -> bytes:
    return sha256(labelled(label) + opaque(value))


SECRETS = {
    "sender_data_secret": "sender data",
    "exporter_secret": "exporter",
    "external_secret": "external",
    "confirmation_key": "confirm",
    "membership_key": "membership",
    "resumption_psk": "resumption",
    "epoch_authenticator": "authentication",
    "init_secret": "init",
}


class Leaf:
    """A LeafNode: its bytes, and what its signature is over."""

    def __init__(self, reader: Reader) -> None:
        start = reader.at
        reader.vector()
        self.signature_key = reader.vector()
        same("credential type", reader.number(2), 2)
        certificates = Reader(reader.vector())
        self.certificate = certificates.vector()
        for _ in range(5):
            reader.vector()
        self.source = reader.number(1)
        reader.take(16) if self.source == 1 else reader.vector() if self.source == 3 else b""
        reader.vector()
        self.unsigned = reader.data[start : reader.at]
        self.signature = reader.vector()
        self.encoded = reader.data[start : reader.at]

    def check(self, private: bytes, group_id: bytes, index: int) -> None:
        where = opaque(group_id) + u(index, 4) if self.source != 1 else b""
        same("signature of a leaf", sign_with_label(private, "LeafNodeTBS", self.unsigned + where), self.signature)
        same("key of a leaf", point(private), self.signature_key)
        certified = x509.load_der_x509_certificate(self.certificate).public_key()
        assert isinstance(certified, ec.EllipticCurvePublicKey)
        same(
            "certificate of a leaf",
            certified.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
            point(private),
        )


def nodes_of(tree: bytes) -> Iterator[tuple[bytes, Leaf | None]]:
    """Each node of a ratchet tree: optional<LeafNode or ParentNode> without its type, and the leaf if it is one."""
    outer = Reader(tree)
    reader = Reader(outer.vector())
    same("end of the tree", outer.more(), False)
    while reader.more():
        if reader.number(1) == 0:
            yield b"\0", None
        elif reader.number(1) == 1:
            leaf = Leaf(reader)
            yield b"\1" + leaf.encoded, leaf
        else:
            start = reader.at
            for _ in range(3):
                reader.vector()
            yield b"\1" + reader.data[start : reader.at], None


def tree_hash(nodes: list[bytes]) -> bytes:
    """Of the whole tree: `nodes` in array order, filled up with blanks to a full tree."""

    def of(low: int, high: int) -> bytes:
        if low == high:
            return sha256(u(1, 1) + u(low // 2, 4) + nodes[low])
        middle = (low + high) // 2
        return sha256(u(2, 1) + nodes[middle] + opaque(of(low, middle - 1)) + opaque(of(middle + 1, high)))

    return of(0, len(nodes) - 1)


def full(nodes: list[bytes]) -> list[bytes]:
    width = 1
    while 2 * width - 1 < len(nodes):
        width *= 2
    return nodes + [b"\0"] * (2 * width - 1 - len(nodes))


def message_secret(encryption_secret: bytes, leaves: int, leaf: int) -> bytes:
    """Down the secret tree to a leaf (section 9)."""
    secret, low, high = encryption_secret, 0, leaves
    while high - low > 1:
        middle = (low + high) // 2
        side = "left" if leaf < middle else "right"
        secret = expand_with_label(secret, "tree", side.encode(), 32)
        low, high = (low, middle) if leaf < middle else (middle, high)
    return secret


def tree_secret(secret: bytes, label: str, generation: int, size: int) -> bytes:
    return expand_with_label(secret, label, u(generation, 4), size)


def hpke_open(private: bytes, kem_output: bytes, info: bytes, ciphertext: bytes) -> bytes:
    """RFC 9180: DHKEM(P-256), HKDF-SHA-256, AES-128-GCM, base mode, no associated data."""

    def extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return mac(salt, b"HPKE-v1" + suite + label + ikm)

    def hpke_expand(suite: bytes, key: bytes, label: bytes, context: bytes, size: int) -> bytes:
        return expand(key, u(size, 2) + b"HPKE-v1" + suite + label + context, size)

    kem, suite = b"KEM" + u(0x0010, 2), b"HPKE" + u(0x0010, 2) + u(1, 2) + u(1, 2)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), kem_output)
    agreed = scalar(private).exchange(ec.ECDH(), theirs)
    shared = hpke_expand(kem, extract(kem, b"", b"eae_prk", agreed), b"shared_secret", kem_output + point(private), 32)
    context = b"\0" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    secret = extract(suite, shared, b"secret", b"")
    key, nonce = (
        hpke_expand(suite, secret, label, context, size) for label, size in ((b"key", 16), (b"base_nonce", 12))
    )
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


class Epoch:
    """What is known of an epoch once it has been recomputed."""

    def __init__(self, case: Json, context: bytes, epoch_secret: bytes, confirmed: bytes) -> None:
        self.context = context
        same(f"GroupContext {case['epoch']}", context.hex(), case["group_context"])
        self.keys = {name: derive(epoch_secret, label) for name, label in SECRETS.items()}
        same(f"secrets {case['epoch']}", {name: key.hex() for name, key in self.keys.items()}, case["secrets"])
        self.encryption_secret = derive(epoch_secret, "encryption")
        self.tag = mac(self.keys["confirmation_key"], confirmed)
        same(f"confirmation tag {case['epoch']}", self.tag.hex(), case["confirmation_tag"])
        self.interim = sha256(confirmed + opaque(self.tag))
        same(f"transcript {case['epoch']}", self.interim.hex(), case["interim_transcript_hash"])
        self.nodes = list(nodes_of(un(case["ratchet_tree"])))
        self.leaves = [leaf for _, leaf in self.nodes[::2]]

    @property
    def width(self) -> int:
        return (len(full([node for node, _ in self.nodes])) + 1) // 2


def group_context(group_id: bytes, case: Json, confirmed: bytes) -> bytes:
    nodes = full([node for node, _ in nodes_of(un(case["ratchet_tree"]))])
    head = u(1, 2) + u(2, 2) + opaque(group_id) + u(case["epoch"], 8)
    return head + opaque(tree_hash(nodes)) + opaque(confirmed) + extension_list(case["extensions"])


def public_message(
    epoch: Epoch,
    private: bytes,
    group_id: bytes,
    number: int,
    sender: int,
    data: bytes,
    kind: int,
    body: bytes,
    tag: bytes,
) -> tuple[bytes, bytes, bytes]:
    """(MLSMessage, FramedContent, signature) of a member's handshake; `tag` is the confirmation tag, or empty."""
    framed = opaque(group_id) + u(number, 8) + u(1, 1) + u(sender, 4) + opaque(data) + u(kind, 1) + body
    tbs = u(1, 2) + u(1, 2) + framed + epoch.context
    signature = sign_with_label(private, "FramedContentTBS", tbs)
    auth = opaque(signature) + (opaque(tag) if tag else b"")
    membership = mac(epoch.keys["membership_key"], tbs + auth)
    return u(1, 2) + u(1, 2) + framed + auth + opaque(membership), framed, signature


def key_package(member: Json) -> None:
    raw = un(member["key_package"])
    private = un(member["leaf_private"])
    reader = Reader(raw)
    same("head of a key package", reader.take(8), u(1, 2) + u(5, 2) + u(1, 2) + u(2, 2))
    same("init key", reader.vector(), point(un(member["init_private"])))
    Leaf(reader).check(private, b"", 0)
    reader.vector()
    signature = sign_with_label(private, "KeyPackageTBS", raw[4 : reader.at])
    same("signature of a key package", reader.vector(), signature)
    same("end of a key package", reader.more(), False)
    leaf = Leaf(Reader(raw[8 + 67 :]))
    names = x509.load_der_x509_certificate(leaf.certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    same("number", names.value.get_values_for_type(x509.UniformResourceIdentifier), [f"tel:{member['number']}"])


def welcome(case: Json, file: Json, epoch: Epoch, joiner: bytes, member_secret: bytes) -> None:
    given = case["welcome"]
    member, signer = file["members"][given["for"]], file["members"][given["signer"]]
    info = epoch.context + extension_list(given["extensions"]) + opaque(epoch.tag) + u(given["signer"], 4)
    info += opaque(sign_with_label(un(signer["leaf_private"]), "GroupInfoTBS", info))
    secret = derive(member_secret, "welcome")
    key, nonce = (expand_with_label(secret, label, b"", size) for label, size in (("key", 16), ("nonce", 12)))
    encrypted = AESGCM(key).encrypt(nonce, info, b"")
    reader = Reader(un(given["message"]))
    same("head of a Welcome", reader.take(6), u(1, 2) + u(3, 2) + u(2, 2))
    entries = Reader(reader.vector())
    same("GroupInfo of a Welcome", reader.vector(), encrypted)
    same("end of a Welcome", reader.more(), False)
    reference = ref("KeyPackage Reference", un(member["key_package"])[4:])
    same("whom a Welcome is for", entries.vector(), reference)
    kem_output, ciphertext = entries.vector(), entries.vector()
    same("one entry", entries.more(), False)
    context = labelled("Welcome") + opaque(encrypted)
    secrets = hpke_open(un(member["init_private"]), kem_output, context, ciphertext)
    same("GroupSecrets", secrets, opaque(joiner) + b"\0" + opaque(b""))


def letter(case: Json, file: Json, epoch: Epoch) -> None:
    group_id, sender, generation = file["group_id"].encode(), case["sender"], case["generation"]
    text = case["text"].encode()
    entity = b"Content-Type: text/plain;charset=UTF-8\r\nContent-Disposition: inline\r\nContent-Length: "
    plain = payload(generation, b"\r\n" + entity + str(len(text)).encode() + b"\r\n\r\n" + text)
    same("payload", plain.hex(), case["payload"])
    data = aad(case["message_id"], case["era"])
    head = opaque(group_id) + u(case["epoch"], 8) + u(1, 1)
    reader = Reader(un(case["message"]))
    same("head of a letter", reader.take(4 + len(head)), u(1, 2) + u(2, 2) + head)
    same("authenticated data", reader.vector(), data)
    sealed_sender, ciphertext = reader.vector(), reader.vector()
    same("end of a letter", reader.more(), False)
    sample = ciphertext[:32]
    key, nonce = (
        expand_with_label(epoch.keys["sender_data_secret"], label, sample, size)
        for label, size in (("key", 16), ("nonce", 12))
    )
    sender_data = AESGCM(key).decrypt(nonce, sealed_sender, head)
    same("sender data", sender_data[:8], u(sender, 4) + u(generation, 4))
    secret = expand_with_label(message_secret(epoch.encryption_secret, epoch.width, sender), "application", b"", 32)
    for step in range(generation):
        secret = tree_secret(secret, "secret", step, 32)
    key, nonce = tree_secret(secret, "key", generation, 16), tree_secret(secret, "nonce", generation, 12)
    guarded = bytes(a ^ b for a, b in zip(nonce, sender_data[8:] + bytes(8), strict=True))
    framed = opaque(group_id) + u(case["epoch"], 8) + u(1, 1) + u(sender, 4) + opaque(data) + u(1, 1) + opaque(plain)
    private = private_of(file, epoch, sender)
    signature = sign_with_label(private, "FramedContentTBS", u(1, 2) + u(2, 2) + framed + epoch.context)
    opened = AESGCM(key).decrypt(guarded, ciphertext, head + opaque(data))
    same("letter", opened, opaque(plain) + opaque(signature))


def private_of(file: Json, epoch: Epoch, leaf: int) -> bytes:
    """The signature key of the member at a leaf."""
    node = epoch.leaves[leaf]
    for member in file["members"]:
        private = un(member["leaf_private"])
        if node is not None and point(private) == node.signature_key:
            return private
    raise Different(f"nobody is at leaf {leaf}")


def group_life(file: Json) -> None:
    group_id = file["group_id"].encode()
    for member in file["members"]:
        key_package(member)
    same("suite", file["cipher_suite"], 2)
    same("now", file["now"] - 3600, lifetime_start(file))
    epochs: list[Epoch] = []
    for number, case in enumerate(file["cases"]):
        same("number of an epoch", case["epoch"], number)
        if not epochs:
            epochs.append(Epoch(case, group_context(group_id, case, b""), un(case["epoch_secret"]), b""))
        else:
            epochs.append(next_epoch(case, file, epochs[-1]))
        for index, leaf in enumerate(epochs[-1].leaves):
            if leaf is not None:
                leaf.check(private_of(file, epochs[-1], index), group_id, index)
    for case in file["messages"]:
        letter(case, file, epochs[case["epoch"]])
    for case in file["receipts"]:
        epoch = epochs[case["epoch"]]
        private = private_of(file, epoch, case["sender"])
        body = u(0xF002, 2)
        written, _, _ = public_message(
            epoch, private, group_id, case["epoch"], case["sender"], derived(case), 2, body, b""
        )
        same(f"receipt {case['receipt_id']}", base64.b64encode(written).decode(), case["header"])


def lifetime_start(file: Json) -> int:
    """When the first key package begins to be valid, in seconds."""
    reader = Reader(un(file["members"][0]["key_package"])[8 + 67 :])
    for _ in range(2):
        reader.vector()
    reader.take(2)
    for _ in range(6):
        reader.vector()
    reader.take(1)
    return reader.number(8)


def next_epoch(case: Json, file: Json, before: Epoch) -> Epoch:
    group_id, commit = file["group_id"].encode(), case["commit"]
    private, body = private_of(file, before, commit["by"]), un(commit["content"])
    data = aad(commit["message_id"], commit["era"])
    tag = un(case["confirmation_tag"])
    written, framed, signature = public_message(
        before, private, group_id, case["epoch"] - 1, commit["by"], data, 3, body, tag
    )
    same(f"commit to {case['epoch']}", written.hex(), commit["message"])
    confirmed = sha256(before.interim + u(1, 2) + framed + opaque(signature))
    context = group_context(group_id, case, confirmed)
    joiner = expand_with_label(mac(before.keys["init_secret"], un(commit["commit_secret"])), "joiner", context, 32)
    member_secret = mac(joiner, bytes(32))
    epoch = Epoch(case, context, expand_with_label(member_secret, "epoch", context, 32), confirmed)
    if "welcome" in case:
        welcome(case, file, epoch, joiner, member_secret)
    return epoch


# --- all of them -------------------------------------------------------------------------------------------------------
CHECKS: dict[str, Callable[[Json], None]] = {
    "authenticated-data": authenticated_data,
    "secret-payload": secret_payload,
    "receipts": receipts,
    "extensions": extensions,
    "proposals": proposals,
    "control-messages": control_messages,
    "epoch-identifier": epoch_identifier,
    "files": files,
    "commitments": commitments,
    "identity-hash": identity_hash,
    "certificates": certificates,
    "group-life": group_life,
}


def difference(name: str, file: Json) -> str | None:
    """What is wrong with a file, None if nothing is."""
    try:
        CHECKS[name](file)
    except Different as error:
        return str(error)
    except (InvalidTag, ValueError, TypeError, KeyError, IndexError, OverflowError, StopIteration) as error:
        return f"cannot be computed: {type(error).__name__}: {error}"
    except Exception as error:  # a signature that does not hold, as the library says it
        return f"refused: {type(error).__name__}: {error}"
    return None


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    present = {path.stem for path in folder.glob("*.json")}
    failed = 0
    for name in sorted(present | CHECKS.keys()):
        if name not in present or name not in CHECKS:
            wrong: str | None = "is missing" if name not in present else "is checked by nobody"
        else:
            wrong = difference(name, json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
        failed += wrong is not None
        print(f"{name}: {wrong or 'ok'}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
