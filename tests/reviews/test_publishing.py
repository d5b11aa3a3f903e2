"""Reviews into a store over real HTTP: once, inert, counted right, and believed only when read back."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from loyalty import programs
from postpurchase import clock
from reviews import asking, moderation, publishing
from reviews.models import Review
from reviews.submission import submit
from stores import intents
from stores.models import Event, Intent, Store
from stores.sandbox.server import Sandbox
from tests.factories import make_customer, make_order, make_product, make_store
from tests.reviews.cast import answer
from tests.stores.sandbox.conftest import stock

pytestmark = pytest.mark.django_db

HOSTILE = "Nice <script>alert(1)</script> <img src=x onerror=alert(2)> & [gallery] {{7*7}} <b>bold</b>"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock=clock.now) as running:
        stock(running)
        yield running


@pytest.fixture
def store(sandbox: Sandbox) -> Store:
    return make_store(base_url=sandbox.url, consumer_key=sandbox.key, consumer_secret=sandbox.secret, language="en")


def _review(store: Store, *, product: int = 101, email: str = "ana@example.com", **said: Any) -> Review:
    """A submitted review of the sandbox's product."""
    mirrored = store.products.filter(woo_id=product).first() or make_product(store, woo_id=product, name="Cup")
    customer = store.customers.filter(email_key=email).first() or make_customer(
        store, email=email, first_name="Ana", last_name="Pop", language="en"
    )
    order = make_order(store, customer, items=[(mirrored, 1)], language="en")
    request = asking.ask(store, order)
    return submit(request, [answer(request, **said)])[0]


def _publish(review: Review) -> Intent:
    moderation.publish(review, by="owner@example.com")
    return _drain(review)


def _drain(review: Review) -> Intent:
    intents.run_due()
    review.refresh_from_db()
    found = Intent.objects.filter(subject_id=review.pk).order_by("pk").last()
    assert found is not None
    return found


def _held(sandbox: Sandbox) -> list[dict[str, Any]]:
    return sandbox.store.storage.bodies("kind = 'review'")


def _writes(sandbox: Sandbox) -> list[str]:
    return [row["method"] for row in sandbox.requests if row["method"] != "GET"]


def test_a_review_is_held_first_and_approved_afterwards_and_the_average_is_right_at_once(
    sandbox: Sandbox, store: Store
) -> None:
    review = _review(store, rating=4, title="Warm", text="Holds its warmth.")
    assert _held(sandbox) == []
    assert _publish(review).status == "confirmed"
    [held] = _held(sandbox)
    assert (held["status"], held["rating"], held["reviewer"], held["reviewer_email"], held["product_id"]) == (
        "approved",
        4,
        "Ana P.",
        "ana@example.com",
        101,
    )
    assert held["review"] == "<p>Warm<br />\nHolds its warmth.</p>\n"
    product = sandbox.get("product", 101)
    assert product is not None
    assert (product["rating_count"], product["average_rating"]) == (1, "4.00")
    assert (review.woo_id, review.store_status) == (held["id"], "approved")
    assert review.published_at is not None
    event = Event.objects.get(name="review.published")
    assert event.payload == {"review": review.pk, "rating": 4, "woo_id": held["id"]}


def test_one_star_goes_the_same_way_as_five(sandbox: Sandbox, store: Store) -> None:
    for stars, email in ((1, "one@example.com"), (5, "five@example.com")):
        before = len(_writes(sandbox))
        _publish(_review(store, rating=stars, email=email))
        assert _writes(sandbox)[before:] == ["POST", "PUT"]
    assert [(held["status"], held["rating"]) for held in _held(sandbox)] == [("approved", 1), ("approved", 5)]
    assert Event.objects.filter(name="review.published").count() == 2


