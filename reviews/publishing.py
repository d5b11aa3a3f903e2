"""Reviews into the shop's own product reviews: plain words, once, and believed only when read back.

The shop prints a review's text as it is when our key belongs to an administrator, so what leaves here is escaped text.
A review created as approved leaves the product's average one review behind; created on hold and approved afterwards it is
right at once, hence two steps. Our text with the buyer's address is the natural key by which a lost answer is found again.
"""

import html
from typing import TYPE_CHECKING, Any

from django.db.models import CharField, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.urls import reverse
from django.utils.translation import gettext_lazy, override

from postpurchase import clock, queue
from reviews.models import Review
from reviews.submission import rating_words, reward_note
from stores import events, intents
from stores.access import REVIEWS_MODERATE
from stores.models import Event, Intent, Store
from stores.woo.errors import Duplicate, Invalid, Missing, ToldToWait
from stores.woo.plain_text import inert, plain

if TYPE_CHECKING:
    from stores.woo.client import Client

PUBLISH, TAKE_BACK = _KINDS = ("review.publish", "review.take_back")
_PATH = "products/reviews"
FLOOD_SECONDS = 60.0


def store_text(review: Review) -> str:
    """What the shop gets, escaped: the title as first line, the text, and last that points were given, if they were.

    The shop takes no empty review, so stars alone are put into words. Ours are in the buyer's language.
    """
    with override(review.language or "en"):
        said = [part for part in (review.title, review.text) if part] or [rating_words(review.rating)]
        return inert("\n".join([*said, reward_note()] if review.rewarded else said))


def plan_publish(review: Review) -> Intent:
    """Ask for this revision to be in the shop, in the caller's transaction."""
    return _plan(review, PUBLISH)


def plan_take_back(review: Review) -> Intent | None:
    """Ask for the review to be out of sight in the shop; None when it can never have got there."""
    if review.woo_id is None and not _asked_for(review).exists():
        return None
    return _plan(review, TAKE_BACK)


def _plan(review: Review, kind: str) -> Intent:
    intent = intents.plan(
        review.store, kind, key=f"{kind}:{review.pk}:{review.revision}", subject_id=review.pk, about=review.item_name
    )
    queue.wake("sync")
    return intent


def _asked_for(review: Review) -> Any:
    return Intent.objects.filter(store=review.store, kind=PUBLISH, subject_id=review.pk)


def record_hidden(review: Review) -> None:
    """Record `review.hidden {review, rating, reason}`."""
    events.record(
        review.store,
        events.REVIEW_HIDDEN,
        subject=review.pk,
        fact=str(review.revision),
        at=clock.now(),
        order=review.order,
        customer=review.customer,
        payload={"review": review.pk, "rating": review.rating, "reason": review.hide_reason},
    )


def with_write_back(reviews: QuerySet[Review]) -> QuerySet[Any]:
    """Each review with how its last decision is getting into the shop: `wb_status`, `wb_state`, `wb_attempts`,
    `wb_error`; all None when that decision needs nothing there."""
    last = Concat(F("pk"), Value(":"), F("revision"), output_field=CharField())
    intent = Intent.objects.filter(
        store=OuterRef("store"),
        key__in=[Concat(Value(f"{kind}:"), OuterRef("wb_key"), output_field=CharField()) for kind in _KINDS],
    )
    return reviews.annotate(wb_key=last).annotate(
        wb_status=Subquery(intent.values("status")[:1]),
        wb_state=Subquery(intent.values("state")[:1]),
        wb_attempts=Subquery(intent.values("attempts")[:1]),
        wb_error=Subquery(intent.values("error")[:1]),
    )


def stuck(store: Store) -> int:
    """Decisions that the shop has refused or answered otherwise than asked."""
    wrong = [Intent.Status.FAILED, Intent.Status.ATTENTION]
    return with_write_back(Review.objects.filter(store=store)).filter(wb_status__in=wrong).count()


def _lookup(client: "Client", review: Review, *, everywhere: bool = False) -> dict[str, Any] | None:
    """This review as the shop holds it, by its id there, else by product, address and text."""
    if review.woo_id is not None:
        try:
            return dict(client.get(f"{_PATH}/{review.woo_id}", context="edit"))
        except Missing:
            Review.objects.filter(pk=review.pk, woo_id=review.woo_id).update(woo_id=None, store_status="gone")
            review.woo_id = None
    wanted, email = plain(store_text(review)), review.customer.email_key
    others = set(
        Review.objects.filter(
            ~Q(pk=review.pk), store=review.store, product=review.product, woo_id__isnull=False
        ).values_list("woo_id", flat=True)
    )
    for status in ("all", "spam", "trash") if everywhere else ("all",):
        for row in client.page(
            _PATH, product=review.product.woo_id, reviewer_email=email, status=status, per_page=100, context="edit"
        ).rows:
            same_person = str(row.get("reviewer_email", "")).strip().lower() == email
            if same_person and row.get("id") not in others and plain(str(row.get("review", ""))) == wanted:
                return row
    return None


def _remember(review: Review, row: dict[str, Any]) -> None:
    """Keep the shop's id as soon as it is known, so that a crash after this line finds the review by it."""
    review.woo_id = int(row["id"])
    Review.objects.filter(pk=review.pk).update(woo_id=review.woo_id)


