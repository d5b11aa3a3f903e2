"""The moderation page: every review with what one must know to judge it, and the two decisions."""

from django.contrib import messages
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from postpurchase import exporting, listing
from postpurchase.errors import BusinessError
from postpurchase.listing import Cell, Column, Empty, Filter, Listing, Tab
from reviews import moderation, publishing
from reviews.models import Review
from reviews.resources import ReviewResource
from stores.access import CUSTOMERS_PII, REVIEWS_MODERATE, StoreRequest, store_view
from stores.models import Store


def rows(store: Store) -> QuerySet[Review]:
    """The store's reviews with all that a card shows."""
    earlier = (
        Review.objects.filter(customer=OuterRef("customer"), pk__lt=OuterRef("pk"))
        .order_by()
        .values("customer")
        .annotate(n=Count("pk"))
        .values("n")
    )
    found = store.reviews.select_related("order", "product", "customer").defer(
        "order__raw", "product__raw", "customer__raw"
    )
    return (
        publishing.with_write_back(found)
        .prefetch_related("photos")
        .annotate(earlier=Coalesce(Subquery(earlier), 0), slug=F("store__slug"))
    )


LISTING = Listing(
    name="reviews",
    title=gettext_lazy("Reviews"),
    rows=rows,
    columns=[
        # A card shows them; the columns are what the list may be sorted by.
        Column("submitted", gettext_lazy("Sent"), lambda review: Cell(at=review.submitted_at), sort="submitted_at"),
        Column("rating", gettext_lazy("Stars"), lambda review: review.rating, sort="rating", number=True),
    ],
    counted=lambda n, shown: ngettext("%(n)s review", "%(n)s reviews", n) % {"n": shown},
    sort="-submitted",
    empty=Empty(
        gettext_lazy("No reviews yet"),
        gettext_lazy("Buyers are asked after delivery; what they say appears here before it goes to your store."),
        icon="star",
    ),
    search=("text", "title", "item_name", "display_name", "order__number"),
    search_private=(CUSTOMERS_PII, ("customer__email_key",)),
    search_hint=gettext_lazy("Search words, product, order"),
    filters=[
        Filter("stars", gettext_lazy("Any stars"), [(str(n), f"{n} ★") for n in range(5, 0, -1)], "rating"),
        listing.period("submitted_at"),
    ],
    tabs=[
        Tab("to_check", gettext_lazy("To check"), lambda rows: rows.filter(state="to_check"), counted=True),
        Tab("published", gettext_lazy("Published"), lambda rows: rows.filter(state="published")),
        Tab("hidden", gettext_lazy("Hidden"), lambda rows: rows.filter(state="hidden")),
        Tab("photos", gettext_lazy("With photos"), lambda rows: rows.filter(photos__isnull=False).distinct()),
        Tab(
            "stuck",
            gettext_lazy("Stuck on the way"),
            lambda rows: rows.filter(wb_status__in=["failed", "attention"]),
        ),
    ],
    cards="reviews/card.html",
    before="reviews/fairness.html",
    export=exporting.of_resource(ReviewResource),
)


@store_view(REVIEWS_MODERATE)
def reviews(request: StoreRequest) -> HttpResponse:
    """To check, published, hidden: a card for each review."""
    done = request.GET.get("done", "")
    undo = request.store.reviews.filter(pk=int(done)).first() if done.isdecimal() and len(done) < 12 else None
    return listing.answer(
        request,
        LISTING,
        fairness=moderation.fairness(request.store),
        reasons=Review.HideReason.choices,
        undo=undo if undo and undo.state != Review.State.TO_CHECK else None,
        back=request.get_full_path(),
    )


def _decide(request: StoreRequest, review: Review, action: str) -> str:
    """Run one decision; the sentence that tells it."""
    seen = request.POST.get("revision", "")
    revision = int(seen) if seen.isdecimal() and len(seen) < 9 else None
    name = {"name": review.item_name}
    if action == "publish":
        moderation.publish(review, by=request.user, revision=revision)
        return _("The review of %(name)s is published. It reaches your store within a minute.") % name
    if action == "hide":
        moderation.hide(review, reason=request.POST.get("reason", ""), by=request.user, revision=revision)
        return _("The review of %(name)s is hidden.") % name
    if action == "again":
        moderation.try_again(review, by=request.user)
        return _("The review of %(name)s is sent to your store once more.") % name
    moderation.reopen(review, by=request.user)
    return _("The review of %(name)s is back under To check, and out of sight in your store.") % name


@require_POST
@store_view(REVIEWS_MODERATE)
def decide(request: StoreRequest, pk: str, action: str) -> HttpResponse:
    """Publish, hide, reopen or try again, then back to where the person was."""
    review = get_object_or_404(request.store.reviews, pk=pk)
    here = reverse("reviews", args=[request.store.slug])
    back = request.POST.get("back", "")
    if not back.startswith(here) or not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = here
    try:
        messages.success(request, _decide(request, review, action))
    except BusinessError as refused:
        messages.error(request, refused.message)
        return HttpResponseRedirect(back)
    if action in {"publish", "hide"}:
        address, _sep, query = back.partition("?")
        kept = [part for part in query.split("&") if part and not part.startswith("done=")]
        back = f"{address}?{'&'.join([*kept, f'done={review.pk}'])}"
    return HttpResponseRedirect(back)
