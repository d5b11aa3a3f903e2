"""Reviews and cases in the dashboard: who may, what happens, what is shown."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from reviews import cases, moderation, photos
from reviews.models import Review
from reviews.submission import submit
from stores import registries
from stores.models import AuditEvent, Store
from tests.factories import make_store, make_user
from tests.reviews.cast import answer, asked, upload

pytestmark = pytest.mark.django_db


def _signed_in(store: Store | None, role: str = "owner") -> Client:
    client = Client()
    client.force_login(make_user(store, role=role), backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def _review(**said: Any) -> Review:
    request = asked()
    return submit(request, [answer(request, **said)])[0]


def _decide(client: Client, review: Review, action: str, **said: str) -> Any:
    review.refresh_from_db()
    address = reverse("review-decide", args=[review.store.slug, review.pk, action])
    return client.post(address, {"revision": str(review.revision)} | said)


def test_a_card_shows_what_is_needed_to_judge() -> None:
    good, _ = photos.prepare_all([upload()])
    review = _review(rating=2, title="Chipped", text="At the <script>rim</script>.", photos=good)
    html = _signed_in(review.store).get(reverse("reviews", args=[review.store.slug])).content.decode()
    for seen in (
        'aria-label="2 of 5 stars"',
        "Chipped",
        "At the &lt;script&gt;rim&lt;/script&gt;.",
        "Marea mug, cobalt blue",
        "Verified purchase",
        "order #1042",
        "To check",
        f"/photos/{good[0].name}/",
        "Photo 1 of Marea mug, cobalt blue, order #1042",
    ):
        assert seen in html
    assert 'name="rating"' not in html


@pytest.mark.parametrize("count", [1, 12])
def test_the_page_asks_the_database_as_often_for_many_reviews_as_for_one(
    count: int, django_assert_max_num_queries: Any
) -> None:
    store = make_store(language="en")
    for _ in range(count):
        request = asked(store)
        submit(request, [answer(request)])
    client = _signed_in(store)
    client.get(reverse("reviews", args=[store.slug]))
    with django_assert_max_num_queries(18):
        client.get(reverse("reviews", args=[store.slug]))


def test_one_press_publishes_and_offers_to_undo() -> None:
    review = _review()
    client = _signed_in(review.store)
    here = reverse("reviews", args=[review.store.slug])
    answered = _decide(client, review, "publish", back=f"{here}?view=to_check")
    review.refresh_from_db()
    assert review.state == "published"
    assert answered["Location"] == f"{here}?view=to_check&done={review.pk}"
    assert "Undo" in client.get(answered["Location"]).content.decode()
    _decide(client, review, "reopen")
    review.refresh_from_db()
    assert review.state == "to_check"


def test_hiding_without_a_reason_is_told_and_changes_nothing() -> None:
    review = _review(rating=1)
    client = _signed_in(review.store)
    answered = _decide(client, review, "hide", reason="negative")
    assert "not liking it is none" in client.get(answered["Location"]).content.decode()
    review.refresh_from_db()
    assert review.state == "to_check"
    _decide(client, review, "hide", reason="spam")
    review.refresh_from_db()
    assert (review.state, review.hide_reason) == ("hidden", "spam")


def test_a_page_loaded_before_the_buyer_changed_the_words_cannot_publish_them() -> None:
    review = _review(text="Fine.")
    submit(review.request, [answer(review.request, text="Something else.")])
    client = _signed_in(review.store)
    address = reverse("review-decide", args=[review.store.slug, review.pk, "publish"])
    answered = client.post(address, {"revision": "1"})
    assert "changed after the page was loaded" in client.get(answered["Location"]).content.decode()
    review.refresh_from_db()
    assert review.state == "to_check"


def test_a_return_address_elsewhere_is_not_followed() -> None:
    review = _review()
    client = _signed_in(review.store)
    for bad in ("https://evil.example/", "//evil.example/", "/accounts/logout/"):
        answered = _decide(client, review, "publish", back=bad)
        assert answered["Location"].startswith(f"/app/{review.store.slug}/reviews/?")
        moderation.reopen(review, by="x")


@pytest.mark.parametrize("action", ["publish", "hide", "reopen", "again"])
def test_nobody_decides_who_may_not(action: str) -> None:
    review = _review()
    before = AuditEvent.objects.count()
    assert _decide(_signed_in(None), review, action, reason="spam").status_code == 404
    assert _decide(_signed_in(make_store()), review, action, reason="spam").status_code == 404
    assert _decide(_signed_in(review.store, "viewer"), review, action, reason="spam").status_code == 403
    assert _decide(Client(), review, action, reason="spam").status_code == 302
    review.refresh_from_db()
    assert (review.state, AuditEvent.objects.count()) == ("to_check", before)


def test_a_review_of_another_store_does_not_exist_here() -> None:
    review, own = _review(), make_store()
    client = _signed_in(own)
    assert client.post(reverse("review-decide", args=[own.slug, review.pk, "publish"])).status_code == 404
    assert "Marea mug" not in client.get(reverse("reviews", args=[own.slug])).content.decode()


def test_a_decision_is_never_made_by_a_get() -> None:
    review = _review()
    client = _signed_in(review.store)
    assert client.get(reverse("review-decide", args=[review.store.slug, review.pk, "publish"])).status_code == 405
    review.refresh_from_db()
    assert review.state == "to_check"


def test_tabs_narrow_to_one_state() -> None:
    review = _review(text="Published words")
    other = asked(review.store)
    submit(other, [answer(other, text="Unjudged words")])
    moderation.publish(review, by="x")
    client = _signed_in(review.store)
    here = reverse("reviews", args=[review.store.slug])
    seen = client.get(here, {"view": "published"}).content.decode()
    assert "Published words" in seen
    assert "Unjudged words" not in seen
    assert "Waiting for store" in seen
    assert "(1 of 1)" in seen


def test_a_case_is_read_and_resolved_with_an_answer() -> None:
    request = asked()
    case = cases.open_case(request.order, kind="damaged", key="k1", text="Cracked <b>here</b>")
    client = _signed_in(request.store, "support")
    assert case.reference in client.get(reverse("cases", args=[request.store.slug])).content.decode()
    page = reverse("case", args=[request.store.slug, case.pk])
    html = client.get(page).content.decode()
    assert "Cracked &lt;b&gt;here&lt;/b&gt;" in html
    assert "Marea mug, cobalt blue" in html
    client.post(page, {"answer": "A new one is on its way."})
    case.refresh_from_db()
    assert case.state == "resolved"
    assert "A new one is on its way." in client.get(page).content.decode()


def test_cases_are_for_those_who_work_on_them() -> None:
    request = asked()
    case = cases.open_case(request.order, kind="damaged", key="k1")
    page = reverse("case", args=[request.store.slug, case.pk])
    assert _signed_in(request.store, "marketer").get(page).status_code == 403
    assert _signed_in(make_store()).get(page).status_code == 404
    own = make_store()
    assert _signed_in(own).get(reverse("case", args=[own.slug, case.pk])).status_code == 404


def test_home_names_what_waits_and_says_nothing_when_nothing_does() -> None:
    review = _review()
    store = review.store
    cases.open_case(review.order, kind="missing", key="k1")
    assert [need.title for need in registries.needs(store) if "/reviews/" in need.url or "/cases/" in need.url] == [
        "1 customer needs help",
        "1 review to check",
    ]
    empty = make_store()
    assert [need for need in registries.needs(empty) if "/reviews/" in need.url or "/cases/" in need.url] == []


def test_the_order_tells_the_whole_story() -> None:
    review = _review(rating=3, text="So so.")
    case = cases.open_case(review.order, kind="missing", key="k1")
    cases.resolve(case, by="x")
    cases.confirm(case)
    seen = [item.title for item in registries.order_timeline(review.order) if item.kind in {"review", "case"}]
    assert sorted(seen) == sorted(
        [
            f"{case.reference}: the customer says it is solved",
            f"Case {case.reference} resolved",
            f"Case {case.reference}: Something is missing",
            "Reviewed Marea mug, cobalt blue: 3 of 5",
            "Asked for a review",
        ]
    )


def test_erasing_a_person_leaves_stars_without_a_name() -> None:
    good, _ = photos.prepare_all([upload()])
    review = _review(rating=5, text="Lovely.", photos=good)
    cases.open_case(review.order, kind="missing", key="k1", text="My address is ...")
    registries.erase(review.customer)
    review.refresh_from_db()
    assert (review.display_name, review.rating, review.text, review.photos.count()) == ("A customer", 5, "Lovely.", 0)
    assert review.order.cases.get().messages.get().text == ""
