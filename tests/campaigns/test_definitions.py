"""The flow file: every fault in a sentence, the same file after a round trip."""

import pytest

from campaigns import definitions, flows
from campaigns.models import Flow, FlowVersion
from postpurchase.errors import BusinessError
from tests.campaigns.flow_files import file, publish, send, wait
from tests.factories import make_store

BRANCH = {
    "uid": "check",
    "kind": "branch",
    "condition": {"field": "order.total", "op": "gt", "value": 100},
    "then": [send("big"), {"uid": "stop", "kind": "end"}],
    "else": [wait("pause", days=1)],
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "format is 2; this version reads format 1."),
        ({"name": " "}, "name is a text of 1 to 120 characters."),
        ({"class": "X"}, "class is T (transactional), S (service) or M (marketing)."),
        ({"colour": "red"}, "colour is not known in a flow file."),
        (
            {"reentry": "often"},
            "reentry is one of once, once_per_order, once_per_order_and_event, once_per_line, every_days, always.",
        ),
        ({"holdback": 95}, "holdback is a percentage from 0 to 90."),
        ({"steps": []}, "steps is a list with at least one step."),
        ({"exit_when": [{"any": []}]}, "exit_when, 1: the group is empty; add a condition or remove it."),
        ({"steps": [send(), send()]}, "Step 2: the uid 'mail' is there twice."),
        ({"steps": [send("Mail!")]}, "Step 1: uid is a short name of small letters, digits and _."),
        ({"steps": [send(template=" ")]}, "Step 1: Choose an email template."),
        ({"steps": [{"uid": "mail", "kind": "send_email"}]}, "Step 1: template is missing."),
        (
            {"steps": [send(speed=9)]},
            "Step 1: speed is not a setting of send_email. It has template, title, purpose, useful_for, send_if.",
        ),
        ({"steps": [wait(days="two")]}, "Step 1: days cannot be 'two'."),
        ({"steps": [wait()]}, "Step 1: A wait needs days, hours, minutes, until or between."),
        ({"steps": [wait(until="9:00")]}, "Step 1: 9:00 is not a time of day such as 09:30."),
        (
            {"steps": [wait(between=["18:00", "10:00"])]},
            "Step 1: between must begin before it ends, on the same day.",
        ),
        ({"steps": [send() | {"then": []}]}, "Step 1: send_email has no then and else."),
        ({"steps": [{"uid": "c", "kind": "issue_coupon", "amount": 1.5}]}, "Step 1: amount cannot be 1.5."),
        ({"steps": [{"uid": "p", "kind": "give_points", "points": 0}]}, "Step 1: points lies between 1 and 1,000,000."),
    ],
)
def test_a_fault_is_told_in_a_sentence(change, sentence):
    assert definitions.faults(file(send()) | change) == [sentence]


def test_an_unknown_event_or_step_is_told_with_those_that_exist():
    [event, step] = definitions.faults(file({"uid": "x", "kind": "dance"}, event="order.sung"))
    assert event.startswith("trigger: 'order.sung' starts no flow. Known are case.confirmed_solved,")
    assert step.startswith("Step 1: there is no step 'dance'. Known are add_note, add_tag,")


def _deep(levels):
    inner = [send("leaf")]
    for n in range(levels):
        condition = {"field": "order.total", "op": "gt", "value": n}
        inner = [{"uid": f"level{n}", "kind": "branch", "condition": condition, "then": inner, "else": []}]
    return file(*inner)


def test_branches_may_lie_ten_deep_and_no_deeper():
    assert definitions.faults(_deep(10)) == []
    assert definitions.depth_of(_deep(10)["steps"]) == 10
    assert definitions.faults(_deep(11)) == ["Step 1a1a1a1a1a1: branches lie more than 10 deep."]


def test_steps_know_what_follows_them():
    steps = definitions.parse(file(BRANCH, send("after"))).steps
    assert {uid: (each.number, each.then, each.otherwise, each.next) for uid, each in steps.items()} == {
        "check": ("1", "big", "pause", "after"),
        "big": ("1a", "", "", "stop"),
        "stop": ("1b", "", "", "after"),
        "pause": ("1c", "", "", "after"),
        "after": ("2", "", "", ""),
    }


@pytest.mark.django_db
def test_a_flow_file_comes_back_the_same():
    store = make_store()
    flow = publish(store, file(BRANCH, send("after", title="Mulțumim!"), holdback=10, klass="M"))
    text = flows.export_file(flow)
    other = flows.import_file(make_store(), text, actor="test")
    assert other.live.definition == flow.live.definition
    assert flows.export_file(other) == text
    assert other.state == "off"


@pytest.mark.django_db
def test_a_faulty_file_changes_nothing():
    flow = publish(make_store(), file(send()))
    with pytest.raises(BusinessError) as refusal:
        publish(flow.store, file(send(template="")))
    assert refusal.value.code == "flow_faults"
    assert FlowVersion.objects.get().definition == file(send())
    with pytest.raises(BusinessError) as refusal:
        flows.import_file(flow.store, "a: [", actor="test")
    assert refusal.value.code == "flow_yaml"
    assert Flow.objects.count() == 1


@pytest.mark.django_db
def test_the_same_file_again_makes_no_version_and_another_makes_the_next():
    store = make_store()
    publish(store, file(send()))
    publish(store, file(send()))
    flow = publish(store, file(send(), send("second")))
    assert [version.number for version in flow.versions.order_by("number")] == [1, 2]
    assert flow.live.number == 2


def test_the_order_of_keys_in_a_file_does_not_depend_on_how_a_database_keeps_them():
    data = file(BRANCH, send("after"), trigger={"event": "order.paid", "where": {"field": "event", "op": "is_set"}})

    def shuffled(value):
        if isinstance(value, dict):
            return {name: shuffled(value[name]) for name in sorted(value, key=lambda name: (len(name), name))}
        return [shuffled(each) for each in value] if isinstance(value, list) else value

    text = definitions.dump(shuffled(data))
    assert text == definitions.dump(data)
    assert text.startswith(
        "format: 1\nname: Test flow\nclass: T\ntrigger:\n  event: order.paid\n  where:\n    field: event\n"
    )
    assert "- uid: check\n  kind: branch\n" in text
