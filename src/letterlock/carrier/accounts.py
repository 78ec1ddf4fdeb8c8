"""Who may register: numbers and their passwords."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..errors import InputError
from ..ids import Number, number

__all__ = ["Accounts"]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Numbers with passwords; or any number, with a password derived from it or, in a lab, with one for all."""

    passwords: Mapping[Number, str] = field(default_factory=dict, repr=False)
    lab_password: str | None = field(default=None, repr=False)
    derived: Callable[[str], str | None] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, passwords: Mapping[str, str]) -> Accounts:
        """Raises InputError for what is no phone number."""
        return cls({number(text): password for text, password in passwords.items()})

    @classmethod
    def lab(cls, password: str) -> Accounts:
        """Any number, one password: whoever knows it can be anybody."""
        return cls({}, password)

    @classmethod
    def by(cls, derived: Callable[[str], str | None]) -> Accounts:
        """Any number, each with its own password: what `services.credentials.derived_passwords` gives."""
        return cls({}, None, derived)

    def password_of(self, username: str) -> str | None:
        """By private identity: the number, with or without `@domain` behind it."""
        try:
            phone = number(username.partition("@")[0])
        except InputError:
            return None
        if self.derived is not None:
            return self.derived(phone)
        return self.passwords.get(phone, self.lab_password)

    def has(self, phone: Number) -> bool:
        """Whether this number is somebody's; in a lab every number may come to be."""
        return phone in self.passwords
