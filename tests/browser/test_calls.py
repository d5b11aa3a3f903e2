"""The pages of calls and a split's results in a real browser: readable for all, no sideways scroll, a clean console."""

import pytest

from campaigns import hooks
from campaigns.models import Enrolment, HookDelivery, StepRun
from postpurchase import clock
from tests.campaigns.flow_files import file, happen, publish, run, send

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SPLIT = {
    "uid": "test",
    "kind": "split",
    "variants": [{"name": "Short", "weight": 1, "steps": [send("short")]}, {"name": "Long", "weight": 1, "steps": []}],
}
CALL = {"uid": "call", "kind": "call_webhook", "url": "https://till.example.com/hook", "label": "till"}


def calls(shop) -> HookDelivery:
    """One call that was given up after two tries, and one that waits; people who went through a split."""
    flow = publish(shop.store, file(SPLIT, CALL, exit_when=[], name="After buying"), slug="after")
    for order in shop.store.orders.exclude(customer=None).order_by("-pk")[:2]:
        happen(order)
    run()
    row = HookDelivery.objects.order_by("pk")[0]
    answer = "<html>" + "x" * 300 + "</html>"
    tries = [
        {"at": clock.now().isoformat(), "status": 500, "error": "", "ms": 120, "answer": answer},
        {"at": clock.now().isoformat(), "status": None, "error": "There is no answer at this address.", "ms": 15000},
    ]
    row.body = '{"id":"1","customer":{"email":"c1@example.com"}}'
    row.calls, row.state, row.error = tries, "dead", "There is no answer at this address."
    row.finished_at = clock.now()
    row.save()
    assert StepRun.objects.filter(enrolment__in=Enrolment.objects.filter(flow=flow), step="test").count() == 2
    return row


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_the_pages_are_readable_fit_and_say_nothing_to_the_console(shop, axe, width, theme):
    row = calls(shop)
    page = shop.page(width=width, theme=theme)
    for path in ("calls/", f"calls/{row.pk}/", "calls/secret/", "flows/after/"):
        assert page.goto(f"/app/lut/{path}").status == 200
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert shop.said == []


def test_a_person_sends_a_call_again(shop):
    row = calls(shop)
    page = shop.page()
    page.goto("/app/lut/calls/?view=failed")
    page.get_by_role("link", name="till").first.click()
    page.get_by_role("button", name="Send again").click()
    page.get_by_text("The call is made again, with the same content.").first.wait_for()
    row.refresh_from_db()
    assert row.state == "due"
    assert hooks.secret_of(shop.store).secret.startswith("whsec_")
