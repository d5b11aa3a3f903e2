"""Errors that a person may meet. Bugs are ordinary exceptions and rise."""


class BusinessError(Exception):
    """An expected refusal.

    `message` says what happened, what was not lost and what to do; `code` is stable and machine-readable.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class RetryLater(Exception):
    """The other side asked for time. The due row is put back with `seconds`; nothing was changed."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason
