"""The rate limiter counts right, with several at once too."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from postpurchase import clock
from stores import limits
from stores.models import Counter
from tests.factories import NOON

MINUTE = timedelta(minutes=1)


@pytest.mark.django_db
def test_uses_up_to_the_limit_pass_and_the_next_is_refused():
    with clock.frozen(NOON):
        assert [limits.hit("a", limit=2, window=MINUTE) for _ in range(3)] == [True, True, False]
        assert limits.hit("b", limit=2, window=MINUTE)


@pytest.mark.django_db
def test_the_window_begins_with_the_first_use_and_then_starts_anew():
    with clock.frozen(NOON):
        limits.hit("a", limit=1, window=MINUTE)
    with clock.frozen(NOON + timedelta(seconds=59)):
        assert not limits.hit("a", limit=1, window=MINUTE)
    with clock.frozen(NOON + MINUTE):
        assert limits.hit("a", limit=1, window=MINUTE)
        assert Counter.objects.get().ends_at == NOON + 2 * MINUTE


@pytest.mark.django_db
def test_long_names_are_told_apart():
    assert limits.hit("x" * 200 + "a", limit=1, window=MINUTE)
    assert limits.hit("x" * 200 + "b", limit=1, window=MINUTE)
    assert not limits.hit("x" * 200 + "a", limit=1, window=MINUTE)


@pytest.mark.django_db(transaction=True)
def test_threads_at_once_are_all_counted():
    def uses(_):
        try:
            return sum(limits.hit("shared", limit=30, window=MINUTE) for _ in range(20))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        passed = sum(pool.map(uses, range(4)))
    assert passed == 30
    assert Counter.objects.get().count == 80
