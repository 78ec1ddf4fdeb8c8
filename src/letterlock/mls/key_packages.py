"""A client's own key packages: made, published, used once, forgotten (RFC 9420 sections 10 and 16.8).

The private half of a one-time package is deleted when it has opened a Welcome. A last-resort package serves
several Welcomes until it is replaced; it remembers which ones, so that a Welcome that comes again is not taken
for a new one (SR-13).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..codec.tls import Reader, opaque, u8, u32
from ..errors import DecodeError, InputError
from ..ids import Instant, Rng
from .client import Client
from .registries import APP_DATA_DICTIONARY, DEFAULT_EXTENSIONS, LAST_RESORT, PROTOCOL_VERSION_MLS10
from .suites import CipherSuite
from .wire.extensions import Extension, find_extension
from .wire.key_package import KeyPackage
from .wire.leaf_node import LeafNodeSource, Lifetime
from .wire.message import encode_message
from .wire.welcome import Welcome

__all__ = [
    "LAST_RESORT_COMPONENT",
    "LAST_RESORT_EXTENSION",
    "KeyPackageBundle",
    "KeyPackages",
    "is_last_resort",
    "make_key_package",
]

LAST_RESORT_EXTENSION = Extension(LAST_RESORT, b"")
"""The mark that deployed clients know (older drafts of the MLS extensions)."""

# ComponentData { uint16 component_id; opaque data<V> } of draft-ietf-mls-extensions section 4.6, id 0x0004.
_COMPONENT_LIST = bytes.fromhex("03000400")
LAST_RESORT_COMPONENT = Extension(APP_DATA_DICTIONARY, _COMPONENT_LIST)
"""The mark of the current draft: component 0x0004 without data in app_data_dictionary."""

_ROW_VERSION = 1
_MAX_WELCOMES = 1_000


@dataclass(frozen=True, slots=True)
class KeyPackageBundle:
    """A key package with its private keys. `message` is what goes to the directory."""

    key_package: KeyPackage
    reference: bytes
    init_private: bytes = field(repr=False)
    encryption_private: bytes = field(repr=False)
    last_resort: bool
    welcomes: tuple[bytes, ...] = ()
    """SHA-256 of the Welcomes that a last-resort package has opened."""

    @property
    def message(self) -> bytes:
        """MLSMessage(KeyPackage)."""
        return encode_message(self.key_package)

    @property
    def not_after(self) -> Instant:
        """When it expires, milliseconds."""
        lifetime = self.key_package.leaf_node.lifetime
        return 0 if lifetime is None else lifetime.not_after * 1000

    def to_row(self) -> bytes:
        """For the store; secret."""
        return b"".join(
            (
                u8(_ROW_VERSION),
                u8(self.last_resort),
                opaque(self.key_package.encoded),
                opaque(self.init_private),
                opaque(self.encryption_private),
                u32(len(self.welcomes)),
                *self.welcomes,
            )
        )

    @classmethod
    def from_row(cls, row: bytes, suite: CipherSuite) -> KeyPackageBundle:
        """Raises DecodeError."""
        reader = Reader(row)
        if reader.u8() != _ROW_VERSION:
            raise DecodeError("a key package row of another version", code="mls.row")
        last_resort = reader.u8() == 1
        package = KeyPackage.decode(reader.opaque(len(row)))
        init_private, encryption_private = reader.opaque(len(row)), reader.opaque(len(row))
        welcomes = tuple(reader.take(32) for _ in range(min(reader.u32(), _MAX_WELCOMES)))
        reader.end()
        reference = suite.key_package_ref(package.encoded)
        return cls(package, reference, init_private, encryption_private, last_resort, welcomes)


def make_key_package(
    client: Client,
    now: Instant,
    rng: Rng,
    *,
    lifetime_seconds: int,
    last_resort: Extension | None = None,
    extensions: tuple[Extension, ...] = (),
) -> KeyPackageBundle:
    """A package valid from an hour ago (clocks differ) for `lifetime_seconds` in all.

    `last_resort` is the mark to put on it, one of the two constants here; its type must be among the client's
    capabilities. Raises InputError for a lifetime over the policy's limit.
    """
    if lifetime_seconds > client.policy.max_lifetime_seconds:
        raise InputError("the lifetime is longer than the policy allows", code="mls.input.lifetime")
    suite = client.suite
    extensions = extensions if last_resort is None else (*extensions, last_resort)
    unlisted = {e.extension_type for e in extensions} - set(client.capabilities.extensions) - DEFAULT_EXTENSIONS
    if unlisted:
        raise InputError(
            f"extension {min(unlisted):#06x} is not among the client's capabilities (RFC 9420 section 10)",
            code="mls.input.capabilities",
        )
    init_private, init_key = suite.generate_key_pair(rng)
    encryption_private, encryption_key = suite.generate_key_pair(rng)
    not_before = now // 1000 - 3600
    leaf = client.leaf(
        encryption_key, LeafNodeSource.KEY_PACKAGE, lifetime=Lifetime(not_before, not_before + lifetime_seconds)
    )
    package = KeyPackage.build(
        version=PROTOCOL_VERSION_MLS10,
        cipher_suite=suite.number,
        init_key=init_key,
        leaf_node=leaf,
        extensions=extensions,
        sign=lambda tbs: suite.sign_with_label(client.sign, "KeyPackageTBS", tbs),
    )
    reference = suite.key_package_ref(package.encoded)
    return KeyPackageBundle(package, reference, init_private, encryption_private, last_resort is not None)


def is_last_resort(package: KeyPackage) -> bool:
    """Whether the package carries one of the two marks: for a directory, and for those who add it."""
    if find_extension(package.extensions, LAST_RESORT) is not None:
        return True
    data = find_extension(package.extensions, APP_DATA_DICTIONARY)
    return data is not None and _has_component(data)


class KeyPackages:
    """What a client holds of its own packages. `take_changes` gives the rows to write, None to delete."""

    def __init__(self, bundles: Iterable[KeyPackageBundle] = ()) -> None:
        self._bundles = {bundle.reference: bundle for bundle in bundles}
        self._changes: dict[bytes, bytes | None] = {}

    def __len__(self) -> int:
        return len(self._bundles)

    def __iter__(self) -> Iterable[KeyPackageBundle]:
        return iter(self._bundles.values())

    def add(self, bundle: KeyPackageBundle) -> None:
        """Keep a new package. Commit the row before the package is published."""
        self._bundles[bundle.reference] = bundle
        self._changes[bundle.reference] = bundle.to_row()

    def one_time(self, now: Instant) -> int:
        """How many unexpired one-time packages there are: fewer than wanted means to publish more."""
        return sum(not bundle.last_resort and bundle.not_after > now for bundle in self._bundles.values())

    def find(self, welcome: Welcome) -> KeyPackageBundle | None:
        """The package that a Welcome is for; None if it is for none of ours, or was opened before."""
        digest = hashlib.sha256(welcome.encode()).digest()
        for entry in welcome.secrets:
            bundle = self._bundles.get(entry.new_member)
            if bundle is not None and digest not in bundle.welcomes:
                return bundle
        return None

    def used(self, bundle: KeyPackageBundle, welcome: Welcome) -> None:
        """The Welcome was joined: forget a one-time package, remember the Welcome of a last-resort one."""
        if not bundle.last_resort:
            self.forget(bundle.reference)
            return
        digest = hashlib.sha256(welcome.encode()).digest()
        if len(bundle.welcomes) >= _MAX_WELCOMES:
            self.forget(bundle.reference)  # long overdue for replacement
        else:
            self.add(replace(bundle, welcomes=(*bundle.welcomes, digest)))

    def forget(self, reference: bytes) -> None:
        """Delete the private keys of a package (replaced, or withdrawn)."""
        if self._bundles.pop(reference, None) is not None:
            self._changes[reference] = None

    def expire(self, now: Instant, grace_ms: int) -> list[bytes]:
        """Forget what expired more than `grace_ms` ago: a Welcome may still be on its way until then."""
        gone = [ref for ref, bundle in self._bundles.items() if bundle.not_after + grace_ms < now]
        for reference in gone:
            self.forget(reference)
        return gone

    def take_changes(self) -> dict[bytes, bytes | None]:
        """Rows by KeyPackageRef since the last call."""
        changes, self._changes = self._changes, {}
        return changes


def _has_component(data: bytes) -> bool:
    reader = Reader(data)
    try:
        inner = reader.sub()
        while inner.more():
            component = inner.u16()
            inner.opaque(len(data))
            if component == 0x0004:
                return True
    except DecodeError:
        return False
    return False
