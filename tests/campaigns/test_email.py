"""Handing mail over: headers that survive, addresses refused with a reason, and each failure in its right drawer."""

import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.core import mail as outbox
from django.test import override_settings

from campaigns.channels import email
from campaigns.models import InboxMail
from campaigns.rendering import Rendered
from tests.campaigns.mails import ana, lut, mail, message_for, pots

pytestmark = pytest.mark.django_db

RENDERED = Rendered("Thank you, Ană 🎉", "Preheader", "<p>Mulțumim</p>", "Mulțumim\n")


class Server:
    """What the mail server answers at each stage, and what it got."""

    def __init__(self) -> None:
        self.rcpt = self.sender = self.data = "250 OK"
        self.got: list[EmailMessage] = []

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self.sender

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.data


@pytest.fixture
def server() -> Iterator[tuple[Server, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handler = Server()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


def hand_over(port: int, *, name: str = "R06.review_request", to: str = "ana@example.com") -> email.Handed:
    store = lut(email_url=f"smtp://127.0.0.1:{port}", mail_reply_to="ioana@atelier-lut.example.com")
    customer = ana(store, email=to)
    return email.send(message_for(store, customer, None, name), RENDERED)


def test_one_click_unsubscribe_survives_smtp(server: tuple[Server, int]) -> None:
    handler, port = server
    assert hand_over(port) == email.Handed(True)
    got = handler.got[0]
    assert str(got["List-Unsubscribe"]).startswith("<http://testserver/u/u-")
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Message-ID"].endswith("@atelier-lut.example.com>")
    assert got["Reply-To"] == "ioana@atelier-lut.example.com"
    assert got["From"] == "Atelier Lut <hello@atelier-lut.example.com>"
    assert got["Subject"] == "Thank you, Ană 🎉"
    assert [part.get_content_type() for part in got.iter_parts()] == ["text/plain", "text/html"]


def test_a_message_about_an_order_has_no_unsubscribe_header(server: tuple[Server, int]) -> None:
    handler, port = server
    hand_over(port, name="R01.thank_you")
    assert handler.got[0]["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    ("stage", "answer", "kind"),
    [
        ("rcpt", "450 4.2.0 greylisted, try again", "temporary"),
        ("rcpt", "421 4.7.0 too busy", "busy"),
        ("rcpt", "550 5.1.1 no such user", "permanent"),
        ("rcpt", "550 User unknown", "permanent"),
        ("rcpt", "552 5.2.2 mailbox full", "temporary"),
        ("rcpt", "550 5.7.1 sender is blocked", "account"),
        ("rcpt", "554 relay access denied", "account"),
        ("sender", "550 5.7.1 not your domain", "account"),
        ("sender", "451 4.3.0 later", "temporary"),
        ("sender", "421 4.3.2 shutting down", "busy"),
        ("data", "421 4.7.0 too many messages", "busy"),
        ("data", "554 5.7.1 spam", "account"),
        ("data", "452 4.3.1 disk full", "temporary"),
    ],
)
def test_each_refusal_in_its_drawer(server: tuple[Server, int], stage: str, answer: str, kind: str) -> None:
    handler, port = server
    setattr(handler, stage, answer)
    handed = hand_over(port)
    assert (handed.accepted, handed.error_kind) == (False, kind)
    assert answer.split(" ", 1)[1] in handed.error


def test_a_server_that_nobody_reaches_is_busy_for_everybody() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handed = hand_over(port)
    assert (handed.error_kind, handed.alone) == ("busy", False)


def serve_and_break(listener: socket.socket, *, after_message: bool) -> None:
    """Speak SMTP up to DATA or through the message, then hang up without an answer."""
    talk, _address = listener.accept()
    with talk, talk.makefile("rwb") as wire:

        def say(line: bytes) -> None:
            wire.write(line + b"\r\n")
            wire.flush()

        say(b"220 ready")
        while line := wire.readline():
            if not line.upper().startswith(b"DATA"):
                say(b"250 ok")
                continue
            if after_message:
                say(b"354 go on")
                while wire.readline() not in {b".\r\n", b""}:
                    pass
            return


@pytest.mark.parametrize(("after_message", "kind"), [(True, "unknown"), (False, "temporary")])
def test_a_connection_lost_after_the_message_is_unclear_and_before_it_temporary(after_message: bool, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_and_break, args=(listener,), kwargs={"after_message": after_message})
        thread.start()
        handed = hand_over(listener.getsockname()[1])
        thread.join(5)
    assert (handed.accepted, handed.error_kind) == (False, kind)


@pytest.mark.parametrize(
    "address",
    [
        "a@b",
        "a,b@example.com",
        "ana@example.com\r\nBcc: x@evil.example",
        "ana",
        "@example.com",
        "a b@example.com",
        "ana@-x.com",
        "<ana@example.com>",
        "ană@example.com",
        "",
    ],
)
def test_a_bad_address_is_refused_with_its_reason(address: str) -> None:
    with pytest.raises(email.BadAddress) as refused:
        email.checked_address(address)
    assert "Nothing was sent." in refused.value.message


def test_an_international_domain_goes_out_in_ascii() -> None:
    assert email.checked_address(" ana@bücher.example ") == "ana@xn--bcher-kva.example"


def test_hostile_names_make_no_header_and_no_markup() -> None:
    store = lut(name="Lut\r\nBcc: x@evil.example", email_url="")
    customer = ana(store, first_name="{{7*7}}<script>\r\nBcc: y@evil.example\u202e")
    rendered = mail(store, customer, pots(store, customer), "R01.thank_you", "en")
    email.send(message_for(store, customer, None, "R06.review_request"), rendered)

    sent = outbox.outbox[0].message()
    assert sent["Bcc"] is None
    assert sent["To"] == "ana.popescu@example.com"
    assert "\n" not in rendered.subject
    assert "\u202e" not in rendered.subject
    assert "<script>" not in rendered.html
    assert "&lt;script&gt;" in rendered.html
    assert "{{7*7}}" in rendered.text
    assert len(outbox.outbox[0].recipients()) == 1


@override_settings(EMAIL_BACKEND="campaigns.channels.inbox.InboxBackend")
def test_the_local_inbox_keeps_a_mail_with_its_headers() -> None:
    store = lut()
    customer = ana(store)
    assert email.send(message_for(store, customer, None, "R06.review_request"), RENDERED).accepted
    kept = InboxMail.objects.get(store=store)
    assert kept.subject == "Thank you, Ană 🎉"
    assert kept.html == "<p>Mulțumim</p>"
    assert "List-Unsubscribe-Post" in dict(kept.headers)


def test_a_private_mail_server_of_a_merchant_is_not_called(settings: Any) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = []
    handed = hand_over(25)
    assert not handed.accepted
    assert handed.error_kind == "busy"


def test_a_provider_by_anymail_gets_the_headers_and_gives_its_id() -> None:
    store = lut(email_url="anymail+test://")
    handed = email.send(message_for(store, ana(store), None, "R06.review_request"), RENDERED)
    assert handed.accepted
    assert handed.provider_id
    assert outbox.outbox[0].extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_an_address_of_the_account_is_never_repeated() -> None:
    store = lut(email_url="gopher://user:secret@host")
    handed = email.send(message_for(store, ana(store), None, "R06.review_request"), RENDERED)
    assert handed.error_kind == "account"
    assert "secret" not in handed.error