def test_markup_is_dead_in_the_store_although_our_key_is_an_administrators(sandbox: Sandbox, store: Store) -> None:
    review = _review(store, title="<i>Title</i>", text=HOSTILE)
    Review.objects.filter(pk=review.pk).update(display_name='Ana<script src="//evil.example">')
    assert _publish(Review.objects.get(pk=review.pk)).status == "confirmed"
    [held] = _held(sandbox)
    assert held["review"] == (
        "<p>&lt;i&gt;Title&lt;/i&gt;<br />\nNice &lt;script&gt;alert(1)&lt;/script&gt; &lt;img src=x "
        "onerror=alert(2)&gt; &amp; [gallery] {{7*7}} &lt;b&gt;bold&lt;/b&gt;</p>\n"
    )
    assert "<script" not in held["reviewer"]


def test_stars_alone_are_put_into_words_because_the_store_takes_no_empty_review(sandbox: Sandbox, store: Store) -> None:
    assert _publish(_review(store, rating=5)).status == "confirmed"
    assert _held(sandbox)[0]["review"] == "<p>5 of 5, excellent</p>\n"


def test_a_variation_is_published_under_its_parent(sandbox: Sandbox, store: Store) -> None:
    parent = make_product(store, woo_id=103, name="Plate", kind="variable")
    make_product(store, woo_id=104, name="Plate, large", parent=parent, kind="variation")
    assert _publish(_review(store, product=104)).status == "confirmed"
    assert _held(sandbox)[0]["product_id"] == 103


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_connection_that_drops_makes_no_second_review(
    sandbox: Sandbox, store: Store, method: str, fault: str
) -> None:
    review = _review(store, rating=2, text="Chipped.")
    sandbox.fault(fault, method=method, path="products/reviews")
    intent = _publish(review)
    assert (intent.state, intent.attempts) == ("due", 1)
    with clock.shifted(timedelta(minutes=5)):
        intent = _drain(review)
    assert intent.status == "confirmed"
    [held] = _held(sandbox)
    assert (held["status"], held["rating"], review.woo_id) == ("approved", 2, held["id"])
    assert Event.objects.filter(name="review.published").count() == 1


def test_a_duplicate_in_the_spam_folder_is_ours_and_its_place_is_told(sandbox: Sandbox, store: Store) -> None:
    review = _review(store, text="Lovely.")
    _post(sandbox, "Lovely.", status="spam")
    intent = _publish(review)
    assert (intent.status, review.store_status, review.published_at) == ("attention", "spam", None)
    assert "keeps this review as spam" in intent.error
    assert len(_held(sandbox)) == 1
    assert not Event.objects.filter(name="review.published").exists()


def test_the_same_words_of_the_same_person_are_adopted(sandbox: Sandbox, store: Store) -> None:
    twin = _post(sandbox, "Lovely.", status="hold")
    review = _review(store, rating=4, text="Lovely.")
    assert _publish(review).status == "confirmed"
    assert review.woo_id == twin
    assert len(_held(sandbox)) == 1


def test_the_same_words_for_a_second_order_are_not_taken_for_the_first(sandbox: Sandbox, store: Store) -> None:
    first, second = _review(store, text="Lovely."), _review(store, text="Lovely.")
    assert _publish(first).status == "confirmed"
    intent = _publish(second)
    assert (intent.status, second.woo_id) == ("failed", None)
    assert intent.error.startswith("The shop already has it:")
    assert len(_held(sandbox)) == 1


def test_a_product_gone_from_the_store_ends_it_with_a_reason(sandbox: Sandbox, store: Store) -> None:
    review = _review(store, product=999)
    intent = _publish(review)
    assert (intent.status, intent.state) == ("failed", "dead")
    shown = publishing.with_write_back(Review.objects.all()).get()
    assert (shown.wb_status, shown.wb_state, shown.wb_error) == ("failed", "dead", intent.error)
    assert publishing.stuck(store) == 1
    assert _held(sandbox) == []


