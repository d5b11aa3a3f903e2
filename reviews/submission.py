"""What a buyer says about the items of an order: recorded once for each product, changed by saying it again."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from postpurchase import clock
from postpurchase.errors import BusinessError
from reviews import asking, photos
from reviews.models import Review, ReviewRequest, ReviewSettings
from reviews.photos import Prepared
from stores import events
from stores.models import Customer, Store

MAX_TITLE, MAX_TEXT, MAX_NAME = 120, 5000, 80


@dataclass(frozen=True)
class Answer:
    """What is said about one item, named by the shop's id of its order line."""

    line_id: int
    rating: int
    title: str = ""
    text: str = ""
    photos: Sequence[Prepared] = ()


def rating_words(rating: int) -> str:
    """ "4 of 5, good" in the active language."""
    return {
        1: _("1 of 5, very poor"),
        2: _("2 of 5, poor"),
        3: _("3 of 5, fair"),
        4: _("4 of 5, good"),
        5: _("5 of 5, excellent"),
    }[rating]


def reward_note() -> str:
    """What a published review says when points were given for it, in the active language."""
    return _("Received points for reviewing.")


def clean(text: str, *, limit: int, lines: bool = False) -> str:
    """Text as typed, without control characters (PostgreSQL takes no NUL) and outer space, cut at `limit`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(sign for sign in text if sign == "\n" or _harmless(sign))
    if not lines:
        kept = " ".join(kept.split())
    return re.sub(r"\n{3,}", "\n\n", kept).strip()[:limit].rstrip()


def _harmless(sign: str) -> bool:
    # Overrides of the writing direction can make a text read as something else; joiners are part of emoji and stay.
    return unicodedata.category(sign) not in {"Cc", "Cs"} and not ("\u202a" <= sign <= "\u202e")


def default_name(customer: Customer) -> str:
    """The name offered: first name and initial, "Ana P."; never the address."""
    if not customer.first_name:
        return _("A customer")
    initial = f" {customer.last_name[0]}." if customer.last_name else ""
    return f"{customer.first_name}{initial}"[:MAX_NAME]


def auto_publish_time(store: Store, request: ReviewRequest) -> datetime | None:
    """When an unjudged review of this request publishes itself: never unless the purchase holds. Rating plays no part."""
    settings = ReviewSettings.objects.filter(store=store).first() or ReviewSettings()
    if settings.auto_publish_hours is None or not request.order.counted:
        return None
    return clock.now() + timedelta(hours=settings.auto_publish_hours)


def submit(
    request: ReviewRequest, answers: Sequence[Answer], *, display_name: str = "", language: str = ""
) -> list[Review]:
    """Record the answers, all or none; an answer to a product already reviewed changes that review.

    A changed review is looked at anew before it is published. Records `review.submitted {review, rating}` for new ones.
    BusinessError `nothing_rated`, `bad_rating`, `not_reviewable`, `photo_too_many`: nothing was recorded, and the
    prepared photos are out of storage again.
    """
    try:
        with transaction.atomic():
            return _record(request, answers, display_name=display_name, language=language)
    except BaseException:
        photos.discard(photo for answer in answers for photo in answer.photos)
        raise


def _record(request: ReviewRequest, answers: Sequence[Answer], *, display_name: str, language: str) -> list[Review]:
    if not answers:
        raise BusinessError(
            _("No item has stars yet. Nothing was sent. Choose 1 to 5 stars for at least one item."), "nothing_rated"
        )
    # One at a time for each request: a double press finds the first one's rows.
    request = (
        ReviewRequest.objects.select_for_update(of=("self",))
        .select_related("store", "order", "customer")
        .get(pk=request.pk)
    )
    items = {item.line.woo_id: item for item in asking.reviewable(request.order)}
    before = {review.product_id: review for review in request.reviews.all()}
    name = clean(display_name, limit=MAX_NAME) or default_name(request.customer)
    done = []
    for answer in answers:
        item = items.get(answer.line_id)
        if item is None or item.product is None:
            raise BusinessError(
                _("One item cannot be reviewed any more. Nothing was sent. Load the page again and send the others."),
                "not_reviewable",
            )
        if answer.rating not in {1, 2, 3, 4, 5}:
            raise BusinessError(_("Stars go from 1 to 5. Nothing was sent. Choose again."), "bad_rating")
        said = {
            "rating": answer.rating,
            "title": clean(answer.title, limit=MAX_TITLE),
            "text": clean(answer.text, limit=MAX_TEXT, lines=True),
            "display_name": name,
        }
        review = before.get(item.product.pk)
        if review is None:
            review = Review.objects.create(
                store=request.store,
                request=request,
                order=request.order,
                product=item.product,
                customer=request.customer,
                item_name=item.name,
                language=language or request.order.language,
                rewarded=asking.points_for_review(request.store) > 0,
                auto_publish_at=auto_publish_time(request.store, request),
                **said,
            )
            events.record(
                request.store,
                events.REVIEW_SUBMITTED,
                subject=review.pk,
                at=review.submitted_at,
                order=request.order,
                customer=request.customer,
                payload={"review": review.pk, "rating": review.rating},
            )
        else:
            _change(review, said, more_photos=bool(answer.photos))
        if review.photos.count() + len(answer.photos) > photos.MAX_PHOTOS:
            raise BusinessError(_("A review holds at most 5 photos. Nothing was sent. Choose fewer."), "photo_too_many")
        photos.attach(answer.photos, review=review)
        done.append(review)
    asking.note_answered(request)
    return done


def _change(review: Review, said: dict[str, object], *, more_photos: bool) -> None:
    if not more_photos and all(getattr(review, name) == value for name, value in said.items()):
        return
    for name, value in said.items():
        setattr(review, name, value)
    review.state, review.hide_reason = Review.State.TO_CHECK, ""
    review.decided_at, review.decided_by = None, ""
    review.revision += 1
    review.edited_at = clock.now()
    review.auto_publish_at = auto_publish_time(review.store, review.request)
    review.save()
