"""Other people's MLS: ts-mls in Node and mls-rs in a Python environment of its own, each a process that speaks JSON lines.

`MlsPeer.call` takes and gives bytes as bytes. `PeerMember` is one client with its groups, with one method for each thing
that a member does; the operations behind them, and what each library can and cannot do, stand in `mls/README.md`.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.json_lines import JsonLinesPeer, PeerError, why_absent

__all__ = [
    "Committed",
    "MlsPeer",
    "PeerError",
    "PeerMember",
    "Processed",
    "add",
    "custom",
    "group_context_extensions",
    "mls_rs",
    "mls_rs_missing",
    "psk",
    "reinit",
    "remove",
    "resumption_psk",
    "ts_mls",
    "ts_mls_missing",
    "update",
]

FOLDER = Path(__file__).parent / "mls"
PYTHON = FOLDER / ".venv" / "bin" / "python"
Proposal = dict[str, Any]
Extensions = Iterable[tuple[int, bytes]]
_names = itertools.count(1)


def ts_mls_missing() -> str:
    """Why ts-mls cannot run here, or nothing."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (FOLDER / "node_modules" / "ts-mls").is_dir():
        return why_absent(
            FOLDER / "node_modules" / ".npm.log", "tests/interop/mls/node_modules is absent: run npm ci there"
        )
    return ""


def mls_rs_missing() -> str:
    """Why mls-rs cannot run here, or nothing."""
    if not any((FOLDER / ".venv").glob("lib*/python*/site-packages/mls_rs_uniffi")):
        return why_absent(FOLDER / ".venv" / ".pip.log", "tests/interop/mls/.venv is absent: ./run test makes it")
    return ""


class MlsPeer(JsonLinesPeer):
    """One process. Bytes are `{"hex": ...}` on its wire and bytes here."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__(command, FOLDER)
        self.about = self.call("hello")
        self.name = f"{self.about['peer']} {self.about['version']}"
        self.suites: tuple[int, ...] = tuple(self.about["suites"])
        self.ops: frozenset[str] = frozenset(self.about["ops"])

    def _packed(self, request: dict[str, Any]) -> str:
        return json.dumps(request, default=lambda data: {"hex": data.hex()})

    def _unpacked(self, line: str) -> Any:
        return json.loads(line, object_hook=lambda o: bytes.fromhex(o["hex"]) if o.keys() == {"hex"} else o)


def ts_mls() -> MlsPeer:
    return MlsPeer(["node", "--no-warnings", "tsmls_peer.mjs"])


def mls_rs() -> MlsPeer:
    return MlsPeer([str(PYTHON), "mlsrs_peer.py"])


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit sends. `tree` is the new epoch's ratchet tree, where the peer tells it."""

    commit: bytes
    welcome: bytes | None
    tree: bytes | None
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Processed:
    """`kind` is application, proposal or commit. `proposals` are names, where the peer tells them."""

    kind: str
    data: bytes | None
    proposals: tuple[str, ...]


def add(key_package: bytes) -> Proposal:
    return {"type": "add", "key_package": key_package}


def remove(*, index: int | None = None, identity: bytes | None = None) -> Proposal:
    """mls-rs knows identities only, and only those of members of its own process or who were heard (`process(sender=)`)."""
    return {"type": "remove", "index": index} if identity is None else {"type": "remove", "identity": identity}


def update() -> Proposal:
    return {"type": "update"}


def psk(psk_id: bytes) -> Proposal:
    """An external one. Both sides must have it: `MlsPeer.call("psk", psk_id=..., psk=...)`."""
    return {"type": "psk", "psk_id": psk_id}


def resumption_psk(usage: str, group_id: bytes, epoch: int) -> Proposal:
    """`usage` is application, reinit or branch. The peer finds the value among its groups."""
    return {"type": "resumption_psk", "usage": usage, "group_id": group_id, "epoch": epoch}


def reinit(group_id: bytes, suite: int, extensions: Extensions = ()) -> Proposal:
    return {"type": "reinit", "group_id": group_id, "suite": suite, "extensions": list(extensions)}


def group_context_extensions(extensions: Extensions) -> Proposal:
    return {"type": "group_context_extensions", "extensions": list(extensions)}


def custom(proposal_type: int, data: bytes) -> Proposal:
    return {"type": "custom", "proposal_type": proposal_type, "data": data}


