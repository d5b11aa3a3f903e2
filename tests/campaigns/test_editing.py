"""Changes of a flow file by the editor's buttons, and what they read as."""

import pytest

from campaigns import differences, editing
from postpurchase.errors import BusinessError
from tests.campaigns.flow_files import file, send, wait

BIG = {"field": "order.total", "op": "gt", "value": 100}


def branch(uid="check", then=(), otherwise=()):
    return {"uid": uid, "kind": "branch", "condition": BIG, "then": list(then), "else": list(otherwise)}


def names(steps):
    return [step["uid"] for step in steps]


@pytest.fixture
def data():
    return file(wait("w", days=3), send("a"), branch(then=[send("b"), send("c")], otherwise=[send("d")]))


def test_steps_are_numbered_as_they_are_read(data):
    assert [(spot.step["uid"], spot.number, spot.depth) for spot in editing.spots(data)] == [
        ("w", "1", 0),
        ("a", "2", 0),
        ("check", "3", 0),
        ("b", "3a", 1),
        ("c", "3b", 1),
        ("d", "3c", 1),
    ]


def test_a_step_moves_within_its_lane_and_stops_at_the_edge(data):
    assert editing.shift(data, "a", -1) is True
    assert names(data["steps"]) == ["a", "w", "check"]
    assert editing.shift(data, "a", -1) is False
    assert editing.shift(data, "c", 1) is False
    assert editing.shift(data, "b", 1) is True
    assert names(data["steps"][2]["then"]) == ["c", "b"]


def test_a_step_moves_into_a_lane_and_out_again(data):
    editing.move(data, "a", lane="check:else", after="d")
    assert names(data["steps"]) == ["w", "check"]
    assert names(data["steps"][1]["else"]) == ["d", "a"]
    editing.move(data, "a", lane="", after="")
    assert names(data["steps"]) == ["a", "w", "check"]


def test_a_branch_cannot_go_into_itself(data):
    before = names(data["steps"])
    for lane, after in (("check:then", ""), ("check:then", "b"), ("", "check")):
        with pytest.raises(BusinessError, match="into itself"):
            editing.move(data, "check", lane=lane, after=after)
    assert names(data["steps"]) == before


def test_branches_lie_at_most_two_deep(data):
    editing.add(data, kind="branch", uid="inner", params={"condition": BIG}, lane="check:then")
    with pytest.raises(BusinessError, match="at most 2 deep"):
        editing.add(data, kind="branch", uid="innermost", params={"condition": BIG}, lane="inner:then")
    editing.add(data, kind="branch", uid="other", params={"condition": BIG}, after="check")
    editing.add(data, kind="branch", uid="below", params={"condition": BIG}, lane="other:then")
    with pytest.raises(BusinessError, match="at most 2 deep"):
        editing.move(data, "other", lane="check:else", after="")


def test_a_new_step_stands_where_it_was_wanted(data):
    editing.add(data, kind="end", uid="e1", params={}, after="w")
    editing.add(data, kind="end", uid="e2", params={}, lane="check:then", after="b")
    editing.add(data, kind="end", uid="e3", params={})
    assert names(data["steps"]) == ["e3", "w", "e1", "a", "check"]
    assert names(data["steps"][4]["then"]) == ["b", "e2", "c"]
    with pytest.raises(BusinessError) as gone:
        editing.add(data, kind="end", uid="e4", params={}, lane="check:then", after="w")
    assert gone.value.code == "step_gone"


def test_a_branch_goes_with_all_that_is_in_it(data):
    assert editing.uids({"steps": [editing.delete(data, "check")]}) == {"check", "b", "c", "d"}
    assert editing.uids(data) == {"w", "a"}


def test_other_settings_leave_the_sides_of_a_branch_alone(data):
    editing.set_params(data, "check", {"condition": BIG | {"value": 5}}, when=BIG)
    step = editing.find(data, "check").step
    assert (step["condition"]["value"], step["when"], names(step["then"]), names(step["else"])) == (
        5,
        BIG,
        ["b", "c"],
        ["d"],
    )


def test_a_new_name_is_one_that_no_step_ever_had():
    assert editing.new_uid("wait", []) == "wait"
    assert editing.new_uid("wait", ["wait", "wait_2"]) == "wait_3"


def test_differences_read_as_sentences(data):
    after = file(
        send("a", title="Thanks"),
        wait("w", days=10),
        branch(then=[send("b"), send("c")]),
        send("new", title="More"),
        klass="M",
        reentry="once",
        holdback=10,
    )
    assert differences.sentences(data, after) == [
        "Again: “once per order” becomes “once”.",
        "Class: “Transactional” becomes “Marketing”.",
        "Hold-back: “nothing” becomes “10% get nothing, to measure the effect”.",
        "Step 1: “Send “R01.thank_you” by email, in the customer’s language” becomes "
        "“Send “Thanks” by email, in the customer’s language”.",
        "Step 2: “Wait 3 days” becomes “Wait 10 days”.",
        "Step 2 was step 1 and has moved: Wait 10 days.",
        "Step 4 is new: Send “More” by email, in the customer’s language.",
        "Step 3c is gone: Send “R01.thank_you” by email, in the customer’s language.",
    ]


def test_the_same_file_differs_in_nothing(data):
    written_out = file(*data["steps"])
    written_out["steps"][0] |= {"hours": 0, "since": "step"}
    assert differences.sentences(data, data) == []
    assert differences.sentences(data, written_out) == []


def test_a_setting_that_no_sentence_tells_is_named(data):
    after = file(*data["steps"])
    after["steps"][1]["purpose"] = "review"
    assert differences.sentences(data, after) == ["Step 2, Purpose: “nothing” becomes “review”."]


def split(uid="ab", **lanes):
    ways = [{"name": name, "weight": 1, "steps": steps} for name, steps in lanes.items()]
    return {"uid": uid, "kind": "split", "variants": ways}


def test_the_ways_of_a_split_are_lanes_like_those_of_a_branch():
    data = file(split(A=[send("a")], B=[send("b")]), send("z"))
    assert [(spot.step["uid"], spot.number, spot.lane) for spot in editing.spots(data)] == [
        ("ab", "1", ""),
        ("a", "1a", "ab:v0"),
        ("b", "1b", "ab:v1"),
        ("z", "2", ""),
    ]
    editing.move(data, "z", lane="ab:v1", after="b")
    editing.add(data, kind="end", uid="e", params={}, lane="ab:v0")
    assert [names(each["steps"]) for each in data["steps"][0]["variants"]] == [["e", "a"], ["b", "z"]]


def test_a_way_keeps_its_steps_under_another_name_and_goes_with_them():
    data = file(split(A=[send("a")], B=[send("b")]))
    editing.set_params(
        data, "ab", {"variants": [{"name": "Long", "weight": 3, "row": 1}, {"name": "New", "weight": 1}]}
    )
    assert data["steps"][0]["variants"] == [
        {"name": "Long", "weight": 3, "steps": [send("b")]},
        {"name": "New", "steps": []},
    ]


def test_a_wait_for_an_event_has_two_ways():
    data = file(send("a"))
    editing.add(data, kind="wait_for_event", uid="w", params={"event": "order.placed", "within": "3 days"}, after="a")
    editing.move(data, "a", lane="w:then", after="")
    assert names(data["steps"][0]["then"]) == ["a"]
