"""Being asked, answering, and what becomes of the answer."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from postpurchase import clock


class ReviewSettings(models.Model):
    """How a store treats reviews. Written by its settings page; a store without a row has the defaults."""

    store = models.OneToOneField("stores.Store", models.CASCADE, related_name="review_settings")
    # Hours after which an unjudged review of a real purchase is published, whatever its rating; null never.
    auto_publish_hours = models.PositiveSmallIntegerField(default=24, null=True, blank=True)

    def __str__(self) -> str:
        return f"review settings of {self.store}"


class ReviewRequest(models.Model):
    """That the buyer of an order was asked, once for each order. Written by `reviews.asking` and `reviews.submission`.

    The review page's link names this row and carries `link_version`; raising that ends all links sent so far.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Asked")
        ANSWERED = "answered", _("All items reviewed")
        PAUSED = "paused", _("Paused: open case")
        CLOSED = "closed", _("Closed")

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="review_requests")
    order = models.OneToOneField("stores.Order", models.CASCADE, related_name="review_request")
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="review_requests")
    # The enrolment that asked first; empty when a person did.
    enrolment_key = models.CharField(max_length=200, blank=True)
    link_version = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    asked_at = models.DateTimeField(default=clock.now)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["store", "state", "-asked_at"], name="review_request_state")]

    def __str__(self) -> str:
        return f"review request for {self.order}"


class Review(models.Model):
    """One buyer's review of one product of one order. Written by `reviews.submission` and `reviews.moderation`.

    `state` is what we decided; `store_status` what the shop was last seen to hold, written by `reviews.publishing`
    alone. Nobody but the buyer changes rating, title and text; each change of words or decision raises `revision`.
    """

    class State(models.TextChoices):
        TO_CHECK = "to_check", _("To check")
        PUBLISHED = "published", _("Published")
        HIDDEN = "hidden", _("Hidden")

    class HideReason(models.TextChoices):
        SPAM = "spam", _("Spam or advertising")
        PERSONAL_DATA = "personal_data", _("Personal data of someone")
        ABUSE = "abuse", _("Abuse or hate")
        WRONG_PRODUCT = "wrong_product", _("About another product")

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="reviews")
    request = models.ForeignKey(ReviewRequest, models.CASCADE, related_name="reviews")
    order = models.ForeignKey("stores.Order", models.CASCADE, related_name="reviews")
    # The reviewable product: for a bought variation its parent, because the shop knows no reviews of variations.
    product = models.ForeignKey("stores.Product", models.CASCADE, related_name="reviews")
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="reviews")
    # What was bought, as the order line called it.
    item_name = models.CharField(max_length=300)
    rating = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=120, blank=True)
    text = models.TextField(blank=True)
    display_name = models.CharField(max_length=80)
    language = models.CharField(max_length=8, blank=True)
    # Points were promised for it, whatever the rating; what is published says so.
    rewarded = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.TO_CHECK)
    hide_reason = models.CharField(max_length=16, choices=HideReason.choices, blank=True)
    revision = models.PositiveIntegerField(default=1)
    submitted_at = models.DateTimeField(default=clock.now)
    edited_at = models.DateTimeField(null=True, blank=True)
    auto_publish_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=120, blank=True)
    woo_id = models.BigIntegerField(null=True, blank=True)
    # approved, hold, spam, trash, gone; empty while the shop has not been asked.
    store_status = models.CharField(max_length=10, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "product"], name="review_once"),
            models.UniqueConstraint(fields=["store", "woo_id"], condition=Q(woo_id__isnull=False), name="review_woo"),
            models.CheckConstraint(condition=Q(rating__gte=1, rating__lte=5), name="review_rating"),
            models.CheckConstraint(condition=~Q(state="hidden") | ~Q(hide_reason=""), name="review_hidden_with_reason"),
        ]
        indexes = [
            models.Index(fields=["store", "state", "-submitted_at"], name="review_state"),
            models.Index(fields=["auto_publish_at"], condition=Q(state="to_check"), name="review_auto_publish"),
            models.Index(fields=["customer", "-submitted_at"], name="review_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.rating} of 5 for {self.item_name}"


class Photo(models.Model):
    """A shopper's photo of a review or a case: decoded, stripped and encoded anew by `reviews.photos`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="photos")
    review = models.ForeignKey(Review, models.CASCADE, null=True, blank=True, related_name="photos")
    case = models.ForeignKey("reviews.Case", models.CASCADE, null=True, blank=True, related_name="photos")
    # A random name: whoever knows it may see the photo, and nobody can guess it.
    name = models.CharField(max_length=40, unique=True)
    file = models.CharField(max_length=200)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    added_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(review__isnull=False, case__isnull=True) | Q(review__isnull=True, case__isnull=False),
                name="photo_of_one_thing",
            )
        ]

    def __str__(self) -> str:
        return self.name
