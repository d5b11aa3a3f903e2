"""rotate_keys moves every secret to the newest key and may be repeated."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection

from postpurchase import rotation
from postpurchase.errors import BusinessError
from stores.models import Store, WebhookEndpoint
from tests.factories import make_store

pytestmark = pytest.mark.django_db
OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))
SECRET = Store._meta.get_field("consumer_secret")


def tokens():
    with connection.cursor() as cursor:
        cursor.execute("SELECT consumer_secret FROM stores_store ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def call(*arguments):
    out, err = StringIO(), StringIO()
    call_command("rotate_keys", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_secrets_of_all_models_are_found():
    found = {f"{model.__name__}.{field.name}" for model, field in rotation.encrypted_columns()}
    assert {"Store.consumer_key", "Store.consumer_secret", "Store.email_url", "WebhookEndpoint.secret"} <= found


def test_after_rotation_the_old_key_is_not_needed(settings):
    settings.FIELD_KEYS = [OLD]
    stores = [make_store(consumer_secret=f"cs_{n}") for n in range(3)]
    hook = WebhookEndpoint.objects.create(store=stores[0], secret="hook", topic="order.updated")
    settings.FIELD_KEYS = [NEW, OLD]
    out, err = call()
    assert "stores.Store.consumer_secret: 3 moved, 0 already there" in out
    assert err == ""
    settings.FIELD_KEYS = [NEW]
    assert list(Store.objects.order_by("pk").values_list("consumer_secret", flat=True)) == ["cs_0", "cs_1", "cs_2"]
    hook.refresh_from_db()
    assert hook.secret == "hook"


def test_a_second_run_writes_nothing(settings):
    settings.FIELD_KEYS = [OLD]
    make_store()
    settings.FIELD_KEYS = [NEW, OLD]
    call()
    before = tokens()
    out, _ = call()
    assert "stores.Store.consumer_secret: 0 moved, 1 already there" in out
    assert tokens() == before


def test_a_dry_run_counts_and_writes_nothing(settings):
    settings.FIELD_KEYS = [OLD]
    make_store()
    settings.FIELD_KEYS = [NEW, OLD]
    before = tokens()
    out, _ = call("--dry-run")
    assert "stores.Store.consumer_secret: 1 would be moved" in out
    assert tokens() == before


def test_many_batches_are_all_moved(settings, monkeypatch):
    monkeypatch.setattr(rotation, "BATCH", 2)
    settings.FIELD_KEYS = [OLD]
    for _ in range(5):
        make_store()
    settings.FIELD_KEYS = [NEW, OLD]
    told = []
    assert rotation.rotate(Store, SECRET, told=told.append) == rotation.Rotated(
        "stores.Store.consumer_secret", seen=5, moved=5
    )
    assert told == [2, 4, 5]


def test_a_secret_of_an_unknown_key_is_left_alone_and_told(settings):
    settings.FIELD_KEYS = [FOREIGN]
    make_store()
    settings.FIELD_KEYS = [NEW, OLD]
    before = tokens()
    with pytest.raises(SystemExit) as ended:
        call()
    assert ended.value.code == 1
    assert tokens() == before
    with pytest.raises(BusinessError, match="Put the earlier key back"):
        Store.objects.get()
