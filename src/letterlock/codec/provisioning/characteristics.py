"""The tree of characteristics and parameters that a document is, and how a parameter is found and read in it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from ...errors import DecodeError, LimitExceeded
from ..xml import Element

__all__ = ["Characteristics"]

_NUMBER = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{0,1368}={0,2}", re.ASCII)


class Characteristics:
    """The characteristics of one place in the tree; several of one type are read as one."""

    def __init__(self, elements: Iterable[Element]) -> None:
        self._elements = list(elements)

    def inside(self, kind: str) -> Characteristics:
        """Those of this type directly in these; types are compared without case, as deployed documents differ in it."""
        return Characteristics(
            child
            for element in self._elements
            for child in element.children
            if child.name == "characteristic" and (child.attribute("type") or "").lower() == kind.lower()
        )

    def application(self, name: str) -> Characteristics:
        """The applications with this AppID."""
        found = self.inside("APPLICATION")._elements
        return Characteristics(element for element in found if Characteristics([element]).text("AppID") == name)

    def text(self, *names: str) -> str:
        """A parameter by any of its names, empty where there is none. Raises DecodeError when it stands there twice."""
        wanted = {name.lower() for name in names}
        values = [
            child.attribute("value") or ""
            for element in self._elements
            for child in element.children
            if child.name == "parm" and (child.attribute("name") or "").lower() in wanted
        ]
        if len(values) > 1:
            raise DecodeError(f"{names[0]} stands there twice", code="provisioning.repeated")
        return values[0].strip() if values else ""

    def first(self, prefix: str) -> str:
        """The value of the first parameter of a list, `prefix` and a number."""
        name = re.compile(re.escape(prefix) + "[0-9]*", re.IGNORECASE)
        for element in self._elements:
            for child in element.children:
                if child.name == "parm" and name.fullmatch(child.attribute("name") or ""):
                    return (child.attribute("value") or "").strip()
        return ""

    def number(self, name: str, least: int, most: int, default: int = 0) -> int:
        text = self.text(name)
        if not text:
            return default
        if not _NUMBER.fullmatch(text):
            raise DecodeError(f"{name} is no number", code="provisioning.value")
        if not least <= int(text) <= most:
            raise LimitExceeded(f"{name} is {text}, beyond {least} to {most}", code="provisioning.limit")
        return int(text)

    def octets(self, name: str) -> bytes:
        try:
            return base64.b64decode(self.matching(name, _BASE64), validate=True)
        except binascii.Error as error:
            raise DecodeError(f"{name} is not what stands there", code="provisioning.value") from error

    def anywhere(self) -> Characteristics:
        """These, and all inside them."""
        found, waiting = [], list(self._elements)
        while waiting:
            element = waiting.pop()
            found.append(element)
            waiting += [child for child in element.children if child.name == "characteristic"]
        return Characteristics(found)

    def matching(self, name: str, form: re.Pattern[str], *more: str) -> str:
        text = self.text(name, *more)
        if text and not form.fullmatch(text):
            raise DecodeError(f"{name} is not what stands there", code="provisioning.value")
        return text

    def __bool__(self) -> bool:
        return bool(self._elements)
