"""Reviews: the lagging average, duplicates, whose markup is kept."""

from stores.sandbox.server import Sandbox
from tests.stores.sandbox.conftest import Client
from tests.stores.sandbox.recordings import load


def write(client: Client, **review) -> dict:
    body = {"product_id": 101, "review": "Good", "reviewer": "Ana", "reviewer_email": "ana@example.com", "rating": 4}
    answer = client.post("products/reviews", {**body, **review})
    assert answer.status_code == 201, answer.text
    return answer.json()


def rating(client: Client, product_id: int = 101) -> tuple[int, str]:
    product = client.get(f"products/{product_id}").json()
    return product["rating_count"], product["average_rating"]


def test_the_average_lags_as_it_was_recorded(client: Client) -> None:
    seen = []
    write(client, rating=4, review="one")
    seen.append(rating(client))
    second = write(client, rating=2, review="two")
    seen.append(rating(client))
    for change in ({"rating": 2}, {"review": "changed"}, {"rating": 5}, {"status": "approved"}):
        client.put(f"products/reviews/{second['id']}", change)
        seen.append(rating(client))
    held = write(client, product_id=102, status="hold")
    seen.append(rating(client, 102))
    client.put(f"products/reviews/{held['id']}", {"status": "approved"})
    seen.append(rating(client, 102))
    assert seen == [(row["rating_count"], row["average_rating"]) for row in load("review_rating_lag")]


def test_the_same_words_of_the_same_person_are_a_duplicate(client: Client) -> None:
    write(client)
    body = {"product_id": 101, "review": "Good", "reviewer": "Ana", "reviewer_email": "ana@example.com"}
    again = client.post("products/reviews", body)
    assert (again.status_code, again.json()["code"]) == (409, "woocommerce_rest_comment_duplicate")
    assert len(client.ids("products/reviews")) == 1
    write(client, review="Better")


def test_only_an_administrators_markup_is_kept(sandbox: Sandbox, client: Client) -> None:
    text = "<b>bold</b> <script>alert(1)</script> <img src=x onerror=alert(2)>"
    manager = sandbox.add_key(role="shop_manager")
    assert write(client, review=text)["review"] == text
    cleaned = write(Client(sandbox, manager.consumer_key, manager.consumer_secret), review=text, reviewer="Eve")
    assert cleaned["review"].rstrip() == "<b>bold</b> alert(1)"
    assert "<script>" in client.call("GET", "/product/cup/").text


def test_held_reviews_are_listed_only_when_asked_for(client: Client) -> None:
    held = write(client, status="hold")
    assert client.ids("products/reviews") == []
    assert client.ids("products/reviews", status="hold") == [held["id"]]
    assert client.ids("products/reviews", status="all") == [held["id"]]


def test_verified_follows_from_what_the_address_bought(sandbox: Sandbox, client: Client) -> None:
    sandbox.place_order(email="ana@example.com", items=[{"product_id": 101}])
    assert write(client)["verified"] is True
    assert write(client, product_id=102)["verified"] is False
    assert write(client, reviewer_email="eve@example.com")["verified"] is False


def test_odd_ratings_addresses_and_dates_are_taken(client: Client) -> None:
    review = write(client, rating=6, reviewer_email="nope", date_created="2026-01-02T03:04:05")
    assert (review["rating"], review["reviewer_email"]) == (6, "")
    assert (review["date_created"], review["date_created_gmt"]) == ("2026-01-02T03:04:05", "2026-01-02T01:04:05")


def test_a_variation_cannot_be_reviewed(client: Client) -> None:
    body = {"product_id": 104, "review": "x", "reviewer": "R", "reviewer_email": "a@example.com"}
    answer = client.post("products/reviews", body)
    assert (answer.status_code, answer.json()["code"]) == (404, "woocommerce_rest_product_invalid_id")


def test_trash_then_force(client: Client) -> None:
    review = write(client)
    address = f"products/reviews/{review['id']}"
    assert client.delete(address).json()["status"] == "trash"
    assert client.delete(address).status_code == 410
    assert client.delete(address, force="true").json()["deleted"] is True
    assert client.get(address).status_code == 404
