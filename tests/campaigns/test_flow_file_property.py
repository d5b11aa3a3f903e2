"""Any flow file comes back the same after export and import, and the editor's forms change nothing that nobody touched."""

import random

import pytest

from campaigns import definitions, drafts, editing, flow_words, flows, step_forms
from campaigns.steps import kinds
from tests.campaigns.flow_files import file
from tests.factories import make_store

pytestmark = pytest.mark.django_db

NAMES = ["Mulțumim", 'Two "words": yes', "- no", "null", "a\u2028b", "{x}", "terima kasih", "123", "émoji 🙂", "# mark"]


def condition(dice, depth=0):
    if depth < 3 and dice.random() < 0.4:
        joint = dice.choice(["all", "any", "not"])
        below = [condition(dice, depth + 1) for _ in range(dice.randint(1, 3))]
        return {joint: below}
    return dice.choice(
        [
            {"field": "order.total", "op": "gt", "value": dice.choice([0, 100, "99.90"])},
            {"field": "order.status", "op": "in", "value": ["completed", dice.choice(NAMES)]},
            {"field": "customer.account", "op": "is", "value": dice.choice([True, False])},
            {"field": "order.language", "op": "is_set"},
        ]
    )


def step(dice, uids, depth=0):
    uid = f"s{next(uids)}"
    kind = dice.choice(["wait", "send_email", "end", "give_points", *(["branch"] * (depth < 2))])
    made = {"uid": uid, "kind": kind}
    if kind == "wait":
        made |= dice.choice([{"days": dice.randint(1, 90)}, {"hours": 4, "since": "event"}, {"until": "09:30"}])
        if dice.random() < 0.5:
            made["between"] = ["10:00", "18:00"]
    elif kind == "send_email":
        made |= {"template": dice.choice(NAMES), "title": dice.choice(NAMES)}
    elif kind == "give_points":
        made |= {"points": dice.randint(1, 500), "reason": dice.choice(NAMES)}
    elif kind == "branch":
        made["condition"] = condition(dice)
        made["then"] = [step(dice, uids, depth + 1) for _ in range(dice.randint(0, 2))]
        made["else"] = [step(dice, uids, depth + 1) for _ in range(dice.randint(0, 2))]
    if dice.random() < 0.3:
        made["when"] = condition(dice)
    return made


def any_file(dice):
    uids = iter(range(1000))
    data = file(*[step(dice, uids) for _ in range(dice.randint(1, 5))], klass=dice.choice("TSM"))
    data |= {"name": dice.choice(NAMES), "exit_when": [condition(dice) for _ in range(dice.randint(0, 2))]}
    data["trigger"] = {"event": dice.choice(["order.paid", ["order.placed", "order.delivered"]])}
    if dice.random() < 0.5:
        data["trigger"]["where"] = condition(dice)
    if dice.random() < 0.5:
        data["reentry"] = dice.choice(["once", "always", {"every_days": 30}])
    if dice.random() < 0.3:
        data["holdback"] = dice.randint(1, 90)
    return data


@pytest.mark.parametrize("seed", range(40))
def test_a_flow_file_is_the_same_after_export_and_import(seed):
    data = any_file(random.Random(seed))
    assert definitions.faults(data) == []
    text = definitions.dump(data)
    assert definitions.load(text) == data
    assert definitions.dump(definitions.load(text)) == text


def test_a_published_flow_is_the_same_after_export_and_import_into_another_store():
    here, there = make_store(), make_store()
    for seed in range(6):
        data = any_file(random.Random(seed))
        text = flows.export_file(flows.publish(here, data, actor="test", slug=f"f{seed}"))
        taken = flows.import_file(there, text, actor="test", slug=f"f{seed}")
        taken.refresh_from_db()
        assert taken.live.definition == data
        assert drafts.of(taken) == data


@pytest.mark.parametrize("seed", range(15))
def test_saving_every_form_untouched_changes_no_step(seed):
    store = make_store()
    data = any_file(random.Random(seed))
    for spot in editing.spots(data):
        raw = flow_words.params(spot.step)
        params = kinds()[spot.step["kind"]].params
        form = step_forms.make(params, raw, store=store)
        sent = {form[name].html_name: form[name].value() for name in form.fields}
        between = sent.pop("p-between", None)
        if between is not None:
            sent |= {f"p-between_{n}": value for n, value in enumerate(between)}
        again = step_forms.make(
            params, raw, store=store, data={key: value for key, value in sent.items() if value is not None}
        )
        assert again.is_valid(), again.errors
        kept = {name: raw[name] for name in step_forms.conditions_in(params) if name in raw}
        assert kept | again.params() == raw, spot.step
