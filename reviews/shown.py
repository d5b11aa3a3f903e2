"""What reviews shows on pages of the apps below: sidebar, Home, System, timelines; and how it forgets a person."""

from collections.abc import Iterable, Iterator

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from postpurchase import links
from reviews import photos, publishing
from reviews.models import Case, CaseMessage, Photo, Review, ReviewRequest
from stores import registries
from stores.access import CASES_WORK, REVIEWS_MODERATE
from stores.models import Customer, Order, Store
from stores.registries import Check, NavEntry, Need, TimelineItem


def _to_check(store: Store) -> int:
    return store.reviews.filter(state=Review.State.TO_CHECK).count()


def _open_cases(store: Store) -> int:
    return store.cases.filter(state=Case.State.OPEN).count()


def needs(store: Store) -> Iterator[Need]:
    """Reviews to judge and cases to answer."""
    first = store.cases.filter(state=Case.State.OPEN).order_by("opened_at").first()
    waiting = _open_cases(store) if first else 0
    if first:
        yield Need(
            icon="help",
            title=ngettext("%(n)d customer needs help", "%(n)d customers need help", waiting) % {"n": waiting},
            text=_("The oldest: %(case)s, %(kind)s.") % {"case": first.reference, "kind": first.get_kind_display()},
            url=reverse("cases", args=[store.slug]) + "?view=open",
            action=_("Answer"),
            urgent=True,
        )
    count = _to_check(store)
    if count:
        yield Need(
            icon="star",
            title=ngettext("%(n)d review to check", "%(n)d reviews to check", count) % {"n": count},
            text=_("Each is read before it goes to your store, whatever its stars."),
            url=reverse("reviews", args=[store.slug]) + "?view=to_check",
            action=_("Check"),
        )


def checks(store: Store) -> Iterator[Check]:
    """Whether decided reviews get into the store."""
    count = publishing.stuck(store)
    yield Check(
        name=_("Reviews"),
        ok=not count,
        sentence=ngettext(
            "%(n)d review could not be brought to the store.", "%(n)d reviews could not be brought to the store.", count
        )
        % {"n": count}
        if count
        else _("All decided reviews are in the store, or on their way."),
        fix=_("Open them, read the store's answer, and try again.") if count else "",
        url=reverse("reviews", args=[store.slug]) + "?view=stuck" if count else "",
        level="warn",
    )


def _timeline(
    requests: Iterable[ReviewRequest], reviews: Iterable[Review], cases: Iterable[Case]
) -> list[TimelineItem]:
    items = [TimelineItem(one.asked_at, "review", "star", _("Asked for a review")) for one in requests]
    for review in reviews:
        words = {"stars": review.rating, "name": review.item_name}
        items.append(
            TimelineItem(
                review.submitted_at,
                "review",
                "star",
                _("Reviewed %(name)s: %(stars)d of 5") % words,
                text=review.title or review.text[:160],
                badge=(_BADGES[review.state], review.get_state_display()),
            )
        )
        if review.published_at:
            items.append(
                TimelineItem(review.published_at, "review", "store", _("Review of %(name)s is in the store") % words)
            )
    for case in cases:
        url = reverse("case", args=[case.store.slug, case.pk])
        words = {"case": case.reference, "kind": case.get_kind_display()}
        items.append(TimelineItem(case.opened_at, "case", "help", _("Case %(case)s: %(kind)s") % words, url=url))
        if case.resolved_at:
            items.append(TimelineItem(case.resolved_at, "case", "check", _("Case %(case)s resolved") % words, url=url))
        if case.confirmed_at:
            items.append(
                TimelineItem(case.confirmed_at, "case", "smile", _("%(case)s: the customer says it is solved") % words)
            )
    return items


_BADGES = {"to_check": "warn", "published": "ok", "hidden": "neutral"}


def order_timeline(order: Order) -> list[TimelineItem]:
    """Asked, reviewed, published, case: of one order."""
    return _timeline(
        ReviewRequest.objects.filter(order=order),
        Review.objects.filter(order=order),
        Case.objects.filter(order=order).select_related("store"),
    )


def customer_timeline(customer: Customer) -> list[TimelineItem]:
    """Asked, reviewed, published, case: of one person."""
    return _timeline(
        ReviewRequest.objects.filter(customer=customer),
        Review.objects.filter(customer=customer),
        Case.objects.filter(customer=customer).select_related("store"),
    )


def review_link(order: Order) -> tuple[str, str] | None:
    """The order's review page as the shopper sees it; opening it changes nothing."""
    asked = ReviewRequest.objects.filter(order=order).order_by("-pk").first()
    return (_("Review page"), links.url("r", asked.pk, version=asked.link_version)) if asked else None


def erase(customer: Customer) -> None:
    """Forget the person: photos and words of cases go, reviews keep stars and words under no name."""
    own = Photo.objects.filter(Q(review__customer=customer) | Q(case__customer=customer))
    photos.discard(own)
    own.delete()
    CaseMessage.objects.filter(case__customer=customer, author=CaseMessage.Author.SHOPPER).update(text="")
    for review in Review.objects.filter(customer=customer).select_related("store"):
        review.display_name = _("A customer")
        review.revision += 1
        review.save(update_fields=["display_name", "revision"])
        if review.state == Review.State.PUBLISHED:
            publishing.plan_publish(review)
    ReviewRequest.objects.filter(customer=customer).update(state=ReviewRequest.State.CLOSED)


def register() -> None:
    """Called once from `ReviewsConfig.ready`."""
    registries.add_nav(NavEntry(50, gettext_lazy("Reviews"), "star", "reviews", REVIEWS_MODERATE, count=_to_check))
    registries.add_nav(NavEntry(35, gettext_lazy("Help cases"), "help", "cases", CASES_WORK, count=_open_cases))
    registries.add_needs(needs)
    registries.add_checks(checks)
    registries.add_order_timeline(order_timeline)
    registries.add_customer_timeline(customer_timeline)
    registries.add_order_link(review_link)
    registries.add_eraser(erase)
