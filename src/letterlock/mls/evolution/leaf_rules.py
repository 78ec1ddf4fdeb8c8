"""Whether a LeafNode or a KeyPackage may enter the group: RFC 9420 sections 7.3 and 10.1.

What concerns one leaf alone is here; what concerns it beside the other leaves (uniqueness, credential
types in use) is asked of the index of the tree that results, in `membership`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import BadPublicKey
from ...ids import Instant
from ..authentication import Authentication, check_credential
from ..policy import Policy
from ..registries import DEFAULT_EXTENSIONS, DEFAULT_PROPOSALS, PROTOCOL_VERSION_MLS10, REQUIRED_CAPABILITIES
from ..rules import rule
from ..suites import CipherSuite
from ..wire.extensions import Extension, RequiredCapabilities, find_extension
from ..wire.key_package import KeyPackage
from ..wire.leaf_node import Capabilities, LeafNode, LeafNodeSource
from .signatures import SignatureBatch

__all__ = ["LEAF_SIGNATURE", "LeafJudge", "check_extensions_once", "missing_capability", "required_capabilities"]

LEAF_SIGNATURE = rule("MLS-7.3-01", "RFC 9420 section 7.3", "the leaf is signed by its signature_key", module=__name__)
_REQUIRED = rule(
    "MLS-7.3-02", "RFC 9420 section 7.3", "the leaf has the group's required capabilities", module=__name__
)
_OWN_CREDENTIAL = rule(
    "MLS-7.3-03", "RFC 9420 sections 7.2 and 7.3", "the leaf lists the type of its own credential", module=__name__
)
_LIFETIME_NOW = rule("MLS-7.3-04", "RFC 9420 section 7.3", "the lifetime covers the present", module=__name__)
_LIFETIME_LENGTH = rule(
    "MLS-7.2-01", "RFC 9420 section 7.2", "the lifetime is not longer than the application allows", module=__name__
)
_OWN_EXTENSIONS = rule(
    "MLS-7.3-05", "RFC 9420 section 7.3", "the leaf lists the types of its own extensions", module=__name__
)
_SOURCE = rule("MLS-7.3-06", "RFC 9420 section 7.3", "leaf_node_source fits the place of the leaf", module=__name__)
_ONCE = rule("MLS-13.4-01", "RFC 9420 section 13.4", "no list of extensions has a type twice", module=__name__)
_GROUP_EXTENSIONS = rule(
    "MLS-13.4-02", "RFC 9420 section 13.4", "a new member supports every extension of the group", module=__name__
)
_SUITE = rule(
    "MLS-11-01", "RFC 9420 section 11", "who is added lists the group's version and cipher suite", module=__name__
)
_HPKE_KEY = rule("MLS-10-01", "RFC 9420 section 10", "HPKE keys are keys of the cipher suite", module=__name__)
_PACKAGE_SUITE = rule(
    "MLS-10.1-01", "RFC 9420 section 10.1", "version and suite of the KeyPackage are the group's", module=__name__
)
_PACKAGE_SIGNATURE = rule("MLS-10.1-02", "RFC 9420 section 10.1", "the KeyPackage is signed", module=__name__)
_INIT_KEY = rule("MLS-10.1-03", "RFC 9420 section 10.1", "init_key is not the leaf's encryption_key", module=__name__)


class LeafJudge:
    """Checks leaves against one group's parameters at one time. Signatures only join `batch`; verify that after."""

    __slots__ = (
        "_authentication",
        "_cleared",
        "_extensions",
        "_group_id",
        "_now",
        "_policy",
        "_required",
        "_suite",
        "batch",
    )

    def __init__(
        self,
        suite: CipherSuite,
        group_id: bytes,
        extensions: tuple[Extension, ...],
        authentication: Authentication,
        policy: Policy,
        now: Instant,
    ) -> None:
        """`extensions`: those of the GroupContext that will hold; a commit's own change comes first (section 12.3)."""
        self._suite = suite
        self._group_id = group_id
        self._extensions = extensions
        self._required = required_capabilities(extensions)
        self._authentication = authentication
        self._policy = policy
        self._now = now
        # Capabilities are interned: thousands of members usually share a handful of them.
        self._cleared: dict[tuple[int, int], Capabilities] = {}
        self.batch = SignatureBatch(suite)

    def key_package(self, package: KeyPackage, *, sending: bool) -> None:
        """An Add, or a package about to be used in one. `sending` makes the lifetime check mandatory."""
        suite = self._suite
        if package.cipher_suite != suite.number or package.version != PROTOCOL_VERSION_MLS10:
            _PACKAGE_SUITE.fail(f"the KeyPackage is for suite {package.cipher_suite}, the group uses {suite.number}")
        leaf = package.leaf_node
        if package.init_key == leaf.encryption_key:
            _INIT_KEY.fail("init_key and encryption_key of the KeyPackage are the same")
        try:
            suite.check_public_key(package.init_key)
        except BadPublicKey:
            _HPKE_KEY.fail("init_key is not a key of this cipher suite")
        check_extensions_once(package.extensions)
        # What a sender MUST list (sections 7.2 and 11), and receivers are not told to check: deployed clients
        # leave it out, and their key packages say by cipher_suite what they support.
        capabilities = leaf.capabilities
        if sending and (
            suite.number not in capabilities.cipher_suites or PROTOCOL_VERSION_MLS10 not in capabilities.versions
        ):
            _SUITE.fail("the leaf does not list the version and cipher suite of the group")
        self.leaf(leaf, LeafNodeSource.KEY_PACKAGE, 0, check_lifetime=sending or self._policy.check_received_lifetimes)
        self.batch.add(
            _PACKAGE_SIGNATURE,
            "the signature of the KeyPackage does not hold",
            leaf.signature_key,
            "KeyPackageTBS",
            package.tbs(),
            package.signature,
        )

    def leaf(
        self, leaf: LeafNode, source: LeafNodeSource | None, leaf_index: int, *, check_lifetime: bool = True
    ) -> None:
        """One leaf; `source` None for a leaf of a tree that we join, where each source may occur."""
        if source is not None and leaf.leaf_node_source != source:
            _SOURCE.fail(f"leaf_node_source is {leaf.leaf_node_source.name}, must be {source.name}")
        self._capabilities(leaf)
        lifetime = leaf.lifetime
        if lifetime is not None:
            if lifetime.not_after - lifetime.not_before > self._policy.max_lifetime_seconds:
                _LIFETIME_LENGTH.fail("the lifetime of the leaf is longer than the policy allows")
            if check_lifetime and not lifetime.not_before <= self._now // 1000 <= lifetime.not_after:
                _LIFETIME_NOW.fail("the lifetime of the leaf does not cover the present")
        try:
            self._suite.check_public_key(leaf.encryption_key)
        except BadPublicKey:
            _HPKE_KEY.fail("encryption_key is not a key of this cipher suite")
        check_credential(self._suite, self._authentication, leaf.credential, leaf.signature_key, self._now)
        self.batch.add(
            LEAF_SIGNATURE,
            "the signature of the leaf does not hold",
            leaf.signature_key,
            "LeafNodeTBS",
            leaf.tbs(self._group_id, leaf_index),
            leaf.signature,
        )

    def _capabilities(self, leaf: LeafNode) -> None:
        capabilities = leaf.capabilities
        known = (id(capabilities), leaf.credential.credential_type)
        if not leaf.extensions and known in self._cleared:
            return
        if leaf.credential.credential_type not in capabilities.credentials:
            _OWN_CREDENTIAL.fail("the type of the credential is not among the capabilities")
        if leaf.extensions:
            check_extensions_once(leaf.extensions)
            for extension in leaf.extensions:
                kind = extension.extension_type
                if kind not in DEFAULT_EXTENSIONS and kind not in capabilities.extensions:
                    _OWN_EXTENSIONS.fail(f"extension {kind:#06x} is not among the capabilities")
        for extension in self._extensions:
            kind = extension.extension_type
            if kind not in DEFAULT_EXTENSIONS and kind not in capabilities.extensions:
                _GROUP_EXTENSIONS.fail(f"the leaf does not support the group's extension {kind:#06x}")
        if self._required is not None:
            missing = missing_capability(self._required, leaf)
            if missing:
                _REQUIRED.fail(f"the leaf lacks a required capability: {missing}")
        self._cleared[known] = capabilities


def required_capabilities(extensions: Sequence[Extension]) -> RequiredCapabilities | None:
    """The required_capabilities extension of a GroupContext, decoded. Raises DecodeError."""
    data = find_extension(extensions, REQUIRED_CAPABILITIES)
    return None if data is None else RequiredCapabilities.decode(data)


def missing_capability(required: RequiredCapabilities, leaf: LeafNode) -> str:
    """The first required capability that the leaf does not list, as words; empty if it has all of them."""
    has = leaf.capabilities
    for kind in required.extension_types:
        if kind not in DEFAULT_EXTENSIONS and kind not in has.extensions:
            return f"extension {kind:#06x}"
    for kind in required.proposal_types:
        if kind not in DEFAULT_PROPOSALS and kind not in has.proposals:
            return f"proposal {kind:#06x}"
    for kind in required.credential_types:
        if kind not in has.credentials:
            return f"credential {kind:#06x}"
    return ""


def check_extensions_once(extensions: Sequence[Extension]) -> None:
    """Raises InvalidGroupMessage if a type occurs twice."""
    if len(extensions) > 1 and len({e.extension_type for e in extensions}) != len(extensions):
        _ONCE.fail("an extension type occurs twice in one list")
