"""JSON lines around mls-rs (agentvault-mls-rs-uniffi): one request a line on stdin, one reply a line on stdout.

    {"id": 1, "op": "commit", ...} -> {"id": 1, "ok": true, "result": {...}} or {"id": 1, "ok": false, "error": {...}}

Bytes are {"hex": "..."} both ways. README.md lists the operations. Run it with the interpreter of the environment beside
it, which has the binding and nothing else. Operations whose names begin with bench_ time the library alone: no JSON, no hex.

The binding has no view of a group's state, so replies carry an exported `probe` where ts-mls gives an epoch authenticator.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ["RUST_BACKTRACE"] = "0"  # a panic of the binding is an answer; its page of frames is not

import mls_rs_uniffi as mls

SUITE = mls.CipherSuite.CURVE25519_AES128
Reply = dict[str, Any]


class Refused(Exception):
    """The driver or the binding has no such thing."""


@dataclass
class Membership:
    """One group, its client's name, and our own commit as long as it is pending."""

    group: mls.Group
    client: str
    own_commit: mls.Message | None = None


clients: dict[str, mls.Client] = {}
groups: dict[str, Membership] = {}
# The handles by which members are removed. The binding makes none from bytes: they come with messages.
identities: dict[bytes, mls.SigningIdentity] = {}


def client(a: Reply) -> mls.Client:
    if a["client"] not in clients:
        raise Refused(f"no client {a['client']}")
    return clients[a["client"]]


def group(a: Reply) -> Membership:
    if a["group"] not in groups:
        raise Refused(f"no group {a['group']}")
    return groups[a["group"]]


def message(data: bytes) -> mls.Message:
    return mls.Message.from_bytes(data)


def status(a: Reply) -> Reply:
    return {"probe": group(a).group.export_secret(b"probe", b"", 32)}


