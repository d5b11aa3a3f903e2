"""Mail that a page asked for, from the press of the button to the link that works."""

import re
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.test import Client

from campaigns.models import Consent
from postpurchase import clock, links, queue
from reviews import asking, cases
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


def test_a_resolved_case_brings_the_question_whether_it_is_solved() -> None:
    store = lut()
    order = pots(store, ana(store, language="en"), language="en")
    case = cases.open_case(order, kind="damaged", key="k1", text="The mug is cracked", language="en")
    queue.run_until_idle()
    cases.resolve(case, by="maria@example.com", answer="A new mug is on its way.")
    queue.run_until_idle()
    sent = outbox.outbox[-1]
    assert (sent.subject, sent.to) == (f"Is it solved? ({case.reference})", ["ana.popescu@example.com"])
    assert "A new mug is on its way." in str(sent.body)
    page = link_in_last_mail("h")
    assert Client().get(page).status_code == 200
    assert len(outbox.outbox) == 2
