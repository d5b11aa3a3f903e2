"""Deciding about reviews: published or hidden, with a reason that is never the opinion itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, Q

from postpurchase import clock
from postpurchase.errors import BusinessError
from reviews import publishing
from reviews.models import Review
from reviews.submission import auto_publish_time
from stores import audit
from stores.models import Store, User

RULE = "auto-publish rule"
# Fairness is reckoned over reviews submitted in this time.
FAIRNESS_SPAN = timedelta(days=365)
STAR_GROUPS: Sequence[tuple[str, int, int]] = (("1-2", 1, 2), ("3", 3, 3), ("4-5", 4, 5))


def _locked(review: Review, *, revision: int | None) -> Review:
    found = (
        Review.objects.select_for_update(of=("self",)).select_related("store", "order", "customer").get(pk=review.pk)
    )
    if revision is not None and found.revision != revision:
        raise BusinessError(
            "This review was changed after the page was loaded. Nothing was done. Read it as it is now, then decide.",
            "review_changed",
        )
    return found


def _decide(review: Review, state: str, *, by: User | str, reason: str = "") -> None:
    before = review.state
    review.state, review.hide_reason = state, reason
    review.revision += 1
    review.decided_at = clock.now()
    review.decided_by = by.email if isinstance(by, User) else by
    review.save(update_fields=["state", "hide_reason", "revision", "decided_at", "decided_by", "auto_publish_at"])
    audit.record(
        review.store,
        {"published": "review.publish", "hidden": "review.hide", "to_check": "review.reopen"}[state],
        actor=by,
        target=f"review {review.pk}",
        diff={"from": before, "to": state, "reason": reason, "rating": review.rating},
    )


def publish(review: Review, *, by: User | str, revision: int | None = None) -> Review:
    """Publish, here and in the shop. One that is published already is left alone.

    `revision` is what the moderator saw: BusinessError `review_changed` when the buyer has changed it since.
    """
    with transaction.atomic():
        review = _locked(review, revision=revision)
        if review.state == Review.State.PUBLISHED:
            return review
        _decide(review, Review.State.PUBLISHED, by=by)
        publishing.plan_publish(review)
    return review


def hide(review: Review, *, reason: str, by: User | str, revision: int | None = None) -> Review:
    """Hide, here and in the shop. BusinessError `reason_needed` unless the reason is one of `Review.HideReason`."""
    if reason not in Review.HideReason.values:
        raise BusinessError(
            "A review is hidden only for one of the listed reasons; not liking it is none. Nothing was changed. "
            "Choose a reason.",
            "reason_needed",
        )
    with transaction.atomic():
        review = _locked(review, revision=revision)
        if review.state == Review.State.HIDDEN and review.hide_reason == reason:
            return review
        _decide(review, Review.State.HIDDEN, by=by, reason=reason)
        if not publishing.plan_take_back(review):
            publishing.record_hidden(review)
    return review


def reopen(review: Review, *, by: User | str) -> Review:
    """Undo a decision: back to "to check", and out of sight in the shop until decided again."""
    with transaction.atomic():
        review = _locked(review, revision=None)
        if review.state == Review.State.TO_CHECK:
            return review
        review.auto_publish_at = auto_publish_time(review.store, review.request)
        _decide(review, Review.State.TO_CHECK, by=by)
        publishing.plan_take_back(review)
    return review


def try_again(review: Review, *, by: User | str) -> Review:
    """Bring the last decision to the shop once more, after it was refused there."""
    with transaction.atomic():
        review = _locked(review, revision=None)
        review.revision += 1
        review.save(update_fields=["revision"])
        audit.record(review.store, "review.try_again", actor=by, target=f"review {review.pk}")
        if review.state == Review.State.PUBLISHED:
            publishing.plan_publish(review)
        else:
            publishing.plan_take_back(review)
    return review


def publish_due(*, limit: int = 200) -> int:
    """The auto-publish rule: reviews whose time is up are published, whatever their rating. How many were."""
    due = Review.objects.filter(state=Review.State.TO_CHECK, auto_publish_at__lte=clock.now())
    done = 0
    for review in due.select_related("order").order_by("auto_publish_at")[:limit]:
        if review.order.counted:
            publish(review, by=RULE)
            done += 1
        else:
            # The purchase no longer holds (refunded, cancelled): a person decides.
            Review.objects.filter(pk=review.pk, state=Review.State.TO_CHECK).update(auto_publish_at=None)
    return done


@dataclass(frozen=True)
class Share:
    """How many decided reviews of a group of stars were published, out of how many."""

    stars: str
    published: int
    decided: int

    @property
    def percent(self) -> int | None:
        """Rounded half up; None when nothing was decided."""
        return (self.published * 200 + self.decided) // (2 * self.decided) if self.decided else None


def fairness(store: Store) -> list[Share]:
    """Published shares by group of stars over the last 365 days: what shows whether low ratings are treated alike."""
    counts: dict[str, Count] = {}
    for name, low, high in STAR_GROUPS:
        stars = Q(rating__gte=low, rating__lte=high)
        counts[f"p{name[0]}"] = Count("pk", filter=stars & Q(state=Review.State.PUBLISHED))
        counts[f"d{name[0]}"] = Count("pk", filter=stars & ~Q(state=Review.State.TO_CHECK))
    seen = store.reviews.filter(submitted_at__gte=clock.now() - FAIRNESS_SPAN).aggregate(**counts)
    return [Share(name, seen[f"p{name[0]}"], seen[f"d{name[0]}"]) for name, _, _ in STAR_GROUPS]