def _load(intent: Intent) -> Review | None:
    return (
        Review.objects.select_related("store", "product", "customer", "order")
        .filter(store=intent.store_id, pk=intent.subject_id)
        .first()
    )


_OVERTAKEN: dict[str, Any] = {"id": None, "status": "overtaken"}


def _said_alike(row: dict[str, Any], review: Review) -> bool:
    return (
        plain(str(row.get("review", ""))) == plain(store_text(review))
        and row.get("rating") == review.rating
        and html.unescape(str(row.get("reviewer", ""))) == review.display_name
    )


class Publish(intents.WriteBack):
    """Write-back `review.publish`: the present words of a published review, approved in the shop."""

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        review = _load(intent)
        if review is None or review.state != Review.State.PUBLISHED:
            return _OVERTAKEN
        row = _lookup(client, review)
        if row is None:
            return None
        if review.woo_id is None:
            _remember(review, row)
        done = row.get("status") in {"spam", "trash"} or (row.get("status") == "approved" and _said_alike(row, review))
        return row if done else None

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        review = _load(intent)
        if review is None:
            return _OVERTAKEN
        words = {
            "review": store_text(review),
            "reviewer": inert(review.display_name),
            "rating": review.rating,
        }
        row: dict[str, Any] = {}
        if review.woo_id is None:
            row = self._post(client, review, words)
            _remember(review, row)
            if row.get("status") in {"spam", "trash"}:
                return row
        # The words first and the approval after them, alone: the shop reckons the average with the approval.
        if not _said_alike(row, review):
            client.put(f"{_PATH}/{review.woo_id}", words)
        client.put(f"{_PATH}/{review.woo_id}", {"status": "approved"})
        return dict(client.get(f"{_PATH}/{review.woo_id}", context="edit"))

    def _post(self, client: "Client", review: Review, words: dict[str, Any]) -> dict[str, Any]:
        asked = words | {
            "product_id": review.product.woo_id,
            "reviewer_email": review.customer.email_key,
            "status": "hold",
        }
        try:
            return dict(client.post(_PATH, asked))
        except Duplicate:
            row = _lookup(client, review, everywhere=True)
            if row is None:
                raise
            return row
        except Invalid as refusal:
            if "flood" in refusal.code:
                raise ToldToWait(refusal.message, seconds=FLOOD_SECONDS, status=refusal.status) from refusal
            raise

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        if body.get("id") is None:
            return
        review = (
            Review.objects.select_for_update(of=("self",))
            .select_related("store", "order", "customer")
            .get(pk=intent.subject_id)
        )
        status = str(body.get("status", ""))[:10]
        review.store_status = status
        right = status == "approved" and body.get("rating") == review.rating
        if right and review.published_at is None:
            review.published_at = clock.now()
        review.save(update_fields=["store_status", "published_at"])
        if not right:
            raise intents.Attention(
                f"The store keeps this review as {status} with {body.get('rating')} stars. "
                "It is not on the product page. Approve it in the store's own comments, then try again."
            )
        # Published anew after it was hidden is a fact of its own; the same again, or other words, is not.
        hidden = Event.objects.filter(
            store=review.store, key__startswith=f"{events.REVIEW_HIDDEN}:{review.pk}:"
        ).count()
        events.record(
            review.store,
            events.REVIEW_PUBLISHED,
            subject=review.pk,
            fact=str(hidden) if hidden else "",
            at=clock.now(),
            order=review.order,
            customer=review.customer,
            payload={"review": review.pk, "rating": review.rating, "woo_id": review.woo_id},
        )


class TakeBack(intents.WriteBack):
    """Write-back `review.take_back`: a review that is not to be seen is on hold in the shop."""

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        review = _load(intent)
        if review is None or review.state == Review.State.PUBLISHED:
            return _OVERTAKEN
        row = _lookup(client, review)
        if row is None:
            return {"id": 0, "status": "gone"}
        if review.woo_id is None:
            _remember(review, row)
        return row if row.get("status") != "approved" else None

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        review = _load(intent)
        if review is None or review.woo_id is None:
            return _OVERTAKEN
        client.put(f"{_PATH}/{review.woo_id}", {"status": "hold"})
        return dict(client.get(f"{_PATH}/{review.woo_id}", context="edit"))

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        if body.get("id") is None:
            return
        review = (
            Review.objects.select_for_update(of=("self",))
            .select_related("store", "order", "customer")
            .get(pk=intent.subject_id)
        )
        review.store_status = str(body.get("status", ""))[:10]
        review.save(update_fields=["store_status"])
        if review.store_status == "approved":
            raise intents.Attention("The store still shows this review. Take it down in the store's own comments.")
        if review.state == Review.State.HIDDEN:
            record_hidden(review)


def register() -> None:
    """Name both write-backs to the engine."""

    def page(intent: Intent) -> str:
        return reverse("reviews", args=[intent.store.slug]) + "?view=stuck"

    for kind, write_back, label in (
        (PUBLISH, Publish(), gettext_lazy("Review")),
        (TAKE_BACK, TakeBack(), gettext_lazy("Review taken down")),
    ):
        intents.register(kind, write_back, label=label, permission=REVIEWS_MODERATE, address=page)
