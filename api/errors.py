"""What goes wrong in this layer; which status each is says api.problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knowledge.types import FileOutcome

_TOO_LONG = (
    "The answer was not ready in the time of the setting answer_seconds, waiting included. Ask for less, ask when less is "
    "going on, or have it raised."
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One of several things that are wrong: with a field of the request, or with a picture (counted from 1)."""

    detail: str
    field: str | None = None
    picture: int | None = None
    reason: str | None = None


class ApiError(Exception):
    """Root of this layer's errors; the message becomes `detail`."""

    reason = "api_error"
    errors: tuple[Fault, ...] | None = None
    outcomes: tuple[FileOutcome, ...] | None = None
    headers: Mapping[str, str] = {}


class HostRefused(ApiError):
    """The Host header does not name this machine: a foreign name was pointed at it (DNS rebinding)."""

    reason = "host_refused"


class OriginRefused(ApiError):
    """A page of another origin sent the request."""

    reason = "origin_refused"


class KeyNeeded(ApiError):
    """Nobody whom this service knows: no key, or one that opens nothing."""

    reason = "key_needed"

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or self.reason
        wrong = ', error="invalid_token"' if reason else ""
        self.headers = {"WWW-Authenticate": f'Bearer realm="dermacite"{wrong}'}


class RoleTooLow(ApiError):
    """The caller is known, and may not do this."""

    reason = "role_too_low"


class CsrfRefused(ApiError):
    """A request that carries the cookie of a session and not the token of its pages: another page may have sent it."""

    reason = "csrf_refused"


class TooManyRequests(ApiError):
    """A caller sent more in a minute than he may; `retry_after` is in seconds."""

    reason = "too_many_requests"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooBusy(ApiError):
    """All turns are taken, and all places of those who wait for one."""

    reason = "too_busy"
    retry_after = 5


class AnswerTimedOut(ApiError):
    """An answer took longer than the service allows; what was done for it has been ended."""

    reason = "answer_timed_out"

    def __init__(self, message: str = _TOO_LONG) -> None:
        super().__init__(message)


class PicturesRefused(ApiError):
    """At least one picture of a request cannot be used; `errors` has one entry for each of those."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(" ".join(f"Picture {fault.picture}: {fault.detail}" for fault in faults))
        self.reason = next((fault.reason for fault in faults if fault.reason), "pictures_refused")
        self.errors = tuple(faults)


class PrefetchUnusable(ApiError):
    """A CDS Hooks request does not carry what it takes; `errors` has one entry for each picture that cannot be used."""

    reason = "prefetch_unusable"

    def __init__(self, detail: str, faults: Sequence[Fault]) -> None:
        super().__init__(detail)
        self.errors = tuple(faults) or None


class DocumentsRefused(ApiError):
    """Not one file of an upload was taken in; `outcomes` says why, file by file."""

    reason = "documents_refused"

    def __init__(self, outcomes: Sequence[FileOutcome]) -> None:
        super().__init__("No file was taken in; `outcomes` says why, file by file.")
        self.outcomes = tuple(outcomes)


class UploadRefused(ApiError):
    """The parts of an upload do not fit together."""

    reason = "upload_refused"


class RangeRefused(ApiError):
    """The range lies outside the file, which has `size` bytes."""

    reason = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(f"The range lies outside the file, which has {size} bytes.")
        self.headers = {"Content-Range": f"bytes */{size}"}


class CallerLeft(ApiError):
    """The caller closed the connection; what was done for him has been ended."""

    reason = "caller_left"


class LicenceForbids(ApiError):
    """The licence of a case does not allow its picture to be shown."""

    reason = "licence_forbids"


class ServerEnding(ApiError):
    """The server ends: it takes no new work, or what ran was not done in time."""

    reason = "server_ending"
    retry_after = 5  # seconds; a restart takes about as long, another server answers at once

    def __init__(self, sentence: str = "The server is ending, and this was not done. Ask again soon.") -> None:
        super().__init__(sentence)
