"""First run, sign-in, account and look."""

import pytest
from django.core.cache import cache
from django.test import Client

from stores.models import AuditEvent, User
from tests.factories import make_store, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_failures_before():
    cache.clear()


GOOD = {"name": "Ioana Pop", "email": "ioana@example.com", "password": "a short sentence 7"}


def test_the_first_visitor_is_led_to_make_the_owner():
    assert Client().get("/")["Location"] == "/setup/"
    response = Client().post("/setup/", GOOD)
    assert (response.status_code, response["Location"]) == (302, "/setup/connect/")
    owner = User.objects.get()
    assert (owner.email, owner.name, owner.is_superuser, owner.check_password(GOOD["password"])) == (
        "ioana@example.com",
        "Ioana Pop",
        True,
        True,
    )
    assert AuditEvent.objects.get().action == "owner.create"


def test_a_weak_password_makes_no_owner_and_says_why():
    response = Client().post("/setup/", GOOD | {"password": "12345"})
    assert response.status_code == 200
    assert "too short" in response.content.decode()
    assert User.objects.count() == 0


def test_once_somebody_exists_there_is_no_first_run():
    make_user()
    assert Client().get("/setup/").status_code == 404
    assert Client().post("/setup/", GOOD).status_code == 404
    assert User.objects.count() == 1
    assert Client().get("/")["Location"] == "/accounts/login/?next=/"


def test_signing_in_leads_to_the_first_store():
    make_user(make_store(slug="lut"), email="ioana@example.com")
    client = Client()
    client.post("/accounts/login/", {"login": "ioana@example.com", "password": "pass-word-1"})
    assert client.get("/")["Location"] == "/app/lut/"


def test_wrong_email_and_wrong_password_say_the_same():
    make_user(email="ioana@example.com")
    answers = [
        Client().post("/accounts/login/", {"login": email, "password": "wrong-one-here"}).context["form"].errors
        for email in ("ioana@example.com", "nobody@example.com")
    ]
    assert answers[0] == answers[1] != {}


def test_after_five_failures_a_minute_must_pass():
    make_user(email="ioana@example.com")
    client = Client()
    for _ in range(5):
        client.post("/accounts/login/", {"login": "ioana@example.com", "password": "wrong-one-here"})
    response = client.post("/accounts/login/", {"login": "ioana@example.com", "password": "pass-word-1"})
    assert "_auth_user_id" not in client.session
    assert response.status_code in {200, 429}


def test_the_theme_is_in_the_first_byte_and_remembered_when_signed_out():
    client = Client()
    client.force_login(make_user(make_store(slug="lut")))
    response = client.post("/account/look/", {"theme": "dark", "next": "/app/lut/"})
    assert response["Location"] == "/app/lut/"
    assert 'data-theme="dark"' in client.get("/app/lut/").content.decode()
    client.post("/accounts/logout/")
    assert 'data-theme="dark"' in client.get("/accounts/login/").content.decode()


def test_the_way_back_from_the_look_never_leaves_the_site():
    client = Client()
    client.force_login(make_user())
    assert client.post("/account/look/", {"theme": "light", "next": "https://evil.example/"})["Location"] == "/"


def test_the_account_page_saves_and_refuses_unknown_languages():
    user = make_user()
    client = Client()
    client.force_login(user)
    form = {"name": "Ioana", "language": "ro", "theme": "light", "density": "compact"}
    assert client.post("/account/", form).status_code == 302
    user.refresh_from_db()
    assert (user.name, user.language, user.theme, user.density) == ("Ioana", "ro", "light", "compact")
    assert client.post("/account/", form | {"language": "xx"}).status_code == 200
    user.refresh_from_db()
    assert user.language == "ro"


def test_signing_out_needs_a_post():
    client = Client()
    client.force_login(make_user())
    client.get("/accounts/logout/")
    assert "_auth_user_id" in client.session
    client.post("/accounts/logout/")
    assert "_auth_user_id" not in client.session


def test_error_pages_say_what_happened_and_what_to_do():
    store = make_store(slug="lut")
    client = Client(raise_request_exception=False)
    client.force_login(make_user(store, role="viewer"))
    missing, refused = client.get("/app/none/"), client.get("/app/lut/customers/")
    assert missing.status_code == 404
    assert "There is no such page" in missing.content.decode()
    assert refused.status_code == 403
    assert "Your role in this store does not include it" in refused.content.decode()
