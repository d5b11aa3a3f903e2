"""Help cases: one press opens one case, which holds back what would be tactless, and ends when it is solved."""

import pytest
from django.core.files.storage import default_storage

from postpurchase.errors import BusinessError
from reviews import cases, photos
from reviews.models import Case, CaseMessage, ReviewRequest
from stores.models import AuditEvent, Event, MessageRequest
from tests.factories import make_user
from tests.reviews.cast import asked, order_of_three, upload

pytestmark = pytest.mark.django_db


def test_opening_tells_the_customer_and_pauses_the_ask() -> None:
    request = asked()
    order = request.order
    line = order.lines.first()
    assert line is not None
    good, _ = photos.prepare_all([upload()])
    case = cases.open_case(
        order, kind="damaged", key="k1", text="Cracked", wish="replacement", line_ids=[line.woo_id, 987], prepared=good
    )
    assert (case.kind, case.wish, case.line_ids, case.state) == ("damaged", "replacement", [line.woo_id], "open")
    assert case.messages.get().text == "Cracked"
    assert case.photos.count() == 1
    assert Event.objects.get(name="case.opened").payload == {"case": case.pk, "kind": "damaged"}
    message = MessageRequest.objects.get()
    assert (message.kind, message.customer, message.payload["reference"]) == (
        "case.opened",
        order.customer,
        case.reference,
    )
    request.refresh_from_db()
    assert request.state == ReviewRequest.State.PAUSED
    assert order.customer is not None
    assert cases.order_has_open_case(order)
    assert cases.customer_has_open_case(order.customer)


def test_the_same_form_sent_twice_opens_one_case_and_leaves_no_file_behind() -> None:
    order = order_of_three()
    first = cases.open_case(order, kind="missing", key="k1", text="Vase")
    again, _ = photos.prepare_all([upload()])
    second = cases.open_case(order, kind="missing", key="k1", text="Vase", prepared=again)
    assert first == second
    assert (Case.objects.count(), CaseMessage.objects.count(), MessageRequest.objects.count()) == (1, 1, 1)
    assert not default_storage.exists(again[0].file)


def test_a_case_without_a_subject_is_refused_and_nothing_is_left() -> None:
    order = order_of_three()
    good, _ = photos.prepare_all([upload()])
    with pytest.raises(BusinessError) as refused:
        cases.open_case(order, kind="rage", key="k1", prepared=good)
    assert refused.value.code == "kind_needed"
    assert (Case.objects.count(), Event.objects.count()) == (0, 0)
    assert not default_storage.exists(good[0].file)


def test_a_form_of_another_order_is_refused() -> None:
    order = order_of_three()
    other = order_of_three(order.store)
    cases.open_case(order, kind="question", key="k1")
    with pytest.raises(BusinessError) as refused:
        cases.open_case(other, kind="question", key="k1")
    assert refused.value.code == "foreign_form"
    assert Case.objects.count() == 1


def test_resolving_lets_the_ask_go_on_and_is_written_down() -> None:
    request = asked()
    case = cases.open_case(request.order, kind="damaged", key="k1")
    support = make_user(request.store, role="support")
    cases.resolve(case, by=support, answer="A new one is on its way.")
    cases.resolve(case, by=support, answer="Twice")
    case.refresh_from_db()
    request.refresh_from_db()
    assert (case.state, request.state) == ("resolved", "open")
    assert [(said.author, said.by, said.text) for said in case.messages.all()] == [
        ("shop", support.email, "A new one is on its way.")
    ]
    assert Event.objects.filter(name="case.resolved").count() == 1
    assert AuditEvent.objects.get().target == case.reference
    assert not cases.order_has_open_case(request.order)


def test_the_ask_stays_paused_while_another_case_is_open() -> None:
    request = asked()
    first = cases.open_case(request.order, kind="damaged", key="k1")
    cases.open_case(request.order, kind="missing", key="k2")
    cases.resolve(first, by="x")
    request.refresh_from_db()
    assert request.state == "paused"


def test_only_the_shopper_closes_it_for_good_or_opens_it_again() -> None:
    request = asked()
    case = cases.open_case(request.order, kind="damaged", key="k1")
    assert cases.confirm(case).state == "open"
    cases.resolve(case, by="x")
    assert cases.reopen(case, text="Still cracked").state == "open"
    request.refresh_from_db()
    assert request.state == "paused"
    cases.resolve(case, by="x")
    assert cases.confirm(case).state == "confirmed"
    assert cases.reopen(case).state == "confirmed"
    assert Event.objects.filter(name="case.resolved").count() == 2


def test_the_shoppers_word_is_recorded_once_with_order_and_customer() -> None:
    order = order_of_three()
    case = cases.open_case(order, kind="damaged", key="k1")
    cases.confirm(case)
    assert not Event.objects.filter(name="case.confirmed_solved").exists()
    cases.resolve(case, by="x")
    cases.confirm(case)
    confirmed = cases.confirm(case)
    event = Event.objects.get(name="case.confirmed_solved")
    assert (event.order, event.customer, event.payload) == (order, order.customer, {"case": case.pk})
    assert event.at == confirmed.confirmed_at
