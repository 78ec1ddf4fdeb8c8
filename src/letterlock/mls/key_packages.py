"""A client's own key packages: made, published, used once, forgotten (RFC 9420 sections 10 and 16.8).

The private half of a one-time package is deleted when it has opened a Welcome. A last-resort package serves
several Welcomes until it is replaced; it remembers which ones, so that a Welcome that comes again is not taken
for a new one (SR-13).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from ..codec.tls import Reader, opaque
from ..errors import DecodeError, InputError
from ..ids import Instant, Rng
from .client import Client
from .registries import APP_DATA_DICTIONARY, DEFAULT_EXTENSIONS, LAST_RESORT, PROTOCOL_VERSION_MLS10
from .stored_row import bad_row, open_row, read_stored, seal_row
from .suites import CipherSuite
from .wire.extensions import Extension, find_extension
from .wire.key_package import KeyPackage
from .wire.leaf_node import LeafNodeSource, Lifetime
from .wire.message import encode_message
from .wire.welcome import EncryptedGroupSecrets, Welcome

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

_ROW: Final = "key_package"
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
    """SHA-256 of the secrets in each Welcome that a last-resort package has opened."""

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
        body = b"".join(
            (
                opaque(self.key_package.encoded),
                opaque(self.init_private),
                opaque(self.encryption_private),
                opaque(b"".join(self.welcomes)),
            )
        )
        return seal_row(_ROW, body)

    @classmethod
    def from_row(cls, row: bytes, suite: CipherSuite) -> KeyPackageBundle:
        """Raises DecodeError for a row that is damaged, of another version or of another cipher suite."""
        return read_stored(lambda: cls._read(Reader(open_row(_ROW, row)), suite))

    @classmethod
    def _read(cls, reader: Reader, suite: CipherSuite) -> KeyPackageBundle:
        package = KeyPackage.decode(reader.vector())
        init_private, encryption_private, welcomes = reader.vector(), reader.vector(), reader.sub()
        digests: list[bytes] = []
        while welcomes.more():
            digests.append(welcomes.take(32))
        reader.end()
        if package.cipher_suite != suite.number:
            raise bad_row("a key package of another cipher suite")
        for private, public in (
            (init_private, package.init_key),
            (encryption_private, package.leaf_node.encryption_key),
        ):
            if suite.public_of(private) != public:
                raise bad_row("a private key that is not that of the key package")
        reference = suite.key_package_ref(package.encoded)
        return cls(package, reference, init_private, encryption_private, is_last_resort(package), tuple(digests))


def make_key_package(
    client: Client,
    now: Instant,
    rng: Rng,
    *,
    lifetime_seconds: int,
    last_resort: Extension | None = None,
    extensions: tuple[Extension, ...] = (),
    not_before: int | None = None,
) -> KeyPackageBundle:
    """A package valid from an hour ago (clocks differ), or from `not_before`, for `lifetime_seconds` in all.

    `last_resort` is the mark to put on it, one of the two constants here; its type must be among the client's
    capabilities. Raises InputError for a lifetime over the policy's limit, and for extensions that nobody accepts.
    """
    if lifetime_seconds > client.policy.max_lifetime_seconds:
        raise InputError("the lifetime is longer than the policy allows", code="mls.input.lifetime")
    suite = client.suite
    if last_resort is not None:
        if last_resort not in (LAST_RESORT_EXTENSION, LAST_RESORT_COMPONENT):
            raise InputError("not a mark of last resort", code="mls.input.last_resort")
        extensions = (*extensions, last_resort)
    kinds = {extension.extension_type for extension in extensions}
    if len(kinds) != len(extensions):
        raise InputError(
            "an extension type occurs twice",
            code="mls.input.extensions",
            hint="an app_data_dictionary of your own has the mark of last resort as one of its components",
        )
    unlisted = kinds - set(client.capabilities.extensions) - DEFAULT_EXTENSIONS
    if unlisted:
        raise InputError(
            f"extension {min(unlisted):#06x} is not among the client's capabilities (RFC 9420 section 10)",
            code="mls.input.capabilities",
        )
    init_private, init_key = suite.generate_key_pair(rng)
    encryption_private, encryption_key = suite.generate_key_pair(rng)
    if not_before is None:
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
    return KeyPackageBundle(package, reference, init_private, encryption_private, is_last_resort(package))


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

    def __iter__(self) -> Iterator[KeyPackageBundle]:
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
        # The first entry for a package counts, here as where it is opened.
        for reference, entry in {entry.new_member: entry for entry in reversed(welcome.secrets)}.items():
            bundle = self._bundles.get(reference)
            if bundle is not None and _digest(entry) not in bundle.welcomes:
                return bundle
        return None

    def used(self, bundle: KeyPackageBundle, welcome: Welcome) -> None:
        """The Welcome was joined: forget a one-time package, remember the Welcome of a last-resort one."""
        # Not what was found then: meanwhile it may have met another Welcome, or have been forgotten.
        known = self._bundles.get(bundle.reference)
        if known is None:
            return
        digest = next((_digest(entry) for entry in welcome.secrets if entry.new_member == known.reference), b"")
        if (
            not known.last_resort or len(known.welcomes) >= _MAX_WELCOMES
        ):  # of so many it is long overdue for replacement
            self.forget(known.reference)
        elif digest and digest not in known.welcomes:
            self.add(replace(known, welcomes=(*known.welcomes, digest)))

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


def _digest(entry: EncryptedGroupSecrets) -> bytes:
    """By what was encrypted to us: the rest of a Welcome is signed by nobody, so whoever carries it can change it."""
    return hashlib.sha256(entry.encode()).digest()


def _has_component(data: bytes) -> bool:
    """Whether an AppDataDictionary has the component of last resort; not if it is malformed."""
    reader = Reader(data)
    components: list[int] = []
    try:
        inner = reader.sub()
        reader.end()
        while inner.more():
            components.append(inner.u16())
            inner.skip()
    except DecodeError:
        return False
    return 0x0004 in components
