"""The local inbox page: what would have been sent, inert, and only for members of the store."""

import pytest
from django.test import Client

from campaigns.models import InboxMail
from tests.factories import NOON, make_store, make_user

pytestmark = pytest.mark.django_db
HTML = (
    "<html><head><style>@media (prefers-color-scheme:dark){p{color:red}}</style></head>"
    "<body><p>Hi</p><script>alert(1)</script></body></html>"
)


@pytest.fixture
def kept() -> InboxMail:
    return InboxMail.objects.create(
        store=make_store(slug="lut"), to="ana@example.com", sender="Lut <a@b.example>", subject="Thank <b>you</b>",
        headers=[["Subject", "Thank you"], ["X", "<script>"]], text="Hello <b>", html=HTML, at=NOON,
    )  # fmt: skip


def member(kept: InboxMail, role: str = "owner") -> Client:
    client = Client()
    assert kept.store
    client.force_login(make_user(kept.store, role=role))
    return client


def test_the_list_and_each_way_of_showing_a_mail(kept: InboxMail) -> None:
    client = member(kept)
    assert "Thank &lt;b&gt;you&lt;/b&gt;" in client.get("/app/lut/mail/").content.decode()
    for show, seen in [
        ("light", "<iframe"),
        ("dark", "?show=dark"),
        ("text", "Hello &lt;b&gt;"),
        ("headers", "X: &lt;script&gt;"),
    ]:
        page = client.get(f"/app/lut/mail/{kept.pk}/?show={show}")
        assert page.status_code == 200
        assert seen in page.content.decode()


def test_the_frame_is_sandboxed_by_its_own_policy(kept: InboxMail) -> None:
    answer = member(kept).get(f"/app/lut/mail/{kept.pk}/body/?show=dark")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    assert "@media all{" in answer.content.decode()


def test_nobody_else_reads_it(kept: InboxMail) -> None:
    other = make_store(slug="other")
    outsider = Client()
    outsider.force_login(make_user(other))
    assert outsider.get(f"/app/lut/mail/{kept.pk}/body/").status_code == 404
    assert outsider.get(f"/app/other/mail/{kept.pk}/").status_code == 404
    assert member(kept, "viewer").get("/app/lut/mail/").status_code == 403
    assert Client().get(f"/app/lut/mail/{kept.pk}/body/").status_code == 302
