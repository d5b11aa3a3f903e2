"""What a buyer says is recorded once, changed by saying it again, and never more than was said."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage

from postpurchase import clock
from postpurchase.errors import BusinessError
from reviews import moderation, photos
from reviews.models import Photo, Review, ReviewRequest, ReviewSettings
from reviews.submission import Answer, submit
from stores.models import Event
from tests.factories import NOON
from tests.reviews.cast import answer, asked, order_of_three, upload

pytestmark = pytest.mark.django_db


def test_one_answer_is_one_review_with_its_event() -> None:
    request = asked()
    [review] = submit(request, [answer(request, rating=4, text="Holds its warmth.")])
    assert (review.rating, review.text, review.display_name, review.item_name, review.state) == (
        4,
        "Holds its warmth.",
        "Ana P.",
        "Marea mug, cobalt blue",
        "to_check",
    )
    event = Event.objects.get(name="review.submitted")
    assert event.payload == {"review": review.pk, "rating": 4}
    request.refresh_from_db()
    assert request.state == ReviewRequest.State.OPEN


def test_the_same_form_sent_twice_changes_nothing() -> None:
    request = asked()
    said = [answer(request, rating=2, title="Chipped", text="At the rim.")]
    [first] = submit(request, said)
    submit(request, said)
    review = Review.objects.get()
    assert (review.pk, review.revision, review.edited_at) == (first.pk, 1, None)
    assert Event.objects.filter(name="review.submitted").count() == 1


def test_other_words_change_the_review_and_bring_it_back_to_be_checked() -> None:
    request = asked()
    [review] = submit(request, [answer(request, rating=2)])
    moderation.publish(review, by="owner@example.com")
    submit(request, [answer(request, rating=5, text="They sent a new one.")], display_name="Ana")
    review = Review.objects.get()
    assert (review.rating, review.text, review.display_name, review.state, review.revision) == (
        5,
        "They sent a new one.",
        "Ana",
        "to_check",
        3,
    )


def test_when_all_items_are_reviewed_the_request_is_answered() -> None:
    request = asked()
    submit(request, [answer(request, place) for place in (0, 1)])
    assert not ReviewRequest.objects.filter(state="answered").exists()
    with clock.frozen(NOON):
        submit(request, [answer(request, 2)])
    request.refresh_from_db()
    assert (request.state, request.answered_at) == ("answered", NOON)


@pytest.mark.parametrize("rating", [0, 6, -1, 100])
def test_stars_beyond_one_to_five_are_refused(rating: int) -> None:
    request = asked()
    with pytest.raises(BusinessError) as refused:
        submit(request, [answer(request, 1), answer(request, rating=rating)])
    assert refused.value.code == "bad_rating"
    assert Review.objects.count() == 0
    assert not Event.objects.filter(name="review.submitted").exists()


def test_an_item_of_another_order_is_refused() -> None:
    request, other = asked(), order_of_three()
    foreign = other.lines.first()
    assert foreign is not None
    with pytest.raises(BusinessError) as refused:
        submit(request, [Answer(line_id=foreign.woo_id, rating=5)])
    assert refused.value.code == "not_reviewable"
    assert Review.objects.count() == 0


def test_control_signs_are_dropped_and_length_is_bounded() -> None:
    request = asked()
    [review] = submit(
        request,
        [answer(request, title=" A\x00\n title\u202e ", text="one\r\n\r\n\r\n\r\ntwo\x07" + "x" * 9000)],
        display_name="\x00 \t",
    )
    assert review.title == "A title"
    assert review.text.startswith("one\n\ntwox")
    assert len(review.text) == 5000
    assert review.display_name == "Ana P."


def test_auto_publish_time_depends_on_the_purchase_and_not_on_the_stars() -> None:
    with clock.frozen(NOON):
        request = asked()
        reviews = submit(request, [answer(request, 0, rating=1), answer(request, 1, rating=5)])
        assert [review.auto_publish_at for review in reviews] == [NOON + timedelta(hours=24)] * 2
        uncounted = asked(counted=False)
        assert submit(uncounted, [answer(uncounted)])[0].auto_publish_at is None
        switched_off = asked()
        ReviewSettings.objects.create(store=switched_off.store, auto_publish_hours=None)
        assert submit(switched_off, [answer(switched_off)])[0].auto_publish_at is None


def test_photos_come_with_the_review_and_at_most_five() -> None:
    request = asked()
    good, _ = photos.prepare_all([upload() for _ in range(3)])
    [review] = submit(request, [answer(request, photos=good)])
    assert review.photos.count() == 3
    more, _ = photos.prepare_all([upload() for _ in range(3)])
    with pytest.raises(BusinessError) as refused:
        submit(request, [answer(request, text="More pictures", photos=more)])
    assert refused.value.code == "photo_too_many"
    assert Photo.objects.count() == 3
    assert Review.objects.get().text == ""
    assert [default_storage.exists(photo.file) for photo in more] == [False] * 3
