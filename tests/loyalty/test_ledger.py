"""The ledger: append only, once per key, never below zero by spending, and proven by its audit."""

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from loyalty import ledger
from loyalty.models import Account, Entry
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores.models import AuditEvent
from tests.factories import make_customer, make_store, make_user


@pytest.fixture
def account(db):
    store = make_store()
    customer = make_customer(store)
    ledger.give(store, customer, points=100, key="gift", reason="Welcome")
    return Account.objects.get(customer=customer)


def test_a_gift_counts_once_per_key(account):
    assert ledger.give(account.store, account.customer, points=100, key="gift", reason="Welcome") is None
    assert ledger.balance(account.customer).usable == 100


def test_spending_more_than_there_is_takes_nothing(account):
    with pytest.raises(BusinessError) as refusal, ledger.locked(account) as held:
        ledger.spend(held, points=101, key="x", reason="reward")
    assert refusal.value.code == "not_enough_points"
    assert ledger.balance(account.customer).usable == 100
    assert Entry.objects.count() == 1


def test_an_entry_cannot_be_changed_or_deleted(account):
    entry = Entry.objects.get()
    entry.points = 5
    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        Entry.objects.update(points=5)
    assert Entry.objects.get().points == 100


def test_points_that_come_back_come_back_once(account):
    with ledger.locked(account) as held:
        ledger.spend(held, points=60, key="redeem:1", reason="reward")
    for _ in range(2):
        with ledger.locked(account) as held:
            ledger.give_back(held, points=60, key="redeem:1:back", reason="could not be made")
    assert ledger.balance(account.customer).usable == 100


def test_a_correction_needs_a_note_and_stays_above_zero(account):
    person = make_user(account.store)
    for points, note, code in [(5, " ", "note_needed"), (0, "why", "zero_points"), (-101, "why", "below_zero")]:
        with pytest.raises(BusinessError) as refusal:
            ledger.adjust(account, points=points, note=note, by=person, key="k")
        assert refusal.value.code == code
    ledger.adjust(account, points=-40, note="typed twice", by=person, key="k")
    ledger.adjust(account, points=-40, note="typed twice", by=person, key="k")
    assert ledger.balance(account.customer).usable == 60
    assert AuditEvent.objects.get().diff == {"points": -40}


def test_the_audit_finds_a_cache_that_was_tampered_with(account, capsys):
    call_command("audit_ledgers")
    assert capsys.readouterr().out == "1 accounts, 1 entries, 0 differ\n"
    Account.objects.update(usable=140)
    with pytest.raises(CommandError):
        call_command("audit_ledgers")
    assert (
        f"account {account.pk}: says 140 usable and 0 pending, its entries sum to 100 and 0" in capsys.readouterr().out
    )
    assert Account.objects.get().usable == 140


def test_another_stores_customer_is_refused(account):
    with pytest.raises(ValueError, match="another store"):
        ledger.give(make_store(), account.customer, points=1, key="x", reason="y")


@pytest.mark.django_db(transaction=True)
def test_of_many_who_spend_the_last_points_at_once_one_succeeds():
    store = make_store()
    customer = make_customer(store)
    ledger.give(store, customer, points=100, key="gift", reason="Welcome")
    account = Account.objects.get()
    outcomes = []

    def spend(n):
        try:
            with ledger.locked(account) as held:
                ledger.spend(held, points=100, key=f"redeem:{n}", reason="reward")
            outcomes.append("taken")
        except BusinessError as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=spend, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["not_enough_points"] * 11 + ["taken"]
    assert ledger.balance(customer).usable == 0
    assert ledger.check_balances() == []


def test_the_clock_of_the_store_decides_when_points_become_usable(account):
    clock.advance(timedelta(days=400))
    assert ledger.make_usable() == 0
    assert ledger.balance(account.customer).usable == 100
