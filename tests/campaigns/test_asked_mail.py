"""Mail that a page asked for, from the press of the button to the link that works."""

import re
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.test import Client

from campaigns.models import Consent
from postpurchase import clock, links, queue
from reviews import asking
from tests.campaigns.mails import ana, lut, pots

pytestmark = pytest.mark.django_db


def link_in_last_mail(purpose: str) -> str:
    found = re.search(rf"http://testserver(/{purpose}/[\w-]+/)", str(outbox.outbox[-1].body))
    assert found
    return found.group(1)


def test_an_expired_review_link_brings_a_fresh_one_by_mail() -> None:
    store = lut()
    customer = ana(store, language="ro")
    request = asking.ask(store, pots(store, customer))
    old = links.url("r", request.pk, version=request.link_version).removeprefix("http://testserver")
    with clock.shifted(timedelta(days=120)):
        assert Client().get(old).status_code == 410
        assert Client().post(old).status_code == 410
        queue.run_until_idle()
        assert outbox.outbox[-1].subject == "Linkul dumneavoastră nou de la Atelier Lut"
        assert outbox.outbox[-1].to == ["ana.popescu@example.com"]
        fresh = link_in_last_mail("r")
        assert fresh != old
        assert Client().get(fresh).status_code == 200


def test_double_opt_in_goes_through_the_mailbox() -> None:
    store = lut()
    customer = ana(store, language="id")
    ticks = {f"{purpose}-email": "on" for purpose in ("service", "review", "survey", "loyalty", "marketing")}
    address = links.url("p", customer.pk).removeprefix("http://testserver")
    Client().post(address, {"topics": "1", **ticks})
    queue.run_until_idle()
    assert "Mohon konfirmasi" in outbox.outbox[-1].subject
    assert Client().post(link_in_last_mail("d")).status_code == 200
    assert Consent.objects.get(purpose="marketing").state == "granted"
