"""Who helps a lying focus: strangers with certificates, and what they can make with the real MLS code.

* Mallory has a genuine certificate of the same authority, for a number that nobody invited.
* A twin has a certificate of that authority for a member's number and another participant key: a key distribution
  server and its authority that lie together can make one.
* A rogue has the same from an authority that nobody trusts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from letterlock.ids import MessageId, Number, Rng, number
from letterlock.mls.client import Client
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.group.group import Group
from letterlock.mls.key_packages import make_key_package
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import Add
from letterlock.rcc16.wire.authenticated_data import encode_authenticated_data
from letterlock.rcc16.wire.extensions import era_extension
from mls.any_credential import AnyCredential
from rcc16.certificates import Identity, Lab, key_pair, lab_policy

from .people import START

__all__ = [
    "MALLORY",
    "Founded",
    "altered",
    "found_group",
    "join_from_outside",
    "key_package",
    "mallory",
    "rogue",
    "twin",
]

MALLORY: Number = number("+15559990001")


@cache
def mallory() -> Identity:
    return Lab().enrol(MALLORY, now=START)


@cache
def twin(of: Number) -> Identity:
    """Certified for a member's number by the authority that all trust."""
    return Lab().enrol(of, now=START, participant=key_pair(f"twin of {of}"), device=90)


@cache
def rogue(of: Number) -> Identity:
    """The same by an authority of the attacker's own."""
    return Lab("nobody trusts this").enrol(of, now=START, participant=key_pair(f"rogue {of}"), device=91)


def client_of(identity: Identity) -> Client:
    """An attacker's client checks nothing."""
    return replace(identity.client, authentication=AnyCredential())


def key_package(identity: Identity, rng: Rng) -> bytes:
    """MLSMessage(KeyPackage)."""
    bundle = make_key_package(client_of(identity), START, rng, lifetime_seconds=60 * 86_400)
    return encode_message(bundle.key_package)


@dataclass(frozen=True)
class Founded:
    """A group that an attacker made."""

    group: Group
    welcome: bytes
    tree: bytes
    group_info: bytes
    commit: bytes


def found_group(
    identity: Identity, group_id: bytes, era: int, packages: list[bytes], message_id: MessageId, rng: Rng,
    extensions: tuple[Extension, ...] = (),
) -> Founded:  # fmt: skip
    """A group of that name and era with these packages in it."""
    client = client_of(identity)
    group = Group.create(client, group_id, extensions=(era_extension(era), *extensions), rng=rng, now=START)
    policy = lab_policy()
    adds = [Add(decode_message(data, policy.proposal_types, 1 << 20)) for data in packages]  # type: ignore[arg-type]
    options = CommitOptions(
        path=False, authenticated_data=encode_authenticated_data(message_id, era), public=True, tree_in_welcome=False
    )
    pending = group.commit(adds, options=options, rng=rng, now=START)
    welcome = pending.welcomes[0].message if pending.welcomes else b""
    group.merge(pending, now=START)
    info = group.group_info(with_tree=False, external_pub=True)
    return Founded(group, welcome, group.state.tree.encode(), info, pending.message)


def join_from_outside(
    identity: Identity, group_info: bytes, tree: bytes, era: int, message_id: MessageId, rng: Rng
) -> tuple[Group, bytes]:
    """An external commit: the focus holds everything that it takes."""
    group, made = Group.join_externally(
        client_of(identity),
        group_info,
        tree=tree,
        authenticated_data=encode_authenticated_data(message_id, era),
        rng=rng,
        now=START,
    )
    return group, made.message


def altered(data: bytes, rng: Rng, start: int = 0, end: int | None = None) -> bytes:
    """One bit is another one, somewhere between `start` and `end`."""
    end = len(data) if end is None else end
    at = start + int.from_bytes(rng(4), "big") % max(end - start, 1)
    changed = bytearray(data)
    changed[at] ^= 1 << rng(1)[0] % 8
    return bytes(changed)