def milliseconds(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, (time.perf_counter() - start) * 1e3


def op_hello(a: Reply) -> Reply:
    version = importlib.metadata.version("agentvault-mls-rs-uniffi")
    names = sorted(name[3:] for name in globals() if name.startswith("op_"))
    return {
        "peer": "mls-rs",
        "version": version,
        "runtime": f"python {sys.version.split()[0]}",
        "suites": [1],
        "ops": names,
    }


def op_client(a: Reply) -> Reply:
    if a.get("suite", 1) != 1:
        raise Refused(f"suite {a['suite']}")
    if "x509" in a:
        raise Refused("credential x509")
    pair = mls.generate_signature_keypair(SUITE)
    config = mls.client_config_default()
    config.use_ratchet_tree_extension = a.get("tree", True)
    made = clients[a["client"]] = mls.Client(a["identity"], pair, config)
    identities[a["identity"]] = made.signing_identity()
    return {"public_key": pair.public_key.bytes}


def op_key_package(a: Reply) -> Reply:
    return {"key_package": client(a).generate_key_package_message().to_bytes()}


def op_create(a: Reply) -> Reply:
    made = client(a).create_group(a["group_id"])
    groups[a["group"]] = Membership(made, a["client"])
    return status(a)


def op_join(a: Reply) -> Reply:
    tree = None if a.get("tree") is None else mls.RatchetTree(bytes=a["tree"])
    joined = client(a).join_group(tree, message(a["welcome"]))
    groups[a["group"]] = Membership(joined.group, a["client"])
    return status(a)


def op_propose(a: Reply) -> Reply:
    """A PublicMessage, whatever was asked for."""
    _without_aad(a)
    proposal, target = a["proposal"], group(a).group
    if proposal["type"] == "add":
        made = target.propose_add_members([message(proposal["key_package"])])
    elif proposal["type"] == "remove":
        made = target.propose_remove_members([_identity(proposal)])
    else:
        raise Refused(f"proposal {proposal['type']}")
    return {"proposal": made[0].to_bytes(), **status(a)}


def op_commit(a: Reply) -> Reply:
    """Pending proposals, and either Adds or Removes by value. A PublicMessage. Nothing changes before `merge`, unless a["merge"]."""
    _without_aad(a)
    proposals = a.get("proposals", [])
    kinds = {proposal["type"] for proposal in proposals}
    target = group(a)
    work: Callable[[], mls.CommitOutput]
    if not proposals:
        work = target.group.commit
    elif kinds == {"add"}:
        work = functools.partial(target.group.add_members, [message(proposal["key_package"]) for proposal in proposals])
    elif kinds == {"remove"}:
        work = functools.partial(target.group.remove_members, [_identity(proposal) for proposal in proposals])
    else:
        raise Refused(f"a commit of {' and '.join(sorted(kinds))}")
    made, spent = milliseconds(work)
    target.own_commit = made.commit_message
    reply = {
        "commit": made.commit_message.to_bytes(),
        "welcome": None if made.welcome_message is None else made.welcome_message.to_bytes(),
        "tree": None if made.ratchet_tree is None else made.ratchet_tree.bytes,
        "ms": spent,
    }
    if a.get("merge"):
        op_merge(a)
    return {**reply, **status(a)}


def op_merge(a: Reply) -> Reply:
    """The binding applies an own commit by being given it back."""
    target = group(a)
    if target.own_commit is None:
        raise Refused("nothing is pending")
    _, spent = milliseconds(lambda: target.group.process_incoming_message(target.own_commit))
    target.own_commit = None
    return {"ms": spent, **status(a)}


def op_process(a: Reply) -> Reply:
    """`sender`: the identity that the caller knows sent this; its handle is kept for a Remove."""
    if _from_outside(a["message"]):
        raise Refused("a proposal from outside the group: the binding panics on it and its group is lost")
    target = group(a)
    received, spent = milliseconds(lambda: target.group.process_incoming_message(message(a["message"])))
    reply: Reply = {"kind": "other", "data": None, "ms": spent}
    if received.is_application_message():
        handle, reply = received.sender, {**reply, "kind": "application", "data": received.data}
    elif received.is_commit():
        handle, reply = received.committer, {**reply, "kind": "commit", "effect": _effect(received.effect)}
        target.own_commit = None
    elif received.is_received_proposal():
        handle, reply = received.sender, {**reply, "kind": "proposal"}
    else:
        return {**reply, **status(a)}
    if a.get("sender") is not None:
        identities[a["sender"]] = handle
    return {**reply, **status(a)}


def op_encrypt(a: Reply) -> Reply:
    _without_aad(a)
    return {"message": group(a).group.encrypt_application_message(a["data"]).to_bytes()}


def op_export(a: Reply) -> Reply:
    label = a["label"].encode()
    return {"secret": group(a).group.export_secret(label, a.get("context", b""), a.get("length", 32))}


def op_status(a: Reply) -> Reply:
    return status(a)


def op_tree(a: Reply) -> Reply:
    return {"tree": group(a).group.export_tree().bytes}


def op_reload(a: Reply) -> Reply:
    """Through the binding's own storage: written, dropped, loaded."""
    target = group(a)
    target.group.write_to_storage()
    target.group = clients[target.client].load_group(a["group_id"])
    return status(a)


def op_forget(a: Reply) -> Reply:
    for name in a.get("groups", []):
        groups.pop(name, None)
    for name in a.get("clients", []):
        clients.pop(name, None)
    return {}


def op_bench_key_packages(a: Reply) -> Reply:
    made, spent = [], []
    for number in range(a["n"]):
        pair = mls.generate_signature_keypair(SUITE)
        owner = mls.Client(f"{a['name']}-{number}".encode(), pair, mls.client_config_default())
        data, ms = milliseconds(lambda owner=owner: owner.generate_key_package_message().to_bytes())
        made.append(data)
        spent.append(ms)
    return {"key_packages": made, "ms": spent}


def op_bench_commit(a: Reply) -> Reply:
    """Empty commits, one after the other: `ms` from the call to bytes, `merge_ms` to apply each before the next."""
    target = group(a).group
    commits, spent, merged = [], [], []
    for _ in range(a["n"]):
        start = time.perf_counter()
        made = target.commit().commit_message
        data = made.to_bytes()
        middle = time.perf_counter()
        target.process_incoming_message(made)
        merged.append((time.perf_counter() - middle) * 1e3)
        spent.append((middle - start) * 1e3)
        commits.append(data)
    return {"commits": commits, "ms": spent, "merge_ms": merged}


def op_bench_process(a: Reply) -> Reply:
    target, spent = group(a).group, []
    for data in a["messages"]:
        start = time.perf_counter()
        target.process_incoming_message(mls.Message.from_bytes(data))
        spent.append((time.perf_counter() - start) * 1e3)
    return {"ms": spent, **status(a)}


def op_bench_join(a: Reply) -> Reply:
    """The same Welcome again and again: the binding gives up a key package only when a group is written to storage."""
    joiner, spent = client(a), []
    for _ in range(a["n"]):
        start = time.perf_counter()
        tree = None if a.get("tree") is None else mls.RatchetTree(bytes=a["tree"])
        joined = joiner.join_group(tree, mls.Message.from_bytes(a["welcome"]))
        spent.append((time.perf_counter() - start) * 1e3)
        groups[a["group"]] = Membership(joined.group, a["client"])
    return {"ms": spent, **status(a)}


def op_bench_encrypt(a: Reply) -> Reply:
    target, data, made, spent = group(a).group, b"\7" * a.get("size", 256), [], []
    for _ in range(a["n"]):
        start = time.perf_counter()
        sealed = target.encrypt_application_message(data).to_bytes()
        spent.append((time.perf_counter() - start) * 1e3)
        made.append(sealed)
    return {"messages": made, "ms": spent}


op_bench_decrypt = op_bench_process


def _without_aad(a: Reply) -> None:
    if a.get("aad"):
        raise Refused("authenticated data")


def _from_outside(data: bytes) -> bool:
    """A PublicMessage whose sender is external or new_member_proposal. It begins: version, wire format, group_id<V>, epoch."""
    if data[:4] != b"\0\1\0\1" or len(data) < 5:
        return False
    length = data[4] if data[4] < 0x40 else (data[4] & 0x3F) << 8 | data[5]
    sender = 4 + (1 if data[4] < 0x40 else 2) + length + 8
    return data[sender : sender + 1] in (b"\2", b"\3")


def _identity(proposal: Reply) -> mls.SigningIdentity:
    if "identity" not in proposal:
        raise Refused("a Remove by leaf index")
    if proposal["identity"] not in identities:
        raise Refused("a Remove of a member whose handle never came with a message")
    return identities[proposal["identity"]]


def _effect(effect: mls.CommitEffect) -> str:
    return "new_epoch" if effect.is_new_epoch() else "reinit" if effect.is_re_init() else "removed"


def answer(line: str) -> str:
    request = json.loads(line, object_hook=lambda o: bytes.fromhex(o["hex"]) if set(o) == {"hex"} else o)
    reply: Reply = {"id": request.pop("id", None)}
    try:
        work = globals().get("op_" + request.pop("op"))
        if work is None:
            raise Refused("no such operation")
        reply.update(ok=True, result=work(request))
    except Exception as error:  # reported, and the next request is served
        reply.update(ok=False, error={"name": type(error).__name__, "message": str(error)})
    return json.dumps(reply, default=lambda data: {"hex": data.hex()})


def main() -> None:
    for line in sys.stdin:
        if line.strip():
            print(answer(line), flush=True)


if __name__ == "__main__":
    main()
