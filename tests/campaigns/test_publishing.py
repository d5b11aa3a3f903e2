"""Drafts and publishing: nobody is touched before, and afterwards each as was chosen."""

from datetime import timedelta

import pytest

from campaigns import content, drafts, editing, outbox, publishing
from campaigns.models import Enrolment, Flow, Message
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import events
from stores.models import AuditEvent
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    clock.freeze(NOON)
    made = make_store(language="en")
    content.install(made, "R01.thank_you")
    return made


@pytest.fixture
def flow(store):
    return publish(store, file(wait("w", days=13), send("a"), wait("w2", days=2), send("b")))


def change(flow, edit):
    flow.refresh_from_db()
    return drafts.change(flow, flow.draft_token, edit, actor="test", what="test")


def go(flow, **options):
    flow.refresh_from_db()
    return publishing.publish(flow, flow.draft_token, actor="test", **options)


def shorter(data):
    editing.set_params(data, "w", {"days": 10})


def people(flow, n=3):
    for _ in range(n):
        happen(make_order(flow.store))
    run()


def test_no_edit_affects_anyone_before_publishing(flow):
    people(flow, 1)
    live, before = flow.live.definition, Enrolment.objects.values_list("version", "due_at").get()
    change(flow, shorter)
    flow = Flow.objects.get()
    assert flow.live.definition == live
    assert flow.draft["steps"][0] == {"uid": "w", "kind": "wait", "days": 10}
    people(flow, 1)
    assert set(Enrolment.objects.values_list("version", "due_at")) == {before}


def test_discarding_returns_exactly_to_the_live_version(flow):
    change(flow, shorter)
    change(flow, lambda data: editing.delete(data, "b"))
    flow.refresh_from_db()
    drafts.discard(flow, flow.draft_token, actor="test")
    flow.refresh_from_db()
    assert (flow.draft, drafts.of(flow)) == (None, flow.live.definition)


def test_changing_it_back_leaves_nothing_to_publish(flow):
    change(flow, shorter)
    change(flow, lambda data: editing.set_params(data, "w", {"days": 13}))
    assert Flow.objects.get().draft is None
    with pytest.raises(BusinessError) as same:
        go(flow)
    assert same.value.code == "same"
    assert flow.versions.count() == 1


def test_the_second_of_two_tabs_is_refused_and_nothing_is_lost(flow):
    first, second = Flow.objects.get(), Flow.objects.get()
    drafts.change(first, 0, shorter, actor="ana", what="step w")
    with pytest.raises(BusinessError) as stale:
        drafts.change(second, 0, lambda data: editing.delete(data, "w"), actor="ion", what="delete w")
    assert stale.value.code == "draft_stale"
    with pytest.raises(BusinessError):
        publishing.publish(second, 0, actor="ion")
    assert drafts.of(Flow.objects.get())["steps"][0]["days"] == 10


def test_a_draft_with_faults_is_kept_but_not_published(flow):
    change(flow, lambda data: editing.set_params(data, "a", {"template": ""}))
    change(flow, lambda data: editing.set_params(data, "b", {"template": "gone"}))
    with pytest.raises(BusinessError) as faults:
        go(flow)
    assert faults.value.code == "flow_faults"
    assert publishing.plan(Flow.objects.get()).faults == [
        "Step 2: Choose an email template.",
        "Step 4: the message “gone” is not there. Choose another.",
    ]
    assert flow.versions.count() == 1


def test_the_last_change_can_be_taken_back_once(flow):
    drafts.change(flow, 0, lambda data: editing.delete(data, "a"), actor="test", what="delete a", undo="back")
    drafts.take_back(flow, 1, actor="test")
    assert Flow.objects.get().draft is None
    with pytest.raises(BusinessError) as nothing:
        drafts.take_back(flow, 2, actor="test")
    assert nothing.value.code == "nothing_to_undo"


def test_people_finish_the_version_they_began_unless_told_otherwise(flow):
    people(flow)
    due = NOON + timedelta(days=13)
    change(flow, shorter)
    version = go(flow)
    assert version.number == 2
    assert set(Enrolment.objects.values_list("version__number", "due_at")) == {(1, due)}
    people(flow, 1)
    assert Enrolment.objects.filter(version=version, due_at=NOON + timedelta(days=10)).count() == 1


def test_the_dialog_counts_who_waits_at_a_changed_step(flow):
    people(flow)
    change(flow, shorter)
    plan = publishing.plan(Flow.objects.get())
    assert (plan.under_way, [(one.uid, one.people) for one in plan.waiting]) == (3, [("w", 3)])
    assert plan.sentences == ["Step 1: “Wait 13 days” becomes “Wait 10 days”."]
    people(flow, 1)
    with pytest.raises(BusinessError) as changed:
        go(flow, stamp=plan.stamp)
    assert changed.value.code == "counts_changed"
    assert flow.versions.count() == 1
    go(flow, stamp=publishing.plan(Flow.objects.get()).stamp)
    assert flow.versions.count() == 2


def test_the_new_wait_is_counted_from_when_the_wait_began(flow):
    people(flow)
    clock.advance(timedelta(days=4))
    change(flow, shorter)
    go(flow, new_waits=["w"])
    assert set(Enrolment.objects.values_list("due_at", "version__number")) == {(NOON + timedelta(days=10), 1)}
    event = AuditEvent.objects.get(action="flow.move_people")
    assert event.diff == {"moved": 0, "new_waits": 3, "version": 2}


