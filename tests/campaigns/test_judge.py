"""The pure judge: what it answers follows from the message, what is known and the moment, and from nothing else."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import priority, rechecks, zones
from campaigns.models import Consent, Message
from campaigns.permission import Standing
from campaigns.rechecks import Known, Limits, Past, Rival
from campaigns.troubles import EVERYTHING, ORDER, SELLING, Trouble
from stores.models import Customer, Order, Store

# A Friday, 14:00 in Bucharest.
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=ZoneInfo("UTC"))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BUCHAREST = (ZoneInfo("Europe/Bucharest"),)
AGREED = Standing(consents={("email", "marketing"): Consent(state="granted", source="test")})


def message(klass="M", purpose="", *, country="RO", **fields):
    store = Store(pk=1, name="Shop", zone="Europe/Bucharest")
    customer = Customer(
        pk=7, store=store, email="ana@example.com", country=country, woo_id=3, orders_count=2, phone="0712 345 678"
    )
    usual = {
        "store": store,
        "customer": customer,
        "order": Order(pk=5, store=store, customer=customer, number="10", status="completed"),
        "klass": klass,
        "purpose": purpose or {"T": "order", "S": "service", "M": "marketing"}[klass],
        "planned_for": NOON,
        "due_at": NOON,
        "useful_until": NOON + 14 * DAY,
        "context": {},
    }
    return Message(**(usual | fields))


def known(**fields):
    usual = {"flow_state": "on", "flow_name": "Win back", "order_status": "completed", "zones": BUCHAREST}
    return Known(**(usual | {"standing": AGREED} | fields))


def verdict(about, seen, *, at=NOON):
    found = rechecks.judge_one(about, seen, now=at)
    return found.action, found.reason, found.until


def test_nothing_against_it_sends_and_every_rule_has_left_a_line():
    found = rechecks.judge_one(message(), known(), now=NOON)
    assert found.action == "send"
    assert [line[1] for line in found.trace] == [
        "Flow",
        "Address",
        "Order",
        "customer exists",
        "has an address",
        "address works",
        "class",
        "did not object",
        "not paused",
        "agreed",
        "In time",
        "Service hold",
        "Quiet hours",
        "Limit",
    ]
    assert all(line[0] for line in found.trace)


@pytest.mark.django_db
def test_judging_asks_the_database_nothing():
    with CaptureQueriesContext(connection) as asked:
        rechecks.judge_one(message(), known(past=[Past(NOON - DAY / 2, "M", "marketing")]), now=NOON)
    assert len(asked) == 0


@pytest.mark.parametrize(
    ("sent", "approved", "answer"),
    [
        ("sure", None, ("skip", "already sent")),
        ("sure", NOON, ("skip", "already sent")),
        ("unclear", None, ("skip", "it may have been sent already")),
        ("unclear", NOON, ("send", "")),
    ],
)
def test_what_went_out_never_goes_again_and_the_unclear_only_when_a_person_says_so(sent, approved, answer):
    assert verdict(message(approved_at=approved), known(sent=sent))[:2] == answer


@pytest.mark.parametrize(
    ("past", "answer"),
    [
        ([], ("send", "", None)),
        ([25], ("send", "", None)),
        ([23], ("hold", "daily limit reached, next slot Fri", NOON + HOUR)),
        ([25, 100], ("hold", "weekly limit reached, next slot Mon", NOON + 68 * HOUR)),
        ([23, 100], ("hold", "weekly limit reached, next slot Mon", NOON + 68 * HOUR)),
        ([25, 169], ("send", "", None)),
    ],
)
def test_marketing_goes_at_most_once_a_day_and_twice_in_seven_days(past, answer):
    sent = [Past(NOON - n * HOUR, "M", "marketing") for n in past]
    assert verdict(message(), known(past=sent)) == answer


def test_what_counts_for_the_cap_is_marketing_alone():
    sent = [Past(NOON - HOUR, "S", "service"), Past(NOON - HOUR, "T", "order"), Past(NOON - HOUR, "", "loyalty")]
    assert verdict(message(), known(past=sent))[0] == "send"
    many = [Past(NOON - HOUR, "M", "marketing")] * 3
    for free in (message("T"), message("S"), message(request_id=4)):
        assert verdict(free, known(past=many))[0] == "send"


def test_a_country_where_asking_is_advertising_counts_the_question_for_the_cap():
    german = message("S", "review", country="DE")
    agreed = Standing(consents={("email", "review"): Consent(state="granted")})
    assert rechecks.effective_klass(german) == "M"
    sent = [Past(NOON - HOUR, "M", "marketing")]
    assert verdict(german, known(standing=agreed, past=sent))[:2] == ("hold", "daily limit reached, next slot Sat")
    assert verdict(message("S", "review"), known(past=sent))[0] == "send"


def test_the_next_slot_lies_in_the_day():
    sent = [Past(NOON - 15 * HOUR, "M", "marketing")]  # frees at 23:00 in Bucharest
    found = rechecks.judge_one(message(), known(past=sent), now=NOON)
    assert (found.action, found.reason) == ("hold", "daily limit reached, next slot Sat")
    assert found.until == (NOON + DAY).replace(hour=6)
    assert found.moved


def test_a_shop_sets_its_own_caps():
    sent = [Past(NOON - n * HOUR, "M", "marketing") for n in (1, 30, 60)]
    generous = Limits(per_week=4, per_day=2)
    assert verdict(message(), known(past=sent, limits=generous))[0] == "send"
    assert verdict(message(), known(limits=Limits(per_week=0)))[1].startswith("weekly limit reached")


@pytest.mark.parametrize("other", ["review", "survey"])
def test_a_review_and_a_survey_keep_72_hours_apart(other):
    about = message("S", "review")
    assert verdict(about, known(past=[Past(NOON - 71 * HOUR, "S", other)])) == (
        "hold",
        "asked for an opinion less than 3 days ago",
        NOON + HOUR,
    )
    assert verdict(about, known(past=[Past(NOON - 72 * HOUR, "S", other)]))[0] == "send"


def rival(topic, *, klass="M", purpose="marketing", planned=NOON):
    return Rival(klass, purpose, topic, planned, planned, title="Its rival", pk=2)


@pytest.mark.parametrize(
    ("mine", "other", "planned", "wins"),
    [
        ("win-back", "replenishment", NOON, False),
        ("replenishment", "win-back", NOON - DAY, True),
        ("cross-sell", "second purchase", NOON, False),
        ("dates", "win-back", NOON, False),
        ("win-back", "win-back", NOON - HOUR, False),
        ("win-back", "win-back", NOON + HOUR, True),
    ],
)
def test_of_two_that_want_one_slot_the_higher_goes_and_the_loser_waits_and_says_for_whom(mine, other, planned, wins):
    found = rechecks.judge_one(message(), known(topic=mine, rivals=[rival(other, planned=planned)]), now=NOON)
    if wins:
        assert found.action == "send"
    else:
        assert (found.action, found.reason) == ("hold", "another message had priority")
        assert [False, "Priority", f"“Its rival” ({other}) goes first"] in found.trace


def test_a_rival_of_another_kind_takes_no_slot():
    service = rival("case", klass="S", purpose="service")
    assert verdict(message(), known(topic="win-back", rivals=[service]))[0] == "send"
    assert verdict(message("S", "service"), known(topic="check-in", rivals=[rival("case")]))[0] == "send"


def test_the_order_of_priority_is_the_written_one():
    written = "delay case return renewal shipping check-in review points replenishment second-purchase cross-sell win-back dates"
    assert [topic.replace(" ", "-") for topic in priority.ORDER[:-1]] == written.split()
    assert priority.topic_of(recipe="R15") == "win-back"
    assert priority.topic_of(starts=["order.late"]) == "delay"
    assert priority.topic_of(starts=["order.paid"], purpose="review") == "review"
    assert priority.topic_of(starts=["order.paid"]) == "other"


def trouble(holds, topic="case", *, order=5, since=NOON - DAY, until=None, reason="open case"):
    return Trouble(7, order, since, until, reason, holds, topic)


@pytest.mark.parametrize(
    ("holds", "held"),
    [
        (EVERYTHING, {"S", "M", "review", "other order"}),
        (SELLING, {"M", "review", "other order"}),
        (ORDER, {"review"}),
    ],
)
def test_while_something_is_wrong_nothing_is_asked_or_advertised(holds, held):
    about = {
        "T": message("T"),
        "S": message("S"),
        "M": message(),
        "review": message("S", "review"),
        "other order": message("S", "review", order=Order(pk=6, number="11")),
    }
    seen = {name for name, each in about.items() if verdict(each, known(troubles=[trouble(holds)]))[0] == "hold"}
    assert seen == held


def test_a_hold_ends_with_the_trouble_and_does_not_hold_what_speaks_of_it():
    about = message()
    over = trouble(EVERYTHING, until=NOON)
    coming = trouble(EVERYTHING, since=NOON + HOUR)
    assert verdict(about, known(troubles=[over, coming]))[0] == "send"
    assert verdict(about, known(troubles=[trouble(EVERYTHING)])) == ("hold", "on hold: open case", NOON + HOUR)
    soon = trouble(SELLING, "delay", until=NOON + HOUR / 2, reason="order late")
    assert verdict(about, known(troubles=[soon])) == ("hold", "on hold: order late", NOON + HOUR / 2)
    assert verdict(message("S"), known(topic="case", troubles=[trouble(EVERYTHING)]))[0] == "send"


@pytest.mark.parametrize(
    ("klass", "hours", "answer"),
    [
        ("M", 48, "send"),
        ("M", 49, "expire"),
        ("S", 48, "send"),
        ("S", 49, "approval"),
        ("T", 72, "send"),
        ("T", 73, "approval"),
    ],
)
def test_c59_late_marketing_expires_service_asks_and_the_order_is_still_told(klass, hours, answer):
    found = verdict(message(klass, planned_for=NOON - hours * HOUR), known())
    assert found[0] == answer
    if answer == "expire":
        assert found[1] == "too late to be useful (49 hours late)"


def test_waiting_for_a_slot_is_no_lateness_but_a_pause_is():
    moved = message(planned_for=NOON - 9 * DAY, owed_at=NOON)
    assert verdict(moved, known())[0] == "send"
    paused = rechecks.judge_one(message(), known(stopped="all sending is paused"), now=NOON)
    assert (paused.action, paused.moved) == ("hold", False)


def test_what_cannot_go_before_it_is_useless_expires_with_its_reason():
    sent = [Past(NOON - HOUR, "M", "marketing")]
    soon = message(useful_until=NOON + 10 * HOUR)
    assert verdict(soon, known(past=sent))[:2] == (
        "expire",
        "too late to be useful (daily limit reached, next slot Sat)",
    )


def test_send_now_waits_for_nothing_but_what_makes_it_wrong():
    pressed = message(approved_at=NOON, pressed_at=NOON, planned_for=NOON - 9 * DAY)
    busy = {"past": [Past(NOON, "M", "marketing")], "troubles": [trouble(EVERYTHING)], "turn": NOON + HOUR}
    assert verdict(pressed, known(**busy), at=NOON.replace(hour=23))[0] == "send"
    assert verdict(pressed, known(order_status="cancelled"))[:2] == ("skip", "order cancelled")
    assert verdict(pressed, known(standing=Standing()))[:2] == ("skip", "no consent for marketing")


def test_an_approved_message_still_keeps_the_quiet_hours():
    found = verdict(message(approved_at=NOON), known(flow_state="review"), at=NOON.replace(hour=21))
    assert found[:2] == ("hold", "quiet hours until 08:00")
    assert verdict(message(), known(flow_state="review")) == ("approval", "the flow asks you first", None)


def test_a_guard_holds_marketing_and_lets_the_rest_go():
    guarded = known(guarded="far more than usual is due")
    assert verdict(message(), guarded)[:2] == ("hold", "on hold: far more than usual is due")
    assert verdict(message("S"), guarded)[0] == verdict(message("T"), guarded)[0] == "send"
    for each in (message(), message("S"), message("T")):
        assert verdict(each, known(stopped="all sending is paused"))[:2] == ("hold", "all sending is paused")


@pytest.mark.parametrize(
    ("channel", "klass", "hour", "answer"),
    [
        ("email", "M", 5, "hold"),  # 07:00 in Bucharest
        ("email", "M", 6, "send"),
        ("email", "S", 17, "send"),
        ("email", "S", 18, "hold"),
        ("email", "T", 2, "send"),
        ("sms", "T", 6, "hold"),
        ("sms", "T", 7, "send"),
    ],
)
def test_quiet_hours_by_class_and_channel(channel, klass, hour, answer):
    at = NOON.replace(hour=hour)
    consents = {(channel, "marketing"): Consent(state="granted")}
    about = message(klass, channel=channel, planned_for=at)
    assert verdict(about, known(standing=Standing(consents=consents)), at=at)[0] == answer


@pytest.mark.parametrize(
    ("country", "state", "phone", "expected"),
    [
        ("RO", "CJ", "", ["Europe/Bucharest"]),
        ("ID", "BA", "", ["Asia/Makassar"]),
        ("ID", "JK", "", ["Asia/Jakarta"]),
        ("US", "CA", "", ["America/Los_Angeles"]),
        ("ES", "GC", "", ["Atlantic/Canary"]),
        ("ES", "M", "", ["Europe/Madrid"]),
        ("", "", "+62 811 123 4567", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"]),
        ("", "", "0062 811 123 4567", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"]),
        ("", "", "0811 123 4567", ["Europe/Berlin"]),
        ("XX", "", "nonsense", ["Europe/Berlin"]),
        ("RO", "", "+40 712 345 678", ["Europe/Bucharest"]),
        ("RO", "", "+1 212 555 0100", ["Europe/Bucharest", "America/New_York"]),
    ],
)
def test_the_zone_is_the_parcels_place_else_the_phones_region_else_the_shops(country, state, phone, expected):
    found = zones.of_recipient(ZoneInfo("Europe/Berlin"), country=country, state=state, phone=phone)
    assert [zone.key for zone in found][: len(expected)] == expected or {zone.key for zone in found} == set(expected)


def test_where_zones_differ_only_the_common_hours_are_day():
    around = zones.of_place("US")
    assert len(around) > 4
    found = zones.into_window(NOON, *Limits().day, around)
    for zone in around:
        assert 8 <= found.astimezone(zone).hour < 20
    assert zones.into_window(found - timedelta(minutes=1), *Limits().day, around) == found


def test_zones_without_a_common_hour_leave_the_first():
    far = (ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago"))
    narrow = (Limits().day[0], Limits().day[0].replace(minute=30))
    found = zones.into_window(NOON, *narrow, far)
    assert found.astimezone(far[0]).strftime("%H:%M") == "08:00"


@pytest.mark.parametrize(
    ("zone", "evening"),
    [
        ("Europe/Bucharest", datetime(2026, 3, 28, 19, 0)),  # clocks go forward that night
        ("Europe/Bucharest", datetime(2026, 10, 24, 19, 0)),  # and back
        ("America/New_York", datetime(2026, 3, 8, 2, 0)),
        ("America/New_York", datetime(2026, 11, 1, 2, 0)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 12, 0)),
    ],
)
def test_quiet_hours_end_at_eight_on_the_day_the_clocks_change(zone, evening):
    around = (ZoneInfo(zone),)
    at = evening.replace(tzinfo=ZoneInfo("UTC"))
    found = zones.into_window(at, *Limits().day, around)
    local = found.astimezone(around[0])
    assert (local.hour, local.minute) == (8, 0)
    assert found >= at
    assert found - at < 14 * HOUR


def test_what_was_left_to_the_shop_is_not_sent_here():
    assert verdict(message(), known(left="WooCommerce sends this one"))[:2] == ("skip", "WooCommerce sends this one")
