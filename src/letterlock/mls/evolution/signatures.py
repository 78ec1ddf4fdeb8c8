"""Signatures that are checked together: a commit that adds a thousand members carries two thousand of them."""

from __future__ import annotations

from ...errors import BadPublicKey, BadSignature
from ..rules import Rule
from ..suites import CipherSuite

__all__ = ["SignatureBatch"]


class SignatureBatch:
    """Collects what must hold and checks all of it at once; each entry knows the rule that it stands for."""

    __slots__ = ("_checks", "_rules", "_suite")

    def __init__(self, suite: CipherSuite) -> None:
        self._suite = suite
        self._checks: list[tuple[str, bytes, bytes, bytes]] = []
        self._rules: list[tuple[Rule, str]] = []

    def add(self, rule: Rule, what: str, public: bytes, label: str, content: bytes, signature: bytes) -> None:
        """SignWithLabel(., label, content) by `public` must be `signature`, or `rule` fails saying `what`."""
        suite = self._suite
        self._checks.append((suite.signature_scheme, public, suite.sign_content(label, content), signature))
        self._rules.append((rule, what))

    def verify(self) -> None:
        """Raises InvalidGroupMessage for the first entry that does not hold."""
        checks = self._checks
        if not checks:
            return
        try:
            self._suite.crypto.verify_many(checks)
        except (BadSignature, BadPublicKey):
            # Many at once say only that one of them is wrong; which one decides the rule that is named.
            for check, (rule, what) in zip(checks, self._rules, strict=True):
                try:
                    self._suite.crypto.verify_many([check])
                except (BadSignature, BadPublicKey):
                    rule.fail(what)
