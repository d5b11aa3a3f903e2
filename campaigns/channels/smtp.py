"""SMTP that says how far it got: a connection lost while the server had the whole message is not a failure, but unclear."""

import smtplib
from typing import Any

from django.core.mail.backends import smtp


class LostAfterData(Exception):
    """The server had been given the message and did not say what became of it. It may have been sent."""


class _Watched(smtplib.SMTP):
    # Replies since DATA began; the first one, 354, asks for the message. -1: not in DATA.
    _replies = -1

    def data(self, msg: Any) -> tuple[int, bytes]:
        self._replies = 0
        try:
            return super().data(msg)
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            # SMTP's own refusals are OSErrors too, and they are answers.
            if self._replies > 0 and not isinstance(error, smtplib.SMTPResponseException):
                raise LostAfterData(str(error)) from error
            raise
        finally:
            self._replies = -1

    def getreply(self) -> tuple[int, bytes]:
        reply = super().getreply()
        if self._replies >= 0:
            self._replies += 1
        return reply


class _WatchedTLS(_Watched, smtplib.SMTP_SSL):
    pass


class EmailBackend(smtp.EmailBackend):
    """Django's SMTP backend over the watched connection."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _WatchedTLS if self.use_ssl else _Watched
