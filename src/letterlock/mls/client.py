"""`Client`: who we are in a group. The signature key may live elsewhere; only a way to sign is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import InputError
from ..ids import Rng
from .authentication import Authentication
from .policy import Policy
from .registries import DEFAULT_EXTENSIONS, DEFAULT_PROPOSALS, GREASE_VALUES, PROTOCOL_VERSION_MLS10
from .suites import CipherSuite
from .wire.credential import Credential
from .wire.extensions import Extension
from .wire.leaf_node import Capabilities, LeafNode, LeafNodeSource, Lifetime

__all__ = ["Client", "Sign", "make_capabilities"]

_GREASE = sorted(GREASE_VALUES)

Sign = Callable[[bytes], bytes]
"""Signs the given bytes with the client's signature key; may call a secure element."""


@dataclass(frozen=True, slots=True)
class Client:
    """One device with one signature key, for one cipher suite."""

    suite: CipherSuite
    credential: Credential
    signature_key: bytes
    sign: Sign = field(repr=False)
    capabilities: Capabilities
    authentication: Authentication
    policy: Policy
    leaf_extensions: tuple[Extension, ...] = ()

    @property
    def supported_extensions(self) -> frozenset[int]:
        """Those we really know: without the GREASE that our capabilities show to others (section 13.5)."""
        return frozenset(self.capabilities.extensions) - GREASE_VALUES

    def leaf(
        self,
        encryption_key: bytes,
        source: LeafNodeSource,
        *,
        lifetime: Lifetime | None = None,
        parent_hash: bytes | None = None,
        group_id: bytes = b"",
        leaf_index: int = 0,
    ) -> LeafNode:
        """A leaf of ours, signed (RFC 9420 section 7.2). Group and index matter for updates and commits only."""
        return LeafNode.build(
            encryption_key=encryption_key,
            signature_key=self.signature_key,
            credential=self.credential,
            capabilities=self.capabilities,
            leaf_node_source=source,
            lifetime=lifetime,
            parent_hash=parent_hash,
            extensions=self.leaf_extensions,
            sign=lambda tbs: self.suite.sign_with_label(self.sign, "LeafNodeTBS", tbs),
            group_id=group_id,
            leaf_index=leaf_index,
        )


def make_capabilities(
    cipher_suites: Sequence[int],
    credentials: Sequence[int],
    *,
    extensions: Sequence[int] = (),
    proposals: Sequence[int] = (),
    grease: Rng | None = None,
) -> Capabilities:
    """What a leaf declares. `grease` sprinkles reserved values so that others stay tolerant (section 13.5).

    Raises InputError for types that every client supports: they must not be listed (section 7.2).
    """
    if DEFAULT_EXTENSIONS.intersection(extensions) or DEFAULT_PROPOSALS.intersection(proposals):
        raise InputError("a default extension or proposal type is not listed", code="mls.input.capabilities")

    def with_grease(values: Sequence[int]) -> tuple[int, ...]:
        return (*values, _GREASE[grease(1)[0] % len(_GREASE)]) if grease else tuple(values)

    return Capabilities(
        versions=(PROTOCOL_VERSION_MLS10,),
        cipher_suites=with_grease(cipher_suites),
        extensions=with_grease(extensions),
        proposals=with_grease(proposals),
        credentials=with_grease(credentials),
    )
