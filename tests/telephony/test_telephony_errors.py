"""Every error of ours has a case of Apple's, and stands behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from letterlock import errors, telephony
from letterlock.client.remote import ConnectionLost
from letterlock.errors import (
    ContentError,
    InputError,
    InvalidGroupMessage,
    LetterlockError,
    NotEncrypted,
    ServiceError,
    StoreError,
)
from letterlock.telephony import (
    MMSErrorCode,
    RCSError,
    RCSErrorCode,
    SessionError,
    SessionErrorCode,
    SMSError,
    SMSErrorCode,
)
from letterlock.telephony.errors import apple_error, rcs_errors, sms_errors

CASES = {
    "BadMac": RCSErrorCode.PERMANENT_ERROR,
    "BadPublicKey": RCSErrorCode.PERMANENT_ERROR,
    "BadSignature": RCSErrorCode.PERMANENT_ERROR,
    "Bug": RCSErrorCode.INTERNAL_ERROR,
    "ContentError": RCSErrorCode.PERMANENT_ERROR,
    "CryptoError": RCSErrorCode.PERMANENT_ERROR,
    "DecodeError": RCSErrorCode.DECODING_FAILED,
    "DeviceListError": RCSErrorCode.PERMANENT_ERROR,
    "DirectoryError": RCSErrorCode.PERMANENT_ERROR,
    "Downgrade": RCSErrorCode.PERMANENT_ERROR,
    "DuplicateMessage": RCSErrorCode.PERMANENT_ERROR,
    "FocusError": RCSErrorCode.PERMANENT_ERROR,
    "GroupInactive": RCSErrorCode.PERMANENT_ERROR,
    "IdentityChanged": RCSErrorCode.PERMANENT_ERROR,
    "InputError": RCSErrorCode.INVALID_ARGUMENT,
    "InvalidGroupMessage": RCSErrorCode.PERMANENT_ERROR,
    "InvalidRcc16": RCSErrorCode.PERMANENT_ERROR,
    "KdsError": RCSErrorCode.PERMANENT_ERROR,
    "LetterlockError": RCSErrorCode.UNKNOWN,
    "LimitExceeded": RCSErrorCode.MAXIMUM_SIZE_EXCEEDED,
    "MailboxError": RCSErrorCode.PERMANENT_ERROR,
    "MalformedMessage": RCSErrorCode.PERMANENT_ERROR,
    "MissingProposal": RCSErrorCode.PERMANENT_ERROR,
    "MissingPsk": RCSErrorCode.PERMANENT_ERROR,
    "NoSession": RCSErrorCode.PERMANENT_ERROR,
    "NotEncrypted": RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED,
    "ProtocolError": RCSErrorCode.PERMANENT_ERROR,
    "ProvisioningError": RCSErrorCode.PERMANENT_ERROR,
    "RemoteError": RCSErrorCode.PERMANENT_ERROR,
    "ServiceError": RCSErrorCode.PERMANENT_ERROR,
    "StoreConflict": SessionErrorCode.SERVICE_UNAVAILABLE,
    "StoreError": SessionErrorCode.SERVICE_UNAVAILABLE,
    "StoreLocked": SessionErrorCode.SERVICE_UNAVAILABLE,
    "StoreRolledBack": SessionErrorCode.SERVICE_UNAVAILABLE,
    "TooFarAhead": RCSErrorCode.PERMANENT_ERROR,
    "TransportError": RCSErrorCode.TEMPORARY_ERROR,
    "TrustRequired": RCSErrorCode.PERMANENT_ERROR,
    "UnknownPrekey": RCSErrorCode.PERMANENT_ERROR,
    "WrongStoreKey": SessionErrorCode.SERVICE_UNAVAILABLE,
}
"""Of the tree as it was when this was written. A class that comes later has the case of what it is derived from."""


def public() -> set[type[LetterlockError]]:
    """All that the client raises."""
    return {cls for name in errors.__all__ if issubclass(cls := getattr(errors, name), LetterlockError)} | {
        ConnectionLost
    }


def made(cls: type[LetterlockError]) -> LetterlockError:
    more = {
        errors.NotEncrypted: {"reason": "checking"},
        errors.IdentityChanged: {"old": b"", "new": b""},
        errors.MissingProposal: {"references": ()},
    }.get(cls, {"rule": "X-1"} if "rule" in cls.__init__.__annotations__ else {})
    return cls("no", **more)


def test_every_class_has_a_case_and_stays_behind_it() -> None:
    assert {getattr(errors, name) for name in CASES} <= public()
    for cls in public():
        error = made(cls)
        with pytest.raises((RCSError, SessionError)) as caught, rcs_errors():
            raise error
        found = caught.value
        assert found.__cause__ is error and str(found) == "no"
        assert found.code == CASES.get(cls.__name__, found.code), cls
        assert isinstance(found, SessionError) is issubclass(cls, StoreError)
        with pytest.raises((SMSError, SessionError)) as told, sms_errors():
            raise error
        assert told.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [
        (InputError("", code="input.text_size"), RCSErrorCode.MAXIMUM_SIZE_EXCEEDED, False),
        (InputError("", code="input.group_full"), RCSErrorCode.MAXIMUM_SIZE_EXCEEDED, False),
        (InputError("", code="input.group"), RCSErrorCode.NOT_FOUND, False),
        (InputError("", code="input.target"), RCSErrorCode.NOT_FOUND, False),
        (InputError("", code="telephony.unsupported"), RCSErrorCode.NOT_SUPPORTED, False),
        (ContentError("", status=404), RCSErrorCode.NOT_FOUND, False),
        (ContentError("", status=410), RCSErrorCode.NOT_FOUND, False),
        (ContentError("", status=413), RCSErrorCode.MAXIMUM_SIZE_EXCEEDED, False),
        (ContentError("", code="content.unknown"), RCSErrorCode.NOT_FOUND, False),
        (ServiceError("", status=429), RCSErrorCode.TEMPORARY_ERROR, True),
        (ServiceError("", status=503), RCSErrorCode.TEMPORARY_ERROR, True),
        (ServiceError("", status=403, retry_after_s=3), RCSErrorCode.TEMPORARY_ERROR, True),
        (InvalidGroupMessage("", rule="MLS-1"), RCSErrorCode.PERMANENT_ERROR, False),
    ],
)
def test_what_a_code_or_a_status_says_more(error: LetterlockError, code: RCSErrorCode, again: bool) -> None:
    found = apple_error(error)
    assert isinstance(found, RCSError) and found.code is code and found.is_retryable is again


def test_hints_and_options_come_along() -> None:
    error = NotEncrypted("not sent", reason="no-keys-found", options=("an option",), hint="choose")
    for context, cls in ((rcs_errors, RCSError), (sms_errors, SMSError)):
        with pytest.raises(cls) as caught, context():
            raise error
        assert (caught.value.plaintext_options, caught.value.hint) == (("an option",), "choose")
    assert apple_error(StoreError("", code="client.closed")).code is SessionErrorCode.INVALID_SESSION


def test_what_is_no_error_of_ours_passes() -> None:
    """A fault of ours is not dressed up as the network's."""
    with pytest.raises(ZeroDivisionError), rcs_errors():
        raise ZeroDivisionError


def test_codes_are_stable_texts() -> None:
    for codes, prefix in (
        (RCSErrorCode, "telephony.rcs."),
        (SMSErrorCode, "telephony.sms."),
        (MMSErrorCode, "telephony.mms."),
        (SessionErrorCode, "telephony.session."),
    ):
        assert all(code.value == prefix + code.name.lower() for code in codes)


def test_one_file_a_concept() -> None:
    """The package names what it exports, once."""
    assert sorted(set(telephony.__all__)) == sorted(telephony.__all__)
    assert all(hasattr(telephony, name) for name in telephony.__all__)
    assert Path(telephony.__file__ or "").name == "__init__.py"
