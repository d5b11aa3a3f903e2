"""Every purpose letter that has a page: an altered, foreign, unknown or overaged link gets the page that says so."""

from datetime import timedelta

import pytest
from django.urls import URLPattern, get_resolver

from postpurchase import clock, links
from postpurchase.links import LIFETIMES

pytestmark = pytest.mark.django_db


def letters() -> list[str]:
    """The letters that have a page, from the addresses themselves, so that a new one cannot be forgotten."""
    found = {
        str(pattern.pattern)[0]
        for pattern in get_resolver().url_patterns
        if isinstance(pattern, URLPattern) and str(pattern.pattern)[1:] == "/<str:token>/"
    }
    return sorted(found & set(LIFETIMES))


def test_the_pages_of_today_are_all_looked_at():
    assert letters() == ["c", "d", "h", "l", "p", "r", "u"]


# A counted link has nothing to post to.
@pytest.mark.parametrize(
    ("letter", "method"), [(one, how) for one in letters() for how in ("get", "post") if (one, how) != ("c", "post")]
)
def test_a_link_that_is_none_gets_one_and_the_same_page(letter, method, client):
    good = links.make(letter, 5)
    other = next(one for one in LIFETIMES if one != letter)
    wrong = [
        good,  # signed, but nothing stands behind it
        good[:-1],
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        links.make(other, 5),
        letter + links.make(other, 5)[1:],
        "x",
        "-" * 4,
        "9" * 300,
        "ș",
    ]
    if LIFETIMES[letter]:
        with clock.shifted(-timedelta(days=400)):
            wrong.append(links.make(letter, 5))
    pages = set()
    for token in wrong:
        answer = getattr(client, method)(f"/{letter}/{token}/")
        assert answer.status_code == 404, token
        pages.add(answer.content.decode().split("<main")[1])
    assert len(pages) == 1
    assert "<h1" in pages.pop()