def test_who_has_waited_long_enough_goes_on_at_once_and_not_late(flow):
    people(flow)
    clock.advance(timedelta(days=12))
    change(flow, shorter)
    go(flow, new_waits=["w"], move=True)
    assert set(Enrolment.objects.values_list("due_at", "version__number")) == {(clock.now(), 2)}
    run()
    assert Message.objects.filter(step="a", planned_for=clock.now()).count() == 3


def test_people_move_to_the_new_version_where_they_are(flow):
    people(flow)
    change(flow, lambda data: editing.set_params(data, "b", {"template": "R01.thank_you", "title": "New"}))
    go(flow, move=True)
    assert set(Enrolment.objects.values_list("version__number", "step", "waiting", "due_at")) == {
        (2, "w", True, NOON + timedelta(days=13))
    }
    clock.advance(timedelta(days=13))
    run()
    clock.advance(timedelta(days=2))
    run()
    assert Message.objects.filter(step="b", subject="New").count() == 3


def test_who_stands_at_a_removed_step_goes_on_at_the_next_one_left(flow):
    people(flow)

    def cut(data):
        editing.delete(data, "w")
        editing.delete(data, "a")

    change(flow, cut)
    assert [(one.before, one.goes_on, one.people) for one in publishing.plan(Flow.objects.get()).gone] == [
        ("Wait 13 days", "Wait 2 days", 3)
    ]
    go(flow, move=True)
    assert set(Enrolment.objects.values_list("version__number", "step", "waiting", "due_at")) == {
        (2, "w2", False, NOON + timedelta(days=13))
    }
    clock.advance(timedelta(days=13))
    run()
    clock.advance(timedelta(days=2))
    run()
    assert set(Message.objects.values_list("step", "planned_for")) == {("b", NOON + timedelta(days=15))}
    assert set(Enrolment.objects.values_list("status", flat=True)) == {"finished"}


def test_who_was_just_woken_at_a_removed_wait_still_waits_it_out(flow):
    people(flow, 1)
    events.record(
        flow.store, events.REVIEW_SUBMITTED, subject=1, at=clock.now(), customer=Enrolment.objects.get().customer
    )
    while events.dispatch():
        pass
    assert Enrolment.objects.get().due_at == clock.now()
    change(flow, lambda data: editing.delete(data, "w"))
    go(flow, move=True)
    run()
    row = Enrolment.objects.get()
    assert (row.step, row.waiting, row.due_at) == ("a", False, NOON + timedelta(days=13))
    assert not Message.objects.exists()


def test_nothing_left_ends_the_way_with_its_reason(flow):
    people(flow, 1)

    def only_a_new_one(data):
        data["steps"] = [send("first")]

    change(flow, only_a_new_one)
    go(flow, move=True)
    row = Enrolment.objects.get()
    assert (row.status, row.state, row.reason) == ("finished", "done", "the rest of the flow was taken out")
    assert not Message.objects.exists()


def test_a_person_who_got_a_mail_does_not_get_it_again_when_it_moves_behind_the_wait(store):
    flow = publish(store, file(send("a"), wait("w", days=3)))
    people(flow, 1)
    outbox.run_due()
    change(flow, lambda data: editing.shift(data, "a", 1))
    go(flow, move=True)
    clock.advance(timedelta(days=3))
    run()
    assert Message.objects.filter(step="a").count() == 1
    assert Enrolment.objects.get().status == "finished"


def test_a_lease_held_while_people_move_is_lost_so_that_nothing_is_done_by_the_old_version(flow):
    people(flow, 1)
    Enrolment.objects.update(state="running", lease_token="00000000-0000-0000-0000-000000000001")
    change(flow, lambda data: editing.delete(data, "b"))
    go(flow, move=True)
    row = Enrolment.objects.get()
    assert (row.state, row.lease_token, row.version.number) == ("due", None, 2)


def test_an_earlier_version_comes_back_by_way_of_the_draft(flow):
    first = flow.live
    change(flow, shorter)
    go(flow)
    flow.refresh_from_db()
    drafts.restore(flow, first, flow.draft_token, actor="test")
    assert Flow.objects.get().live.number == 2
    go(flow)
    flow = Flow.objects.get()
    assert (flow.live.number, flow.live.definition, flow.live.published_by) == (3, first.definition, "test")


def test_a_copy_is_a_draft_that_nobody_enters(flow):
    copy = drafts.duplicate(flow, actor="test")
    assert (copy.name, copy.slug, copy.live, copy.state) == ("Copy of Test flow", "copy-of-test-flow", None, "off")
    assert copy.draft["steps"] == flow.live.definition["steps"]
    people(copy, 1)
    assert not Enrolment.objects.filter(flow=copy).exists()


def test_a_flow_with_history_is_archived_and_one_without_deleted(flow, store):
    other = drafts.create(store, drafts.empty("New", "S", "order.paid"), actor="test")
    assert (other.slug, drafts.remove(other, actor="test")) == ("new-2", True)
    people(flow, 1)
    assert drafts.remove(flow, actor="test") is False
    flow = Flow.objects.get()
    assert (flow.state, bool(flow.archived_at), flow.versions.count()) == ("off", True, 1)
    assert Enrolment.objects.get().state == "held"


def test_renaming_shows_at_once_and_is_no_difference(flow):
    drafts.rename(flow, "Thanks", actor="test")
    flow = Flow.objects.get()
    assert (flow.name, flow.draft, flow.slug) == ("Thanks", None, "test-flow")
    change(flow, shorter)
    assert publishing.plan(Flow.objects.get()).sentences == ["Step 1: “Wait 13 days” becomes “Wait 10 days”."]
    assert go(flow).definition["name"] == "Thanks"
