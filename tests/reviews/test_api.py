"""Reviews and cases for machines: read by the key's store, decided with a reason, once."""

from typing import Any

import pytest
from django.test import Client

from postpurchase.errors import BusinessError
from reviews import cases
from reviews.models import Review
from reviews.resources import ReviewResource
from reviews.submission import submit
from stores import api_keys
from stores.models import AuditEvent, Intent, Store
from tests.factories import make_store
from tests.reviews.cast import answer, asked

pytestmark = pytest.mark.django_db


def _key(store: Store, *scopes: str) -> dict[str, str]:
    _row, secret = api_keys.create_api_key(store, name="test", scopes=list(scopes))
    return {"Authorization": f"Bearer {secret}"}


def _review(**said: Any) -> Review:
    request = asked()
    return submit(request, [answer(request, **said)])[0]


def _post(path: str, headers: dict[str, str], body: Any = None, *, key: str = "once") -> Any:
    return Client().post(path, body or {}, "application/json", headers=headers | {"Idempotency-Key": key})


def test_a_key_reads_the_reviews_of_its_own_store_only() -> None:
    review = _review(rating=2, text="So so.")
    [row] = Client().get("/api/v1/reviews/", headers=_key(review.store, "reviews:read")).json()["results"]
    assert (row["id"], row["rating"], row["text"], row["state"]) == (review.pk, 2, "So so.", "to_check")
    foreign = _key(make_store(), "reviews:read")
    assert Client().get("/api/v1/reviews/", headers=foreign).json()["results"] == []
    assert Client().get(f"/api/v1/reviews/{review.pk}/", headers=foreign).status_code == 404


def test_publishing_by_key_happens_once_and_is_written_down() -> None:
    review = _review()
    headers = _key(review.store, "reviews:write")
    path = f"/api/v1/reviews/{review.pk}/publish/"
    assert [_post(path, headers).json()["state"] for _ in range(2)] == ["published", "published"]
    assert Intent.objects.count() == 1
    assert AuditEvent.objects.get(action="review.publish").actor.startswith("API key ")


def test_hiding_by_key_needs_a_reason_of_the_list() -> None:
    review = _review(rating=1)
    headers = _key(review.store, "reviews:write")
    path = f"/api/v1/reviews/{review.pk}/hide/"
    refused = _post(path, headers, {"reason": "negative"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "reason")
    review.refresh_from_db()
    assert review.state == "to_check"
    assert _post(path, headers, {"reason": "spam"}, key="two").json()["hide_reason"] == "spam"


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_what_a_buyer_said_cannot_be_changed(method: str) -> None:
    review = _review(rating=1)
    headers = _key(review.store, "reviews:read", "reviews:write")
    answered = getattr(Client(), method)(
        f"/api/v1/reviews/{review.pk}/", {"rating": 5}, "application/json", headers=headers
    )
    assert answered.status_code == 405
    review.refresh_from_db()
    assert review.rating == 1


def test_a_key_that_may_only_read_decides_nothing() -> None:
    review = _review()
    path = f"/api/v1/reviews/{review.pk}/publish/"
    assert _post(path, _key(review.store, "reviews:read")).status_code == 403
    assert _post(path, {}).status_code in {401, 403}
    review.refresh_from_db()
    assert review.state == "to_check"


def test_cases_are_listed_with_their_reference() -> None:
    request = asked()
    case = cases.open_case(request.order, kind="missing", key="k1")
    [row] = Client().get("/api/v1/cases/", headers=_key(request.store, "reviews:read")).json()["results"]
    assert (row["reference"], row["state"], row["kind"]) == (case.reference, "open", "missing")


def test_reviews_go_out_as_a_file_and_never_come_in() -> None:
    review = _review(rating=3, text='=HYPERLINK("http://evil.example")')
    table = ReviewResource().export(Review.objects.all())
    assert (table["order"], table["rating"], table["product"]) == (["1042"], ["3"], ["Marea mug, cobalt blue"])
    with pytest.raises(BusinessError):
        ReviewResource().import_data(table)
    review.refresh_from_db()
    assert review.rating == 3
