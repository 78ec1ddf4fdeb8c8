"""What this package raises: Apple's cases, and the error of ours that is behind each as its `__cause__`.

The mapping is total: every class of `letterlock.errors` has a case, so that nothing of another name leaves a service.
What Apple has no case for is a human's decision. `RCSError.plaintext_options` has what the user may choose in place of
encryption (SR-01); it is empty where there is no such choice.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator, Sequence

from .. import errors
from ..engine.policy import PlainOption
from ..errors import InputError, LetterlockError, NotEncrypted, ServiceError, StoreError

__all__ = [
    "MMSError",
    "MMSErrorCode",
    "RCSError",
    "RCSErrorCode",
    "SMSError",
    "SMSErrorCode",
    "SessionError",
    "SessionErrorCode",
    "TelephonyMessagingError",
    "apple_error",
    "rcs_errors",
    "sms_errors",
    "unsupported",
]


class SessionErrorCode(enum.StrEnum):
    """TelephonyMessagingSession.Error."""

    SERVICE_UNAVAILABLE = "telephony.session.service_unavailable"
    INVALID_SESSION = "telephony.session.invalid_session"


class RCSErrorCode(enum.StrEnum):
    """RCSService.Error."""

    SERVICE_UNAVAILABLE = "telephony.rcs.service_unavailable"
    INVALID_ARGUMENT = "telephony.rcs.invalid_argument"
    DECODING_FAILED = "telephony.rcs.decoding_failed"
    NOT_SUPPORTED = "telephony.rcs.not_supported"
    UNKNOWN = "telephony.rcs.unknown"
    TEMPORARY_ERROR = "telephony.rcs.temporary_error"
    PERMANENT_ERROR = "telephony.rcs.permanent_error"
    INTERNAL_ERROR = "telephony.rcs.internal_error"
    NOT_FOUND = "telephony.rcs.not_found"
    MAXIMUM_SIZE_EXCEEDED = "telephony.rcs.maximum_size_exceeded"
    END_TO_END_ENCRYPTION_NOT_SUPPORTED = "telephony.rcs.end_to_end_encryption_not_supported"


class SMSErrorCode(enum.StrEnum):
    """SMSService.Error."""

    NOT_SUPPORTED = "telephony.sms.not_supported"
    PERMANENT_FAILURE = "telephony.sms.permanent_failure"
    TEMPORARY_FAILURE = "telephony.sms.temporary_failure"
    UNKNOWN = "telephony.sms.unknown"


class MMSErrorCode(enum.StrEnum):
    """MMSService.Error; of its cases the only one that there is a use for."""

    NOT_SUPPORTED = "telephony.mms.not_supported"


class TelephonyMessagingError(LetterlockError):
    """Base of what this package raises."""

    code = "telephony"


class SessionError(TelephonyMessagingError):
    """The session cannot be used, whatever is asked of it."""

    def __init__(self, code: SessionErrorCode, message: str, *, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.code: SessionErrorCode = code


class RCSError(TelephonyMessagingError):
    """RCS cannot do it; nothing has left."""

    def __init__(
        self,
        code: RCSErrorCode,
        message: str,
        *,
        hint: str = "",
        plaintext_options: Sequence[PlainOption] = (),
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.code: RCSErrorCode = code
        self.plaintext_options = tuple(plaintext_options)
        """What the user may choose now; one of them is the `plaintext_decision` of the next attempt (SR-01)."""

    @property
    def is_retryable(self) -> bool:
        """Whether the same may succeed later."""
        return self.code in (RCSErrorCode.TEMPORARY_ERROR, RCSErrorCode.SERVICE_UNAVAILABLE)


class SMSError(TelephonyMessagingError):
    """SMS cannot do it. `plaintext_options` as at RCSError."""

    def __init__(
        self, code: SMSErrorCode, message: str, *, hint: str = "", plaintext_options: Sequence[PlainOption] = ()
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.code: SMSErrorCode = code
        self.plaintext_options = tuple(plaintext_options)


class MMSError(TelephonyMessagingError):
    """There is no MMS."""

    def __init__(self, code: MMSErrorCode, message: str, *, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.code: MMSErrorCode = code


# --- the mapping -----------------------------------------------------------------------------------------------
_BY_CLASS: dict[type[LetterlockError], RCSErrorCode] = {
    errors.InputError: RCSErrorCode.INVALID_ARGUMENT,
    errors.NotEncrypted: RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED,
    errors.TrustRequired: RCSErrorCode.PERMANENT_ERROR,
    errors.DecodeError: RCSErrorCode.DECODING_FAILED,
    errors.LimitExceeded: RCSErrorCode.MAXIMUM_SIZE_EXCEEDED,
    errors.RemoteError: RCSErrorCode.PERMANENT_ERROR,
    errors.TransportError: RCSErrorCode.TEMPORARY_ERROR,
    errors.Bug: RCSErrorCode.INTERNAL_ERROR,
    errors.LetterlockError: RCSErrorCode.UNKNOWN,
}
"""The nearest class above an error decides; StoreError is the session's."""

