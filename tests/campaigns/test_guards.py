"""Guards hold and never decide: floods, clocks, restores, and the operator's switch."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from campaigns import guards, journal, outbox, pages
from campaigns.channels.email import Handed
from campaigns.models import Journal, Message, SendingHold, SentLedger
from postpurchase import clock
from postpurchase.due import MARKETING
from stores.models import AuditEvent
from tests.campaigns.letter_box import fresh, planned
from tests.campaigns.test_sending_rules import agreed, offer, state
from tests.factories import NOON, make_customer, make_store, make_user

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _noon(monkeypatch):
    clock.freeze(NOON)
    monkeypatch.setattr(guards, "_last_clock", None)
    guards._looked.clear()


def flood(customer, n, *, at=NOON, name="flood"):
    Message.objects.bulk_create(
        Message(
            store=customer.store,
            customer=customer,
            klass="M",
            purpose="marketing",
            template="x",
            key=f"{name}-{n_}",
            priority=MARKETING,
            planned_for=at,
            due_at=at,
            useful_until=at + 14 * 24 * HOUR,
        )
        for n_ in range(n)
    )


def test_far_more_than_usual_holds_marketing_and_nothing_else_until_somebody_releases_it(post):
    customer = agreed()
    flood(customer, guards.FLOOD_LEAST + 1, at=NOON - HOUR / 2)
    offered = offer(customer, "offers")
    receipt = offer(customer, "receipts", klass="T")
    outbox.run_due()
    assert state(receipt) == ("accepted", "")
    assert state(offered) == ("held", "on hold: far more than usual is due")
    [held] = guards.active(customer.store)
    assert (held.kind, held.seen["usual"]) == ("flood", 0)
    assert AuditEvent.objects.filter(store=customer.store, action="sending.held").count() == 1
    assert guards.release(held, actor="test")
    assert not guards.release(held, actor="test")
    assert not guards.check_flood(customer.store)
    assert not guards.active(customer.store)


def test_what_is_usual_for_a_shop_is_no_flood():
    customer = make_customer(make_store())
    SentLedger.objects.bulk_create(
        SentLedger(store=customer.store, key=f"k{n}", at=NOON - 26 * HOUR, klass="M") for n in range(60)
    )
    flood(customer, 299)
    assert not guards.check_flood(customer.store)
    flood(customer, 2, name="more")
    assert guards.check_flood(customer.store)
    assert guards.active(customer.store)[0].seen == {"due": 301, "usual": 60}


@pytest.mark.parametrize(("minutes", "held"), [(9, False), (11, True), (-9, False), (-11, True), (60 * 24, True)])
def test_a_clock_that_moved_more_than_ten_minutes_holds_marketing(post, monkeypatch, minutes, held):
    times = iter([(1000.0, 50.0), (1000.0 + 60 * minutes + 5, 55.0)])
    monkeypatch.setattr(guards, "readings", lambda: next(times))
    monkeypatch.setattr(guards, "_beside_database", lambda wall: 0.0)
    guards.watch_clock()
    guards.watch_clock()
    assert [each.kind for each in guards.active()] == (["clock"] if held else [])
    if held:
        monkeypatch.setattr(guards, "watch_clock", lambda: False)
        offered = offer(agreed(), "offers")
        outbox.run_due()
        assert state(offered) == ("held", "on hold: the clock has moved")


def test_a_clock_that_is_not_the_databases_holds_marketing(monkeypatch):
    monkeypatch.setattr(guards, "readings", lambda: (5000.0, 50.0))
    monkeypatch.setattr(guards, "_beside_database", lambda wall: 1200.0)
    assert guards.watch_clock()
    assert guards.active()[0].seen == {"minutes": 20}


def test_pause_all_stops_every_store_and_resume_all_ends_it(post, capsys):
    message, other = planned(), planned(slug="other")
    call_command("pause_all")
    outbox.run_due()
    assert state(message) == state(other) == ("held", "all sending is paused")
    call_command("pause_all")
    assert SendingHold.objects.count() == 1
    call_command("resume_all")
    outbox.run_due()
    assert (state(message)[0], state(other)[0]) == ("accepted", "accepted")
    assert "resume_all ends it" in capsys.readouterr().out


def test_pause_all_for_one_store_leaves_the_others_alone(post):
    message, other = planned(), planned(slug="other")
    call_command("pause_all", store=message.store.slug)
    outbox.run_due()
    assert (state(message)[0], state(other)[0]) == ("held", "accepted")
    call_command("resume_all", store=message.store.slug)
    outbox.run_due()
    assert state(message)[0] == "accepted"


@pytest.fixture
def kept(settings, tmp_path):
    settings.SEND_JOURNAL = str(tmp_path / "journal")
    return tmp_path / "journal"


def lines(folder):
    return [line.split() for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


def test_the_journal_holds_digests_only_and_is_there_before_the_hand_over(post, kept, monkeypatch):
    message = planned()
    seen = []
    send = post.send

    def look(*about):
        seen.append(lines(kept))
        return send(*about)

    monkeypatch.setattr(outbox.email, "send", look)
    outbox.run_due()
    [[line]] = seen
    digest = guards.mark(message.store_id, message.key).removeprefix("journal:")
    assert line == [str(int(NOON.timestamp())), str(message.store_id), digest, "+"]
    text = "".join(path.read_text() for path in kept.iterdir())
    assert message.key not in text
    assert message.customer.email not in text


def test_what_was_not_handed_over_is_taken_back(post, kept):
    planned()
    post.answers = [Handed(False, error_kind="temporary", error="450 later")]
    outbox.run_due()
    assert [line[3] for line in lines(kept)] == ["+", "-"]


def test_a_database_older_than_the_journal_sends_nothing_twice_and_waits_for_the_operator(post, kept):
    message = planned()
    before = {"position": 0}
    outbox.run_due()
    assert len(post.letters) == 1
    # As a restored backup from before the hand-over would be.
    SentLedger.objects.all().delete()
    Message.objects.filter(pk=message.pk).update(
        status="planned", state="due", handed_at=None, accepted_at=None, finished_at=None, attempts=0
    )
    Journal.objects.exclude(host="").update(**before)
    later = planned(slug="later")
    assert journal.compare() == 1
    assert state(message) == ("accepted", journal.RESTORED)
    [held] = guards.active()
    assert (held.kind, held.seen) == ("restore", {"marked": 1})
    outbox.run_due()
    assert state(later) == ("held", "the database is older than what was sent")
    guards.release(held, actor="test")
    outbox.run_due()
    assert state(later) == ("accepted", "")
    assert len(post.letters) == 2
    assert journal.compare() == 0


def test_what_is_planned_anew_after_a_restore_is_known_by_its_digest(post, kept):
    message = planned()
    outbox.run_due()
    order, flow = message.order, message.flow
    Message.objects.all().delete()
    message.enrolment.delete()
    SentLedger.objects.all().delete()
    Journal.objects.exclude(host="").update(position=0)
    assert journal.compare() == 1
    SendingHold.objects.update(released_at=NOON)
    from tests.campaigns.flow_files import happen, run

    happen(order, fact="again")
    run()
    outbox.run_due()
    again = Message.objects.get(flow=flow)
    assert (again.status, again.reason) == ("skipped", "already sent")
    assert len(post.letters) == 1


def test_the_remains_of_a_crash_are_no_restore(post, kept):
    message = planned()
    _, ready = outbox._take()
    journal.write([each for each, _ in ready])
    Journal.objects.exclude(host="").update(position=0)
    assert journal.compare() == 0
    assert not guards.active()
    assert fresh(message).status == "claimed"


def test_a_new_database_knows_another_journal(post, kept):
    planned()
    outbox.run_due()
    Journal.objects.all().delete()
    assert journal.compare() == 0
    assert not guards.active()


def test_a_member_releases_what_the_store_holds_and_only_the_operator_what_holds_all(client):
    store = make_store()
    mine = SendingHold.objects.create(store=store, kind="flood", seen={"due": 900, "usual": 12})
    everyones = SendingHold.objects.create(kind="clock", seen={"minutes": 62})
    client.force_login(make_user(store))
    page = client.get(f"/app/{store.slug}/outbox/").content.decode()
    assert "900 messages are due at once, at most 12 an hour are usual" in page
    assert "jumped by 62 minutes" in page
    assert page.count("Release</button>") == 1
    assert client.post(f"/app/{store.slug}/outbox/holds/{everyones.pk}/release/").status_code == 404
    assert client.post(f"/app/{store.slug}/outbox/holds/{mine.pk}/release/").status_code == 302
    assert [each.pk for each in guards.active(store)] == [everyones.pk]
    client.force_login(make_user(store, is_superuser=True))
    client.post(f"/app/{store.slug}/outbox/holds/{everyones.pk}/release/")
    assert not guards.active(store)


def test_a_hold_of_another_store_is_not_released(client):
    theirs = SendingHold.objects.create(store=make_store(), kind="flood", seen={"due": 900, "usual": 12})
    mine = make_store()
    client.force_login(make_user(mine))
    assert client.post(f"/app/{mine.slug}/outbox/holds/{theirs.pk}/release/").status_code == 404
    assert "900" not in client.get(f"/app/{mine.slug}/outbox/").content.decode()
    theirs.refresh_from_db()
    assert theirs.released_at is None


def test_a_hold_stands_on_the_system_page():
    store = make_store()
    assert next(iter(pages.checks(store))).ok
    guards.hold(store, "flood", due=900, usual=12)
    check = next(iter(pages.checks(store)))
    assert (check.ok, str(check.sentence)) == (False, "far more than usual is due")
