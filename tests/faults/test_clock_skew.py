"""C22 where calls are signed: a shop whose clock is wrong refuses every signature, and that is said, not "wrong keys"."""

import pytest

from postpurchase import clock
from stores import connect
from tests.stores.shop import running

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(20, "The shop's clock is 20 minutes ahead."), (-180, "The shop's clock is 180 minutes behind.")],
)
def test_c22_signatures_refused_by_a_wrong_clock_name_the_clock(minutes: int, words: str) -> None:
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        sandbox.store.storage.option("oauth_skew", minutes * 60)
        sandbox.advance(minutes=minutes)
        with pytest.raises(connect.ConnectRefused) as caught:
            connect.connect(sandbox.url, key=sandbox.key, secret=sandbox.secret)
        assert caught.value.code == "clock_skew"
        assert words in caught.value.message
        assert "NTP" in caught.value.message


def test_c22_wrong_keys_at_a_shop_with_the_right_time_are_wrong_keys() -> None:
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        with pytest.raises(connect.ConnectRefused) as caught:
            connect.connect(sandbox.url, key=sandbox.key, secret="cs_wrong")
        assert caught.value.code == "keys_refused"


def test_c22_a_wrong_clock_alone_is_no_hindrance_while_signatures_are_taken() -> None:
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        sandbox.advance(minutes=20)
        assert connect.connect(sandbox.url, key=sandbox.key, secret=sandbox.secret).state == "connected"
