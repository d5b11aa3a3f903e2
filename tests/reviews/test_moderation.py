"""Deciding: the same for every rating, with a reason, written down."""

from datetime import timedelta

import pytest

from postpurchase import clock
from postpurchase.errors import BusinessError
from reviews import moderation
from reviews.models import Review, ReviewRequest
from reviews.submission import submit
from stores.models import AuditEvent, Event, Intent
from tests.factories import NOON, make_user
from tests.reviews.cast import answer, asked

pytestmark = pytest.mark.django_db


def _review(request: ReviewRequest | None = None, place: int = 0, *, rating: int = 4) -> Review:
    request = request or asked()
    return submit(request, [answer(request, place, rating=rating)])[0]


def test_publishing_asks_the_store_once_and_is_written_down() -> None:
    review = _review()
    owner = make_user(review.store)
    moderation.publish(review, by=owner)
    moderation.publish(review, by=owner)
    intent = Intent.objects.get()
    assert (intent.kind, intent.subject_id, intent.status) == ("review.publish", review.pk, "planned")
    audit = AuditEvent.objects.get()
    assert (audit.action, audit.user, audit.target) == ("review.publish", owner, f"review {review.pk}")
    assert audit.diff == {"from": "to_check", "to": "published", "reason": "", "rating": 4}
    # In the store it is not yet.
    assert not Event.objects.filter(name="review.published").exists()


@pytest.mark.parametrize("reason", ["", "negative", "bad", "1 star"])
def test_hiding_needs_a_reason_of_the_list_and_an_opinion_is_none(reason: str) -> None:
    review = _review(rating=1)
    with pytest.raises(BusinessError) as refused:
        moderation.hide(review, reason=reason, by="owner@example.com")
    assert refused.value.code == "reason_needed"
    review.refresh_from_db()
    assert (review.state, review.revision) == ("to_check", 1)
    assert AuditEvent.objects.count() == 0


def test_no_reason_of_the_list_is_about_the_opinion() -> None:
    assert set(Review.HideReason.values) == {"spam", "personal_data", "abuse", "wrong_product"}


def test_hiding_what_never_was_in_the_store_needs_no_write_back() -> None:
    review = _review()
    moderation.hide(review, reason="spam", by="owner@example.com")
    assert Intent.objects.count() == 0
    event = Event.objects.get(name="review.hidden")
    assert event.payload == {"review": review.pk, "rating": 4, "reason": "spam"}
    assert AuditEvent.objects.get().diff["reason"] == "spam"


def test_undo_brings_it_back_to_be_checked_and_out_of_the_store() -> None:
    review = _review()
    moderation.publish(review, by="owner@example.com")
    moderation.reopen(review, by="owner@example.com")
    review.refresh_from_db()
    assert review.state == "to_check"
    assert list(Intent.objects.order_by("pk").values_list("kind", flat=True)) == [
        "review.publish",
        "review.take_back",
    ]


def test_a_decision_about_words_since_changed_is_refused() -> None:
    request = asked()
    review = _review(request)
    submit(request, [answer(request, text="Buy pills at example.com")])
    with pytest.raises(BusinessError) as refused:
        moderation.publish(review, by="owner@example.com", revision=1)
    assert refused.value.code == "review_changed"
    review.refresh_from_db()
    assert review.state == "to_check"
    assert Intent.objects.count() == 0


def test_the_rule_publishes_one_star_and_five_stars_at_the_same_moment() -> None:
    with clock.frozen(NOON):
        request = asked()
        for place, rating in enumerate((1, 5, 3)):
            _review(request, place, rating=rating)
        clock.advance(timedelta(hours=24, seconds=-1))
        assert moderation.publish_due() == 0
        clock.advance(timedelta(seconds=1))
        assert moderation.publish_due() == 3
        assert moderation.publish_due() == 0
    assert set(Review.objects.values_list("state", "decided_by")) == {("published", moderation.RULE)}
    assert Intent.objects.count() == 3


def test_the_rule_leaves_a_refunded_purchase_to_a_person() -> None:
    with clock.frozen(NOON):
        review = _review()
        review.order.counted = False
        review.order.save()
        clock.advance(timedelta(days=2))
        assert moderation.publish_due() == 0
    review.refresh_from_db()
    assert (review.state, review.auto_publish_at) == ("to_check", None)


def test_fairness_counts_decided_reviews_by_stars_with_their_denominator() -> None:
    request = asked()
    for place, rating in enumerate((1, 2, 5)):
        _review(request, place, rating=rating)
    other = asked(request.store)
    undecided = _review(other, rating=1)
    one, two, five = Review.objects.exclude(pk=undecided.pk).order_by("rating")
    moderation.publish(one, by="x")
    moderation.hide(two, reason="abuse", by="x")
    moderation.publish(five, by="x")
    elsewhere = _review(rating=1)
    moderation.hide(elsewhere, reason="spam", by="x")
    shares = moderation.fairness(request.store)
    assert [(share.stars, share.published, share.decided, share.percent) for share in shares] == [
        ("1-2", 1, 2, 50),
        ("3", 0, 0, None),
        ("4-5", 1, 1, 100),
    ]
