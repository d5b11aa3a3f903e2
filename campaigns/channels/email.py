"""E-mail: builds the message, hands it over by SMTP or a provider's API, and sorts what can go wrong.

`error_kind` of a refusal:
- temporary: try this message again later (450, greylisting, a full disk there);
- busy: the server or provider takes nothing from anybody now (421, 429, 5xx of a provider, it cannot be reached);
- permanent: this address cannot be written to (no such user); the outbox suppresses it;
- account: our side is refused (sign-in, sender, TLS, blocked, 401); the outbox stops for the store and suppresses nobody;
- unknown: the message was given and no answer came; it may have been sent, so it is not sent again by itself.
"""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import formataddr
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from campaigns import consent
from campaigns.channels.smtp import LostAfterData
from campaigns.models import Message
from campaigns.rendering import Rendered, one_line
from postpurchase.errors import BusinessError
from postpurchase.http import checked_addresses
from stores.models import Store

TEMPORARY, PERMANENT, ACCOUNT, UNKNOWN, BUSY = "temporary", "permanent", "account", "unknown", "busy"
TIMEOUT_SECONDS = 30
SMTP = "campaigns.channels.smtp.EmailBackend"

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_ENHANCED = re.compile(r"\b[245]\.(\d{1,3})\.(\d{1,3})\b")
_NO_SUCH_USER = re.compile(r"user|mailbox|recipient|address|unknown|no such|does not exist", re.IGNORECASE)
_BLOCKED = re.compile(r"block|spam|polic|denied|relay|blacklist|blocklist|reputation|authenticat", re.IGNORECASE)


@dataclass(frozen=True)
class Handed:
    """What became of handing a message over. `error` may be shown to the merchant; it holds no secret.

    `alone`: the refusal came at this recipient or text, so it may not hold for others. `rest_seconds`: how long the other
    side asked to be left alone.
    """

    accepted: bool
    provider_id: str = ""
    error_kind: str = ""
    error: str = ""
    alone: bool = False
    rest_seconds: int = 0


class BadAddress(BusinessError):
    """An address that no mail can go to."""


def checked_address(raw: str) -> str:
    """The address as it goes on the wire (international domains in ASCII); BadAddress when it is none, with the reason."""

    def refuse(why: str) -> NoReturn:
        raise BadAddress(
            f"The address {raw[:80]!r} {why}. Nothing was sent. Correct it on the customer.", "bad_address"
        )

    if any(ord(part) < 32 or part == "\x7f" for part in raw):
        refuse("contains a line break or control character")
    address = raw.strip()
    local, at, domain = address.rpartition("@")
    if not at or not local or len(address) > 254:
        refuse("is not an e-mail address")
    if any(part in address for part in ',;<> "()[]\\:'):
        refuse("contains a character that would make it several addresses or a comment")
    if not _LOCAL.fullmatch(local) or len(local) > 64:
        refuse("has a name before the @ that mail servers refuse")
    try:
        domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        refuse("has a domain that does not exist")
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        refuse("has no complete domain")
    return f"{local}@{domain}"


def connection_for(store: Store) -> BaseEmailBackend:
    """The store's own mail account, else the installation's. BusinessError `bad_email_url` names what is wrong."""
    if not store.email_url:
        is_smtp = settings.EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend"
        return get_connection(SMTP, timeout=TIMEOUT_SECONDS) if is_smtp else get_connection()
    backend, options = backend_of(store.email_url)
    if backend == SMTP:
        # A merchant's server must not be one of our own network, unless the operator allows it.
        checked_addresses(options["host"], 443)
    return get_connection(backend, **options)


def backend_of(url: str) -> tuple[str, dict[str, Any]]:
    """Backend and options for `smtp://`, `smtps://` (TLS from the start), `smtp+tls://` or `anymail+<provider>://?key=..`.

    BusinessError `bad_email_url`; the message never repeats the address, which holds the password.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme.startswith("anymail+"):
        provider = scheme.removeprefix("anymail+").replace("-", "_")
        if re.fullmatch(r"[a-z_]+", provider):
            return f"anymail.backends.{provider}.EmailBackend", dict(parse_qsl(parts.query))
    elif scheme in {"smtp", "smtps", "smtp+tls", "smtp+ssl"} and parts.hostname:
        direct = scheme in {"smtps", "smtp+ssl"}
        return SMTP, {
            "host": parts.hostname,
            "port": parts.port or (465 if direct else 587),
            "username": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "use_ssl": direct,
            "use_tls": scheme == "smtp+tls",
            "timeout": TIMEOUT_SECONDS,
        }
    raise BusinessError(
        "The mail address of the store is not understood. Nothing was sent. Write it as smtp+tls://user:password@host:587 "
        "or anymail+postmark://?server_token=...",
        "bad_email_url",
    )


def build(message: Message, rendered: Rendered, *, to: str) -> EmailMultiAlternatives:
    """The MIME message with all its headers; `to` is a checked address."""
    store = message.store
    sender = store.mail_from or settings.DEFAULT_FROM_EMAIL
    headers = {"Message-ID": message.message_id, "Auto-Submitted": "auto-generated"}
    if message.klass != "T" and message.pk is not None:
        leave = consent.unsubscribe_url(store, message.customer, channel="email", purpose=message.purpose)
        headers |= {"List-Unsubscribe": f"<{leave}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    mail = EmailMultiAlternatives(
        subject=one_line(rendered.subject),
        body=rendered.text,
        from_email=formataddr((one_line(store.name, length=80), sender)),
        to=[to],
        reply_to=[store.mail_reply_to] if store.mail_reply_to else None,
        headers=headers,
    )
    mail.attach_alternative(rendered.html, "text/html")
    mail.store_id = store.pk  # type: ignore[attr-defined]  # for the local inbox
    return mail


_kept: ContextVar[dict[int, BaseEmailBackend] | None] = ContextVar("kept_connections", default=None)


@contextmanager
def kept_connections() -> Iterator[None]:
    """Inside, one connection for each store serves all its messages, as long as the other side keeps it open."""
    kept: dict[int, BaseEmailBackend] = {}
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)
        for connection in kept.values():
            _close(connection)


def send(message: Message, rendered: Rendered) -> Handed:
    """Hand one message over. Never raises for what the other side does; call it outside any transaction."""
    try:
        to = checked_address(message.to or message.customer.email)
    except BadAddress as error:
        return Handed(False, error_kind=PERMANENT, error=error.message, alone=True)
    try:
        mail = build(message, rendered, to=to)
    except BusinessError as error:
        return Handed(False, error_kind=ACCOUNT, error=error.message)
    except Exception as error:
        return _sorted(error, given=False)
    return deliver(message.store, mail, to=to)


def deliver(store: Store, mail: EmailMultiAlternatives, *, to: str) -> Handed:
    """Hand a built mail to the store's account. Never raises for what the other side does."""
    kept = _kept.get()
    connection = kept.pop(store.pk, None) if kept is not None else None
    if connection is not None:
        try:
            connection.send_messages([mail])
        except Exception as error:
            _close(connection)
            if not _let_go(error):
                return _sorted(error, given=True)
            # It had enough of us on that connection and was given nothing: once more on a new one.
            connection = None
    if connection is None:
        try:
            connection = connection_for(store)
            connection.open()
        except BusinessError as error:
            return Handed(False, error_kind=ACCOUNT, error=error.message)
        except Exception as error:
            return _sorted(error, given=False)
        try:
            connection.send_messages([mail])
        except Exception as error:
            _close(connection)
            return _sorted(error, given=True)
    if kept is None:
        _close(connection)
    else:
        kept[store.pk] = connection
    return _outcome(mail, to)


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (smtplib.SMTPException, OSError):
        pass  # it has answered; how it says goodbye changes nothing


