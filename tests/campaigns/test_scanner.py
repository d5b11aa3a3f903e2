"""A machine that opens every link of every mail, many times and by any method, changes nothing."""

import pytest

from campaigns import content
from campaigns.models import LinkVisit
from tests.campaigns.scanner import everything, letters

pytestmark = pytest.mark.django_db
AGENTS = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0", "Barracuda Link Protect", "")


def test_every_mail_of_the_library_has_a_link_of_ours():
    _, links = letters()
    assert {link.split("/")[1] for link in links} >= {"u", "p", "r", "h"}
    assert len(content.names()) >= 9


def test_a_scanner_that_follows_every_link_many_times_changes_nothing(client):
    _, links = letters()
    before, visits = everything(), LinkVisit.objects.count()
    for _ in range(3):
        for agent in AGENTS:
            for link in links:
                for method in (client.get, client.head, client.options):
                    answer = method(link, headers={"User-Agent": agent})
                    assert answer.status_code in {200, 301, 302, 405}, link
                    assert not answer.cookies.get("sessionid")
    after = everything()
    assert {name for name in before if before[name] != after[name]} == set()
    assert LinkVisit.objects.count() >= visits