def test_hiding_takes_it_off_the_product_page(sandbox: Sandbox, store: Store) -> None:
    review = _review(store, rating=1, text="Call me on 0722 000 000")
    _publish(review)
    moderation.hide(review, reason="personal_data", by="owner@example.com")
    assert not Event.objects.filter(name="review.hidden").exists()
    assert _drain(review).status == "confirmed"
    [held] = _held(sandbox)
    assert (held["status"], review.store_status) == ("hold", "hold")
    product = sandbox.get("product", 101)
    assert product is not None
    assert (product["rating_count"], product["average_rating"]) == (0, "0.00")
    assert Event.objects.get(name="review.hidden").payload["reason"] == "personal_data"


def test_hidden_before_the_store_was_reached_it_never_gets_there(sandbox: Sandbox, store: Store) -> None:
    review = _review(store)
    moderation.publish(review, by="x")
    moderation.hide(review, reason="spam", by="x")
    assert _drain(review).status == "confirmed"
    assert _held(sandbox) == []
    assert _writes(sandbox) == []
    assert not Event.objects.filter(name="review.published").exists()
    assert Event.objects.filter(name="review.hidden").count() == 1


def test_changed_words_replace_the_old_ones_and_the_average_follows(sandbox: Sandbox, store: Store) -> None:
    review = _review(store, rating=1, text="Broken.")
    _publish(review)
    line = review.order.lines.get()
    submit(review.request, [answer(review.request, rating=5, text="They sent a new one.")])
    assert line.woo_id
    review.refresh_from_db()
    assert _publish(review).status == "confirmed"
    [held] = _held(sandbox)
    assert (held["rating"], held["review"]) == (5, "<p>They sent a new one.</p>\n")
    product = sandbox.get("product", 101)
    assert product is not None
    assert (product["rating_count"], product["average_rating"]) == (1, "5.00")
    assert Event.objects.filter(name="review.published").count() == 1


def test_a_review_deleted_in_the_store_comes_back_when_published_again(sandbox: Sandbox, store: Store) -> None:
    review = _review(store, text="Lovely.")
    _publish(review)
    first = review.woo_id
    assert first is not None
    sandbox.store.storage.delete("review", first)
    moderation.reopen(review, by="x")
    _drain(review)
    assert (review.woo_id, review.store_status) == (None, "gone")
    assert _publish(review).status == "confirmed"
    assert review.woo_id not in {None, first}
    assert len(_held(sandbox)) == 1


def _post(sandbox: Sandbox, text: str, *, status: str) -> int:
    """Somebody else than us puts a review of Ana's into the store."""
    import requests

    answered = requests.post(
        f"{sandbox.url}/wp-json/wc/v3/products/reviews",
        json={
            "product_id": 101,
            "review": text,
            "reviewer": "Ana P.",
            "reviewer_email": "ana@example.com",
            "rating": 4,
            "status": status,
        },
        auth=(sandbox.key, sandbox.secret),
        timeout=10,
    )
    return int(answered.json()["id"])


def test_points_are_promised_alike_and_the_published_review_says_so(sandbox: Sandbox, store: Store) -> None:
    programs.start(store, actor="owner@example.com")
    reviews = [_review(store, rating=stars, email=f"{stars}@example.com", text="Words.") for stars in (1, 5)]
    for review in reviews:
        _publish(review)
    assert {held["review"] for held in _held(sandbox)} == {"<p>Words.<br />\nReceived points for reviewing.</p>\n"}
    assert asking.points_for_review(store) == 25


def test_published_again_after_hiding_is_a_fact_of_its_own(sandbox: Sandbox, store: Store) -> None:
    review = _review(store, text="Lovely.")
    _publish(review)
    moderation.hide(review, reason="spam", by="x")
    _drain(review)
    _publish(review)
    keys = Event.objects.filter(name="review.published").order_by("pk").values_list("key", flat=True)
    assert list(keys) == [f"review.published:{review.pk}", f"review.published:{review.pk}:1"]
    [held] = _held(sandbox)
    assert held["status"] == "approved"
