"""The exception tree. Each message says what happened, where, and what the reader can do.

ExporterError
  SettingsError           a setting is missing or wrong: exit code 2
  ApiError                a request to the Admin API gave no usable answer
    ApiUnauthorized       401: the key is unknown, expired or revoked
    ApiForbidden          403: the key lacks a scope
    ApiThrottled          429: too many requests
    ApiUnavailable        5xx: try again later
      ApiTimeout          no answer in time
      ApiUnreachable      no connection, or one that broke
    ApiRefused            another 4xx, or a redirect: the request itself is refused
      ApiNotFound         404: no such thing, or not for this key
      ApiCursorRefused    400 or 410 to a page cursor
    ApiShapeChanged       a 200 whose body is not the documented report
  StoreError              the data folder cannot be used
"""

from typing import ClassVar, Literal

Reason = Literal["unauthorized", "forbidden", "throttled", "server", "timeout", "network", "shape", "request"]
REASONS: tuple[Reason, ...] = (
    "unauthorized",
    "forbidden",
    "throttled",
    "server",
    "timeout",
    "network",
    "shape",
    "request",
)


class ExporterError(Exception):
    """Base of all errors that this exporter raises on purpose."""


class SettingsError(ExporterError):
    """A setting is missing or wrong; the message never holds a secret's value."""


class StoreError(ExporterError):
    """The data folder or its database cannot be used."""


class ApiError(ExporterError):
    """No usable answer. `pause` is what the API asked to wait, in seconds, or None where it did not say."""

    reason: ClassVar[Reason] = "server"

    def __init__(self, message: str, *, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


class ApiUnauthorized(ApiError):
    """401: the key is unknown, expired, revoked, or no Admin key."""

    reason = "unauthorized"


class ApiForbidden(ApiError):
    """403: the key is known and lacks a scope."""

    reason = "forbidden"


class ApiThrottled(ApiError):
    """429: the organisation's request budget is used up."""

    reason = "throttled"


class ApiUnavailable(ApiError):
    """The server failed (5xx)."""


class ApiTimeout(ApiUnavailable):
    """No answer in time."""

    reason = "timeout"


class ApiUnreachable(ApiUnavailable):
    """No connection, or one that broke."""

    reason = "network"


class ApiRefused(ApiError):
    """A 4xx other than the above, or a redirect: sending the same request again will not help."""

    reason = "request"


class ApiNotFound(ApiRefused):
    """404: there is no such thing, or not for this key."""


class ApiCursorRefused(ApiRefused):
    """400 or 410 to a page cursor: it expired or no longer fits; the day must be read again from its first page."""


class ApiShapeChanged(ApiError):
    """A 200 whose body cannot be read as the report it should be."""

    reason = "shape"
