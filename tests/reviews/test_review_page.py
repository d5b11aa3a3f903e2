"""The review page: a GET changes nothing, a POST records what was said and nothing else."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from postpurchase import clock, links
from reviews import asking, cases
from reviews.models import Case, Photo, Review, ReviewRequest
from stores.models import Event, MessageRequest
from tests.factories import NOON
from tests.reviews.cast import answer, asked, upload

pytestmark = pytest.mark.django_db


def _path(request: ReviewRequest) -> str:
    return asking.review_url(request).removeprefix("http://testserver")


def _lines(request: ReviewRequest) -> list[int]:
    return [item.line.woo_id for item in asking.reviewable(request.order)]


def _post(request: ReviewRequest, said: dict[str, Any]) -> Any:
    return Client(enforce_csrf_checks=True).post(_path(request), said)


def _rows() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def _checked(html: str) -> list[str]:
    return re.findall(r'name="(rating-\d+)" value="(\d)" checked', html)


def test_opening_any_star_link_changes_no_table_and_sets_no_cookie() -> None:
    request = asked()
    before = _rows()
    for item in asking.items(request.order):
        for url in asking.star_urls(request, item):
            opened = Client().get(url)
            assert opened.status_code == 200
            assert not opened.cookies
    assert Client().head(_path(request)).status_code == 200
    assert _rows() == before


def test_the_link_of_the_mail_chooses_the_star_and_leaves_the_others_empty() -> None:
    request = asked()
    first, second, third = _lines(request)
    html = Client().get(_path(request), {"s": "4", "i": str(second)}).content.decode()
    assert _checked(html) == [(f"rating-{second}", "4")]
    assert html.count('type="radio" id="i') == 15
    for odd in ({"s": "9", "i": str(second)}, {"s": "4", "i": "77777"}, {"s": "<b>", "i": "x"}):
        assert _checked(Client().get(_path(request), odd).content.decode()) == []
    assert first < third


def test_the_page_is_closed_to_search_engines_caches_and_referrers() -> None:
    opened = Client().get(_path(asked()))
    assert opened["Referrer-Policy"] == "no-referrer"
    assert opened["X-Robots-Tag"] == "noindex, nofollow"
    assert opened["Cache-Control"] == "no-store, private"
    policy = opened["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
    html = opened.content.decode()
    assert "<script" not in html
    assert " style=" not in html


def test_one_star_and_one_press_of_send_is_a_review() -> None:
    request = asked()
    line = _lines(request)[0]
    sent = _post(request, {f"rating-{line}": "4", "name": "Ana P."})
    assert (sent.status_code, sent["Location"]) == (303, f"{_path(request)}?sent=1&lang=en")
    assert not sent.cookies
    review = Review.objects.get()
    assert (review.rating, review.title, review.text, review.language) == (4, "", "", "en")
    thanks = Client().get(sent["Location"])
    assert "Thank you, we have your review" in thanks.content.decode()


def test_each_item_carries_its_own_words_and_photos() -> None:
    request = asked()
    one, _, three = _lines(request)
    _post(
        request,
        {
            f"rating-{one}": "5",
            f"title-{one}": "Warm",
            f"text-{one}": "Holds its warmth.",
            f"photo-{one}": [upload("a.jpg"), upload("b.jpg")],
            f"rating-{three}": "1",
            f"text-{three}": "Arrived in pieces.",
            "name": "Ana",
        },
    )
    assert list(Review.objects.order_by("pk").values_list("item_name", "rating", "title", "text", "display_name")) == [
        ("Marea mug, cobalt blue", 5, "Warm", "Holds its warmth.", "Ana"),
        ("Slip vase, terracotta", 1, "", "Arrived in pieces.", "Ana"),
    ]
    assert list(Photo.objects.values_list("review__rating", flat=True)) == [5, 5]


def test_coming_back_shows_what_was_said_and_sending_again_changes_it() -> None:
    request = asked()
    line = _lines(request)[1]
    _post(request, {f"rating-{line}": "2", f"text-{line}": "Small.", f"photo-{line}": upload(), "name": "Ana"})
    html = Client().get(_path(request)).content.decode()
    assert _checked(html) == [(f"rating-{line}", "2")]
    assert "Small.</textarea>" in html
    assert 'value="Ana"' in html
    assert f"/photos/{Photo.objects.get().name}/" in html
    _post(request, {f"rating-{line}": "4", f"text-{line}": "Grew on me.", "name": "Ana"})
    review = Review.objects.get()
    assert (review.rating, review.text, review.photos.count()) == (4, "Grew on me.", 1)


def test_nothing_rated_is_told_and_nothing_recorded() -> None:
    request = asked()
    before = _rows() | {"stores.Counter": 1}
    sent = _post(request, {"name": "Ana"})
    assert sent.status_code == 422
    assert "Choose 1 to 5 stars for at least one item." in sent.content.decode()
    assert _rows() == before


def test_words_without_stars_are_kept_on_the_page_and_the_item_is_named() -> None:
    request = asked()
    one, two, _ = _lines(request)
    sent = _post(request, {f"rating-{one}": "5", f"text-{two}": "Lovely <b>glaze</b>", "name": "Ana"})
    html = sent.content.decode()
    assert sent.status_code == 422
    assert f'<a href="#i{two}">Serving bowl, sand glaze: choose 1 to 5 stars.</a>' in html
    assert "Lovely &lt;b&gt;glaze&lt;/b&gt;</textarea>" in html
    assert _checked(html) == [(f"rating-{one}", "5")]
    assert Review.objects.count() == 0


def test_clear_takes_one_star_row_back_keeps_the_rest_and_records_nothing() -> None:
    request = asked()
    one, two, _ = _lines(request)
    before = _rows()
    sent = _post(request, {f"rating-{one}": "5", f"rating-{two}": "3", f"text-{one}": "Hm", "clear": str(one)})
    html = sent.content.decode()
    assert sent.status_code == 200
    assert _checked(html) == [(f"rating-{two}", "3")]
    assert "Hm</textarea>" in html
    assert _rows() == before


def test_enter_in_a_text_line_sends_and_does_not_clear() -> None:
    html = Client().get(_path(asked())).content.decode()
    form = html[html.index('<form method="post"') :]
    assert form.index('type="submit"') < form.index('name="clear"')


def test_fields_that_are_none_of_the_form_change_nothing() -> None:
    request = asked()
    other = asked()
    line, foreign = _lines(request)[0], _lines(other)[0]
    _post(
        request,
        {
            f"rating-{line}": "1",
            f"rating-{foreign}": "5",
            "status": "approved",
            "state": "published",
            "store": str(other.store_id),
            "customer": str(other.customer_id),
            "woo_id": "7",
            "points": "1000",
            "auto_publish_at": "2000-01-01",
        },
    )
    review = Review.objects.get()
    assert (review.state, review.store_id, review.customer_id, review.woo_id, review.rating) == (
        "to_check",
        request.store_id,
        request.customer_id,
        None,
        1,
    )


@pytest.mark.parametrize("rating", ["0", "6", "-1", "4.5", "٤", "five", "4 ", "true"])
def test_what_is_no_star_counts_as_none(rating: str) -> None:
    request = asked()
    assert _post(request, {f"rating-{_lines(request)[0]}": rating}).status_code == 422
    assert Review.objects.count() == 0


def test_hostile_words_are_inert_on_the_page() -> None:
    request = asked()
    line = _lines(request)[0]
    bad = '</textarea><script>alert(1)</script>"onfocus=alert(2) {{7*7}} {% include "x" %}\x00'
    _post(request, {f"rating-{line}": "3", f"title-{line}": bad, f"text-{line}": bad, "name": bad})
    html = Client().get(_path(request)).content.decode()
    assert "<script>" not in html
    assert '"onfocus' not in html
    assert "{{7*7}}" in html


def test_the_same_words_fields_and_pages_for_one_star_and_five() -> None:
    seen = []
    for rating in ("1", "5"):
        request = asked()
        for place, line in enumerate(request.order.lines.order_by("woo_id")):
            line.woo_id = 900_001 + place
            line.save()
        chosen = Client().get(_path(request), {"s": rating, "i": "900001"}).content.decode()
        sent = _post(request, {"rating-900001": rating, "name": "Ana"})
        pages = [chosen, Client().get(sent["Location"]).content.decode()]
        seen.append([_neutral(page) for page in pages])
    assert seen[0] == seen[1]


def _neutral(html: str) -> str:
    """The page without what differs between two requests: tokens, nonces, shops, and which star is on."""
    html = re.sub(r'/[rhp]/[^/]+/|nonce="[^"]*"|name="key" value="\w+"|[Ss]hop[- ]\d+', "", html)
    return re.sub(r' checked| class="on"', "", html)


def test_a_bad_photo_never_loses_the_review_and_tells_what_to_do() -> None:
    request = asked()
    line = _lines(request)[0]
    evil = SimpleUploadedFile("x.jpg", b"<svg onload=alert(1)>", "image/jpeg")
    sent = _post(request, {f"rating-{line}": "5", f"text-{line}": "Kept.", f"photo-{line}": [upload(), evil]})
    assert (sent.status_code, Review.objects.get().text, Photo.objects.count()) == (303, "Kept.", 1)
    assert "Choose a JPEG, PNG or WebP picture." in Client().get(sent["Location"]).content.decode()


def test_more_than_five_photos_are_told_before_any_is_decoded() -> None:
    request = asked()
    line = _lines(request)[0]
    sent = _post(request, {f"rating-{line}": "5", f"text-{line}": "Kept.", f"photo-{line}": [upload()] * 6})
    html = sent.content.decode()
    assert sent.status_code == 422
    assert "Marea mug, cobalt blue: choose at most 5 photos." in html
    assert "Kept.</textarea>" in html
    assert Photo.objects.count() == 0


def test_a_huge_body_is_not_read() -> None:
    request = asked()
    sent = Client().post(_path(request), {}, CONTENT_LENGTH=str(200 * 1024 * 1024))
    assert sent.status_code == 413
    assert Review.objects.count() == 0


def test_photos_are_served_as_pictures_and_nothing_else() -> None:
    request = asked()
    line = _lines(request)[0]
    _post(request, {f"rating-{line}": "5", f"photo-{line}": upload()})
    photo = Photo.objects.get()
    served = Client().get(f"/photos/{photo.name}/")
    assert (served.status_code, served["Content-Type"], served["X-Content-Type-Options"]) == (
        200,
        "image/webp",
        "nosniff",
    )
    assert served["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert not served.cookies
    assert b"".join(served.streaming_content)[8:12] == b"WEBP"
    default_storage.delete(photo.file)
    for name in (photo.name, "0" * 32, "..%2f..%2fetc", photo.file):
        assert Client().get(f"/photos/{name}/").status_code == 404


def test_sending_without_end_is_slowed_down_and_loses_nothing() -> None:
    request = asked()
    line = _lines(request)[0]
    with clock.frozen(NOON):
        path = f"{links.url('r', request.pk, version=request.link_version)}"
        for _ in range(40):
            assert Client().post(path, {"name": "x"}).status_code == 422
        slowed = Client().post(path, {f"rating-{line}": "5", f"text-{line}": "Still here"})
        assert slowed.status_code == 429
        assert "Still here</textarea>" in slowed.content.decode()
        assert Review.objects.count() == 0
        clock.advance(timedelta(hours=1))
        assert Client().post(path, {f"rating-{line}": "5"}).status_code == 303


def test_wrong_links_get_one_answer_and_show_nothing() -> None:
    request, other = asked(), asked()
    token = _path(request).split("/")[2]
    revoked = links.make("r", request.pk, version=2)
    foreign = links.make("h", request.order_id)
    missing = links.make("r", 10_000_000)
    changed = token.replace(token[-1], "A" if token[-1] != "A" else "B")
    answers = set()
    for wrong in (revoked, foreign, missing, changed, token[:-3], "r-1-1-1-x", "%00", "..", token + "x"):
        opened = Client().get(f"/r/{wrong}/")
        assert opened.status_code == 404
        assert "This link does not work" in opened.content.decode()
        answers.add(re.sub(r'nonce="[^"]*"', "", opened.content.decode()))
        assert Client().post(f"/r/{wrong}/", {"rating-1": "5"}).status_code == 404
    assert len(answers) == 1
    assert Review.objects.count() == 0
    assert other.customer.email not in answers.pop()


def test_an_overaged_link_offers_a_new_one_to_the_address_of_the_order() -> None:
    with clock.frozen(NOON):
        request = asked()
        path = _path(request)
        clock.advance(timedelta(days=92))
        opened = Client().get(path)
        assert opened.status_code == 410
        assert "This link has expired." in opened.content.decode()
        assert request.customer.email not in opened.content.decode()
        assert MessageRequest.objects.count() == 0
        Client().post(path)
        asked_for = MessageRequest.objects.get()
    assert (asked_for.kind, asked_for.customer_id, asked_for.payload) == (
        "link.new",
        request.customer_id,
        {"link": {"purpose": "r", "row": request.pk}},
    )
    assert Review.objects.count() == 0


@pytest.mark.parametrize("fallback", [True, False])
def test_links_signed_with_an_older_key_still_open(settings: Any, fallback: bool) -> None:
    settings.LINK_KEYS = ["old"]
    path = _path(asked())
    settings.LINK_KEYS = ["new", "old"] if fallback else ["new"]
    assert Client().get(path).status_code == (200 if fallback else 404)


def test_the_help_panel_stands_there_for_everyone_before_any_rating() -> None:
    request = asked()
    html = Client().get(_path(request)).content.decode()
    assert html.count("Something wrong? Tell us") == 2
    assert f'action="{cases.help_url(request.order)}?lang=en"' in html
    assert html.count('name="kind"') == 6


def _help(request: ReviewRequest, said: dict[str, Any]) -> Any:
    return Client(enforce_csrf_checks=True).post(cases.help_url(request.order), said)


def test_help_opens_a_case_and_says_what_happens_next() -> None:
    request = asked()
    lines = _lines(request)
    sent = _help(
        request,
        {
            "kind": "damaged",
            "line": [str(lines[0]), "999", "x"],
            "text": "Cracked.",
            "wish": "replacement",
            "photo": upload(),
            "key": "k1",
            "state": "resolved",
        },
    )
    case = Case.objects.get()
    assert (case.kind, case.line_ids, case.wish, case.state, case.photos.count()) == (
        "damaged",
        [lines[0]],
        "replacement",
        "open",
        1,
    )
    assert (sent.status_code, sent["Location"].split("?")[1]) == (303, f"case={case.pk}&lang=en")
    html = Client().get(sent["Location"]).content.decode()
    assert f"We have your message, {case.reference}" in html
    assert request.customer.email not in html


def test_opening_the_help_page_changes_nothing() -> None:
    request = asked()
    before = _rows()
    opened = Client().get(cases.help_url(request.order))
    assert opened.status_code == 200
    assert not opened.cookies
    assert _rows() == before


def test_help_without_a_subject_keeps_what_was_written() -> None:
    request = asked()
    sent = _help(request, {"text": "It is <i>cracked</i>", "key": "k1"})
    assert sent.status_code == 422
    assert "It is &lt;i&gt;cracked&lt;/i&gt;</textarea>" in sent.content.decode()
    assert (Case.objects.count(), Event.objects.filter(name="case.opened").count()) == (0, 0)


def test_the_shopper_says_whether_it_is_solved() -> None:
    request = asked()
    case = cases.open_case(request.order, kind="missing", key="k1")
    cases.resolve(case, by="x")
    html = Client().get(cases.help_url(request.order)).content.decode()
    assert f"Is {case.reference} solved?" in html
    _help(request, {"not_yet": str(case.pk)})
    case.refresh_from_db()
    assert case.state == "open"
    cases.resolve(case, by="x")
    _help(request, {"solved": str(case.pk)})
    case.refresh_from_db()
    assert case.state == "confirmed"


def test_a_case_of_another_order_is_not_answered_with_this_link() -> None:
    request, other = asked(), asked()
    case = cases.open_case(other.order, kind="missing", key="k1")
    cases.resolve(case, by="x")
    assert _help(request, {"solved": str(case.pk)}).status_code == 404
    case.refresh_from_db()
    assert case.state == "resolved"


def test_the_reply_time_promised_is_the_shops_own_or_none() -> None:
    with clock.frozen(NOON):
        request = asked()
        assert cases.usual_hours(request.store) is None
        for hours in (1, 2, 3, 5, 30):
            case = cases.open_case(request.order, kind="question", key=f"k{hours}")
            with clock.shifted(timedelta(hours=hours)):
                cases.resolve(case, by="x")
        assert cases.usual_hours(request.store) == 3


def test_an_answer_records_nothing_for_items_left_empty() -> None:
    request = asked()
    assert answer(request).rating == 4
    _post(request, {f"rating-{_lines(request)[2]}": "3"})
    assert [item.name for item in asking.pending_items(request)] == [
        "Marea mug, cobalt blue",
        "Serving bowl, sand glaze",
    ]


@pytest.mark.parametrize(
    ("language", "title", "star", "help_words"),
    [
        ("ro", "Cum a fost comanda?", "4 din 5, bine", "Ceva nu e în regulă? Spuneți-ne"),
        ("id", "Bagaimana pesanan Anda?", "4 dari 5, baik", "Ada masalah? Beri tahu kami"),
    ],
)
def test_the_page_speaks_the_language_of_the_order(language: str, title: str, star: str, help_words: str) -> None:
    request = asked()
    request.order.language = language
    request.order.save()
    html = Client().get(_path(request)).content.decode()
    assert f'<html lang="{language}" dir="ltr">' in html
    for words in (title, star, help_words):
        assert words in html
    sent = _post(request, {"name": "Ana"})
    assert "Choose 1 to 5 stars" not in sent.content.decode()
    assert title in Client().get(_path(request), {"lang": language}).content.decode()
    assert "How was your order?" in Client().get(_path(request), {"lang": "en"}).content.decode()
