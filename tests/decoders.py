"""Every decoder of hostile bytes, with valid examples to start from: for the fuzzer and the byte-flip test (SR-09).

An example here is what an honest peer sends. A decoder that is missing here is not fuzzed: add it.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from chatbots.decoders import chatbot_decoders
from chatbots.messages import CARD, CHIPS
from files.decoders import files_decoders
from gateway.decoders import gateway_decoders
from letterlock.codec import (
    conference_info,
    cpim,
    form_data,
    frame,
    ft_http,
    group_data,
    imdn,
    iscomposing,
    mime,
    prekeys,
    protobuf,
    provisioning,
    push_location,
    resource_lists,
    sdp,
    smpp,
    sms_text,
    sms_user_data,
)
from letterlock.codec import msrp as msrp_codec
from letterlock.codec import sip as sip_codec
from letterlock.codec.chatbot import maap
from letterlock.codec.xml import XmlLimits
from letterlock.crypto.pyca import Pyca
from letterlock.engine import content
from letterlock.engine.limits import DEFAULTS
from letterlock.errors import BadPublicKey
from letterlock.ids import AccountId, DeviceId, MessageId, Number
from letterlock.signal import messages
from letterlock.signal.spqr import wire as spqr_wire
from letterlock.trust import authoring, device_entry, device_list, group_log_bundle, group_log_entry
from mls.decoders import mls_decoders
from push.push_decoders import push_decoders
from rcc16.credential_decoders import credential_decoders
from rcc16.wire_decoders import rcc16_wire_decoders
from services.kds_decoders import kds_decoders
from verbs.rpc_decoders import rpc_decoders

MIME_LIMITS = mime.MimeLimits(65_536, 64, 8_192, 4, 32)
CPIM_LIMITS = cpim.CpimLimits(65_536, 64, 8_192)
XML_LIMITS = XmlLimits(16_384, 16, 256)
PROVISIONING_LIMITS = provisioning.DocumentLimits(XML_LIMITS, 366 * 86_400, 10_000, 1 << 40)
FILE_LIMITS = ft_http.FileLimits(XML_LIMITS, 1 << 40, 255, 2048)
SIP_LIMITS = sip_codec.Limits(16_384, 128, 8_192, 65_536)
SMPP_LIMITS = smpp.SmppLimits(max_pdu=70_000, max_parameters=64)
MSRP_LIMITS = msrp_codec.Limits(4_096, 32, 8)


@dataclass(frozen=True)
class Decoder:
    """One decoder and what honest input looks like."""

    name: str
    decode: Callable[[bytes], Any]
    examples: tuple[bytes, ...]


def _text(function: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: function(data.decode("latin-1"))


_MESSAGE = (
    b"MESSAGE sip:+15550199@ims.example.test SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP 127.0.0.1:40000;branch=z9hG4bKabc;rport\r\n"
    b"From: <sip:+15550100@ims.example.test>;tag=1\r\nTo: <sip:+15550199@ims.example.test>\r\n"
    b"Call-ID: c1@127.0.0.1\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n"
    b'Contact: "Ana" <sip:+15550100@127.0.0.1;transport=tcp>;+sip.instance="<urn:uuid:0>"\r\n'
    b"Content-Type: message/cpim\r\nContent-Length: 5\r\n\r\nhello"
)
_RESPONSE = (
    b"SIP/2.0 401 Unauthorized\r\nv: SIP/2.0/TCP h;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=1\r\nt: <sip:a@h>;tag=2\r\n"
    b'i: c\r\nCSeq: 2 REGISTER\r\nWWW-Authenticate: Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"\r\n'
    b"l: 0\r\n\r\n"
)
_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
    b"a=path:msrp://10.0.0.1:9/abcdefgh;tcp\r\na=setup:active\r\na=sendrecv\r\na=accept-types:message/cpim\r\n"
)
_CPIM = (
    b"From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n"
    b"DateTime: 2026-11-23T10:00:00Z\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m-1\r\n"
    b"imdn.Disposition-Notification: positive-delivery, display\r\n\r\n"
    b"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 2\r\n\r\nhi"
)
_MULTIPART = (
    b"Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    b"--b1\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n--b1--\r\n"
)
_IMDN = (
    b'<?xml version="1.0" encoding="UTF-8"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>m-1</message-id>'
    b"<datetime>2026-11-23T10:00:00Z</datetime><delivery-notification><status><delivered/></status>"
    b"</delivery-notification></imdn>"
)
_COMPOSING = (
    b'<?xml version="1.0" encoding="UTF-8"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
    b"<state>active</state><contenttype>text/plain</contenttype><refresh>60</refresh></isComposing>"
)

_ADDRESSES = b"\0\x01\x0115550199\0\x01\x0115550100\0"
_DELIVER_SM = (
    _ADDRESSES + b"\x40\0\0\0\0\0\0\x08\0\x0b\x06\x08\x04\x12\x34\x02\x01\xd8\x3e\xdd\x8a"
    b"\x02\x0c\0\x02\0\x07\x02\x0e\0\x01\x02\x02\x0f\0\x01\x01"
)
_SMSC_RECEIPT = _ADDRESSES + b"\x04\0\0\0\0\0\0\0\0\x12id:m1 stat:DELIVRD\0\x1e\0\x03m1\0\x04\x27\0\x01\x02"


def _short_message(data: bytes) -> Any:
    message = smpp.decode_deliver_sm(data, SMPP_LIMITS)
    return sms_user_data.read_receipt(message) or sms_user_data.user_data(message)


_ROSTER = (
    b'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:conf-1@h.test" state="partial" '
    b'version="5"><conference-description><subject>lunch</subject><maximum-user-count>100</maximum-user-count>'
    b"</conference-description><conference-state><user-count>2</user-count><active>true</active></conference-state>"
    b'<users state="partial"><user entity="sip:a@h.test" state="partial"><roles><entry>participant</entry></roles>'
    b'<endpoint entity="e"><status>disconnected</status><disconnection-method>booted</disconnection-method>'
    b'</endpoint></user><user entity="sip:b@h.test" state="deleted"/></users></conference-info>'
)
_LIST = (
    b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:cp="urn:ietf:params:xml:ns:copycontrol">'
    b'<list><entry uri="sip:a@h.test" cp:copyControl="to" cp:count="2"/><entry uri="tel:+15550100"/></list>'
    b"</resource-lists>"
)
_GROUP_DATA = (
    b'<groupdata xmlns="urn:oma:xml:cpm:groupdata"><target-type>subject</target-type><action-type>set</action-type>'
    b"<data><subject>lunch</subject></data></groupdata>"
)
_FILE = ft_http.encode_file(
    ft_http.FileDocument(
        ft_http.RemoteFile(9, "audio/amr", "https://h.test/f?a=1&b=2", 1_800_000_000_000, "voice.amr"),
        ft_http.RemoteFile(3, "image/png", "https://h.test/t"),
        render=True,
        playing_seconds=12,
    )
)
_PROVISIONING = provisioning.encode_document(
    provisioning.ProvisioningDocument(
        3,
        86_400,
        "token",
        999,
        provisioning.ImsAccount(
            "sip.h.test", 5061, True, "ims.h.test", "sip:+1555@ims.h.test", "+1555@h", "+1555", 'p"<w>', "r"
        ),
        provisioning.Messaging("sip:conference-factory@h", 100, 1_000_000, 1_048_576, 30, "https://c/u", "u", "p"),
        provisioning.OperatorServices("https://d", "12345678", "msrps://r:2855;tcp", "https://g", "pw"),
        provisioning.EncryptionServices("https://k", b"proof", "https://k/anchors/3", 3, b"signer"),
    )
)
_FORM = (
    form_data.part_head(b"b1", "tid", length=3)
    + b"t-1\r\n"
    + form_data.part_head(b"b1", "File", filename="a.jpg", content_type="image/jpeg", length=4)
    + b"\r\n--\r\n--b1--\r\n"
)


def _form(data: bytes) -> Any:
    return form_data.FormDataReader(b"b1", form_data.FormLimits(8, 2048)).feed(data)


_MSRP_PATHS = (
    b"To-Path: msrp://bob.example.com:8888/9di4eae923wzd;tcp\r\n"
    b"From-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp\r\n"
)
_MSRP_SEND = (
    b"MSRP d93kswow SEND\r\n" + _MSRP_PATHS + b"Message-ID: 12339sdqwer\r\nByte-Range: 1-5/5\r\nSuccess-Report: yes\r\n"
    b"Content-Type: text/plain\r\n\r\nhello\r\n-------d93kswow$\r\n"
)
_MSRP_REPORT = (
    b"MSRP dkei38sd REPORT\r\n" + _MSRP_PATHS + b"Message-ID: 12339sdqwer\r\nByte-Range: 1-5/5\r\n"
    b"Status: 000 200 OK\r\n-------dkei38sd$\r\nMSRP d93kswow 200 OK\r\n" + _MSRP_PATHS + b"-------d93kswow$\r\n"
)


def _msrp_stream(data: bytes) -> Any:
    return msrp_codec.MsrpParser(MSRP_LIMITS).feed(data)


def _stream(data: bytes) -> Any:
    return sip_codec.StreamParser(SIP_LIMITS).feed(data)


def _signal_examples() -> tuple[bytes, bytes]:
    crypto = Pyca()
    rng = random.Random(7).randbytes
    public = crypto.x25519_generate(rng)[1]
    body = messages.encode_signal_body(public, 3, 1, rng(48), b"\x01\x01\x01\x00", rng(36))
    signal = body + rng(8)
    return signal, public


def decoders() -> tuple[Decoder, ...]:
    rng = random.Random(3).randbytes
    signal, public = _signal_examples()
    typed = b"\x05" + public
    kem = b"\x08" + rng(1568)
    upload = prekeys.PreKeyUpload(
        77,
        prekeys.SignedPreKey(1, typed, rng(64)),
        prekeys.KemPreKey(2, kem, rng(64)),
        (prekeys.OneTimePreKey(3, typed), prekeys.OneTimePreKey(4, typed)),
        (prekeys.KemPreKey(5, kem, rng(64)),),
    )
    bundle = prekeys.PreKeyBundle(77, DeviceId(1), typed, upload.signed, upload.last_resort, True, None)
    wire = frame.WireFrame(
        AccountId(rng(16)),
        DeviceId(1),
        AccountId(rng(16)),
        rng(300),
        (frame.FrameCopy(DeviceId(1), 3, rng(120)), frame.FrameCopy(DeviceId(2), 2, rng(80))),
    )
    prekey_message = messages.encode_prekey_message(
        registration_id=77,
        one_time_id=3,
        signed_id=1,
        kem_id=2,
        kem_ciphertext=rng(1568),
        base_key=public,
        identity_key=public,
        message=signal,
    )
    return (
        Decoder("sip message", lambda data: sip_codec.parse_message(data, SIP_LIMITS), (_MESSAGE, _RESPONSE)),
        Decoder("sip stream", _stream, (_MESSAGE + b"\r\n\r\n" + _RESPONSE,)),
        Decoder(
            "sip uri", _text(sip_codec.Uri.parse), (b"sip:+1555@h.test:5060;transport=tcp;lr?a=b", b"tel:+1555;x=y")
        ),
        Decoder("sip address", _text(sip_codec.NameAddr.parse), (b'"Ana \\" B" <sip:a@h;lr>;tag=1;q=0.5',)),
        Decoder("sip via", _text(sip_codec.Via.parse), (b"SIP/2.0/TCP [::1]:5060;branch=z9hG4bK1;received=::1",)),
        Decoder("sip cseq", _text(sip_codec.CSeq.parse), (b"4711 MESSAGE",)),
        Decoder(
            "sip challenge",
            _text(sip_codec.Challenge.parse),
            (b'Digest realm="r", nonce="n", qop="auth,auth-int", stale=TRUE',),
        ),
        Decoder(
            "sip credentials",
            _text(sip_codec.Credentials.parse),
            (
                b'Digest username="u", realm="r", nonce="n", uri="sip:h", response="00", qop=auth, nc=00000001, cnonce="c"',
            ),
        ),
        Decoder("msrp stream", _msrp_stream, (_MSRP_SEND, _MSRP_REPORT)),
        Decoder(
            "msrp path",
            _text(lambda text: msrp_codec.parse_path(text, 4)),
            (b"msrps://ana@[2001:db8::1]:2855/a+b;tcp;x=y msrp://h.test:1/c;tcp",),
        ),
        Decoder("msrp byte range", _text(msrp_codec.ByteRange.parse), (b"1-*/9223372036854775807", b"5-8/8")),
        Decoder("msrp status", _text(msrp_codec.Status.parse), (b"000 413 too large",)),
        Decoder("sdp", lambda data: sdp.decode_sdp(data, sdp.SdpLimits(8192, 128, 8)), (_SDP,)),
        Decoder("cpim", lambda data: cpim.decode_cpim(data, CPIM_LIMITS), (_CPIM,)),
        Decoder("mime tree", lambda data: mime.decode_tree(data, MIME_LIMITS), (_MULTIPART,)),
        Decoder("imdn", lambda data: imdn.decode_imdn(data, XML_LIMITS), (_IMDN,)),
        Decoder("smpp header", lambda data: smpp.decode_header(data, SMPP_LIMITS), (b"\0\0\0\x10" + b"\0" * 12,)),
        Decoder("smpp message id", smpp.decode_message_id, (b"m1\0", b"")),
        Decoder("smpp deliver_sm", _short_message, (_DELIVER_SM, _SMSC_RECEIPT)),
        Decoder(
            "sms text",
            lambda data: sms_text.decode(data[1:], sms_text.coding_of(data[0] if data else 0, sms_text.Coding.GSM)),
            (b"\x00hi \x1be", b"\x08\xd8\x3e\xdd\x8a", b"\x03caf\xe9"),
        ),
        Decoder("iscomposing", lambda data: iscomposing.decode_iscomposing(data, XML_LIMITS), (_COMPOSING,)),
        Decoder(
            "conference info",
            lambda data: conference_info.decode_conference_info(data, XML_LIMITS, max_users=100),
            (_ROSTER,),
        ),
        Decoder(
            "resource list",
            lambda data: resource_lists.decode_resource_list(data, XML_LIMITS, max_entries=100),
            (_LIST,),
        ),
        Decoder("group data", lambda data: group_data.decode_group_data(data, XML_LIMITS), (_GROUP_DATA,)),
        Decoder("file document", lambda data: ft_http.decode_file(data, FILE_LIMITS), (_FILE,)),
        Decoder(
            "file resume information",
            lambda data: ft_http.decode_resume_info(data, FILE_LIMITS),
            (ft_http.encode_resume_info(ft_http.ResumeInfo(0, 99, "https://h.test/u")),),
        ),
        Decoder(
            "provisioning document",
            lambda data: provisioning.decode_document(data, PROVISIONING_LIMITS),
            (_PROVISIONING, provisioning.encode_document(provisioning.ProvisioningDocument(-2, 60, "t", 1))),
        ),
        Decoder("form data", _form, (_FORM,)),
        Decoder("form boundary", _text(form_data.boundary_of), (b'multipart/form-data; a=b; boundary="a b"',)),
        Decoder("protobuf", protobuf.decode, (signal[1:-8],)),
        Decoder(
            "frame",
            lambda data: frame.decode_frame(data, max_frame=65_536, max_list=8_192, max_copies=8),
            (frame.encode_frame(wire),),
        ),
        Decoder(
            "pre-key upload",
            lambda data: prekeys.decode_upload(data, max_one_time=10),
            (prekeys.encode_upload(upload),),
        ),
        Decoder("pre-key bundle", prekeys.decode_bundle, (prekeys.encode_bundle(bundle),)),
        Decoder("signal message", lambda data: messages.decode_signal_message(data, 65_536), (signal,)),
        Decoder("signal pre-key message", lambda data: messages.decode_prekey_message(data, 65_536), (prekey_message,)),
        Decoder("spqr message", spqr_wire.decode, (bytes([1, 1, 1, 1, 0]) + rng(32),)),
        Decoder("device list", device_list.decode_list, (_device_list(),)),
        Decoder(
            "group entry", lambda data: group_log_entry.decode_entry(data, group_log_entry.LIMITS), _group_entries()
        ),
        Decoder("certificate", _certificate_key, (_certificate(),)),
        Decoder(
            "push location",
            lambda data: push_location.decode_push_location(data, XML_LIMITS),
            (
                push_location.encode_push_location(
                    push_location.PushLocation(48.5, -3.25, 10, "café", "tel:+15550100", "m-1")
                ),
            ),
        ),
        Decoder("content", lambda data: content.read(data, DEFAULTS), _contents()),
        *(Decoder(name, decode, examples) for name, decode, examples in mls_decoders()),
        *(Decoder(name, decode, examples) for name, decode, examples in files_decoders()),
        *(Decoder(name, decode, examples) for name, decode, examples in rcc16_wire_decoders()),
        *(Decoder(name, decode, examples) for name, decode, examples in credential_decoders()),
        *(Decoder(name, decode, examples) for name, decode, examples in kds_decoders()),
        *(Decoder(name, decode, examples) for name, decode, examples in chatbot_decoders()),
        *(Decoder(name, decode, examples) for name, decode, examples in push_decoders()),
        *(Decoder(name, decode, examples) for name, decode, examples in gateway_decoders()),
        *(Decoder(name, decode, examples) for name, decode, examples in rpc_decoders()),
    )


def _contents() -> tuple[bytes, ...]:
    number, message_id = Number("+15550100"), MessageId("m-1")
    reference = content.Reference(message_id, number)
    remote = ft_http.RemoteFile(7, "image/png", "https://cs.example.test/1", 1_800_000_000_000, "a.png")
    kinds: tuple[content.Sendable | content.Emptied, ...] = (
        content.Text("hello", reference),
        content.Reaction(reference, "👍", remove=True),
        content.Edit(message_id, "hallo"),
        content.Delete(message_id),
        content.Emptied(change=True),
        content.Location(1.5, 2.5, "here"),
        content.File(remote, digest="sha-256=:AAAA:"),
        content.SuggestionResponse("Yes", "order:7", reply_to=reference),
    )
    joined, below = maap.encode_joined(maap.MESSAGE_TYPE, maap.encode_message(CARD), CHIPS, "b-1")
    return (
        content.encode_text("hello", 12, number),
        content.encode_receipt(message_id, 12, displayed=True),
        *(content.encode(content.express(kind, message_id, number, 12), 12) for kind in kinds),
        content.encode(content.Parts(joined, below), 12),
    )


def _certificate_key(der: bytes) -> object:
    with contextlib.suppress(BadPublicKey):  # documented as well: a key of another kind, or a point off its curve
        return Pyca().certificate_public_key(der)
    return None


def _certificate() -> bytes:
    """Of a P-256 key, signed with Ed25519 so that it is always the same."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    builder = x509.CertificateBuilder(name, name, key, 1, start, start + timedelta(days=1))
    signer = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    return builder.sign(signer, None).public_bytes(serialization.Encoding.DER)


