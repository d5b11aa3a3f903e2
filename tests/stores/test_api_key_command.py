"""`manage.py api_key`."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from postpurchase import clock
from stores.api_keys import read_api_key
from stores.models import ApiKey, AuditEvent
from tests.factories import NOON, make_store

pytestmark = pytest.mark.django_db


def run(*arguments):
    out = StringIO()
    call_command("api_key", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_create_prints_a_key_that_works_and_is_audited():
    store = make_store(slug="cup")
    with clock.frozen(NOON):
        text = run(
            "create", "--store", "cup", "--scopes", "orders:read, ledger:write", "--name", "till", "--days", "30"
        )
        key = read_api_key(text)
    assert key.store == store
    assert (key.name, key.scopes, key.expires_at) == (
        "till",
        ["ledger:write", "orders:read"],
        NOON + timedelta(days=30),
    )
    assert AuditEvent.objects.get().action == "api_key.create"


@pytest.mark.parametrize(("slug", "scopes"), [("cup", "everything"), ("cup", ""), ("other", "orders:read")])
def test_unknown_scopes_and_stores_make_no_key(slug, scopes):
    make_store(slug="cup")
    with pytest.raises(CommandError):
        run("create", "--store", slug, "--scopes", scopes)
    assert ApiKey.objects.count() == 0


def test_list_shows_keys_without_secrets_and_revoke_ends_one():
    make_store(slug="cup")
    text = run("create", "--store", "cup", "--scopes", "orders:read")
    prefix = ApiKey.objects.get().prefix
    listed = run("list", "--store", "cup")
    assert f"cup  {prefix}  live  never used  orders:read" in listed
    assert text.split("_", 2)[2] not in listed
    run("revoke", prefix)
    assert read_api_key(text) is None
    assert "revoked" in run("list")
    with pytest.raises(CommandError, match="no live key"):
        run("revoke", prefix)