def _let_go(error: Exception) -> bool:
    """The server ended a connection that had served others before: hung up, or 421 at the sender."""
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code == 421
    return isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError)


def _outcome(mail: EmailMultiAlternatives, to: str) -> Handed:
    status = getattr(mail, "anymail_status", None)
    if status is None or not status.recipients:
        return Handed(True)
    one = next(iter(status.recipients.values()))
    known_as = "" if one.message_id is None else str(one.message_id)
    if one.status in {"invalid", "rejected"}:
        return Handed(False, known_as, PERMANENT, f"The provider refuses {to}: {one.status}.", alone=True)
    if one.status == "failed":
        return Handed(False, known_as, TEMPORARY, "The provider could not take the message.", alone=True)
    return Handed(True, known_as)


def _sorted(error: Exception, *, given: bool) -> Handed:
    kind, words = _judge(error, given=given)
    at_message = smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError | AnymailRecipientsRefused
    rest = 0
    if isinstance(error, AnymailError):
        told = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
        rest = min(int(told), 3600) if str(told).isdigit() else 0
    return Handed(False, error_kind=kind, error=words[:500], alone=isinstance(error, at_message), rest_seconds=rest)


def _judge(error: Exception, *, given: bool) -> tuple[str, str]:
    if isinstance(error, LostAfterData):
        return UNKNOWN, "The mail server took the message and the connection broke before it answered."
    if isinstance(error, AnymailError):
        return _provider(error)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
        return _recipient(code, _decoded(text))
    if isinstance(error, smtplib.SMTPResponseException):
        words = f"The mail server answers {error.smtp_code}: {_decoded(error.smtp_error)}"
        if error.smtp_code == 421:
            return BUSY, words
        return (TEMPORARY if 400 <= error.smtp_code < 500 else ACCOUNT), words
    if isinstance(error, ssl.SSLError | smtplib.SMTPNotSupportedError):
        return ACCOUNT, f"No safe connection to the mail server: {error}"
    if isinstance(error, smtplib.SMTPException | OSError):
        return (TEMPORARY if given else BUSY), f"The mail server cannot be reached: {error}"
    # Whatever it was, the message may have left if it came while sending.
    return (UNKNOWN if given else ACCOUNT), f"{type(error).__name__}: {error}"


def _recipient(code: int, text: str) -> tuple[str, str]:
    words = f"The mail server refuses the address, {code}: {text}"
    if code == 421:
        return BUSY, words
    if 400 <= code < 500:
        return TEMPORARY, words
    enhanced = _ENHANCED.search(text)
    if enhanced:
        subject, detail = enhanced.groups()
        if subject == "2" and detail in {"2", "3"}:
            return TEMPORARY, words  # full today is not gone
        return (PERMANENT if subject in {"1", "2"} else ACCOUNT), words
    if code == 552:
        return TEMPORARY, words
    if code in {550, 551, 553} and _NO_SUCH_USER.search(text) and not _BLOCKED.search(text):
        return PERMANENT, words
    return ACCOUNT, words


def _provider(error: AnymailError) -> tuple[str, str]:
    status = getattr(error, "status_code", None)
    words = f"The provider answers {status}." if status else f"The provider refuses: {type(error).__name__}."
    if isinstance(error, AnymailRecipientsRefused):
        return PERMANENT, words
    if isinstance(error, AnymailAPIError) and status is None:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, requests.Timeout) and not isinstance(cause, requests.ConnectTimeout):
            return UNKNOWN, "The provider was given the message and did not answer in time."
        return BUSY, "The provider cannot be reached."
    if status == 429 or (status is not None and status >= 500):
        return BUSY, words
    return ACCOUNT, words


def _decoded(text: bytes | str) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)