_BY_CODE = {
    "content.unknown": RCSErrorCode.NOT_FOUND,
    "input.group": RCSErrorCode.NOT_FOUND,
    "input.group_full": RCSErrorCode.MAXIMUM_SIZE_EXCEEDED,
    "input.sms_only_text": RCSErrorCode.NOT_SUPPORTED,
    "input.sms_too_long": RCSErrorCode.MAXIMUM_SIZE_EXCEEDED,
    "input.target": RCSErrorCode.NOT_FOUND,
    "input.text_size": RCSErrorCode.MAXIMUM_SIZE_EXCEEDED,
    "telephony.unsupported": RCSErrorCode.NOT_SUPPORTED,
    "transfer.too_large": RCSErrorCode.MAXIMUM_SIZE_EXCEEDED,
}
"""Where the code says more than the class."""

_BY_STATUS = {404: RCSErrorCode.NOT_FOUND, 410: RCSErrorCode.NOT_FOUND, 413: RCSErrorCode.MAXIMUM_SIZE_EXCEEDED}


def apple_error(error: LetterlockError) -> SessionError | RCSError:
    """Apple's case for an error of ours. Raise it from that error."""
    if isinstance(error, StoreError):
        closed = error.code == "client.closed"
        code = SessionErrorCode.INVALID_SESSION if closed else SessionErrorCode.SERVICE_UNAVAILABLE
        return SessionError(code, str(error), hint=error.hint)
    options = error.options if isinstance(error, NotEncrypted) else ()
    return RCSError(_code(error), str(error), hint=error.hint, plaintext_options=options)


def _code(error: LetterlockError) -> RCSErrorCode:
    if (known := _BY_CODE.get(error.code)) is not None:
        return known
    if isinstance(error, ServiceError):
        if error.status >= 500 or error.status == 429 or error.retry_after_s:
            return RCSErrorCode.TEMPORARY_ERROR
        if (known := _BY_STATUS.get(error.status)) is not None:
            return known
    return next(_BY_CLASS[cls] for cls in type(error).__mro__ if cls in _BY_CLASS)


@contextlib.contextmanager
def rcs_errors() -> Iterator[None]:
    """Nothing but SessionError and RCSError leaves."""
    try:
        yield
    except TelephonyMessagingError:
        raise
    except LetterlockError as error:
        raise apple_error(error) from error


_SMS = {
    RCSErrorCode.NOT_SUPPORTED: SMSErrorCode.NOT_SUPPORTED,
    RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED: SMSErrorCode.PERMANENT_FAILURE,
    RCSErrorCode.TEMPORARY_ERROR: SMSErrorCode.TEMPORARY_FAILURE,
    RCSErrorCode.SERVICE_UNAVAILABLE: SMSErrorCode.TEMPORARY_FAILURE,
    RCSErrorCode.UNKNOWN: SMSErrorCode.UNKNOWN,
    RCSErrorCode.INTERNAL_ERROR: SMSErrorCode.UNKNOWN,
}


@contextlib.contextmanager
def sms_errors() -> Iterator[None]:
    """Nothing but SessionError and SMSError leaves."""
    try:
        yield
    except (SessionError, SMSError):
        raise
    except LetterlockError as error:
        found = error if isinstance(error, RCSError) else apple_error(error)
        if isinstance(found, SessionError):
            raise found from error
        code = _SMS.get(found.code, SMSErrorCode.PERMANENT_FAILURE)
        raise SMSError(code, str(found), hint=found.hint, plaintext_options=found.plaintext_options) from error


def unsupported(what: str, hint: str = "") -> InputError:
    """For what Apple's interface has and we do not: the case NOT_SUPPORTED."""
    return InputError(what, code="telephony.unsupported", hint=hint)
