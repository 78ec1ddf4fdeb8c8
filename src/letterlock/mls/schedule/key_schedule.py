"""The key schedule (RFC 9420 section 8): from init_secret, commit_secret and psk_secret to the secrets of an epoch.

The steps are separate functions because a committer, a member that follows and a joiner by Welcome enter at
different places. Nothing is kept here: what section 9.2 wants deleted after use (joiner_secret, epoch_secret,
commit_secret and so on) is gone when the caller drops it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InputError
from ..suites import CipherSuite

__all__ = [
    "EpochSecrets",
    "epoch_secrets",
    "epoch_secrets_from",
    "exporter",
    "external_key_pair",
    "joiner_secret",
    "member_secret",
    "welcome_key_nonce",
    "welcome_secret",
]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EpochSecrets:
    """What epoch_secret gives (table 4). No repr, and no comparison that stops at the first difference.

    `encryption_secret` is for one SecretTree and `init_secret` for the commit that ends this epoch: whoever
    holds this value drops it, or stores the fields one by one, as soon as those two are consumed.
    """

    sender_data_secret: bytes
    encryption_secret: bytes
    exporter_secret: bytes
    external_secret: bytes
    confirmation_key: bytes
    membership_key: bytes
    resumption_psk: bytes
    epoch_authenticator: bytes
    init_secret: bytes


def joiner_secret(suite: CipherSuite, init_secret: bytes, commit_secret: bytes, context: bytes) -> bytes:
    """The secret that a Welcome hands over. `context` is the encoded GroupContext of the new epoch.

    `commit_secret` is `suite.zero` for a commit without a path.
    """
    return suite.expand_with_label(suite.extract(init_secret, commit_secret), "joiner", context, suite.hash_length)


def member_secret(suite: CipherSuite, joiner_secret: bytes, psk_secret: bytes) -> bytes:
    """The value between joiner_secret and the two that come from it, welcome_secret and epoch_secret."""
    return suite.extract(joiner_secret, psk_secret)


def welcome_secret(suite: CipherSuite, member_secret: bytes) -> bytes:
    """What encrypts the GroupInfo of a Welcome."""
    return suite.derive_secret(member_secret, "welcome")


def welcome_key_nonce(suite: CipherSuite, welcome_secret: bytes) -> tuple[bytes, bytes]:
    """welcome_key and welcome_nonce (section 12.4.3.1)."""
    return (
        suite.expand_with_label(welcome_secret, "key", b"", suite.key_length),
        suite.expand_with_label(welcome_secret, "nonce", b"", suite.nonce_length),
    )


def epoch_secrets(suite: CipherSuite, member_secret: bytes, context: bytes) -> EpochSecrets:
    """The secrets of the epoch whose encoded GroupContext is `context`."""
    return epoch_secrets_from(suite, suite.expand_with_label(member_secret, "epoch", context, suite.hash_length))


def epoch_secrets_from(suite: CipherSuite, epoch_secret: bytes) -> EpochSecrets:
    """The secrets of an epoch_secret; called with a random one when a group is created (section 11)."""
    derive = suite.derive_secret
    return EpochSecrets(
        sender_data_secret=derive(epoch_secret, "sender data"),
        encryption_secret=derive(epoch_secret, "encryption"),
        exporter_secret=derive(epoch_secret, "exporter"),
        external_secret=derive(epoch_secret, "external"),
        confirmation_key=derive(epoch_secret, "confirm"),
        membership_key=derive(epoch_secret, "membership"),
        resumption_psk=derive(epoch_secret, "resumption"),
        epoch_authenticator=derive(epoch_secret, "authentication"),
        init_secret=derive(epoch_secret, "init"),
    )


def exporter(suite: CipherSuite, exporter_secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """MLS-Exporter (section 8.5): a secret for use outside MLS, bound to this epoch and `label`.

    Raises InputError for a length that KDF.Expand cannot give.
    """
    if not 0 < length <= 255 * suite.hash_length:
        raise InputError(f"an exported secret has 1 to {255 * suite.hash_length} bytes", code="mls.exporter_length")
    return suite.expand_with_label(suite.derive_secret(exporter_secret, label), "exported", suite.hash(context), length)


def external_key_pair(suite: CipherSuite, external_secret: bytes) -> tuple[bytes, bytes]:
    """(private, public) that outsiders encapsulate to when they join by an external commit."""
    return suite.derive_key_pair(external_secret)