class PeerMember:
    """One client of a peer, and the one group it is in after `create`, `join` or `external_join`.

    `options` of the client: x509 (list of DER), private_key and public_key; `tree=False` for an mls-rs client whose Welcomes
    carry no tree. Options of a key package (ts-mls only): grease, suites, capable_extensions, capable_proposals,
    capable_credentials, extensions, leaf_extensions, not_before, not_after.
    """

    def __init__(self, peer: MlsPeer, identity: bytes = b"", suite: int = 1, **options: Any) -> None:
        self.peer = peer
        self.suite = suite
        self.name = f"c{next(_names)}"
        self.identity = identity or self.name.encode()
        self.group = f"g-{self.name}"
        given = {"identity": self.identity} if "x509" not in options else {}
        self.public_key: bytes = peer.call("client", client=self.name, suite=suite, **given, **options)["public_key"]

    def key_package(self, **options: Any) -> bytes:
        """A fresh one, as MLSMessage."""
        return self._bytes("key_package", "key_package", client=self.name, **options)

    def create(self, group_id: bytes, group_extensions: Extensions = (), **options: Any) -> None:
        self._group("create", client=self.name, group_id=group_id, group_extensions=list(group_extensions), **options)

    def join(self, welcome: bytes, tree: bytes | None = None, resuming: PeerMember | None = None) -> None:
        """`resuming` is our membership of the group that this one continues."""
        old = {} if resuming is None else {"resuming": resuming.group}
        self._group("join", client=self.name, welcome=welcome, tree=tree, **old)

    def external_join(
        self, group_info: bytes, tree: bytes | None = None, *, resync: bool = False, **options: Any
    ) -> bytes:
        """Gives the external Commit. The group changes at once."""
        made = self._group(
            "external_join", client=self.name, group_info=group_info, tree=tree, resync=resync, **options
        )
        return _as_bytes(made["commit"])

    def propose_join(self, group_info: bytes, **options: Any) -> bytes:
        """An Add of ourselves from outside (new_member_proposal)."""
        return self._bytes("propose_join", "proposal", client=self.name, group_info=group_info, **options)

    def propose_external(self, group_info: bytes, proposal: Proposal) -> bytes:
        """A proposal as the external sender with our signature key."""
        return self._bytes("propose_external", "proposal", client=self.name, group_info=group_info, proposal=proposal)

    def propose(self, proposal: Proposal, *, public: bool = False, aad: bytes = b"") -> bytes:
        return _as_bytes(self._group("propose", proposal=proposal, public=public, aad=aad)["proposal"])

    def commit(self, *proposals: Proposal, merge: bool = True, public: bool = False, **options: Any) -> Committed:
        """Commit what is pending by reference, then `proposals` by value. Options: tree=False, without_pending, aad."""
        made = self._group("commit", proposals=list(proposals), merge=merge, public=public, **options)
        return Committed(made["commit"], made["welcome"], made["tree"], made["ms"])

    def merge(self) -> None:
        self._group("merge")

    def clear_pending(self) -> None:
        self._group("clear_pending")

    def process(self, message: bytes, sender: bytes | None = None) -> Processed:
        """`sender` is the identity that sent it: mls-rs keeps its handle for a later Remove."""
        done = self._group("process", message=message, sender=sender)
        return Processed(done["kind"], done["data"], tuple(done.get("proposals", ())))

    def encrypt(self, data: bytes, aad: bytes = b"") -> bytes:
        return _as_bytes(self._group("encrypt", data=data, aad=aad)["message"])

    def export(self, label: str, context: bytes = b"", length: int = 32) -> bytes:
        return _as_bytes(self._group("export", label=label, context=context, length=length)["secret"])

    def group_info(self, **options: Any) -> bytes:
        """Options: tree=False, external_pub=False, bare=True for ts-mls's own external_pub."""
        return _as_bytes(self._group("group_info", **options)["group_info"])

    def tree(self) -> bytes:
        return _as_bytes(self._group("tree")["tree"])

    def status(self) -> dict[str, Any]:
        """What the peer tells of the group: ts-mls an epoch and more, mls-rs an exported secret only."""
        return self._group("status")

    @property
    def epoch(self) -> int:
        return int(self.status()["epoch"])

    @property
    def epoch_authenticator(self) -> bytes:
        return _as_bytes(self.status()["epoch_authenticator"])

    def _group(self, op: str, **arguments: Any) -> dict[str, Any]:
        return self.peer.call(op, group=self.group, **arguments)

    def _bytes(self, op: str, name: str, **arguments: Any) -> bytes:
        return _as_bytes(self.peer.call(op, **arguments)[name])


def _as_bytes(value: Any) -> bytes:
    assert isinstance(value, bytes), value
    return value
