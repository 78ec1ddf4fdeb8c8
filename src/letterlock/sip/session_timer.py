"""Session timers (RFC 4028): how both ends find out that the other is gone, and who asks.

One side refreshes at half of the interval; the other hangs up shortly before its end when nobody did. Here are the
headers and the arithmetic; `session` sends the requests.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.sip import Params, Request, Response, delta_seconds
from ..errors import DecodeError
from ..ids import Instant

__all__ = ["OPTION_TAG", "SessionTimer", "TimerPolicy", "ask", "minimum_of", "too_short"]

OPTION_TAG = "timer"

_LEAST_S = 90  # section 4: "The absolute minimum for the Session-Expires header field is 90 seconds"
_MOST_S = 24 * 3600  # so that no number from outside leaves the clock


@dataclass(frozen=True, slots=True)
class TimerPolicy:
    """What we ask for, and the least that we accept; both at least 90 seconds."""

    interval_s: int
    least_s: int


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """What was agreed for one dialog. `least_s` is the largest Min-SE that was met on it (section 7.4)."""

    interval_s: int
    we_refresh: bool
    least_s: int = _LEAST_S

    def due(self, since: Instant) -> Instant:
        """When to refresh, or when to give up waiting for it, if the last refresh was at `since`."""
        if self.we_refresh:
            return since + self.interval_s * 500  # section 7.2: once half the session interval has elapsed
        # Section 10: "The minimum of 32 seconds and one third of the session interval is RECOMMENDED" before the end.
        return since + int((self.interval_s - min(32.0, self.interval_s / 3)) * 1000)

    def refresh_headers(self) -> tuple[tuple[str, str], ...]:
        """Of a request that refreshes: the roles stay as they are (section 7.4)."""
        refresher = "uac" if self.we_refresh else "uas"
        value = f"{max(self.interval_s, self.least_s)};refresher={refresher}"
        minimum = (("Min-SE", str(self.least_s)),) if self.least_s > _LEAST_S else ()
        return (("Supported", OPTION_TAG), ("Session-Expires", value), *minimum)

    @classmethod
    def of_response(cls, response: Response, least_s: int) -> SessionTimer | None:
        """What a 2xx agreed to. None: "there is no session expiration" (section 7.2)."""
        found = _session_expires(response)
        if found is None:
            return None
        interval, refresher = found
        # The refresher "will be present"; where it is not, whoever asks does it, or nobody might.
        return cls(max(_LEAST_S, interval), refresher != "uas", max(least_s, _LEAST_S))

    @classmethod
    def of_request(
        cls, request: Request, policy: TimerPolicy
    ) -> tuple[SessionTimer | None, tuple[tuple[str, str], ...]]:
        """What we agree to when we accept this request, and the headers of the 2xx that say so (section 9)."""
        asked = _session_expires(request)
        supported = _supports(request)
        if asked is None and not supported:
            return None, ()
        interval, refresher = asked if asked is not None else (policy.interval_s, "")
        least = max(_LEAST_S, _minimum(request))
        # "MAY reduce its value but MUST NOT set it to a duration lower than the value in the Min-SE header field".
        interval = max(min(interval, max(policy.interval_s, least)), _LEAST_S)
        if not supported:
            refresher = "uas"  # Table 2: a caller without the extension cannot be asked to
        elif refresher not in ("uac", "uas"):
            refresher = "uac"
        require = (("Require", OPTION_TAG),) if supported else ()
        headers = (("Supported", OPTION_TAG), *require, ("Session-Expires", f"{interval};refresher={refresher}"))
        return cls(interval, refresher == "uas", least), headers


def ask(policy: TimerPolicy, least_s: int) -> tuple[tuple[str, str], ...]:
    """The headers of a first INVITE, or of its repetition behind a 422 that named `least_s`."""
    minimum = (("Min-SE", str(least_s)),) if least_s > _LEAST_S else ()
    return (("Supported", OPTION_TAG), ("Session-Expires", str(max(policy.interval_s, least_s))), *minimum)


def minimum_of(response: Response) -> int | None:
    """The Min-SE of a 422; None when it has none that could be obeyed."""
    least = _minimum(response)
    return least if _LEAST_S < least <= _MOST_S else None


def too_short(request: Request, policy: TimerPolicy) -> bool:
    """Whether to refuse this request with 422 and our `least_s`; only who has the extension can make use of that."""
    asked = _session_expires(request)
    return asked is not None and _supports(request) and asked[0] < policy.least_s


def _supports(message: Request) -> bool:
    try:
        return any(tag.lower() == OPTION_TAG for tag in message.headers.listed("Supported"))
    except DecodeError:
        return False


def _session_expires(message: Request | Response) -> tuple[int, str] | None:
    """Seconds and refresher; what cannot be read counts as absent, for it must not cost the session."""
    text = message.headers.get("Session-Expires")
    if text is None:
        return None
    seconds, semicolon, params = text.partition(";")
    try:
        interval = delta_seconds(seconds)
        refresher = (Params.parse(semicolon + params).get("refresher") or "").lower()
    except DecodeError:
        return None
    return min(interval, _MOST_S), refresher


def _minimum(message: Request | Response) -> int:
    text = message.headers.get("Min-SE")
    if text is None:
        return 0
    try:
        return min(delta_seconds(text.partition(";")[0]), _MOST_S)
    except DecodeError:
        return 0
