"""Fields about points, reviews, cases, consent, messages and segments: the same answer for one and for many."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from campaigns.models import Consent, Message
from loyalty.models import Account, Program, Redemption, Reward
from reviews.models import Case, Photo, Review, ReviewRequest
from stores import conditions
from stores.conditions import CUSTOMER, EVENT, LINE, ORDER
from stores.conditions.operators import fitting
from stores.models import Order, Product, Segment, SegmentStay, Store
from tests.factories import NOON
from tests.stores.conditions.population import make_shop
from tests.stores.conditions.test_same_answer import NOW, example, seen_by, subjects_of

pytestmark = pytest.mark.django_db
GROUPS = {"Reviews", "Help cases", "Loyalty", "Consent", "Messages"}


def fill(store: Store, seed: int) -> None:
    """Something of everything for some of the people."""
    random = Random(seed)
    program = Program.objects.create(store=store, name="Club", is_on=True)
    reward = Reward.objects.create(program=program, name="5 off", points=100, amount=5)
    product = Product.objects.filter(store=store, parent=None).first()
    segment = Segment.objects.create(store=store, name="S", slug="s", conditions={})
    for n, who in enumerate(store.customers.order_by("pk")):
        if random.random() < 0.6:
            account = Account.objects.create(
                store=store, customer=who, usable=random.choice([-5, 0, 100, 250]), pending=n
            )
            if random.random() < 0.6:
                status = random.choice(["ready", "ready", "used", "returned"])
                Redemption.objects.create(
                    store=store,
                    account=account,
                    reward=reward,
                    points=100,
                    key=str(n),
                    status=status,
                    at=NOON - timedelta(days=n),
                )
        if random.random() < 0.6:
            state = random.choice(["", "granted", "denied"])
            Consent.objects.create(store=store, customer=who, channel="email", purpose="marketing", state=state)
        if random.random() < 0.5:
            left = random.choice([None, NOON])
            SegmentStay.objects.create(segment=segment, customer=who, entered_at=NOON - timedelta(days=9), left_at=left)
    for n, order in enumerate(Order.objects.filter(store=store, customer__isnull=False).order_by("pk")):
        assert order.customer is not None
        if random.random() < 0.6:
            state = random.choice(ReviewRequest.State.values)
            request = ReviewRequest.objects.create(store=store, order=order, customer=order.customer, state=state)
            if random.random() < 0.7:
                review = Review.objects.create(
                    store=store,
                    request=request,
                    order=order,
                    product=product,
                    customer=order.customer,
                    item_name="Mug",
                    rating=random.randrange(1, 6),
                    display_name="A",
                    submitted_at=NOON - timedelta(days=random.randrange(0, 90)),
                )
                if random.random() < 0.5:
                    Photo.objects.create(store=store, review=review, name=f"p{seed}-{n}", file="x", width=1, height=1)
        if random.random() < 0.6:
            state = random.choice(Case.State.values)
            Case.objects.create(
                store=store,
                order=order,
                customer=order.customer,
                key=str(n),
                kind="damaged",
                state=state,
                opened_at=NOON - timedelta(days=random.randrange(1, 90)),
                confirmed_at=NOON - timedelta(days=5) if state == "confirmed" else None,
            )
        for m in range(random.randrange(0, 3)):
            sent = random.choice([None, NOON - timedelta(days=8), NOON - timedelta(days=8), NOON - timedelta(days=1)])
            Message.objects.create(
                store=store,
                key=f"{n}-{m}",
                customer=order.customer,
                order=order,
                klass=random.choice("SM"),
                purpose=random.choice(["review", "marketing"]),
                template="x",
                status="accepted" if sent else random.choice(["planned", "skipped"]),
                planned_for=NOON,
                useful_until=NOON,
                due_at=NOON,
                accepted_at=sent,
                clicked_at=sent if random.random() < 0.5 else None,
            )


def test_fields_of_all_apps_are_answered_alike() -> None:
    met: set[str] = set()
    asked = [
        one
        for one in conditions.fields()
        if one.subject != EVENT and (str(one.group) in GROUPS or one.name in {"customer.segment", "order.historic"})
    ]
    assert len(asked) > 25
    for seed in range(4):
        store = make_shop(seed)
        fill(store, seed)
        for about in (CUSTOMER, ORDER, LINE):
            subjects = subjects_of(store, about)
            seen = seen_by(subjects)
            for field in asked:
                for name, operator in fitting(field).items():
                    leaf: dict[str, Any] = {"field": field.name, "op": name}
                    if operator.takes_value:
                        leaf["value"] = example(field, operator.takes, seen[field.name])
                    if field.timed:
                        leaf["within"] = 100
                    values = conditions.load(conditions.fields_of([leaf]), [one for _pk, one in subjects], now=NOW)
                    expected = {
                        pk for (pk, _s), row in zip(subjects, values, strict=True) if conditions.holds(leaf, row)
                    }
                    found = set(conditions.find(leaf, store, about, now=NOW).values_list("pk", flat=True))
                    assert found == expected, leaf
                    if found and len(found) < len(subjects):
                        met.add(field.name)
    # Each field told people apart at least once, so that its answer was not the same by being empty.
    assert {one.name for one in asked} - met <= {
        "customer.consent_review",
        "customer.consent_survey",
        "customer.consent_loyalty",
        "customer.consent_service",
    }