def _group_entries() -> tuple[bytes, ...]:
    vectors = json.loads((Path(__file__).parent / "vectors" / "group-log.json").read_text())
    return tuple(bytes.fromhex(entry["encoded"]) for entry in vectors["entries"])


def _group_bundle() -> bytes:
    entries = _group_entries()
    return group_log_bundle.encode_bundle(group_log_bundle.Bundle((_device_list(),), entries[:3]))


def _device_list() -> bytes:
    """A real signed list of two devices."""
    crypto = Pyca()
    rng = random.Random(5).randbytes
    participant = crypto.p256_generate(rng)
    spki = crypto.p256_spki(crypto.p256_public(participant))

    def entry(device: int) -> device_entry.DeviceEntry:
        private, public = crypto.x25519_generate(rng)
        return device_entry.create_entry(
            number=Number("+15550100"),
            participant_spki=spki,
            device=DeviceId(device),
            registration_id=100 + device,
            identity_key=b"\x05" + public,
            sign_identity=lambda message: crypto.xeddsa_sign(private, message, rng),
            capabilities=("signal",),
            name="phone",
        )

    def sign(message: bytes) -> bytes:
        return crypto.p256_sign(participant, message)

    now = 1_800_000_000_000
    first = authoring.create_list(
        number=Number("+15550100"), participant_spki=spki, primary=entry(1), sign=sign, crypto=crypto, now=now
    )
    return authoring.add_device(first, entry(2), sign=sign, crypto=crypto, now=now).encoded


def mutated(example: bytes, rng: random.Random) -> bytes:
    """One hostile variation of an honest input."""
    data = bytearray(example)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        choice = rng.randrange(7)
        if choice == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif choice == 1 and data:
            data[at % len(data)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0D, 0x0A, 0x22, 0x3C))
        elif choice == 2:
            del data[at:]
        elif choice == 3:
            data[at:at] = rng.randbytes(rng.randrange(9))
        elif choice == 4:
            stop = min(len(data), at + rng.randrange(64))
            data[at:at] = data[at:stop] * rng.choice((1, 2, 50))
        elif choice == 5:
            del data[at : at + rng.randrange(32)]
        else:
            other = rng.randrange(len(data) + 1)
            data[at : at + 16] = data[other : other + 16]
    return bytes(data[:100_000])
