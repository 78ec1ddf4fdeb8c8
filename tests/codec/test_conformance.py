"""The tables of SIP and CPIM: every input has the verdict that stands there, and a refusal its stable code."""

from __future__ import annotations

import pytest

from conformance_cases import Case, load_cases
from letterlock.codec import cpim, imdn
from letterlock.codec.cpim import CpimLimits
from letterlock.codec.sip import Limits, Request, parse_message
from letterlock.codec.xml import XmlLimits
from letterlock.errors import DecodeError
from letterlock.sip.message import request_problem

SIP_LIMITS = Limits(max_header_bytes=8192, max_headers=100, max_line=4096, max_body=65536)
CPIM_LIMITS = CpimLimits(max_size=65536, max_headers=32, max_header_bytes=4096)
XML_LIMITS = XmlLimits(16_384, 16, 64)


def data_of(case: Case) -> bytes:
    """`repeat` and `times` stand for what is too long to be written out, `encoding` for what is not UTF-8."""
    data = case.data
    if "encoding" in case.options:
        data = data.decode().encode(case.options["encoding"])
    if "repeat" in case.options:
        repeated: str = case.options["repeat"] * case.options["times"]
        data = data.replace(b"{repeat}", repeated.encode())
    return data


def sip_verdict(data: bytes) -> str:
    """The code of the refusal, empty when there is none."""
    try:
        message = parse_message(data, SIP_LIMITS)
    except DecodeError as error:
        return error.code
    problem = request_problem(message) if isinstance(message, Request) else None
    return "" if problem is None else f"answered {problem[0]}"


def cpim_verdict(data: bytes) -> str:
    """The same of a CPIM message, its content, and the receipt if it is one."""
    try:
        message = cpim.decode_cpim(data, CPIM_LIMITS)
        content = message.content.content()
        if message.content.content_type.media_type == imdn.MEDIA_TYPE:
            imdn.decode_imdn(content, XML_LIMITS)
    except DecodeError as error:
        return error.code
    return ""


@pytest.mark.parametrize("case", load_cases("sip"), ids=str)
def test_sip(case: Case) -> None:
    assert sip_verdict(data_of(case)) == case.code


@pytest.mark.parametrize("case", load_cases("cpim"), ids=str)
def test_cpim(case: Case) -> None:
    assert cpim_verdict(data_of(case)) == case.code
